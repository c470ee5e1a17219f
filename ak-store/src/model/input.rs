//! Inputs that are checked as objects are, and describe something else: records, and what actions are given.

use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::draft::Change;
use super::errors::Errors;
use super::field::{Demand, Field, compile, normalise, take_secrets};
use super::kind::{object, read_document, schema_of};

/// The input that the struct `T` describes: its fields, with limits and marks as those of a [`super::Kind`]. All that is wrong is
/// told at once, in the same words as for objects.
pub struct Input<T> {
    fields: Result<Vec<Field>, String>,
    of: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned + JsonSchema> Input<T> {
    /// The input of this type.
    pub fn new() -> Self {
        Self { fields: compile(&schema_of::<T>()), of: PhantomData }
    }

    /// The fields.
    ///
    /// # Errors
    /// A type whose schema cannot be understood: a mistake in the program.
    pub fn fields(&self) -> Result<&[Field], Errors> {
        self.fields.as_deref().map_err(|problem| Errors::whole(problem.clone(), "error"))
    }

    /// Reads an input that stands for itself: every required field must be there.
    pub fn read(&self, input: &Value) -> Result<T, Errors> {
        read_document(normalise(self.fields()?, input, Demand::Required)?)
    }

    /// Reads an input that changes `old` ([`Change::Patch`], [`Change::Replace`]; what is left out keeps its value), or describes
    /// something new.
    pub fn change(&self, old: Option<&T>, input: &Value, change: Change) -> Result<T, Errors> {
        let demand = if change == Change::Patch && old.is_some() { Demand::Nothing } else { Demand::Required };
        let mut document = old.map(object).unwrap_or_default();
        document.append(&mut normalise(self.fields()?, input, demand)?);
        read_document(document)
    }

    /// The document of `value` without its secrets.
    pub fn shown(&self, value: &T) -> Map<String, Value> {
        let mut document = object(value);
        let fields = self.fields.as_deref().unwrap_or_default();
        let none: Result<(), std::convert::Infallible> =
            take_secrets(fields, Field::is_withheld, &mut document, &mut |_, _| Ok(None));
        let Ok(()) = none;
        // A secret without a value stands there as null.
        for field in fields.iter().filter(|field| field.secret) {
            document.remove(&*field.name);
        }
        document
    }
}

impl<T: Serialize + DeserializeOwned + JsonSchema> Default for Input<T> {
    fn default() -> Self {
        Self::new()
    }
}
