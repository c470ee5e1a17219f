//! What happened, in SQL.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::query::{Conditions, Query, statements};
use super::row::Row;
use super::tx::Tx;
use crate::error::Result;
use crate::records::{CLEAN_BATCH, Event, EventFilter, Events, Page};

statements! {
    LOOKUP = "SELECT * FROM event WHERE pk = $1";
    ADD = "INSERT INTO event (pk, action, app, actor, user_pk, context, client_ip, created, expires)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    DELETE_EXPIRED = "DELETE FROM event WHERE pk IN (SELECT pk FROM event WHERE expires <= $1 LIMIT $2)";
}

const TABLE: &str = "event";

fn conditions(filter: &EventFilter) -> Conditions {
    let mut all = Conditions::default();
    all.and("action = #", filter.action.as_deref());
    all.and("user_pk = #", filter.user);
    all
}

fn page_of(filter: &EventFilter, page: Page) -> Query {
    conditions(filter).rows(TABLE, "created DESC, pk DESC", page)
}

/// The lists that a filter asks for, for the test that prepares them.
#[cfg(test)]
pub(super) fn listing(filter: &EventFilter) -> [Query; 2] {
    [page_of(filter, Page::ALL), conditions(filter).total(TABLE)]
}

fn read(row: &Row) -> Result<Event> {
    Ok(Event {
        pk: row.uuid("pk")?,
        action: row.text("action")?,
        app: row.text("app")?,
        user: row.json("actor")?,
        user_pk: row.opt_int("user_pk")?,
        context: row.json("context")?,
        client_ip: row.opt_ip("client_ip")?,
        created: row.time("created")?,
        expires: row.time("expires")?,
    })
}

#[async_trait]
impl Events for Tx {
    async fn lookup(&mut self, pk: Uuid) -> Result<Option<Event>> {
        self.one(Query::new(LOOKUP).bind(pk), read).await
    }

    async fn list(&mut self, filter: &EventFilter, page: Page) -> Result<Vec<Event>> {
        self.all(page_of(filter, page), read).await
    }

    async fn count(&mut self, filter: &EventFilter) -> Result<u64> {
        self.total(conditions(filter).total(TABLE)).await
    }

    async fn add(&mut self, event: &Event) -> Result<()> {
        let query = Query::new(ADD)
            .bind(event.pk)
            .bind(event.action.as_str())
            .bind(event.app.as_str())
            .bind(&event.user)
            .bind(event.user_pk)
            .bind(&event.context)
            .bind(event.client_ip)
            .bind(event.created)
            .bind(event.expires);
        self.write(query).await?;
        Ok(())
    }

    async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<u64> {
        self.write(Query::new(DELETE_EXPIRED).bind(now).bind(CLEAN_BATCH)).await
    }
}
