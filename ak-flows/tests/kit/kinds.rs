//! Kinds of a program that embeds the product: a policy that says what it is told to, and a stage that does.

use ak_flows::{Answer, Challenge, Cx, Effect, Login, Stage, StageError, StageShown, Step};
use std::sync::Arc;

use ak_policy::{Failure, Policy, Request, Verdict};
use ak_store::model::{Kind, Meta, Roles, Row};
use ak_store::records::{Grant, GrantKind, NewTask};
use async_trait::async_trait;
use chrono::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A policy: `yes`, `no`, `error`, `has <name>` (the context has it), `lacks <name>`, `is <username>`, `prompt <key> <value>` (that is
/// what was filled in).
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Says {
    pub(crate) name: String,
    pub(crate) says: String,
    #[serde(default)]
    pub(crate) message: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Nothing {}

impl Kind for Says {
    const META: Meta = Meta::new("test.says", "test/says", "Says", "Says");
    type Shown = Nothing;

    fn shown(&self, _: &Row<'_>) -> Nothing {
        Nothing {}
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Policy>(|s| s);
    }
}

impl Policy for Says {
    fn name(&self) -> &str {
        &self.name
    }

    fn evaluate(&self, request: &Arc<Request>, _: std::time::Duration) -> Result<Verdict, Failure> {
        let passing = match self.says.split_once(' ') {
            None if self.says == "yes" => true,
            None if self.says == "no" => false,
            Some(("has", name)) => request.context.get(name).is_some(),
            Some(("lacks", name)) => request.context.get(name).is_none(),
            Some(("prompt", pair)) => pair.split_once(' ').is_some_and(|(key, value)| {
                request.context.get(ak_policy::Context::PROMPT_DATA).and_then(|data| data.get(key)) == Some(&json!(value))
            }),
            Some(("is", name)) => request.person.as_ref().is_some_and(|p| p.user.username == name),
            _ => return Err(Failure::new("told to fail")),
        };
        let messages = if self.message.is_empty() { Vec::new() } else { vec![self.message.clone()] };
        Ok(Verdict { messages, ..Verdict::plain(passing) })
    }
}

/// A stage: passes on and leaves `set` in the context, shows the context (`echo`), or makes `nobody` sign in.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Probe {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) set: Map<String, Value>,
    #[serde(default)]
    pub(crate) echo: bool,
    #[serde(default)]
    pub(crate) nobody: bool,
}

impl Kind for Probe {
    const META: Meta = Meta::new("test.probe", "test/probe", "Probe", "Probes");
    type Shown = StageShown;

    fn shown(&self, row: &Row<'_>) -> StageShown {
        StageShown::of(row)
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Stage>(|s| s);
    }
}

#[async_trait]
impl Stage for Probe {
    async fn enter(&self, cx: &mut Cx<'_>) -> Result<Step, StageError> {
        cx.context.values.extend(self.set.clone());
        if self.echo {
            let mut names: Vec<&String> = cx.context.values.keys().collect();
            names.sort();
            return Ok(Step::Show(Challenge::new("ak-stage-probe").with("error_message", json!(names).to_string())));
        }
        if self.nobody {
            cx.effects.push(Effect::event("probe", None, json!({})));
            let login = Login { user: -1, method: "none".into(), proof: None, duration: None, terminate_others: false };
            cx.effects.push(Effect::Login(login));
        }
        Ok(Step::Pass)
    }

    async fn respond(&self, _: &mut Cx<'_>, _: &Answer) -> Result<Step, StageError> {
        Ok(Step::Pass)
    }
}

/// What a flow is run for: gives a code, has a task wait for the end of the session, and leads to what the data says. Where the data
/// says `ask`, it asks first.
pub(crate) struct Answers;

#[async_trait]
impl Stage for Answers {
    async fn enter(&self, cx: &mut Cx<'_>) -> Result<Step, StageError> {
        let asks = cx.finale.and_then(|finale| finale.data.get("ask")).is_some();
        if asks { Ok(Step::Show(Challenge::new("ak-stage-answers"))) } else { self.answer(cx) }
    }

    async fn respond(&self, cx: &mut Cx<'_>, _: &Answer) -> Result<Step, StageError> {
        self.answer(cx)
    }
}

impl Answers {
    fn answer(&self, cx: &mut Cx<'_>) -> Result<Step, StageError> {
        let data = cx.finale.map(|finale| finale.data.clone()).unwrap_or_default();
        let user = cx.world.person.map(|person| person.user.pk).unwrap_or_default();
        let now = cx.world.now;
        cx.effects.push(Effect::Grant(Box::new(Grant {
            pk: 0,
            kind: GrantKind::Code,
            key_hash: cx.world.rng.bytes(),
            provider: Uuid::nil(),
            user,
            session: None,
            family: cx.world.rng.uuid(),
            scope: String::new(),
            data: data.clone(),
            since: now,
            created: now,
            expires: now + Duration::minutes(1),
            ended: None,
        })));
        let task = NewTask {
            pk: cx.world.rng.uuid(),
            name: "tell".into(),
            args: json!({ "whom": data["to"] }),
            max_attempts: 1,
            run_at: now,
        };
        cx.effects.push(Effect::AtEnd { subject: "test".into(), task: Box::new(task) });
        Ok(Step::Leave(data["to"].as_str().unwrap_or_default().to_owned()))
    }
}
