//! A transaction over SQL: how statements reach the engine. What they say is in the subjects' files.

use async_trait::async_trait;

use super::connection::Wire as _;
use super::dialect::Dialect;
use super::pool::Lease;
use super::query::Query;
use super::row::Row;
use crate::error::{Result, StoreError};
use crate::records::{
    Consents, DecisionTraces, Events, Grants, Groups, Objects, PasswordHistories, Repository, Reputations, Roles, Sessions,
    Settings, Tasks, Tokens, Users, rules,
};

/// A transaction, or a view for reading.
pub(super) struct Tx {
    lease: Lease,
    pub(super) dialect: &'static Dialect,
    writable: bool,
    /// Whether a writing statement was run.
    written: bool,
    failed: bool,
}

impl Tx {
    /// A transaction on a connection where one is open; or, for reading only, on one where every statement is one of its own.
    pub(super) fn new(lease: Lease, dialect: &'static Dialect, writable: bool) -> Self {
        Self { lease, dialect, writable, written: false, failed: false }
    }

    /// A statement that finds one row by its key. In a writing transaction nobody else changes the row before its end, so that
    /// what is decided by it, or written over it, still fits.
    pub(super) fn held(&self, text: &'static str) -> Query {
        if self.writable { Query::made(format!("{text}{}", self.dialect.for_update)) } else { Query::new(text) }
    }

    /// Whether it is there for writing.
    pub(super) fn is_writable(&self) -> bool {
        self.writable
    }

    /// The rows that a reading statement gives.
    pub(super) async fn rows(&mut self, query: Query) -> Result<Vec<Row>> {
        // No engine keeps a text with a null character ([`Self::write`]), so there is nothing to find by one.
        if query.has_null_character() {
            return Ok(Vec::new());
        }
        // PostgreSQL goes on after no failure; some (a full disk, a broken file) end SQLite's transaction by themselves.
        self.lease.connection()?.rows(query).await.inspect_err(|_| self.failed = true)
    }

    /// The first row that a reading statement gives.
    pub(super) async fn row(&mut self, query: Query) -> Result<Option<Row>> {
        Ok(self.rows(query).await?.into_iter().next())
    }

    /// The rows that a reading statement gives, each read by `read`.
    pub(super) async fn all<T>(&mut self, query: Query, read: impl Fn(&Row) -> Result<T>) -> Result<Vec<T>> {
        self.rows(query).await?.iter().map(read).collect()
    }

    /// The one row that a reading statement gives, read by `read`.
    pub(super) async fn one<T>(&mut self, query: Query, read: impl Fn(&Row) -> Result<T>) -> Result<Option<T>> {
        self.row(query).await?.as_ref().map(read).transpose()
    }

    /// The answer of a `SELECT count(*) AS total`.
    pub(super) async fn total(&mut self, query: Query) -> Result<u64> {
        Ok(self.one(query, |row| row.number("total")).await?.unwrap_or(0))
    }

    /// Runs a writing statement; how many rows it changed.
    pub(super) async fn write(&mut self, query: Query) -> Result<u64> {
        self.check_query(&query)?;
        self.written = true;
        self.lease.connection()?.write(query).await.inspect_err(|_| self.failed = true)
    }

    /// Runs a writing statement that must change a record called `what`.
    pub(super) async fn change(&mut self, query: Query, what: &'static str) -> Result<()> {
        match self.write(query).await? {
            0 => self.refuse(StoreError::Missing(what)),
            _ => Ok(()),
        }
    }

    /// Runs a writing statement with `RETURNING`, and reads its one row.
    pub(super) async fn take<T>(&mut self, query: Query, read: impl Fn(&Row) -> Result<T>) -> Result<Option<T>> {
        self.check_query(&query)?;
        self.written = true;
        self.one(query, read).await
    }

    /// Takes a lock, until the end of the transaction, by a statement that writes what is there already.
    pub(super) async fn lock<T>(&mut self, query: Query, read: impl Fn(&Row) -> Result<T>) -> Result<Option<T>> {
        self.check_query(&query)?;
        self.one(query, read).await
    }

    /// Refuses a write for a reason that the engine does not know.
    pub(super) fn refuse<T>(&mut self, reason: StoreError) -> Result<T> {
        self.failed = true;
        Err(reason)
    }

    fn check_query(&mut self, query: &Query) -> Result<()> {
        self.check_writable()?;
        if query.has_null_character() { self.refuse(rules::null_character()) } else { Ok(()) }
    }

    /// For writes that begin by reading: whether they may write at all.
    pub(super) fn check_writable(&self) -> Result<()> {
        match (self.writable, self.failed) {
            (false, _) => Err(rules::read_only()),
            (true, true) => Err(rules::failed_before()),
            (true, false) => Ok(()),
        }
    }
}

#[async_trait]
impl Repository for Tx {
    fn users(&mut self) -> &mut dyn Users {
        self
    }

    fn groups(&mut self) -> &mut dyn Groups {
        self
    }

    fn roles(&mut self) -> &mut dyn Roles {
        self
    }

    fn sessions(&mut self) -> &mut dyn Sessions {
        self
    }

    fn tokens(&mut self) -> &mut dyn Tokens {
        self
    }

    fn consents(&mut self) -> &mut dyn Consents {
        self
    }

    fn grants(&mut self) -> &mut dyn Grants {
        self
    }

    fn decision_traces(&mut self) -> &mut dyn DecisionTraces {
        self
    }

    fn password_histories(&mut self) -> &mut dyn PasswordHistories {
        self
    }

    fn reputations(&mut self) -> &mut dyn Reputations {
        self
    }

    fn events(&mut self) -> &mut dyn Events {
        self
    }

    fn tasks(&mut self) -> &mut dyn Tasks {
        self
    }

    fn settings(&mut self) -> &mut dyn Settings {
        self
    }

    fn objects(&mut self) -> &mut dyn Objects {
        self
    }

    async fn save(self: Box<Self>) -> Result<()> {
        if self.failed && self.writable {
            return Err(rules::failed_before());
        }
        if !self.lease.is_open() {
            return Ok(());
        }
        // Nobody has to wait for the disk to keep what it has.
        if self.writable && !self.written { self.lease.roll_back().await } else { self.lease.commit().await }
    }
}
