//! Configuration in SQL: three tables, each written by one statement however many rows there are.

use std::collections::HashMap;

use async_trait::async_trait;
use serde_json::{Value, json};
use uuid::Uuid;

use super::dialect::{Column, Dialect};
use super::query::{Query, statements};
use super::row::Row;
use super::tx::Tx;
use crate::error::{Result, StoreError};
use crate::records::rules::check_rows;
use crate::records::{CommitOutcome, ObjectRow, Objects, StoredEdge, StoredUnique};

statements! {
    REVISION = "SELECT number FROM revision";
    // A write, so that engines that lock rows lock this one.
    LOCK = "UPDATE revision SET number = number RETURNING number";
    ADVANCE = "UPDATE revision SET number = $1 WHERE number = $2";
    LIVE = "SELECT * FROM object WHERE NOT deleted ORDER BY pk";
    // A tombstone has neither of these.
    LIVE_REFS = "SELECT * FROM object_ref ORDER BY source, position";
    LIVE_UNIQUE = "SELECT * FROM object_unique ORDER BY object, position";
    SINCE = "SELECT * FROM object WHERE revision > $1 ORDER BY revision, pk";
    SINCE_REFS = "SELECT r.* FROM object o JOIN object_ref r ON r.source = o.pk WHERE o.revision > $1
        ORDER BY r.source, r.position";
    SINCE_UNIQUE = "SELECT u.* FROM object o JOIN object_unique u ON u.object = o.pk WHERE o.revision > $1
        ORDER BY u.object, u.position";
}

/// The statements of a commit, which take their rows as one JSON array.
pub(super) struct CommitTexts {
    put: String,
    forget_refs: String,
    add_refs: String,
    forget_unique: String,
    add_unique: String,
}

impl CommitTexts {
    pub(super) fn of(dialect: &Dialect) -> Self {
        use Column::{Flag, Int, Text};
        let keys = dialect.rows(&[("pk", Column::Uuid)]);
        let objects = dialect.rows(&[
            ("pk", Column::Uuid),
            ("kind", Text),
            ("alias", Column::Uuid),
            ("version", Int),
            ("managed", Text),
            ("deleted", Flag),
            ("body", Text),
        ]);
        let refs = dialect.rows(&[("source", Column::Uuid), ("position", Int), ("field", Text), ("target", Text)]);
        let unique =
            dialect.rows(&[("kind", Text), ("field", Text), ("value", Text), ("object", Column::Uuid), ("position", Int)]);
        Self {
            // `WHERE true` because SQLite would take `ON` for a part of the join.
            put: format!(
                "INSERT INTO object (pk, kind, alias, version, revision, managed, deleted, body)
                 SELECT pk, kind, alias, version, CAST($2 AS BIGINT), managed, deleted, body FROM {objects} WHERE true
                 ON CONFLICT (pk) DO UPDATE SET kind = excluded.kind, alias = excluded.alias, version = excluded.version,
                 revision = excluded.revision, managed = excluded.managed, deleted = excluded.deleted, body = excluded.body"
            ),
            forget_refs: format!("DELETE FROM object_ref WHERE source IN (SELECT pk FROM {keys})"),
            add_refs: format!(
                "INSERT INTO object_ref (source, position, field, target) SELECT source, position, field, target FROM {refs}"
            ),
            forget_unique: format!("DELETE FROM object_unique WHERE object IN (SELECT pk FROM {keys})"),
            add_unique: format!(
                "INSERT INTO object_unique (kind, field, value, object, position)
                 SELECT kind, field, value, object, position FROM {unique}"
            ),
        }
    }

    /// All of them, for the test that prepares them.
    #[cfg(test)]
    pub(super) fn all(self) -> [String; 5] {
        [self.put, self.forget_refs, self.add_refs, self.forget_unique, self.add_unique]
    }
}

/// A UUID as [`Dialect::rows`] takes it.
fn hex(uuid: Uuid) -> String {
    uuid.simple().to_string()
}

fn read(row: &Row) -> Result<ObjectRow> {
    Ok(ObjectRow {
        pk: row.uuid("pk")?,
        kind: row.text("kind")?,
        alias: row.opt_uuid("alias")?,
        version: row.number("version")?,
        revision: row.number("revision")?,
        managed: row.opt_text("managed")?,
        deleted: row.flag("deleted")?,
        body: row.json("body")?,
        refs: Vec::new(),
        unique: Vec::new(),
    })
}

