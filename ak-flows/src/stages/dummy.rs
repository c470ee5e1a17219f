//! Asks nothing: for trying flows out.

use ak_store::model::{Kind, Meta, Roles, Row};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::challenge::Challenge;
use crate::stage::{Answer, Cx, Stage, StageError, StageShown, Step};

/// Asks nothing: for trying flows out.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DummyStage {
    /// Name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Fail instead.
    #[serde(default)]
    pub throw_error: bool,
}

impl Kind for DummyStage {
    const META: Meta = Meta {
        component: "ak-stage-dummy-form",
        pk_filters: &["stage_uuid"],
        description: "Asks nothing. For trying flows out.",
        ..Meta::new("authentik_stages_dummy.dummystage", "stages/dummy", "Dummy Stage", "Dummy Stages")
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
impl Stage for DummyStage {
    async fn enter(&self, _: &mut Cx<'_>) -> Result<Step, StageError> {
        if self.throw_error {
            return Err(StageError::Failed(format!("the stage {} is configured to fail", self.name)));
        }
        Ok(Step::Show(Challenge::new("ak-stage-dummy").with("name", self.name.as_str())))
    }

    async fn respond(&self, _: &mut Cx<'_>, _: &Answer) -> Result<Step, StageError> {
        Ok(Step::Pass)
    }
}
