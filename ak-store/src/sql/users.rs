//! Accounts in SQL.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::dialect::{Column, Dialect};
use super::groups;
use super::query::{Conditions, Query, order, statements};
use super::row::Row;
use super::tx::Tx;
use crate::error::{Result, StoreError};
use crate::records::rules::{check_username, fold, upn};
use crate::records::{Group, Groups as _, NewUser, Page, User, UserField, UserFilter, UserKey, UserOrder, UserType, Users};

statements! {
    LOOKUP = r#"SELECT * FROM "user" WHERE pk = $1"#;
    BY_UUID = r#"SELECT * FROM "user" WHERE uuid = $1"#;
    BY_USERNAME = r#"SELECT * FROM "user" WHERE username = $1"#;
    // The folded columns have the indexes: who asks for an exact value gives both forms. Sorted by `pk` as it stands, PostgreSQL
    // without statistics walks through all accounts in that order instead, in the hope of meeting two soon.
    BY_FIELD_USERNAME = r#"SELECT * FROM "user" WHERE username_folded = $1 AND username = $2 ORDER BY pk + 0 LIMIT 2"#;
    BY_FIELD_EMAIL = r#"SELECT * FROM "user" WHERE email_folded = $1 AND email = $2 ORDER BY pk + 0 LIMIT 2"#;
    BY_FIELD_UPN = r#"SELECT * FROM "user" WHERE upn_folded = $1 AND upn = $2 ORDER BY pk + 0 LIMIT 2"#;
    BY_FOLDED_USERNAME = r#"SELECT * FROM "user" WHERE username_folded = $1 ORDER BY pk + 0 LIMIT 2"#;
    BY_FOLDED_EMAIL = r#"SELECT * FROM "user" WHERE email_folded = $1 ORDER BY pk + 0 LIMIT 2"#;
    BY_FOLDED_UPN = r#"SELECT * FROM "user" WHERE upn_folded = $1 ORDER BY pk + 0 LIMIT 2"#;
    ADD = r#"INSERT INTO "user" (uuid, username, username_folded, name, name_folded, email, email_folded, upn, upn_folded,
        is_active, type, path, attributes, password, password_change_date, date_joined, last_updated)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15, $15) RETURNING *"#;
    UPDATE = r#"UPDATE "user" SET uuid = $1, username = $2, username_folded = $3, name = $4, name_folded = $5, email = $6,
        email_folded = $7, upn = $8, upn_folded = $9, is_active = $10, type = $11, path = $12, attributes = $13,
        date_joined = $14, last_updated = $15 WHERE pk = $16"#;
    SET_PASSWORD = r#"UPDATE "user" SET password = $1, password_change_date = $2, last_updated = $2 WHERE pk = $3"#;
    UPGRADE_PASSWORD = r#"UPDATE "user" SET password = $1 WHERE pk = $2 AND password = $3"#;
    TOUCH_LOGIN = r#"UPDATE "user" SET last_login = $1 WHERE pk = $2"#;
    PATHS = r#"SELECT DISTINCT path FROM "user" ORDER BY path"#;
    DELETE = r#"DELETE FROM "user" WHERE pk = $1"#;
}

pub(super) fn read(row: &Row) -> Result<User> {
    Ok(User {
        pk: row.int("pk")?,
        uuid: row.uuid("uuid")?,
        username: row.text("username")?,
        name: row.text("name")?,
        email: row.text("email")?,
        is_active: row.flag("is_active")?,
        r#type: row.named("type", UserType::parse)?,
        path: row.text("path")?,
        attributes: row.json("attributes")?,
        password: row.opt_text("password")?,
        password_change_date: row.time("password_change_date")?,
        date_joined: row.time("date_joined")?,
        last_login: row.opt_time("last_login")?,
        last_updated: row.time("last_updated")?,
    })
}

const TABLE: &str = r#""user""#;

/// Whether the account is in a group that lets its members do everything, or in one below such a group.
const IS_ONE: &str = r#"pk IN (WITH RECURSIVE down (pk) AS (
        SELECT pk FROM "group" WHERE is_superuser
        UNION
        SELECT p.group_pk FROM group_parent p JOIN down ON p.parent_pk = down.pk
    ) SELECT m.user_pk FROM membership m JOIN down ON m.group_pk = down.pk)"#;

/// The same as a condition of a list.
const IS_SUPERUSER: &str = r#"(pk IN (WITH RECURSIVE down (pk) AS (
        SELECT pk FROM "group" WHERE is_superuser
        UNION
        SELECT p.group_pk FROM group_parent p JOIN down ON p.parent_pk = down.pk
    ) SELECT m.user_pk FROM membership m JOIN down ON m.group_pk = down.pk)) = #"#;

