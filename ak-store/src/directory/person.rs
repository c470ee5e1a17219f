//! An account together with its groups.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::error::Result;
use crate::records::{Group, Repository, User, UserKey};

/// An account with all groups that it is in, through parents too.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// The account.
    pub user: User,
    /// Its groups by name, inherited ones included.
    pub groups: Vec<Group>,
    /// The keys of the groups that it is in directly.
    pub direct: BTreeSet<Uuid>,
}

impl Person {
    /// The person with this key.
    pub async fn lookup(repo: &mut dyn Repository, pk: i64) -> Result<Option<Self>> {
        Ok(repo.users().with_memberships(UserKey::Pk(pk)).await?.map(Self::new))
    }

    /// The person with exactly this user name.
    pub async fn named(repo: &mut dyn Repository, username: &str) -> Result<Option<Self>> {
        Ok(repo.users().with_memberships(UserKey::Username(username)).await?.map(Self::new))
    }

    /// The person of an account that was looked up.
    pub async fn of(repo: &mut dyn Repository, user: User) -> Result<Self> {
        let memberships = repo.groups().memberships(user.pk).await?;
        Ok(Self::new((user, memberships)))
    }

    fn new((user, memberships): (User, Vec<(Group, bool)>)) -> Self {
        let direct = memberships.iter().filter(|(_, is_direct)| *is_direct).map(|(group, _)| group.pk).collect();
        Self { user, groups: memberships.into_iter().map(|(group, _)| group).collect(), direct }
    }

    /// Whether the person may do everything: by a group, and only while the account is active.
    pub fn is_superuser(&self) -> bool {
        self.user.is_active && self.groups.iter().any(|g| g.is_superuser)
    }

    /// Whether the person is in a group, directly or through parents.
    pub fn is_in(&self, group: Uuid) -> bool {
        self.groups.iter().any(|g| g.pk == group)
    }

    /// The attributes of the groups and of the account, merged: the account's own come last and win.
    pub fn attributes(&self) -> Map<String, Value> {
        let mut merged = Map::new();
        for attributes in self.groups.iter().map(|g| &g.attributes).chain([&self.user.attributes]) {
            merge_attributes(&mut merged, attributes);
        }
        merged
    }
}

/// Puts `from` into `into`: objects are merged, anything else takes the place of what was there.
pub fn merge_attributes(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (name, value) in from {
        match (into.get_mut(name), value) {
            (Some(Value::Object(into)), Value::Object(from)) => merge_attributes(into, from),
            _ => drop(into.insert(name.clone(), value.clone())),
        }
    }
}
