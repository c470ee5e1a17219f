//! Accounts in memory.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::state::State;
use super::{Tx, absent_last, page, sort, total};
use crate::error::{Result, StoreError};
use crate::records::rules::{check_username, fold, kept, plain, upn, words};
use crate::records::{Group, Groups as _, NewUser, Page, User, UserField, UserFilter, UserKey, UserOrder, Users};

fn field_of(user: &User, field: UserField) -> Option<&str> {
    match field {
        UserField::Username => Some(&user.username),
        UserField::Email => Some(&user.email),
        UserField::Upn => upn(&user.attributes),
    }
}

fn compare(a: &User, b: &User, by: UserOrder) -> Ordering {
    match by {
        UserOrder::Pk => a.pk.cmp(&b.pk),
        UserOrder::Username => a.username.cmp(&b.username),
        UserOrder::Name => a.name.cmp(&b.name),
        UserOrder::Email => a.email.cmp(&b.email),
        UserOrder::IsActive => a.is_active.cmp(&b.is_active),
        UserOrder::Type => a.r#type.as_str().cmp(b.r#type.as_str()),
        UserOrder::Path => a.path.cmp(&b.path),
        UserOrder::Uuid => a.uuid.cmp(&b.uuid),
        UserOrder::DateJoined => a.date_joined.cmp(&b.date_joined),
        UserOrder::LastLogin => absent_last(&a.last_login, &b.last_login),
        UserOrder::LastUpdated => a.last_updated.cmp(&b.last_updated),
    }
}

impl State {
    /// The user name of an account; of one that is not there, nothing.
    pub(super) fn username(&self, pk: i64) -> &str {
        self.users.get(&pk).map_or("", |user| &user.username)
    }

