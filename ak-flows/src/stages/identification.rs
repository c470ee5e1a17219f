//! Asks who the person is.

use ak_policy::Context;
use ak_store::model::{Errors, Kind, Meta, Ref, Roles, Row};
use ak_store::records::UserField;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::password::{Checked, PasswordStage, flow_url};
use crate::challenge::{Challenge, ResponseErrors};
use crate::effect::{Effect, Proof};
use crate::flow::{Designation, Flow};
use crate::machine::SHOWN_USER;
use crate::stage::{Answer, Cx, Stage, StageError, StageShown, Step};

/// What can be typed to name an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserFieldName {
    /// The e-mail address.
    Email,
    /// The user name.
    Username,
    /// The user principal name.
    Upn,
}

impl From<UserFieldName> for UserField {
    fn from(name: UserFieldName) -> Self {
        match name {
            UserFieldName::Email => Self::Email,
            UserFieldName::Username => Self::Username,
            UserFieldName::Upn => Self::Upn,
        }
    }
}

/// Asks who the person is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct IdentificationStage {
    /// Name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// What can be typed to name an account.
    #[serde(default)]
    pub user_fields: Vec<UserFieldName>,
    /// Ask for the password on the same page.
    #[serde(default)]
    pub password_stage: Option<Ref<PasswordStage>>,
    /// Ask a captcha on the same page.
    #[serde(default)]
    #[schemars(extend("x-later" = true))]
    pub captcha_stage: Option<Uuid>,
    /// Compare without regard to case.
    #[serde(default = "yes")]
    pub case_insensitive_matching: bool,
    /// Show the name and the picture of the account on later pages, instead of what was typed. It tells whether the account exists.
    #[serde(default = "yes")]
    pub show_matched_user: bool,
    /// Flow for signing up, linked on the page.
    #[serde(default)]
    pub enrollment_flow: Option<Ref<Flow>>,
    /// Flow for getting back in, linked on the page.
    #[serde(default)]
    pub recovery_flow: Option<Ref<Flow>>,
    /// Flow for signing in without a password, linked on the page.
    #[serde(default)]
    pub passwordless_flow: Option<Ref<Flow>>,
    /// Sources to sign in with.
    #[serde(default)]
    #[schemars(extend("x-later" = true))]
    pub sources: Vec<Uuid>,
    /// Show the names of sources.
    #[serde(default)]
    pub show_source_labels: bool,
    /// Go on as if there were an account when there is none.
    #[serde(default = "yes")]
    pub pretend_user_exists: bool,
    /// Offer to remember the name on this device.
    #[serde(default)]
    #[schemars(extend("x-later" = true))]
    pub enable_remember_me: bool,
    /// Offer passkeys on the same page.
    #[serde(default)]
    #[schemars(extend("x-later" = true))]
    pub webauthn_stage: Option<Uuid>,
}

fn yes() -> bool {
    true
}

impl Kind for IdentificationStage {
    const META: Meta = Meta {
        component: "ak-stage-identification-form",
        description: "Asks for the user name or e-mail address.",
        ..Meta::new(
            "authentik_stages_identification.identificationstage",
            "stages/identification",
            "Identification Stage",
            "Identification Stages",
        )
    };

    type Shown = StageShown;

    fn shown(&self, row: &Row<'_>) -> StageShown {
        StageShown::of(row)
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Stage>(|s| s);
    }

    fn check(&self, _: &Row<'_>, errors: &mut Errors) {
        if self.user_fields.is_empty() {
            errors.at(&["user_fields"], "When no user fields are selected, at least one source must be selected", "invalid");
        }
    }
}

impl IdentificationStage {
    fn failed() -> Step {
        Step::Retry(ResponseErrors::whole("Failed to authenticate.", "invalid"))
    }

