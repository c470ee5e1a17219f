//! What is wrong with an input, field by field.

use serde_json::{Map, Value, json};

/// The name under which problems of the whole input stand, as clients of the API know it.
pub const NON_FIELD_ERRORS: &str = "non_field_errors";

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: names of fields and indexes of lists; empty for the whole input.
    pub path: Vec<String>,
    /// What, for people.
    pub message: String,
    /// What, for programs: `required`, `invalid`, `unique`, …
    pub code: &'static str,
}

/// All problems of an input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Errors {
    problems: Vec<Problem>,
}

impl Errors {
    /// A single problem of one field.
    pub fn field(name: &str, message: impl Into<String>, code: &'static str) -> Self {
        let mut errors = Self::default();
        errors.at(&[name], message, code);
        errors
    }

    /// A single problem of the whole input.
    pub fn whole(message: impl Into<String>, code: &'static str) -> Self {
        let mut errors = Self::default();
        errors.at(&[], message, code);
        errors
    }

    /// Adds a problem at a path.
    pub fn at(&mut self, path: &[&str], message: impl Into<String>, code: &'static str) {
        let path = path.iter().map(|s| (*s).to_owned()).collect();
        self.problems.push(Problem { path, message: message.into(), code });
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: Self) {
        self.problems.extend(other.problems);
    }

    /// Whether there is no problem.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// The problems in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter()
    }

    /// `Ok(value)` without problems, else all of them.
    pub fn ok<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }

    /// The answer of the API: an object with lists of messages at the fields' names, nested as the input is.
    pub fn value(&self) -> Value {
        let mut root = Map::new();
        for problem in &self.problems {
            let names: Vec<&str> = problem.path.iter().map(String::as_str).collect();
            match names.split_first() {
                None => insert(&mut root, NON_FIELD_ERRORS, &[], &problem.message),
                Some((first, rest)) => insert(&mut root, first, rest, &problem.message),
            }
        }
        Value::Object(root)
    }
}

fn insert(into: &mut Map<String, Value>, name: &str, rest: &[&str], message: &str) {
    let Some((next, after)) = rest.split_first() else {
        let slot = into.entry(name).or_insert_with(|| json!([]));
        match slot {
            Value::Array(list) => list.push(Value::from(message)),
            Value::Object(nested) => insert(nested, NON_FIELD_ERRORS, &[], message),
            _ => {}
        }
        return;
    };
    let slot = into.entry(name).or_insert_with(|| json!({}));
    if !slot.is_object() {
        *slot = json!({ NON_FIELD_ERRORS: slot.take() });
    }
    if let Value::Object(nested) = slot {
        insert(nested, next, after, message);
    }
}

impl std::fmt::Display for Errors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            let gap = if i == 0 { "" } else { "; " };
            let place = if problem.path.is_empty() { String::new() } else { format!("{}: ", problem.path.join(".")) };
            write!(f, "{gap}{place}{}", problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}
