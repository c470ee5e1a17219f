//! Passwords of accounts, set by administrators.

use ak_store::directory::accounts;
use ak_store::directory::password::{PasswordError, is_hash};
use ak_store::model::{Errors, Input, Secret};
use ak_store::records::Durability;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::change::record_event;
use super::records::{Collection, found, missing};
use super::users::Users;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::{JsonObject, Segment};

/// What both are given.
#[derive(Serialize, Deserialize, JsonSchema)]
struct NewPassword {
    /// The password, or its hash.
    #[schemars(length(min = 1))]
    password: Secret,
}

fn read(input: Map<String, Value>) -> Result<Secret, ApiError> {
    let read: NewPassword = Input::new().read(&Value::Object(input)).map_err(ApiError::Invalid)?;
    Ok(read.password)
}

fn wrong(message: impl Into<String>) -> ApiError {
    ApiError::Invalid(Errors::field("password", message, "invalid"))
}

/// `POST …/set_password/`: sets the password and ends the account's sessions, but for the one that this call came by. Superusers only.
pub(super) async fn set(
    State(app): State<App>,
    caller: Caller,
    Segment(key): Segment,
    JsonObject(input): JsonObject,
) -> Result<StatusCode, ApiError> {
    let caller = caller.superuser()?;
    let password = read(input)?;
    let hash = app.hasher().hash(password.reveal()).await.map_err(|error| match error {
        PasswordError::TooLong => wrong(error.to_string()),
        PasswordError::Busy => ApiError::Busy,
        PasswordError::Failed(why) => {
            tracing::error!(why, "a password cannot be hashed");
            ApiError::Internal
        }
    })?;
    keep(&app, &caller, &key, &hash).await
}

/// `POST …/set_password_hash/`: the same for a password that was hashed elsewhere, in one of the forms that are understood.
pub(super) async fn set_hash(
    State(app): State<App>,
    caller: Caller,
    Segment(key): Segment,
    JsonObject(input): JsonObject,
) -> Result<StatusCode, ApiError> {
    let caller = caller.superuser()?;
    let hash = read(input)?;
    if !is_hash(hash.reveal()) {
        return Err(wrong("This is no password hash in a form that can be checked."));
    }
    keep(&app, &caller, &key, hash.reveal()).await
}

async fn keep(app: &App, caller: &Caller, key: &str, hash: &str) -> Result<StatusCode, ApiError> {
    let mut repo = app.store().backend().begin(Durability::Full).await?;
    let pk = found::<Users>(&mut *repo, caller, key).await?;
    let user = repo.users().lookup(pk.as_i64().unwrap_or_default()).await?.ok_or_else(missing::<Users>)?;
    let own = caller.session.filter(|_| user.pk == caller.person.user.pk);
    let (snapshot, now) = (app.store().snapshot(), app.store().clock().now());
    accounts::set_password(&mut *repo, &snapshot, user.pk, Some(hash), now, own.as_ref()).await?;
    let event = record_event(app, caller, "password_set", Users::MODEL, &pk, &user.username);
    repo.events().add(&event).await?;
    repo.save().await?;
    app.store().waker().wake();
    Ok(StatusCode::NO_CONTENT)
}
