//! Why people were refused, in SQL.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::query::{Query, statements};
use super::row::Row;
use super::tx::Tx;
use crate::error::Result;
use crate::records::{CLEAN_BATCH, DecisionTrace, DecisionTraces, MOST_TRACES};

statements! {
    LOOKUP = "SELECT * FROM decision_trace WHERE reference = $1";
    COUNT = "SELECT count(*) AS total FROM decision_trace";
    PUT = "INSERT INTO decision_trace (reference, body, created, expires) VALUES ($1, $2, $3, $4)
        ON CONFLICT (reference) DO UPDATE SET body = excluded.body, created = excluded.created, expires = excluded.expires";
    DELETE_EXPIRED = "DELETE FROM decision_trace WHERE reference IN (SELECT reference FROM decision_trace
        WHERE expires <= $1 OR created <= (SELECT created FROM decision_trace ORDER BY created DESC LIMIT 1 OFFSET $2) LIMIT $3)";
}

fn read(row: &Row) -> Result<DecisionTrace> {
    Ok(DecisionTrace {
        reference: row.text("reference")?,
        body: row.json("body")?,
        created: row.time("created")?,
        expires: row.time("expires")?,
    })
}

#[async_trait]
impl DecisionTraces for Tx {
    async fn lookup(&mut self, reference: &str) -> Result<Option<DecisionTrace>> {
        self.one(Query::new(LOOKUP).bind(reference), read).await
    }

    async fn count(&mut self) -> Result<u64> {
        self.total(Query::new(COUNT)).await
    }

    async fn put(&mut self, trace: &DecisionTrace) -> Result<()> {
        let query = Query::new(PUT).bind(trace.reference.as_str()).bind(&trace.body);
        self.write(query.bind(trace.created).bind(trace.expires)).await?;
        Ok(())
    }

    async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<u64> {
        self.write(Query::new(DELETE_EXPIRED).bind(now).bind(MOST_TRACES).bind(CLEAN_BATCH)).await
    }
}
