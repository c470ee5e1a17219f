//! Finding objects and records by what a blueprint says of them.

use std::collections::BTreeSet;

use ak_store::model::{Errors, Key, KindInfo, Object, Pk, RecordKinds, ReferenceTo, Snapshot, Unit, WriteError};
use serde_json::{Map, Value};

/// Something that a blueprint can speak of.
pub(super) enum Model<'a> {
    /// A kind of object: its index in the registry.
    Object(usize),
    /// A sort of record.
    Record(&'a dyn ak_store::model::RecordKind),
}

impl<'a> Model<'a> {
    pub(super) fn of(snapshot: &Snapshot, records: &'a RecordKinds, name: &str) -> Option<Self> {
        let object = snapshot.registry().by_model(name).map(|info| Self::Object(info.index));
        object.or_else(|| records.by_model(name).map(Self::Record))
    }
}

/// The key of the first object or record that has all these values, as the API would give it.
pub(super) async fn find(
    unit: &mut Unit<'_>,
    model: &Model<'_>,
    fields: &Map<String, Value>,
) -> Result<Option<Value>, WriteError> {
    match model {
        Model::Object(kind) => {
            let snapshot = unit.snapshot();
            let info = snapshot.registry().kind(*kind).ok_or_else(|| Errors::whole("The model is not known.", "invalid"))?;
            Ok(find_object(snapshot, info, fields)?.map(Pk::value))
        }
        Model::Record(kind) => kind.find(unit.records(), fields).await,
    }
}

/// The document of an object or record with its key, without secrets.
pub(super) async fn document(
    unit: &mut Unit<'_>,
    model: &Model<'_>,
    pk: &Value,
) -> Result<Option<Map<String, Value>>, WriteError> {
    match model {
        Model::Object(kind) => {
            let snapshot = unit.snapshot();
            let Some(info) = snapshot.registry().kind(*kind) else { return Ok(None) };
            let object = Pk::from_value(pk, info.meta.space).and_then(|pk| snapshot.object(pk));
            Ok(object.and_then(|object| visible(object, info)))
        }
        Model::Record(kind) => kind.document(unit.records(), pk).await,
    }
}

/// An object's own fields without its secrets.
pub(super) fn visible(object: &Object, info: &KindInfo) -> Option<Map<String, Value>> {
    let mut document = object.body()?.document();
    document.retain(|name, _| info.field(name).is_none_or(|field| !field.secret));
    Some(document)
}

/// The first object of a kind, by key, that has all these values. `pk` counts alone, as it does upstream.
pub(super) fn find_object(snapshot: &Snapshot, info: &KindInfo, fields: &Map<String, Value>) -> Result<Option<Pk>, Errors> {
    if let Some(pk) = fields.get("pk").or_else(|| fields.get(info.meta.pk_name)) {
        let pk = Pk::from_value(pk, info.meta.space);
        let object = pk.and_then(|pk| snapshot.object(pk)).filter(|object| object.kind == Some(info.index));
        return Ok(object.map(|object| object.pk));
    }
    let mut errors = Errors::default();
    for name in fields.keys().filter(|name| *name != "managed" && info.field(name).is_none()) {
        errors.at(&[name], format!("{} has no field {name}.", info.meta.model), "invalid");
    }
    errors.ok(())?;
    let single = info.meta.unique.iter().filter_map(|set| if let [one] = set { Some(*one) } else { None });
    for field in single {
        if let Some(Value::String(value)) = fields.get(field) {
            let found = snapshot.find_unique(info, field, value).filter(|pk| has(snapshot, info, *pk, fields));
            return Ok(found);
        }
    }
    Ok(candidates(snapshot, info, fields).into_iter().find(|pk| has(snapshot, info, *pk, fields)))
}

/// The objects of the kind that refer to one of those that the values name, or else all of them.
fn candidates(snapshot: &Snapshot, info: &KindInfo, fields: &Map<String, Value>) -> BTreeSet<Pk> {
    let target = fields.iter().find_map(|(name, value)| {
        let reference = info.field(name)?.reference.as_ref()?;
        matches!(reference.to, ReferenceTo::Object(..)).then_some(())?;
        value.as_str().and_then(|text| text.parse().ok()).map(Pk::of_uuid)
    });
    match target {
        Some(target) => {
            let referrers = snapshot.referrers(Key::Object(target));
            referrers.filter(|object| object.kind == Some(info.index)).map(|object| object.pk).collect()
        }
        None => snapshot.keys(info.index).collect(),
    }
}

fn has(snapshot: &Snapshot, info: &KindInfo, pk: Pk, fields: &Map<String, Value>) -> bool {
    let Some(object) = snapshot.object(pk) else { return false };
    let Some(document) = visible(object, info) else { return false };
    fields.iter().all(|(name, wanted)| match (name.as_str(), document.get(name)) {
        ("managed", None) => object.managed.as_deref() == wanted.as_str(),
        (_, Some(Value::Object(value))) if wanted.is_object() => contains(value, wanted),
        (_, Some(value)) => same(value, wanted),
        (_, None) => false,
    })
}

/// A mapping is found by a part of it.
fn contains(value: &Map<String, Value>, wanted: &Value) -> bool {
    let Value::Object(wanted) = wanted else { return false };
    wanted.iter().all(|(key, wanted)| match value.get(key) {
        Some(Value::Object(value)) if wanted.is_object() => contains(value, wanted),
        Some(value) => value == wanted,
        None => false,
    })
}

/// A number or boolean may be written as a text.
fn same(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Number(_) | Value::Bool(_), Value::String(text)) => value.to_string().as_str() == text,
        (Value::String(value), Value::Number(wanted)) => wanted.to_string() == *value,
        _ => super::python::equal(value, wanted),
    }
}
