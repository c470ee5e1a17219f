//! The passwords that accounts had, in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Tx;
use super::state::State;
use crate::error::{Result, StoreError};
use crate::records::{CLEAN_BATCH, PasswordHistories};

#[async_trait]
impl PasswordHistories for Tx {
    async fn last(&mut self, user: i64, limit: u32) -> Result<Vec<String>> {
        let kept = self.state.password_history.range((user, 0)..=(user, u64::MAX)).rev();
        Ok(kept.take(limit as usize).map(|(_, hash)| hash.to_string()).collect())
    }

    async fn add(&mut self, user: i64, hash: &str, _: DateTime<Utc>) -> Result<()> {
        self.write(|state| {
            if !state.users.contains_key(&user) {
                return Err(StoreError::Missing("user"));
            }
            state.last_password += 1;
            state.password_history.insert((user, state.last_password), hash.into());
            Ok(())
        })
    }

    async fn trim(&mut self, user: i64, kept: u32) -> Result<u64> {
        self.write(|state| Ok(state.trim_passwords_of(user, kept)))
    }

    async fn over(&mut self, kept: u32) -> Result<Vec<i64>> {
        let mut counts: BTreeMap<i64, u32> = BTreeMap::new();
        self.state.password_history.keys().for_each(|(user, _)| *counts.entry(*user).or_default() += 1);
        let over = counts.into_iter().filter(|(_, count)| *count > kept);
        Ok(over.take(CLEAN_BATCH as usize).map(|(user, _)| user).collect())
    }
}

impl State {
    /// Forgets all but the last `kept` passwords that an account had; how many.
    pub(super) fn trim_passwords_of(&mut self, user: i64, kept: u32) -> u64 {
        let own = self.password_history.range((user, 0)..=(user, u64::MAX)).rev();
        let places: Vec<(i64, u64)> = own.skip(kept as usize).map(|(place, _)| *place).collect();
        places.iter().for_each(|place| drop(self.password_history.remove(place)));
        places.len() as u64
    }
}
