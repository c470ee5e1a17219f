//! What the contract says about one method on one path.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Contract, schema};

/// A method on a path of the contract.
#[derive(Clone, Debug)]
pub struct Operation {
    /// `core_users_list`.
    pub id: String,
    /// Of the path and the query, also those that the contract shares between operations.
    pub parameters: Vec<Parameter>,
    /// The name of the schema of the request's body, if it has one.
    pub request: Option<String>,
    /// For each status the schema of the JSON answer, as it stands in the contract; `None` is an answer without a body.
    pub answers: BTreeMap<u16, Option<Value>>,
}

impl Operation {
    /// The name of the schema of the answer with this status, if the contract gives it one.
    pub fn response(&self, status: u16) -> Option<&str> {
        self.answers.get(&status)?.as_ref().and_then(schema::name)
    }

    /// The name of the schema of the answer when all goes well: the first status below 300 that has one.
    pub fn success(&self) -> Option<&str> {
        self.answers.range(200..300).find_map(|(_, answer)| answer.as_ref().and_then(schema::name))
    }

    /// The names of the parameters of the query.
    pub fn query(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().filter(|parameter| parameter.place == "query").map(|parameter| parameter.name.as_str())
    }
}

/// A parameter of an operation.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// As it stands in the URL.
    pub name: String,
    /// `path`, `query`, `header` or `cookie`.
    pub place: String,
    /// Whether the operation cannot be called without it.
    pub required: bool,
    /// Its schema, as it stands in the contract.
    pub schema: Value,
}

impl Contract {
    /// What the contract says about a method (in any case) on a path template (`/core/users/{id}/`, also with the server's
    /// prefix `/api/v3`); `None` if it has no such operation.
    pub fn operation(&self, method: &str, path: &str) -> Option<Operation> {
        let path = path.strip_prefix("/api/v3").unwrap_or(path);
        let operation = self.document.get("paths")?.get(path)?.get(method.to_ascii_lowercase())?;
        Some(Operation {
            id: operation.get("operationId")?.as_str()?.to_owned(),
            parameters: list(operation.get("parameters")).filter_map(|parameter| self.parameter(parameter)).collect(),
            request: operation.pointer("/requestBody").and_then(body).and_then(|schema| Some(schema::name(schema)?.to_owned())),
            answers: (operation.get("responses").and_then(Value::as_object).into_iter().flatten())
                .filter_map(|(status, answer)| Some((status.parse().ok()?, body(self.resolve(answer)).cloned())))
                .collect(),
        })
    }

    /// Every method and path of the contract, for tests that ask whether the server has them all.
    pub fn operations(&self) -> impl Iterator<Item = (&str, &str)> {
        (self.document.get("paths").and_then(Value::as_object).into_iter().flatten()).flat_map(|(path, methods)| {
            (methods.as_object().into_iter().flatten())
                .filter(|(_, operation)| operation.get("operationId").is_some())
                .map(move |(method, _)| (method.as_str(), path.as_str()))
        })
    }

    fn parameter(&self, parameter: &Value) -> Option<Parameter> {
        let parameter = self.resolve(parameter);
        Some(Parameter {
            name: parameter.get("name")?.as_str()?.to_owned(),
            place: parameter.get("in")?.as_str()?.to_owned(),
            required: parameter.get("required").and_then(Value::as_bool).unwrap_or(false),
            schema: parameter.get("schema").cloned().unwrap_or(Value::Null),
        })
    }

    /// Follows a reference to a shared parameter or answer.
    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let target = value.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
        target.and_then(|pointer| self.document.pointer(pointer)).unwrap_or(value)
    }
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

/// The schema of a body, of whichever media type: the contract never gives two of them different schemas.
fn body(value: &Value) -> Option<&Value> {
    let content = value.get("content")?.as_object()?;
    content.get("application/json").or_else(|| content.values().next())?.get("schema")
}
