//! Groups in SQL.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::dialect::{Column, Dialect};
use super::query::{Conditions, Query, order, statements};
use super::row::Row;
use super::tx::Tx;
use super::users;
use crate::error::{Result, StoreError};
use crate::records::rules::{cycle, fold, parents};
use crate::records::{Group, GroupFilter, GroupOrder, Groups, Page, User};

statements! {
    LOOKUP = r#"SELECT * FROM "group" WHERE pk = $1"#;
    BY_NAME = r#"SELECT * FROM "group" WHERE name = $1"#;
    ADD = r#"INSERT INTO "group" (name, name_folded, is_superuser, attributes, last_updated, pk)
        VALUES ($1, $2, $3, $4, $5, $6)"#;
    UPDATE = r#"UPDATE "group" SET name = $1, name_folded = $2, is_superuser = $3, attributes = $4, last_updated = $5
        WHERE pk = $6"#;
    DELETE = r#"DELETE FROM "group" WHERE pk = $1"#;
    ADD_PARENT = "INSERT INTO group_parent (group_pk, parent_pk) VALUES ($1, $2)";
    FORGET_PARENTS = "DELETE FROM group_parent WHERE group_pk = $1";
    // Does the group stand above itself, once its new parents are stored?
    IS_CYCLE = "WITH RECURSIVE up (pk) AS (
            SELECT parent_pk FROM group_parent WHERE group_pk = $1
            UNION
            SELECT p.parent_pk FROM group_parent p JOIN up ON p.group_pk = up.pk
        ) SELECT count(*) AS total FROM up WHERE pk = $1";
    ADD_MEMBER = "INSERT INTO membership (group_pk, user_pk) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    REMOVE_MEMBER = "DELETE FROM membership WHERE group_pk = $1 AND user_pk = $2";
    MEMBERS = r#"SELECT u.* FROM membership m JOIN "user" u ON u.pk = m.user_pk WHERE m.group_pk = $1
        ORDER BY m.user_pk LIMIT $2 OFFSET $3"#;
    OF_USER = r#"SELECT g.* FROM membership m JOIN "group" g ON g.pk = m.group_pk WHERE m.user_pk = $1"#;
    OF_USER_INHERITED = r#"SELECT * FROM "group" WHERE pk IN (
        WITH RECURSIVE up (pk) AS (
            SELECT group_pk FROM membership WHERE user_pk = $1
            UNION
            SELECT p.parent_pk FROM group_parent p JOIN up ON p.group_pk = up.pk
        ) SELECT pk FROM up)"#;
    MEMBERSHIPS = r#"SELECT g.*, p.parent_pk, m.user_pk AS direct FROM (
            WITH RECURSIVE up (pk) AS (
                SELECT group_pk FROM membership WHERE user_pk = $1
                UNION
                SELECT p.parent_pk FROM group_parent p JOIN up ON p.group_pk = up.pk
            ) SELECT pk FROM up
        ) AS own JOIN "group" g ON g.pk = own.pk LEFT JOIN group_parent p ON p.group_pk = g.pk
        LEFT JOIN membership m ON m.user_pk = $1 AND m.group_pk = g.pk ORDER BY g.name, p.parent_pk"#;
}

const TABLE: &str = r#""group""#;

