//! The people that flows see.

use std::sync::Arc;
use std::time::Duration;

use ak_store::Result;
use ak_store::directory::Person;
use ak_store::directory::password::{PasswordError, PasswordHasher};
use ak_store::model::Store;
use ak_store::records::{TokenIntent, User, UserField};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// The people that flows see. An embedding program with a user table of its own implements this.
#[async_trait]
pub trait Directory: Send + Sync {
    /// The account with this key and its groups.
    async fn person(&self, pk: i64) -> Result<Option<Person>>;

    /// The account that `typed` names in the first of `fields` in which it names one. What names two accounts names none.
    async fn identify(&self, fields: &[UserField], typed: &str, fold_case: bool) -> Result<Option<Person>>;

    /// Whether `password` is the account's. Without an account, or one that cannot use a password, it takes as long and says no.
    async fn check_password(&self, user: Option<&User>, password: &str) -> Result<PasswordCheck, PasswordError>;

    /// Whether `key` is a valid app password of the account.
    async fn check_app_password(&self, user: &User, key: &str, now: DateTime<Utc>) -> Result<bool>;
}

/// What a check of a password found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordCheck {
    /// It is not the password.
    Wrong,
    /// It is the password.
    Right,
    /// It is the password, kept in an old form: here is the new one.
    RightInOldForm(String),
}

/// The directory in the product's own store.
#[derive(Clone)]
pub struct StoreDirectory {
    store: Arc<Store>,
    hasher: PasswordHasher,
    floor: Duration,
}

impl StoreDirectory {
    /// The directory of a store. A wrong password is not answered before `floor` has passed, so that the time does not tell whether the
    /// account exists or how its password is kept.
    pub fn new(store: Arc<Store>, hasher: PasswordHasher, floor: Duration) -> Self {
        Self { store, hasher, floor }
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
            (true, true) => PasswordCheck::RightInOldForm(self.hasher.hash(password).await?),
        })
    }
}

#[async_trait]
impl Directory for StoreDirectory {
    async fn person(&self, pk: i64) -> Result<Option<Person>> {
        let mut repo = self.store.read().await?;
        Person::lookup(&mut *repo, pk).await
    }

    async fn identify(&self, fields: &[UserField], typed: &str, fold_case: bool) -> Result<Option<Person>> {
        let mut repo = self.store.read().await?;
        for field in fields {
            let mut found = repo.users().find_by_field(*field, typed, fold_case).await?;
            match (found.pop(), found.is_empty()) {
                (Some(user), true) => return Ok(Some(Person::of(&mut *repo, user).await?)),
                (Some(_), false) => {
                    tracing::warn!(?field, "what was typed names more than one account, so it names none");
                    return Ok(None);
                }
                (None, _) => {}
            }
        }
        Ok(None)
    }

    async fn check_password(&self, user: Option<&User>, password: &str) -> Result<PasswordCheck, PasswordError> {
        let begun = self.store.clock().monotonic_micros();
        let checked = self.check(user, password).await?;
        if checked == PasswordCheck::Wrong {
            let taken = Duration::from_micros(self.store.clock().monotonic_micros().saturating_sub(begun));
            tokio::time::sleep(self.floor.saturating_sub(taken)).await;
        }
        Ok(checked)
    }

    async fn check_app_password(&self, user: &User, key: &str, now: DateTime<Utc>) -> Result<bool> {
        let hash = self.store.keyring().lookup_hash(key);
        let token = self.store.read().await?.tokens().find_by_hash(&hash, now).await?;
        Ok(token.is_some_and(|t| t.intent == TokenIntent::AppPassword && t.user == user.pk))
    }
}
