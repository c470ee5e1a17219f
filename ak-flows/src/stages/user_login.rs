//! Signs in the account that the flow has identified.

use ak_policy::Context;
use ak_store::model::{Kind, Meta, Roles, Row, Span};
use async_trait::async_trait;
use chrono::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::challenge::{Challenge, ResponseErrors};
use crate::effect::{Effect, Login, Proof};
use crate::machine::{SHOWN_USER, shown_user};
use crate::stage::{Answer, Cx, Stage, StageError, StageShown, Step};

/// What of the network a session is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NetworkBinding {
    /// Nothing.
    #[default]
    NoBinding,
    /// The autonomous system.
    BindAsn,
    /// The network too.
    BindAsnNetwork,
    /// The address too.
    BindAsnNetworkIp,
}

/// What of the place a session is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GeoipBinding {
    /// Nothing.
    #[default]
    NoBinding,
    /// The continent.
    BindContinent,
    /// The country too.
    BindContinentCountry,
    /// The city too.
    BindContinentCountryCity,
}

/// Signs in the account that the flow has identified.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UserLoginStage {
    /// Name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// How long the session lasts; zero: until the browser is closed.
    #[serde(default = "zero")]
    pub session_duration: Span,
    /// End the account's other sessions.
    #[serde(default)]
    pub terminate_other_sessions: bool,
    /// How much longer the session lasts for who asks to be remembered; zero: nobody is asked.
    #[serde(default = "zero")]
    pub remember_me_offset: Span,
    /// What of the network the session is bound to.
    #[serde(default)]
    #[schemars(extend("x-later" = true))]
    pub network_binding: NetworkBinding,
    /// What of the place the session is bound to.
    #[serde(default)]
    #[schemars(extend("x-later" = true))]
    pub geoip_binding: GeoipBinding,
    /// How long the device is remembered.
    #[serde(default = "zero")]
    #[schemars(extend("x-later" = true))]
    pub remember_device: Span,
}

fn zero() -> Span {
    Span::seconds(0)
}

impl Kind for UserLoginStage {
    const META: Meta = Meta {
        component: "ak-stage-user-login-form",
        pk_filters: &["stage_uuid"],
        description: "Signs in the account that the flow has identified.",
        ..Meta::new("authentik_stages_user_login.userloginstage", "stages/user_login", "User Login Stage", "User Login Stages")
    };

    type Shown = StageShown;

    fn shown(&self, row: &Row<'_>) -> StageShown {
        StageShown::of(row)
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Stage>(|s| s);
    }
}

impl UserLoginStage {
    async fn sign_in(&self, cx: &mut Cx<'_>, remember: bool) -> Result<Step, StageError> {
        let Some(person) = cx.pending().await? else {
            return Ok(Step::Deny(Some("No pending user to login.".into())));
        };
        if !person.user.is_active {
            return Ok(Step::Deny(Some("User account is not active, cannot login.".into())));
        }
        let offset = if remember { self.remember_me_offset.duration() } else { Duration::zero() };
        let duration = self.session_duration.duration() + offset;
        let method = cx.context.text(Context::AUTH_METHOD).unwrap_or("unknown").to_owned();
        let proof = cx.context.get(Proof::CONTEXT).cloned().map(serde_json::from_value::<Proof>).transpose();
        let proof = proof.map_err(|e| StageError::Failed(format!("the proof in the context cannot be read: {e}")))?;
        cx.effects.push(Effect::event("login", Some(person.user.pk), json!({ "auth_method": method })));
        cx.effects.push(Effect::Login(Login {
            user: person.user.pk,
            method,
            proof,
            duration: (duration > Duration::zero()).then_some(duration),
            terminate_others: self.terminate_other_sessions,
        }));
        Ok(Step::Pass)
    }
}

#[async_trait]
impl Stage for UserLoginStage {
    async fn enter(&self, cx: &mut Cx<'_>) -> Result<Step, StageError> {
        if self.remember_me_offset.is_zero() {
            return self.sign_in(cx, false).await;
        }
        let person = if cx.context.get(SHOWN_USER).is_some() { None } else { cx.pending().await? };
        Ok(Step::Show(Challenge::new("ak-stage-user-login").about(person.as_ref(), shown_user(cx.context))))
    }

    async fn respond(&self, cx: &mut Cx<'_>, answer: &Answer) -> Result<Step, StageError> {
        match answer.flag("remember_me") {
            Ok(Some(remember)) => self.sign_in(cx, remember).await,
            Ok(None) => Ok(Step::Retry(ResponseErrors::field("remember_me", "This field is required.", "required"))),
            Err(errors) => Ok(Step::Retry(errors)),
        }
    }
}
