//! Work to do later, in memory.

use std::cmp::Reverse;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::state::State;
use super::{Tx, page, total};
use crate::error::{Result, StoreError};
use crate::records::rules::{LEASE_ENDED, kept};
use crate::records::{CLEAN_BATCH, NewTask, Page, Task, TaskFilter, TaskState, Tasks};

/// When somebody must look at the task again.
fn due(task: &Task) -> Option<DateTime<Utc>> {
    match task.state {
        TaskState::Queued => Some(task.run_at),
        TaskState::Running => task.lease_until,
        TaskState::Done | TaskState::Dead => None,
    }
}

/// Ends the task in `state`.
fn end(task: &mut Task, state: TaskState, now: DateTime<Utc>) {
    task.state = state;
    task.finished = Some(kept(now));
    task.lease_until = None;
    task.lease_owner = None;
}

/// A task that was asked for at `now`.
pub(super) fn new_task(new: NewTask, now: DateTime<Utc>) -> Task {
    Task {
        pk: new.pk,
        name: new.name,
        args: new.args,
        state: TaskState::Queued,
        attempts: 0,
        max_attempts: new.max_attempts,
        run_at: kept(new.run_at),
        lease_until: None,
        lease_owner: None,
        last_error: None,
        created: kept(now),
        finished: None,
    }
}

impl State {
    fn filtered_tasks<'a>(&'a self, filter: &'a TaskFilter) -> impl Iterator<Item = &'a Arc<Task>> {
        self.tasks.values().filter(|task| {
            filter.name.as_deref().is_none_or(|name| task.name == name) && filter.state.is_none_or(|state| task.state == state)
        })
    }

    /// Keeps a task, new or changed, and its place in the order of what is due.
    pub(super) fn put_task(&mut self, task: Task) {
        if let Some(old) = self.tasks.get(&task.pk)
            && let Some(at) = due(old)
        {
            self.due.remove(&(at, old.created, old.pk));
        }
        if let Some(at) = due(&task) {
            self.due.insert((at, task.created, task.pk));
        }
        self.tasks.insert(task.pk, Arc::new(task));
    }

    /// A copy of the task, if `owner` holds it.
    fn held_by(&self, pk: Uuid, owner: &str) -> Option<Task> {
        let held = |task: &&Arc<Task>| task.state == TaskState::Running && task.lease_owner.as_deref() == Some(owner);
        self.tasks.get(&pk).filter(held).map(|task| Task::clone(task))
    }

    fn claim(&mut self, owner: &str, now: DateTime<Utc>, lease_until: DateTime<Utc>) -> Option<Task> {
        loop {
            let (at, _, pk) = *self.due.get_min()?;
            if at > now {
                return None;
            }
            let mut task = Task::clone(self.tasks.get(&pk)?);
            if task.state == TaskState::Running && task.attempts >= task.max_attempts {
                end(&mut task, TaskState::Dead, now);
                task.last_error = Some(LEASE_ENDED.into());
                self.put_task(task);
                continue;
            }
            task.state = TaskState::Running;
            task.attempts += 1;
            task.lease_until = Some(kept(lease_until));
            task.lease_owner = Some(owner.into());
            self.put_task(task.clone());
            return Some(task);
        }
    }
}

#[async_trait]
impl Tasks for Tx {
    async fn lookup(&mut self, pk: Uuid) -> Result<Option<Task>> {
        Ok(self.state.tasks.get(&pk).map(|task| Task::clone(task)))
    }

    async fn list(&mut self, filter: &TaskFilter, part: Page) -> Result<Vec<Task>> {
        let mut found: Vec<_> = self.state.filtered_tasks(filter).collect();
        found.sort_by_key(|task| Reverse((task.created, task.pk)));
        Ok(page(found.into_iter().map(|task| Task::clone(task)), part))
    }

    async fn count(&mut self, filter: &TaskFilter) -> Result<u64> {
        Ok(total(self.state.filtered_tasks(filter)))
    }

    async fn add(&mut self, new: NewTask, now: DateTime<Utc>) -> Result<()> {
        self.write(|state| {
            if state.tasks.contains_key(&new.pk) {
                return Err(StoreError::Taken("pk"));
            }
            state.put_task(new_task(new, now));
            Ok(())
        })
    }

    async fn claim(&mut self, owner: &str, now: DateTime<Utc>, lease_until: DateTime<Utc>) -> Result<Option<Task>> {
        self.write(|state| Ok(state.claim(owner, now, lease_until)))
    }

    async fn complete(&mut self, pk: Uuid, owner: &str, now: DateTime<Utc>) -> Result<bool> {
        self.write(|state| {
            let Some(mut task) = state.held_by(pk, owner) else { return Ok(false) };
            end(&mut task, TaskState::Done, now);
            state.put_task(task);
            Ok(true)
        })
    }

    async fn fail(
        &mut self,
        pk: Uuid,
        owner: &str,
        error: &str,
        retry_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        self.write(|state| {
            let Some(mut task) = state.held_by(pk, owner) else { return Ok(false) };
            task.last_error = Some(error.into());
            match retry_at.filter(|_| task.attempts < task.max_attempts) {
                Some(at) => {
                    task.state = TaskState::Queued;
                    task.run_at = kept(at);
                    task.lease_until = None;
                    task.lease_owner = None;
                }
                None => end(&mut task, TaskState::Dead, now),
            }
            state.put_task(task);
            Ok(true)
        })
    }

    async fn next_due(&mut self) -> Result<Option<DateTime<Utc>>> {
        Ok(self.state.due.get_min().map(|(at, _, _)| *at))
    }

    async fn delete_finished(&mut self, before: DateTime<Utc>) -> Result<u64> {
        self.write(|state| {
            let ended = state.tasks.iter().filter(|(_, task)| task.finished.is_some_and(|end| end < before));
            let ended: Vec<_> = ended.map(|(place, _)| *place).take(CLEAN_BATCH as usize).collect();
            ended.iter().for_each(|place| drop(state.tasks.remove(place)));
            Ok(ended.len() as u64)
        })
    }
}
