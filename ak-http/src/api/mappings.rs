//! Trying property mappings.

use std::sync::Arc;

use ak_policy::script::{Evaluation, Extra, Given};
use ak_policy::{PropertyMapping, Request};
use ak_store::model::{Errors, Input, Pk, Ref};
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::collection::{input, read_query};
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::Segment;

/// For whom a mapping is tried (`PropertyMappingTestRequest`).
#[derive(Serialize, Deserialize, JsonSchema)]
struct Trial {
    /// The account that it is about.
    #[serde(default)]
    user: Option<i64>,
    /// Further variables.
    #[serde(default)]
    context: Map<String, Value>,
    /// The group that it is about.
    #[serde(default)]
    group: Option<Uuid>,
}

/// `POST …/propertymappings/all/{pk}/test/`: what a mapping gives for an account or a group; `?format_result=true` writes it over several
/// lines. Nothing is written, resolved or called. Superusers only.
pub(super) async fn test(
    State(app): State<App>,
    caller: Caller,
    Segment(pk): Segment,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let caller = caller.superuser()?;
    let indented = super::applications::flag(&mut read_query(&query.unwrap_or_default())?, "format_result")?;
    let trial = Input::<Trial>::new().read(&input(&headers, &body?)?).map_err(ApiError::Invalid)?;
    let snapshot = app.store().snapshot();
    let at = Uuid::parse_str(&pk).ok().map(Pk::of_uuid);
    let mapping = at.and_then(|at| snapshot.get::<dyn PropertyMapping>(Ref::new(at)));
    let mapping = mapping.ok_or_else(|| ApiError::NotFound("No object matches the given query.".into()))?;
    let person = match trial.user {
        Some(user) => Some(app.runner.directory().person(user).await?.ok_or_else(|| missing("user", user.to_string()))?),
        None => None,
    };
    let mut extra: Extra = trial.context.into_iter().map(|(name, value)| (name, Given::Value(value))).collect();
    if let Some(group) = trial.group {
        let found = app.store().read().await?.groups().lookup(group).await?;
        let found = found.ok_or_else(|| missing("group", group.to_string()))?;
        extra.insert("group".to_owned(), Given::Group(Arc::new(found)));
    }
    let request = Request::new((*snapshot).clone(), app.runner.services().clone()).of(person.as_ref());
    let request = Request { client_ip: caller.ip, object: at, trial: true, ..request };
    let Evaluation { value, log, .. } = mapping.evaluate(&request, extra).await;
    let (result, successful) = match value {
        Ok(value) if indented => (format!("{value:#}"), true),
        Ok(value) => (value.to_string(), true),
        Err(failure) => {
            let lines = log.iter().map(|line| format!("\n{}: {}", line.level, line.event));
            (std::iter::once(failure.to_string()).chain(lines).collect(), false)
        }
    };
    Ok(Json(json!({ "result": result, "successful": successful })))
}

fn missing(field: &str, pk: String) -> ApiError {
    ApiError::Invalid(Errors::field(field, format!("Invalid pk \"{pk}\" - object does not exist."), "does_not_exist"))
}
