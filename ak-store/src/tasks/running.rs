//! Handlers at work, each as a task of its own in the runtime: a panic ends only that one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinSet};

use super::{TaskError, TaskHandler};
use crate::records::Task;

/// Where a piece of work came from, and so where its end is noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// A row, held under this name.
    Queue { owner: String },
    /// The recurring job at this place of the worker's list.
    Recurring(usize),
}

/// Work under way. Dropping it stops all of it.
#[derive(Default)]
pub(super) struct Running {
    set: JoinSet<Result<(), TaskError>>,
    work: HashMap<Id, (Task, Origin)>,
}

impl Running {
    /// How much of the queue's work is under way.
    pub(super) fn queued(&self) -> usize {
        self.work.values().filter(|(_, origin)| matches!(origin, Origin::Queue { .. })).count()
    }

    /// Begins `task`, for `limit` at the most. Without a handler it fails at once, and may go better with another worker: a newer
    /// version, say.
    pub(super) fn begin(&mut self, task: Task, origin: Origin, handler: Option<Arc<dyn TaskHandler>>, limit: Duration) {
        tracing::info!(task = %task.name, id = %task.pk, attempt = task.attempts, "processing");
        let copy = task.clone();
        let work = async move {
            let Some(handler) = handler else {
                return Err(TaskError::Retry(format!("this worker has no handler for tasks named {:?}", copy.name)));
            };
            match tokio::time::timeout(limit, handler.run(&copy)).await {
                Ok(result) => result,
                Err(_) => Err(TaskError::Retry(format!("not done within {} s", limit.as_secs()))),
            }
        };
        let id = self.set.spawn(work).id();
        self.work.insert(id, (task, origin));
    }

    /// Waits until a piece of work ends, and gives it with its result; `None` where nothing is under way.
    pub(super) async fn ended(&mut self) -> Option<(Task, Origin, Result<(), TaskError>)> {
        loop {
            let (id, result) = match self.set.join_next_with_id().await? {
                Ok((id, result)) => (id, result),
                // What a panic says stays with the panic's own output.
                Err(error) => (error.id(), Err(TaskError::Retry("the handler panicked".to_owned()))),
            };
            if let Some((task, origin)) = self.work.remove(&id) {
                return Some((task, origin, result));
            }
        }
    }
}
