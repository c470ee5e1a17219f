//! Asks whether an application may have what it asks for.

use std::collections::BTreeSet;

use ak_policy::Context;
use ak_store::model::{Kind, Meta, Roles, Row, Span};
use ak_store::records::{Consent, NewConsent};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::challenge::{Challenge, ResponseErrors};
use crate::effect::Effect;
use crate::machine::shown_user;
use crate::stage::{Answer, Cx, Stage, StageError, StageShown, Step};

/// How long a person's consent is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsentMode {
    /// Once.
    #[default]
    AlwaysRequire,
    /// Until she takes it back.
    Permanent,
    /// For a while.
    Expiring,
}

/// Asks whether an application may have what it asks for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ConsentStage {
    /// Name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// How long a person's consent is good for.
    #[serde(default)]
    pub mode: ConsentMode,
    /// For how long, where it is for a while.
    #[serde(default = "four_weeks")]
    pub consent_expire_in: Span,
}

fn four_weeks() -> Span {
    Span::seconds(4 * 7 * 24 * 60 * 60)
}

impl Kind for ConsentStage {
    const META: Meta = Meta {
        component: "ak-stage-consent-form",
        pk_filters: &["stage_uuid"],
        description: "Asks whether an application may have what it asks for.",
        ..Meta::new("authentik_stages_consent.consentstage", "stages/consent", "Consent Stage", "Consent Stages")
    };

    type Shown = StageShown;

    fn shown(&self, row: &Row<'_>) -> StageShown {
        StageShown::of(row)
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Stage>(|s| s);
    }
}

/// Something that an application asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Permission {
    id: String,
    name: String,
}

/// In the stage's memory: what the answer must bring, so that it is one to this very page.
const TOKEN: &str = "token";

/// What is asked for, and what of it was granted before.
struct Asked {
    user: Option<i64>,
    application: Option<Uuid>,
    before: Option<Consent>,
    granted: Vec<Permission>,
    new: Vec<Permission>,
}

impl ConsentStage {
    async fn asked(&self, cx: &Cx<'_>) -> Result<Asked, StageError> {
        let failed = |what: &str| StageError::Failed(format!("the {what} in the context cannot be read"));
        let permissions = cx.context.get(Context::CONSENT_PERMISSIONS).cloned().unwrap_or(Value::Array(Vec::new()));
        let permissions: Vec<Permission> = serde_json::from_value(permissions).map_err(|_| failed("permissions"))?;
        let application = cx.context.get(Context::APPLICATION).cloned().map(serde_json::from_value::<Uuid>).transpose();
        let application = application.map_err(|_| failed("application"))?;
        let user = cx.subject().await?.map(|person| person.user.pk);
        let anew = cx.context.get(Context::CONSENT_REQUIRED) == Some(&Value::Bool(true));
        let before = match (user, application, self.mode) {
            _ if anew => None,
            (_, _, ConsentMode::AlwaysRequire) | (None, ..) | (_, None, _) => None,
            (Some(user), Some(application), _) => cx.world.directory.consent(user, application, cx.world.now).await?,
        };
        let known: BTreeSet<&str> = before.iter().flat_map(|consent| consent.permissions.split_whitespace()).collect();
        let (granted, new) = permissions.into_iter().partition(|permission| known.contains(permission.id.as_str()));
        Ok(Asked { user, application, before, granted, new })
    }

    /// What is kept of a consent, if anything is.
    fn record(&self, cx: &Cx<'_>, asked: &Asked) -> Option<NewConsent> {
        let expires = match self.mode {
            ConsentMode::AlwaysRequire => return None,
            ConsentMode::Permanent => None,
            ConsentMode::Expiring => Some(cx.world.now + self.consent_expire_in.duration()),
        };
        let known = asked.before.iter().flat_map(|consent| consent.permissions.split_whitespace());
        let all: BTreeSet<&str> = known.chain(asked.new.iter().map(|permission| permission.id.as_str())).collect();
        let permissions = all.into_iter().collect::<Vec<_>>().join(" ");
        Some(NewConsent { user: asked.user?, application: asked.application?, permissions, expires })
    }
}

#[async_trait]
impl Stage for ConsentStage {
    async fn enter(&self, cx: &mut Cx<'_>) -> Result<Step, StageError> {
        let asked = self.asked(cx).await?;
        if asked.before.is_some() && asked.new.is_empty() {
            return Ok(Step::Pass);
        }
        if !cx.memory.contains_key(TOKEN) {
            cx.memory.insert(TOKEN.into(), cx.world.rng.token(16).into());
        }
        let typed = shown_user(cx.context).map(str::to_owned);
        let person = if typed.is_some() { None } else { cx.subject().await? };
        // Where nothing was granted before, all of it is simply what is asked for.
        let (permissions, additional) = if asked.before.is_some() { (asked.granted, asked.new) } else { (asked.new, Vec::new()) };
        let challenge = Challenge::new("ak-stage-consent")
            .about(person.as_ref(), typed.as_deref())
            .with_some("header_text", cx.context.text(Context::CONSENT_HEADER))
            .with("permissions", json!(permissions))
            .with("additional_permissions", json!(additional))
            .with(TOKEN, cx.memory.get(TOKEN).cloned().unwrap_or_default());
        Ok(Step::Show(challenge))
    }

    async fn respond(&self, cx: &mut Cx<'_>, answer: &Answer) -> Result<Step, StageError> {
        let given = match answer.text(TOKEN) {
            Ok(given) => given,
            Err(errors) => return Ok(Step::Retry(errors)),
        };
        let expected = cx.memory.get(TOKEN).and_then(Value::as_str).unwrap_or_default();
        if expected.is_empty() || !bool::from(expected.as_bytes().ct_eq(given.as_bytes())) {
            return Ok(Step::Retry(ResponseErrors::whole("This page was out of date. Please look at it again.", "invalid")));
        }
        let asked = self.asked(cx).await?;
        if let Some(consent) = self.record(cx, &asked) {
            cx.effects.push(Effect::Consent(consent));
        }
        cx.context.set(Context::CONSENT_GIVEN, true);
        Ok(Step::Pass)
    }
}
