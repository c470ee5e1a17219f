//! A candidate for the next snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::errors::Errors;
use super::field::{Demand, ReferenceTo, detach, normalise, reference_at};
use super::kind::{Fill, Kind, KindInfo};
use super::object::{Object, State, tombstone};
use super::pk::{Key, Pk, Ref, Space};
use super::snapshot::{People, Row, Snapshot};
use crate::clock::Rng;
use crate::error::Result as StoreResult;
use crate::keyring::Keyring;
use crate::records::ObjectRow;

/// How an input changes an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A new object.
    Create,
    /// PUT: the required fields must be there; an optional one that is left out keeps its value.
    Replace,
    /// PATCH: what is left out keeps its value.
    Patch,
}

/// A candidate for the next snapshot: changes are made to it one after the other, it is validated, and then stored as one.
pub struct Draft {
    snapshot: Snapshot,
    now: DateTime<Utc>,
    rng: Arc<dyn Rng>,
    changed: BTreeSet<Pk>,
    deleted: BTreeMap<Pk, Arc<Object>>,
}

impl Draft {
    pub(super) fn of(base: &Snapshot, now: DateTime<Utc>, rng: Arc<dyn Rng>) -> Self {
        let mut snapshot = base.clone();
        snapshot.set_revision(base.revision() + 1);
        Self { snapshot, now, rng, changed: BTreeSet::new(), deleted: BTreeMap::new() }
    }

    /// The objects as they are with the changes made so far.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The moment of the write.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Whether anything was changed.
    pub fn is_clean(&self) -> bool {
        self.changed.is_empty() && self.deleted.is_empty()
    }

    /// Adds an object of a kind known at compile time.
    pub fn add<K: Kind>(&mut self, kind: &K) -> Result<Ref<K>, Errors> {
        let info = Self::info(&self.snapshot, K::META.model)?;
        let document = serde_json::to_value(kind).map_err(|e| Errors::whole(e.to_string(), "invalid"))?;
        self.create(&info, &document, None).map(Ref::new)
    }

    /// Adds an object that the product itself keeps under the name `managed`.
    pub fn add_managed<K: Kind>(&mut self, kind: &K, managed: &str) -> Result<Ref<K>, Errors> {
        let to = self.add(kind)?;
        self.set_managed(to.pk(), Some(managed))?;
        Ok(to)
    }

    /// Puts a whole document in the place of an object's, read-only fields included.
    pub fn set<K: Kind>(&mut self, at: Ref<K>, kind: &K) -> Result<(), Errors> {
        let info = Self::info(&self.snapshot, K::META.model)?;
        let info = info.get()?;
        let missing = || Errors::whole("There is no such object.", "not_found");
        let old = self.snapshot.object(at.pk()).filter(|o| o.kind == Some(info.index)).cloned().ok_or_else(missing)?;
        let document = match serde_json::to_value(kind) {
            Ok(Value::Object(document)) => document,
            Ok(_) => return Err(Errors::whole("The document is not an object.", "invalid")),
            Err(error) => return Err(Errors::whole(error.to_string(), "invalid")),
        };
        self.replace(info, &old, document)
    }

    /// Says under which name the product itself keeps an object; `None`: it is the administrator's own.
    pub fn set_managed(&mut self, at: Pk, managed: Option<&str>) -> Result<(), Errors> {
        let Some(object) = self.snapshot.object(at).filter(|o| o.managed.as_deref() != managed).cloned() else { return Ok(()) };
        let mut object = Object::clone(&object);
        object.managed = managed.map(Into::into);
        self.place(object)
    }

    /// Changes an object by a partial input.
    pub fn patch<K: Kind>(&mut self, at: Ref<K>, input: &Value) -> Result<(), Errors> {
        self.put(K::META.model, Some(at.pk()), input, Change::Patch).map(|_| ())
    }

    /// Creates or changes an object of the kind `model` by an input from outside. `at` names the object that is changed.
    pub fn put(&mut self, model: &str, at: Option<Pk>, input: &Value, change: Change) -> Result<Pk, Errors> {
        let info = Self::info(&self.snapshot, model)?;
        let pk = match (change, at) {
            (Change::Create, pk) => self.create(&info, input, pk),
            (_, Some(pk)) => self.change(&info, pk, input, change),
            (_, None) => Err(Errors::whole("There is no object to change.", "invalid")),
        }?;
        if info.get()?.meta.takes_managed
            && let Some(managed) = input.get("managed")
        {
            match managed {
                Value::Null => self.set_managed(pk, None)?,
                Value::String(name) if name.is_empty() => {
                    return Err(Errors::field("managed", "This field may not be blank.", "blank"));
                }
                Value::String(name) => self.set_managed(pk, Some(name))?,
                _ => return Err(Errors::field("managed", "Not a valid string.", "invalid")),
            }
        }
        Ok(pk)
    }

