//! The API contract: the OpenAPI document that the clients in the field were generated from.
//!
//! ```no_run
//! use ak_tests::contract::contract;
//! let answer = serde_json::json!({ "component": "ak-stage-password", "pending_user": "ada", "pending_user_avatar": "" });
//! contract().assert_exact("ChallengeTypes", &answer);
//! ```
//!
//! `tests/run` fetches the document once and names it in `AK_CONTRACT_SCHEMA`. Without the variable it is fetched here, so
//! that a plain `cargo test` proves the same. A contract that cannot be had fails the test: nothing is skipped.

mod fetch;
mod operation;
mod schema;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jsonschema::Validator;
use serde_json::{Map, Value};

pub use operation::{Operation, Parameter};
pub use schema::Mode;

/// The parsed contract, with the validators that have been asked for so far.
pub struct Contract {
    document: Value,
    schemas: Map<String, Value>,
    validators: Mutex<HashMap<(String, Mode), Arc<Validator>>>,
}

/// The contract, read and parsed by whoever asks first in this process.
///
/// # Panics
/// When the document can be neither read nor fetched.
pub fn contract() -> &'static Contract {
    static CONTRACT: OnceLock<Contract> = OnceLock::new();
    CONTRACT.get_or_init(|| match fetch::text().and_then(|text| Contract::parse(&text)) {
        Ok(contract) => contract,
        Err(error) => panic!("the API contract is not available: {error}"),
    })
}

impl Contract {
    /// Reads an OpenAPI 3.0 document in YAML or JSON.
    ///
    /// # Errors
    /// Text that is not YAML, or has no schemas.
    pub fn parse(text: &str) -> Result<Self, String> {
        // The parser's limits protect a server from its callers; this document is larger than a stranger's may be.
        let options = serde_saphyr::options! { budget: None, with_snippet: false };
        let document: Value = serde_saphyr::from_str_with_options(text, options).map_err(|error| format!("not YAML: {error}"))?;
        match document.pointer("/components/schemas").and_then(Value::as_object).cloned() {
            Some(schemas) if !schemas.is_empty() => Ok(Self { document, schemas, validators: Mutex::default() }),
            _ => Err("the document has no /components/schemas".to_owned()),
        }
    }

    /// The names of all schemas, in the document's order.
    pub fn schema_names(&self) -> impl Iterator<Item = &str> {
        self.schemas.keys().map(String::as_str)
    }

    /// A schema as it stands in the document, references unfollowed.
    pub fn schema(&self, name: &str) -> Option<&Value> {
        self.schemas.get(name)
    }

    /// The schema that a property's schema stands for: references and the wrapping of one in `allOf` followed.
    pub fn followed<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let inner = schema.get("allOf").and_then(|all| all.get(0)).unwrap_or(schema);
        schema::name(inner).and_then(|name| self.schemas.get(name)).map_or(inner, |target| self.followed(target))
    }

    /// Whether `value` is what the contract calls `schema`. Properties that the contract does not know are allowed.
    ///
    /// # Errors
    /// Every disagreement, one on a line: where in the value, what is wrong.
    pub fn validate(&self, schema: &str, value: &Value) -> Result<(), String> {
        self.check(schema, &schema::reference(schema), Mode::Valid, value)
    }

    /// As [`validate`](Self::validate), and every property of `value` is one that the contract knows.
    ///
    /// # Errors
    /// Every disagreement, one on a line.
    pub fn validate_exact(&self, schema: &str, value: &Value) -> Result<(), String> {
        self.check(schema, &schema::reference(schema), Mode::Exact, value)
    }

    /// [`validate`](Self::validate) for a test.
    ///
    /// # Panics
    /// With the disagreements and the value.
    #[track_caller]
    pub fn assert_valid(&self, schema: &str, value: &Value) {
        if let Err(error) = self.validate(schema, value) {
            panic!("{error}\nin {value:#}");
        }
    }

    /// [`validate_exact`](Self::validate_exact) for a test.
    ///
    /// # Panics
    /// With the disagreements and the value.
    #[track_caller]
    pub fn assert_exact(&self, schema: &str, value: &Value) {
        if let Err(error) = self.validate_exact(schema, value) {
            panic!("{error}\nin {value:#}");
        }
    }

    /// Whether `value` may be the JSON answer of an operation with this status, also where the contract gives the answer no
    /// name of its own (a bare list).
    ///
    /// # Errors
    /// An operation or status that the contract does not have, or every disagreement, one on a line.
    pub fn validate_answer(&self, method: &str, path: &str, status: u16, mode: Mode, value: &Value) -> Result<(), String> {
        let operation = self.operation(method, path).ok_or_else(|| format!("the contract has no {method} {path}"))?;
        let name = format!("{} {}", operation.id, status);
        match operation.answers.get(&status) {
            None => Err(format!("the contract has no status {status} for {method} {path}")),
            Some(None) if value.is_null() => Ok(()),
            Some(None) => Err(format!("{name}: the contract has no body here")),
            Some(Some(schema)) => self.check(&name, schema, mode, value),
        }
    }

    fn check(&self, name: &str, root: &Value, mode: Mode, value: &Value) -> Result<(), String> {
        let validator = self.validator(name, root, mode)?;
        let mut errors: Vec<String> = validator
            .iter_errors(value)
            .map(|error| {
                let path = error.instance_path().as_str();
                format!("{name}{}{path}: {error}", if path.is_empty() { "" } else { " at " })
            })
            .collect();
        if errors.is_empty() {
            return Ok(());
        }
        errors.sort();
        errors.dedup();
        Err(errors.join("\n"))
    }

    fn validator(&self, name: &str, root: &Value, mode: Mode) -> Result<Arc<Validator>, String> {
        let key = (name.to_owned(), mode);
        // A poisoned lock only says that another test failed while it held it; the map is whole.
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = validators.get(&key) {
            return Ok(known.clone());
        }
        let validator = Arc::new(schema::compile(&self.schemas, root, mode).map_err(|error| format!("{name}: {error}"))?);
        validators.insert(key, validator.clone());
        Ok(validator)
    }
}

#[cfg(test)]
mod tests;
