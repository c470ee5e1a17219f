//! Which stages a flow has.

use ak_policy::{EngineMode, PolicyBinding, PolicyTarget};
use ak_store::model::{Kind, Meta, Ref, Roles, Row};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::flow::Flow;
use crate::stage::Stage;

/// What an answer that a stage does not accept leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvalidResponseAction {
    /// The same challenge again, with what is wrong.
    #[default]
    Retry,
    /// The flow from its beginning, with nothing kept.
    Restart,
    /// The flow from its beginning, with what was gathered.
    RestartWithContext,
}

/// A stage of a flow, at its place.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct FlowStageBinding {
    /// The flow.
    pub target: Ref<Flow>,
    /// The stage.
    pub stage: Ref<dyn Stage>,
    /// Evaluate policies when the flow is planned.
    #[serde(default)]
    pub evaluate_on_plan: bool,
    /// Evaluate policies again when the stage is about to be shown.
    #[serde(default = "yes")]
    pub re_evaluate_policies: bool,
    /// Place in the flow.
    #[schemars(range(min = -2147483648, max = 2147483647))]
    pub order: i32,
    /// How the results of several policies make one.
    #[serde(default)]
    pub policy_engine_mode: EngineMode,
    /// What an answer that the stage does not accept leads to.
    #[serde(default)]
    pub invalid_response_action: InvalidResponseAction,
}

fn yes() -> bool {
    true
}

impl FlowStageBinding {
    /// The stage at this place of the flow, everything else at its default.
    pub fn new(target: Ref<Flow>, stage: Ref<dyn Stage>, order: i32) -> Self {
        Self {
            target,
            stage,
            evaluate_on_plan: false,
            re_evaluate_policies: true,
            order,
            policy_engine_mode: EngineMode::default(),
            invalid_response_action: InvalidResponseAction::Retry,
        }
    }
}

/// The read-only fields of a stage binding.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FlowStageBindingShown {
    policybindingmodel_ptr_id: Value,
    stage_obj: Value,
}

impl Kind for FlowStageBinding {
    const META: Meta = Meta {
        pk_filters: &["fsb_uuid", "pbm_uuid"],
        through: &[("policies", PolicyBinding::META.model, "policy")],
        label: "order",
        unique: &[&["target", "stage", "order"]],
        search: &["stage__name"],
        order: &["target", "order"],
        ..Meta::new("authentik_flows.flowstagebinding", "flows/bindings", "Flow Stage Binding", "Flow Stage Bindings")
    };

    type Shown = FlowStageBindingShown;

    fn shown(&self, row: &Row<'_>) -> FlowStageBindingShown {
        FlowStageBindingShown {
            policybindingmodel_ptr_id: row.pk().value(),
            stage_obj: row.snapshot.expand(self.stage.pk(), row.people),
        }
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn PolicyTarget>(|s| s);
    }
}

impl PolicyTarget for FlowStageBinding {
    fn engine_mode(&self) -> EngineMode {
        self.policy_engine_mode
    }
}
