//! Who has which role, in memory.

use std::collections::BTreeSet;

use async_trait::async_trait;
use uuid::Uuid;

use super::Tx;
use crate::error::{Result, StoreError};
use crate::records::Roles;

#[async_trait]
impl Roles for Tx {
    async fn of_users(&mut self, users: &[i64]) -> Result<BTreeSet<(i64, Uuid)>> {
        Ok(self.state.role_users.iter().filter(|(user, _)| users.contains(user)).copied().collect())
    }

    async fn of_groups(&mut self, groups: &[Uuid]) -> Result<BTreeSet<(Uuid, Uuid)>> {
        Ok(self.state.role_groups.iter().filter(|(group, _)| groups.contains(group)).copied().collect())
    }

    async fn users_with(&mut self, roles: &[Uuid]) -> Result<BTreeSet<(Uuid, i64)>> {
        let found = self.state.role_users.iter().filter(|(_, role)| roles.contains(role));
        Ok(found.map(|(user, role)| (*role, *user)).collect())
    }

    async fn groups_with(&mut self, roles: &[Uuid]) -> Result<BTreeSet<(Uuid, Uuid)>> {
        let found = self.state.role_groups.iter().filter(|(_, role)| roles.contains(role));
        Ok(found.map(|(group, role)| (*role, *group)).collect())
    }

    async fn add_user(&mut self, role: Uuid, user: i64) -> Result<()> {
        self.write(|state| {
            if !state.users.contains_key(&user) {
                return Err(StoreError::Missing("user"));
            }
            state.role_users.insert((user, role));
            Ok(())
        })
    }

    async fn remove_user(&mut self, role: Uuid, user: i64) -> Result<bool> {
        self.write(|state| Ok(state.role_users.remove(&(user, role)).is_some()))
    }

    async fn add_group(&mut self, role: Uuid, group: Uuid) -> Result<()> {
        self.write(|state| {
            if !state.groups.contains_key(&group) {
                return Err(StoreError::Missing("group"));
            }
            state.role_groups.insert((group, role));
            Ok(())
        })
    }

    async fn remove_group(&mut self, role: Uuid, group: Uuid) -> Result<bool> {
        self.write(|state| Ok(state.role_groups.remove(&(group, role)).is_some()))
    }

    async fn forget(&mut self, roles: &[Uuid]) -> Result<()> {
        self.write(|state| {
            state.role_users = state.role_users.iter().filter(|(_, role)| !roles.contains(role)).copied().collect();
            state.role_groups = state.role_groups.iter().filter(|(_, role)| !roles.contains(role)).copied().collect();
            Ok(())
        })
    }
}
