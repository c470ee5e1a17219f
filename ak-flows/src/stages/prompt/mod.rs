//! Asks for whatever an administrator wants to know.

mod field;
mod seen;
mod text;
mod value;

use std::collections::HashSet;
use std::time::Duration;

use ak_policy::{Context, Policy, decide_all};
use ak_store::directory::password::PasswordError;
use ak_store::model::{Kind, Meta, Ref, Roles, Row};
use ak_store::records::UserField;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::challenge::{Challenge, ResponseErrors};
use crate::effect::Effect;
use crate::planner::request;
use crate::stage::{Answer, Cx, Stage, StageError, StageShown, Step};

use field::Origin;
pub use field::{Choice, FieldType, Prompt, StagePrompt};
use seen::{Seen, see};
pub use text::{PromptNames, Text};

/// The key of the field whose value becomes the account's password.
const PASSWORD: &str = "password";

/// How long a policy may take to look at an answer.
const LIMIT: Duration = Duration::from_secs(30);

/// In the stage's memory: what was typed, so that a form with one mistake need not be filled in again.
const TYPED: &str = "typed";

/// Asks for whatever an administrator wants to know.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PromptStage {
    /// Name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The fields.
    pub fields: Vec<Ref<Prompt>>,
    /// Policies that look at the answer; all of them must let it through.
    #[serde(default)]
    pub validation_policies: Vec<Ref<dyn Policy>>,
}

impl Kind for PromptStage {
    const META: Meta = Meta {
        component: "ak-stage-prompt-form",
        pk_filters: &["stage_uuid"],
        description: "Asks for whatever an administrator wants to know.",
        ..Meta::new("authentik_stages_prompt.promptstage", "stages/prompt/stages", "Prompt Stage", "Prompt Stages")
    };

    type Shown = StageShown;

    fn shown(&self, row: &Row<'_>) -> StageShown {
        StageShown::of(row)
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Stage>(|s| s);
    }
}

impl PromptStage {
    /// The fields, in their order.
    fn prompts<'a>(&self, cx: &Cx<'a>) -> Result<Vec<&'a Prompt>, StageError> {
        let mut prompts = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            let prompt = cx.world.snapshot.get(*field);
            // Asking for less than was meant could leave out a protection.
            prompts.push(prompt.ok_or_else(|| StageError::Failed(format!("the prompt {} cannot be read", field.pk())))?);
        }
        prompts.sort_by(|a, b| (a.order, &a.name).cmp(&(b.order, &b.name)));
        Ok(prompts)
    }

    /// What the answer says, all of it checked on its own.
    async fn read(&self, cx: &Cx<'_>, fields: &[Seen<'_>], answer: &Answer) -> Result<Result<Read, ResponseErrors>, StageError> {
        let mut errors = ResponseErrors::default();
        let mut read = Read::default();
        let mut passwords: Vec<(&str, Option<Value>)> = Vec::new();
        for field in fields {
            let prompt = field.prompt;
            let value = match prompt.r#type.origin() {
                Origin::Nowhere => continue,
                Origin::Field => Ok(Some(field.initial.as_str().into())),
                Origin::Person => value::read(field, answer),
            };
            match value {
                Ok(value) if prompt.r#type == FieldType::Password => {
                    read.take(prompt, value.clone());
                    passwords.push((&prompt.field_key, value));
                }
                Ok(value) => read.take(prompt, value),
                Err(problem) => errors.extend(problem),
            }
            let name = read.data.get(&prompt.field_key).and_then(Value::as_str).filter(|name| !name.is_empty());
            if let (FieldType::Username, Some(name)) = (prompt.r#type, name)
                && is_taken(cx, name).await?
            {
                errors.extend(ResponseErrors::field(&prompt.field_key, "Username is already taken.", "invalid"));
            }
        }
        if let Some((first, rest)) = passwords.split_first() {
            for (key, _) in rest.iter().filter(|(_, value)| *value != first.1) {
                errors.extend(ResponseErrors::field(key, "Passwords don't match.", "invalid"));
            }
        }
        Ok(if errors.0.is_empty() { Ok(read) } else { Err(errors) })
    }

    /// Asks the policies about an answer, with everything that it says in the context.
    async fn validate(
        &self,
        cx: &mut Cx<'_>,
        subject: Option<&ak_store::directory::Person>,
        read: &Read,
    ) -> Result<(), ResponseErrors> {
        if self.validation_policies.is_empty() {
            return Ok(());
        }
        let mut context = cx.context.clone();
        let mut data = prompt_data(&context);
        data.extend(read.data.clone());
        data.extend(read.secrets.clone());
        context.set(Context::PROMPT_DATA, data);
        let mut decision = decide_all(&self.validation_policies, LIMIT, &request(cx.world, subject, &context)).await;
        decision.forget(&read.secrets.values().filter_map(Value::as_str).collect::<Vec<_>>());
        // What they change of the context they change of a copy: it holds what was typed.
        let user = subject.map(|p| p.user.pk);
        let effects = decision.changes.effects.iter().cloned();
        cx.effects.extend(effects.map(|effect| Effect::Policy { user, effect }));
        if decision.passing {
            return Ok(());
        }
        let mut errors = ResponseErrors::default();
        for message in &decision.messages {
            errors.extend(ResponseErrors::whole(message, "invalid"));
        }
        if errors.0.is_empty() {
            errors = ResponseErrors::whole("What you have entered cannot be accepted.", "invalid");
        }
        if decision.undecided {
            let trace = serde_json::to_string(&decision.trace).unwrap_or_default();
            tracing::warn!(
                stage = self.name,
                request_id = cx.world.request_id,
                trace,
                "a policy failed to decide about an answer"
            );
        }
        Err(errors)
    }
}

