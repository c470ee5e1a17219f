//! Groups, their parents and their members.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{AttributeIs, By, Page, User};
use crate::error::Result;

/// A group of accounts. A member of a group is a member of the group's parents too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Key.
    pub pk: Uuid,
    /// Unique name.
    pub name: String,
    /// Whether members may do everything.
    pub is_superuser: bool,
    /// Free data, inherited by members.
    pub attributes: Map<String, Value>,
    /// The groups that this one is part of; each once and by key when read.
    pub parents: Vec<Uuid>,
    /// When the group was last changed.
    pub last_updated: DateTime<Utc>,
}

impl Group {
    /// A group without parents or attributes.
    pub fn named(pk: Uuid, name: impl Into<String>, now: DateTime<Utc>) -> Self {
        Self { pk, name: name.into(), is_superuser: false, attributes: Map::new(), parents: Vec::new(), last_updated: now }
    }

    /// A number for protocols that want one: the first five decimal digits of the key as an integer. It need not be unique.
    pub fn num_pk(&self) -> i64 {
        let digits = self.pk.as_u128().to_string();
        digits.chars().take(5).collect::<String>().parse().unwrap_or(0)
    }
}

/// Which groups a list holds, and in which order; every condition that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct GroupFilter {
    /// Words that must all be found in the name, without regard to case.
    pub search: Option<String>,
    /// Exact name.
    pub name: Option<String>,
    /// Whether members may do everything.
    pub is_superuser: Option<bool>,
    /// Has one of the accounts of each of these sets as a direct member; an empty set is no condition.
    pub members: Vec<Vec<i64>>,
    /// Has these values in its free data.
    pub attributes: Vec<AttributeIs>,
    /// In this order; then by name.
    pub order: Vec<By<GroupOrder>>,
}

/// What groups can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupOrder {
    /// The key.
    Pk,
    /// The name.
    Name,
    /// Whether members may do everything.
    IsSuperuser,
    /// When the group was last changed.
    LastUpdated,
}

/// Groups and memberships.
#[async_trait]
pub trait Groups: Send {
    /// The group with this key.
    async fn lookup(&mut self, pk: Uuid) -> Result<Option<Group>>;
    /// The groups with these keys, those that exist.
    async fn lookup_many(&mut self, pks: &[Uuid]) -> Result<BTreeMap<Uuid, Group>>;
    /// The group with exactly this name.
    async fn find_by_name(&mut self, name: &str) -> Result<Option<Group>>;
    /// The groups that `filter` lets through, in its order.
    async fn list(&mut self, filter: &GroupFilter, page: Page) -> Result<Vec<Group>>;
    /// How many groups `filter` lets through.
    async fn count(&mut self, filter: &GroupFilter) -> Result<u64>;
    /// The groups that stand directly below one of these, by name.
    async fn children(&mut self, pks: &[Uuid]) -> Result<Vec<Group>>;
    /// Makes a group. A taken name is [`crate::StoreError::Taken`], an unknown parent [`crate::StoreError::Missing`].
    async fn add(&mut self, group: &Group) -> Result<()>;
    /// Keeps all of `group`, its parents included. A parent that is the group itself or stands below it is
    /// [`crate::StoreError::Invalid`].
    async fn update(&mut self, group: &Group, now: DateTime<Utc>) -> Result<()>;
    /// Deletes the group with its memberships; whether it was there.
    async fn delete(&mut self, pk: Uuid) -> Result<bool>;
    /// Makes the account a direct member; nothing where it is one.
    async fn add_member(&mut self, group: Uuid, user: i64) -> Result<()>;
    /// Ends a direct membership; whether there was one.
    async fn remove_member(&mut self, group: Uuid, user: i64) -> Result<bool>;
    /// The direct members, by key.
    async fn members(&mut self, group: Uuid, page: Page) -> Result<Vec<User>>;
    /// The direct groups of these accounts: (account, group), by account and name of the group.
    async fn of_users(&mut self, users: &[i64]) -> Result<Vec<(i64, Group)>>;
    /// The groups that the account is in, by name: directly, or (`inherited`) through parents too.
    async fn of_user(&mut self, user: i64, inherited: bool) -> Result<Vec<Group>>;
    /// The groups that the account is in, through parents too, by name, each with whether it is in it directly.
    async fn memberships(&mut self, user: i64) -> Result<Vec<(Group, bool)>>;
}
