//! A decision, as a value that can be shown.

use ak_store::model::Pk;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use uuid::Uuid;

use crate::policy::{BINDING, Changes, Failure, LogLine, PolicyEffect};

/// Whether somebody may, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Whether the request is let through.
    pub passing: bool,
    /// What the person is told.
    pub messages: Vec<String>,
    /// What every binding said, in the order in which they were asked.
    pub trace: Vec<Trace>,
    /// An error stood in for a result that could have changed the decision. Whoever would pass over a protection on a plain "no"
    /// must refuse instead.
    pub undecided: bool,
    /// What the policies changed. Whoever asked makes the changes, or, in a trial, does not.
    #[serde(skip)]
    pub changes: Box<Changes>,
}

/// What one binding said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The binding.
    pub binding: String,
    /// Its place.
    pub order: i32,
    /// Whom or what it asked.
    pub subject: Subject,
    /// Whether its result was turned round.
    pub negate: bool,
    /// What came of it.
    pub outcome: Outcome,
    /// The result that counted.
    pub passing: bool,
    /// What it told the person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<String>,
    /// What it logged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<LogLine>,
    /// How long it took, in microseconds.
    pub micros: u64,
}

/// Whom or what a binding asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A policy, by name.
    Policy(String),
    /// Whether it is this account.
    User(i64),
    /// Whether it is a member of this group.
    Group(Uuid),
    /// Something that cannot be read.
    Unknown(String),
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It answered.
    Answered,
    /// It could not decide; the binding's failure result counted.
    Failed(Failure),
}

impl Decision {
    /// The decision where nothing is bound: everybody may.
    pub fn open() -> Self {
        Self { passing: true, messages: Vec::new(), trace: Vec::new(), undecided: false, changes: Box::default() }
    }

    /// The decision where something that guards cannot be read: nobody may.
    pub fn broken(pk: Pk, problem: &str) -> Self {
        let trace = Trace {
            binding: pk.to_string(),
            order: 0,
            subject: Subject::Unknown(pk.to_string()),
            negate: false,
            outcome: Outcome::Failed(Failure::new(problem)),
            passing: false,
            messages: Vec::new(),
            log: Vec::new(),
            micros: 0,
        };
        Self { passing: false, trace: vec![trace], undecided: true, ..Self::open() }
    }

    /// The events that tell of what could not decide, and of the decisions of policies whose executions are noted.
    pub(crate) fn note(&mut self, index: usize, always: bool) {
        let Some(trace) = self.trace.get(index) else { return };
        let failed = matches!(trace.outcome, Outcome::Failed(_));
        if !failed && !always {
            return;
        }
        let action = if failed { "policy_exception" } else { "policy_execution" };
        let mut context = Map::new();
        let message = match &trace.outcome {
            Outcome::Failed(failure) => format!("Policy failed: {failure}"),
            Outcome::Answered => "Policy executed".to_owned(),
        };
        context.insert("message".into(), message.into());
        context.insert(BINDING.into(), json!(trace));
        self.changes.effects.push(PolicyEffect::Event { action: action.into(), context });
    }
}
