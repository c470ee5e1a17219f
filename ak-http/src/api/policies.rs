//! What there is about policies besides their collections: trying them, and decisions as answers.

use std::time::Duration;

use ak_policy::kinds::Country;
use ak_policy::{Context, Decision, Outcome, Policy, Request, Trace, decide_all};
use ak_store::model::{Errors, Input, Pk, Ref};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::collection::input;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::Segment;

/// How long a policy may take in a trial: as long as in a new binding.
const LIMIT: Duration = Duration::from_secs(30);

/// For whom a policy is tried, and after what (`PolicyTestRequest`).
#[derive(Serialize, Deserialize, JsonSchema)]
struct Trial {
    /// The account that asks.
    user: i64,
    /// What a flow has gathered until then; `pending_user` is the key of an account.
    #[serde(default)]
    context: Map<String, Value>,
}

/// `POST …/policies/all/{policy_uuid}/test/`: what a policy alone decides, and how it came to that. Nothing is written, resolved or
/// called. Superusers only.
pub(super) async fn test(
    State(app): State<App>,
    caller: Caller,
    Segment(pk): Segment,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let caller = caller.superuser()?;
    let trial = Input::<Trial>::new().read(&input(&headers, &body?)?).map_err(ApiError::Invalid)?;
    let snapshot = app.store().snapshot();
    let at: Option<Ref<dyn Policy>> = Uuid::parse_str(&pk).ok().map(|at| Ref::new(Pk::of_uuid(at)));
    let at = at.filter(|at| snapshot.get(*at).is_some());
    let at = at.ok_or_else(|| ApiError::NotFound("No object matches the given query.".into()))?;
    let person = app.runner.directory().person(trial.user).await?.ok_or_else(|| {
        let message = format!("Invalid pk \"{}\" - object does not exist.", trial.user);
        ApiError::Invalid(Errors::field("user", message, "does_not_exist"))
    })?;
    let context = context(trial.context)?;
    let request = Request::new((*snapshot).clone(), app.runner.services().clone()).of(Some(&person));
    let request = Request { context, client_ip: caller.ip, trial: true, ..request };
    let decision = decide_all(&[at], LIMIT, &request).await;
    Ok(Json(test_result(&decision, request.now, true)))
}

fn context(mut values: Map<String, Value>) -> Result<Context, ApiError> {
    let pending_user =
        match values.shift_remove("pending_user") {
            None | Some(Value::Null) => None,
            Some(pk) => Some(pk.as_i64().ok_or_else(|| {
                ApiError::Invalid(Errors::field("context", "pending_user is the key of an account.", "invalid"))
            })?),
        };
    Ok(Context { pending_user, values, ..Context::default() })
}

/// A decision as the contract shows one (`PolicyTestResult`). What every policy logged and what every binding said is shown only with
/// `whole`.
pub(super) fn test_result(decision: &Decision, now: DateTime<Utc>, whole: bool) -> Value {
    let shown = decision.trace.iter().filter(|_| whole);
    let logs: Vec<Value> = shown.flat_map(|trace| trace.log.iter().map(logged(trace)).chain([said(trace, now)])).collect();
    json!({ "passing": decision.passing, "messages": decision.messages, "log_messages": logs })
}

fn logged(trace: &Trace) -> impl Fn(&ak_policy::LogLine) -> Value {
    move |line| {
        let attributes = json!({ "binding": trace.binding, "subject": trace.subject });
        event(line.timestamp, line.level, line.event.clone(), attributes)
    }
}

fn said(trace: &Trace, now: DateTime<Utc>) -> Value {
    let (level, said) = match &trace.outcome {
        Outcome::Answered if trace.passing => ("info", "The binding lets through.".to_owned()),
        Outcome::Answered => ("info", "The binding refuses.".to_owned()),
        Outcome::Failed(why) => ("warning", format!("The binding could not decide: {why}")),
    };
    event(now, level, said, json!(trace))
}

/// A `LogEvent` of the contract.
fn event(timestamp: DateTime<Utc>, level: &str, event: String, attributes: Value) -> Value {
    json!({ "timestamp": timestamp, "log_level": level, "logger": "ak.policy", "event": event, "attributes": attributes })
}

/// `GET /api/v3/policies/geoip_iso3166/`: the countries that can be named; for whoever has signed in.
pub(super) async fn countries(_: Caller) -> Json<Vec<Country>> {
    Json(Country::all().collect())
}
