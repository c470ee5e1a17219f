//! One case: a scene, and what is expected of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::diff::diff;
use super::report::Failed;
use crate::decision::{Decision, Outcome};
use crate::testing::{House, Scene};

/// One case.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) scene: Scene,
    pub(super) expected: Expected,
}

/// What is expected. What is not said is not compared.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) result: Option<bool>,
    pub(super) error: Option<String>,
    pub(super) messages: Option<Vec<String>>,
    pub(super) log: Option<Vec<String>>,
    pub(super) changes: Option<Value>,
}

impl Case {
    /// Runs it. `Err`: the scene cannot be played, or the policy is refused.
    pub(super) async fn run(&self, name: &str, text: &str, others: &BTreeMap<String, String>) -> Result<Option<Failed>, String> {
        let scene = others.iter().fold(self.scene.clone(), |scene, (name, text)| scene.policy(name, text));
        let broken = |problem: crate::testing::Broken| format!("{}: {problem}", self.name);
        let house = scene.open().await.map_err(broken)?;
        // The policy's own problems have nothing to do with the case.
        let policy = house.expression(name, text).await.map_err(|problem| problem.to_string())?;
        let decision = house.ask_policy(policy).await.map_err(broken)?;
        let differences = self.expected.differences(&house, &decision);
        Ok((!differences.is_empty()).then(|| Failed { differences, decision }))
    }
}

impl Expected {
    fn differences(&self, house: &House, decision: &Decision) -> Vec<String> {
        let failure = decision.trace.iter().find_map(|trace| match &trace.outcome {
            Outcome::Failed(failure) => Some(failure.to_string()),
            Outcome::Answered => None,
        });
        let mut found = Vec::new();
        match (&failure, &self.error, self.result) {
            (Some(failure), Some(part), _) if failure.contains(part.as_str()) => {}
            (Some(failure), Some(part), _) => found.push(diff("error", &json!(part), &json!(failure))),
            (None, Some(part), _) => {
                found.push(format!("error: expected `{part}`, but the policy decided {}", decision.passing));
            }
            // An error refuses as well, but it is no decision.
            (Some(failure), None, Some(wanted)) => {
                found.push(format!("result: expected {wanted}, but the policy failed: {failure}"))
            }
            (None, None, Some(wanted)) if wanted != decision.passing => {
                found.push(format!("result: expected {wanted}, got {}", decision.passing));
            }
            _ => {}
        }
        let mut compare = |what: &str, wanted: Option<Value>, got: Value| {
            found.extend(wanted.filter(|wanted| *wanted != got).map(|wanted| diff(what, &wanted, &got)));
        };
        let log = decision.trace.iter().flat_map(|trace| &trace.log).map(|line| format!("{}: {}", line.level, line.event));
        compare("messages", self.messages.as_ref().map(|messages| json!(messages)), json!(decision.messages));
        compare("log", self.log.as_ref().map(|log| json!(log)), log.collect());
        compare("changes", self.changes.clone(), house.changes(decision));
        found
    }
}
