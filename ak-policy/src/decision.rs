//! A decision, as a value that can be shown.

use ak_store::model::Pk;
use serde::Serialize;
use uuid::Uuid;

/// Whether somebody may, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
}

/// What one binding said.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
}

/// Whom or what a binding asks.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It answered.
    Answered,
    /// It could not decide; the binding's failure result counted.
    Failed(String),
}

impl Decision {
    /// The decision where nothing is bound: everybody may.
    pub const fn open() -> Self {
        Self { passing: true, messages: Vec::new(), trace: Vec::new(), undecided: false }
    }

    /// The decision where something that guards cannot be read: nobody may.
    pub fn broken(pk: Pk, problem: &str) -> Self {
        let trace = Trace {
            binding: pk.to_string(),
            order: 0,
            subject: Subject::Unknown(pk.to_string()),
            negate: false,
            outcome: Outcome::Failed(problem.to_owned()),
            passing: false,
        };
        Self { passing: false, messages: Vec::new(), trace: vec![trace], undecided: true }
    }
}
