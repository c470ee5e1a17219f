//! Groups in memory.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::state::State;
use super::{Tx, page, sort, total};
use crate::error::{Result, StoreError};
use crate::records::rules::{cycle, fold, kept, parents, plain, words};
use crate::records::{Group, GroupFilter, GroupOrder, Groups, Page, User};

fn compare(a: &Group, b: &Group, by: GroupOrder) -> Ordering {
    match by {
        GroupOrder::Pk => a.pk.cmp(&b.pk),
        GroupOrder::Name => a.name.cmp(&b.name),
        GroupOrder::IsSuperuser => a.is_superuser.cmp(&b.is_superuser),
        GroupOrder::LastUpdated => a.last_updated.cmp(&b.last_updated),
    }
}

impl State {
    /// The groups that the account is a direct member of.
    pub(super) fn groups_of(&self, user: i64) -> Vec<Uuid> {
        self.memberships.range((user, Uuid::nil())..=(user, Uuid::max())).map(|(_, group)| *group).collect()
    }

    /// These groups and all that stand above them.
    pub(super) fn with_ancestors(&self, groups: impl IntoIterator<Item = Uuid>) -> BTreeSet<Uuid> {
        let mut open: Vec<Uuid> = groups.into_iter().collect();
        let mut seen = BTreeSet::new();
        while let Some(pk) = open.pop() {
            if seen.insert(pk) {
                open.extend(self.groups.get(&pk).into_iter().flat_map(|group| group.parents.iter().copied()));
            }
        }
        seen
    }

    fn filtered_groups<'a>(&'a self, filter: &'a GroupFilter) -> impl Iterator<Item = &'a Arc<Group>> {
        let words = words(filter.search.as_deref());
        let by_name = self.group_names.values().filter_map(|pk| self.groups.get(pk));
        by_name.filter(move |group| {
            let has = |user: &i64| self.members.contains(&(group.pk, *user));
            words.iter().all(|part| fold(&group.name).contains(part))
                && filter.name.as_deref().is_none_or(|name| group.name == name)
                && filter.is_superuser.is_none_or(|is| group.is_superuser == is)
                && filter.members.iter().all(|set| set.is_empty() || set.iter().any(has))
                && filter.attributes.iter().all(|wanted| wanted.holds(&group.attributes))
        })
    }

    /// Puts a group in its place, new or changed.
    fn put_group(&mut self, group: &Group, updated: DateTime<Utc>) -> Result<()> {
        plain([group.name.as_str()])?;
        if self.group_names.get(&group.name).is_some_and(|other| *other != group.pk) {
            return Err(StoreError::Taken("name"));
        }
        let parents = parents(group)?;
        if parents.iter().any(|parent| !self.groups.contains_key(parent)) {
            return Err(StoreError::Missing("parent"));
        }
        if self.with_ancestors(parents.iter().copied()).contains(&group.pk) {
            return Err(cycle());
        }
        if let Some(old) = self.groups.get(&group.pk) {
            self.group_names.remove(&old.name);
        }
        self.group_names.insert(group.name.clone(), group.pk);
        let group = Group { parents: parents.into_iter().collect(), last_updated: kept(updated), ..group.clone() };
        self.groups.insert(group.pk, Arc::new(group));
        Ok(())
    }

    fn remove_group(&mut self, pk: Uuid) -> bool {
        let Some(group) = self.groups.remove(&pk) else { return false };
        self.group_names.remove(&group.name);
        self.role_groups = self.role_groups.iter().filter(|(group, _)| *group != pk).copied().collect();
        let members: Vec<i64> = self.member_keys(pk).collect();
        for user in members {
            self.members.remove(&(pk, user));
            self.memberships.remove(&(user, pk));
        }
        let children: Vec<Uuid> = self.groups.values().filter(|g| g.parents.contains(&pk)).map(|g| g.pk).collect();
        for child in children {
            if let Some(child) = self.groups.get_mut(&child) {
                Arc::make_mut(child).parents.retain(|parent| *parent != pk);
            }
        }
        true
    }

    fn member_keys(&self, group: Uuid) -> impl Iterator<Item = i64> {
        self.members.range((group, i64::MIN)..=(group, i64::MAX)).map(|(_, user)| *user)
    }
}

