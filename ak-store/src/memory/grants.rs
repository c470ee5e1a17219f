//! What clients were given, in memory.

use std::cmp::Ordering;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::state::State;
use super::{Tx, page, sort, total};
use crate::error::{Result, StoreError};
use crate::records::rules::{kept, plain};
use crate::records::{CLEAN_BATCH, Grant, GrantFilter, GrantOrder, Grants, Page};

fn compare(a: &Grant, b: &Grant, field: GrantOrder) -> Ordering {
    match field {
        GrantOrder::Pk => a.pk.cmp(&b.pk),
        GrantOrder::Provider => a.provider.cmp(&b.provider),
        GrantOrder::User => a.user.cmp(&b.user),
        GrantOrder::Scope => a.scope.cmp(&b.scope),
        GrantOrder::Expires => a.expires.cmp(&b.expires),
        GrantOrder::Revoked => a.ended.is_some().cmp(&b.ended.is_some()),
    }
}

impl State {
    fn filtered_grants<'a>(&'a self, filter: &'a GrantFilter) -> impl Iterator<Item = &'a Arc<Grant>> {
        self.grants.values().filter(|grant| {
            filter.kind.is_none_or(|kind| grant.kind == kind)
                && filter.provider.is_none_or(|provider| grant.provider == provider)
                && filter.user.is_none_or(|user| grant.user == user)
                && filter.search.iter().all(|word| word.finds(grant.provider, self.username(grant.user)))
        })
    }

    fn remove_grant(&mut self, pk: i64) -> bool {
        let Some(grant) = self.grants.remove(&pk) else { return false };
        self.grant_hashes.remove(&grant.key_hash);
        true
    }

    /// Removes what stands for an account.
    pub(super) fn remove_grants_of(&mut self, user: i64) {
        let keys: Vec<i64> = self.grants.values().filter(|grant| grant.user == user).map(|grant| grant.pk).collect();
        for pk in keys {
            self.remove_grant(pk);
        }
    }

    /// Changes the grants that `change` says it changes; how many.
    fn change_grants(&mut self, change: impl Fn(&mut Grant) -> bool) -> u64 {
        let mut changed = 0;
        let keys: Vec<i64> = self.grants.keys().copied().collect();
        for pk in keys {
            let Some(grant) = self.grants.get_mut(&pk) else { continue };
            let mut new = Grant::clone(grant);
            if change(&mut new) {
                *grant = Arc::new(new);
                changed += 1;
            }
        }
        changed
    }
}

#[async_trait]
impl Grants for Tx {
    async fn lookup(&mut self, pk: i64) -> Result<Option<Grant>> {
        Ok(self.state.grants.get(&pk).map(|grant| Grant::clone(grant)))
    }

    async fn find_by_hash(&mut self, key_hash: &[u8; 32]) -> Result<Option<Grant>> {
        let pk = self.state.grant_hashes.get(key_hash);
        Ok(pk.and_then(|pk| self.state.grants.get(pk)).map(|grant| Grant::clone(grant)))
    }

    async fn list(&mut self, filter: &GrantFilter, part: Page) -> Result<Vec<Grant>> {
        let mut found: Vec<&Arc<Grant>> = self.state.filtered_grants(filter).collect();
        sort(&mut found, &filter.order, compare);
        Ok(page(found.into_iter().map(|grant| Grant::clone(grant)), part))
    }

    async fn count(&mut self, filter: &GrantFilter) -> Result<u64> {
        Ok(total(self.state.filtered_grants(filter)))
    }

    async fn add(&mut self, grant: &Grant) -> Result<i64> {
        self.write(|state| {
            plain([grant.scope.as_str()])?;
            if state.grant_hashes.contains_key(&grant.key_hash) {
                return Err(StoreError::Taken("key"));
            }
            if !state.users.contains_key(&grant.user) {
                return Err(StoreError::Missing("user"));
            }
            state.last_grant += 1;
            let pk = state.last_grant;
            let new = Grant {
                pk,
                since: kept(grant.since),
                created: kept(grant.created),
                expires: kept(grant.expires),
                ended: grant.ended.map(kept),
                ..grant.clone()
            };
            state.grant_hashes.insert(new.key_hash, pk);
            state.grants.insert(pk, Arc::new(new));
            Ok(pk)
        })
    }

    /// Writers take turns.
    async fn lock_family(&mut self, _: Uuid) -> Result<()> {
        self.write(|_| Ok(()))
    }

    async fn end(&mut self, pk: i64, now: DateTime<Utc>) -> Result<Option<Grant>> {
        self.write(|state| {
            let Some(grant) = state.grants.get_mut(&pk).filter(|grant| grant.ended.is_none()) else { return Ok(None) };
            Arc::make_mut(grant).ended = Some(kept(now));
            Ok(Some(Grant::clone(grant)))
        })
    }

    async fn end_family(&mut self, family: Uuid, now: DateTime<Utc>) -> Result<u64> {
        self.write(|state| {
            Ok(state.change_grants(|grant| {
                let meant = grant.family == family && grant.ended.is_none();
                if meant {
                    grant.ended = Some(kept(now));
                }
                meant
            }))
        })
    }

    async fn move_session(&mut self, from: &[u8; 32], to: &[u8; 32]) -> Result<u64> {
        self.write(|state| {
            Ok(state.change_grants(|grant| {
                let meant = grant.session.as_ref() == Some(from);
                if meant {
                    grant.session = Some(*to);
                }
                meant
            }))
        })
    }

    async fn delete(&mut self, pk: i64) -> Result<bool> {
        self.write(|state| Ok(state.remove_grant(pk)))
    }

    async fn forget(&mut self, providers: &[Uuid]) -> Result<()> {
        self.write(|state| {
            let meant = state.grants.values().filter(|grant| providers.contains(&grant.provider));
            let meant: Vec<i64> = meant.map(|grant| grant.pk).collect();
            for pk in meant {
                state.remove_grant(pk);
            }
            Ok(())
        })
    }

    async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<u64> {
        self.write(|state| {
            let ended = state.grants.values().filter(|grant| grant.expires <= now).map(|grant| grant.pk);
            let ended: Vec<i64> = ended.take(CLEAN_BATCH as usize).collect();
            Ok(total(ended.into_iter().filter(|pk| state.remove_grant(*pk))))
        })
    }
}
