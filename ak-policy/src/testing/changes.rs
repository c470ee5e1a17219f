//! What a decision changes, with names instead of keys.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::House;
use crate::decision::Decision;
use crate::policy::PolicyEffect;

/// What a decision changes. What was not changed is left out.
#[derive(Default, Serialize)]
struct Shown {
    #[serde(skip_serializing_if = "Map::is_empty")]
    context: Map<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    removed: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_user: Option<Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    joins: BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    leaves: BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, Map<String, Value>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    passwords_expired: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<Value>,
}

/// The events by which the engine itself tells of a decision.
const OWN_EVENTS: [&str; 2] = ["policy_exception", "policy_execution"];

impl House {
    /// What a decision changes, as a test compares it: an object with `context` (values by name), `removed` (names that were taken out
    /// of it), `pending_user` (a name, or nothing), `joins` and `leaves` (groups by account), `attributes` (all of them, by account),
    /// `passwords_expired` (accounts) and `events` (`action`, `context`). What was not changed is left out; so are the engine's own
    /// events about the decision.
    pub fn changes(&self, decision: &Decision) -> Value {
        let changes = &decision.changes;
        let mut shown = Shown {
            context: changes.context.clone(),
            removed: changes.removed.clone(),
            pending_user: changes.pending_user.map(|pending| pending.map_or(Value::Null, |pk| self.user(pk).into())),
            ..Shown::default()
        };
        changes.effects.iter().for_each(|effect| self.show(effect, &mut shown));
        json!(shown)
    }

    fn show(&self, effect: &PolicyEffect, shown: &mut Shown) {
        let group = |pk| self.groups.get(pk).cloned().unwrap_or_else(|| pk.to_string());
        match effect {
            PolicyEffect::Event { action, .. } if OWN_EVENTS.contains(&action.as_str()) => {}
            PolicyEffect::Event { action, context } => shown.events.push(json!({ "action": action, "context": context })),
            PolicyEffect::AddToGroup { user, group: pk } => shown.joins.entry(self.user(*user)).or_default().push(group(pk)),
            PolicyEffect::RemoveFromGroup { user, group: pk } => {
                shown.leaves.entry(self.user(*user)).or_default().push(group(pk))
            }
            PolicyEffect::ExpirePassword { user } => shown.passwords_expired.push(self.user(*user)),
            PolicyEffect::SetAttributes { user, attributes } => {
                shown.attributes.insert(self.user(*user), attributes.clone());
            }
        }
    }

    fn user(&self, pk: i64) -> String {
        self.users.get(&pk).cloned().unwrap_or_else(|| pk.to_string())
    }
}
