//! The backends that speak SQL: today [`SqliteBackend`].
//!
//! One text of SQL for all engines: parameters are `$1`, `$2`; an engine's own words are in `dialect.rs` and nowhere else.
//! `query.rs` puts statements together without knowing any engine, `tx.rs` sends them, `row.rs` reads the answers; a file a
//! subject says what is asked. Every statement is prepared by a test.
//!
//! # How to add a table
//! 1. A new file in `migrations/` and a line in its `mod.rs`. A released file is never changed.
//! 2. A file for its subject here, whose statements stand in one `statements!`, and a line in `statements.rs`.

mod connection;
mod consents;
#[cfg(feature = "sqlite")]
pub mod copies;
mod dialect;
mod error;
mod events;
mod groups;
mod migrations;
mod objects;
mod pool;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod presence;
mod query;
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
