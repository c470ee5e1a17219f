//! The decisions of policies that are remembered.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;

/// `GET /api/v3/policies/all/cache_info/`: how many decisions this process remembers. Superusers only.
pub(super) async fn cache_info(State(app): State<App>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.superuser()?;
    Ok(Json(json!({ "count": app.runner.services().decisions.count() })))
}

/// `POST /api/v3/policies/all/cache_clear/`: forgets them. Superusers only.
pub(super) async fn cache_clear(State(app): State<App>, caller: Caller) -> Result<StatusCode, ApiError> {
    caller.superuser()?;
    app.runner.services().decisions.clear();
    Ok(StatusCode::NO_CONTENT)
}
