//! Keys that stand for an account, in SQL.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::query::{Conditions, Query, order, statements};
use super::row::Row;
use super::tx::Tx;
use crate::error::Result;
use crate::records::rules::fold;
use crate::records::{CLEAN_BATCH, Page, Token, TokenFilter, TokenIntent, TokenOrder, Tokens};

statements! {
    LOOKUP = "SELECT * FROM token WHERE pk = $1";
    BY_HASH = "SELECT * FROM token WHERE key_hash = $1 AND (expires IS NULL OR expires > $2)";
    BY_IDENTIFIER = "SELECT * FROM token WHERE identifier = $1";
    ADD = "INSERT INTO token (identifier, user_pk, intent, key_hash, key_sealed, description, expires, managed, created,
        search_folded, pk) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    UPDATE = "UPDATE token SET identifier = $1, user_pk = $2, intent = $3, key_hash = $4, key_sealed = $5, description = $6,
        expires = $7, managed = $8, created = $9, search_folded = $10 WHERE pk = $11";
    SPEND = "DELETE FROM token WHERE key_hash = $1 AND intent = $2 AND (expires IS NULL OR expires > $3) RETURNING *";
    DELETE = "DELETE FROM token WHERE pk = $1";
    DELETE_EXPIRED = "DELETE FROM token WHERE pk IN (SELECT pk FROM token WHERE expires <= $1 LIMIT $2)";
}

const TABLE: &str = "token";

fn conditions(filter: &TokenFilter) -> Conditions {
    let mut all = Conditions::default();
    let found =
        r#"(search_folded LIKE # ESCAPE '\' OR user_pk IN (SELECT pk FROM "user" WHERE username_folded LIKE # ESCAPE '\'))"#;
    all.and_words(found, filter.search.as_deref());
    all.and("user_pk = #", filter.user);
    all.and(r#"user_pk IN (SELECT pk FROM "user" WHERE username = #)"#, filter.username.as_deref());
    all.and("intent = #", filter.intent.map(TokenIntent::as_str));
    all.and("identifier = #", filter.identifier.as_deref());
    all.and("description = #", filter.description.as_deref());
    all.and("expires = #", filter.expires);
    all.and("(expires IS NOT NULL) = #", filter.expiring);
    all.and("managed = #", filter.managed.as_deref());
    all
}

fn sorted(filter: &TokenFilter) -> String {
    let column = |field| match field {
        TokenOrder::Pk => ("pk", false),
        TokenOrder::Identifier => ("identifier", false),
        TokenOrder::Intent => ("intent", false),
        TokenOrder::User => ("user_pk", false),
        TokenOrder::Description => ("description", false),
        TokenOrder::Expires => ("expires", true),
        TokenOrder::Managed => ("managed", true),
    };
    order(&filter.order, column, "identifier")
}

/// The lists that a filter asks for, for the test that prepares them.
#[cfg(test)]
pub(super) fn listing(filter: &TokenFilter) -> [Query; 2] {
    [conditions(filter).rows(TABLE, &sorted(filter), Page::ALL), conditions(filter).total(TABLE)]
}

fn read(row: &Row) -> Result<Token> {
    Ok(Token {
        pk: row.uuid("pk")?,
        identifier: row.text("identifier")?,
        user: row.int("user_pk")?,
        intent: row.named("intent", TokenIntent::parse)?,
        key_hash: row.hash("key_hash")?,
        key_sealed: row.opt_text("key_sealed")?,
        description: row.text("description")?,
        expires: row.opt_time("expires")?,
        managed: row.opt_text("managed")?,
        created: row.time("created")?,
    })
}

/// The values of [`ADD`] and [`UPDATE`].
fn values(text: &'static str, token: &Token) -> Query {
    Query::new(text)
        .bind(token.identifier.as_str())
        .bind(token.user)
        .bind(token.intent.as_str())
        .bind(&token.key_hash)
        .bind(token.key_sealed.as_deref())
        .bind(token.description.as_str())
        .bind(token.expires)
        .bind(token.managed.as_deref())
        .bind(token.created)
        .bind(fold(&format!("{} {} {}", token.identifier, token.intent.as_str(), token.description)))
        .bind(token.pk)
}

#[async_trait]
impl Tokens for Tx {
    async fn lookup(&mut self, pk: Uuid) -> Result<Option<Token>> {
        self.one(self.held(LOOKUP).bind(pk), read).await
    }

    async fn find_by_hash(&mut self, key_hash: &[u8; 32], now: DateTime<Utc>) -> Result<Option<Token>> {
        self.one(Query::new(BY_HASH).bind(key_hash).bind(now), read).await
    }

    async fn find_by_identifier(&mut self, identifier: &str) -> Result<Option<Token>> {
        self.one(Query::new(BY_IDENTIFIER).bind(identifier), read).await
    }

    async fn list(&mut self, filter: &TokenFilter, page: Page) -> Result<Vec<Token>> {
        self.all(conditions(filter).rows(TABLE, &sorted(filter), page), read).await
    }

    async fn count(&mut self, filter: &TokenFilter) -> Result<u64> {
        self.total(conditions(filter).total(TABLE)).await
    }

    async fn add(&mut self, token: &Token) -> Result<()> {
        self.write(values(ADD, token)).await?;
        Ok(())
    }

    async fn update(&mut self, token: &Token) -> Result<()> {
        self.change(values(UPDATE, token), "token").await
    }

    async fn spend(&mut self, key_hash: &[u8; 32], intent: TokenIntent, now: DateTime<Utc>) -> Result<Option<Token>> {
        self.take(Query::new(SPEND).bind(key_hash).bind(intent.as_str()).bind(now), read).await
    }

    async fn delete(&mut self, pk: Uuid) -> Result<bool> {
        Ok(self.write(Query::new(DELETE).bind(pk)).await? > 0)
    }

    async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<u64> {
        self.write(Query::new(DELETE_EXPIRED).bind(now).bind(CLEAN_BATCH)).await
    }
}
