//! Work to do later, and who does it.
//!
//! A task is a row ([`crate::records::Tasks`]) that is added in the transaction of what it is about ([`enqueue`]), so that both are
//! kept or neither. A [`Worker`] takes what is due, gives it to the handler of that name ([`Handlers`]) and notes how it ended. A task
//! is run at least once: a handler whose process died is run again by somebody else when its lease ends. Failures are tried again
//! after a growing pause, and end as a dead letter.
//!
//! What recurs ([`Worker::every`]) has no rows: every worker does it by its own clock, so it must do no harm when two do it at once.
//!
//! The words `processing`, `completed` and `failed` with a task's name and id in the log are an interface: people watch for them.
//!
//! # How to add a task
//! Implement [`TaskHandler`], register it in [`Handlers`] under its name where the worker is wired together, [`enqueue`] it inside the
//! transaction, and call [`Waker::wake`] once that is saved.

mod backoff;
mod clean;
mod running;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::Notify;
use uuid::Uuid;

pub use clean::{CLEAN_EXPIRED, CleanExpired};
pub use worker::{Timing, Worker};

use crate::clock::Rng;
use crate::error::Result;
use crate::records::{NewTask, Repository, Task};

/// How often a task of [`enqueue`] is begun at the most: over some hours.
pub const MAX_ATTEMPTS: i32 = 10;

/// How a try failed. The text is kept with the task and logged: no secrets in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// It may go better later.
    #[error("{0}")]
    Retry(String),
    /// It will never go better.
    #[error("{0}")]
    Fatal(String),
}

/// A storage failure may go better later.
impl From<crate::StoreError> for TaskError {
    fn from(error: crate::StoreError) -> Self {
        Self::Retry(error.to_string())
    }
}

/// Does the tasks of one name.
#[async_trait]
pub trait TaskHandler: Send + Sync + 'static {
    /// Does `task`. It may be run again for the same task, and is dropped at any await when its time is up ([`Timing::limit`]).
    async fn run(&self, task: &Task) -> Result<(), TaskError>;
}

/// Handlers by the name of their tasks.
#[derive(Clone, Default)]
pub struct Handlers {
    by_name: BTreeMap<String, Arc<dyn TaskHandler>>,
}

impl Handlers {
    /// No handlers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Has `handler` do the tasks of that name, in place of the one that did them before.
    pub fn register(&mut self, name: impl Into<String>, handler: impl TaskHandler) -> &mut Self {
        self.by_name.insert(name.into(), Arc::new(handler));
        self
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<dyn TaskHandler>> {
        self.by_name.get(name).map(Arc::clone)
    }
}

impl std::fmt::Debug for Handlers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}

/// Tells the worker of this process that there is something to do.
#[derive(Debug, Clone, Default)]
pub struct Waker(Arc<Notify>);

impl Waker {
    /// Has the worker look for tasks now. Nothing where it does so anyway, or where no worker runs.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    pub(crate) async fn woken(&self) {
        self.0.notified().await;
    }
}

/// Asks for a piece of work as soon as a worker has time, with [`MAX_ATTEMPTS`], in the transaction of `repo`; gives its key.
/// `args` must not hold secrets.
pub async fn enqueue(repo: &mut dyn Repository, name: &str, args: Value, now: DateTime<Utc>, rng: &dyn Rng) -> Result<Uuid> {
    enqueue_at(repo, name, args, now, now, rng).await
}

/// As [`enqueue`], but not before `run_at`.
pub async fn enqueue_at(
    repo: &mut dyn Repository,
    name: &str,
    args: Value,
    run_at: DateTime<Utc>,
    now: DateTime<Utc>,
    rng: &dyn Rng,
) -> Result<Uuid> {
    let pk = rng.uuid();
    let task = NewTask { pk, name: name.to_owned(), args, max_attempts: MAX_ATTEMPTS, run_at };
    repo.tasks().add(task, now).await?;
    Ok(pk)
}
