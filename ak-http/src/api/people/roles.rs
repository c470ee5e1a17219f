//! `rbac/roles/` with its filters by people, and what roles permit.

use std::collections::BTreeSet;

use ak_policy::{ObjectGrant, Permission, Permissions, Role};
use ak_store::model::{Errors, Input, Kind, ListQuery, Object, Pk, Ref, Snapshot};
use ak_store::records::{Durability, Repository};
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::change::record_event;
use super::super::collection::{self, read_query};
use super::super::route::Route;
use super::members::role_named;
use super::params::{Params, no_choice};
use super::permissions::app_verbose;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::{JsonObject, Segment};

/// `GET /api/v3/rbac/roles/`: roles; besides filters there are `users` and `groups` (the roles that an account or a group has been
/// given) and `inherited` (those too that it has by groups). Superusers only.
pub(super) async fn list(State(app): State<App>, caller: Caller, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let caller = caller.superuser()?;
    let mut params = Params::of(query.as_deref())?;
    let (user, group) = (params.number("users"), params.uuid("groups"));
    let inherited = params.flag("inherited").unwrap_or(false);
    params.done()?;
    let mut repo = app.store().read().await?;
    let mut sets = Vec::new();
    if let Some(user) = user {
        sets.push(of_user(&mut *repo, user, inherited).await?);
    }
    if let Some(group) = group {
        sets.push(of_group(&mut *repo, group, inherited).await?);
    }
    drop(repo);
    let snapshot = app.store().snapshot();
    let route = Route::of(snapshot.registry(), Role::META.path).ok_or(ApiError::Internal)?;
    let mut query: ListQuery = read_query(&query.unwrap_or_default())?;
    query.filters.retain(|(name, _)| !matches!(name.as_str(), "users" | "groups" | "inherited"));
    let keep = |object: &Object| sets.iter().all(|set: &BTreeSet<Uuid>| set.contains(&object.pk.uuid()));
    collection::list(&app, &caller, &route, &query, keep).await
}

async fn of_user(repo: &mut dyn Repository, user: i64, inherited: bool) -> Result<BTreeSet<Uuid>, ApiError> {
    if repo.users().lookup(user).await?.is_none() {
        return Err(ApiError::Invalid(Errors::field("users", no_choice(&user.to_string()), "invalid_choice")));
    }
    let mut roles: BTreeSet<Uuid> = repo.roles().of_users(&[user]).await?.into_iter().map(|(_, role)| role).collect();
    if inherited {
        let groups: Vec<Uuid> = repo.groups().of_user(user, true).await?.iter().map(|group| group.pk).collect();
        roles.extend(repo.roles().of_groups(&groups).await?.into_iter().map(|(_, role)| role));
    }
    Ok(roles)
}

async fn of_group(repo: &mut dyn Repository, group: Uuid, inherited: bool) -> Result<BTreeSet<Uuid>, ApiError> {
    let Some(found) = repo.groups().lookup(group).await? else {
        return Err(ApiError::Invalid(Errors::field("groups", no_choice(&group.to_string()), "invalid_choice")));
    };
    let mut roles: BTreeSet<Uuid> = repo.roles().of_groups(&[group]).await?.into_iter().map(|(_, role)| role).collect();
    if inherited {
        roles.extend(super::groups::inherited_roles(repo, &found).await?);
    }
    Ok(roles)
}

/// A permission that a role holds, as the contract shows it (`RoleModelPermission`).
fn held(permission: &Permission) -> Value {
    json!({
        "id": permission.id, "codename": permission.codename, "model": permission.model, "app_label": permission.app,
        "name": permission.name,
    })
}

/// A permission that a role holds on one object (`RoleObjectPermission`).
fn held_on(permission: &Permission, object_pk: &str) -> Value {
    with(held(permission), json!({ "object_pk": object_pk }))
}

/// The fields of both.
fn with(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Object(mut one), Value::Object(mut other)) => {
            one.append(&mut other);
            Value::Object(one)
        }
        (one, _) => one,
    }
}