/// The values of an answer.
#[derive(Default)]
struct Read {
    data: Map<String, Value>,
    /// Passwords, in the clear: for policies to look at, and never kept.
    secrets: Map<String, Value>,
}

impl Read {
    fn take(&mut self, prompt: &Prompt, value: Option<Value>) {
        let Some(value) = value else { return };
        let values = if prompt.is_secret() { &mut self.secrets } else { &mut self.data };
        values.insert(prompt.field_key.clone(), value);
    }

    /// The password that is to be set.
    fn password(&self) -> Option<&str> {
        self.secrets.get(PASSWORD).and_then(Value::as_str).filter(|password| !password.is_empty())
    }
}

/// What was gathered at prompts before.
fn prompt_data(context: &Context) -> Map<String, Value> {
    context.get(Context::PROMPT_DATA).and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Whether another account than the one that the flow is about has this user name.
async fn is_taken(cx: &Cx<'_>, name: &str) -> Result<bool, StageError> {
    let Some(holder) = cx.world.directory.identify(&[UserField::Username], name, true).await? else { return Ok(false) };
    Ok(cx.subject().await?.is_none_or(|own| own.user.pk != holder.user.pk))
}

/// What was typed into fields, as far as it may be shown again.
fn typed(prompts: &[&Prompt], answer: &Answer) -> Map<String, Value> {
    let shown =
        |prompt: &&&Prompt| prompt.r#type.origin() == Origin::Person && !prompt.is_secret() && prompt.r#type != FieldType::File;
    let text = |prompt: &&Prompt| match (prompt.r#type, answer.fields.get(&prompt.field_key)) {
        // A box that is not ticked is not sent.
        (FieldType::Checkbox, _) => Some(answer.flag(&prompt.field_key).ok().flatten().unwrap_or(false).to_string()),
        (_, Some(Value::String(text))) if text.len() <= Answer::MAX_FIELD => Some(text.clone()),
        (_, Some(Value::Number(number))) => Some(number.to_string()),
        _ => None,
    };
    let secret: HashSet<&str> =
        prompts.iter().filter(|prompt| prompt.is_secret()).map(|prompt| prompt.field_key.as_str()).collect();
    let fields = prompts.iter().filter(shown).filter(|prompt| !secret.contains(prompt.field_key.as_str()));
    fields.filter_map(|prompt| Some((prompt.field_key.clone(), text(prompt)?.into()))).collect()
}

#[async_trait]
impl Stage for PromptStage {
    async fn enter(&self, cx: &mut Cx<'_>) -> Result<Step, StageError> {
        let prompts = self.prompts(cx)?;
        let fields = see(cx, &prompts).await?;
        let typed = cx.memory.get(TYPED);
        let text = |key: &str| typed.and_then(|typed| typed.get(key)).and_then(Value::as_str).map(str::to_owned);
        let fields: Vec<StagePrompt> = fields
            .into_iter()
            .map(|field| {
                let typed = text(&field.prompt.field_key);
                field.shown(typed)
            })
            .collect();
        Ok(Step::Show(Challenge::new("ak-stage-prompt").with("fields", json!(fields))))
    }

    async fn respond(&self, cx: &mut Cx<'_>, answer: &Answer) -> Result<Step, StageError> {
        let prompts = self.prompts(cx)?;
        cx.memory.insert(TYPED.into(), typed(&prompts, answer).into());
        let fields = see(cx, &prompts).await?;
        let read = match self.read(cx, &fields, answer).await? {
            Ok(read) => read,
            Err(errors) => return Ok(Step::Retry(errors)),
        };
        let subject = cx.subject().await?;
        if let Err(errors) = self.validate(cx, subject.as_ref(), &read).await {
            return Ok(Step::Retry(errors));
        }
        if let Some(password) = read.password() {
            let hash = match cx.world.directory.hash_password(password).await {
                Ok(hash) => hash,
                Err(PasswordError::Busy) => return Err(StageError::Busy("too many passwords are being hashed".into())),
                Err(error @ PasswordError::TooLong) => {
                    return Ok(Step::Retry(ResponseErrors::field(PASSWORD, error.to_string(), "max_length")));
                }
                Err(error) => return Err(StageError::Failed(error.to_string())),
            };
            cx.context.new_password = Some(hash);
        }
        let mut data = prompt_data(cx.context);
        data.extend(read.data);
        cx.context.set(Context::PROMPT_DATA, data);
        Ok(Step::Pass)
    }
}
