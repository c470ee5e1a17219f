//! What decides.

use std::sync::Arc;
use std::time::Duration;

use ak_store::model::Target;
use chrono::{DateTime, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::context::Context;
use crate::request::Request;

/// The role of what can decide.
pub trait Policy: Send + Sync {
    /// Its name, for the trace.
    fn name(&self) -> &str;

    /// Whether every decision of it is noted as an event.
    fn logs_executions(&self) -> bool {
        false
    }

    /// Whether the request is let through.
    ///
    /// It runs on a thread of the engine's own, where waiting is allowed ([`crate::wait`]), and stops itself with an error before
    /// `limit` (the binding's time-out, less what was spent waiting for a thread) is over.
    fn evaluate(&self, request: &Arc<Request>, limit: Duration) -> Result<Verdict, Failure>;
}

impl Target for dyn Policy {
    const NAME: &'static str = "authentik_policies.policy";
}

/// What a policy answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdict {
    /// Whether the request is let through.
    pub passing: bool,
    /// What the person is told when she is refused.
    pub messages: Vec<String>,
    /// What the policy logged.
    pub log: Vec<LogLine>,
    /// What the policy changed.
    pub changes: Changes,
    /// Whether it depends on nothing but the policy's own document and who asks: her account, her groups, and the time zone. Then the
    /// policy may not be asked again as long as they stay the same.
    pub lasting: bool,
}

impl Verdict {
    /// A plain yes or no.
    pub fn plain(passing: bool) -> Self {
        Self { passing, ..Self::default() }
    }

    /// A refusal with what the person is told.
    pub fn refused(message: impl Into<String>) -> Self {
        Self { messages: vec![message.into()], ..Self::plain(false) }
    }
}

/// A policy could not decide. The text is for administrators.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}{}", self.place())]
pub struct Failure {
    /// What went wrong.
    pub message: String,
    /// Line of the expression, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column of the expression, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// What it logged until then.
    #[serde(skip)]
    pub log: Vec<LogLine>,
}

impl Failure {
    /// A failure without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    fn place(&self) -> String {
        match (self.line, self.column) {
            (Some(line), Some(column)) => format!(" (line {line}, column {column})"),
            (Some(line), None) => format!(" (line {line})"),
            (None, _) => String::new(),
        }
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

/// A line that a policy logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// `debug`, `info`, `warning`, `error`.
    pub level: &'static str,
    /// What it said.
    pub event: String,
    /// When.
    pub timestamp: DateTime<Utc>,
}

impl<'de> Deserialize<'de> for LogLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Kept {
            level: String,
            event: String,
            timestamp: DateTime<Utc>,
        }
        let Kept { level, event, timestamp } = Kept::deserialize(deserializer)?;
        let known = ["debug", "info", "warning", "error"].into_iter().find(|known| *known == level);
        let level = known.ok_or_else(|| D::Error::custom(format!("there is no level {level}")))?;
        Ok(Self { level, event, timestamp })
    }
}

/// What policies changed, in the order in which they did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// What flows have gathered: names and their new values; `None` takes a name away.
    pub context: Map<String, Value>,
    /// Names that were taken out of the context.
    pub removed: Vec<String>,
    /// The account that is being identified, if it was changed.
    pub pending_user: Option<Option<i64>>,
    /// What is to happen beyond the flow.
    pub effects: Vec<PolicyEffect>,
}

impl Changes {
    /// Whether nothing was changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Makes the changes to what a flow has gathered.
    pub fn apply(&self, context: &mut Context) {
        for name in &self.removed {
            context.values.remove(name);
        }
        context.values.extend(self.context.iter().map(|(name, value)| (name.clone(), value.clone())));
        if let Some(pending) = self.pending_user {
            context.pending_user = pending;
        }
    }

    pub(crate) fn extend(&mut self, later: Self) {
        for name in &later.removed {
            self.context.remove(name);
        }
        self.removed.retain(|name| !later.context.contains_key(name));
        self.removed.extend(later.removed);
        self.context.extend(later.context);
        self.pending_user = later.pending_user.or(self.pending_user);
        self.effects.extend(later.effects);
    }
}

impl PolicyEffect {
    /// Whether both note the same: what one binding said. A request needs no more than one of them.
    pub fn notes_the_same(&self, other: &Self) -> bool {
        self.noted().is_some_and(|noted| other.noted() == Some(noted))
    }

    /// What is noted of which binding.
    fn noted(&self) -> Option<(&str, &str)> {
        let Self::Event { action, context } = self else { return None };
        Some((action, context.get(BINDING)?.get(BINDING)?.as_str()?))
    }
}

/// In the context of an event: what a binding said; and in that: the binding.
pub(crate) const BINDING: &str = "binding";

/// What a policy makes happen beyond the flow. Whoever asked for the decision does it, or, in a trial, does not.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyEffect {
    /// Something is worth noting.
    Event {
        /// What happened.
        action: String,
        /// What belongs to it. Never secrets.
        context: Map<String, Value>,
    },
    /// An account becomes a direct member of a group.
    AddToGroup {
        /// The account.
        user: i64,
        /// The group.
        group: Uuid,
    },
    /// A direct membership ends.
    RemoveFromGroup {
        /// The account.
        user: i64,
        /// The group.
        group: Uuid,
    },
    /// An account's password cannot be used any more.
    ExpirePassword {
        /// The account.
        user: i64,
    },
    /// An account gets other attributes.
    SetAttributes {
        /// The account.
        user: i64,
        /// All its attributes.
        attributes: Map<String, Value>,
    },
}