impl Tx {
    /// The objects of the first query, with what the other two find for them.
    async fn objects_of(&mut self, [objects, refs, unique]: [Query; 3]) -> Result<Vec<ObjectRow>> {
        let mut rows = self.all(objects, read).await?;
        let places: HashMap<Uuid, usize> = rows.iter().enumerate().map(|(place, row)| (row.pk, place)).collect();
        for row in self.rows(refs).await? {
            if let Some(object) = places.get(&row.uuid("source")?).and_then(|place| rows.get_mut(*place)) {
                object.refs.push(StoredEdge { field: row.text("field")?, to: row.text("target")? });
            }
        }
        for row in self.rows(unique).await? {
            if let Some(object) = places.get(&row.uuid("object")?).and_then(|place| rows.get_mut(*place)) {
                object.unique.push(StoredUnique { field: row.text("field")?, value: row.text("value")? });
            }
        }
        Ok(rows)
    }
}

fn there(number: Option<u64>) -> Result<u64> {
    number.ok_or_else(|| StoreError::Corrupt("the revision is not there".into()))
}

#[async_trait]
impl Objects for Tx {
    async fn revision(&mut self) -> Result<u64> {
        let row = self.one(Query::new(REVISION), |row| row.number("number")).await?;
        there(row)
    }

    async fn lock_revision(&mut self) -> Result<u64> {
        let row = self.lock(Query::new(LOCK), |row| row.number("number")).await?;
        there(row)
    }

    async fn all(&mut self) -> Result<Vec<ObjectRow>> {
        self.objects_of([LIVE, LIVE_REFS, LIVE_UNIQUE].map(Query::new)).await
    }

    async fn since(&mut self, revision: u64) -> Result<Vec<ObjectRow>> {
        self.objects_of([SINCE, SINCE_REFS, SINCE_UNIQUE].map(|text| Query::new(text).bind(revision))).await
    }

    async fn commit(&mut self, base: u64, rows: &[ObjectRow]) -> Result<CommitOutcome> {
        self.check_writable()?;
        check_rows(rows).or_else(|reason| self.refuse(reason))?;
        let next = base.saturating_add(1);
        if self.write(Query::new(ADVANCE).bind(next).bind(base)).await? == 0 {
            return Ok(CommitOutcome::Stale);
        }
        let texts = CommitTexts::of(self.dialect);
        let given = Given::of(rows);
        self.write(Query::made(texts.put).bind(&given.objects).bind(next)).await?;
        self.write(Query::made(texts.forget_refs).bind(&given.keys)).await?;
        self.write(Query::made(texts.add_refs).bind(&given.refs)).await?;
        // All old values go before any new one comes, so that two objects may exchange theirs.
        self.write(Query::made(texts.forget_unique).bind(&given.keys)).await?;
        self.write(Query::made(texts.add_unique).bind(&given.unique)).await?;
        if let Some(tell) = self.dialect.tell {
            self.row(Query::new(tell).bind(next)).await?;
        }
        Ok(CommitOutcome::Committed(next))
    }
}

/// The rows of a commit as JSON arrays, one for each table.
struct Given {
    keys: Value,
    objects: Value,
    refs: Value,
    unique: Value,
}

impl Given {
    fn of(rows: &[ObjectRow]) -> Self {
        let live = || rows.iter().filter(|row| !row.deleted);
        let object = |row: &ObjectRow| {
            // A body travels as a text inside the JSON, so that no engine gets the idea to write it anew.
            let body = if row.deleted { Value::Null } else { row.body.clone() }.to_string();
            let alias = row.alias.map(hex);
            json!({ "pk": hex(row.pk), "kind": row.kind, "alias": alias, "version": row.version, "managed": row.managed,
                    "deleted": row.deleted, "body": body })
        };
        let refs = live().flat_map(|row| {
            row.refs.iter().enumerate().map(move |(position, edge)| {
            json!({ "source": hex(row.pk), "position": position, "field": edge.field, "target": edge.to })
        })
        });
        let unique = live().flat_map(|row| {
            row.unique.iter().enumerate().map(move |(position, one)| {
            json!({ "kind": row.kind, "field": one.field, "value": one.value, "object": hex(row.pk), "position": position })
        })
        });
        Self {
            keys: rows.iter().map(|row| json!({ "pk": hex(row.pk) })).collect(),
            objects: rows.iter().map(object).collect(),
            refs: refs.collect(),
            unique: unique.collect(),
        }
    }
}
