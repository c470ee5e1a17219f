//! An object in memory: a typed document with what the store knows about it.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::field::{Edge, Field, edges, take_secrets};
use super::kind::{Body, KindInfo};
use super::pk::{Key, Pk};
use super::registry::Registry;
use crate::clock::Rng;
use crate::error::{Result, StoreError};
use crate::keyring::Keyring;
use crate::records::{ObjectRow, StoredEdge, StoredUnique};

/// The document of an object.
#[derive(Clone)]
pub enum State {
    /// It was read.
    Live(Arc<dyn Body>),
    /// It cannot be read: its kind is unknown, or its document does not parse. It is kept as it is, and whatever relies on it fails closed.
    Broken {
        /// Why.
        problem: Arc<str>,
        /// What is stored, secrets still sealed.
        stored: Arc<ObjectRow>,
    },
}

/// An object in memory.
#[derive(Clone)]
pub struct Object {
    /// Key.
    pub pk: Pk,
    /// Index of its kind in the registry; `None` for an unknown kind.
    pub kind: Option<usize>,
    /// Model name of its kind.
    pub model: Arc<str>,
    /// A second key that it is known by.
    pub alias: Option<Pk>,
    /// Revision of its last write.
    pub revision: u64,
    /// The name by which the product itself keeps it.
    pub managed: Option<Arc<str>>,
    /// Its document.
    pub state: State,
    /// What it refers to.
    pub edges: Box<[Edge]>,
    /// The keys under which its unique values are indexed.
    pub(super) unique: Box<[UniqueKey]>,
}

/// A unique value of an object: the fields, and their values in a canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct UniqueKey {
    pub(super) fields: &'static [&'static str],
    pub(super) value: Box<str>,
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}({})", self.model, self.pk)
    }
}

impl Object {
    /// The document, if it could be read.
    pub fn body(&self) -> Option<&Arc<dyn Body>> {
        match &self.state {
            State::Live(body) => Some(body),
            State::Broken { .. } => None,
        }
    }

    /// The object that `document` describes. `document` is complete.
    pub(super) fn of(info: &KindInfo, pk: Pk, body: Arc<dyn Body>, document: &Map<String, Value>) -> Self {
        Self {
            pk,
            kind: Some(info.index),
            model: info.meta.model.into(),
            alias: None,
            revision: 0,
            managed: None,
            state: State::Live(body),
            edges: edges(&info.fields, document).into_boxed_slice(),
            unique: unique_keys(info, document),
        }
    }

    /// Reads a stored row; one that cannot be read becomes [`State::Broken`]. The second value tells whether an older version was brought up to date.
    pub(super) fn load(registry: &Registry, keyring: &Keyring, row: ObjectRow) -> (Self, bool) {
        match Self::read(registry, keyring, &row) {
            Ok(read) => read,
            Err(problem) => (Self::broken(registry, row, &problem), false),
        }
    }

    fn read(registry: &Registry, keyring: &Keyring, row: &ObjectRow) -> std::result::Result<(Self, bool), String> {
        let info = registry.by_model(&row.kind).ok_or("this program does not know the kind")?;
        let Value::Object(mut document) = row.body.clone() else { return Err("the document is not an object".into()) };
        if row.version > info.meta.version {
            return Err(format!("version {} of the document is newer than version {}", row.version, info.meta.version));
        }
        let place = row.pk.to_string();
        take_secrets(&info.fields, Field::is_sealed, &mut document, &mut |field, text| {
            keyring.unseal(text, &format!("{place}.{field}")).map(Some)
        })
        .map_err(|e| e.to_string())?;
        let upgraded = row.version < info.meta.version;
        if upgraded {
            info.upgrade(row.version, &mut document);
        }
        let body = info.parse(document).map_err(|e| e.to_string())?;
        let document = body.document();
        let mut object = Self::of(info, Pk::of_uuid(row.pk), body, &document);
        object.alias = row.alias.map(Pk::of_uuid);
        object.revision = row.revision;
        object.managed = row.managed.as_deref().map(Into::into);
        Ok((object, upgraded))
    }

    fn broken(registry: &Registry, row: ObjectRow, problem: &str) -> Self {
        tracing::error!(model = row.kind, pk = %row.pk, problem, "an object cannot be read and is set aside; what relies on it is refused");
        let edges = row.refs.iter().filter_map(|e| Some(Edge { field: e.field.as_str().into(), to: Key::parse_stored(&e.to)? }));
        Self {
            pk: Pk::of_uuid(row.pk),
            kind: registry.by_model(&row.kind).map(|info| info.index),
            model: row.kind.as_str().into(),
            alias: row.alias.map(Pk::of_uuid),
            revision: row.revision,
            managed: row.managed.as_deref().map(Into::into),
            edges: edges.collect(),
            unique: Box::default(),
            state: State::Broken { problem: problem.into(), stored: Arc::new(row) },
        }
    }

    /// The row to store, secrets sealed.
    pub(super) fn row(&self, registry: &Registry, keyring: &Keyring, rng: &dyn Rng) -> Result<ObjectRow> {
        let body = match &self.state {
            State::Live(body) => body,
            State::Broken { stored, .. } => return Ok(ObjectRow::clone(stored)),
        };
        let info = self.kind.and_then(|k| registry.kind(k)).ok_or_else(|| StoreError::Invalid("an unknown kind".into()))?;
        let mut document = body.document();
        let place = self.pk.uuid().to_string();
        take_secrets(&info.fields, Field::is_sealed, &mut document, &mut |field, text| {
            keyring.seal(text, &format!("{place}.{field}"), rng).map(Some)
        })?;
        Ok(ObjectRow {
            pk: self.pk.uuid(),
            kind: info.meta.model.into(),
            alias: self.alias.map(Pk::uuid),
            version: info.meta.version,
            revision: self.revision,
            managed: self.managed.as_deref().map(str::to_owned),
            deleted: false,
            body: Value::Object(document),
            refs: self.edges.iter().map(|e| StoredEdge { field: e.field.to_string(), to: e.to.stored() }).collect(),
            unique: self.unique.iter().map(|u| StoredUnique { field: u.fields.join(","), value: u.value.to_string() }).collect(),
        })
    }
}

/// The tombstone of a deleted object.
pub(super) fn tombstone(object: &Object) -> ObjectRow {
    ObjectRow {
        pk: object.pk.uuid(),
        kind: object.model.to_string(),
        alias: None,
        version: 0,
        revision: 0,
        managed: None,
        deleted: true,
        body: Value::Null,
        refs: Vec::new(),
        unique: Vec::new(),
    }
}

/// Sets with a null are left out: two objects may both have no value.
fn unique_keys(info: &KindInfo, document: &Map<String, Value>) -> Box<[UniqueKey]> {
    let key = |fields: &&'static [&'static str]| {
        let values: Vec<&Value> = fields.iter().map(|f| document.get(*f).unwrap_or(&Value::Null)).collect();
        if values.iter().any(|v| v.is_null()) {
            return None;
        }
        let value = serde_json::to_string(&values).ok()?.into_boxed_str();
        Some(UniqueKey { fields, value })
    };
    info.meta.unique.iter().filter_map(key).collect()
}
