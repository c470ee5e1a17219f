//! Asks for the password.

use ak_policy::Context;
use ak_store::directory::Person;
use ak_store::directory::password::PasswordError;
use ak_store::model::{Kind, Meta, Ref, Roles, Row, Secret};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::challenge::{Challenge, ResponseErrors};
use crate::directory::PasswordCheck;
use crate::effect::{Effect, Proof};
use crate::flow::{Designation, Flow};
use crate::machine::{SHOWN_USER, shown_user};
use crate::stage::{Answer, Cx, Stage, StageError, StageShown, Step};

/// Against what a password is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PasswordBackend {
    /// The account's password.
    #[serde(rename = "authentik.core.auth.InbuiltBackend")]
    Inbuilt,
    /// The account's app passwords.
    #[serde(rename = "authentik.core.auth.TokenBackend")]
    Token,
    /// The LDAP sources; there are none yet, so none knows the account.
    #[serde(rename = "authentik.sources.ldap.auth.LDAPBackend")]
    Ldap,
    /// The Kerberos sources; there are none yet, so none knows the account.
    #[serde(rename = "authentik.sources.kerberos.auth.KerberosBackend")]
    Kerberos,
}

/// Asks for the password.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PasswordStage {
    /// Name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Against what the password is checked.
    pub backends: Vec<PasswordBackend>,
    /// Flow in which a person changes her password.
    #[serde(default)]
    pub configure_flow: Option<Ref<Flow>>,
    /// How many wrong passwords end the flow. No account is locked by it.
    #[serde(default = "five")]
    #[schemars(range(min = -2147483648, max = 2147483647))]
    pub failed_attempts_before_cancel: i32,
    /// Offer to show what is typed.
    #[serde(default)]
    pub allow_show_password: bool,
}

fn five() -> i32 {
    5
}

impl Kind for PasswordStage {
    const META: Meta = Meta {
        component: "ak-stage-password-form",
        description: "Asks for the password.",
        ..Meta::new("authentik_stages_password.passwordstage", "stages/password", "Password Stage", "Password Stages")
    };

    type Shown = StageShown;

    fn shown(&self, row: &Row<'_>) -> StageShown {
        StageShown::of(row)
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Stage>(|s| s);
    }
}

/// What a check of a password came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checked {
    /// It lets the account in.
    Right,
    /// It does not.
    Wrong,
    /// It does not, and the flow has seen enough of that.
    TooOften,
}

impl PasswordStage {
    /// What a person is told whose flow was ended by wrong passwords.
    pub(super) const TOO_OFTEN: &'static str = "Too many wrong passwords. Please start again.";

    /// Whether `password` lets this account in, by any of the backends. It notes a failure, and takes as long without an account.
    pub(super) async fn check(&self, cx: &mut Cx<'_>, person: Option<&Person>, password: &str) -> Result<Checked, StageError> {
        let user = person.map(|p| &p.user);
        let busy = |error: PasswordError| match error {
            PasswordError::Busy => StageError::Busy("too many passwords are being checked".into()),
            other => StageError::Failed(other.to_string()),
        };
        let inbuilt = self.backends.contains(&PasswordBackend::Inbuilt);
        // An account that this backend is not for is treated as none, so that the answer takes as long.
        let checked = cx.world.directory.check_password(user.filter(|_| inbuilt), password).await.map_err(busy)?;
        if let (PasswordCheck::RightInOldForm(new), Some(user)) = (&checked, user) {
            let old = Secret::new(user.password.clone().unwrap_or_default());
            cx.effects.push(Effect::UpgradePassword { user: user.pk, old, new: new.clone() });
        }
        if let (true, Some(user)) = (checked != PasswordCheck::Wrong, user) {
            prove(cx, "password", &Proof::Password(user.password_change_date));
            return Ok(Checked::Right);
        }
        if self.backends.contains(&PasswordBackend::Token)
            && let Some(token) = cx.world.directory.check_app_password(user, password, cx.world.now).await?
        {
            prove(cx, "app_password", &Proof::of_token(&token));
            return Ok(Checked::Right);
        }
        let typed = cx.context.text(Context::PENDING_USER_IDENTIFIER).or(user.map(|u| u.username.as_str()));
        let context = json!({ "username": typed.unwrap_or_default(), "stage": self.name });
        tracing::info!(client_ip = ?cx.world.client.ip, request_id = cx.world.request_id, "authentication failed");
        cx.effects.push(Effect::event("login_failed", user.map(|u| u.pk), context));
        const ATTEMPTS: &str = "attempts";
        let attempts = cx.memory.get(ATTEMPTS).and_then(Value::as_i64).unwrap_or(0) + 1;
        cx.memory.insert(ATTEMPTS.into(), attempts.into());
        let too_often = attempts >= i64::from(self.failed_attempts_before_cancel);
        Ok(if too_often { Checked::TooOften } else { Checked::Wrong })
    }
}

/// Notes how the account was proven, and what must still hold when it signs in.
fn prove(cx: &mut Cx<'_>, method: &str, proof: &Proof) {
    cx.context.set(Context::AUTH_METHOD, method);
    cx.context.set(Proof::CONTEXT, json!(proof));
}

/// The address of a flow, with the way to go on afterwards.
pub(super) fn flow_url(cx: &Cx<'_>, flow: Option<Ref<Flow>>) -> Option<String> {
    let flow = cx.world.snapshot.get(flow?)?;
    Some(format!("/if/flow/{}/", flow.slug))
}

#[async_trait]
impl Stage for PasswordStage {
    fn configured_by(&self) -> Option<(Ref<Flow>, &'static str)> {
        Some((self.configure_flow?, "ak-user-settings-password"))
    }

    async fn enter(&self, cx: &mut Cx<'_>) -> Result<Step, StageError> {
        let person = if cx.context.get(SHOWN_USER).is_some() { None } else { cx.subject().await? };
        let recovery = cx.world.brand().and_then(|b| b.flow(Designation::Recovery));
        let challenge = Challenge::new("ak-stage-password")
            .about(person.as_ref(), shown_user(cx.context).or_else(|| cx.context.text(Context::PENDING_USER_IDENTIFIER)))
            .with("allow_show_password", self.allow_show_password)
            .with_some("recovery_url", flow_url(cx, recovery));
        Ok(Step::Show(challenge))
    }

    async fn respond(&self, cx: &mut Cx<'_>, answer: &Answer) -> Result<Step, StageError> {
        let password = match answer.text("password") {
            Ok("") => return Ok(Step::Retry(ResponseErrors::field("password", "This field may not be blank.", "blank"))),
            Ok(password) => password.to_owned(),
            Err(errors) => return Ok(Step::Retry(errors)),
        };
        let person = match cx.context.get(SHOWN_USER) {
            Some(_) => cx.pending().await?,
            None => cx.subject().await?,
        };
        match self.check(cx, person.as_ref(), &password).await? {
            Checked::Right => {
                // Whom the password proved is whom the flow goes on with.
                cx.context.pending_user = person.map(|p| p.user.pk);
                Ok(Step::Pass)
            }
            Checked::Wrong => Ok(Step::Retry(ResponseErrors::field("password", "Invalid password", "invalid"))),
            Checked::TooOften => Ok(Step::Deny(Some(Self::TOO_OFTEN.into()))),
        }
    }
}
