//! Collections of records: list, create, read, replace, patch, delete, used by. One code for every sort.

use ak_store::model::{Change, Key, RecordKind};
use ak_store::records::{Durability, Repository};
use async_trait::async_trait;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value};

use super::super::change::record_event;
use super::super::collection::referrers;
use super::params::Params;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::{JsonObject, Segment};

/// A collection of records that documents describe.
#[async_trait]
pub(super) trait Collection: Send + Sync + 'static {
    /// Model name.
    const MODEL: &'static str;
    /// Where it is, below `/api/v3`, with slashes at both ends.
    const PATH: &'static str;
    /// What one record is called when there is none.
    const NAME: &'static str;

    /// The caller, if she may come near it at all: superusers only, unless the collection knows better.
    fn admit(caller: Caller) -> Result<Caller, ApiError> {
        caller.superuser()
    }

    /// The key of the record that a path names, if there is one that the caller may see.
    async fn find(repo: &mut dyn Repository, caller: &Caller, name: &str) -> Result<Option<Value>, ApiError>;

    /// A page: how many records there are on all of them, and those on it.
    async fn list(app: &App, caller: &Caller, params: &mut Params) -> Result<(u64, Vec<Value>), ApiError>;

    /// One record, whole.
    async fn show(app: &App, pk: &Value, params: &mut Params) -> Result<Option<Value>, ApiError>;

    /// Brings an input of the API into the shape of the document, and holds it to what the caller may.
    fn prepare(
        _app: &App,
        _caller: &Caller,
        _old: Option<&Map<String, Value>>,
        _input: &mut Map<String, Value>,
    ) -> Result<(), ApiError> {
        Ok(())
    }

    /// The name that people know a record by.
    fn label(document: &Map<String, Value>) -> String;

    /// What objects refer to it by.
    fn key(pk: &Value) -> Option<Key>;

    /// Other records that go with it or change when it is deleted (`UsedBy`).
    async fn users(_repo: &mut dyn Repository, _pk: &Value) -> Result<Vec<Value>, ApiError> {
        Ok(Vec::new())
    }
}

/// The routes of a collection.
pub(super) fn routes<C: Collection>() -> Router<App> {
    let one = format!("{}{{key}}/", C::PATH);
    Router::new()
        .route(C::PATH, get(list::<C>).post(create::<C>))
        .route(&one, get(read::<C>).put(replace::<C>).patch(patch::<C>).delete(delete::<C>))
        .route(&format!("{one}used_by/"), get(used_by::<C>))
}

/// What the API says when there is no such record.
pub(super) fn missing<C: Collection>() -> ApiError {
    ApiError::NotFound(format!("No {} matches the given query.", C::NAME))
}

/// How documents describe the records.
pub(super) fn kind<C: Collection>(app: &App) -> Result<&dyn RecordKind, ApiError> {
    app.records.by_model(C::MODEL).ok_or(ApiError::Internal)
}

/// The key of the record that a path names.
pub(super) async fn found<C: Collection>(repo: &mut dyn Repository, caller: &Caller, name: &str) -> Result<Value, ApiError> {
    C::find(repo, caller, name).await?.ok_or_else(missing::<C>)
}

async fn list<C: Collection>(State(app): State<App>, caller: Caller, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let caller = C::admit(caller)?;
    let mut params = Params::of(query.as_deref())?;
    let (count, results) = C::list(&app, &caller, &mut params).await?;
    Ok(Json(params.answer(count, &results)))
}

async fn shown<C: Collection>(app: &App, pk: &Value, query: Option<&str>) -> Result<Json<Value>, ApiError> {
    let mut params = Params::of(query)?;
    Ok(Json(C::show(app, pk, &mut params).await?.ok_or_else(missing::<C>)?))
}

