//! Texts of fields that may be expressions.

use std::borrow::Cow;
use std::sync::OnceLock;

use ak_policy::script::{Name, Names, Script, VALUE_NAMES};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The variables of prompts' expressions.
#[derive(Debug, Clone, Copy)]
pub struct PromptNames;

impl Names for PromptNames {
    const NAMES: &'static [Name] = &{
        let [user, request, http_request, client_ip, requests, logger] = VALUE_NAMES;
        let gathered = Name { name: PROMPT_CONTEXT, kind: "Map", doc: "What was filled in at prompts before." };
        [user, request, http_request, client_ip, requests, logger, gathered]
    };
}

/// The variable that holds what was filled in before.
pub(super) const PROMPT_CONTEXT: &str = "prompt_context";

/// A text of a field. Another field says whether it is an expression; then it is read once, when that is first asked.
#[derive(Debug, Clone, Default)]
pub struct Text {
    text: String,
    script: OnceLock<Script<PromptNames>>,
}

impl Text {
    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text as an expression.
    pub(super) fn script(&self) -> &Script<PromptNames> {
        self.script.get_or_init(|| Script::new(self.text.as_str()))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), script: OnceLock::new() }
    }
}

impl Serialize for Text {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { text: String::deserialize(deserializer)?, script: OnceLock::new() })
    }
}

impl JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}
