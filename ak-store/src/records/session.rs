//! Browser sessions.

use std::net::IpAddr;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{NewTask, Page};
use crate::error::Result;

/// A browser's session. The browser holds a random key; only its hash is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// SHA-256 of the session key.
    pub id: [u8; 32],
    /// Whose session it is, once somebody has signed in.
    pub user: Option<i64>,
    /// The flow plan under way, as its room serialises it.
    pub plan: Option<Value>,
    /// Counts the changes of `plan`: what is compared when it is swapped.
    pub turn: i64,
    /// What else the session keeps (how somebody signed in, which applications were used), by name.
    pub data: Value,
    /// When it began.
    pub created: DateTime<Utc>,
    /// When it was last used, to about a minute.
    pub last_used: DateTime<Utc>,
    /// When it ends.
    pub expires: DateTime<Utc>,
    /// The last address it was used from.
    pub last_ip: Option<IpAddr>,
    /// The last `User-Agent` it was used with.
    pub last_user_agent: String,
}

/// Which sessions a list holds; every condition that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct SessionFilter {
    /// Of this account.
    pub user: Option<i64>,
    /// Still valid at this moment.
    pub valid_at: Option<DateTime<Utc>>,
    /// Only those in which somebody has signed in.
    pub signed_in: bool,
    /// Last used from this address.
    pub last_ip: Option<IpAddr>,
    /// Last used with exactly this `User-Agent`.
    pub last_user_agent: Option<String>,
}

/// Browser sessions.
#[async_trait]
pub trait Sessions: Send {
    /// The session with this hash, if it is valid at `now`.
    async fn lookup(&mut self, id: &[u8; 32], now: DateTime<Utc>) -> Result<Option<Session>>;
    /// The session whose hash begins with these bytes, if it is valid at `now`: for who is not to know the whole.
    async fn find_by_half(&mut self, half: &[u8; 16], now: DateTime<Utc>) -> Result<Option<Session>>;
    /// The sessions that `filter` lets through, the last used first.
    async fn list(&mut self, filter: &SessionFilter, page: Page) -> Result<Vec<Session>>;
    /// How many sessions `filter` lets through.
    async fn count(&mut self, filter: &SessionFilter) -> Result<u64>;
    /// Keeps a new session.
    async fn add(&mut self, session: &Session) -> Result<()>;
    /// Replaces the plan and the data if the turn still is `turn`, and counts the turn up; whether it was.
    async fn swap_plan(&mut self, id: &[u8; 32], turn: i64, plan: Option<&Value>, data: &Value) -> Result<bool>;
    /// Notes a use. A session that ended meanwhile is [`crate::StoreError::Missing`].
    async fn touch(&mut self, id: &[u8; 32], now: DateTime<Utc>, ip: Option<IpAddr>, user_agent: &str) -> Result<()>;
    /// Has a task wait for the end of a session, in place of an earlier one of the same `subject`. However the session ends (also by its
    /// account's deletion, or by time), the task is asked for in the same transaction, to be done as soon as a worker has time.
    async fn at_end(&mut self, id: &[u8; 32], subject: &str, task: &NewTask) -> Result<()>;
    /// What waits for the end of a session waits for that of a new one, which takes its place.
    async fn succeed(&mut self, from: &[u8; 32], to: &[u8; 32]) -> Result<()>;
    /// Ends a session; whether it was there.
    async fn delete(&mut self, id: &[u8; 32]) -> Result<bool>;
    /// Ends all sessions of an account but `except`; how many.
    async fn delete_of_user(&mut self, user: i64, except: Option<&[u8; 32]>) -> Result<u64>;
    /// Removes what ended before `now`, [`CLEAN_BATCH`](super::CLEAN_BATCH) at the most; how many.
    async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<u64>;
}