    /// What later pages show of the account.
    fn note_shown(&self, cx: &mut Cx<'_>, typed: &str) {
        if self.show_matched_user && cx.context.pending_user.is_some() {
            cx.context.values.remove(SHOWN_USER);
        } else {
            cx.context.set(SHOWN_USER, typed);
        }
    }
}

#[async_trait]
impl Stage for IdentificationStage {
    async fn enter(&self, cx: &mut Cx<'_>) -> Result<Step, StageError> {
        let password = self.password_stage.and_then(|p| cx.world.snapshot.get(p));
        let sign_in = password.is_some() || cx.flow.designation == Designation::Authentication;
        let challenge = Challenge::new("ak-stage-identification")
            .with("user_fields", json!(self.user_fields))
            .with_some("pending_user_identifier", cx.context.text(Context::PENDING_USER_IDENTIFIER))
            .with("password_fields", password.is_some())
            .with("allow_show_password", password.is_some_and(|p| p.allow_show_password))
            .with("flow_designation", cx.flow.designation.as_str())
            .with("primary_action", if sign_in { "Log in" } else { "Continue" })
            .with("enable_remember_me", self.enable_remember_me)
            .with("show_source_labels", self.show_source_labels)
            .with("sources", json!([]))
            .with_some("enroll_url", flow_url(cx, self.enrollment_flow))
            .with_some("recovery_url", flow_url(cx, self.recovery_flow))
            .with_some("passwordless_url", flow_url(cx, self.passwordless_flow));
        Ok(Step::Show(challenge))
    }

    async fn respond(&self, cx: &mut Cx<'_>, answer: &Answer) -> Result<Step, StageError> {
        let typed = match answer.text("uid_field").map(str::trim) {
            Ok("") => return Ok(Step::Retry(ResponseErrors::field("uid_field", "This field may not be blank.", "blank"))),
            Ok(typed) if typed.chars().count() > 254 => {
                let message = "Ensure this field has no more than 254 characters.";
                return Ok(Step::Retry(ResponseErrors::field("uid_field", message, "max_length")));
            }
            Ok(typed) => typed.to_owned(),
            Err(errors) => return Ok(Step::Retry(errors)),
        };
        let password = match self.password_stage.map(|p| (p, cx.world.snapshot.get(p))) {
            None => None,
            Some((_, Some(stage))) => match answer.text("password") {
                Ok("") => return Ok(Step::Retry(ResponseErrors::field("password", "This field may not be blank.", "blank"))),
                Ok(password) => Some((stage, password.to_owned())),
                Err(errors) => return Ok(Step::Retry(errors)),
            },
            Some((pk, None)) => return Err(StageError::Failed(format!("the password stage {pk:?} cannot be read"))),
        };
        let fields: Vec<UserField> = self.user_fields.iter().map(|f| (*f).into()).collect();
        let person = cx.world.directory.identify(&fields, &typed, self.case_insensitive_matching).await?;
        // Whoever was identified, or proven, before: now it is this one, and nothing is proven.
        cx.context.pending_user = None;
        cx.context.values.remove(Context::AUTH_METHOD);
        cx.context.values.remove(Proof::CONTEXT);
        cx.context.set(Context::PENDING_USER_IDENTIFIER, typed.as_str());
        let known = person.is_some();
        if let Some((stage, password)) = password {
            match stage.check(cx, person.as_ref(), &password).await? {
                Checked::Right => {}
                Checked::Wrong => return Ok(Self::failed()),
                Checked::TooOften => return Ok(Step::Deny(Some(PasswordStage::TOO_OFTEN.into()))),
            }
        } else if !known && !self.pretend_user_exists {
            tracing::info!(client_ip = ?cx.world.client.ip, request_id = cx.world.request_id, "authentication failed");
            cx.effects.push(Effect::event("login_failed", None, json!({ "username": typed, "stage": self.name })));
            return Ok(Self::failed());
        }
        cx.context.pending_user = person.map(|p| p.user.pk);
        self.note_shown(cx, &typed);
        Ok(Step::Pass)
    }
}
