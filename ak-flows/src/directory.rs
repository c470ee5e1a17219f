//! The people that flows see.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ak_store::Result;
use ak_store::directory::Person;
use ak_store::directory::password::{PasswordError, PasswordHasher};
use ak_store::model::{Secret, Store};
use ak_store::records::{Consent, Group, Repository, Token, TokenIntent, User, UserField};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The people that flows see. An embedding program with a user table of its own implements this.
#[async_trait]
pub trait Directory: Send + Sync {
    /// The account with this key and its groups.
    async fn person(&self, pk: i64) -> Result<Option<Person>>;

    /// The same, for who is reading from the product's store already: a directory that is kept there reads on by the same way.
    async fn person_in(&self, _: &mut dyn Repository, pk: i64) -> Result<Option<Person>> {
        self.person(pk).await
    }

    /// The account that `typed` names in the first of `fields` in which it names one. What names two accounts names none.
    async fn identify(&self, fields: &[UserField], typed: &str, fold_case: bool) -> Result<Option<Person>>;

    /// Whether `password` is the account's. Without an account, or one that cannot use a password, it takes as long and says no.
    async fn check_password(&self, user: Option<&User>, password: &str) -> Result<PasswordCheck, PasswordError>;

    /// The record of the app password `key`, if it is a valid one of the account. Without an account it takes as long and finds none.
    async fn check_app_password(&self, user: Option<&User>, key: &str, now: DateTime<Utc>) -> Result<Option<Token>>;

    /// The hash of a password that is to be set.
    async fn hash_password(&self, password: &str) -> Result<Secret, PasswordError>;

    /// These groups, those that exist, and the groups that they are part of.
    async fn groups(&self, pks: &[Uuid]) -> Result<Vec<Group>>;

    /// What the account has agreed to that the application gets, if that still holds.
    async fn consent(&self, user: i64, application: Uuid, now: DateTime<Utc>) -> Result<Option<Consent>>;

    /// Before this has passed, an answer to a wrong password tells by its time whether there is an account: the runner waits for it.
    fn floor(&self) -> Duration {
        Duration::ZERO
    }
}

/// What a check of a password found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordCheck {
    /// It is not the password.
    Wrong,
    /// It is the password.
    Right,
    /// It is the password, kept in an old form: here is the new one.
    RightInOldForm(Secret),
}

/// The directory in the product's own store.
#[derive(Clone)]
pub struct StoreDirectory {
    store: Arc<Store>,
    hasher: PasswordHasher,
    floor: Duration,
    slowest: Arc<AtomicU64>,
}

impl StoreDirectory {
    /// No answer is held back for longer than this, in microseconds.
    const SLOWEST: u64 = 3_000_000;

    /// A floor that hides what a check of a password takes, however it is kept.
    pub const FLOOR: Duration = Duration::from_millis(500);

    /// The directory of a store. Wrong passwords are not answered before `floor` has passed, so that the time does not tell whether the
    /// account exists or how its password is kept; zero for tests.
    pub fn new(store: Arc<Store>, hasher: PasswordHasher, floor: Duration) -> Self {
        Self { store, hasher, floor, slowest: Arc::default() }
    }

    async fn check(&self, user: Option<&User>, password: &str) -> Result<PasswordCheck, PasswordError> {
        let stored = user.filter(|u| u.is_active).and_then(|u| u.password.as_deref());
        let Some(stored) = stored else {
            self.hasher.verify_decoy(password).await?;
            return Ok(PasswordCheck::Wrong);
        };
        let verdict = self.hasher.verify(password, stored).await?;
        Ok(match (verdict.matches, verdict.needs_upgrade) {
            (false, _) => PasswordCheck::Wrong,
            (true, false) => PasswordCheck::Right,
            (true, true) => PasswordCheck::RightInOldForm(Secret::new(self.hasher.hash(password).await?)),
        })
    }
}

#[async_trait]
impl Directory for StoreDirectory {
    async fn person(&self, pk: i64) -> Result<Option<Person>> {
        let mut repo = self.store.look().await?;
        Person::lookup(&mut *repo, pk).await
    }

    async fn person_in(&self, repo: &mut dyn Repository, pk: i64) -> Result<Option<Person>> {
        Person::lookup(repo, pk).await
    }

    async fn identify(&self, fields: &[UserField], typed: &str, fold_case: bool) -> Result<Option<Person>> {
        let mut repo = self.store.look().await?;
        for field in fields {
            let mut found = repo.users().find_by_field(*field, typed, fold_case).await?;
            match (found.pop(), found.is_empty()) {
                (Some(user), true) => return Ok(Some(Person::of(&mut *repo, user).await?)),
                (Some(_), false) => {
                    // User names are unique in their exact form: who types one means the account that has it.
                    let exact = if *field == UserField::Username { repo.users().find_by_username(typed).await? } else { None };
                    if let Some(user) = exact {
                        return Ok(Some(Person::of(&mut *repo, user).await?));
                    }
                    tracing::warn!(?field, "what was typed names more than one account, so it names none of them");
                }
                (None, _) => {}
            }
        }
        Ok(None)
    }

    async fn check_password(&self, user: Option<&User>, password: &str) -> Result<PasswordCheck, PasswordError> {
        let clock = self.store.clock();
        let begun = clock.monotonic_micros();
        let checked = self.check(user, password).await?;
        // An installation with slow hashes from elsewhere answers all wrong passwords as slowly as the slowest, once it has met it.
        let taken = clock.monotonic_micros().saturating_sub(begun);
        self.slowest.fetch_max(taken.min(Self::SLOWEST), Ordering::Relaxed);
        Ok(checked)
    }

    async fn check_app_password(&self, user: Option<&User>, key: &str, now: DateTime<Utc>) -> Result<Option<Token>> {
        let hash = self.store.keyring().lookup_hash(key);
        let token = self.store.look().await?.tokens().find_by_hash(&hash, now).await?;
        let own =
            |user: &User, token: &Token| token.intent == TokenIntent::AppPassword && token.user == user.pk && user.is_active;
        Ok(token.filter(|token| user.is_some_and(|user| own(user, token))))
    }

    async fn hash_password(&self, password: &str) -> Result<Secret, PasswordError> {
        self.hasher.hash(password).await.map(Secret::new)
    }

    async fn groups(&self, pks: &[Uuid]) -> Result<Vec<Group>> {
        let mut repo = self.store.read().await?;
        let mut open = pks.to_vec();
        let mut found = BTreeMap::new();
        while !open.is_empty() {
            let batch = repo.groups().lookup_many(&open).await?;
            open = batch.values().flat_map(|group| group.parents.clone()).filter(|pk| !found.contains_key(pk)).collect();
            found.extend(batch);
        }
        Ok(found.into_values().collect())
    }

    async fn consent(&self, user: i64, application: Uuid, now: DateTime<Utc>) -> Result<Option<Consent>> {
        self.store.look().await?.consents().find(user, application, now).await
    }

    fn floor(&self) -> Duration {
        if self.floor.is_zero() {
            return Duration::ZERO;
        }
        self.floor.max(Duration::from_micros(self.slowest.load(Ordering::Relaxed)))
    }
}
