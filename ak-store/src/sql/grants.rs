//! What clients were given, in SQL.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::dialect::{Column, Dialect};
use super::query::{Conditions, Query, keys, order, statements};
use super::row::Row;
use super::tx::Tx;
use crate::error::{Result, StoreError};
use crate::records::{CLEAN_BATCH, Grant, GrantFilter, GrantKind, GrantOrder, Grants, Page};

statements! {
    LOOKUP = "SELECT * FROM oauth_grant WHERE pk = $1";
    FIND_BY_HASH = "SELECT * FROM oauth_grant WHERE key_hash = $1";
    ADD = "INSERT INTO oauth_grant (kind, key_hash, provider, user_pk, session, family, scope, data, since, created, expires, ended)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING pk";
    END = "UPDATE oauth_grant SET ended = $1 WHERE pk = $2 AND ended IS NULL RETURNING *";
    END_FAMILY = "UPDATE oauth_grant SET ended = $1 WHERE family = $2 AND ended IS NULL";
    MOVE_SESSION = "UPDATE oauth_grant SET session = $1 WHERE session = $2";
    DELETE = "DELETE FROM oauth_grant WHERE pk = $1";
    DELETE_EXPIRED = "DELETE FROM oauth_grant WHERE pk IN (SELECT pk FROM oauth_grant WHERE expires <= $1 LIMIT $2)";
}

const TABLE: &str = "oauth_grant";

fn conditions(dialect: &Dialect, filter: &GrantFilter) -> Conditions {
    let mut all = Conditions::default();
    let found = r#"(provider IN (@) OR user_pk IN (SELECT pk FROM "user" WHERE username_folded LIKE # ESCAPE '\'))"#;
    all.and_found(dialect, found, &filter.search);
    all.and("kind = #", filter.kind.map(GrantKind::as_str));
    all.and("provider = #", filter.provider);
    all.and("user_pk = #", filter.user);
    all
}

fn sorted(filter: &GrantFilter) -> String {
    let column = |field| match field {
        GrantOrder::Pk => ("pk", false),
        GrantOrder::Provider => ("provider", false),
        GrantOrder::User => ("user_pk", false),
        GrantOrder::Scope => ("scope", false),
        GrantOrder::Expires => ("expires", false),
        GrantOrder::Revoked => ("(ended IS NOT NULL)", false),
    };
    order(&filter.order, column, "pk")
}

/// Removes what the providers in the table `given` gave.
pub(super) fn forget(dialect: &Dialect) -> String {
    format!("DELETE FROM oauth_grant WHERE provider IN (SELECT key FROM {})", dialect.rows(&[("key", Column::Uuid)]))
}

/// The lists that a filter asks for, for the test that prepares them.
#[cfg(test)]
pub(super) fn listing(dialect: &Dialect, filter: &GrantFilter) -> [Query; 2] {
    [conditions(dialect, filter).rows(TABLE, &sorted(filter), Page::ALL), conditions(dialect, filter).total(TABLE)]
}

fn read(row: &Row) -> Result<Grant> {
    Ok(Grant {
        pk: row.int("pk")?,
        kind: row.named("kind", GrantKind::parse)?,
        key_hash: row.hash("key_hash")?,
        provider: row.uuid("provider")?,
        user: row.int("user_pk")?,
        session: row.opt_hash("session")?,
        family: row.uuid("family")?,
        scope: row.text("scope")?,
        data: row.json("data")?,
        since: row.time("since")?,
        created: row.time("created")?,
        expires: row.time("expires")?,
        ended: row.opt_time("ended")?,
    })
}

#[async_trait]
impl Grants for Tx {
    async fn lookup(&mut self, pk: i64) -> Result<Option<Grant>> {
        self.one(Query::new(LOOKUP).bind(pk), read).await
    }

    async fn find_by_hash(&mut self, key_hash: &[u8; 32]) -> Result<Option<Grant>> {
        self.one(self.held(FIND_BY_HASH).bind(key_hash), read).await
    }

    async fn list(&mut self, filter: &GrantFilter, page: Page) -> Result<Vec<Grant>> {
        self.all(conditions(self.dialect, filter).rows(TABLE, &sorted(filter), page), read).await
    }

    async fn count(&mut self, filter: &GrantFilter) -> Result<u64> {
        self.total(conditions(self.dialect, filter).total(TABLE)).await
    }

    async fn add(&mut self, grant: &Grant) -> Result<i64> {
        let query = Query::new(ADD)
            .bind(grant.kind.as_str())
            .bind(&grant.key_hash)
            .bind(grant.provider)
            .bind(grant.user)
            .bind(grant.session.as_ref())
            .bind(grant.family)
            .bind(grant.scope.as_str())
            .bind(&grant.data)
            .bind(grant.since)
            .bind(grant.created)
            .bind(grant.expires)
            .bind(grant.ended);
        let pk = self.take(query, |row| row.int("pk")).await?;
        pk.ok_or_else(|| StoreError::Backend("a grant is not there after it was kept".into()))
    }

    async fn lock_family(&mut self, family: Uuid) -> Result<()> {
        self.check_writable()?;
        if let Some(lock) = self.dialect.lock_family {
            // Two families that share a number wait for each other, and that is all.
            let (_, number) = family.as_u64_pair();
            self.lock(Query::new(lock).bind(number.cast_signed()), |_| Ok(())).await?;
        }
        Ok(())
    }

    async fn end(&mut self, pk: i64, now: DateTime<Utc>) -> Result<Option<Grant>> {
        self.take(Query::new(END).bind(now).bind(pk), read).await
    }

    async fn end_family(&mut self, family: Uuid, now: DateTime<Utc>) -> Result<u64> {
        self.write(Query::new(END_FAMILY).bind(now).bind(family)).await
    }

    async fn move_session(&mut self, from: &[u8; 32], to: &[u8; 32]) -> Result<u64> {
        self.write(Query::new(MOVE_SESSION).bind(to).bind(from)).await
    }

    async fn delete(&mut self, pk: i64) -> Result<bool> {
        Ok(self.write(Query::new(DELETE).bind(pk)).await? > 0)
    }

    async fn forget(&mut self, providers: &[Uuid]) -> Result<()> {
        self.write(Query::made(forget(self.dialect)).bind(&keys(providers))).await?;
        Ok(())
    }

    async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<u64> {
        self.write(Query::new(DELETE_EXPIRED).bind(now).bind(CLEAN_BATCH)).await
    }
}