#[async_trait]
impl Groups for Tx {
    async fn lookup(&mut self, pk: Uuid) -> Result<Option<Group>> {
        Ok(self.state.groups.get(&pk).map(|group| Group::clone(group)))
    }

    async fn lookup_many(&mut self, pks: &[Uuid]) -> Result<BTreeMap<Uuid, Group>> {
        Ok(pks.iter().filter_map(|pk| self.state.groups.get(pk)).map(|group| (group.pk, Group::clone(group))).collect())
    }

    async fn find_by_name(&mut self, name: &str) -> Result<Option<Group>> {
        let pk = self.state.group_names.get(name);
        Ok(pk.and_then(|pk| self.state.groups.get(pk)).map(|group| Group::clone(group)))
    }

    async fn list(&mut self, filter: &GroupFilter, part: Page) -> Result<Vec<Group>> {
        let mut found: Vec<&Arc<Group>> = self.state.filtered_groups(filter).collect();
        sort(&mut found, &filter.order, compare);
        Ok(page(found.into_iter().map(|group| Group::clone(group)), part))
    }

    async fn count(&mut self, filter: &GroupFilter) -> Result<u64> {
        Ok(total(self.state.filtered_groups(filter)))
    }

    async fn children(&mut self, pks: &[Uuid]) -> Result<Vec<Group>> {
        let below = |group: &&Arc<Group>| group.parents.iter().any(|parent| pks.contains(parent));
        let by_name = self.state.group_names.values().filter_map(|pk| self.state.groups.get(pk));
        Ok(by_name.filter(below).map(|group| Group::clone(group)).collect())
    }

    async fn add(&mut self, group: &Group) -> Result<()> {
        self.write(|state| {
            if state.groups.contains_key(&group.pk) {
                return Err(StoreError::Taken("pk"));
            }
            state.put_group(group, group.last_updated)
        })
    }

    async fn update(&mut self, group: &Group, now: DateTime<Utc>) -> Result<()> {
        self.write(|state| {
            if !state.groups.contains_key(&group.pk) {
                return Err(StoreError::Missing("group"));
            }
            state.put_group(group, now)
        })
    }

    async fn delete(&mut self, pk: Uuid) -> Result<bool> {
        self.write(|state| Ok(state.remove_group(pk)))
    }

    async fn add_member(&mut self, group: Uuid, user: i64) -> Result<()> {
        self.write(|state| {
            if !state.groups.contains_key(&group) {
                return Err(StoreError::Missing("group"));
            }
            if !state.users.contains_key(&user) {
                return Err(StoreError::Missing("user"));
            }
            state.members.insert((group, user));
            state.memberships.insert((user, group));
            Ok(())
        })
    }

    async fn remove_member(&mut self, group: Uuid, user: i64) -> Result<bool> {
        self.write(|state| {
            state.memberships.remove(&(user, group));
            Ok(state.members.remove(&(group, user)).is_some())
        })
    }

    async fn members(&mut self, group: Uuid, part: Page) -> Result<Vec<User>> {
        let members = self.state.member_keys(group).filter_map(|pk| self.state.users.get(&pk));
        Ok(page(members.map(|user| User::clone(user)), part))
    }

    async fn of_users(&mut self, users: &[i64]) -> Result<Vec<(i64, Group)>> {
        let users: BTreeSet<i64> = users.iter().copied().collect();
        let mut found = Vec::new();
        for user in users {
            found.extend(self.of_user(user, false).await?.into_iter().map(|group| (user, group)));
        }
        Ok(found)
    }

    async fn of_user(&mut self, user: i64, inherited: bool) -> Result<Vec<Group>> {
        let direct = self.state.groups_of(user);
        let all = if inherited { self.state.with_ancestors(direct) } else { direct.into_iter().collect() };
        let mut groups: Vec<Group> = all.iter().filter_map(|pk| self.state.groups.get(pk)).map(|g| Group::clone(g)).collect();
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(groups)
    }

    async fn memberships(&mut self, user: i64) -> Result<Vec<(Group, bool)>> {
        let direct: BTreeSet<Uuid> = self.state.groups_of(user).into_iter().collect();
        let groups = self.of_user(user, true).await?.into_iter();
        let with = |group: Group| {
            let is_direct = direct.contains(&group.pk);
            (group, is_direct)
        };
        Ok(groups.map(with).collect())
    }
}
