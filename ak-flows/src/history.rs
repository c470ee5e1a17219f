//! What was behind a person at every stage that she passed, for the inspector.

use ak_policy::Context;
use ak_store::model::Pk;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::plan::Plan;

/// A plan at the moment at which one of its stages was passed, or ended the flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Passed {
    /// The flow.
    pub flow: Uuid,
    /// The binding of the stage.
    pub binding: Uuid,
    /// The binding that came next.
    pub next: Option<Uuid>,
    /// What had been gathered, without secrets.
    pub context: Map<String, Value>,
}

/// So many are kept of the last flow; of more, the last ones.
const KEPT: usize = 16;
/// What has been gathered is kept up to this length, in bytes of JSON; of more, the names only.
const LONGEST: usize = 2048;
/// The name in the session's data.
const NAME: &str = "flow_history";

impl Passed {
    /// The plan as it is now.
    pub(crate) fn of(plan: &Plan) -> Option<Self> {
        let mut bindings = plan.steps.iter().map(|step| step.binding);
        let (binding, next) = (bindings.next()?, bindings.next());
        Some(Self { flow: plan.flow, binding, next, context: shown(&plan.context) })
    }

    /// What a session remembers of a flow, the oldest first.
    pub fn of_session(data: &Value, flow: Pk) -> Vec<Self> {
        let mut all = read(data);
        all.retain(|passed| passed.flow == flow.uuid());
        all
    }

    /// Puts what was passed into a session's data; `fresh`: what was there before belongs to a flow that is over.
    pub(crate) fn note(data: &mut Value, passed: &[Self], fresh: bool) {
        if passed.is_empty() && !(fresh && data.get(NAME).is_some()) {
            return;
        }
        let mut all = if fresh { Vec::new() } else { read(data) };
        all.extend_from_slice(passed);
        let surplus = all.len().saturating_sub(KEPT);
        all.drain(..surplus);
        if !data.is_object() {
            *data = json!({});
        }
        if let Value::Object(map) = data {
            map.insert(NAME.into(), json!(all));
        }
    }

    /// Takes what a session remembers along into the data of the session that takes its place.
    pub(crate) fn carry(from: &Value, into: &mut Value) {
        if let (Some(history), Value::Object(into)) = (from.get(NAME), into) {
            into.insert(NAME.into(), history.clone());
        }
    }
}

fn read(data: &Value) -> Vec<Passed> {
    // Of another version's shape there is nothing to show.
    data.get(NAME).and_then(|history| serde_json::from_value(history.clone()).ok()).unwrap_or_default()
}

/// What a flow has gathered, as administrators see it: without secrets, and no longer than can be kept.
pub fn shown(context: &Context) -> Map<String, Value> {
    let mut all = redacted(&context.values);
    if let Some(pk) = context.pending_user {
        all.insert("pending_user".into(), json!({ "pk": pk }));
    }
    if serde_json::to_string(&all).map_or(usize::MAX, |text| text.len()) > LONGEST {
        let names = all.into_iter().filter(|(name, _)| name.len() <= 64).take(64);
        all = names.map(|(name, _)| (name, Value::from("…"))).collect();
    }
    all
}

/// Parts of the names of what is not shown.
const SECRET: [&str; 11] = ["pass", "pwd", "secret", "token", "code", "key", "otp", "proof", "credential", "seed", "answer"];

/// Whether a value of this name is a secret.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "pin" || SECRET.iter().any(|part| name.contains(part))
}

fn redacted(map: &Map<String, Value>) -> Map<String, Value> {
    map.iter().map(|(name, value)| (name.clone(), if is_secret(name) { Value::from("******") } else { cut(value) })).collect()
}

/// The value without secrets, long texts cut.
fn cut(value: &Value) -> Value {
    match value {
        Value::String(text) if text.chars().count() > 200 => text.chars().take(200).chain(['…']).collect::<String>().into(),
        Value::Object(map) => Value::Object(redacted(map)),
        Value::Array(list) => list.iter().map(cut).collect(),
        other => other.clone(),
    }
}
