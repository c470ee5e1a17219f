//! Everything that is kept, as one value that is cheap to copy.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use imbl::{HashMap, OrdMap, OrdSet};
use serde_json::Value;
use uuid::Uuid;

use crate::records::{Consent, DecisionTrace, Event, Grant, Group, NewTask, ObjectRow, Reputation, Session, Task, Token, User};

/// Hash that a session or a token is found by.
pub(super) type Hash = [u8; 32];

/// Everything that is kept. Whatever is looked up for every request has an index; lists walk.
#[derive(Clone, Default)]
pub(super) struct State {
    /// The highest key that an account ever had.
    pub(super) last_user: i64,
    pub(super) users: OrdMap<i64, Arc<User>>,
    pub(super) user_names: HashMap<String, i64>,
    pub(super) user_uuids: HashMap<Uuid, i64>,

    pub(super) groups: OrdMap<Uuid, Arc<Group>>,
    pub(super) group_names: OrdMap<String, Uuid>,
    /// (group, account)
    pub(super) members: OrdSet<(Uuid, i64)>,
    /// (account, group)
    pub(super) memberships: OrdSet<(i64, Uuid)>,

    /// (account, role)
    pub(super) role_users: OrdSet<(i64, Uuid)>,
    /// (group, role)
    pub(super) role_groups: OrdSet<(Uuid, Uuid)>,

    pub(super) sessions: HashMap<Hash, Arc<Session>>,

    pub(super) tokens: HashMap<Uuid, Arc<Token>>,
    pub(super) token_hashes: HashMap<Hash, Uuid>,
    pub(super) token_names: OrdMap<String, Uuid>,

    /// The highest key that a consent ever had.
    pub(super) last_consent: i64,
    pub(super) consents: OrdMap<i64, Arc<Consent>>,
    /// (account, application) to the consent.
    pub(super) consent_keys: OrdMap<(i64, Uuid), i64>,

    pub(super) decision_traces: HashMap<String, Arc<DecisionTrace>>,
    /// (made, reference)
    pub(super) decision_times: OrdSet<(DateTime<Utc>, String)>,

    /// (account, number) to the hash: the higher the number, the newer.
    pub(super) password_history: OrdMap<(i64, u64), Arc<str>>,
    pub(super) last_password: u64,

    pub(super) reputations: OrdMap<Uuid, Arc<Reputation>>,
    /// (name, address) to the score.
    pub(super) reputation_keys: OrdMap<(String, IpAddr), Uuid>,
    /// (address, name)
    pub(super) reputation_addresses: OrdSet<(IpAddr, String)>,
    /// The highest key that a grant ever had.
    pub(super) last_grant: i64,
    pub(super) grants: OrdMap<i64, Arc<Grant>>,
    pub(super) grant_hashes: HashMap<Hash, i64>,

    /// (session, subject) to what is to be done when the session ends.
    pub(super) session_tasks: OrdMap<(Hash, String), Arc<NewTask>>,

    /// By time and key: a list is read from the end.
    pub(super) events: OrdMap<(DateTime<Utc>, Uuid), Arc<Event>>,
    pub(super) event_times: HashMap<Uuid, DateTime<Utc>>,

    pub(super) tasks: HashMap<Uuid, Arc<Task>>,
    /// What waits for its time or holds a lease: (due, asked for, key).
    pub(super) due: OrdSet<(DateTime<Utc>, DateTime<Utc>, Uuid)>,

    pub(super) settings: OrdMap<String, Arc<Value>>,

    pub(super) revision: u64,
    pub(super) objects: OrdMap<Uuid, Arc<ObjectRow>>,
    /// (kind, field, value) to the object that has it.
    pub(super) unique: HashMap<(String, String, String), Uuid>,
}
