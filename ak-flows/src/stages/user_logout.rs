//! Ends the session.

use ak_store::model::{Kind, Meta, Roles, Row};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::effect::Effect;
use crate::stage::{Answer, Cx, Stage, StageError, StageShown, Step};

/// Ends the session of who has signed in.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UserLogoutStage {
    /// Name.
    #[schemars(length(min = 1))]
    pub name: String,
}

impl Kind for UserLogoutStage {
    const META: Meta = Meta {
        component: "ak-stage-user-logout-form",
        pk_filters: &["stage_uuid"],
        description: "Ends the session.",
        ..Meta::new(
            "authentik_stages_user_logout.userlogoutstage",
            "stages/user_logout",
            "User Logout Stage",
            "User Logout Stages",
        )
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
impl Stage for UserLogoutStage {
    async fn enter(&self, cx: &mut Cx<'_>) -> Result<Step, StageError> {
        if let Some(person) = cx.world.person {
            cx.effects.push(Effect::event("logout", Some(person.user.pk), json!({})));
            cx.effects.push(Effect::Logout);
        }
        Ok(Step::Pass)
    }

    async fn respond(&self, cx: &mut Cx<'_>, _: &Answer) -> Result<Step, StageError> {
        self.enter(cx).await
    }
}
