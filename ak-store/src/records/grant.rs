//! What clients were given: codes, access tokens and refresh tokens.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{By, Page, Word};
use crate::error::Result;

/// What sort of grant it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GrantKind {
    /// A code that a browser carries to a client, once.
    Code,
    /// A token by which a client is let in.
    Access,
    /// A token by which a client gets new ones.
    Refresh,
    /// A browser's session with an application that a reverse proxy asks about.
    Proxied,
}

impl GrantKind {
    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Access => "access",
            Self::Refresh => "refresh",
            Self::Proxied => "proxied",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Code, Self::Access, Self::Refresh, Self::Proxied].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Something that a client was given. What it holds is not kept, only a hash that it is found by.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    /// Key; never used again.
    pub pk: i64,
    /// What it is.
    pub kind: GrantKind,
    /// Keyed hash of the secret ([`crate::Keyring::lookup_hash`]).
    pub key_hash: [u8; 32],
    /// The key of the provider that gave it.
    pub provider: Uuid,
    /// The account that it stands for.
    pub user: i64,
    /// The browser's session in which it was asked for, if it ends with that.
    pub session: Option<[u8; 32]>,
    /// What came of one sign-in has one family: a code, and every token that it led to.
    pub family: Uuid,
    /// The scopes, with spaces between.
    pub scope: String,
    /// What else its room keeps with it. Never secrets.
    pub data: Value,
    /// When its family began.
    pub since: DateTime<Utc>,
    /// When it was given.
    pub created: DateTime<Utc>,
    /// When it ends.
    pub expires: DateTime<Utc>,
    /// When it was used up or taken back, if it was. It is kept until it would have ended, so that who uses it again is found out.
    pub ended: Option<DateTime<Utc>>,
}

impl Grant {
    /// Whether it is good for something at `now`.
    pub fn is_valid(&self, now: DateTime<Utc>) -> bool {
        self.ended.is_none() && self.expires > now
    }
}

/// Which grants a list holds, and in which order; every condition that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct GrantFilter {
    /// Of this kind.
    pub kind: Option<GrantKind>,
    /// Given by this provider.
    pub provider: Option<Uuid>,
    /// Standing for this account.
    pub user: Option<i64>,
    /// Words that must all be found in the account's user name or in the provider's name.
    pub search: Vec<Word>,
    /// In this order; then by key.
    pub order: Vec<By<GrantOrder>>,
}

/// What grants can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantOrder {
    /// The key of the record.
    Pk,
    /// The provider's key.
    Provider,
    /// The account's key.
    User,
    /// The scopes.
    Scope,
    /// When it ends.
    Expires,
    /// Whether it was used up or taken back; what was not comes first.
    Revoked,
}

/// What clients were given.
#[async_trait]
pub trait Grants: Send {
    /// The grant with this key, valid or not.
    async fn lookup(&mut self, pk: i64) -> Result<Option<Grant>>;
    /// The grant with this keyed hash, valid or not.
    async fn find_by_hash(&mut self, key_hash: &[u8; 32]) -> Result<Option<Grant>>;
    /// The grants that `filter` lets through, in its order.
    async fn list(&mut self, filter: &GrantFilter, page: Page) -> Result<Vec<Grant>>;
    /// How many grants `filter` lets through.
    async fn count(&mut self, filter: &GrantFilter) -> Result<u64>;
    /// Keeps a new grant; its key is given, whatever key it came with. A hash that is known is [`crate::StoreError::Taken`], an
    /// account that is not there [`crate::StoreError::Missing`].
    async fn add(&mut self, grant: &Grant) -> Result<i64>;
    /// Waits until nobody else is in the middle of giving or ending something of this family, and keeps others from it until the end of the
    /// transaction: or what is given while a family ends would be left over.
    async fn lock_family(&mut self, family: Uuid) -> Result<()>;
    /// Ends a grant that has not ended, and gives it. Of any number of callers one is given it.
    async fn end(&mut self, pk: i64, now: DateTime<Utc>) -> Result<Option<Grant>>;
    /// Ends every grant of a family; how many had not ended.
    async fn end_family(&mut self, family: Uuid, now: DateTime<Utc>) -> Result<u64>;
    /// Ties what is tied to a session to the one that takes its place; how many.
    async fn move_session(&mut self, from: &[u8; 32], to: &[u8; 32]) -> Result<u64>;
    /// Removes a grant; whether it was there.
    async fn delete(&mut self, pk: i64) -> Result<bool>;
    /// Removes what any of these providers gave.
    async fn forget(&mut self, providers: &[Uuid]) -> Result<()>;
    /// Removes what ended by itself before `now`, [`super::CLEAN_BATCH`] at the most; how many.
    async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<u64>;
}