    fn info(snapshot: &Snapshot, model: &str) -> Result<InfoRef, Errors> {
        let index = snapshot.registry().by_model(model).map(|info| info.index);
        let index = index.ok_or_else(|| Errors::whole(format!("Model {model} is not known."), "invalid"))?;
        Ok(InfoRef { registry: snapshot.registry().clone(), index })
    }

    fn create(&mut self, info: &InfoRef, input: &Value, pk: Option<Pk>) -> Result<Pk, Errors> {
        let info = info.get()?;
        if pk.is_some_and(|pk| self.snapshot.object(pk).is_some()) {
            return Err(Errors::field("pk", "This field must be unique.", "unique"));
        }
        let document = normalise(&info.fields, input, Demand::Required)?;
        let body = info.parse(document)?;
        let fill = Fill { now: self.now, rng: &*self.rng };
        let document = info.fill(&body, &fill).unwrap_or_else(|| body.document());
        let body = info.parse(document)?;
        let document = body.document();
        let pk = pk.unwrap_or_else(|| match info.meta.space {
            Space::Uuid => Pk::of_uuid(self.rng.uuid()),
            Space::Int(space) => self.snapshot.next_int(space),
        });
        let object = Object::of(info, pk, body, &document);
        self.place(object)?;
        Ok(pk)
    }

    fn change(&mut self, info: &InfoRef, pk: Pk, input: &Value, change: Change) -> Result<Pk, Errors> {
        let info = info.get()?;
        let missing = || Errors::whole("There is no such object.", "not_found");
        let old = self.snapshot.object(pk).filter(|o| o.kind == Some(info.index)).cloned().ok_or_else(missing)?;
        // A broken document is healed by a whole one.
        let (demand, mut document) = match (change, old.body()) {
            (Change::Patch, Some(body)) => (Demand::Nothing, body.document()),
            (_, Some(body)) => (Demand::Required, body.document()),
            (_, None) => (Demand::Required, Map::new()),
        };
        let mut new = normalise(&info.fields, input, demand)?;
        document.append(&mut new);
        self.replace(info, &old, document)?;
        Ok(old.pk)
    }

    /// Gives an object another document. One that is the same is no change.
    fn replace(&mut self, info: &KindInfo, old: &Object, document: Map<String, Value>) -> Result<(), Errors> {
        let body = info.parse(document)?;
        let document = body.document();
        if old.body().is_some_and(|body| body.document() == document) {
            return Ok(());
        }
        let mut object = Object::of(info, old.pk, body, &document);
        object.alias = old.alias;
        object.managed = old.managed.clone();
        self.place(object)
    }

    fn place(&mut self, mut object: Object) -> Result<(), Errors> {
        object.revision = self.snapshot.revision();
        let pk = object.pk;
        let taken = self.snapshot.insert(Arc::new(object));
        self.deleted.remove(&pk);
        self.changed.insert(pk);
        match taken.first() {
            None => Ok(()),
            Some([field]) => Err(Errors::field(field, "This field must be unique.", "unique")),
            Some(fields) => {
                let fields = fields.join(", ");
                Err(Errors::whole(format!("The fields {fields} must make a unique set."), "unique"))
            }
        }
    }

    /// Deletes an object; what refers to it is deleted too, or loses the reference, as the type of the reference says.
    /// Whether the object was there.
    pub fn delete(&mut self, pk: Pk) -> Result<bool, Errors> {
        let Some(pk) = self.snapshot.object(pk).map(|object| object.pk) else { return Ok(false) };
        let Some(object) = self.snapshot.remove(pk) else { return Ok(false) };
        let alias = object.alias.map(Key::Object);
        self.changed.remove(&pk);
        self.deleted.insert(pk, object);
        self.forget_both(Key::Object(pk), alias)?;
        Ok(true)
    }

    /// Takes away every reference to something that is gone.
    pub fn forget(&mut self, gone: Key) -> Result<(), Errors> {
        self.forget_both(gone, None)
    }

    /// The same for something that had a second key.
    fn forget_both(&mut self, gone: Key, alias: Option<Key>) -> Result<(), Errors> {
        let referrers: Vec<Pk> = self.snapshot.referrers(gone).map(|object| object.pk).collect();
        for pk in referrers {
            // As it is now: what went along with one referrer may have changed another, or taken it along.
            let Some(object) = self.snapshot.object(pk).cloned() else { continue };
            let (Some(body), Some(info)) = (object.body(), self.snapshot.kind_of(&object)) else {
                // What cannot be read cannot lose a reference either; it stays broken, and refused.
                continue;
            };
            let mut document = body.document();
            let mut cascade = detach(&info.fields, &mut document, gone);
            cascade |= alias.is_some_and(|alias| detach(&info.fields, &mut document, alias));
            if cascade {
                self.delete(object.pk)?;
                continue;
            }
            let body = info.parse(document)?;
            let document = body.document();
            let mut new = Object::of(info, object.pk, body, &document);
            new.alias = object.alias;
            new.managed = object.managed.clone();
            self.place(new)?;
        }
        Ok(())
    }

