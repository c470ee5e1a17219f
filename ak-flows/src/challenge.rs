//! What a flow asks of a person.

use ak_store::directory::Person;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A challenge: the component that shows it, and its fields, named as in the contract (`ChallengeTypes`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Challenge {
    /// Which component shows it: `ak-stage-password`.
    pub component: String,
    /// Its fields.
    pub fields: Map<String, Value>,
    /// What is wrong with the last answer.
    pub errors: ResponseErrors,
}

/// The component that says that somebody was refused.
pub(crate) const ACCESS_DENIED: &str = "ak-stage-access-denied";

impl Challenge {
    /// A challenge without fields.
    pub fn new(component: &str) -> Self {
        Self { component: component.to_owned(), fields: Map::new(), errors: ResponseErrors::default() }
    }

    /// With a field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// With a field, where there is a value.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// With the fields that tell about whom it is: the account if it is known, else what was typed.
    #[must_use]
    pub fn about(self, person: Option<&Person>, typed: Option<&str>) -> Self {
        let name = person.map(|p| p.user.username.as_str()).or(typed).unwrap_or_default();
        let avatar = person.map_or_else(|| crate::avatar::initials(name), |p| crate::avatar::of(&p.user));
        self.with("pending_user", name).with("pending_user_avatar", avatar)
    }

    /// The answer of the executor: the fields, the component, what is wrong, and the flow.
    pub fn value(&self, flow_info: &Value) -> Value {
        let mut map = self.fields.clone();
        map.insert("component".into(), json!(self.component));
        map.insert("response_errors".into(), json!(self.errors));
        if !flow_info.is_null() {
            map.insert("flow_info".into(), flow_info.clone());
        }
        Value::Object(map)
    }
}

/// What is wrong with an answer, by field.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResponseErrors(pub std::collections::BTreeMap<String, Vec<ErrorDetail>>);

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// For people.
    pub string: String,
    /// For programs.
    pub code: String,
}

impl ResponseErrors {
    /// One problem of one field.
    pub fn field(name: &str, message: impl Into<String>, code: &str) -> Self {
        let mut errors = Self::default();
        errors.0.entry(name.to_owned()).or_default().push(ErrorDetail { string: message.into(), code: code.to_owned() });
        errors
    }

    /// These problems too.
    pub fn extend(&mut self, more: Self) {
        for (field, mut problems) in more.0 {
            self.0.entry(field).or_default().append(&mut problems);
        }
    }

    /// One problem of the whole answer.
    pub fn whole(message: impl Into<String>, code: &str) -> Self {
        Self::field(ak_store::model::NON_FIELD_ERRORS, message, code)
    }
}
