//! People, groups and tokens as documents: how the API's collections and blueprints write them.
//!
//! Each is a struct that describes the input (with the limits and words that objects have) and a [`RecordKind`]. What a document
//! says of others (a person's groups, a group's members) is part of it, and is made so.

mod group;
mod token;
mod user;

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use uuid::Uuid;

pub use group::{GroupDocument, GroupKind};
pub use token::{TokenDocument, TokenKind};
pub use user::{UserDocument, UserKind};

use super::password::{PasswordError, PasswordHasher};
use crate::directory::Role;
use crate::error::StoreError;
use crate::model::{Errors, RecordKinds, Ref, Snapshot, WriteError};

/// The records of the directory that documents describe. Passwords are hashed by `hasher`.
pub fn kinds(hasher: PasswordHasher) -> RecordKinds {
    RecordKinds::new().with(UserKind::new(hasher)).with(GroupKind::new()).with(TokenKind::new())
}

/// How the directory says that a unique value belongs to somebody else.
const TAKEN: &str = "This field must be unique.";

fn does_not_exist(pk: impl std::fmt::Display) -> String {
    format!("Invalid pk \"{pk}\" - object does not exist.")
}

fn role_keys(roles: &[Ref<dyn Role>]) -> BTreeSet<Uuid> {
    roles.iter().map(|role| role.pk().uuid()).collect()
}

/// Tells of every role that there is not.
fn check_roles(snapshot: &Snapshot, roles: &[Ref<dyn Role>], errors: &mut Errors) {
    for missing in roles.iter().filter(|role| snapshot.get(**role).is_none()) {
        errors.at(&["roles"], does_not_exist(missing.pk()), "does_not_exist");
    }
}

/// What a field that is written only with an account's right password costs when it cannot be worked on.
fn password_error(error: PasswordError) -> WriteError {
    match error {
        PasswordError::TooLong => Errors::field("password", error.to_string(), "max_length").into(),
        PasswordError::Busy => StoreError::Busy(error.to_string()).into(),
        PasswordError::Failed(_) => StoreError::Backend(error.to_string()).into(),
    }
}

/// The number that a key means.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// The UUID that a key means.
fn uuid(value: &Value) -> Option<Uuid> {
    value.as_str().and_then(|text| Uuid::parse_str(text).ok())
}

/// What blueprints may identify a record by, read one by one: what is no identifier, or no value of one, is told at its name.
struct Identifiers<'a> {
    given: &'a Map<String, Value>,
    errors: Errors,
}

impl<'a> Identifiers<'a> {
    /// The identifiers of a record that can be identified by `known` alone.
    fn of(given: &'a Map<String, Value>, known: &[&str]) -> Self {
        let mut errors = Errors::default();
        for name in given.keys().filter(|name| !known.contains(&name.as_str())) {
            errors.at(&[name], format!("This is no identifier; there are {}.", known.join(", ")), "invalid");
        }
        if given.is_empty() {
            errors.at(&[], "There is no identifier.", "required");
        }
        Self { given, errors }
    }

    fn read<T>(&mut self, name: &str, read: impl Fn(&Value) -> Option<T>, wanted: &str) -> Option<T> {
        let value = self.given.get(name)?;
        let found = read(value);
        if found.is_none() {
            self.errors.at(&[name], format!("This is not {wanted}."), "invalid");
        }
        found
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.read(name, |value| value.as_str().map(str::to_owned), "a text")
    }

    fn uuid(&mut self, name: &str) -> Option<Uuid> {
        self.read(name, uuid, "a UUID")
    }

    fn number(&mut self, name: &str) -> Option<i64> {
        self.read(name, number, "a number")
    }

    fn done(self) -> Result<(), Errors> {
        self.errors.ok(())
    }
}

/// The one record that identifiers found; two are an error, since nobody could tell which one is meant.
fn only<T>(mut found: Vec<T>, what: &str) -> Result<Option<T>, Errors> {
    match found.len() {
        0 | 1 => Ok(found.pop()),
        _ => Err(Errors::whole(format!("More than one {what} has these identifiers."), "ambiguous")),
    }
}