fn conditions(dialect: &Dialect, filter: &UserFilter) -> Conditions {
    let mut all = Conditions::default();
    let found = r"(username_folded LIKE # ESCAPE '\' OR name_folded LIKE # ESCAPE '\' OR email_folded LIKE # ESCAPE '\')";
    all.and_words(found, filter.search.as_deref());
    all.and("username = #", filter.username.as_deref());
    all.and("name = #", filter.name.as_deref());
    // The folded column has the index.
    all.and("email_folded = #", filter.email.as_deref().map(fold));
    all.and("email = #", filter.email.as_deref());
    all.and("uuid = #", filter.uuid);
    all.and("is_active = #", filter.is_active);
    all.and(IS_SUPERUSER, filter.is_superuser);
    all.and_in("type IN (#)", filter.types.iter().map(|sort| sort.as_str()));
    all.and("path = #", filter.path.as_deref());
    // What begins so lies between it and the last text that does: an index finds it.
    let prefix = filter.path_prefix.as_deref().filter(|prefix| !prefix.is_empty());
    all.and("path >= #", prefix);
    all.and("path <= #", prefix.map(last_of));
    all.and_moments("date_joined", &filter.date_joined);
    all.and_moments("last_login", &filter.last_login);
    all.and("(last_login IS NOT NULL) = #", filter.has_signed_in);
    all.and_moments("last_updated", &filter.last_updated);
    for set in &filter.groups {
        all.and_in(r#"EXISTS (SELECT 1 FROM membership WHERE group_pk IN (#) AND user_pk = "user".pk)"#, set.iter().copied());
    }
    for set in &filter.roles {
        all.and_in(r#"EXISTS (SELECT 1 FROM role_user WHERE role IN (#) AND user_pk = "user".pk)"#, set.iter().copied());
    }
    all.and_attributes(dialect, "attributes", &filter.attributes);
    all
}

/// The last text that begins with `prefix`, for all texts that people write: none has so many of the greatest character.
fn last_of(prefix: &str) -> String {
    format!("{prefix}{}", "\u{10FFFF}".repeat(4))
}

fn sorted(filter: &UserFilter) -> String {
    let column = |field| match field {
        UserOrder::Pk => ("pk", false),
        UserOrder::Username => ("username", false),
        UserOrder::Name => ("name", false),
        UserOrder::Email => ("email", false),
        UserOrder::IsActive => ("is_active", false),
        UserOrder::Type => ("type", false),
        UserOrder::Path => ("path", false),
        UserOrder::Uuid => ("uuid", false),
        UserOrder::DateJoined => ("date_joined", false),
        UserOrder::LastLogin => ("last_login", true),
        UserOrder::LastUpdated => ("last_updated", false),
    };
    order(&filter.order, column, "pk")
}

/// The lists that a filter asks for, for the test that prepares them.
#[cfg(test)]
pub(super) fn listing(dialect: &Dialect, filter: &UserFilter) -> [Query; 2] {
    let rows = conditions(dialect, filter).rows(TABLE, &sorted(filter), Page::ALL);
    [rows, conditions(dialect, filter).total(TABLE)]
}

pub(super) fn superusers(dialect: &Dialect) -> String {
    format!("SELECT pk FROM {TABLE} WHERE pk IN (SELECT key FROM {}) AND {IS_ONE}", dialect.rows(&[("key", Column::Int)]))
}

pub(super) fn many(dialect: &Dialect) -> String {
    format!(r#"SELECT * FROM "user" WHERE pk IN (SELECT key FROM {})"#, dialect.rows(&[("key", Column::Int)]))
}

#[async_trait]
impl Users for Tx {
    async fn lookup(&mut self, pk: i64) -> Result<Option<User>> {
        self.one(self.held(LOOKUP).bind(pk), read).await
    }

    async fn with_memberships(&mut self, key: UserKey<'_>) -> Result<Option<(User, Vec<(Group, bool)>)>> {
        let query = match key {
            // What is looked up by its key in order to be written over must stay as it is.
            UserKey::Pk(pk) if self.is_writable() => {
                let Some(user) = Users::lookup(self, pk).await? else { return Ok(None) };
                let memberships = self.memberships(pk).await?;
                return Ok(Some((user, memberships)));
            }
            UserKey::Pk(pk) => Query::new(groups::BY_PK).bind(pk),
            UserKey::Username(name) => Query::new(groups::BY_USERNAME).bind(name),
        };
        let rows = self.rows(query).await?;
        let Some(first) = rows.first() else { return Ok(None) };
        Ok(Some((read(first)?, groups::beside(&rows)?)))
    }

    async fn lookup_many(&mut self, pks: &[i64]) -> Result<BTreeMap<i64, User>> {
        let keys: Vec<_> = pks.iter().map(|pk| json!({ "key": pk })).collect();
        let query = Query::made(many(self.dialect)).bind(&json!(keys));
        Ok(self.all(query, read).await?.into_iter().map(|user| (user.pk, user)).collect())
    }

    async fn find_by_uuid(&mut self, uuid: Uuid) -> Result<Option<User>> {
        self.one(Query::new(BY_UUID).bind(uuid), read).await
    }

    async fn find_by_username(&mut self, username: &str) -> Result<Option<User>> {
        self.one(Query::new(BY_USERNAME).bind(username), read).await
    }

    async fn find_by_field(&mut self, field: UserField, value: &str, fold_case: bool) -> Result<Vec<User>> {
        if value.is_empty() {
            return Ok(Vec::new());
        }
        let query = match (field, fold_case) {
            (UserField::Username, true) => Query::new(BY_FOLDED_USERNAME),
            (UserField::Email, true) => Query::new(BY_FOLDED_EMAIL),
            (UserField::Upn, true) => Query::new(BY_FOLDED_UPN),
            (UserField::Username, false) => Query::new(BY_FIELD_USERNAME),
            (UserField::Email, false) => Query::new(BY_FIELD_EMAIL),
            (UserField::Upn, false) => Query::new(BY_FIELD_UPN),
        };
        let query = query.bind(fold(value));
        self.all(if fold_case { query } else { query.bind(value) }, read).await
    }

    async fn list(&mut self, filter: &UserFilter, page: Page) -> Result<Vec<User>> {
        self.all(conditions(self.dialect, filter).rows(TABLE, &sorted(filter), page), read).await
    }

    async fn count(&mut self, filter: &UserFilter) -> Result<u64> {
        self.total(conditions(self.dialect, filter).total(TABLE)).await
    }

    async fn superusers(&mut self, pks: &[i64]) -> Result<BTreeSet<i64>> {
        let keys: Vec<_> = pks.iter().map(|pk| json!({ "key": pk })).collect();
        let query = Query::made(superusers(self.dialect)).bind(&json!(keys));
        Ok(self.all(query, |row| row.int("pk")).await?.into_iter().collect())
    }

    async fn paths(&mut self) -> Result<Vec<String>> {
        self.all(Query::new(PATHS), |row| row.text("path")).await
    }

    async fn add(&mut self, user: NewUser, now: DateTime<Utc>) -> Result<User> {
        self.check_writable()?;
        check_username(&user.username).or_else(|reason| self.refuse(reason))?;
        let upn = upn(&user.attributes);
        let query = Query::new(ADD)
            .bind(user.uuid)
            .bind(user.username.as_str())
            .bind(fold(&user.username))
            .bind(user.name.as_str())
            .bind(fold(&user.name))
            .bind(user.email.as_str())
            .bind(fold(&user.email))
            .bind(upn)
            .bind(upn.map(fold))
            .bind(user.is_active)
            .bind(user.r#type.as_str())
            .bind(user.path.as_str())
            .bind(&user.attributes)
            .bind(user.password.as_deref())
            .bind(now);
        let added = self.take(query, read).await?;
        added.ok_or_else(|| StoreError::Backend("no row came back for the new account".into()))
    }

    async fn update(&mut self, user: &User, now: DateTime<Utc>) -> Result<()> {
        self.check_writable()?;
        check_username(&user.username).or_else(|reason| self.refuse(reason))?;
        let upn = upn(&user.attributes);
        let query = Query::new(UPDATE)
            .bind(user.uuid)
            .bind(user.username.as_str())
            .bind(fold(&user.username))
            .bind(user.name.as_str())
            .bind(fold(&user.name))
            .bind(user.email.as_str())
            .bind(fold(&user.email))
            .bind(upn)
            .bind(upn.map(fold))
            .bind(user.is_active)
            .bind(user.r#type.as_str())
            .bind(user.path.as_str())
            .bind(&user.attributes)
            .bind(user.date_joined)
            .bind(now)
            .bind(user.pk);
        self.change(query, "user").await
    }

    async fn set_password(&mut self, pk: i64, hash: Option<&str>, now: DateTime<Utc>) -> Result<()> {
        self.change(Query::new(SET_PASSWORD).bind(hash).bind(now).bind(pk), "user").await
    }

    async fn upgrade_password(&mut self, pk: i64, old: &str, new: &str) -> Result<bool> {
        Ok(self.write(Query::new(UPGRADE_PASSWORD).bind(new).bind(pk).bind(old)).await? > 0)
    }

    async fn touch_login(&mut self, pk: i64, now: DateTime<Utc>) -> Result<()> {
        self.change(Query::new(TOUCH_LOGIN).bind(now).bind(pk), "user").await
    }

    async fn delete(&mut self, pk: i64) -> Result<bool> {
        self.sessions_of_user_end(pk, None).await?;
        Ok(self.write(Query::new(DELETE).bind(pk)).await? > 0)
    }
}
