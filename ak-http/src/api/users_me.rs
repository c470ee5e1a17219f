//! Who am I.

use ak_store::directory::Person;
use ak_store::model::user_uid;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::Caller;

/// `GET /api/v3/core/users/me/`: the account of the caller.
pub(crate) async fn get(State(app): State<App>, caller: Caller) -> Json<Value> {
    let user = user_self(&caller.person, app.store().install_id(), caller.by_cookie);
    Json(json!({ "user": user, "users": [user] }))
}

/// An account as it sees itself (`UserSelf`).
fn user_self(person: &Person, install_id: &str, is_current: bool) -> Value {
    let user = &person.user;
    let groups: Vec<Value> = person.groups.iter().map(|g| json!({ "name": g.name, "pk": g.pk })).collect();
    let settings = person.attributes().get("settings").filter(|s| s.is_object()).cloned().unwrap_or_else(|| json!({}));
    let permissions: &[&str] = if person.is_superuser() { &["access_admin_interface"] } else { &[] };
    json!({
        "pk": user.pk,
        "username": user.username,
        "name": user.name,
        "is_active": user.is_active,
        "is_superuser": person.is_superuser(),
        "is_current": is_current,
        "groups": groups,
        "roles": [],
        "email": user.email,
        "avatar": ak_flows::avatar::of(user),
        "uid": user_uid(user.pk, install_id),
        "settings": settings,
        "type": user.r#type.as_str(),
        "system_permissions": permissions,
    })
}
