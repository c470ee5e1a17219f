//! From JSON Schema to fields.

use serde_json::{Map, Value};

use super::super::pk::Space;
use super::{Field, OnDelete, Pattern, Reference, ReferenceTo, Shape};

/// The fields of a document. Whatever cannot be understood is an error, above all a reference that would be lost.
pub(in crate::model) fn compile(schema: &Value) -> Result<Vec<Field>, String> {
    let map = schema.as_object().ok_or("the schema is not an object")?;
    let fields = properties(map)?;
    let references = |field: &Field| usize::from(field.reference.is_some());
    let (raw, compiled) =
        (count_marks(schema, &["x-ref", "x-record"]), fields.iter().map(|f| count(f, &references)).sum::<usize>());
    if raw != compiled {
        return Err(format!("the schema has {raw} references, of which {compiled} are understood"));
    }
    // A secret that is itself the entry of a list would be neither sealed nor hidden.
    let secrets = |field: &Field| usize::from(field.secret && !field.name.is_empty());
    let (raw, compiled) = (count_marks(schema, &["x-secret"]), fields.iter().map(|f| count(f, &secrets)).sum::<usize>());
    if raw != compiled {
        return Err(format!("the schema has {raw} secrets, of which {compiled} are understood"));
    }
    Ok(fields)
}

fn properties(schema: &Map<String, Value>) -> Result<Vec<Field>, String> {
    let none = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    properties.iter().map(|(name, sub)| field(name, sub, required.contains(&name.as_str()))).collect()
}

fn field(name: &str, schema: &Value, required: bool) -> Result<Field, String> {
    let Some(map) = schema.as_object() else {
        return Ok(plain(name, Shape::Any, required));
    };
    // `Option<struct>` is `anyOf: [struct, null]`.
    if let Some([one, null]) = map.get("anyOf").and_then(Value::as_array).map(Vec::as_slice)
        && null.get("type").and_then(Value::as_str) == Some("null")
    {
        let mut inner = field(name, one, false)?;
        inner.nullable = true;
        inner.default = map.get("default").cloned().or(Some(Value::Null));
        marks(&mut inner, map);
        if let Some(reference) = &mut inner.reference {
            reference.on_delete = on_delete(map, OnDelete::SetNull)?;
        }
        return Ok(inner);
    }
    let (kind, nullable) = type_of(map);
    let shape = shape(name, map, kind.as_deref())?;
    let mut out = plain(name, shape, required);
    out.nullable = nullable;
    out.default = map.get("default").cloned();
    marks(&mut out, map);
    out.reference = reference(map, nullable)?;
    if let Shape::List(entry) = &mut out.shape
        && let Some(reference) = &mut entry.reference
    {
        reference.on_delete = OnDelete::Remove;
    }
    Ok(out)
}

fn plain(name: &str, shape: Shape, required: bool) -> Field {
    Field {
        name: name.into(),
        shape,
        nullable: false,
        required,
        default: None,
        reference: None,
        secret: false,
        redact: false,
        hidden: false,
        later: false,
        read_only: false,
        doc: "".into(),
    }
}

fn marks(field: &mut Field, map: &Map<String, Value>) {
    let set = |name: &str| map.get(name).and_then(Value::as_bool).unwrap_or(false);
    field.secret |= set("x-secret");
    field.redact |= set("x-redact");
    field.hidden |= set("x-hidden");
    field.later |= set("x-later");
    field.read_only |= set("x-read-only");
    if let Some(doc) = map.get("description").and_then(Value::as_str) {
        field.doc = doc.into();
    }
}

/// The type's name, and whether null is allowed beside it.
fn type_of(map: &Map<String, Value>) -> (Option<String>, bool) {
    match map.get("type") {
        Some(Value::String(one)) => (Some(one.clone()), false),
        Some(Value::Array(several)) => {
            let nullable = several.iter().any(|t| t == "null");
            (several.iter().filter_map(Value::as_str).find(|t| *t != "null").map(str::to_owned), nullable)
        }
        _ => (None, false),
    }
}

