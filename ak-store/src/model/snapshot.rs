//! All objects at one revision, immutable and typed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::{HashMap, OrdSet};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::errors::Errors;
use super::kind::{Kind, KindInfo};
use super::object::{Object, State, UniqueKey};
use super::pk::{Key, Pk, Ref, Target};
use super::registry::Registry;
use crate::records::{Group, ObjectRow, User};

/// All objects at one revision. A copy costs well under a microsecond; a request takes one at its start and sees one
/// consistent configuration until its end.
#[derive(Clone)]
pub struct Snapshot {
    revision: u64,
    registry: Arc<Registry>,
    objects: HashMap<Pk, Arc<Object>>,
    by_kind: imbl::Vector<OrdSet<Pk>>,
    referrers: HashMap<Key, OrdSet<Pk>>,
    unique: HashMap<(usize, UniqueKey), Pk>,
    alias: HashMap<Pk, Pk>,
    last_int: HashMap<u8, u32>,
}

/// An object that is needed cannot be read: whatever relies on it is refused.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{model} {pk} cannot be read: {problem}")]
pub struct Broken {
    /// Which object.
    pub pk: Pk,
    /// Model name of its kind.
    pub model: Arc<str>,
    /// Why.
    pub problem: Arc<str>,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Snapshot(revision {}, {} objects)", self.revision, self.objects.len())
    }
}

impl Snapshot {
    /// A snapshot without objects, at revision 0.
    pub fn empty(registry: Arc<Registry>) -> Self {
        let by_kind = registry.kinds().iter().map(|_| OrdSet::new()).collect();
        Self {
            revision: 0,
            registry,
            objects: HashMap::new(),
            by_kind,
            referrers: HashMap::new(),
            unique: HashMap::new(),
            alias: HashMap::new(),
            last_int: HashMap::new(),
        }
    }

