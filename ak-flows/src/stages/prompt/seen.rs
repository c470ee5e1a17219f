//! A field as a person sees it: its expressions computed, and what is known already filled in.

use ak_policy::script::{Evaluation, Extra, Given, Script};
use ak_policy::{PolicyEffect, Request};
use serde_json::{Map, Value, json};

use super::field::{Choice, Origin, Prompt, StagePrompt};
use super::prompt_data;
use super::text::{PROMPT_CONTEXT, PromptNames};
use crate::effect::Effect;
use crate::planner::request;
use crate::stage::{Cx, StageError};

/// A field as a person sees it.
pub(super) struct Seen<'a> {
    pub(super) prompt: &'a Prompt,
    /// The hint within the field.
    placeholder: String,
    /// The choices; `None` for a field without choices.
    pub(super) choices: Option<Vec<Choice>>,
    /// What stands in the field at first.
    pub(super) initial: String,
}

impl Seen<'_> {
    /// The field in a challenge, with what was typed before, or else what stands in it at first.
    pub(super) fn shown(self, typed: Option<String>) -> StagePrompt {
        let prompt = self.prompt;
        StagePrompt {
            field_key: prompt.field_key.clone(),
            label: prompt.label.clone(),
            r#type: prompt.r#type,
            required: prompt.required && prompt.r#type.origin() == Origin::Person,
            placeholder: self.placeholder,
            initial_value: typed.unwrap_or(self.initial),
            order: prompt.order,
            sub_text: prompt.sub_text.clone(),
            choices: self.choices,
        }
    }
}

/// The fields as the person sees them who is at the stage now.
pub(super) async fn see<'a>(cx: &mut Cx<'_>, prompts: &[&'a Prompt]) -> Result<Vec<Seen<'a>>, StageError> {
    // Most stages have no expression, and need nobody to be looked up.
    let asks = prompts.iter().any(|prompt| prompt.placeholder_expression || prompt.initial_value_expression);
    let person = if asks { cx.subject().await? } else { None };
    let request = request(cx.world, person.as_ref(), cx.context);
    let mut computing = Computing { request, data: prompt_data(cx.context), effects: Vec::new() };
    let mut seen = Vec::with_capacity(prompts.len());
    for prompt in prompts {
        let choices = computing.choices(prompt).await?;
        let placeholder = match &choices {
            // Where it is the list of choices, it is no hint.
            Some(_) => String::new(),
            None => text(computing.hint(prompt).await),
        };
        let initial = computing.initial(prompt, choices.as_deref()).await?;
        seen.push(Seen { prompt, placeholder, choices, initial });
    }
    let user = person.map(|person| person.user.pk);
    cx.effects.extend(computing.effects.into_iter().map(|effect| Effect::Policy { user, effect }));
    Ok(seen)
}

/// What the expressions of one stage are computed from, and what they make happen.
struct Computing {
    request: Request,
    data: Map<String, Value>,
    effects: Vec<PolicyEffect>,
}

impl Computing {
    /// What an expression gives; `None`, and an event, where it fails.
    async fn value(&mut self, prompt: &Prompt, script: &Script<PromptNames>) -> Option<Value> {
        let extra = Extra::from([(PROMPT_CONTEXT.to_owned(), Given::Value(Value::Object(self.data.clone())))]);
        let Evaluation { value, changes, .. } = script.evaluate(&self.request, extra).await;
        self.effects.extend(changes.effects);
        match value {
            Ok(value) => Some(value),
            Err(failure) => {
                let mut context = Map::new();
                context
                    .insert("message".into(), format!("The expression of the prompt {} failed: {failure}", prompt.name).into());
                context.insert("error".into(), json!(failure));
                self.effects.push(PolicyEffect::Event { action: "property_mapping_exception".into(), context });
                None
            }
        }
    }

    async fn hint(&mut self, prompt: &Prompt) -> Value {
        match prompt.placeholder_expression {
            true => self.value(prompt, prompt.placeholder.script()).await.unwrap_or_default(),
            false => prompt.placeholder.as_str().into(),
        }
    }

    /// The choices of a field. Without them nothing could be chosen: a list that cannot be computed ends the flow.
    async fn choices(&mut self, prompt: &Prompt) -> Result<Option<Vec<Choice>>, StageError> {
        if !prompt.placeholder_expression || !prompt.r#type.is_chosen() {
            return Ok(prompt.choices());
        }
        let value = self.value(prompt, prompt.placeholder.script()).await.ok_or_else(|| failed(prompt, "choices"))?;
        Ok(Some(match value {
            Value::Array(entries) => entries.into_iter().map(choice).collect(),
            Value::Null => Vec::new(),
            one => vec![choice(one)],
        }))
    }

    /// What stands in a field at first: what is known of it already, what its expression gives, or else its own text.
    async fn initial(&mut self, prompt: &Prompt, choices: Option<&[Choice]>) -> Result<String, StageError> {
        if prompt.is_secret() {
            return Ok(String::new());
        }
        let known = self.data.get(&prompt.field_key).cloned();
        let value = match known {
            Some(known) => text(known),
            None if prompt.initial_value_expression => match self.value(prompt, prompt.initial_value.script()).await {
                Some(value) => text(value),
                // What the person fills in she can fill in without it; what the field itself decides nobody can.
                None if prompt.r#type.origin() == Origin::Person => String::new(),
                None => return Err(failed(prompt, "value")),
            },
            None => prompt.initial_value.as_str().to_owned(),
        };
        let is_choice = |choices: &[Choice]| value.is_empty() || choices.iter().any(|choice| choice.value == value);
        Ok(if choices.is_none_or(is_choice) { value } else { String::new() })
    }
}

fn failed(prompt: &Prompt, what: &str) -> StageError {
    StageError::Failed(format!("the {what} of the prompt {} could not be computed", prompt.name))
}

/// A value as it stands in a field.
fn text(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// An entry of a computed list of choices: a text, or `{ "value", "label" }`.
fn choice(entry: Value) -> Choice {
    match entry {
        Value::Object(mut map) => {
            let value = text(map.remove("value").unwrap_or_default());
            let label = map.remove("label").map_or_else(|| value.clone(), text);
            Choice { value, label }
        }
        one => {
            let value = text(one);
            Choice { label: value.clone(), value }
        }
    }
}
