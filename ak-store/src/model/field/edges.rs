//! Walking a document along its fields: what it refers to, what happens when a target goes, where its secrets are.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::super::pk::{Key, Pk};
use super::{Field, OnDelete, ReferenceTo, Shape};

/// A reference that a document holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Path of the field, names joined by dots; entries of lists have the list's path.
    pub field: Box<str>,
    /// What it leads to.
    pub to: Key,
}

/// All references of a document.
pub(in crate::model) fn edges(fields: &[Field], document: &Map<String, Value>) -> Vec<Edge> {
    let mut out = Vec::new();
    for field in fields {
        if let Some(value) = document.get(&*field.name) {
            collect(field, value, &field.name, &mut out);
        }
    }
    out
}

fn collect(field: &Field, value: &Value, path: &str, out: &mut Vec<Edge>) {
    if let Some(to) = target(field, value) {
        out.push(Edge { field: path.into(), to });
        return;
    }
    match (&field.shape, value) {
        (Shape::List(entry), Value::Array(list)) => list.iter().for_each(|value| collect(entry, value, path, out)),
        (Shape::Nested(fields), Value::Object(map)) => {
            for field in fields {
                if let Some(value) = map.get(&*field.name) {
                    collect(field, value, &format!("{path}.{}", field.name), out);
                }
            }
        }
        _ => {}
    }
}

/// What a value of a field refers to.
fn target(field: &Field, value: &Value) -> Option<Key> {
    match &field.reference.as_ref()?.to {
        ReferenceTo::Object(_, space) => Pk::from_value(value, *space).map(Key::Object),
        ReferenceTo::User => value.as_i64().map(Key::User),
        ReferenceTo::Group => value.as_str().and_then(|text| Uuid::parse_str(text).ok()).map(Key::Group),
    }
}

/// Takes all references to `gone` out of a document, as their types say. True: the document goes as well.
pub(in crate::model) fn detach(fields: &[Field], document: &mut Map<String, Value>, gone: Key) -> bool {
    let mut cascade = false;
    for field in fields {
        if let Some(value) = document.get_mut(&*field.name) {
            cascade |= detach_one(field, value, gone);
        }
    }
    cascade
}

fn detach_one(field: &Field, value: &mut Value, gone: Key) -> bool {
    if target(field, value) == Some(gone) {
        return match field.reference.as_ref().map(|r| r.on_delete) {
            Some(OnDelete::SetNull) => {
                *value = Value::Null;
                false
            }
            _ => true,
        };
    }
    match (&field.shape, value) {
        (Shape::List(entry), Value::Array(list)) => {
            let mut cascade = false;
            list.retain_mut(|value| {
                let removed = target(entry, value) == Some(gone);
                if !removed {
                    cascade |= detach_one(entry, value, gone);
                }
                !removed
            });
            cascade
        }
        (Shape::Nested(fields), Value::Object(map)) => detach(fields, map, gone),
        _ => false,
    }
}

/// Takes the texts of the fields that `is_meant` names out of a document and gives each to `with`, with its path; what `with` gives
/// back takes its place.
pub(in crate::model) fn take_secrets<E>(
    fields: &[Field],
    is_meant: fn(&Field) -> bool,
    document: &mut Map<String, Value>,
    with: &mut impl FnMut(&str, &str) -> Result<Option<String>, E>,
) -> Result<(), E> {
    for field in fields {
        let Some(value) = document.get_mut(&*field.name) else { continue };
        if is_meant(field) {
            if let Value::String(text) = value {
                match with(&field.name, text)? {
                    Some(replaced) => *value = Value::String(replaced),
                    None => {
                        document.remove(&*field.name);
                    }
                }
            }
            continue;
        }
        match (&field.shape, value) {
            (Shape::Nested(fields), Value::Object(map)) => take_secrets(fields, is_meant, map, with)?,
            (Shape::List(entry), Value::Array(list)) => {
                if let Shape::Nested(fields) = &entry.shape {
                    for entry in list.iter_mut().filter_map(Value::as_object_mut) {
                        take_secrets(fields, is_meant, entry, with)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}
