//! What happened.

use std::net::IpAddr;

use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Page;
use crate::error::Result;

/// Something that happened. It never holds secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Key.
    pub pk: Uuid,
    /// What happened: `login`, `login_failed`, `logout`, `model_created`, …
    pub action: String,
    /// Which room says so.
    pub app: String,
    /// Who did it: key, user name, e-mail address; empty for nobody.
    pub user: Map<String, Value>,
    /// The account that did it, for finding its events.
    pub user_pk: Option<i64>,
    /// What belongs to it.
    pub context: Map<String, Value>,
    /// Where it came from.
    pub client_ip: Option<IpAddr>,
    /// When it happened.
    pub created: DateTime<Utc>,
    /// When it may be forgotten.
    pub expires: DateTime<Utc>,
}

impl Event {
    /// For how long events are kept, where nobody says otherwise.
    pub const AGE: Duration = Duration::days(365);

    /// Which part of the product tells of what is noted by the product itself: the name that clients know.
    pub fn app_of(action: &str) -> &'static str {
        match action {
            "policy_execution" | "policy_exception" => "authentik.policies",
            "flow_execution" | "configuration_warning" => "authentik.flows",
            "system_task_execution" | "system_task_exception" => "authentik.tasks",
            _ => "authentik.events",
        }
    }
}

/// Which events a list holds; every condition that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Exact action.
    pub action: Option<String>,
    /// Done by this account.
    pub user: Option<i64>,
}

/// What happened.
#[async_trait]
pub trait Events: Send {
    /// The event with this key.
    async fn lookup(&mut self, pk: Uuid) -> Result<Option<Event>>;
    /// The events that `filter` lets through, the newest first.
    async fn list(&mut self, filter: &EventFilter, page: Page) -> Result<Vec<Event>>;
    /// How many events `filter` lets through.
    async fn count(&mut self, filter: &EventFilter) -> Result<u64>;
    /// Keeps an event.
    async fn add(&mut self, event: &Event) -> Result<()>;
    /// Removes what may be forgotten at `now`, [`CLEAN_BATCH`](super::CLEAN_BATCH) at the most; how many.
    async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<u64>;
}
