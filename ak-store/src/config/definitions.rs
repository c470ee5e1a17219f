//! The settings as a list, read off the schema of [`Settings`].

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::Settings;

/// A setting.
#[derive(Debug)]
pub(super) struct Definition {
    /// Its name: the environment's in lower case, without the prefix.
    pub(super) key: String,
    /// The fields that lead to it.
    pub(super) path: Vec<String>,
    /// Its default; null for none.
    pub(super) default: Value,
    /// What it means.
    pub(super) meaning: String,
    /// Whether its value is never shown.
    pub(super) secret: bool,
    /// Whether `file://` cannot stand for its value.
    pub(super) literal: bool,
}

impl Definition {
    /// Puts `value` where the setting's field is.
    pub(super) fn put(&self, tree: &mut Value, value: Value) {
        let mut place = tree;
        for field in &self.path {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            let Value::Object(fields) = place else { return };
            place = fields.entry(field.as_str()).or_insert(Value::Null);
        }
        *place = value;
    }
}

/// Every setting.
pub(super) fn all() -> Vec<Definition> {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<Settings>();
    let mut definitions = Vec::new();
    collect(schema.as_value(), &mut Vec::new(), &Value::Null, &mut definitions);
    definitions
}

fn collect(schema: &Value, path: &mut Vec<String>, default: &Value, definitions: &mut Vec<Definition>) {
    if let Some(Value::Object(fields)) = schema.get("properties") {
        for (name, field) in fields {
            path.push(name.clone());
            collect(field, path, field.get("default").unwrap_or(&Value::Null), definitions);
            path.pop();
        }
        return;
    }
    let flag = |name| schema.get(name) == Some(&Value::Bool(true));
    let key = schema.get("x-key").and_then(Value::as_str).map_or_else(|| path.join("__"), str::to_owned);
    let meaning = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    definitions.push(Definition {
        key,
        path: path.clone(),
        default: default.clone(),
        meaning: meaning.split_whitespace().collect::<Vec<_>>().join(" "),
        secret: flag("x-secret"),
        literal: flag("x-literal"),
    });
}

/// The settings as a Markdown table.
pub(super) fn reference() -> String {
    let mut table = String::from("| Environment | Default | Meaning |\n|---|---|---|\n");
    for definition in all() {
        let default = match &definition.default {
            Value::Null => String::new(),
            Value::Array(items) if items.is_empty() => String::new(),
            Value::Array(items) => format!("`{}`", items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")),
            Value::String(text) => format!("`{text}`"),
            other => format!("`{other}`"),
        };
        let (name, meaning) = (definition.key.to_ascii_uppercase(), definition.meaning.replace('|', "\\|"));
        table.push_str(&format!("| `AUTHENTIK_{name}` | {default} | {meaning} |\n"));
    }
    table
}
