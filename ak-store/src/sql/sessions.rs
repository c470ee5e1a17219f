//! Browser sessions in SQL.

use std::net::IpAddr;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::query::{Conditions, Query, statements};
use super::row::Row;
use super::tx::Tx;
use crate::error::Result;
use crate::records::{CLEAN_BATCH, NewTask, Page, Session, SessionFilter, Sessions};

statements! {
    LOOKUP = "SELECT * FROM session WHERE id = $1 AND expires > $2";
    FIND_BY_HALF = "SELECT * FROM session WHERE id >= $1 AND id <= $2 AND expires > $3 ORDER BY id LIMIT 1";
    ADD = "INSERT INTO session (id, user_pk, plan, turn, data, created, last_used, expires, last_ip, last_user_agent)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    SWAP_PLAN = "UPDATE session SET plan = $1, data = $2, turn = turn + 1 WHERE id = $3 AND turn = $4";
    TOUCH = "UPDATE session SET last_used = $1, last_ip = $2, last_user_agent = $3 WHERE id = $4";
    DELETE = "DELETE FROM session WHERE id = $1";
    DELETE_OF_USER = "DELETE FROM session WHERE user_pk = $1";
    DELETE_OTHERS_OF_USER = "DELETE FROM session WHERE user_pk = $1 AND id <> $2";
    AT_END = "INSERT INTO session_task (session, subject, pk, name, args, max_attempts, run_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (session, subject) DO UPDATE SET pk = excluded.pk, name = excluded.name, args = excluded.args,
        max_attempts = excluded.max_attempts, run_at = excluded.run_at";
    SUCCEED = "UPDATE session_task SET session = $1 WHERE session = $2";
    // What waits for the end of sessions: asked for, and then forgotten.
    ASK = "INSERT INTO task (pk, name, args, state, attempts, max_attempts, run_at, due, created)
        SELECT pk, name, args, 'queued', 0, max_attempts, run_at, run_at, run_at FROM session_task WHERE session = $1";
    FORGET = "DELETE FROM session_task WHERE session = $1";
    ASK_OF_USER = "INSERT INTO task (pk, name, args, state, attempts, max_attempts, run_at, due, created)
        SELECT pk, name, args, 'queued', 0, max_attempts, run_at, run_at, run_at FROM session_task
        WHERE session IN (SELECT id FROM session WHERE user_pk = $1 AND id <> $2)";
    FORGET_OF_USER = "DELETE FROM session_task WHERE session IN (SELECT id FROM session WHERE user_pk = $1 AND id <> $2)";
    ASK_OF_LOST = "INSERT INTO task (pk, name, args, state, attempts, max_attempts, run_at, due, created)
        SELECT pk, name, args, 'queued', 0, max_attempts, run_at, run_at, run_at FROM session_task
        WHERE NOT EXISTS (SELECT 1 FROM session WHERE session.id = session_task.session)";
    FORGET_OF_LOST = "DELETE FROM session_task WHERE NOT EXISTS (SELECT 1 FROM session WHERE session.id = session_task.session)";
    DELETE_EXPIRED = "DELETE FROM session WHERE id IN (SELECT id FROM session WHERE expires <= $1 LIMIT $2)";
}

const TABLE: &str = "session";

fn conditions(filter: &SessionFilter) -> Conditions {
    let mut all = Conditions::default();
    all.and("user_pk = #", filter.user);
    all.and("expires > #", filter.valid_at);
    if filter.signed_in {
        all.and_plain("user_pk IS NOT NULL");
    }
    all.and("last_ip = #", filter.last_ip.map(|ip| ip.to_string()));
    all.and("last_user_agent = #", filter.last_user_agent.as_deref());
    all
}

fn page_of(filter: &SessionFilter, page: Page) -> Query {
    conditions(filter).rows(TABLE, "last_used DESC, id", page)
}

/// The lists that a filter asks for, for the test that prepares them.
#[cfg(test)]
pub(super) fn listing(filter: &SessionFilter) -> [Query; 2] {
    [page_of(filter, Page::ALL), conditions(filter).total(TABLE)]
}

fn read(row: &Row) -> Result<Session> {
    Ok(Session {
        id: row.hash("id")?,
        user: row.opt_int("user_pk")?,
        plan: row.opt_json("plan")?,
        turn: row.int("turn")?,
        data: row.json("data")?,
        created: row.time("created")?,
        last_used: row.time("last_used")?,
        expires: row.time("expires")?,
        last_ip: row.opt_ip("last_ip")?,
        last_user_agent: row.text("last_user_agent")?,
    })
}

