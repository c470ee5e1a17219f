//! Work to do later, in SQL.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::query::{Conditions, Query, statements};
use super::row::Row;
use super::tx::Tx;
use crate::error::Result;
use crate::records::rules::LEASE_ENDED;
use crate::records::{CLEAN_BATCH, NewTask, Page, Task, TaskFilter, TaskState, Tasks};

statements! {
    LOOKUP = "SELECT * FROM task WHERE pk = $1";
    ADD = "INSERT INTO task (pk, name, args, state, attempts, max_attempts, run_at, due, created)
        VALUES ($1, $2, $3, 'queued', 0, $4, $5, $5, $6)";
    // The worker was lost in the last try: there is no other.
    BURY = "UPDATE task SET state = 'dead', due = NULL, lease_until = NULL, lease_owner = NULL, finished = $1, last_error = $2
        WHERE due <= $1 AND state = 'running' AND attempts >= max_attempts";
    CLAIM = "UPDATE task SET state = 'running', attempts = attempts + 1, lease_owner = $1, lease_until = $2, due = $2
        WHERE pk = (SELECT pk FROM task WHERE due <= $3 ORDER BY due, created, pk LIMIT 1 {skip_locked})
        AND due <= $3 RETURNING *";
    COMPLETE = "UPDATE task SET state = 'done', due = NULL, lease_until = NULL, lease_owner = NULL, finished = $1
        WHERE pk = $2 AND state = 'running' AND lease_owner = $3";
    RETRY = "UPDATE task SET state = 'queued', last_error = $1, run_at = $2, due = $2, lease_until = NULL, lease_owner = NULL
        WHERE pk = $3 AND state = 'running' AND lease_owner = $4 AND attempts < max_attempts";
    GIVE_UP = "UPDATE task SET state = 'dead', last_error = $1, finished = $2, due = NULL, lease_until = NULL, lease_owner = NULL
        WHERE pk = $3 AND state = 'running' AND lease_owner = $4";
    NEXT_DUE = "SELECT min(due) AS due FROM task";
    DELETE_FINISHED = "DELETE FROM task WHERE pk IN (SELECT pk FROM task WHERE finished < $1 LIMIT $2)";
}

const TABLE: &str = "task";

fn conditions(filter: &TaskFilter) -> Conditions {
    let mut all = Conditions::default();
    all.and("name = #", filter.name.as_deref());
    all.and("state = #", filter.state.map(TaskState::as_str));
    all
}

fn page_of(filter: &TaskFilter, page: Page) -> Query {
    conditions(filter).rows(TABLE, "created DESC, pk DESC", page)
}

/// The lists that a filter asks for, for the test that prepares them.
#[cfg(test)]
pub(super) fn listing(filter: &TaskFilter) -> [Query; 2] {
    [page_of(filter, Page::ALL), conditions(filter).total(TABLE)]
}

fn read(row: &Row) -> Result<Task> {
    Ok(Task {
        pk: row.uuid("pk")?,
        name: row.text("name")?,
        args: row.json("args")?,
        state: row.named("state", TaskState::parse)?,
        attempts: row.number("attempts")?,
        max_attempts: row.number("max_attempts")?,
        run_at: row.time("run_at")?,
        lease_until: row.opt_time("lease_until")?,
        lease_owner: row.opt_text("lease_owner")?,
        last_error: row.opt_text("last_error")?,
        created: row.time("created")?,
        finished: row.opt_time("finished")?,
    })
}

#[async_trait]
impl Tasks for Tx {
    async fn lookup(&mut self, pk: Uuid) -> Result<Option<Task>> {
        self.one(Query::new(LOOKUP).bind(pk), read).await
    }

    async fn list(&mut self, filter: &TaskFilter, page: Page) -> Result<Vec<Task>> {
        self.all(page_of(filter, page), read).await
    }

    async fn count(&mut self, filter: &TaskFilter) -> Result<u64> {
        self.total(conditions(filter).total(TABLE)).await
    }

    async fn add(&mut self, task: NewTask, now: DateTime<Utc>) -> Result<()> {
        let query =
            Query::new(ADD).bind(task.pk).bind(task.name).bind(&task.args).bind(task.max_attempts).bind(task.run_at).bind(now);
        self.write(query).await?;
        Ok(())
    }

    async fn claim(&mut self, owner: &str, now: DateTime<Utc>, lease_until: DateTime<Utc>) -> Result<Option<Task>> {
        self.write(Query::new(BURY).bind(now).bind(LEASE_ENDED)).await?;
        let text = self.dialect.expand(CLAIM);
        self.take(Query::made(text).bind(owner).bind(lease_until).bind(now), read).await
    }

    async fn complete(&mut self, pk: Uuid, owner: &str, now: DateTime<Utc>) -> Result<bool> {
        Ok(self.write(Query::new(COMPLETE).bind(now).bind(pk).bind(owner)).await? > 0)
    }

    async fn fail(
        &mut self,
        pk: Uuid,
        owner: &str,
        error: &str,
        retry_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        if let Some(at) = retry_at
            && self.write(Query::new(RETRY).bind(error).bind(at).bind(pk).bind(owner)).await? > 0
        {
            return Ok(true);
        }
        Ok(self.write(Query::new(GIVE_UP).bind(error).bind(now).bind(pk).bind(owner)).await? > 0)
    }

    async fn next_due(&mut self) -> Result<Option<DateTime<Utc>>> {
        Ok(self.one(Query::new(NEXT_DUE), |row| row.opt_time("due")).await?.flatten())
    }

    async fn delete_finished(&mut self, before: DateTime<Utc>) -> Result<u64> {
        self.write(Query::new(DELETE_FINISHED).bind(before).bind(CLEAN_BATCH)).await
    }
}