async fn create<C: Collection>(
    State(app): State<App>,
    caller: Caller,
    JsonObject(input): JsonObject,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let caller = C::admit(caller)?;
    let pk = put::<C>(&app, &caller, None, input, Change::Create).await?;
    Ok((StatusCode::CREATED, shown::<C>(&app, &pk, None).await?))
}

async fn read<C: Collection>(
    State(app): State<App>,
    caller: Caller,
    Segment(key): Segment,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let caller = C::admit(caller)?;
    let pk = found::<C>(&mut *app.store().read().await?, &caller, &key).await?;
    shown::<C>(&app, &pk, query.as_deref()).await
}

async fn replace<C: Collection>(
    State(app): State<App>,
    caller: Caller,
    Segment(key): Segment,
    JsonObject(input): JsonObject,
) -> Result<Json<Value>, ApiError> {
    let caller = C::admit(caller)?;
    let pk = put::<C>(&app, &caller, Some(&key), input, Change::Replace).await?;
    shown::<C>(&app, &pk, None).await
}

async fn patch<C: Collection>(
    State(app): State<App>,
    caller: Caller,
    Segment(key): Segment,
    JsonObject(input): JsonObject,
) -> Result<Json<Value>, ApiError> {
    let caller = C::admit(caller)?;
    let pk = put::<C>(&app, &caller, Some(&key), input, Change::Patch).await?;
    shown::<C>(&app, &pk, None).await
}

/// Creates or changes a record, and tells of it in the same transaction. A change that changes nothing is no write and no event.
async fn put<C: Collection>(
    app: &App,
    caller: &Caller,
    key: Option<&str>,
    mut input: Map<String, Value>,
    change: Change,
) -> Result<Value, ApiError> {
    let kind = kind::<C>(app)?;
    let mut unit = app.store().begin(Durability::Full).await?;
    let at = match key {
        Some(key) => Some(found::<C>(unit.records(), caller, key).await?),
        None => None,
    };
    let before = match &at {
        Some(pk) => kind.document(unit.records(), pk).await?,
        None => None,
    };
    C::prepare(app, caller, before.as_ref(), &mut input)?;
    let pk = kind.put(&mut unit, at.as_ref(), &input, change).await?;
    let after = kind.document(unit.records(), &pk).await?.unwrap_or_default();
    if before.as_ref() == Some(&after) {
        return Ok(pk);
    }
    let action = if before.is_none() { "model_created" } else { "model_updated" };
    let event = record_event(app, caller, action, C::MODEL, &pk, &C::label(&after));
    unit.records().events().add(&event).await?;
    unit.save().await?;
    // It may have ended sessions, for whose end applications are waiting.
    app.store().waker().wake();
    Ok(pk)
}

async fn delete<C: Collection>(State(app): State<App>, caller: Caller, Segment(key): Segment) -> Result<StatusCode, ApiError> {
    let caller = C::admit(caller)?;
    let kind = kind::<C>(&app)?;
    let mut unit = app.store().begin(Durability::Full).await?;
    let pk = found::<C>(unit.records(), &caller, &key).await?;
    let document = kind.document(unit.records(), &pk).await?.unwrap_or_default();
    if !kind.delete(&mut unit, &pk).await? {
        return Err(missing::<C>());
    }
    let event = record_event(&app, &caller, "model_deleted", C::MODEL, &pk, &C::label(&document));
    unit.records().events().add(&event).await?;
    unit.save().await?;
    app.store().waker().wake();
    Ok(StatusCode::NO_CONTENT)
}

async fn used_by<C: Collection>(State(app): State<App>, caller: Caller, Segment(key): Segment) -> Result<Json<Value>, ApiError> {
    let caller = C::admit(caller)?;
    let mut repo = app.store().read().await?;
    let pk = found::<C>(&mut *repo, &caller, &key).await?;
    let mut all = C::key(&pk).map(|key| referrers(&app.store().snapshot(), key)).unwrap_or_default();
    all.extend(C::users(&mut *repo, &pk).await?);
    Ok(Json(Value::Array(all)))
}
