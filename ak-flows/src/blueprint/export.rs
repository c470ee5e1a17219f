//! Writing what is there as a blueprint: with natural keys, so that it can be applied anywhere.

use std::collections::{BTreeMap, BTreeSet};

use ak_policy::PolicyBinding;
use ak_store::StoreError;
use ak_store::model::{Field, Key, KindInfo, Object, Pk, Ref, ReferenceTo, Shape, Snapshot};
use ak_store::records::Repository;
use serde_json::{Map, Value};

use super::emit::{Emit, write};
use super::engine::Engine;
use super::instance::BlueprintInstance;
use crate::binding::FlowStageBinding;
use crate::flow::Flow;

/// What is exported.
#[derive(Debug, Clone)]
pub enum Selection {
    /// Every object but blueprints.
    Everything,
    /// A flow with its bindings, stages, prompts and policies. Other flows that it leads to are only named.
    Flow(Ref<Flow>),
}

/// How it is exported.
#[derive(Debug, Clone, Default)]
pub struct ExportOptions {
    /// What the blueprint calls itself.
    pub name: String,
    /// Whether secrets are written too, readable.
    pub with_secrets: bool,
}

impl Engine {
    /// Writes objects as a blueprint. Applied to what it was made from, it changes nothing.
    ///
    /// # Errors
    /// Where the storage fails.
    pub async fn export(&self, selection: &Selection, options: &ExportOptions) -> Result<String, StoreError> {
        let snapshot = self.store.snapshot();
        let chosen = match selection {
            Selection::Everything => everything(&snapshot),
            Selection::Flow(flow) => of_flow(&snapshot, *flow),
        };
        let mut repo = self.store.read().await?;
        let names = Names::of(&snapshot, &chosen, &mut *repo).await?;
        let exporter = Exporter { snapshot: &snapshot, names: &names, with_secrets: options.with_secrets };
        let (order, deferred) = ordered(&snapshot, &chosen);
        let mut entries = Vec::with_capacity(order.len());
        for pk in &order {
            entries.extend(exporter.entry(*pk, deferred.get(pk)));
        }
        // What would have led in a circle is set once everything is there.
        for (pk, fields) in &deferred {
            entries.extend(exporter.later(*pk, fields));
        }
        Ok(write(&options.name, &entries))
    }
}

fn everything(snapshot: &Snapshot) -> BTreeSet<Pk> {
    let instances = snapshot.registry().info::<BlueprintInstance>().map(|info| info.index);
    let kinds = snapshot.registry().kinds().iter().filter(|info| Some(info.index) != instances);
    let keys = kinds.flat_map(|info| snapshot.keys(info.index));
    keys.filter(|pk| snapshot.object(*pk).is_some_and(|object| object.body().is_some())).collect()
}

fn of_flow(snapshot: &Snapshot, flow: Ref<Flow>) -> BTreeSet<Pk> {
    let mut chosen = BTreeSet::from([flow.pk()]);
    let mut open = vec![flow.pk()];
    while let Some(pk) = open.pop() {
        let Some(object) = snapshot.object(pk) else { continue };
        let below = object.edges.iter().filter_map(|edge| if let Key::Object(to) = edge.to { Some(to) } else { None });
        let below = below.filter(|to| is_part(snapshot, *to));
        // What is bound to it: stages to the flow, policies to flow and bindings.
        let users = snapshot.referrers(Key::Object(pk)).filter(|user| {
            let target = user.edges.iter().any(|edge| &*edge.field == "target" && edge.to == Key::Object(pk));
            target && (snapshot.view::<FlowStageBinding>(user).is_some() || snapshot.view::<PolicyBinding>(user).is_some())
        });
        for next in below.chain(users.map(|user| user.pk)) {
            if chosen.insert(next) {
                open.push(next);
            }
        }
    }
    chosen
}

/// Whether an object that a part of a flow refers to is a part too, or stands for itself.
fn is_part(snapshot: &Snapshot, pk: Pk) -> bool {
    let Some(info) = snapshot.object(pk).and_then(|object| snapshot.kind_of(object)) else { return false };
    let stands_alone = ["authentik_flows.flow", "authentik_crypto.certificatekeypair", "authentik_core.application"];
    !stands_alone.contains(&info.meta.model)
        && !info.roles.iter().any(|role| matches!(*role, "authentik_core.provider" | "authentik_core.source"))
}

