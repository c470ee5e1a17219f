//! The role of stages, and what one sees and answers.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ak_policy::{Context, HttpRequest, Services};
use ak_store::Rng;
use ak_store::directory::Person;
use ak_store::model::{Key, ModelShown, Pk, Ref, Row, Snapshot, Target};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::binding::FlowStageBinding;
use crate::brand::Brand;
use crate::challenge::{Challenge, ResponseErrors};
use crate::directory::Directory;
use crate::effect::Effect;
use crate::finale::{Finale, Finales};
use crate::flow::{FLOW_SET, Flow};

/// The role of what a flow consists of.
///
/// A stage keeps nothing in itself between two calls: what it must remember goes into [`Cx::memory`] (its own) or [`Cx::context`]
/// (for later stages and policies).
#[async_trait]
pub trait Stage: Send + Sync {
    /// The flow has come to this stage: show a challenge, or pass on.
    ///
    /// Runs again whenever the challenge must be shown anew; it must not count anything.
    async fn enter(&self, cx: &mut Cx<'_>) -> Result<Step, StageError>;

    /// The person has answered the challenge.
    async fn respond(&self, cx: &mut Cx<'_>, answer: &Answer) -> Result<Step, StageError>;

    /// The flow in which people set up for themselves what the stage asks for, and the component that shows it among their
    /// settings. `None`: there is nothing to set up.
    fn configured_by(&self) -> Option<(Ref<Flow>, &'static str)> {
        None
    }
}

impl Target for dyn Stage {
    const NAME: &'static str = "authentik_flows.stage";
}

/// What a stage says.
#[derive(Debug)]
pub enum Step {
    /// Ask this.
    Show(Challenge),
    /// Go on with the next stage.
    Pass,
    /// Ask again, with what is wrong. Only as an answer to an answer.
    Retry(ResponseErrors),
    /// End here: the person is refused, with this message.
    Deny(Option<String>),
    /// End here, and lead the browser to this address, which an administrator has chosen.
    Leave(String),
    /// End here, with this to be seen.
    End(Challenge),
    /// Go on in another flow.
    Switch {
        /// The other flow.
        to: Ref<Flow>,
        /// Whether what was gathered goes along.
        keep_context: bool,
    },
}

/// A stage could not do its work. The text is for administrators.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A mistake in the configuration, or in the stage itself.
    #[error("{0}")]
    Failed(String),
    /// Too much is going on: try later.
    #[error("{0}")]
    Busy(String),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] ak_store::StoreError),
}

/// The fields of an answer.
#[derive(Clone, Default)]
pub struct Answer {
    /// Which challenge it answers, if it says so.
    pub component: Option<String>,
    /// What was filled in.
    pub fields: Map<String, Value>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The names only: a value may be a password.
        let names: Vec<&String> = self.fields.keys().collect();
        f.debug_struct("Answer").field("component", &self.component).field("fields", &names).finish()
    }
}

impl Answer {
    /// The longest text of a field that is looked at, in bytes.
    pub const MAX_FIELD: usize = 4096;

    /// An answer with these fields.
    pub fn of(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Self {
        Self { component: None, fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() }
    }

    /// The text of a field: `Ok("")` where it is missing or null; an error where it is no text or too long.
    pub fn text(&self, name: &str) -> Result<&str, ResponseErrors> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(""),
            Some(Value::String(text)) if text.contains('\0') => {
                Err(ResponseErrors::field(name, "Null characters are not allowed.", "null_characters_not_allowed"))
            }
            Some(Value::String(text)) if text.len() <= Self::MAX_FIELD => Ok(text),
            Some(Value::String(_)) => {
                let message = format!("Ensure this field has no more than {} characters.", Self::MAX_FIELD);
                Err(ResponseErrors::field(name, message, "max_length"))
            }
            Some(_) => Err(ResponseErrors::field(name, "Not a valid string.", "invalid")),
        }
    }

    /// A yes or no, also in the forms that HTML forms send.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, ResponseErrors> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if ["true", "on", "1", "yes"].contains(&text.as_str()) => Ok(Some(true)),
            Some(Value::String(text)) if ["false", "off", "0", "no", ""].contains(&text.as_str()) => Ok(Some(false)),
            Some(_) => Err(ResponseErrors::field(name, "Must be a valid boolean.", "invalid")),
        }
    }
}

/// Where a request comes from.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// Address of the browser.
    pub ip: Option<IpAddr>,
    /// Whether the browser runs on the machine itself, as sure as that can be known: it may do what otherwise takes a look into the log.
    pub at_machine: bool,
    /// `User-Agent` of the browser.
    pub user_agent: String,
    /// Host name, without port, that the browser asked for.
    pub host: String,
}