    /// Marks an object as changed, so that it is stored anew in its present shape.
    pub(super) fn touch(&mut self, pk: Pk) -> Result<(), Errors> {
        match self.snapshot.object(pk).cloned() {
            Some(object) if object.body().is_some() => self.place(Object::clone(&object)),
            _ => Ok(()),
        }
    }

    /// Checks everything that the changes can have broken: the changed objects, and those that refer to them.
    pub(super) fn validate(&mut self) -> Result<(), Errors> {
        let mut errors = Errors::default();
        for (_, problems) in self.problems() {
            errors.extend(problems);
        }
        errors.ok(())
    }

    /// What the changes have broken, object by object.
    pub(super) fn problems(&self) -> Vec<(Pk, Errors)> {
        let mut found = Vec::new();
        let mut affected = self.changed.clone();
        for pk in self.changed.iter().chain(self.deleted.keys()) {
            affected.extend(self.snapshot.referrers(Key::Object(*pk)).map(|o| o.pk));
        }
        let people = People::default();
        for pk in affected {
            let Some(object) = self.snapshot.object(pk) else { continue };
            let Some(info) = self.snapshot.kind_of(object) else { continue };
            let State::Live(body) = &object.state else { continue };
            let mut errors = Errors::default();
            for edge in &object.edges {
                if let Key::Object(to) = edge.to {
                    self.check_edge(&edge.field, to, info, &mut errors);
                }
            }
            body.check(&Row { object, snapshot: &self.snapshot, people: &people }, &mut errors);
            if !errors.is_empty() {
                found.push((pk, errors));
            }
        }
        found
    }

    fn check_edge(&self, path: &str, to: Pk, info: &KindInfo, errors: &mut Errors) {
        let names: Vec<&str> = path.split('.').collect();
        let wanted = match reference_at(&info.fields, path).map(|reference| &reference.to) {
            Some(ReferenceTo::Object(name, _)) => &**name,
            Some(ReferenceTo::User | ReferenceTo::Group) | None => "",
        };
        let fits = self.snapshot.object(to).is_some_and(|target| match self.snapshot.kind_of(target) {
            Some(info) => info.is_a(wanted),
            None => &*target.model == wanted,
        });
        if !fits {
            errors.at(&names, format!("Invalid pk \"{to}\" - object does not exist."), "does_not_exist");
        }
    }

    /// The records that changed objects refer to, with the object and its field, for checking that they exist.
    pub(super) fn record_edges(&self) -> Vec<(Pk, Key, Box<str>)> {
        let changed = self.changed.iter().filter_map(|pk| self.snapshot.object(*pk));
        let edges = changed.flat_map(|o| o.edges.iter().map(|edge| (o.pk, edge.to, edge.field.clone())));
        edges.filter(|(_, to, _)| !matches!(to, Key::Object(_))).collect()
    }

    /// The keys of the deleted objects that were of this model, or in this role.
    pub(super) fn deleted_as(&self, name: &str) -> Vec<uuid::Uuid> {
        let is_one = |object: &Object| match self.snapshot.kind_of(object) {
            Some(info) => info.is_a(name),
            None => &*object.model == name,
        };
        self.deleted.values().filter(|object| is_one(object)).map(|object| object.pk.uuid()).collect()
    }

    /// The keys of the deleted objects.
    pub(super) fn deleted(&self) -> Vec<uuid::Uuid> {
        self.deleted.keys().map(|pk| pk.uuid()).collect()
    }

    /// The rows to store.
    pub(super) fn rows(&self, keyring: &Keyring) -> StoreResult<Vec<ObjectRow>> {
        let mut rows = Vec::with_capacity(self.changed.len() + self.deleted.len());
        for pk in &self.changed {
            if let Some(object) = self.snapshot.object(*pk) {
                rows.push(object.row(self.snapshot.registry(), keyring, &*self.rng)?);
            }
        }
        rows.extend(self.deleted.values().map(|object| tombstone(object)));
        Ok(rows)
    }

    pub(super) fn finish(self) -> Snapshot {
        self.snapshot
    }
}

/// A kind's entry that does not borrow the draft.
struct InfoRef {
    registry: Arc<super::registry::Registry>,
    index: usize,
}

impl InfoRef {
    fn get(&self) -> Result<&KindInfo, Errors> {
        self.registry.kind(self.index).ok_or_else(|| Errors::whole("Model is not known.", "invalid"))
    }
}
