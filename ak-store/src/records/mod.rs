//! Records: people and traffic.
//!
//! One trait a subject, with the same verbs everywhere: `lookup` (by key), `find_by_x`, `list(filter, page)`, `count`, `add`,
//! `update`, `delete`. What does not exist is `Ok(None)`. A [`Repository`] is a transaction: [`Repository::save`] keeps
//! what was done, dropping it undoes it. Time is always an argument; moments are kept to the microsecond.
//!
//! A write that gave an error leaves its transaction only to be dropped: whatever was half done must not be saved (and
//! PostgreSQL does not go on after a failed statement either). Who expects a value to be taken looks it up first.
//!
//! # How to add a repository
//! 1. Its types and its trait in a file here; a method on [`Repository`] that hands it out.
//! 2. Its implementation in `memory/` and in `sql/`, with a migration for its table.
//! 3. Its part of the conformance suite (`conformance/`), which all backends run.

mod consent;
mod decision_trace;
mod event;
mod filter;
mod grant;
mod group;
mod object;
mod password_history;
mod reputation;
mod role;
pub(crate) mod rules;
mod session;
mod setting;
mod task;
mod token;
mod user;

use async_trait::async_trait;

pub use consent::{Consent, ConsentFilter, ConsentOrder, Consents, NewConsent};
pub use decision_trace::{DecisionTrace, DecisionTraces};
pub use event::{Event, EventFilter, Events};
pub use filter::{AttributeIs, By, Moments, Word};
pub use grant::{Grant, GrantFilter, GrantKind, GrantOrder, Grants};
pub use group::{Group, GroupFilter, GroupOrder, Groups};
pub use object::{CommitOutcome, ObjectRow, Objects, StoredEdge, StoredUnique};
pub use password_history::PasswordHistories;
pub use reputation::{Reputation, ReputationFilter, ReputationOrder, Reputations, ScoreChange};
pub use role::Roles;
pub use session::{Session, SessionFilter, Sessions};
pub use setting::Settings;
pub use task::{NewTask, Task, TaskFilter, TaskState, Tasks};
pub use token::{Token, TokenFilter, TokenIntent, TokenOrder, Tokens};
pub use user::{NewUser, User, UserField, UserFilter, UserKey, UserOrder, UserType, Users};

use crate::error::Result;

/// How sure a commit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Survives a power cut once it is acknowledged: objects, credentials, spent tokens.
    Full,
    /// Survives the end of the process; a power cut may undo the last moments: sessions' traffic, events.
    Relaxed,
}

/// A place where everything is kept.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Opens a transaction that may write. On engines with one writer it waits for its turn.
    async fn begin(&self, durability: Durability) -> Result<Box<dyn Repository>>;

    /// Opens a transaction for one write, which may be kept as soon as it is made and not only when it is saved: it costs less where a
    /// transaction has to be opened and closed. Of several writes some could be kept without the others.
    async fn begin_one(&self, durability: Durability) -> Result<Box<dyn Repository>> {
        self.begin(durability).await
    }

    /// Opens a view for reading; writes through it are refused.
    async fn read(&self) -> Result<Box<dyn Repository>>;

    /// Opens a way to read of which every statement may see what is committed when it runs. It costs less than a view where that has to
    /// be opened and closed; for whoever looks up one thing after the other, and never counts rows that another statement lists.
    async fn look(&self) -> Result<Box<dyn Repository>> {
        self.read().await
    }

    /// Brings the stored shape to this version; does nothing where it is there already.
    /// A shape that is newer than this program is [`crate::StoreError::Corrupt`].
    async fn migrate(&self) -> Result<()>;

    /// Resolves when the storage answers.
    async fn ping(&self) -> Result<()>;

    /// Listens for changes of objects; `None` where nobody tells, so that others' changes are found by looking only.
    async fn listen(&self) -> Result<Option<Box<dyn Changes>>> {
        Ok(None)
    }

    /// What this backend is called in logs and test tables: `memory`, `sqlite`, `postgres`.
    fn name(&self) -> &'static str;
}

/// What the storage tells of changes of objects, from its opening on.
#[async_trait]
pub trait Changes: Send {
    /// Resolves with the new revision when objects have changed. May be dropped and called again without a loss; after an error
    /// nothing more is told, and what is changed until somebody listens anew goes untold.
    async fn next(&mut self) -> Result<u64>;
}

/// One transaction, and the records seen through it.
#[async_trait]
pub trait Repository: Send {
    /// Accounts.
    fn users(&mut self) -> &mut dyn Users;
    /// Groups and memberships.
    fn groups(&mut self) -> &mut dyn Groups;
    /// Who has which role.
    fn roles(&mut self) -> &mut dyn Roles;
    /// Browser sessions.
    fn sessions(&mut self) -> &mut dyn Sessions;
    /// Keys that stand for an account.
    fn tokens(&mut self) -> &mut dyn Tokens;
    /// What people have agreed that applications get.
    fn consents(&mut self) -> &mut dyn Consents;
    /// The passwords that accounts had.
    fn password_histories(&mut self) -> &mut dyn PasswordHistories;
    /// How those who try to sign in have done.
    fn reputations(&mut self) -> &mut dyn Reputations;
    /// Why people were refused.
    fn decision_traces(&mut self) -> &mut dyn DecisionTraces;
    /// What clients were given.
    fn grants(&mut self) -> &mut dyn Grants;
    /// What happened.
    fn events(&mut self) -> &mut dyn Events;
    /// Work to do later.
    fn tasks(&mut self) -> &mut dyn Tasks;
    /// Named values of the installation.
    fn settings(&mut self) -> &mut dyn Settings;
    /// Configuration, as documents.
    fn objects(&mut self) -> &mut dyn Objects;

    /// Keeps everything that was done; without this call all of it is undone. Refused
    /// ([`crate::StoreError::Invalid`]) where a write gave an error before.
    async fn save(self: Box<Self>) -> Result<()>;
}

/// How many records a clean-up removes at once, at the most: one that takes long would keep everybody else from writing.
pub const CLEAN_BATCH: u64 = 1000;

/// How many traces of decisions are kept at the most; what is more is removed by the next clean-up.
pub const MOST_TRACES: u64 = 10_000;

/// A part of a list: how many rows to leave out, and how many to give at the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Rows left out at the start.
    pub offset: u64,
    /// Rows given at the most.
    pub limit: u64,
}

impl Page {
    /// Every row. Only for what is known to be few.
    pub const ALL: Self = Self { offset: 0, limit: i64::MAX as u64 };

    /// The first `limit` rows.
    pub const fn first(limit: u64) -> Self {
        Self { offset: 0, limit }
    }
}
