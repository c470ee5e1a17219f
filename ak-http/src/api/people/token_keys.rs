//! The key of a token, read and replaced.

use ak_store::directory::keys;
use ak_store::model::{Change, Input, Secret};
use ak_store::records::{Durability, Token};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::change::record_event;
use super::records::{Collection, kind};
use super::tokens::{Tokens, may_see};
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::{JsonObject, Segment};

fn missing() -> ApiError {
    ApiError::NotFound("Token not found or expired".into())
}

/// `GET …/view_key/`: the key, for its owner and for superusers; an event tells of it.
pub(super) async fn view(State(app): State<App>, caller: Caller, Segment(name): Segment) -> Result<Response, ApiError> {
    let mut repo = app.store().backend().begin(Durability::Relaxed).await?;
    let now = app.store().clock().now();
    let valid = |token: &Token| may_see(&caller, token) && token.expires.is_none_or(|end| end > now);
    let token = repo.tokens().find_by_identifier(&name).await?.filter(valid).ok_or_else(missing)?;
    let key = keys::read(app.store(), &token)?.ok_or_else(missing)?;
    let event = record_event(&app, &caller, "secret_view", Tokens::MODEL, &token.pk.to_string().into(), &token.identifier);
    repo.events().add(&event).await?;
    repo.save().await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(json!({ "key": key }))).into_response())
}

/// What `set_key` is given.
#[derive(Serialize, Deserialize, JsonSchema)]
struct NewKey {
    /// The key.
    #[schemars(length(min = 1))]
    key: Secret,
}

/// `POST …/set_key/`: replaces the key. Superusers only.
pub(super) async fn set(
    State(app): State<App>,
    caller: Caller,
    Segment(name): Segment,
    JsonObject(input): JsonObject,
) -> Result<StatusCode, ApiError> {
    let caller = caller.superuser()?;
    let NewKey { key } = Input::new().read(&Value::Object(input)).map_err(ApiError::Invalid)?;
    let mut unit = app.store().begin(Durability::Full).await?;
    let token = unit.records().tokens().find_by_identifier(&name).await?.ok_or_else(missing)?;
    let pk = Value::from(token.pk.to_string());
    let input = Map::from_iter([("key".to_owned(), key.reveal().into())]);
    kind::<Tokens>(&app)?.put(&mut unit, Some(&pk), &input, Change::Patch).await?;
    let event = record_event(&app, &caller, "model_updated", Tokens::MODEL, &pk, &token.identifier);
    unit.records().events().add(&event).await?;
    unit.save().await?;
    Ok(StatusCode::NO_CONTENT)
}
