//! Refuses everybody who comes to it.

use ak_store::model::{Kind, Meta, Roles, Row};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stage::{Answer, Cx, Stage, StageError, StageShown, Step};

/// Refuses everybody who comes to it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DenyStage {
    /// Name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// What the person is told.
    #[serde(default)]
    pub deny_message: String,
}

impl Kind for DenyStage {
    const META: Meta = Meta {
        component: "ak-stage-deny-form",
        pk_filters: &["stage_uuid"],
        description: "Refuses access. Bind policies to it to choose whom.",
        ..Meta::new("authentik_stages_deny.denystage", "stages/deny", "Deny Stage", "Deny Stages")
    };

    type Shown = StageShown;

    fn shown(&self, row: &Row<'_>) -> StageShown {
        StageShown::of(row)
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Stage>(|s| s);
    }
}

#[async_trait]
impl Stage for DenyStage {
    async fn enter(&self, _: &mut Cx<'_>) -> Result<Step, StageError> {
        Ok(Step::Deny((!self.deny_message.is_empty()).then(|| self.deny_message.clone())))
    }

    async fn respond(&self, cx: &mut Cx<'_>, _: &Answer) -> Result<Step, StageError> {
        self.enter(cx).await
    }
}
