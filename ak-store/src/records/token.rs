//! Keys that stand for an account.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{By, Page};
use crate::error::Result;

/// What a token may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenIntent {
    /// A step of a flow, sent by mail.
    Verification,
    /// Calls of the API.
    Api,
    /// Signing in once without the usual proof.
    Recovery,
    /// A password for programs that cannot run a flow.
    AppPassword,
}

impl TokenIntent {
    /// The name in the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verification => "verification",
            Self::Api => "api",
            Self::Recovery => "recovery",
            Self::AppPassword => "app_password",
        }
    }

    /// The intent of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Verification, Self::Api, Self::Recovery, Self::AppPassword].into_iter().find(|t| t.as_str() == name)
    }
}

/// A key that stands for an account.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// Key of the record (not the secret).
    pub pk: Uuid,
    /// Unique name.
    pub identifier: String,
    /// The account.
    pub user: i64,
    /// What it may be used for.
    pub intent: TokenIntent,
    /// Keyed hash of the secret ([`crate::Keyring::lookup_hash`]).
    pub key_hash: [u8; 32],
    /// The secret, sealed ([`crate::Keyring::seal`]), where it must be readable again.
    pub key_sealed: Option<String>,
    /// For people.
    pub description: String,
    /// When it ends; `None` for never.
    pub expires: Option<DateTime<Utc>>,
    /// The name by which the product itself keeps it.
    pub managed: Option<String>,
    /// When it was made.
    pub created: DateTime<Utc>,
}

/// Which tokens a list holds, and in which order; every condition that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct TokenFilter {
    /// Words that must all be found in the name, the intent, the description or the account's user name, without regard to case.
    pub search: Option<String>,
    /// Of this account.
    pub user: Option<i64>,
    /// Of the account with exactly this user name.
    pub username: Option<String>,
    /// For this use.
    pub intent: Option<TokenIntent>,
    /// Exact name.
    pub identifier: Option<String>,
    /// Exact description.
    pub description: Option<String>,
    /// Ends at this moment.
    pub expires: Option<DateTime<Utc>>,
    /// Whether it ends.
    pub expiring: Option<bool>,
    /// Exactly the name by which the product itself keeps it.
    pub managed: Option<String>,
    /// In this order; then by name.
    pub order: Vec<By<TokenOrder>>,
}

/// What tokens can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenOrder {
    /// The key of the record.
    Pk,
    /// The name.
    Identifier,
    /// What it may be used for.
    Intent,
    /// The account's key.
    User,
    /// The description.
    Description,
    /// When it ends; what never does comes last.
    Expires,
    /// The name by which the product itself keeps it; what has none comes last.
    Managed,
}

/// Keys that stand for an account.
#[async_trait]
pub trait Tokens: Send {
    /// The token with this record key.
    async fn lookup(&mut self, pk: Uuid) -> Result<Option<Token>>;
    /// The token with this keyed hash, if it is valid at `now`.
    async fn find_by_hash(&mut self, key_hash: &[u8; 32], now: DateTime<Utc>) -> Result<Option<Token>>;
    /// The token with this name.
    async fn find_by_identifier(&mut self, identifier: &str) -> Result<Option<Token>>;
    /// The tokens that `filter` lets through, in its order.
    async fn list(&mut self, filter: &TokenFilter, page: Page) -> Result<Vec<Token>>;
    /// How many tokens `filter` lets through.
    async fn count(&mut self, filter: &TokenFilter) -> Result<u64>;
    /// Keeps a new token. A taken name is [`crate::StoreError::Taken`].
    async fn add(&mut self, token: &Token) -> Result<()>;
    /// Keeps all of `token`.
    async fn update(&mut self, token: &Token) -> Result<()>;
    /// Takes the token with this keyed hash and intent away and gives it, if it is valid at `now`: of any number of callers
    /// one gets it.
    async fn spend(&mut self, key_hash: &[u8; 32], intent: TokenIntent, now: DateTime<Utc>) -> Result<Option<Token>>;
    /// Deletes the token; whether it was there.
    async fn delete(&mut self, pk: Uuid) -> Result<bool>;
    /// Removes what ended before `now`, [`CLEAN_BATCH`](super::CLEAN_BATCH) at the most; how many.
    async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<u64>;
}
