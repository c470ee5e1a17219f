//! Where a person stands in a flow: data that is kept in her session.

use ak_policy::Context;
use ak_store::model::Pk;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::finale::Finale;

/// Where a person stands in a flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of this shape; a plan of another version is made anew.
    pub version: u32,
    /// The flow.
    pub flow: Uuid,
    /// Its slug when the plan was made.
    pub slug: String,
    /// Which bindings the flow had, and how new they were ([`crate::plan()`] makes it): a plan of a flow that was changed is made anew.
    pub bindings: String,
    /// What is still to come; the first one is being shown.
    pub steps: Vec<PlanStep>,
    /// What is behind: the bindings that were passed.
    pub history: Vec<Uuid>,
    /// What was gathered.
    pub context: Context,
    /// What the first step keeps for itself.
    pub memory: Map<String, Value>,
    /// Whether the first step has been entered: its policies were asked.
    pub entered: bool,
    /// The address that the person wanted to go to at first.
    pub next: Option<String>,
    /// What the flow is run for, if it is for more than its own stages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finale: Option<Finale>,
}

/// A stage that is still to come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanStep {
    /// The binding of a stage to the flow.
    pub binding: Uuid,
    /// Whether its policies are asked again before it is shown.
    pub re_evaluate: bool,
}

impl Plan {
    /// The version of this shape.
    pub const VERSION: u32 = 1;

    /// Reads a plan out of a session; one of another shape is none.
    pub fn read(value: &Value) -> Option<Self> {
        serde_json::from_value(value.clone()).ok().filter(|plan: &Self| plan.version == Self::VERSION)
    }

    /// The plan as it is kept in a session.
    pub fn value(&self) -> Value {
        // A struct of texts, numbers and maps with text keys always becomes JSON.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The key of the flow.
    pub fn flow_pk(&self) -> Pk {
        Pk::of_uuid(self.flow)
    }
}
