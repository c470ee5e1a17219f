//! Changing objects by the API: the change and the event that tells of it are one.

use ak_store::model::{Change, KindInfo, Pk};
use ak_store::records::{Durability, Event};
use serde_json::{Map, Value, json};

use super::outposts;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;

/// Creates or changes an object. A change that changes nothing is no write and no event.
pub(super) async fn put(
    app: &App,
    caller: &Caller,
    kind: &KindInfo,
    at: Option<Pk>,
    input: &Value,
    change: Change,
) -> Result<Pk, ApiError> {
    outposts::check(&app.store().snapshot(), kind, at, input)?;
    let mut unit = app.store().begin(Durability::Full).await?;
    let (pk, changed) = unit.write(|draft| {
        let pk = draft.put(kind.meta.model, at, input, change)?;
        let object = draft.snapshot().object(pk);
        let what = object.map(|o| kind.name_of(o)).unwrap_or_default();
        let remarks = draft.snapshot().remarks(pk);
        Ok((pk, (!draft.is_clean()).then_some((what, remarks))))
    })?;
    let Some((what, remarks)) = changed else { return Ok(pk) };
    let action = if change == Change::Create { "model_created" } else { "model_updated" };
    let event = model_event(app, caller, action, kind, pk, &what);
    unit.records().events().add(&event).await?;
    if !remarks.is_empty() {
        let mut event = model_event(app, caller, "configuration_warning", kind, pk, &what);
        event.context.insert("message".into(), format!("{} {what} cannot be used as it is.", kind.meta.name).into());
        event.context.insert("remarks".into(), remarks.value());
        unit.records().events().add(&event).await?;
    }
    unit.save().await?;
    Ok(pk)
}

/// Deletes an object, and what cannot be without it.
pub(super) async fn delete(app: &App, caller: &Caller, pk: Pk) -> Result<(), ApiError> {
    let snapshot = app.store().snapshot();
    let object = snapshot.object(pk).ok_or_else(|| ApiError::NotFound("Not found.".into()))?;
    let kind = snapshot.kind_of(object).ok_or(ApiError::Internal)?;
    let mut unit = app.store().begin(Durability::Full).await?;
    if !unit.write(|draft| draft.delete(pk))? {
        return Err(ApiError::NotFound("Not found.".into()));
    }
    let event = model_event(app, caller, "model_deleted", kind, pk, &kind.name_of(object));
    unit.records().events().add(&event).await?;
    unit.save().await?;
    Ok(())
}

/// An event about an object.
pub(super) fn model_event(app: &App, caller: &Caller, action: &str, kind: &KindInfo, pk: Pk, what: &str) -> Event {
    record_event(app, caller, action, kind.meta.model, &pk.value(), what)
}

/// An event about anything that has a model name, a key, and a name for people.
pub(super) fn record_event(app: &App, caller: &Caller, action: &str, model: &str, pk: &Value, what: &str) -> Event {
    let now = app.store().clock().now();
    let user = &caller.person.user;
    let (app_name, model_name) = model.split_once('.').unwrap_or(("", model));
    let model = json!({ "app": app_name, "model_name": model_name, "pk": pk, "name": what });
    let mut event = Event {
        pk: app.store().rng().uuid(),
        action: action.to_owned(),
        app: Event::app_of(action).to_owned(),
        user: person_of(caller),
        user_pk: Some(user.pk),
        context: map(json!({ "model": model })),
        client_ip: caller.ip,
        created: now,
        expires: now + Event::AGE,
    };
    app.runner.services().locate(&mut event);
    event
}

/// The caller as events name her.
pub(super) fn person_of(caller: &Caller) -> Map<String, Value> {
    let user = &caller.person.user;
    map(json!({ "pk": user.pk, "username": user.username, "email": user.email }))
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