/// The objects so that each comes behind what it refers to; and the fields that have to wait because they lead in a circle.
fn ordered(snapshot: &Snapshot, chosen: &BTreeSet<Pk>) -> (Vec<Pk>, BTreeMap<Pk, BTreeSet<String>>) {
    let mut order = Vec::with_capacity(chosen.len());
    let mut deferred: BTreeMap<Pk, BTreeSet<String>> = BTreeMap::new();
    let (mut done, mut under_way) = (BTreeSet::new(), BTreeSet::new());
    // Kinds in the order of their registration: flows before stages before bindings.
    let mut roots: Vec<Pk> = chosen.iter().copied().collect();
    roots.sort_by_key(|pk| (snapshot.object(*pk).and_then(|object| object.kind), label(snapshot, *pk)));
    for root in roots {
        let mut stack = vec![(root, false)];
        while let Some((pk, is_left)) = stack.pop() {
            if is_left {
                under_way.remove(&pk);
                if done.insert(pk) {
                    order.push(pk);
                }
                continue;
            }
            if done.contains(&pk) || !under_way.insert(pk) {
                continue;
            }
            stack.push((pk, true));
            for edge in snapshot.object(pk).into_iter().flat_map(|object| object.edges.iter()) {
                let Key::Object(to) = edge.to else { continue };
                if under_way.contains(&to) && chosen.contains(&to) {
                    let field = edge.field.split('.').next().unwrap_or_default().to_owned();
                    deferred.entry(pk).or_default().insert(field);
                } else if chosen.contains(&to) {
                    stack.push((to, false));
                }
            }
        }
    }
    (order, deferred)
}

/// What an object is sorted by: what names it, then what names those that it refers to (bindings have but a number of their own), so
/// that the order is the same in every installation.
fn label(snapshot: &Snapshot, pk: Pk) -> String {
    fn add(snapshot: &Snapshot, pk: Pk, depth: u8, out: &mut String) {
        out.push_str(&own_label(snapshot, pk));
        let edges = snapshot.object(pk).into_iter().flat_map(|object| object.edges.iter());
        for edge in edges.filter(|_| depth > 0) {
            if let Key::Object(to) = edge.to {
                out.push('/');
                add(snapshot, to, depth - 1, out);
            }
        }
    }
    let mut out = String::new();
    add(snapshot, pk, 2, &mut out);
    out
}

fn own_label(snapshot: &Snapshot, pk: Pk) -> String {
    let Some(object) = snapshot.object(pk) else { return String::new() };
    let Some((info, body)) = snapshot.kind_of(object).zip(object.body()) else { return String::new() };
    body.document().get(info.meta.label).map(Value::to_string).unwrap_or_default()
}

/// The people that the objects refer to, by name.
struct Names {
    users: BTreeMap<i64, String>,
    groups: BTreeMap<uuid::Uuid, String>,
}

impl Names {
    async fn of(snapshot: &Snapshot, chosen: &BTreeSet<Pk>, repo: &mut dyn Repository) -> Result<Self, StoreError> {
        let (users, groups) = Snapshot::records_of(chosen.iter().filter_map(|pk| snapshot.object(*pk)));
        let users = repo.users().lookup_many(&users.into_iter().collect::<Vec<_>>()).await?;
        let groups = repo.groups().lookup_many(&groups.into_iter().collect::<Vec<_>>()).await?;
        Ok(Self {
            users: users.into_iter().map(|(pk, user)| (pk, user.username)).collect(),
            groups: groups.into_iter().map(|(pk, group)| (pk, group.name)).collect(),
        })
    }
}

/// An entry that is going to be written.
pub(super) struct Exported {
    pub(super) model: &'static str,
    pub(super) identifiers: Vec<(String, Emit)>,
    pub(super) attrs: Vec<(String, Emit)>,
}

struct Exporter<'a> {
    snapshot: &'a Snapshot,
    names: &'a Names,
    with_secrets: bool,
}

impl<'a> Exporter<'a> {
    fn parts(&self, pk: Pk) -> Option<(&'a Object, &'a KindInfo, Map<String, Value>)> {
        let object = self.snapshot.object(pk)?;
        let info = self.snapshot.kind_of(object)?;
        Some((object, info, object.body()?.document()))
    }

