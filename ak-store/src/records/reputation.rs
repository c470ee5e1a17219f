//! How those who try to sign in have done lately.

use std::net::{IpAddr, Ipv4Addr};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{By, Page};
use crate::error::Result;

/// How sign-ins under a name from an address have gone. There is one for each name and address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reputation {
    /// Key.
    pub pk: Uuid,
    /// The name: the account's, or what was typed where there is no such account.
    pub identifier: String,
    /// Where it was tried from.
    pub ip: IpAddr,
    /// The higher the better.
    pub score: i64,
    /// When the score last changed.
    pub updated: DateTime<Utc>,
    /// When it may be forgotten: then it counts no more.
    pub expires: DateTime<Utc>,
}

impl Reputation {
    /// Stands for the address of a request whose address nobody knows.
    pub const NO_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::BROADCAST);

    /// The longest name, in characters: that of the longest user name, and more than what can be typed.
    const LONGEST: usize = 254;

    /// The name under which a sign-in is counted by which an account of this user name, or nobody, was meant.
    pub fn identifier_of(name: &str) -> String {
        name.chars().filter(|c| *c != '\0').take(Self::LONGEST).collect()
    }
}

/// What is needed to change a score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreChange {
    /// The key, where there is no such score yet.
    pub pk: Uuid,
    /// The name.
    pub identifier: String,
    /// The address.
    pub ip: IpAddr,
    /// What is added.
    pub amount: i64,
    /// The score gets no lower.
    pub lower: i64,
    /// The score gets no higher.
    pub upper: i64,
    /// When it is forgotten, unless it changes again.
    pub expires: DateTime<Utc>,
}

impl ScoreChange {
    /// The score after this change of `score`.
    pub(crate) fn applied(&self, score: i64) -> i64 {
        score.saturating_add(self.amount).min(self.upper).max(self.lower)
    }
}

/// A field that lists of scores can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReputationOrder {
    /// The key.
    Pk,
    /// The name.
    Identifier,
    /// The address, as a text.
    Ip,
    /// The score.
    Score,
    /// When the score last changed.
    Updated,
}

/// Which scores a list holds, and in which order; every condition that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct ReputationFilter {
    /// Words that must all be found in the name, the address or the score, without regard to case.
    pub search: Option<String>,
    /// Exact name.
    pub identifier: Option<String>,
    /// One of these names; empty for all.
    pub identifiers: Vec<String>,
    /// Exact address.
    pub ip: Option<IpAddr>,
    /// Exact score.
    pub score: Option<i64>,
    /// The order; the key decides between equal ones.
    pub order: Vec<By<ReputationOrder>>,
}

/// Scores.
#[async_trait]
pub trait Reputations: Send {
    /// The score with this key.
    async fn lookup(&mut self, pk: Uuid) -> Result<Option<Reputation>>;
    /// The sum of the scores that are for this address or for this name and have not expired at `now`; zero where there are none.
    async fn total(&mut self, ip: Option<IpAddr>, identifier: Option<&str>, now: DateTime<Utc>) -> Result<i64>;
    /// The scores that `filter` lets through.
    async fn list(&mut self, filter: &ReputationFilter, page: Page) -> Result<Vec<Reputation>>;
    /// How many scores `filter` lets through.
    async fn count(&mut self, filter: &ReputationFilter) -> Result<u64>;
    /// Adds to a score within its limits; one that is not there, or has expired at `now`, counts from zero. What it is then.
    async fn change(&mut self, change: &ScoreChange, now: DateTime<Utc>) -> Result<Reputation>;
    /// Forgets a score; whether it was there.
    async fn delete(&mut self, pk: Uuid) -> Result<bool>;
    /// Removes scores that expired, [`super::CLEAN_BATCH`] at the most; how many.
    async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<u64>;
}
