//! Accounts that join and leave groups and roles.

use ak_store::directory::Role;
use ak_store::model::{Input, Pk, Ref, Snapshot};
use ak_store::records::{Durability, Repository};
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::super::change::record_event;
use super::groups::Groups;
use super::records::{Collection, missing};
use super::users::Users;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::{JsonObject, Segment};

/// The account that is meant.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Member {
    /// Its key.
    pk: i64,
}

async fn member(repo: &mut dyn Repository, input: Map<String, Value>) -> Result<i64, ApiError> {
    let Member { pk } = Input::new().read(&Value::Object(input)).map_err(ApiError::Invalid)?;
    Ok(repo.users().lookup(pk).await?.ok_or_else(missing::<Users>)?.pk)
}

/// `POST /api/v3/core/groups/{uuid}/add_user/`: makes an account a direct member. Superusers only.
pub(super) async fn add_to_group(
    State(app): State<App>,
    caller: Caller,
    Segment(key): Segment,
    JsonObject(input): JsonObject,
) -> Result<StatusCode, ApiError> {
    group(&app, &caller.superuser()?, &key, input, true).await
}

/// `POST /api/v3/core/groups/{uuid}/remove_user/`: ends a direct membership. Superusers only.
pub(super) async fn remove_from_group(
    State(app): State<App>,
    caller: Caller,
    Segment(key): Segment,
    JsonObject(input): JsonObject,
) -> Result<StatusCode, ApiError> {
    group(&app, &caller.superuser()?, &key, input, false).await
}

async fn group(app: &App, caller: &Caller, key: &str, input: Map<String, Value>, joins: bool) -> Result<StatusCode, ApiError> {
    let mut repo = app.store().backend().begin(Durability::Full).await?;
    let pk = Uuid::parse_str(key).map_err(|_| missing::<Groups>())?;
    let group = repo.groups().lookup(pk).await?.ok_or_else(missing::<Groups>)?;
    let user = member(&mut *repo, input).await?;
    let is_member = repo.groups().of_user(user, false).await?.iter().any(|found| found.pk == pk);
    if is_member == joins {
        return Ok(StatusCode::NO_CONTENT);
    }
    if joins {
        repo.groups().add_member(pk, user).await?;
    } else {
        repo.groups().remove_member(pk, user).await?;
    }
    let event = record_event(app, caller, "model_updated", Groups::MODEL, &pk.to_string().into(), &group.name);
    repo.events().add(&event).await?;
    repo.save().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v3/rbac/roles/{uuid}/add_user/`: gives the role to an account. Superusers only.
pub(super) async fn give_role(
    State(app): State<App>,
    caller: Caller,
    Segment(key): Segment,
    JsonObject(input): JsonObject,
) -> Result<StatusCode, ApiError> {
    role(&app, &caller.superuser()?, &key, input, true).await
}

/// `POST /api/v3/rbac/roles/{uuid}/remove_user/`: takes the role from an account. Superusers only.
pub(super) async fn take_role(
    State(app): State<App>,
    caller: Caller,
    Segment(key): Segment,
    JsonObject(input): JsonObject,
) -> Result<StatusCode, ApiError> {
    role(&app, &caller.superuser()?, &key, input, false).await
}

/// The key and the name of the role that a path names.
pub(in crate::api) fn role_named(snapshot: &Snapshot, key: &str) -> Result<(Uuid, String), ApiError> {
    let pk = Uuid::parse_str(key).ok();
    let role = pk.and_then(|pk| Some((pk, snapshot.get(Ref::<dyn Role>::new(Pk::of_uuid(pk)))?.name().to_owned())));
    role.ok_or_else(|| ApiError::NotFound("No Role matches the given query.".into()))
}

async fn role(app: &App, caller: &Caller, key: &str, input: Map<String, Value>, gives: bool) -> Result<StatusCode, ApiError> {
    // With the objects locked: a role that is being deleted must not be given at the same time.
    let mut unit = app.store().begin(Durability::Full).await?;
    let (pk, name) = role_named(unit.snapshot(), key)?;
    let repo = unit.records();
    let user = member(repo, input).await?;
    let has_it = repo.roles().of_users(&[user]).await?.contains(&(user, pk));
    if has_it == gives {
        return Ok(StatusCode::NO_CONTENT);
    }
    if gives {
        repo.roles().add_user(pk, user).await?;
    } else {
        repo.roles().remove_user(pk, user).await?;
    }
    let event = record_event(app, caller, "model_updated", "authentik_rbac.role", &pk.to_string().into(), &name);
    repo.events().add(&event).await?;
    unit.save().await?;
    Ok(StatusCode::NO_CONTENT)
}
