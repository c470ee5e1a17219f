//! What an engine's failure means.

use crate::error::StoreError;

/// Every unique value, as the engines name it when it is violated, and as the product does.
const UNIQUE: &[(&str, &str)] = &[
    ("user.username", "username"),
    ("user.uuid", "uuid"),
    ("group.name", "name"),
    ("group.pk", "pk"),
    ("session.id", "id"),
    ("token.identifier", "identifier"),
    ("token.key_hash", "key"),
    ("token.pk", "pk"),
    ("event.pk", "pk"),
    ("task.pk", "pk"),
    ("object_unique.kind", "unique value"),
];

/// The failure in the product's words. The only references that are left to the engine to check are those to accounts.
pub(super) fn meaning(error: sqlx::Error) -> StoreError {
    let sqlx::Error::Database(database) = &error else {
        return StoreError::Backend(error.to_string());
    };
    if database.is_unique_violation() {
        let message = database.message();
        let found = UNIQUE.iter().find(|(place, _)| message.contains(place));
        return StoreError::Taken(found.map_or("value", |(_, name)| name));
    }
    if database.is_foreign_key_violation() {
        return StoreError::Missing("user");
    }
    let text = error.to_string();
    // The extended codes keep the primary one in their lowest byte.
    match database.code().and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff) {
        Some(5 | 6) => StoreError::Busy(text),      // BUSY, LOCKED
        Some(13) => StoreError::Full(text),         // FULL
        Some(11 | 26) => StoreError::Corrupt(text), // CORRUPT, NOTADB
        _ => StoreError::Backend(text),
    }
}

/// The same failure, with `place` said first.
pub(super) fn at(place: impl std::fmt::Display, error: StoreError) -> StoreError {
    match error {
        StoreError::Backend(text) => StoreError::Backend(format!("{place}: {text}")),
        StoreError::Busy(text) => StoreError::Busy(format!("{place}: {text}")),
        StoreError::Full(text) => StoreError::Full(format!("{place}: {text}")),
        StoreError::Corrupt(text) => StoreError::Corrupt(format!("{place}: {text}")),
        other => other,
    }
}