    fn entry(&self, pk: Pk, left_out: Option<&BTreeSet<String>>) -> Option<Exported> {
        let (object, info, document) = self.parts(pk)?;
        let natural = self.natural(pk, info, &document);
        let identifiers = self.identifiers(info, &document, &natural, pk);
        let mut attrs = Vec::new();
        for field in &info.fields {
            let name = &*field.name;
            let is_left_out =
                left_out.is_some_and(|fields| fields.contains(name)) || ((field.secret || field.redact) && !self.with_secrets);
            if natural.contains(&name) || field.read_only || field.later || is_left_out {
                continue;
            }
            if let Some(value) = document.get(name) {
                attrs.push((name.to_owned(), self.value(field, value)));
            }
        }
        if let Some(managed) = &object.managed {
            attrs.push(("managed".into(), Emit::plain(Value::from(&**managed))));
        }
        Some(Exported { model: info.meta.model, identifiers, attrs })
    }

    fn later(&self, pk: Pk, fields: &BTreeSet<String>) -> Option<Exported> {
        let (_, info, document) = self.parts(pk)?;
        let natural = self.natural(pk, info, &document);
        let identifiers = self.identifiers(info, &document, &natural, pk);
        let attrs = fields.iter().filter_map(|name| {
            let field = info.field(name)?;
            Some((name.clone(), self.value(field, document.get(name)?)))
        });
        Some(Exported { model: info.meta.model, identifiers, attrs: attrs.collect() })
    }

    /// The fields by which the object is known: a unique set, or else what it refers to and its place; empty where only its key
    /// tells it from another one.
    fn natural(&self, pk: Pk, info: &'a KindInfo, document: &Map<String, Value>) -> Vec<&'a str> {
        let has_values = |set: &&&[&str]| set.iter().all(|name| document.get(*name).is_some_and(|value| !value.is_null()));
        if let Some(set) = info.meta.unique.iter().find(has_values) {
            return set.to_vec();
        }
        let named = info.fields.iter().filter(|field| field.reference.is_some() || &*field.name == "order");
        let names: Vec<&str> = named.map(|field| &*field.name).collect();
        let same = |other: Pk| {
            let other = self.snapshot.object(other).and_then(|object| Some(object.body()?.document()));
            other.is_some_and(|other| names.iter().all(|name| other.get(*name) == document.get(*name)))
        };
        let is_unique = self.snapshot.keys(info.index).filter(|other| same(*other)).all(|other| other == pk);
        if is_unique { names } else { Vec::new() }
    }

    fn identifiers(&self, info: &KindInfo, document: &Map<String, Value>, natural: &[&str], pk: Pk) -> Vec<(String, Emit)> {
        if natural.is_empty() {
            return vec![("pk".into(), Emit::plain(pk.value()))];
        }
        let value = |name: &&str| Some(((*name).to_owned(), self.value(info.field(name)?, document.get(*name)?)));
        natural.iter().filter_map(value).collect()
    }

    fn value(&self, field: &Field, value: &Value) -> Emit {
        match (&field.reference, &field.shape, value) {
            (_, _, Value::Null) => Emit::plain(Value::Null),
            (Some(reference), ..) => self.reference(&reference.to, value),
            (None, Shape::List(entry), Value::Array(items)) => {
                Emit::List(items.iter().map(|item| self.value(entry, item)).collect())
            }
            (None, Shape::Nested(fields), Value::Object(map)) => {
                let of = |(name, value): (&String, &Value)| {
                    let field = fields.iter().find(|field| *field.name == **name);
                    (name.clone(), field.map_or_else(|| Emit::plain(value.clone()), |field| self.value(field, value)))
                };
                Emit::Map(map.iter().map(of).collect())
            }
            _ => Emit::plain(value.clone()),
        }
    }

    fn reference(&self, to: &ReferenceTo, value: &Value) -> Emit {
        let record = |model: &str, field: &str, name: Option<&String>| match name {
            Some(name) => Emit::Find(model.to_owned(), vec![(field.to_owned(), Emit::plain(Value::from(name.as_str())))]),
            None => Emit::plain(value.clone()),
        };
        match to {
            ReferenceTo::User => {
                record("authentik_core.user", "username", value.as_i64().and_then(|pk| self.names.users.get(&pk)))
            }
            ReferenceTo::Group => {
                let pk = value.as_str().and_then(|text| text.parse().ok());
                record("authentik_core.group", "name", pk.and_then(|pk| self.names.groups.get(&pk)))
            }
            ReferenceTo::Object(_, space) => {
                let target = Pk::from_value(value, *space).and_then(|pk| self.parts(pk));
                let Some((object, info, document)) = target else { return Emit::plain(value.clone()) };
                let natural = self.natural(object.pk, info, &document);
                Emit::Find(info.meta.model.to_owned(), self.identifiers(info, &document, &natural, object.pk))
            }
        }
    }
}
