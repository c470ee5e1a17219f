//! The backends that speak SQL: `SqliteBackend` (a file) and `PostgresBackend` (a server), each behind a feature of its name.
//!
//! One text of SQL for both engines: parameters are `$1`, `$2`; an engine's own words are in `dialect.rs` and nowhere else.
//! `query.rs` puts statements together without knowing any engine, `tx.rs` sends them through `connection.rs`, `row.rs` reads the
//! answers, `error.rs` knows what failures mean; a file a subject says what is asked. Every statement is prepared on both
//! engines by a test.
//!
//! # What is different on a server
//! - Writing transactions do not take turns. Whoever decides by a record looks it up by its key in the transaction, which locks
//!   the row (`Tx::held`); commits of objects lock the revision; groups are put above each other in turns. A unique or foreign
//!   key that is violated in spite of a look before means the same as what the look would have found.
//! - Writing transactions read what is committed (`READ COMMITTED`); views for reading stay as they are (`REPEATABLE READ`).
//! - A failed statement ends its transaction, and no text can have null characters: all backends behave so.
//! - Everything has a limit: 5 s for a connection, 10 s for a lock, 30 s for a statement, 60 s of silence in a transaction.
//! - Nothing outlives a transaction, so that a pooler in transaction mode may stand between, but for prepared statements and the
//!   connection that listens; whoever has such a pooler says so (`PostgresOptions::pooler`), or it is found out at the start.
//! - Changes of objects are told by `NOTIFY` on the channel `ak_objects`, with the new revision.
//!
//! # How to add a table
//! 1. A new file in `migrations/` and a line in its `mod.rs`. A released file is never changed. Names of unique values and of
//!    references that are not to accounts go into `error.rs`.
//! 2. A file for its subject here, whose statements stand in one `statements!`, and a line in `statements.rs`.

mod connection;
mod consents;
#[cfg(feature = "sqlite")]
pub mod copies;
mod decision_traces;
mod dialect;
mod error;
mod events;
mod grants;
mod groups;
mod migrations;
mod objects;
mod password_history;
mod pool;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod presence;
mod query;
mod reputation;
mod roles;
mod row;
mod sessions;
mod settings;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(test)]
mod statements;
mod tasks;
mod tokens;
mod tx;
mod users;

#[cfg(feature = "postgres")]
pub use postgres::{OpenError, OpenPart, Pem, PostgresBackend, PostgresOptions, Tls};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteBackend, SqliteOptions};
