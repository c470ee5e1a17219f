//! Work to do later.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::Page;
use crate::error::Result;

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// Waits for its time, or for its next try.
    Queued,
    /// A worker holds its lease.
    Running,
    /// Ended well.
    Done,
    /// Given up after its last try: a dead letter.
    Dead,
}

impl TaskState {
    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Dead => "dead",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Queued, Self::Running, Self::Done, Self::Dead].into_iter().find(|t| t.as_str() == name)
    }
}

/// A piece of work.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Key.
    pub pk: Uuid,
    /// Which handler does it.
    pub name: String,
    /// What the handler is given. Never secrets.
    pub args: Value,
    /// How far it is.
    pub state: TaskState,
    /// How often it was begun.
    pub attempts: i32,
    /// How often it is begun at the most.
    pub max_attempts: i32,
    /// Not before this moment.
    pub run_at: DateTime<Utc>,
    /// Until when a worker holds it.
    pub lease_until: Option<DateTime<Utc>>,
    /// Which worker holds it.
    pub lease_owner: Option<String>,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// When it was asked for.
    pub created: DateTime<Utc>,
    /// When it ended.
    pub finished: Option<DateTime<Utc>>,
}

/// What is needed to ask for a piece of work.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// Key.
    pub pk: Uuid,
    /// Which handler does it.
    pub name: String,
    /// What the handler is given.
    pub args: Value,
    /// How often it is begun at the most.
    pub max_attempts: i32,
    /// Not before this moment.
    pub run_at: DateTime<Utc>,
}

/// Which tasks a list holds; every condition that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct TaskFilter {
    /// Exact name.
    pub name: Option<String>,
    /// How far.
    pub state: Option<TaskState>,
}

/// Work to do later.
#[async_trait]
pub trait Tasks: Send {
    /// The task with this key.
    async fn lookup(&mut self, pk: Uuid) -> Result<Option<Task>>;
    /// The tasks that `filter` lets through, the newest first.
    async fn list(&mut self, filter: &TaskFilter, page: Page) -> Result<Vec<Task>>;
    /// How many tasks `filter` lets through.
    async fn count(&mut self, filter: &TaskFilter) -> Result<u64>;
    /// Asks for a piece of work, at `now`.
    async fn add(&mut self, task: NewTask, now: DateTime<Utc>) -> Result<()>;
    /// Takes the task that has waited longest of those that are due (queued with `run_at` ≤ `now`, or running with a lease
    /// that ended), counts the attempt and gives `owner` a lease until `lease_until`. A task is held by one owner at a time.
    /// A task whose lease ended in its last try is not begun again: it is dead.
    async fn claim(&mut self, owner: &str, now: DateTime<Utc>, lease_until: DateTime<Utc>) -> Result<Option<Task>>;
    /// Ends a task well, if `owner` still holds it; whether it did.
    async fn complete(&mut self, pk: Uuid, owner: &str, now: DateTime<Utc>) -> Result<bool>;
    /// Notes a failed try, if `owner` still holds the task: queued again for `retry_at`, or dead where there is none or the
    /// tries are used up. Whether `owner` did.
    async fn fail(
        &mut self,
        pk: Uuid,
        owner: &str,
        error: &str,
        retry_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<bool>;
    /// When the next queued task is due or the next lease ends.
    async fn next_due(&mut self) -> Result<Option<DateTime<Utc>>>;
    /// Removes what ended before `before`, [`CLEAN_BATCH`](super::CLEAN_BATCH) at the most; how many.
    async fn delete_finished(&mut self, before: DateTime<Utc>) -> Result<u64>;
}
