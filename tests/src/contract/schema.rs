//! OpenAPI 3.0's dialect of schemas, said in JSON Schema 2020-12.

use std::collections::BTreeSet;

use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};

const PREFIX: &str = "#/components/schemas/";

/// How much a value may hold beyond the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Properties that the contract does not know are allowed: a client ignores them.
    Valid,
    /// Properties that the contract does not know are reported.
    Exact,
}

/// A reference to a schema by its name.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("{PREFIX}{name}") })
}

/// The name a reference points to, if it is one.
pub(super) fn name(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix(PREFIX)
}

/// A validator for `root`, carrying only the schemas that it reaches: to index all of them for every validator would cost
/// more than the rest of a test.
pub(super) fn compile(schemas: &Map<String, Value>, root: &Value, mode: Mode) -> Result<Validator, String> {
    let mut document = translate(root, mode);
    let mut definitions = Map::new();
    let mut seen = BTreeSet::new();
    let mut open = references(root);
    while let Some(name) = open.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let schema = schemas.get(&name).ok_or_else(|| format!("the contract has no schema {name}"))?;
        open.extend(references(schema));
        definitions.insert(name, translate(schema, mode));
    }
    if let Some(object) = document.as_object_mut() {
        object.insert("$defs".to_owned(), Value::Object(definitions));
    }
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        // An unset address or link is answered as an empty string; the contract says only what a set one looks like.
        .with_format("email", |text: &str| text.is_empty() || text.contains('@'))
        .with_format("uri", |text: &str| text.is_empty() || url::Url::parse(text).is_ok())
        .should_ignore_unknown_formats(true)
        .offline()
        .build(&document)
        .map_err(|error| format!("the schema does not compile: {error}"))
}

/// The names of all schemas that `schema` mentions, also those behind a discriminator's mapping.
fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(object) => object.values().flat_map(references).collect(),
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::String(text) => text.strip_prefix(PREFIX).map(str::to_owned).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn translate(schema: &Value, mode: Mode) -> Value {
    let Value::Object(schema) = schema else { return schema.clone() };
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        // OpenAPI 3.0 ignores what stands beside a reference, 2020-12 would not.
        return json!({ "$ref": target.replace(PREFIX, "#/$defs/") });
    }
    let inner = match schema.get("discriminator") {
        Some(discriminator) => choose(schema, discriminator),
        None => plain(schema, mode),
    };
    if schema.get("nullable") == Some(&Value::Bool(true)) { or_null(inner) } else { inner }
}

