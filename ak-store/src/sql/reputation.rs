//! How those who try to sign in have done lately, in SQL.

use std::net::IpAddr;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::query::{Conditions, Query, order, statements};
use super::row::Row;
use super::tx::Tx;
use crate::error::{Result, StoreError};
use crate::records::{CLEAN_BATCH, Page, Reputation, ReputationFilter, ReputationOrder, Reputations, ScoreChange};

statements! {
    LOOKUP = "SELECT * FROM reputation WHERE pk = $1";
    TOTAL = "SELECT CAST(COALESCE(sum(score), 0) AS BIGINT) AS total FROM reputation
        WHERE (ip = $1 OR identifier = $2) AND expires > $3";
    // `$5` is the score of who begins anew.
    CHANGE = "INSERT INTO reputation (pk, identifier, identifier_folded, ip, score, updated, expires)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (identifier, ip) DO UPDATE SET updated = excluded.updated, expires = excluded.expires,
            score = CASE WHEN reputation.expires <= excluded.updated THEN excluded.score
                WHEN reputation.score + $8 < $9 THEN $9
                WHEN reputation.score + $8 > $10 THEN $10
                ELSE reputation.score + $8 END
        RETURNING *";
    DELETE = "DELETE FROM reputation WHERE pk = $1";
    DELETE_EXPIRED = "DELETE FROM reputation WHERE pk IN (SELECT pk FROM reputation WHERE expires <= $1 LIMIT $2)";
}

const TABLE: &str = "reputation";

fn conditions(filter: &ReputationFilter) -> Conditions {
    let mut all = Conditions::default();
    all.and("identifier = #", filter.identifier.as_deref());
    all.and_in("identifier IN (#)", filter.identifiers.iter().map(String::as_str));
    all.and("ip = #", filter.ip.map(|ip| ip.to_string()));
    all.and("score = #", filter.score);
    all.and_words(
        "(identifier_folded LIKE # ESCAPE '\\' OR ip LIKE # ESCAPE '\\' OR CAST(score AS TEXT) LIKE # ESCAPE '\\')",
        filter.search.as_deref(),
    );
    all
}

fn sorted(filter: &ReputationFilter) -> String {
    let column = |field| match field {
        ReputationOrder::Pk => ("pk", false),
        ReputationOrder::Identifier => ("identifier", false),
        ReputationOrder::Ip => ("ip", false),
        ReputationOrder::Score => ("score", false),
        ReputationOrder::Updated => ("updated", false),
    };
    order(&filter.order, column, "pk")
}

/// The lists that a filter asks for, for the test that prepares them.
#[cfg(test)]
pub(super) fn listing(filter: &ReputationFilter) -> [Query; 2] {
    [conditions(filter).rows(TABLE, &sorted(filter), Page::ALL), conditions(filter).total(TABLE)]
}

fn read(row: &Row) -> Result<Reputation> {
    Ok(Reputation {
        pk: row.uuid("pk")?,
        identifier: row.text("identifier")?,
        ip: row.opt_ip("ip")?.ok_or_else(|| StoreError::Corrupt("column `ip`: there is no address".into()))?,
        score: row.int("score")?,
        updated: row.time("updated")?,
        expires: row.time("expires")?,
    })
}

#[async_trait]
impl Reputations for Tx {
    async fn lookup(&mut self, pk: Uuid) -> Result<Option<Reputation>> {
        self.one(Query::new(LOOKUP).bind(pk), read).await
    }

    async fn total(&mut self, ip: Option<IpAddr>, identifier: Option<&str>, now: DateTime<Utc>) -> Result<i64> {
        let query = Query::new(TOTAL).bind(ip).bind(identifier).bind(now);
        Ok(self.one(query, |row| row.int("total")).await?.unwrap_or(0))
    }

    async fn list(&mut self, filter: &ReputationFilter, page: Page) -> Result<Vec<Reputation>> {
        self.all(conditions(filter).rows(TABLE, &sorted(filter), page), read).await
    }

    async fn count(&mut self, filter: &ReputationFilter) -> Result<u64> {
        self.total(conditions(filter).total(TABLE)).await
    }

    async fn change(&mut self, change: &ScoreChange, now: DateTime<Utc>) -> Result<Reputation> {
        let query = Query::new(CHANGE).bind(change.pk).bind(change.identifier.as_str()).bind(change.identifier.to_lowercase());
        let query = query.bind(Some(change.ip)).bind(change.applied(0)).bind(now).bind(change.expires);
        let kept = self.take(query.bind(change.amount).bind(change.lower).bind(change.upper), read).await?;
        kept.ok_or_else(|| StoreError::Backend("a score is not there after it was kept".into()))
    }

    async fn delete(&mut self, pk: Uuid) -> Result<bool> {
        Ok(self.write(Query::new(DELETE).bind(pk)).await? > 0)
    }

    async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<u64> {
        self.write(Query::new(DELETE_EXPIRED).bind(now).bind(CLEAN_BATCH)).await
    }
}
