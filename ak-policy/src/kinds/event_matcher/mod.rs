//! A policy that asks what an event is about.

mod names;
mod query;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ak_store::model::{Errors, Kind, Meta, Roles, Row};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::binding::PolicyShown;
use crate::context::Context;
use crate::policy::{Failure, Policy, Verdict};
use crate::request::Request;

pub use query::EventQuery;

/// A policy that lets events through that meet all its conditions. Where there is no event ([`Context::EVENT`]) it refuses.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct EventMatcherPolicy {
    /// Name of the policy.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Note every decision as an event; otherwise only failures are.
    #[serde(default)]
    pub execution_logging: bool,
    /// What happened; null for anything.
    #[serde(default)]
    #[schemars(schema_with = "actions")]
    pub action: Option<String>,
    /// The address it came from, exactly; null for any.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub client_ip: Option<String>,
    /// Which part of the product told of it, or what it happened to belongs to; null for any.
    #[serde(default)]
    #[schemars(schema_with = "apps")]
    pub app: Option<String>,
    /// What it happened to; null for anything.
    #[serde(default)]
    #[schemars(schema_with = "models")]
    pub model: Option<String>,
    /// A condition on the whole event, as `action = "login" and user.username startswith "adm"`; null for none.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub query: Option<EventQuery>,
}

fn one_of(names: &[&str]) -> Schema {
    let names: Vec<Option<&str>> = names.iter().copied().map(Some).chain([None]).collect();
    json_schema!({ "type": ["string", "null"], "enum": names })
}

fn actions(_: &mut SchemaGenerator) -> Schema {
    one_of(&names::ACTIONS)
}

fn apps(_: &mut SchemaGenerator) -> Schema {
    one_of(&names::APPS)
}

fn models(_: &mut SchemaGenerator) -> Schema {
    one_of(&names::MODELS)
}

impl Kind for EventMatcherPolicy {
    const META: Meta = Meta {
        component: "ak-policy-event-matcher-form",
        pk_filters: &["policy_uuid"],
        description: "Let events through that meet conditions: for choosing what people are told of.",
        ..Meta::new(
            "authentik_policies_event_matcher.eventmatcherpolicy",
            "policies/event_matcher",
            "Event Matcher Policy",
            "Event Matcher Policies",
        )
    };

    type Shown = PolicyShown;

    fn shown(&self, row: &Row<'_>) -> PolicyShown {
        PolicyShown::of(row)
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Policy>(|s| s);
    }

    fn check(&self, _: &Row<'_>, errors: &mut Errors) {
        let texts = [&self.action, &self.client_ip, &self.app, &self.model];
        if texts.iter().all(|text| text.is_none()) && self.query.is_none() {
            errors.at(&["non_field_errors"], "At least one criteria must be set.", "invalid");
        }
        if self.client_ip.as_deref().is_some_and(|ip| ip.parse::<IpAddr>().is_err()) {
            errors.at(&["client_ip"], "Enter a valid IPv4 or IPv6 address.", "invalid");
        }
        if let Some(problem) = self.query.as_ref().and_then(EventQuery::problem) {
            errors.at(&["query"], problem, "invalid");
        }
    }
}

/// The text at these names of an event.
fn text<'a>(event: &'a Value, path: &[&str]) -> Option<&'a str> {
    path.iter().try_fold(event, |at, name| at.get(name))?.as_str()
}

impl EventMatcherPolicy {
    /// For every condition that is set whether the event meets it, and what is said if it does not.
    fn conditions(&self, event: &Value) -> Result<Vec<(bool, String)>, Failure> {
        let mut all = Vec::new();
        let mut condition = |what: &str, wanted: &Option<String>, found: Option<&str>, is: &dyn Fn(&str) -> bool| {
            if let Some(wanted) = wanted {
                let message = format!("{what} '{}' did not match '{wanted}'", found.unwrap_or_default());
                all.push((is(wanted), message));
            }
        };
        let action = text(event, &["action"]);
        condition("Action", &self.action, action, &|wanted| action == Some(wanted));
        let ip = text(event, &["client_ip"]);
        let address = |text: &str| text.parse::<IpAddr>().ok();
        condition("Client IP", &self.client_ip, ip, &|wanted| {
            address(wanted).is_some_and(|wanted| ip.and_then(address) == Some(wanted))
        });
        let app = text(event, &["app"]);
        let model_app = text(event, &["context", "model", "app"]).unwrap_or_default();
        // A part is called `authentik.policies.dummy` where its models are called `authentik_policies_dummy.…`.
        let owns = |wanted: &str| {
            wanted.replace('.', "_") == model_app || wanted.replace("enterprise.", "").replace('.', "_") == model_app
        };
        condition("App", &self.app, app, &|wanted| app == Some(wanted) || owns(wanted));
        let model = text(event, &["context", "model", "model_name"]).map(|name| format!("{model_app}.{name}"));
        condition("Model", &self.model, model.as_deref(), &|wanted| model.as_deref() == Some(wanted));
        if let Some(query) = &self.query {
            all.push((query.matches(event).map_err(Failure::new)?, "The event did not match the query".to_owned()));
        }
        Ok(all)
    }
}

impl Policy for EventMatcherPolicy {
    fn name(&self) -> &str {
        &self.name
    }

    fn logs_executions(&self) -> bool {
        self.execution_logging
    }

    fn evaluate(&self, request: &Arc<Request>, _: Duration) -> Result<Verdict, Failure> {
        let Some(event) = request.context.get(Context::EVENT) else { return Ok(Verdict::plain(false)) };
        let conditions = self.conditions(event)?;
        let messages: Vec<String> = conditions.into_iter().filter(|(met, _)| !met).map(|(_, message)| message).collect();
        Ok(Verdict { passing: messages.is_empty(), messages, ..Verdict::default() })
    }
}
