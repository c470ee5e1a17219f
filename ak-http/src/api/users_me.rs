//! Who am I.

use std::collections::BTreeSet;

use ak_policy::{Permissions, Role, SYSTEM};
use ak_store::directory::Person;
use ak_store::model::{Pk, Ref, Snapshot, user_uid};
use ak_store::records::Repository;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;

/// `GET /api/v3/core/users/me/`: the account of the caller.
pub(crate) async fn get(State(app): State<App>, caller: Caller) -> Result<Json<Value>, ApiError> {
    let snapshot = app.store().snapshot();
    let roles = roles(&mut *app.store().read().await?, &snapshot, &caller.person).await?;
    let user = user_self(&snapshot, &caller.person, &roles, app.store().install_id(), caller.session.is_some());
    Ok(Json(json!({ "user": user, "users": [user] })))
}

/// The roles that a person has, by groups too, by name.
async fn roles(repo: &mut dyn Repository, snapshot: &Snapshot, person: &Person) -> Result<Vec<(Ref<Role>, Role)>, ApiError> {
    let groups: Vec<_> = person.groups.iter().map(|group| group.pk).collect();
    let own = repo.roles().of_users(&[person.user.pk]).await?.into_iter().map(|(_, role)| role);
    let by_groups = repo.roles().of_groups(&groups).await?.into_iter().map(|(_, role)| role);
    let keys: BTreeSet<_> = own.chain(by_groups).map(|role| Ref::<Role>::new(Pk::of_uuid(role)).pk()).collect();
    let found = keys.into_iter().filter_map(|pk| Some((Ref::new(pk), snapshot.get(Ref::<Role>::new(pk))?.clone())));
    let mut roles: Vec<(Ref<Role>, Role)> = found.collect();
    roles.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
    Ok(roles)
}

/// What a person is permitted that is about no object: everything for superusers, else what her roles permit.
fn system_permissions(snapshot: &Snapshot, person: &Person, roles: &[(Ref<Role>, Role)]) -> Vec<String> {
    let all = Permissions::of(snapshot.registry());
    let held = |name: &String| roles.iter().any(|(_, role)| role.permissions.contains(name));
    let of_system = all.iter().filter(|permission| permission.model_name() == SYSTEM);
    let permitted = of_system.filter(|permission| person.is_superuser() || held(&permission.full_name()));
    permitted.map(|permission| permission.codename.clone()).collect()
}

/// An account as it sees itself (`UserSelf`).
fn user_self(snapshot: &Snapshot, person: &Person, roles: &[(Ref<Role>, Role)], install_id: &str, is_current: bool) -> Value {
    let user = &person.user;
    let groups: Vec<Value> = person.groups.iter().map(|g| json!({ "name": g.name, "pk": g.pk })).collect();
    let settings = person.attributes().get("settings").filter(|s| s.is_object()).cloned().unwrap_or_else(|| json!({}));
    let shown_roles: Vec<Value> = roles.iter().map(|(at, role)| json!({ "name": role.name, "pk": at.pk().uuid() })).collect();
    json!({
        "pk": user.pk,
        "username": user.username,
        "name": user.name,
        "is_active": user.is_active,
        "is_superuser": person.is_superuser(),
        "is_current": is_current,
        "groups": groups,
        "roles": shown_roles,
        "email": user.email,
        "avatar": ak_flows::avatar::of(user),
        "uid": user_uid(user.pk, install_id),
        "settings": settings,
        "type": user.r#type.as_str(),
        "system_permissions": system_permissions(snapshot, person, roles),
    })
}