/// Everything around a flow: what it may look at.
pub struct World<'a> {
    /// The objects.
    pub snapshot: &'a Snapshot,
    /// The people.
    pub directory: &'a dyn Directory,
    /// The present moment.
    pub now: DateTime<Utc>,
    /// Randomness.
    pub rng: &'a dyn Rng,
    /// Where the request comes from.
    pub client: &'a Client,
    /// Who has signed in already.
    pub person: Option<&'a Person>,
    /// The id of the request, for error pages and logs.
    pub request_id: &'a str,
    /// What policies look things up with.
    pub services: &'a Arc<Services>,
    /// The stages that stand in no flow.
    pub finales: &'a Finales,
}

impl<'a> World<'a> {
    /// The brand of the host that was asked for.
    pub fn brand(&self) -> Option<&'a Brand> {
        Brand::of_host(self.snapshot, &self.client.host).map(|(_, brand)| brand)
    }

    /// The request, as policies see it.
    pub fn http(&self) -> Arc<HttpRequest> {
        let headers = [("user-agent".to_owned(), self.client.user_agent.clone())].into();
        Arc::new(HttpRequest { host: self.client.host.clone(), headers, ..HttpRequest::default() })
    }
}

/// What a stage sees.
pub struct Cx<'a> {
    /// Everything around the flow.
    pub world: &'a World<'a>,
    /// The flow.
    pub flow: &'a Flow,
    /// What the flow is run for, if it is for more than its own stages.
    pub finale: Option<&'a Finale>,
    /// What the flow has gathered.
    pub context: &'a mut Context,
    /// What this stage keeps for itself while the flow is at it.
    pub memory: &'a mut Map<String, Value>,
    /// What is to happen when this turn is kept.
    pub effects: &'a mut Vec<Effect>,
    /// The accounts as this turn writes them. Until it is kept, the directory does not know.
    pub written: &'a mut BTreeMap<i64, Person>,
}

/// The accounts that a turn makes have keys from here on, until they get real ones.
const FIRST_NEW: i64 = i64::MIN;

impl Cx<'_> {
    /// The account that is being identified, if it (still) is there.
    pub async fn pending(&self) -> Result<Option<Person>, StageError> {
        match self.context.pending_user {
            Some(pk) => match self.written.get(&pk) {
                Some(person) => Ok(Some(person.clone())),
                None => Ok(self.world.directory.person(pk).await?),
            },
            None => Ok(None),
        }
    }

    /// The account that a stage is about: the one being identified, else the one that has signed in.
    pub async fn subject(&self) -> Result<Option<Person>, StageError> {
        let signed_in = || self.world.person.map(|person| self.written.get(&person.user.pk).unwrap_or(person).clone());
        Ok(self.pending().await?.or_else(signed_in))
    }

    /// A key for an account that this turn makes ([`Effect::CreateUser`]).
    pub fn new_account(&self) -> i64 {
        FIRST_NEW.saturating_add(i64::try_from(self.written.len()).unwrap_or(0))
    }
}

/// The read-only fields that all stages share.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StageShown {
    #[serde(flatten)]
    model: ModelShown,
    flow_set: Vec<Value>,
}

/// The fields that all stages share in answers.
pub const STAGE_FIELDS: &[&str] =
    &["pk", "name", "component", "verbose_name", "verbose_name_plural", "meta_model_name", "flow_set"];

impl StageShown {
    /// The shared fields of one stage.
    pub fn of(row: &Row<'_>) -> Self {
        Self { model: ModelShown::of(row), flow_set: flow_set(row) }
    }
}

/// The flows that a stage is in, by slug, each once.
fn flow_set(row: &Row<'_>) -> Vec<Value> {
    let bindings = row.snapshot.referring::<FlowStageBinding>(Key::Object(row.pk())).filter_map(Result::ok);
    let mut flows: Vec<(&str, Pk)> =
        bindings.filter_map(|(_, b)| Some((&*row.snapshot.get(b.target)?.slug, b.target.pk()))).collect();
    flows.sort_unstable();
    flows.dedup();
    let render = |(_, pk): (&str, Pk)| {
        let mut flow = row.snapshot.render(row.snapshot.object(pk)?, row.people);
        flow.retain(|name, _| FLOW_SET.contains(&name.as_str()));
        Some(Value::Object(flow))
    };
    flows.into_iter().filter_map(render).collect()
}
