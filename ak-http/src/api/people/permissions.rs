//! What can be permitted: `rbac/permissions/`.

use ak_policy::{Permission, Permissions};
use ak_store::model::{Pk, Ref};
use axum::Json;
use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use super::params::{Params, no_choice};
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::Segment;

/// A permission as the contract shows it (`Permission`).
pub(super) fn shown(permission: &Permission) -> Value {
    json!({
        "id": permission.id,
        "name": permission.name,
        "codename": permission.codename,
        "model": permission.model,
        "app_label": permission.app,
        "app_label_verbose": app_verbose(&permission.app),
        "model_verbose": permission.model_verbose,
    })
}

/// The name of an app for people: `authentik_stages_password` is `Stages Password`.
pub(super) fn app_verbose(app: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
    };
    app.strip_prefix("authentik_").unwrap_or(app).split('_').map(capital).collect::<Vec<_>>().join(" ")
}

/// What a list of permissions can be sorted by.
#[derive(Clone, Copy)]
enum Field {
    Id,
    Name,
    Codename,
}

/// `GET …/`: everything that can be permitted. For everybody: it says nothing about anybody.
pub(super) async fn list(State(app): State<App>, _: Caller, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let snapshot = app.store().snapshot();
    let role = params.uuid("role");
    let role = role.map(|pk| snapshot.get(Ref::<ak_policy::Role>::new(Pk::of_uuid(pk))).ok_or(pk));
    if let Some(Err(pk)) = &role {
        params.refuse("role", no_choice(&pk.to_string()));
    }
    let (codename, app_label) = (params.text("codename"), params.text("content_type__app_label"));
    let model = params.text("content_type__model");
    let words: Vec<String> = params.search().unwrap_or_default().split_whitespace().map(str::to_lowercase).collect();
    let order = params.order(
        |name| match name {
            "id" | "pk" => Some(Field::Id),
            "name" => Some(Field::Name),
            "codename" => Some(Field::Codename),
            _ => None,
        },
        &[Field::Name],
    );
    params.done()?;
    let all = Permissions::of(snapshot.registry());
    let keep = |permission: &&Permission| {
        let texts = [&permission.name, &permission.codename, &permission.model, &permission.app];
        codename.as_ref().is_none_or(|wanted| permission.codename == *wanted)
            && app_label.as_ref().is_none_or(|wanted| permission.app == *wanted)
            && model.as_ref().is_none_or(|wanted| permission.model == *wanted)
            && words.iter().all(|word| texts.iter().any(|text| text.to_lowercase().contains(word)))
            && match &role {
                Some(Ok(role)) => role.permissions.contains(&permission.full_name()),
                _ => true,
            }
    };
    let mut found: Vec<&Permission> = all.iter().filter(keep).collect();
    found.sort_by(|a, b| {
        let by = order.iter().map(|by| {
            let ordering = match by.field {
                Field::Id => a.id.cmp(&b.id),
                Field::Name => a.name.cmp(&b.name),
                Field::Codename => a.codename.cmp(&b.codename),
            };
            if by.descending { ordering.reverse() } else { ordering }
        });
        by.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then).then(a.id.cmp(&b.id))
    });
    let results: Vec<Value> = params.part(&found)?.iter().map(|permission| shown(permission)).collect();
    Ok(Json(params.answer(found.len() as u64, &results)))
}

/// `GET …/{id}/`: one of them.
pub(super) async fn read(State(app): State<App>, _: Caller, Segment(key): Segment) -> Result<Json<Value>, ApiError> {
    let all = Permissions::of(app.store().snapshot().registry());
    let found = all.iter().find(|permission| permission.id.to_string() == key);
    found
        .map(|permission| Json(shown(permission)))
        .ok_or_else(|| ApiError::NotFound("No Permission matches the given query.".into()))
}
