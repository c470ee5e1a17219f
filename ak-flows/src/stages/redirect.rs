//! Leads elsewhere: to an address, or into another flow.

use ak_store::model::{Errors, Kind, Meta, Ref, Roles, Row};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::flow::Flow;
use crate::next;
use crate::stage::{Answer, Cx, Stage, StageError, StageShown, Step};

/// Where a redirect stage leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RedirectMode {
    /// To an address.
    Static,
    /// Into another flow.
    Flow,
}

/// Leads elsewhere: to an address, or into another flow.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RedirectStage {
    /// Name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Whether what was gathered goes along into the other flow.
    #[serde(default = "yes")]
    pub keep_context: bool,
    /// Where it leads.
    pub mode: RedirectMode,
    /// The address: absolute over http or https, or relative to this server.
    #[serde(default)]
    pub target_static: String,
    /// The other flow.
    #[serde(default)]
    pub target_flow: Option<Ref<Flow>>,
}

fn yes() -> bool {
    true
}

impl Kind for RedirectStage {
    const META: Meta = Meta {
        component: "ak-stage-redirect-form",
        description: "Leads to an address, or into another flow.",
        ..Meta::new("authentik_stages_redirect.redirectstage", "stages/redirect", "Redirect Stage", "Redirect Stages")
    };

    type Shown = StageShown;

    fn shown(&self, row: &Row<'_>) -> StageShown {
        StageShown::of(row)
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Stage>(|s| s);
    }

    fn check(&self, _: &Row<'_>, errors: &mut Errors) {
        match self.mode {
            RedirectMode::Static if self.target_static.is_empty() => {
                errors.at(&["target_static"], "Target URL should be present when mode is Static.", "invalid");
            }
            RedirectMode::Static if next::chosen(&self.target_static).is_none() => {
                errors.at(&["target_static"], "Enter a valid URL.", "invalid");
            }
            RedirectMode::Flow if self.target_flow.is_none() => {
                errors.at(&["target_flow"], "Target Flow should be present when mode is Flow.", "invalid");
            }
            RedirectMode::Static | RedirectMode::Flow => {}
        }
    }
}

#[async_trait]
impl Stage for RedirectStage {
    async fn enter(&self, _: &mut Cx<'_>) -> Result<Step, StageError> {
        match (self.mode, self.target_flow) {
            (RedirectMode::Static, _) => match next::chosen(&self.target_static) {
                Some(to) => Ok(Step::Leave(to)),
                None => Err(StageError::Failed(format!("the stage {} has no address to lead to", self.name))),
            },
            (RedirectMode::Flow, Some(to)) => Ok(Step::Switch { to, keep_context: self.keep_context }),
            // The flow was deleted since: refusing is safer than going on as if nothing stood here.
            (RedirectMode::Flow, None) => Err(StageError::Failed(format!("the stage {} has no flow to lead to", self.name))),
        }
    }

    async fn respond(&self, cx: &mut Cx<'_>, _: &Answer) -> Result<Step, StageError> {
        self.enter(cx).await
    }
}
