//! Who has which role. Roles themselves are objects.

use std::collections::BTreeSet;

use async_trait::async_trait;
use uuid::Uuid;

use crate::error::Result;

/// Which accounts and groups have been given which roles. Members of a group have its roles, and those of its parents.
#[async_trait]
pub trait Roles: Send {
    /// The roles given to these accounts themselves: (account, role).
    async fn of_users(&mut self, users: &[i64]) -> Result<BTreeSet<(i64, Uuid)>>;
    /// The roles given to these groups themselves: (group, role).
    async fn of_groups(&mut self, groups: &[Uuid]) -> Result<BTreeSet<(Uuid, Uuid)>>;
    /// The accounts that have been given one of these roles themselves: (role, account).
    async fn users_with(&mut self, roles: &[Uuid]) -> Result<BTreeSet<(Uuid, i64)>>;
    /// The groups that have been given one of these roles themselves: (role, group).
    async fn groups_with(&mut self, roles: &[Uuid]) -> Result<BTreeSet<(Uuid, Uuid)>>;
    /// Gives the role to an account; nothing where it has it. An unknown account is [`crate::StoreError::Missing`].
    async fn add_user(&mut self, role: Uuid, user: i64) -> Result<()>;
    /// Takes the role from an account; whether it had been given it.
    async fn remove_user(&mut self, role: Uuid, user: i64) -> Result<bool>;
    /// Gives the role to a group; nothing where it has it. An unknown group is [`crate::StoreError::Missing`].
    async fn add_group(&mut self, role: Uuid, group: Uuid) -> Result<()>;
    /// Takes the role from a group; whether it had been given it.
    async fn remove_group(&mut self, role: Uuid, group: Uuid) -> Result<bool>;
    /// Takes these roles from everybody.
    async fn forget(&mut self, roles: &[Uuid]) -> Result<()>;
}
