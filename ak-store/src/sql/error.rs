//! What an engine's failure means.

use crate::error::StoreError;

/// Every unique value: as SQLite names it when it is violated, as PostgreSQL does, and as the product does.
const UNIQUE: &[(&str, &str, &str)] = &[
    ("user.username", "user_username_key", "username"),
    ("user.uuid", "user_uuid_key", "uuid"),
    ("group.name", "group_name_key", "name"),
    ("group.pk", "group_pkey", "pk"),
    ("session.id", "session_pkey", "id"),
    ("token.identifier", "token_identifier_key", "identifier"),
    ("token.key_hash", "token_key_hash_key", "key"),
    ("token.pk", "token_pkey", "pk"),
    ("oauth_grant.key_hash", "oauth_grant_key_hash_key", "key"),
    ("event.pk", "event_pkey", "pk"),
    ("reputation.pk", "reputation_pkey", "pk"),
    ("task.pk", "task_pkey", "pk"),
    ("object_unique.kind", "object_unique_pkey", "unique value"),
];

/// Every reference that PostgreSQL can find broken although its target was looked up before (somebody may have deleted it
/// since), and what is missing then.
const REFERENCES: &[(&str, &str)] =
    &[("group_parent_group_pk_fkey", "group"), ("group_parent_parent_pk_fkey", "parent"), ("membership_group_pk_fkey", "group")];

/// The failure in the product's words.
pub(super) fn meaning(error: sqlx::Error) -> StoreError {
    let sqlx::Error::Database(database) = &error else {
        return StoreError::Backend(error.to_string());
    };
    if database.is_unique_violation() {
        let (message, constraint) = (database.message(), database.constraint());
        let found = UNIQUE.iter().find(|(place, name, _)| match constraint {
            Some(constraint) => constraint == *name,
            None => message.contains(place),
        });
        return StoreError::Taken(found.map_or("value", |(_, _, name)| name));
    }
    if database.is_foreign_key_violation() {
        // The other references are all to accounts. SQLite does not say which one it was; there they are the only ones left
        // to the engine to check.
        let found = REFERENCES.iter().find(|(name, _)| database.constraint() == Some(name));
        return StoreError::Missing(found.map_or("user", |(_, what)| what));
    }
    let text = error.to_string();
    let code = database.code().unwrap_or_default();
    if code.len() == 5 {
        return postgres(&code, text);
    }
    // The extended codes of SQLite keep the primary one in their lowest byte.
    match code.parse::<i32>().ok().map(|code| code & 0xff) {
        Some(5 | 6) => StoreError::Busy(text),      // BUSY, LOCKED
        Some(13) => StoreError::Full(text),         // FULL
        Some(11 | 26) => StoreError::Corrupt(text), // CORRUPT, NOTADB
        _ => StoreError::Backend(text),
    }
}

/// By the SQLSTATE, whose first two characters are its class.
fn postgres(code: &str, text: String) -> StoreError {
    match code {
        // Serialization, deadlock, lock or statement time-out.
        "40001" | "40P01" | "55P03" | "57014" => StoreError::Busy(text),
        // Data or an index that is damaged.
        "XX001" | "XX002" => StoreError::Corrupt(text),
        "53100" => StoreError::Full(text),
        // Insufficient resources (too many connections, no memory); the operator's intervention (it stops or starts).
        code if code.starts_with("53") || code.starts_with("57P") => StoreError::Busy(text),
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