fn shape(name: &str, map: &Map<String, Value>, kind: Option<&str>) -> Result<Shape, String> {
    if let Some(choices) = choices(map) {
        return Ok(Shape::Choice(choices));
    }
    let number = |key: &str| map.get(key).and_then(Value::as_i64);
    let length = |key: &str| map.get(key).and_then(Value::as_u64);
    Ok(match kind {
        Some("string") if map.get("format").and_then(Value::as_str) == Some("uuid") => Shape::Uuid,
        Some("string") if map.get("format").and_then(Value::as_str) == Some("date-time") => Shape::Moment,
        Some("string") => {
            let word = |key: &str| map.get(key).and_then(Value::as_str);
            let pattern = Pattern::of(word("pattern"), word("format")).map_err(|e| format!("{name}: {e}"))?;
            Shape::Text { min: length("minLength").unwrap_or(0), max: length("maxLength"), pattern }
        }
        Some("boolean") => Shape::Bool,
        Some("integer") => Shape::Int { min: number("minimum"), max: number("maximum") },
        Some("number") => Shape::Float,
        Some("array") => {
            let entry = map.get("items").ok_or_else(|| format!("{name}: a list without entries"))?;
            Shape::List(Box::new(field("", entry, true)?))
        }
        Some("object") if map.contains_key("properties") => Shape::Nested(properties(map)?),
        Some("object") => Shape::Map,
        Some(other) => return Err(format!("{name}: the type {other} is not understood")),
        None if map.contains_key("oneOf") || map.contains_key("anyOf") || map.contains_key("$ref") => {
            return Err(format!("{name}: a choice between shapes is not understood"));
        }
        None => Shape::Any,
    })
}

/// `enum: [..]`, or `oneOf: [{const}, ..]` as documented variants give it.
fn choices(map: &Map<String, Value>) -> Option<Vec<Value>> {
    if let Some(Value::Array(values)) = map.get("enum") {
        return Some(values.iter().filter(|v| !v.is_null()).cloned().collect());
    }
    let variants = map.get("oneOf")?.as_array()?;
    let mut values = Vec::new();
    for variant in variants {
        match (variant.get("const"), variant.get("enum")) {
            (Some(value), _) => values.push(value.clone()),
            (None, Some(Value::Array(several))) => values.extend(several.iter().cloned()),
            _ => return None,
        }
    }
    Some(values)
}

fn reference(map: &Map<String, Value>, nullable: bool) -> Result<Option<Reference>, String> {
    let default = if nullable { OnDelete::SetNull } else { OnDelete::Cascade };
    let to = if let Some(name) = map.get("x-ref").and_then(Value::as_str) {
        let space = map.get("x-space").and_then(Value::as_u64).and_then(|s| u8::try_from(s).ok());
        ReferenceTo::Object(name.into(), space.map_or(Space::Uuid, Space::Int))
    } else {
        match map.get("x-record").and_then(Value::as_str) {
            Some("user") => ReferenceTo::User,
            Some("group") => ReferenceTo::Group,
            Some(other) => return Err(format!("a reference to unknown records: {other}")),
            None => return Ok(None),
        }
    };
    Ok(Some(Reference { to, on_delete: on_delete(map, default)? }))
}

fn on_delete(map: &Map<String, Value>, default: OnDelete) -> Result<OnDelete, String> {
    match map.get("x-on-delete").and_then(Value::as_str) {
        None => Ok(default),
        Some("cascade") => Ok(OnDelete::Cascade),
        Some("set_null") => Ok(OnDelete::SetNull),
        Some(other) => Err(format!("x-on-delete: {other} is not understood")),
    }
}

fn count_marks(schema: &Value, marks: &[&str]) -> usize {
    match schema {
        Value::Object(map) => {
            let own = usize::from(marks.iter().any(|mark| map.contains_key(*mark)));
            own + map.values().map(|sub| count_marks(sub, marks)).sum::<usize>()
        }
        Value::Array(list) => list.iter().map(|sub| count_marks(sub, marks)).sum(),
        _ => 0,
    }
}

fn count(field: &Field, own: &impl Fn(&Field) -> usize) -> usize {
    own(field)
        + match &field.shape {
            Shape::List(entry) => count(entry, own),
            Shape::Nested(fields) => fields.iter().map(|f| count(f, own)).sum(),
            _ => 0,
        }
}
