//! Configuration, in memory.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::Tx;
use super::state::State;
use crate::error::{Result, StoreError};
use crate::records::rules::check_rows;
use crate::records::{CommitOutcome, ObjectRow, Objects};

impl State {
    /// Stores the rows as `revision`: first all old unique values go, so that two objects may exchange theirs.
    fn put_objects(&mut self, revision: u64, rows: &[ObjectRow]) -> Result<()> {
        for old in rows.iter().filter_map(|row| self.objects.get(&row.pk)) {
            for unique in &old.unique {
                self.unique.remove(&(old.kind.clone(), unique.field.clone(), unique.value.clone()));
            }
        }
        for row in rows {
            let mut row = ObjectRow { revision, ..row.clone() };
            if row.deleted {
                row.body = Value::Null;
                row.refs.clear();
                row.unique.clear();
            }
            for unique in &row.unique {
                let place = (row.kind.clone(), unique.field.clone(), unique.value.clone());
                if self.unique.insert(place, row.pk).is_some() {
                    return Err(StoreError::Taken("unique value"));
                }
            }
            self.objects.insert(row.pk, Arc::new(row));
        }
        self.revision = revision;
        Ok(())
    }
}

#[async_trait]
impl Objects for Tx {
    async fn revision(&mut self) -> Result<u64> {
        Ok(self.state.revision)
    }

    async fn lock_revision(&mut self) -> Result<u64> {
        // The transaction has the writers' turn already.
        self.write(|state| Ok(state.revision))
    }

    async fn all(&mut self) -> Result<Vec<ObjectRow>> {
        Ok(self.state.objects.values().filter(|row| !row.deleted).map(|row| ObjectRow::clone(row)).collect())
    }

    async fn since(&mut self, revision: u64) -> Result<Vec<ObjectRow>> {
        let newer = self.state.objects.values().filter(|row| row.revision > revision);
        let mut rows: Vec<ObjectRow> = newer.map(|row| ObjectRow::clone(row)).collect();
        rows.sort_by_key(|row| (row.revision, row.pk));
        Ok(rows)
    }

    async fn commit(&mut self, base: u64, rows: &[ObjectRow]) -> Result<CommitOutcome> {
        self.write(|state| {
            check_rows(rows)?;
            if state.revision != base {
                return Ok(CommitOutcome::Stale);
            }
            state.put_objects(base + 1, rows)?;
            Ok(CommitOutcome::Committed(base + 1))
        })
    }
}