/// `GET /api/v3/rbac/permissions/assigned_by_roles/`: which roles hold permissions of `model`, or on the object `object_pk`.
/// Superusers only.
pub(super) async fn assigned(State(app): State<App>, caller: Caller, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    caller.superuser()?;
    let mut params = Params::of(query.as_deref())?;
    let snapshot = app.store().snapshot();
    let known = Permissions::of(snapshot.registry());
    let model = params.choice("model", |model| known.iter().any(|p| p.model_name() == model).then(|| model.to_owned()));
    let object = params.text("object_pk");
    let search = params.search().unwrap_or_default().to_lowercase();
    let descending = params.order(|name| (name == "name").then_some(()), &[()]).first().is_some_and(|by| by.descending);
    params.done()?;
    let about = |permission: &&Permission| model.as_ref().is_none_or(|model| permission.model_name() == *model);
    let mut rows: Vec<(String, Value)> = Vec::new();
    for (at, role) in snapshot.all::<Role>().filter(|(_, role)| role.name.to_lowercase().contains(&search)) {
        let models: Vec<Value> = role.permissions.iter().filter_map(|p| known.find(p)).filter(about).map(held).collect();
        let on = role.object_permissions.iter().filter(|g| object.as_ref().is_none_or(|object| g.object_pk == *object));
        let objects: Vec<Value> = on
            .filter_map(|grant| Some((known.find(&grant.permission)?, grant)))
            .filter(|(permission, _)| about(permission))
            .map(|(permission, grant)| held_on(permission, &grant.object_pk))
            .collect();
        let fits = !objects.is_empty() || (object.is_none() && !models.is_empty());
        if fits || (model.is_none() && object.is_none()) {
            let row = json!({
                "role_pk": at.pk().uuid(), "name": role.name, "object_permissions": objects, "model_permissions": models,
            });
            rows.push((role.name.clone(), row));
        }
    }
    rows.sort_by(|(a, _), (b, _)| if descending { b.cmp(a) } else { a.cmp(b) });
    let results: Vec<Value> = params.part(&rows)?.iter().map(|(_, row)| row.clone()).collect();
    Ok(Json(params.answer(rows.len() as u64, &results)))
}

/// `GET /api/v3/rbac/permissions/roles/`: the permissions on single objects that the role `uuid` holds. Superusers only.
pub(super) async fn object_permissions(
    State(app): State<App>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    caller.superuser()?;
    let mut params = Params::of(query.as_deref())?;
    let wanted = params.uuid("uuid");
    let search = params.search().unwrap_or_default().to_lowercase();
    params.done()?;
    let snapshot = app.store().snapshot();
    let known = Permissions::of(snapshot.registry());
    let roles = snapshot.all::<Role>().filter(|(at, _)| wanted.is_none_or(|wanted| at.pk().uuid() == wanted));
    let mut repo = app.store().read().await?;
    let mut rows = Vec::new();
    for grant in roles.flat_map(|(_, role)| &role.object_permissions) {
        let Some(permission) = known.find(&grant.permission) else { continue };
        if !permission.name.to_lowercase().contains(&search) && !permission.codename.contains(&search) {
            continue;
        }
        let verbose = json!({
            "app_label_verbose": app_verbose(&permission.app),
            "model_verbose": permission.model_verbose,
            "object_description": described(&app, &mut *repo, &snapshot, permission, &grant.object_pk).await?,
        });
        rows.push(with(held_on(permission, &grant.object_pk), verbose));
    }
    let results: Vec<Value> = params.part(&rows)?.to_vec();
    Ok(Json(params.answer(rows.len() as u64, &results)))
}

/// What people call the object of a permission, if it is there.
async fn described(
    app: &App,
    repo: &mut dyn Repository,
    snapshot: &Snapshot,
    about: &Permission,
    pk: &str,
) -> Result<Option<String>, ApiError> {
    let model = about.model_name();
    if let Some(info) = snapshot.registry().by_model(&model) {
        let object = Pk::from_value(&pk.into(), info.meta.space).and_then(|pk| snapshot.object(pk));
        return Ok(object.filter(|object| object.kind == Some(info.index)).map(|object| info.name_of(object)));
    }
    let Some(kind) = app.records.by_model(&model) else { return Ok(None) };
    let document = kind.document(repo, &pk.into()).await?;
    let label = |document: Map<String, Value>| {
        let label = ["username", "identifier", "name"].iter().find_map(|field| document.get(*field)?.as_str());
        label.map(str::to_owned)
    };
    Ok(document.and_then(label))
}

