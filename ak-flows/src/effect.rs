//! What a flow makes happen: said by stages, done when the turn is kept.

use ak_policy::{Denial, PolicyEffect};
use ak_store::model::Secret;
use ak_store::records::{Grant, NewConsent, NewTask, Token, TokenIntent, User};
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::account::Changes;

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
        old: Secret,
        /// The form to keep.
        new: Secret,
    },
    /// An account is made. Its key is one that only this turn knows ([`crate::Cx::new_account`]); whatever else in the turn names it gets
    /// the real one.
    CreateUser {
        /// The account.
        user: Box<User>,
        /// The groups that it joins.
        groups: Vec<Uuid>,
    },
    /// An account is changed. With a new password, its sessions end; the browser's own goes on under a new key.
    UpdateUser {
        /// The account.
        user: i64,
        /// What proved it, if it was something that can be taken back meanwhile.
        proof: Option<Proof>,
        /// What is written.
        changes: Box<Changes>,
        /// When: a new password bears this moment.
        now: DateTime<Utc>,
    },
    /// The account agrees that an application gets what it asks for.
    Consent(NewConsent),
    /// A client gets something. In whichever session the turn ends, that is the one that it belongs to.
    Grant(Box<Grant>),
    /// A task waits for the end of the session, in place of an earlier one of the same subject. To its arguments joins `sid`, by which
    /// clients know the session: its id in hexadecimal digits.
    AtEnd {
        /// What it is about.
        subject: String,
        /// The task.
        task: Box<NewTask>,
    },
    /// The initial set-up is over. Of several turns with this effect one is kept.
    FinishSetup,
    /// What a policy made happen.
    Policy {
        /// The account that it was asked about, if any.
        user: Option<i64>,
        /// What is to happen.
        effect: PolicyEffect,
    },
    /// Somebody was refused: why is kept under the id of the request, which she is shown.
    Denied(Box<Denial>),
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
    /// What proved it, if it was something that can be taken back meanwhile.
    pub proof: Option<Proof>,
    /// How long the session lasts; `None`: until the browser is closed.
    pub duration: Option<Duration>,
    /// Whether the account's other sessions end.
    pub terminate_others: bool,
}

/// What proved who a person is. It must still hold at the moment of signing in: between the two there may be hours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// The password that was set at this moment.
    Password(DateTime<Utc>),
    /// The app password with this key of its record, and this keyed hash of its secret.
    AppPassword(Uuid, String),
}

impl Proof {
    /// The name of the proof in a flow's context.
    pub const CONTEXT: &'static str = "auth_proof";

    /// The proof that an app password is.
    pub(crate) fn of_token(token: &Token) -> Self {
        Self::AppPassword(token.pk, hex::encode(token.key_hash))
    }

    /// Whether it still proves what it proved. `token` is the token that it names, if that is still there.
    pub(crate) fn holds(&self, user: &User, token: Option<&Token>, now: DateTime<Utc>) -> bool {
        match self {
            Self::Password(set) => user.password_change_date == *set,
            Self::AppPassword(..) => token.is_some_and(|token| {
                let is_valid = token.expires.is_none_or(|expires| expires > now);
                token.intent == TokenIntent::AppPassword && token.user == user.pk && is_valid && Self::of_token(token) == *self
            }),
        }
    }
}

impl Effect {
    /// Whether it is no more than a note about policies: it needs no session.
    pub const fn is_note(&self) -> bool {
        matches!(self, Self::Policy { effect: PolicyEffect::Event { .. }, .. } | Self::Denied(_))
    }

    /// Drops what was noted before: a binding that was asked twice at one request said one thing.
    pub(crate) fn drop_repeats(effects: &mut Vec<Self>) {
        let mut noted: Vec<PolicyEffect> = Vec::new();
        effects.retain(|effect| match effect {
            Self::Policy { effect, .. } if noted.iter().any(|before| before.notes_the_same(effect)) => false,
            Self::Policy { effect: note @ PolicyEffect::Event { .. }, .. } => {
                noted.push(note.clone());
                true
            }
            _ => true,
        });
    }

    /// An event with this context.
    pub fn event(action: &'static str, user: Option<i64>, context: Value) -> Self {
        let context = match context {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        Self::Event { action, user, context }
    }
}
