//! The fields of every kind are those of the contract: their names, which are required, what they take.

use std::collections::BTreeSet;

use ak_store::model::{Field, Shape};

use super::*;

/// Where a kind differs from the contract on purpose: collection, field, and why.
const OTHERWISE: [(&str, &str, &str); 1] =
    [("core/brands", "branding_default_flow_background", "a fresh brand has no picture, and what was read can be sent back")];

/// The choices of a contract's field, blank ones left out.
fn choices(schema: &Value) -> Option<BTreeSet<String>> {
    let values = contract().followed(schema).get("enum")?.as_array()?;
    Some(values.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect())
}

/// What is different, in words.
fn differences(field: &Field, schema: &Value) -> Vec<String> {
    let plain = contract().followed(schema);
    let number = |name: &str| plain.get(name).or_else(|| schema.get(name)).and_then(Value::as_i64);
    let mut out = Vec::new();
    let mut differ = |what: &str, ours: String, theirs: String| {
        if ours != theirs {
            out.push(format!("{what}: ours {ours}, the contract's {theirs}"));
        }
    };
    let is = |name: &str| schema.get(name).and_then(Value::as_bool).unwrap_or(false);
    differ("nullable", field.nullable.to_string(), is("nullable").to_string());
    match &field.shape {
        Shape::Choice(values) => {
            let ours: BTreeSet<String> = values.iter().map(|v| v.as_str().unwrap_or_default().to_owned()).collect();
            differ("choices", format!("{:?}", Some(ours)), format!("{:?}", choices(schema)));
        }
        Shape::Text { min, max, pattern } => {
            differ("type", "string".into(), plain["type"].as_str().unwrap_or_default().into());
            differ("minLength", min.to_string(), number("minLength").unwrap_or(0).to_string());
            differ("maxLength", format!("{max:?}"), format!("{:?}", number("maxLength").and_then(|n| u64::try_from(n).ok())));
            let ours = pattern.as_ref().map(|p| p.regex.as_str().to_owned());
            differ("pattern", format!("{ours:?}"), format!("{:?}", plain["pattern"].as_str().map(str::to_owned)));
        }
        Shape::Int { min, max } => {
            differ("type", "integer".into(), plain["type"].as_str().unwrap_or_default().into());
            differ("minimum", format!("{min:?}"), format!("{:?}", number("minimum")));
            differ("maximum", format!("{max:?}"), format!("{:?}", number("maximum")));
        }
        Shape::Bool => differ("type", "boolean".into(), plain["type"].as_str().unwrap_or_default().into()),
        Shape::Uuid => differ("format", "uuid".into(), plain["format"].as_str().unwrap_or_default().into()),
        Shape::List(_) => differ("type", "array".into(), plain["type"].as_str().unwrap_or_default().into()),
        Shape::Map | Shape::Nested(_) => differ("type", "object".into(), plain["type"].as_str().unwrap_or_default().into()),
        Shape::Moment => differ("format", "date-time".into(), plain["format"].as_str().unwrap_or_default().into()),
        Shape::Float | Shape::Any => {}
    }
    out
}

#[tokio::test]
async fn the_fields_of_every_kind_are_those_of_the_contract() {
    let server = Server::start().await;
    let mut wrong = Vec::new();
    let mut compared = 0;
    for kind in server.store.snapshot().registry().kinds().iter().filter(|k| !PEOPLE.contains(&k.meta.path)) {
        let operation = contract().operation("POST", &format!("/{}/", kind.meta.path)).unwrap();
        let schema = contract().schema(operation.request.as_deref().unwrap()).unwrap();
        let theirs = schema["properties"].as_object().unwrap();
        let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let ours: Vec<&Field> = kind.fields.iter().filter(|f| !f.read_only && !f.hidden).collect();
        let managed = |name: &str| kind.meta.takes_managed && name == "managed";
        for name in theirs.keys().filter(|name| !managed(name) && !ours.iter().any(|f| &*f.name == name.as_str())) {
            wrong.push(format!("{}.{name} is missing", kind.meta.path));
        }
        for field in ours {
            let Some(schema) = theirs.get(&*field.name) else {
                wrong.push(format!("{}.{} is not in the contract", kind.meta.path, field.name));
                continue;
            };
            compared += 1;
            let mut all = differences(field, schema);
            if field.required != required.contains(&&*field.name) {
                all.push(format!("required: ours {}", field.required));
            }
            let excused = OTHERWISE.iter().any(|(path, name, _)| (*path, *name) == (kind.meta.path, &*field.name));
            if excused == all.is_empty() {
                wrong.push(format!("{}.{}: {all:?}", kind.meta.path, field.name));
            }
        }
    }
    assert!(wrong.is_empty() && compared > 100, "{compared} fields\n{}", wrong.join("\n"));
}