/// What is assigned, or taken away.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Assignment {
    /// Which permissions: `authentik_flows.view_flow`, or without the app where `model` is said.
    permissions: Vec<String>,
    /// Of which model.
    #[serde(default)]
    model: Option<String>,
    /// On which object; on all where nothing is said.
    #[serde(default)]
    object_pk: Option<String>,
}

/// `POST …/assigned_by_roles/{uuid}/assign/`: lets a role permit something. Superusers only.
pub(super) async fn assign(
    State(app): State<App>,
    caller: Caller,
    Segment(key): Segment,
    JsonObject(input): JsonObject,
) -> Result<Json<Value>, ApiError> {
    let changed = change(&app, &caller.superuser()?, &key, input, true).await?;
    let results: Vec<Value> = changed.iter().map(|permission| json!({ "id": permission.id.to_string() })).collect();
    Ok(Json(results.into()))
}

/// `PATCH …/assigned_by_roles/{uuid}/unassign/`: takes that away. Superusers only.
pub(super) async fn unassign(
    State(app): State<App>,
    caller: Caller,
    Segment(key): Segment,
    JsonObject(input): JsonObject,
) -> Result<StatusCode, ApiError> {
    change(&app, &caller.superuser()?, &key, input, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes what a role permits, and tells of it; the permissions that were named.
async fn change(
    app: &App,
    caller: &Caller,
    key: &str,
    input: Map<String, Value>,
    gives: bool,
) -> Result<Vec<Permission>, ApiError> {
    let asked: Assignment = Input::new().read(&Value::Object(input)).map_err(ApiError::Invalid)?;
    let mut unit = app.store().begin(Durability::Full).await?;
    let (pk, name) = role_named(unit.snapshot(), key)?;
    let named = named(unit.snapshot(), &asked).map_err(ApiError::Invalid)?;
    if let Some(object) = &asked.object_pk {
        let snapshot = unit.snapshot().clone();
        for permission in &named {
            if described(app, unit.records(), &snapshot, permission, object).await?.is_none() {
                let message = format!("Invalid pk \"{object}\" - object does not exist.");
                return Err(ApiError::Invalid(Errors::field("object_pk", message, "does_not_exist")));
            }
        }
    }
    unit.write(|draft| {
        let at = Ref::<Role>::new(Pk::of_uuid(pk));
        let missing = || Errors::whole("There is no such role.", "not_found");
        let mut role = draft.snapshot().get(at).cloned().ok_or_else(missing)?;
        for permission in &named {
            match &asked.object_pk {
                Some(object) => {
                    let grant = ObjectGrant { permission: permission.full_name(), object_pk: object.clone() };
                    set(&mut role.object_permissions, grant, gives);
                }
                None => set(&mut role.permissions, permission.full_name(), gives),
            }
        }
        draft.set(at, &role)
    })?;
    if unit.has_changes() {
        let event = record_event(app, caller, "model_updated", Role::META.model, &pk.to_string().into(), &name);
        unit.records().events().add(&event).await?;
        unit.save().await?;
    }
    Ok(named)
}

/// Puts an entry into a list, once, or takes it out.
fn set<T: PartialEq>(list: &mut Vec<T>, entry: T, gives: bool) {
    if !gives {
        list.retain(|other| *other != entry);
    } else if !list.contains(&entry) {
        list.push(entry);
    }
}

/// The permissions that an assignment names; every one that there is not is told.
fn named(snapshot: &Snapshot, asked: &Assignment) -> Result<Vec<Permission>, Errors> {
    let known = Permissions::of(snapshot.registry());
    let mut errors = Errors::default();
    let app = asked.model.as_deref().and_then(|model| model.split_once('.')).map(|(app, _)| app);
    let mut found = Vec::new();
    for name in &asked.permissions {
        let full = match app {
            Some(app) if !name.contains('.') => format!("{app}.{name}"),
            _ => name.clone(),
        };
        let of_model = |permission: &&Permission| asked.model.as_ref().is_none_or(|model| permission.model_name() == *model);
        match known.find(&full).filter(of_model) {
            Some(permission) => found.push(permission.clone()),
            None => errors.at(&["permissions"], format!("\"{name}\" is not a valid choice."), "invalid_choice"),
        }
    }
    if asked.object_pk.is_some() && asked.model.is_none() {
        errors.at(&["model"], "This field is required.", "required");
    }
    errors.ok(found)
}
