//! What people have agreed to, in memory.

use std::cmp::Ordering;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::state::State;
use super::{Tx, absent_last, page, sort, total};
use crate::error::{Result, StoreError};
use crate::records::rules::kept;
use crate::records::{CLEAN_BATCH, Consent, ConsentFilter, ConsentOrder, Consents, NewConsent, Page};

fn valid(consent: &Consent, now: DateTime<Utc>) -> bool {
    consent.expires.is_none_or(|end| end > now)
}

fn compare(a: &Consent, b: &Consent, field: ConsentOrder) -> Ordering {
    match field {
        ConsentOrder::Pk => a.pk.cmp(&b.pk),
        ConsentOrder::User => a.user.cmp(&b.user),
        ConsentOrder::Application => a.application.cmp(&b.application),
        ConsentOrder::Permissions => a.permissions.cmp(&b.permissions),
        ConsentOrder::Expires => absent_last(&a.expires, &b.expires),
    }
}

impl State {
    fn filtered_consents<'a>(&'a self, filter: &'a ConsentFilter) -> impl Iterator<Item = &'a Arc<Consent>> {
        self.consents.values().filter(|consent| {
            filter.user.is_none_or(|user| consent.user == user)
                && filter.application.is_none_or(|application| consent.application == application)
                && filter.search.iter().all(|word| word.finds(consent.application, self.username(consent.user)))
        })
    }

    fn remove_consent(&mut self, pk: i64) -> bool {
        let Some(consent) = self.consents.remove(&pk) else { return false };
        self.consent_keys.remove(&(consent.user, consent.application));
        true
    }

    /// Removes what an account has agreed to.
    pub(super) fn remove_consents_of(&mut self, user: i64) {
        let own = (user, Uuid::nil())..=(user, Uuid::max());
        let keys: Vec<i64> = self.consent_keys.range(own).map(|(_, pk)| *pk).collect();
        for pk in keys {
            self.remove_consent(pk);
        }
    }
}

#[async_trait]
impl Consents for Tx {
    async fn lookup(&mut self, pk: i64) -> Result<Option<Consent>> {
        Ok(self.state.consents.get(&pk).map(|consent| Consent::clone(consent)))
    }

    async fn find(&mut self, user: i64, application: Uuid, now: DateTime<Utc>) -> Result<Option<Consent>> {
        let pk = self.state.consent_keys.get(&(user, application));
        let found = pk.and_then(|pk| self.state.consents.get(pk)).filter(|consent| valid(consent, now));
        Ok(found.map(|consent| Consent::clone(consent)))
    }

    async fn list(&mut self, filter: &ConsentFilter, part: Page) -> Result<Vec<Consent>> {
        let mut found: Vec<&Arc<Consent>> = self.state.filtered_consents(filter).collect();
        sort(&mut found, &filter.order, compare);
        Ok(page(found.into_iter().map(|consent| Consent::clone(consent)), part))
    }

    async fn count(&mut self, filter: &ConsentFilter) -> Result<u64> {
        Ok(total(self.state.filtered_consents(filter)))
    }

    async fn put(&mut self, new: &NewConsent) -> Result<Consent> {
        self.write(|state| {
            if !state.users.contains_key(&new.user) {
                return Err(StoreError::Missing("user"));
            }
            let pk = state.consent_keys.get(&(new.user, new.application)).copied().unwrap_or_else(|| {
                state.last_consent += 1;
                state.last_consent
            });
            let consent = Consent {
                pk,
                user: new.user,
                application: new.application,
                permissions: new.permissions.clone(),
                expires: new.expires.map(kept),
            };
            state.consent_keys.insert((new.user, new.application), pk);
            state.consents.insert(pk, Arc::new(consent.clone()));
            Ok(consent)
        })
    }

    async fn delete(&mut self, pk: i64) -> Result<bool> {
        self.write(|state| Ok(state.remove_consent(pk)))
    }

    async fn forget(&mut self, applications: &[Uuid]) -> Result<()> {
        self.write(|state| {
            let meant = state.consents.values().filter(|consent| applications.contains(&consent.application));
            let meant: Vec<i64> = meant.map(|consent| consent.pk).collect();
            for pk in meant {
                state.remove_consent(pk);
            }
            Ok(())
        })
    }

    async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<u64> {
        self.write(|state| {
            let ended = state.consents.values().filter(|consent| !valid(consent, now)).map(|consent| consent.pk);
            let ended: Vec<i64> = ended.take(CLEAN_BATCH as usize).collect();
            Ok(total(ended.into_iter().filter(|pk| state.remove_consent(*pk))))
        })
    }
}
