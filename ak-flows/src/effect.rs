//! What a flow makes happen: said by stages, done when the turn is kept.

use chrono::Duration;
use serde_json::{Map, Value};

/// Something that is to happen together with the next state of the plan, or not at all.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// The account signs in: the browser gets a new session.
    Login(Login),
    /// The browser's session ends.
    Logout,
    /// The password was right, but kept in an old form: keep the new one, if the old one still is there.
    UpgradePassword {
        /// The account.
        user: i64,
        /// The form that was checked.
        old: String,
        /// The form to keep.
        new: String,
    },
    /// Something is worth noting.
    Event {
        /// What happened.
        action: &'static str,
        /// Which account did it, if any.
        user: Option<i64>,
        /// What belongs to it. Never secrets.
        context: Map<String, Value>,
    },
}

/// An account signs in.
#[derive(Debug, Clone, PartialEq)]
pub struct Login {
    /// The account.
    pub user: i64,
    /// How it proved who it is.
    pub method: String,
    /// How long the session lasts; `None`: until the browser is closed.
    pub duration: Option<Duration>,
    /// Whether the account's other sessions end.
    pub terminate_others: bool,
}

impl Effect {
    /// An event with this context.
    pub fn event(action: &'static str, user: Option<i64>, context: Value) -> Self {
        let context = match context {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        Self::Event { action, user, context }
    }
}