#[async_trait]
impl Sessions for Tx {
    async fn lookup(&mut self, id: &[u8; 32], now: DateTime<Utc>) -> Result<Option<Session>> {
        self.one(self.held(LOOKUP).bind(id).bind(now), read).await
    }

    async fn find_by_half(&mut self, half: &[u8; 16], now: DateTime<Utc>) -> Result<Option<Session>> {
        let (first, last) = ends(half);
        self.one(Query::new(FIND_BY_HALF).bind(&first).bind(&last).bind(now), read).await
    }

    async fn list(&mut self, filter: &SessionFilter, page: Page) -> Result<Vec<Session>> {
        self.all(page_of(filter, page), read).await
    }

    async fn count(&mut self, filter: &SessionFilter) -> Result<u64> {
        self.total(conditions(filter).total(TABLE)).await
    }

    async fn add(&mut self, session: &Session) -> Result<()> {
        let query = Query::new(ADD)
            .bind(&session.id)
            .bind(session.user)
            .bind(session.plan.as_ref())
            .bind(session.turn)
            .bind(&session.data)
            .bind(session.created)
            .bind(session.last_used)
            .bind(session.expires)
            .bind(session.last_ip)
            .bind(session.last_user_agent.as_str());
        self.write(query).await?;
        Ok(())
    }

    async fn swap_plan(&mut self, id: &[u8; 32], turn: i64, plan: Option<&Value>, data: &Value) -> Result<bool> {
        Ok(self.write(Query::new(SWAP_PLAN).bind(plan).bind(data).bind(id).bind(turn)).await? > 0)
    }

    async fn touch(&mut self, id: &[u8; 32], now: DateTime<Utc>, ip: Option<IpAddr>, user_agent: &str) -> Result<()> {
        self.change(Query::new(TOUCH).bind(now).bind(ip).bind(user_agent).bind(id), "session").await
    }

    async fn at_end(&mut self, id: &[u8; 32], subject: &str, task: &NewTask) -> Result<()> {
        let query = Query::new(AT_END).bind(id).bind(subject).bind(task.pk).bind(task.name.as_str()).bind(&task.args);
        self.write(query.bind(task.max_attempts).bind(task.run_at)).await?;
        Ok(())
    }

    async fn succeed(&mut self, from: &[u8; 32], to: &[u8; 32]) -> Result<()> {
        self.write(Query::new(SUCCEED).bind(to).bind(from)).await?;
        Ok(())
    }

    async fn delete(&mut self, id: &[u8; 32]) -> Result<bool> {
        if self.write(Query::new(ASK).bind(id)).await? > 0 {
            self.write(Query::new(FORGET).bind(id)).await?;
        }
        Ok(self.write(Query::new(DELETE).bind(id)).await? > 0)
    }

    async fn delete_of_user(&mut self, user: i64, except: Option<&[u8; 32]>) -> Result<u64> {
        self.sessions_of_user_end(user, except).await?;
        self.write(match except {
            Some(id) => Query::new(DELETE_OTHERS_OF_USER).bind(user).bind(id),
            None => Query::new(DELETE_OF_USER).bind(user),
        })
        .await
    }

    async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<u64> {
        let ended = self.write(Query::new(DELETE_EXPIRED).bind(now).bind(CLEAN_BATCH)).await?;
        // What waits for the end of a session that is not there, for whatever reason.
        self.write(Query::new(ASK_OF_LOST)).await?;
        self.write(Query::new(FORGET_OF_LOST)).await?;
        Ok(ended)
    }
}

/// The least and the greatest id that begin with these bytes.
fn ends(half: &[u8; 16]) -> ([u8; 32], [u8; 32]) {
    let fill = |rest: u8| {
        let mut id = [rest; 32];
        id.iter_mut().zip(half).for_each(|(to, from)| *to = *from);
        id
    };
    (fill(0), fill(u8::MAX))
}

/// The id of no session: no digest is that.
const NONE: [u8; 32] = [0; 32];

impl Tx {
    /// Asks for what waits for the end of an account's sessions, before they are deleted.
    pub(super) async fn sessions_of_user_end(&mut self, user: i64, except: Option<&[u8; 32]>) -> Result<()> {
        for text in [ASK_OF_USER, FORGET_OF_USER] {
            self.write(Query::new(text).bind(user).bind(except.unwrap_or(&NONE))).await?;
        }
        Ok(())
    }
}