fn conditions(dialect: &Dialect, filter: &GroupFilter) -> Conditions {
    let mut all = Conditions::default();
    all.and_words(r"name_folded LIKE # ESCAPE '\'", filter.search.as_deref());
    all.and("name = #", filter.name.as_deref());
    all.and("is_superuser = #", filter.is_superuser);
    for set in &filter.members {
        all.and_in(r#"EXISTS (SELECT 1 FROM membership WHERE user_pk IN (#) AND group_pk = "group".pk)"#, set.iter().copied());
    }
    all.and_attributes(dialect, "attributes", &filter.attributes);
    all
}

fn sorted(filter: &GroupFilter, table: &str) -> String {
    let column = |field| match field {
        GroupOrder::Pk => ("pk", false),
        GroupOrder::Name => ("name", false),
        GroupOrder::IsSuperuser => ("is_superuser", false),
        GroupOrder::LastUpdated => ("last_updated", false),
    };
    order(&filter.order, column, "name").split(", ").map(|part| format!("{table}{part}")).collect::<Vec<_>>().join(", ")
}

/// The lists that a filter asks for, for the test that prepares them.
#[cfg(test)]
pub(super) fn listing(dialect: &Dialect, filter: &GroupFilter) -> [Query; 2] {
    let rows = conditions(dialect, filter).rows(TABLE, &sorted(filter, ""), Page::ALL);
    [with_parents_in(rows, &sorted(filter, "g.")), conditions(dialect, filter).total(TABLE)]
}

pub(super) fn many(dialect: &Dialect) -> String {
    format!(r#"SELECT * FROM "group" WHERE pk IN (SELECT key FROM {})"#, dialect.rows(&[("key", Column::Uuid)]))
}

pub(super) fn children(dialect: &Dialect) -> String {
    let given = dialect.rows(&[("key", Column::Uuid)]);
    format!(
        r#"SELECT * FROM "group" WHERE pk IN (SELECT group_pk FROM group_parent WHERE parent_pk IN (SELECT key FROM {given}))"#
    )
}

pub(super) fn of_users(dialect: &Dialect) -> String {
    let given = dialect.rows(&[("key", Column::Int)]);
    format!(
        r#"SELECT m.user_pk, m.group_pk FROM membership m JOIN "group" g ON g.pk = m.group_pk
        WHERE m.user_pk IN (SELECT key FROM {given}) ORDER BY m.user_pk, g.name"#
    )
}

/// The groups of `query` by name, a row for each parent (or one with a null).
pub(super) fn with_parents(query: Query) -> Query {
    with_parents_in(query, "g.name")
}

/// The same in an order of the list, which ends with the name.
fn with_parents_in(query: Query, order: &str) -> Query {
    let text = format!(
        "SELECT g.*, p.parent_pk FROM ({}) AS g LEFT JOIN group_parent p ON p.group_pk = g.pk ORDER BY {order}, p.parent_pk",
        query.text
    );
    Query { text: text.into(), params: query.params }
}

/// How a group's columns are called in a row.
struct Columns {
    pk: &'static str,
    name: &'static str,
    is_superuser: &'static str,
    attributes: &'static str,
    last_updated: &'static str,
}

/// Where the group stands alone.
const ALONE: Columns =
    Columns { pk: "pk", name: "name", is_superuser: "is_superuser", attributes: "attributes", last_updated: "last_updated" };

/// Where it stands beside an account.
const BESIDE: Columns = Columns {
    pk: "group_pk",
    name: "group_name",
    is_superuser: "group_is_superuser",
    attributes: "group_attributes",
    last_updated: "group_last_updated",
};

fn read(row: &Row, at: &Columns) -> Result<Group> {
    Ok(Group {
        pk: row.uuid(at.pk)?,
        name: row.text(at.name)?,
        is_superuser: row.flag(at.is_superuser)?,
        attributes: row.json(at.attributes)?,
        parents: row.opt_uuid("parent_pk")?.into_iter().collect(),
        last_updated: row.time(at.last_updated)?,
    })
}

/// The groups of rows in which each stands once for every parent.
fn grouped(rows: &[Row], at: &Columns) -> Result<Vec<Group>> {
    let mut groups: Vec<Group> = Vec::new();
    for row in rows {
        let pk = row.uuid(at.pk)?;
        match groups.last_mut().filter(|last| last.pk == pk) {
            Some(last) => last.parents.extend(row.opt_uuid("parent_pk")?),
            None => groups.push(read(row, at)?),
        }
    }
    Ok(groups)
}

/// The same, each with whether the account is in it directly, where a row says so.
fn memberships(rows: &[Row], at: &Columns) -> Result<Vec<(Group, bool)>> {
    let mut direct = BTreeSet::new();
    for row in rows {
        if row.opt_int("direct")?.is_some() {
            direct.insert(row.uuid(at.pk)?);
        }
    }
    let with = |group: Group| {
        let is_direct = direct.contains(&group.pk);
        (group, is_direct)
    };
    Ok(grouped(rows, at)?.into_iter().map(with).collect())
}

/// An account beside each of its groups, a row for each parent; beside nulls, if it is in none. `$1` is what it is looked up by.
macro_rules! account_with_groups {
    ($key:literal) => {
        concat!(
            r#"SELECT u.*, g.pk AS group_pk, g.name AS group_name, g.is_superuser AS group_is_superuser, g.attributes AS group_attributes,
                g.last_updated AS group_last_updated, p.parent_pk, m.user_pk AS direct
            FROM "user" u LEFT JOIN (
                WITH RECURSIVE up (pk) AS (
                    SELECT group_pk FROM membership WHERE user_pk = (SELECT pk FROM "user" WHERE "#,
            $key,
            r#" = $1)
                    UNION
                    SELECT p.parent_pk FROM group_parent p JOIN up ON p.group_pk = up.pk
                ) SELECT pk FROM up
            ) AS own ON TRUE LEFT JOIN "group" g ON g.pk = own.pk LEFT JOIN group_parent p ON p.group_pk = g.pk
            LEFT JOIN membership m ON m.user_pk = u.pk AND m.group_pk = g.pk WHERE u."#,
            $key,
            " = $1 ORDER BY g.name, p.parent_pk"
        )
    };
}

/// What stands beside accounts, for the subject of accounts.
pub(super) const BY_PK: &str = account_with_groups!("pk");
/// The same by the user name.
pub(super) const BY_USERNAME: &str = account_with_groups!("username");

/// The groups in rows of [`BY_PK`] and [`BY_USERNAME`].
pub(super) fn beside(rows: &[Row]) -> Result<Vec<(Group, bool)>> {
    match rows {
        [row] if row.opt_uuid(BESIDE.pk)?.is_none() => Ok(Vec::new()),
        rows => memberships(rows, &BESIDE),
    }
}

impl Tx {
    async fn groups_by_name(&mut self, query: Query) -> Result<Vec<Group>> {
        self.groups_of_rows(with_parents(query)).await
    }

    /// The groups of the rows of [`with_parents`].
    async fn groups_of_rows(&mut self, query: Query) -> Result<Vec<Group>> {
        grouped(&self.rows(query).await?, &ALONE)
    }

    async fn one_group(&mut self, query: Query) -> Result<Option<Group>> {
        Ok(self.groups_by_name(query).await?.into_iter().next())
    }

    /// Waits for its turn to put groups above each other: two that each get the other as a parent at the same moment would not
    /// see that they make a circle. Before any row is locked, or two of these could wait for each other.
    async fn take_turn(&mut self, parents: &BTreeSet<Uuid>) -> Result<()> {
        if let Some(lock) = self.dialect.lock_hierarchy.filter(|_| !parents.is_empty()) {
            self.row(Query::new(lock)).await?;
        }
        Ok(())
    }

    async fn add_parents(&mut self, group: Uuid, parents: BTreeSet<Uuid>) -> Result<()> {
        for parent in parents {
            if self.row(Query::new(LOOKUP).bind(parent)).await?.is_none() {
                return self.refuse(StoreError::Missing("parent"));
            }
            self.write(Query::new(ADD_PARENT).bind(group).bind(parent)).await?;
        }
        Ok(())
    }
}

/// The values of [`ADD`] and [`UPDATE`].
fn values(text: &'static str, group: &Group, updated: DateTime<Utc>) -> Query {
    Query::new(text)
        .bind(group.name.as_str())
        .bind(fold(&group.name))
        .bind(group.is_superuser)
        .bind(&group.attributes)
        .bind(updated)
        .bind(group.pk)
}

#[async_trait]
impl Groups for Tx {
    async fn lookup(&mut self, pk: Uuid) -> Result<Option<Group>> {
        self.one_group(self.held(LOOKUP).bind(pk)).await
    }

    async fn lookup_many(&mut self, pks: &[Uuid]) -> Result<BTreeMap<Uuid, Group>> {
        let keys: Vec<_> = pks.iter().map(|pk| json!({ "key": pk.simple().to_string() })).collect();
        let groups = self.groups_by_name(Query::made(many(self.dialect)).bind(&json!(keys))).await?;
        Ok(groups.into_iter().map(|group| (group.pk, group)).collect())
    }

    async fn find_by_name(&mut self, name: &str) -> Result<Option<Group>> {
        self.one_group(Query::new(BY_NAME).bind(name)).await
    }

    async fn list(&mut self, filter: &GroupFilter, page: Page) -> Result<Vec<Group>> {
        let rows = conditions(self.dialect, filter).rows(TABLE, &sorted(filter, ""), page);
        self.groups_of_rows(with_parents_in(rows, &sorted(filter, "g."))).await
    }

    async fn count(&mut self, filter: &GroupFilter) -> Result<u64> {
        self.total(conditions(self.dialect, filter).total(TABLE)).await
    }

    async fn children(&mut self, pks: &[Uuid]) -> Result<Vec<Group>> {
        let keys: Vec<_> = pks.iter().map(|pk| json!({ "key": pk.simple().to_string() })).collect();
        self.groups_by_name(Query::made(children(self.dialect)).bind(&json!(keys))).await
    }

    async fn add(&mut self, group: &Group) -> Result<()> {
        self.check_writable()?;
        let parents = parents(group).or_else(|reason| self.refuse(reason))?;
        self.take_turn(&parents).await?;
        self.write(values(ADD, group, group.last_updated)).await?;
        self.add_parents(group.pk, parents).await
    }

    async fn update(&mut self, group: &Group, now: DateTime<Utc>) -> Result<()> {
        self.check_writable()?;
        let parents = parents(group).or_else(|reason| self.refuse(reason))?;
        self.take_turn(&parents).await?;
        self.change(values(UPDATE, group, now), "group").await?;
        self.write(Query::new(FORGET_PARENTS).bind(group.pk)).await?;
        self.add_parents(group.pk, parents).await?;
        if self.total(Query::new(IS_CYCLE).bind(group.pk)).await? > 0 {
            return self.refuse(cycle());
        }
        Ok(())
    }

    async fn delete(&mut self, pk: Uuid) -> Result<bool> {
        Ok(self.write(Query::new(DELETE).bind(pk)).await? > 0)
    }

    async fn add_member(&mut self, group: Uuid, user: i64) -> Result<()> {
        self.check_writable()?;
        if self.row(Query::new(LOOKUP).bind(group)).await?.is_none() {
            return self.refuse(StoreError::Missing("group"));
        }
        self.write(Query::new(ADD_MEMBER).bind(group).bind(user)).await?;
        Ok(())
    }

    async fn remove_member(&mut self, group: Uuid, user: i64) -> Result<bool> {
        Ok(self.write(Query::new(REMOVE_MEMBER).bind(group).bind(user)).await? > 0)
    }

    async fn members(&mut self, group: Uuid, page: Page) -> Result<Vec<User>> {
        self.all(Query::new(MEMBERS).bind(group).bind(page.limit).bind(page.offset), users::read).await
    }

    async fn of_users(&mut self, users: &[i64]) -> Result<Vec<(i64, Group)>> {
        let keys: Vec<_> = users.iter().map(|pk| json!({ "key": pk })).collect();
        let pairs = Query::made(of_users(self.dialect)).bind(&json!(keys));
        let pairs = self.all(pairs, |row| Ok((row.int("user_pk")?, row.uuid("group_pk")?))).await?;
        let groups: Vec<Uuid> = pairs.iter().map(|(_, group)| *group).collect();
        let groups = self.lookup_many(&groups).await?;
        Ok(pairs.into_iter().filter_map(|(user, group)| Some((user, groups.get(&group)?.clone()))).collect())
    }

    async fn of_user(&mut self, user: i64, inherited: bool) -> Result<Vec<Group>> {
        self.groups_by_name(Query::new(if inherited { OF_USER_INHERITED } else { OF_USER }).bind(user)).await
    }

    async fn memberships(&mut self, user: i64) -> Result<Vec<(Group, bool)>> {
        memberships(&self.rows(Query::new(MEMBERSHIPS).bind(user)).await?, &ALONE)
    }
}
