//! What people have agreed to, in SQL.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::dialect::{Column, Dialect};
use super::query::{Conditions, Query, keys, order, statements};
use super::row::Row;
use super::tx::Tx;
use crate::error::{Result, StoreError};
use crate::records::{CLEAN_BATCH, Consent, ConsentFilter, ConsentOrder, Consents, NewConsent, Page};

statements! {
    LOOKUP = "SELECT * FROM consent WHERE pk = $1";
    FIND = "SELECT * FROM consent WHERE user_pk = $1 AND application = $2 AND (expires IS NULL OR expires > $3)";
    PUT = "INSERT INTO consent (user_pk, application, permissions, expires) VALUES ($1, $2, $3, $4)
        ON CONFLICT (user_pk, application) DO UPDATE SET permissions = excluded.permissions, expires = excluded.expires RETURNING *";
    DELETE = "DELETE FROM consent WHERE pk = $1";
    DELETE_EXPIRED = "DELETE FROM consent WHERE pk IN (SELECT pk FROM consent WHERE expires <= $1 LIMIT $2)";
}

const TABLE: &str = "consent";

fn conditions(dialect: &Dialect, filter: &ConsentFilter) -> Conditions {
    let mut all = Conditions::default();
    let found = r#"(application IN (@) OR user_pk IN (SELECT pk FROM "user" WHERE username_folded LIKE # ESCAPE '\'))"#;
    all.and_found(dialect, found, &filter.search);
    all.and("user_pk = #", filter.user);
    all.and("application = #", filter.application);
    all
}

fn sorted(filter: &ConsentFilter) -> String {
    let column = |field| match field {
        ConsentOrder::Pk => ("pk", false),
        ConsentOrder::User => ("user_pk", false),
        ConsentOrder::Application => ("application", false),
        ConsentOrder::Permissions => ("permissions", false),
        ConsentOrder::Expires => ("expires", true),
    };
    order(&filter.order, column, "pk")
}

/// Removes the consents for the applications in the table `given`.
pub(super) fn forget(dialect: &Dialect) -> String {
    format!("DELETE FROM consent WHERE application IN (SELECT key FROM {})", dialect.rows(&[("key", Column::Uuid)]))
}

/// The lists that a filter asks for, for the test that prepares them.
#[cfg(test)]
pub(super) fn listing(dialect: &Dialect, filter: &ConsentFilter) -> [Query; 2] {
    [conditions(dialect, filter).rows(TABLE, &sorted(filter), Page::ALL), conditions(dialect, filter).total(TABLE)]
}

fn read(row: &Row) -> Result<Consent> {
    Ok(Consent {
        pk: row.int("pk")?,
        user: row.int("user_pk")?,
        application: row.uuid("application")?,
        permissions: row.text("permissions")?,
        expires: row.opt_time("expires")?,
    })
}

#[async_trait]
impl Consents for Tx {
    async fn lookup(&mut self, pk: i64) -> Result<Option<Consent>> {
        self.one(Query::new(LOOKUP).bind(pk), read).await
    }

    async fn find(&mut self, user: i64, application: Uuid, now: DateTime<Utc>) -> Result<Option<Consent>> {
        self.one(Query::new(FIND).bind(user).bind(application).bind(now), read).await
    }

    async fn list(&mut self, filter: &ConsentFilter, page: Page) -> Result<Vec<Consent>> {
        self.all(conditions(self.dialect, filter).rows(TABLE, &sorted(filter), page), read).await
    }

    async fn count(&mut self, filter: &ConsentFilter) -> Result<u64> {
        self.total(conditions(self.dialect, filter).total(TABLE)).await
    }

    async fn put(&mut self, consent: &NewConsent) -> Result<Consent> {
        let query = Query::new(PUT).bind(consent.user).bind(consent.application);
        let query = query.bind(consent.permissions.as_str()).bind(consent.expires);
        let kept = self.take(query, read).await?;
        kept.ok_or_else(|| StoreError::Backend("a consent is not there after it was kept".into()))
    }

    async fn delete(&mut self, pk: i64) -> Result<bool> {
        Ok(self.write(Query::new(DELETE).bind(pk)).await? > 0)
    }

    async fn forget(&mut self, applications: &[Uuid]) -> Result<()> {
        self.write(Query::made(forget(self.dialect)).bind(&keys(applications))).await?;
        Ok(())
    }

    async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<u64> {
        self.write(Query::new(DELETE_EXPIRED).bind(now).bind(CLEAN_BATCH)).await
    }
}