    /// The revision of the last write that it contains.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn set_revision(&mut self, revision: u64) {
        self.revision = revision;
    }

    /// The kinds.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The object with this key, or with this second key.
    pub fn object(&self, pk: Pk) -> Option<&Arc<Object>> {
        self.objects.get(&pk).or_else(|| self.objects.get(self.alias.get(&pk)?))
    }

    /// The registered kind of an object.
    pub fn kind_of(&self, object: &Object) -> Option<&KindInfo> {
        self.registry.kind(object.kind?)
    }

    /// What people call the object with this key; the key itself where it cannot be told.
    pub fn name_of(&self, pk: Pk) -> String {
        let object = self.object(pk);
        let named = object.and_then(|object| Some(self.kind_of(object)?.name_of(object)));
        named.unwrap_or_else(|| pk.to_string())
    }

    /// The object that `to` refers to, as the type that it names. `None` if it is not there, or cannot be read.
    pub fn get<T: ?Sized + Target>(&self, to: Ref<T>) -> Option<&T> {
        self.view(self.object(to.pk())?)
    }

    /// The object looked at as a `T`, if it is one.
    pub fn view<'a, T: ?Sized + 'static>(&'a self, object: &'a Object) -> Option<&'a T> {
        let info = self.registry.kind(object.kind?)?;
        info.cast::<T>(object.body()?.any())
    }

    /// The keys of a kind's objects, broken ones included.
    pub fn keys(&self, kind: usize) -> impl Iterator<Item = Pk> + '_ {
        self.by_kind.get(kind).into_iter().flat_map(|set| set.iter().copied())
    }

    /// All objects of a kind that can be read.
    pub fn all<K: Kind>(&self) -> impl Iterator<Item = (Ref<K>, &K)> {
        let kind = self.registry.info::<K>().map_or(usize::MAX, |info| info.index);
        self.keys(kind).filter_map(|pk| {
            let to = Ref::new(pk);
            Some((to, self.get::<K>(to)?))
        })
    }

    /// The object of a kind whose unique `field` is `value`.
    pub fn by<K: Kind>(&self, field: &str, value: &str) -> Option<(Ref<K>, &K)> {
        let info = self.registry.info::<K>()?;
        let pk = self.find_unique(info, field, value)?;
        Some((Ref::new(pk), self.get::<K>(Ref::new(pk))?))
    }

    /// The key of the object of a kind whose unique `field` is `value`.
    pub fn find_unique(&self, info: &KindInfo, field: &str, value: &str) -> Option<Pk> {
        let fields = info.meta.unique.iter().find(|fields| **fields == [field])?;
        let value = serde_json::to_string(&[value]).ok()?.into_boxed_str();
        self.unique.get(&(info.index, UniqueKey { fields, value })).copied()
    }

    /// The objects of a kind that refer to `to`, in the order of their keys. One that cannot be read is an error that the caller
    /// must not pass over: it might have been a protection.
    pub fn referring<K: Kind>(&self, to: impl Into<Key>) -> impl Iterator<Item = Result<(Ref<K>, &K), Broken>> {
        let kind = self.registry.info::<K>().map(|info| info.index);
        self.referrers.get(&self.canonical(to.into())).into_iter().flat_map(OrdSet::iter).filter_map(move |pk| {
            let object = self.objects.get(pk)?;
            if object.kind != kind {
                return None;
            }
            Some(match (&object.state, self.view::<K>(object)) {
                (State::Broken { problem, .. }, _) => {
                    Err(Broken { pk: *pk, model: object.model.clone(), problem: problem.clone() })
                }
                (State::Live(_), Some(kind)) => Ok((Ref::new(*pk), kind)),
                (State::Live(_), None) => return None,
            })
        })
    }

    /// All objects that refer to `to`.
    pub fn referrers(&self, to: Key) -> impl Iterator<Item = &Arc<Object>> {
        self.referrers.get(&self.canonical(to)).into_iter().flat_map(OrdSet::iter).filter_map(|pk| self.objects.get(pk))
    }

    /// Every object that cannot be read.
    pub fn broken(&self) -> impl Iterator<Item = Broken> + '_ {
        self.objects.values().filter_map(|object| match &object.state {
            State::Broken { problem, .. } => {
                Some(Broken { pk: object.pk, model: object.model.clone(), problem: problem.clone() })
            }
            State::Live(_) => None,
        })
    }

    /// The next free key of a sequence. Keys of deleted objects are not used again.
    pub(super) fn next_int(&self, space: u8) -> Pk {
        Pk::of_int(space, self.last_int.get(&space).map_or(1, |n| n.saturating_add(1)))
    }

    pub(super) fn reserve(&mut self, pk: Pk) {
        if let Some((space, n)) = pk.int() {
            let last = self.last_int.entry(space).or_insert(0);
            *last = (*last).max(n);
        }
    }

    /// Puts an object in the place of the one with its key. Gives the fields of a unique value that another object has.
    pub(super) fn insert(&mut self, object: Arc<Object>) -> Vec<&'static [&'static str]> {
        let object = self.with_first_keys(object);
        self.remove(object.pk);
        self.reserve(object.pk);
        let mut taken = Vec::new();
        if let Some(kind) = object.kind {
            if let Some(set) = self.by_kind.get_mut(kind) {
                set.insert(object.pk);
            }
            for key in &object.unique {
                match self.unique.get(&(kind, key.clone())) {
                    Some(other) if *other != object.pk => taken.push(key.fields),
                    _ => {
                        self.unique.insert((kind, key.clone()), object.pk);
                    }
                }
            }
        }
        for edge in &object.edges {
            self.referrers.entry(edge.to).or_default().insert(object.pk);
        }
        if let Some(alias) = object.alias {
            self.alias.insert(alias, object.pk);
        }
        self.objects.insert(object.pk, object);
        taken
    }

    /// The object with edges to first keys only, so that its edges are found again when a second key is gone.
    fn with_first_keys(&self, object: Arc<Object>) -> Arc<Object> {
        if object.edges.iter().all(|edge| self.canonical(edge.to) == edge.to) {
            return object;
        }
        let mut object = Object::clone(&object);
        object.edges.iter_mut().for_each(|edge| edge.to = self.canonical(edge.to));
        Arc::new(object)
    }

    pub(super) fn know_alias(&mut self, row: &ObjectRow) {
        if let Some(alias) = row.alias {
            self.alias.insert(Pk::of_uuid(alias), Pk::of_uuid(row.pk));
        }
    }

    /// An edge to a second key leads to the object that has it.
    pub(super) fn canonical(&self, key: Key) -> Key {
        match key {
            Key::Object(pk) => Key::Object(self.alias.get(&pk).copied().unwrap_or(pk)),
            other => other,
        }
    }

    pub(super) fn remove(&mut self, pk: Pk) -> Option<Arc<Object>> {
        let object = self.objects.remove(&pk)?;
        if let Some(kind) = object.kind {
            if let Some(set) = self.by_kind.get_mut(kind) {
                set.remove(&pk);
            }
            for key in &object.unique {
                let key = (kind, key.clone());
                if self.unique.get(&key) == Some(&pk) {
                    self.unique.remove(&key);
                }
            }
        }
        for edge in &object.edges {
            if let Some(set) = self.referrers.get_mut(&edge.to) {
                set.remove(&pk);
                if set.is_empty() {
                    self.referrers.remove(&edge.to);
                }
            }
        }
        if let Some(alias) = object.alias {
            self.alias.remove(&alias);
        }
        Some(object)
    }

    /// What an object shows to a client: its own fields without secrets, its read-only fields and its key.
    /// An object that cannot be read shows its key and the problem.
    pub fn render(&self, object: &Object, people: &People) -> Map<String, Value> {
        let (Some(body), Some(info)) = (object.body(), self.kind_of(object)) else {
            let mut out = Map::new();
            out.insert("pk".into(), object.pk.value());
            if let State::Broken { problem, .. } = &object.state {
                out.insert("broken".into(), Value::from(&**problem));
            }
            return out;
        };
        let mut out = body.document();
        let none: Result<(), std::convert::Infallible> =
            super::field::take_secrets(&info.fields, super::field::Field::is_withheld, &mut out, &mut |_, _| Ok(None));
        let Ok(()) = none;
        out.retain(|name, _| !info.field(name).is_some_and(|field| field.hidden));
        out.append(&mut body.shown(&Row { object, snapshot: self, people }));
        out.insert(info.meta.pk_name.into(), object.pk.value());
        out
    }

    /// What stands at the place of a reference in an answer (`stage_obj`): the fields that the target's family shares.
    pub fn expand(&self, pk: Pk, people: &People) -> Value {
        let Some(object) = self.object(pk) else { return Value::Null };
        let mut rendered = self.render(object, people);
        let roles = self.kind_of(object).map_or(&[][..], |info| &info.roles);
        if let Some(family) = roles.iter().find_map(|role| self.registry.family_of(role)) {
            rendered.retain(|name, _| family.fields.contains(&name.as_str()));
        }
        Value::Object(rendered)
    }

    /// The records that a set of objects refers to, for looking them up in one go.
    pub fn records_of<'a>(objects: impl IntoIterator<Item = &'a Arc<Object>>) -> (BTreeSet<i64>, BTreeSet<Uuid>) {
        let mut users = BTreeSet::new();
        let mut groups = BTreeSet::new();
        for edge in objects.into_iter().flat_map(|o| o.edges.iter()) {
            match edge.to {
                Key::User(pk) => drop(users.insert(pk)),
                Key::Group(pk) => drop(groups.insert(pk)),
                Key::Object(_) => {}
            }
        }
        (users, groups)
    }
}