    fn filtered<'a>(&'a self, filter: &'a UserFilter) -> impl Iterator<Item = &'a Arc<User>> {
        let words = words(filter.search.as_deref());
        self.users.values().filter(move |u| {
            let found = |part: &String| [&u.username, &u.name, &u.email].into_iter().any(|text| fold(text).contains(part));
            words.iter().all(found)
                && filter.username.as_deref().is_none_or(|name| u.username == name)
                && filter.name.as_deref().is_none_or(|name| u.name == name)
                && filter.email.as_deref().is_none_or(|email| u.email == email)
                && filter.uuid.is_none_or(|uuid| u.uuid == uuid)
                && filter.is_active.is_none_or(|active| u.is_active == active)
                && filter.is_superuser.is_none_or(|is| self.is_superuser(u.pk) == is)
                && (filter.types.is_empty() || filter.types.contains(&u.r#type))
                && filter.path.as_deref().is_none_or(|path| u.path == path)
                && filter.path_prefix.as_deref().is_none_or(|prefix| u.path.starts_with(prefix))
                && filter.date_joined.hold(Some(u.date_joined))
                && filter.last_login.hold(u.last_login)
                && filter.has_signed_in.is_none_or(|has| u.last_login.is_some() == has)
                && filter.last_updated.hold(Some(u.last_updated))
                && filter
                    .groups
                    .iter()
                    .all(|set| set.is_empty() || set.iter().any(|group| self.members.contains(&(*group, u.pk))))
                && filter
                    .roles
                    .iter()
                    .all(|set| set.is_empty() || set.iter().any(|role| self.role_users.contains(&(u.pk, *role))))
                && filter.attributes.iter().all(|wanted| wanted.holds(&u.attributes))
        })
    }

    /// Whether one of the account's groups, or one above them, lets it do everything.
    fn is_superuser(&self, user: i64) -> bool {
        let above = self.with_ancestors(self.groups_of(user));
        above.iter().filter_map(|pk| self.groups.get(pk)).any(|group| group.is_superuser)
    }

    fn user_mut(&mut self, pk: i64) -> Result<&mut User> {
        self.users.get_mut(&pk).map(Arc::make_mut).ok_or(StoreError::Missing("user"))
    }

    /// Gives the account `pk` its name and second key, and takes the old ones back.
    fn name_user(&mut self, pk: i64, username: &str, uuid: Uuid) -> Result<()> {
        check_username(username)?;
        if self.user_names.get(username).is_some_and(|other| *other != pk) {
            return Err(StoreError::Taken("username"));
        }
        if self.user_uuids.get(&uuid).is_some_and(|other| *other != pk) {
            return Err(StoreError::Taken("uuid"));
        }
        if let Some(old) = self.users.get(&pk) {
            self.user_names.remove(&old.username);
            self.user_uuids.remove(&old.uuid);
        }
        self.user_names.insert(username.into(), pk);
        self.user_uuids.insert(uuid, pk);
        Ok(())
    }

    fn remove_user(&mut self, pk: i64) -> bool {
        let Some(user) = self.users.remove(&pk) else { return false };
        self.user_names.remove(&user.username);
        self.user_uuids.remove(&user.uuid);
        for group in self.groups_of(pk) {
            self.members.remove(&(group, pk));
            self.memberships.remove(&(pk, group));
        }
        self.role_users = self.role_users.iter().filter(|(user, _)| *user != pk).copied().collect();
        self.remove_sessions(|session| session.user == Some(pk));
        self.remove_consents_of(pk);
        self.trim_passwords_of(pk, 0);
        self.remove_grants_of(pk);
        let tokens: Vec<Uuid> = self.tokens.values().filter(|t| t.user == pk).map(|t| t.pk).collect();
        for token in tokens {
            self.remove_token(token);
        }
        true
    }
}

#[async_trait]
impl Users for Tx {
    async fn lookup(&mut self, pk: i64) -> Result<Option<User>> {
        Ok(self.state.users.get(&pk).map(|user| User::clone(user)))
    }

    async fn with_memberships(&mut self, key: UserKey<'_>) -> Result<Option<(User, Vec<(Group, bool)>)>> {
        let user = match key {
            UserKey::Pk(pk) => Users::lookup(self, pk).await?,
            UserKey::Username(name) => self.find_by_username(name).await?,
        };
        let Some(user) = user else { return Ok(None) };
        let memberships = self.memberships(user.pk).await?;
        Ok(Some((user, memberships)))
    }

    async fn lookup_many(&mut self, pks: &[i64]) -> Result<BTreeMap<i64, User>> {
        Ok(pks.iter().filter_map(|pk| self.state.users.get(pk)).map(|user| (user.pk, User::clone(user))).collect())
    }

    async fn find_by_uuid(&mut self, uuid: Uuid) -> Result<Option<User>> {
        let pk = self.state.user_uuids.get(&uuid);
        Ok(pk.and_then(|pk| self.state.users.get(pk)).map(|user| User::clone(user)))
    }

    async fn find_by_username(&mut self, username: &str) -> Result<Option<User>> {
        let pk = self.state.user_names.get(username);
        Ok(pk.and_then(|pk| self.state.users.get(pk)).map(|user| User::clone(user)))
    }

    async fn find_by_field(&mut self, field: UserField, value: &str, fold_case: bool) -> Result<Vec<User>> {
        if value.is_empty() {
            return Ok(Vec::new());
        }
        let folded = fold(value);
        let is = |text: &str| if fold_case { fold(text) == folded } else { text == value };
        let found = self.state.users.values().filter(|user| field_of(user, field).is_some_and(is));
        Ok(found.take(2).map(|user| User::clone(user)).collect())
    }

    async fn list(&mut self, filter: &UserFilter, part: Page) -> Result<Vec<User>> {
        let mut found: Vec<&Arc<User>> = self.state.filtered(filter).collect();
        sort(&mut found, &filter.order, compare);
        Ok(page(found.into_iter().map(|user| User::clone(user)), part))
    }

    async fn count(&mut self, filter: &UserFilter) -> Result<u64> {
        Ok(total(self.state.filtered(filter)))
    }

    async fn superusers(&mut self, pks: &[i64]) -> Result<BTreeSet<i64>> {
        Ok(pks.iter().copied().filter(|pk| self.state.is_superuser(*pk)).collect())
    }

    async fn paths(&mut self) -> Result<Vec<String>> {
        let paths: BTreeSet<&String> = self.state.users.values().map(|user| &user.path).collect();
        Ok(paths.into_iter().cloned().collect())
    }

    async fn add(&mut self, new: NewUser, now: DateTime<Utc>) -> Result<User> {
        let now = kept(now);
        self.write(|state| {
            plain([&new.username, &new.name, &new.email, &new.path].map(String::as_str))?;
            let pk = state.last_user + 1;
            state.name_user(pk, &new.username, new.uuid)?;
            state.last_user = pk;
            let user = User {
                pk,
                uuid: new.uuid,
                username: new.username,
                name: new.name,
                email: new.email,
                is_active: new.is_active,
                r#type: new.r#type,
                path: new.path,
                attributes: new.attributes,
                password: new.password,
                password_change_date: now,
                date_joined: now,
                last_login: None,
                last_updated: now,
            };
            state.users.insert(pk, Arc::new(user.clone()));
            Ok(user)
        })
    }

    async fn update(&mut self, user: &User, now: DateTime<Utc>) -> Result<()> {
        self.write(|state| {
            let old = state.users.get(&user.pk).cloned().ok_or(StoreError::Missing("user"))?;
            plain([&user.username, &user.name, &user.email, &user.path].map(String::as_str))?;
            state.name_user(user.pk, &user.username, user.uuid)?;
            let new = User {
                password: old.password.clone(),
                password_change_date: old.password_change_date,
                last_login: old.last_login,
                date_joined: kept(user.date_joined),
                last_updated: kept(now),
                ..user.clone()
            };
            state.users.insert(user.pk, Arc::new(new));
            Ok(())
        })
    }

    async fn set_password(&mut self, pk: i64, hash: Option<&str>, now: DateTime<Utc>) -> Result<()> {
        self.write(|state| {
            let user = state.user_mut(pk)?;
            user.password = hash.map(Into::into);
            user.password_change_date = kept(now);
            user.last_updated = kept(now);
            Ok(())
        })
    }

    async fn upgrade_password(&mut self, pk: i64, old: &str, new: &str) -> Result<bool> {
        self.write(|state| {
            let is_old = state.users.get(&pk).is_some_and(|user| user.password.as_deref() == Some(old));
            if is_old {
                state.user_mut(pk)?.password = Some(new.into());
            }
            Ok(is_old)
        })
    }

    async fn touch_login(&mut self, pk: i64, now: DateTime<Utc>) -> Result<()> {
        self.write(|state| {
            state.user_mut(pk)?.last_login = Some(kept(now));
            Ok(())
        })
    }

    async fn delete(&mut self, pk: i64) -> Result<bool> {
        self.write(|state| Ok(state.remove_user(pk)))
    }
}
