//! What a flow has gathered so far.

use ak_store::model::Secret;
use ak_store::records::Event;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What a flow has gathered so far, by the names that policies know.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// The account that is being identified, and not proven yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_user: Option<i64>,
    /// The hash of the password that was typed to be set. It is no value, so that policies and scripts do not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_password: Option<Secret>,
    /// Whether the flow was begun so that who has signed in does so anew. It is no value, so that nothing that a browser sends and nothing
    /// that a policy sets can be taken for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anew: bool,
    /// Everything else. It is nested where it is kept, so that no name of it can be taken for the account.
    #[serde(default)]
    pub values: Map<String, Value>,
}

impl Context {
    /// What was typed to identify the account.
    pub const PENDING_USER_IDENTIFIER: &'static str = "pending_user_identifier";
    /// How the person proved who she is: `password`, …
    pub const AUTH_METHOD: &'static str = "auth_method";
    /// The flow that led to this one.
    pub const IS_REDIRECTED: &'static str = "is_redirected";
    /// Where the flow ends, when it was decided on the way; may be absolute.
    pub const REDIRECT: &'static str = "redirect";
    /// The token that a flow was restored from.
    pub const IS_RESTORED: &'static str = "is_restored";
    /// What was filled in at prompts, by the keys of their fields. Never a password.
    pub const PROMPT_DATA: &'static str = "prompt_data";
    /// The application that the flow is about: the text of its key.
    pub const APPLICATION: &'static str = "application";
    /// What a person is asked to agree to, in words.
    pub const CONSENT_HEADER: &'static str = "consent_header";
    /// What she agrees to: a list of `{ "id", "name" }`.
    pub const CONSENT_PERMISSIONS: &'static str = "consent_permissions";
    /// Whether she is asked also where she has agreed before.
    pub const CONSENT_REQUIRED: &'static str = "consent_required";
    /// Whether she was asked on the way, and agreed.
    pub const CONSENT_GIVEN: &'static str = "consent_given";
    /// The groups that an account which is written joins: a list of keys.
    pub const GROUPS: &'static str = "groups";
    /// What sort of account is made, instead of the stage's.
    pub const USER_TYPE: &'static str = "user_type";
    /// The folder in which an account is made, instead of the stage's.
    pub const USER_PATH: &'static str = "user_path";

    /// Where the request came from: a [`crate::geo::Place`].
    pub const GEOIP: &'static str = "geoip";
    /// To whom the address belongs that the request came from: a [`crate::geo::System`].
    pub const ASN: &'static str = "asn";

    /// What is asked whether it matters: an event.
    pub const EVENT: &'static str = "event";

    /// Asks about an event.
    pub fn set_event(&mut self, event: &Event) {
        let value = json!({
            "pk": event.pk,
            "action": event.action,
            "app": event.app,
            "user": event.user,
            "context": event.context,
            "client_ip": event.client_ip,
            "created": event.created,
        });
        self.set(Self::EVENT, value);
    }

    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// The text of that name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.as_str()
    }

    /// Sets the value of that name.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.values.insert(name.to_owned(), value.into());
    }
}