impl<T: ?Sized> From<Ref<T>> for Key {
    fn from(to: Ref<T>) -> Self {
        Self::Object(to.pk())
    }
}

/// Records that an answer shows beside objects, looked up beforehand.
#[derive(Debug, Default)]
pub struct People {
    /// Accounts by key.
    pub users: BTreeMap<i64, User>,
    /// Groups by key.
    pub groups: BTreeMap<Uuid, Group>,
    /// The id of the installation, from which [`user_uid`] is made.
    pub install_id: String,
    /// Who looks: some answers are made for her (the address of an application that holds her name).
    pub viewer: Option<User>,
}

/// The identifier of an account in protocols: the SHA-256 of `<pk>-<installation id>`, in hexadecimal digits.
pub fn user_uid(pk: i64, install_id: &str) -> String {
    hex::encode(Sha256::digest(format!("{pk}-{install_id}")))
}

/// An object and what surrounds it.
pub struct Row<'a> {
    /// The object.
    pub object: &'a Object,
    /// All objects.
    pub snapshot: &'a Snapshot,
    /// Records that it refers to.
    pub people: &'a People,
}

impl Snapshot {
    /// What does not work about an object although it can be kept ([`super::Kind::remarks`]).
    pub fn remarks(&self, pk: Pk) -> Errors {
        let Some(object) = self.object(pk) else { return Errors::default() };
        let people = People::default();
        object.body().map(|body| body.remarks(&Row { object, snapshot: self, people: &people })).unwrap_or_default()
    }
}

impl Row<'_> {
    /// The key of the object.
    pub fn pk(&self) -> Pk {
        self.object.pk
    }

    /// The kind of the object.
    pub fn info(&self) -> Option<&KindInfo> {
        self.snapshot.kind_of(self.object)
    }
}
