//! Who has which role, in SQL.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde_json::{Value, json};
use uuid::Uuid;

use super::dialect::{Column, Dialect};
use super::query::{Query, keys, statements};
use super::tx::Tx;
use crate::error::{Result, StoreError};
use crate::records::Roles;

statements! {
    HAS_GROUP = r#"SELECT pk FROM "group" WHERE pk = $1"#;
    ADD_USER = "INSERT INTO role_user (role, user_pk) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    REMOVE_USER = "DELETE FROM role_user WHERE role = $1 AND user_pk = $2";
    ADD_GROUP = "INSERT INTO role_group (role, group_pk) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    REMOVE_GROUP = "DELETE FROM role_group WHERE role = $1 AND group_pk = $2";
}

/// The statements that take any number of keys.
pub(super) struct Texts {
    of_users: String,
    of_groups: String,
    users_with: String,
    groups_with: String,
    forget_users: String,
    forget_groups: String,
}

impl Texts {
    pub(super) fn of(dialect: &Dialect) -> Self {
        let users = dialect.rows(&[("key", Column::Int)]);
        let uuids = dialect.rows(&[("key", Column::Uuid)]);
        Self {
            of_users: format!("SELECT user_pk, role FROM role_user WHERE user_pk IN (SELECT key FROM {users})"),
            of_groups: format!("SELECT group_pk, role FROM role_group WHERE group_pk IN (SELECT key FROM {uuids})"),
            users_with: format!("SELECT user_pk, role FROM role_user WHERE role IN (SELECT key FROM {uuids})"),
            groups_with: format!("SELECT group_pk, role FROM role_group WHERE role IN (SELECT key FROM {uuids})"),
            forget_users: format!("DELETE FROM role_user WHERE role IN (SELECT key FROM {uuids})"),
            forget_groups: format!("DELETE FROM role_group WHERE role IN (SELECT key FROM {uuids})"),
        }
    }

    #[cfg(test)]
    pub(super) fn all(self) -> [String; 6] {
        [self.of_users, self.of_groups, self.users_with, self.groups_with, self.forget_users, self.forget_groups]
    }
}

#[async_trait]
impl Roles for Tx {
    async fn of_users(&mut self, users: &[i64]) -> Result<BTreeSet<(i64, Uuid)>> {
        let keys: Value = users.iter().map(|key| json!({ "key": key })).collect();
        let query = Query::made(Texts::of(self.dialect).of_users).bind(&keys);
        Ok(self.all(query, |row| Ok((row.int("user_pk")?, row.uuid("role")?))).await?.into_iter().collect())
    }

    async fn of_groups(&mut self, groups: &[Uuid]) -> Result<BTreeSet<(Uuid, Uuid)>> {
        let query = Query::made(Texts::of(self.dialect).of_groups).bind(&keys(groups));
        Ok(self.all(query, |row| Ok((row.uuid("group_pk")?, row.uuid("role")?))).await?.into_iter().collect())
    }

    async fn users_with(&mut self, roles: &[Uuid]) -> Result<BTreeSet<(Uuid, i64)>> {
        let query = Query::made(Texts::of(self.dialect).users_with).bind(&keys(roles));
        Ok(self.all(query, |row| Ok((row.uuid("role")?, row.int("user_pk")?))).await?.into_iter().collect())
    }

    async fn groups_with(&mut self, roles: &[Uuid]) -> Result<BTreeSet<(Uuid, Uuid)>> {
        let query = Query::made(Texts::of(self.dialect).groups_with).bind(&keys(roles));
        Ok(self.all(query, |row| Ok((row.uuid("role")?, row.uuid("group_pk")?))).await?.into_iter().collect())
    }

    async fn add_user(&mut self, role: Uuid, user: i64) -> Result<()> {
        // Which of the two keys is unknown the engine does not say; there is one that it looks at.
        self.write(Query::new(ADD_USER).bind(role).bind(user)).await.map(drop)
    }

    async fn remove_user(&mut self, role: Uuid, user: i64) -> Result<bool> {
        Ok(self.write(Query::new(REMOVE_USER).bind(role).bind(user)).await? > 0)
    }

    async fn add_group(&mut self, role: Uuid, group: Uuid) -> Result<()> {
        self.check_writable()?;
        if self.row(Query::new(HAS_GROUP).bind(group)).await?.is_none() {
            return self.refuse(StoreError::Missing("group"));
        }
        self.write(Query::new(ADD_GROUP).bind(role).bind(group)).await.map(drop)
    }

    async fn remove_group(&mut self, role: Uuid, group: Uuid) -> Result<bool> {
        Ok(self.write(Query::new(REMOVE_GROUP).bind(role).bind(group)).await? > 0)
    }

    async fn forget(&mut self, roles: &[Uuid]) -> Result<()> {
        let texts = Texts::of(self.dialect);
        for text in [texts.forget_users, texts.forget_groups] {
            self.write(Query::made(text).bind(&keys(roles))).await?;
        }
        Ok(())
    }
}
