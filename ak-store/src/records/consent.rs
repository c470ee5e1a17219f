//! What people have agreed that applications get.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{By, Page, Word};
use crate::error::Result;

/// What an account has agreed to that an application gets. There is one for each account and application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Key; never used again.
    pub pk: i64,
    /// Who has agreed.
    pub user: i64,
    /// The key of the application.
    pub application: Uuid,
    /// The ids of what it gets, with spaces between.
    pub permissions: String,
    /// When it ends; `None`: when it is taken back.
    pub expires: Option<DateTime<Utc>>,
}

/// What is needed to keep a consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewConsent {
    /// Who agrees.
    pub user: i64,
    /// The key of the application.
    pub application: Uuid,
    /// The ids of what it gets, with spaces between.
    pub permissions: String,
    /// When it ends; `None`: when it is taken back.
    pub expires: Option<DateTime<Utc>>,
}

/// Which consents a list holds, and in which order; every condition that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct ConsentFilter {
    /// Of this account.
    pub user: Option<i64>,
    /// For this application.
    pub application: Option<Uuid>,
    /// Words that must all be found in the account's user name or in the application's name.
    pub search: Vec<Word>,
    /// In this order; then by key.
    pub order: Vec<By<ConsentOrder>>,
}

/// What consents can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentOrder {
    /// The key of the record.
    Pk,
    /// The account's key.
    User,
    /// The application's key.
    Application,
    /// What was agreed to.
    Permissions,
    /// When it ends; what never does comes last.
    Expires,
}

/// Consents.
#[async_trait]
pub trait Consents: Send {
    /// The consent with this key, valid or not.
    async fn lookup(&mut self, pk: i64) -> Result<Option<Consent>>;
    /// The consent of this account for this application, if it is valid at `now`.
    async fn find(&mut self, user: i64, application: Uuid, now: DateTime<Utc>) -> Result<Option<Consent>>;
    /// The consents that `filter` lets through, in its order.
    async fn list(&mut self, filter: &ConsentFilter, page: Page) -> Result<Vec<Consent>>;
    /// How many consents `filter` lets through.
    async fn count(&mut self, filter: &ConsentFilter) -> Result<u64>;
    /// Keeps a consent, in place of an earlier one of the same account for the same application. An account that is not there is
    /// [`crate::StoreError::Missing`].
    async fn put(&mut self, consent: &NewConsent) -> Result<Consent>;
    /// Takes a consent back; whether it was there.
    async fn delete(&mut self, pk: i64) -> Result<bool>;
    /// Removes what people have agreed to for any of these applications.
    async fn forget(&mut self, applications: &[Uuid]) -> Result<()>;
    /// Removes consents that ended, [`super::CLEAN_BATCH`] at the most; how many.
    async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<u64>;
}