/// The keywords that mean the same in both, with their subschemas translated. `readOnly` and `writeOnly` go: the contract has
/// separate schemas for what is sent (`FlowRequest`) and what is answered (`Flow`). So do annotations.
fn plain(schema: &Map<String, Value>, mode: Mode) -> Value {
    let mut result = Map::new();
    for (keyword, value) in schema {
        let translated = match keyword.as_str() {
            "properties" => match value {
                Value::Object(properties) => {
                    properties.iter().map(|(name, value)| (name.clone(), translate(value, mode))).collect()
                }
                other => other.clone(),
            },
            "items" | "additionalProperties" | "not" => translate(value, mode),
            "allOf" | "anyOf" | "oneOf" => match value {
                Value::Array(branches) => branches.iter().map(|branch| translate(branch, mode)).collect(),
                other => other.clone(),
            },
            "type" | "enum" | "required" | "format" | "pattern" | "minLength" | "maxLength" | "minItems" | "maxItems"
            | "uniqueItems" | "minimum" | "maximum" | "multipleOf" | "minProperties" | "maxProperties" => value.clone(),
            _ => continue,
        };
        result.insert(keyword.clone(), translated);
    }
    // An object without listed properties is free. No schema of the contract extends another in place (`allOf` always wraps
    // one reference), so closing each object by itself is right; a test watches that it stays so.
    if mode == Mode::Exact && result.contains_key("properties") {
        result.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    Value::Object(result)
}

/// A choice by a property's value. Branch by branch, so that an error speaks about the branch that was meant and not about
/// thirty others, and so that branches which overlap are no ambiguity.
fn choose(schema: &Map<String, Value>, discriminator: &Value) -> Value {
    let property = discriminator.get("propertyName").and_then(Value::as_str).unwrap_or_default();
    let mapping: Vec<(String, String)> = match discriminator.get("mapping").and_then(Value::as_object) {
        Some(mapping) => {
            mapping.iter().filter_map(|(value, target)| Some((value.clone(), target.as_str()?.to_owned()))).collect()
        }
        // Without a mapping a branch goes by its schema's name.
        None => (schema.get("oneOf").and_then(Value::as_array).into_iter().flatten())
            .filter_map(|branch| Some((name(branch)?.to_owned(), branch.get("$ref")?.as_str()?.to_owned())))
            .collect(),
    };
    let values: Vec<&String> = mapping.iter().map(|(value, _)| value).collect();
    let branches: Vec<Value> = mapping
        .iter()
        .map(|(value, target)| {
            json!({
                "if": { "type": "object", "properties": { property: { "const": value } }, "required": [property] },
                "then": { "$ref": target.replace(PREFIX, "#/$defs/") },
            })
        })
        .collect();
    json!({ "type": "object", "required": [property], "properties": { property: { "enum": values } }, "allOf": branches })
}

/// `if` and `else` instead of `anyOf`: a wrong value that is not null is told what is wrong with it.
fn or_null(inner: Value) -> Value {
    json!({ "if": { "type": "null" }, "else": inner })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(schema: Value, mode: Mode, value: &Value) -> Vec<String> {
        let schemas = json!({
            "Cat": { "type": "object", "properties": { "kind": { "type": "string" }, "lives": { "type": "integer" } }, "required": ["lives"] },
            "Dog": { "type": "object", "properties": { "kind": { "type": "string" }, "name": { "type": "string" } } },
        });
        let validator = compile(schemas.as_object().unwrap(), &schema, mode).unwrap();
        validator.iter_errors(value).map(|error| error.to_string()).collect()
    }

    #[test]
    fn null_is_a_value_only_where_it_is_said() {
        let plain = json!({ "type": "string" });
        let nullable = json!({ "type": "string", "nullable": true });
        let wrapped = json!({ "allOf": [reference("Cat")], "nullable": true });
        assert_eq!(errors(plain, Mode::Valid, &json!(null)).len(), 1);
        assert!(errors(nullable.clone(), Mode::Valid, &json!(null)).is_empty());
        assert_eq!(errors(nullable, Mode::Valid, &json!(3)).len(), 1);
        assert!(errors(wrapped.clone(), Mode::Valid, &json!(null)).is_empty());
        assert_eq!(errors(wrapped, Mode::Valid, &json!({})), ["\"lives\" is a required property"]);
    }

    #[test]
    fn nothing_beside_a_reference_counts() {
        let schema = json!({ "$ref": format!("{PREFIX}Dog"), "required": ["collar"] });
        assert!(errors(schema, Mode::Valid, &json!({})).is_empty());
    }

    #[test]
    fn only_the_meant_branch_speaks() {
        let branches = [reference("Cat"), reference("Dog")];
        let mapped = json!({ "oneOf": branches, "discriminator": { "propertyName": "kind",
            "mapping": { "cat": format!("{PREFIX}Cat"), "dog": format!("{PREFIX}Dog") } } });
        assert!(errors(mapped.clone(), Mode::Valid, &json!({ "kind": "dog", "lives": 9 })).is_empty());
        assert_eq!(errors(mapped.clone(), Mode::Valid, &json!({ "kind": "cat" })), ["\"lives\" is a required property"]);
        assert_eq!(errors(mapped.clone(), Mode::Valid, &json!({ "kind": "owl" })).len(), 1);
        assert_eq!(errors(mapped, Mode::Valid, &json!({})).len(), 1);
        let by_name = json!({ "oneOf": branches, "discriminator": { "propertyName": "kind" } });
        assert!(errors(by_name.clone(), Mode::Valid, &json!({ "kind": "Dog" })).is_empty());
        assert_eq!(errors(by_name, Mode::Valid, &json!({ "kind": "dog" })).len(), 1);
    }

    #[test]
    fn exact_closes_objects_that_list_their_properties() {
        let value = json!({ "kind": "dog", "wings": 2 });
        assert!(errors(reference("Dog"), Mode::Valid, &value).is_empty());
        assert_eq!(errors(reference("Dog"), Mode::Exact, &value).len(), 1);
        let free = json!({ "type": "object", "additionalProperties": {} });
        assert!(errors(free, Mode::Exact, &value).is_empty());
    }

    #[test]
    fn an_unknown_schema_is_an_error() {
        let error = compile(&Map::new(), &reference("Owl"), Mode::Valid).err().unwrap();
        assert_eq!(error, "the contract has no schema Owl");
    }
}
