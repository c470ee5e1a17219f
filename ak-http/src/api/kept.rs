//! Collections of records that come about by themselves: listed, read, deleted, and never written by a client. One code for every sort.

use ak_store::records::{Durability, Repository};
use async_trait::async_trait;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::change::record_event;
use super::people::Params;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::Segment;

/// A collection of records that clients read and delete.
#[async_trait]
pub(super) trait Kept: Send + Sync + 'static {
    /// The records.
    type Record: Send + Sync;

    /// Model name in events.
    const MODEL: &'static str;
    /// Where it is, below `/api/v3`, with slashes at both ends.
    const PATH: &'static str;
    /// What one record is called when there is none.
    const NAME: &'static str;

    /// The caller, if she may come near it at all. Unless the collection knows better everybody may, and [`Kept::owner`] says what she
    /// sees.
    fn admit(caller: Caller) -> Result<Caller, ApiError> {
        Ok(caller)
    }

    /// The account that may see a record, besides superusers.
    fn owner(record: &Self::Record) -> Option<i64>;

    /// The record that a path names.
    async fn find(app: &App, repo: &mut dyn Repository, name: &str) -> Result<Option<Self::Record>, ApiError>;

    /// A page: how many records there are on all of them, and those on it. `own` is the account to whose records the list is confined.
    async fn list(
        app: &App,
        repo: &mut dyn Repository,
        own: Option<i64>,
        params: &mut Params,
    ) -> Result<(u64, Vec<Self::Record>), ApiError>;

    /// Records as the contract shows them, in the order given.
    async fn shown(
        app: &App,
        repo: &mut dyn Repository,
        caller: &Caller,
        records: &[Self::Record],
    ) -> Result<Vec<Value>, ApiError>;

    /// Deletes a record.
    async fn delete(repo: &mut dyn Repository, record: &Self::Record) -> Result<(), ApiError>;

    /// The key of a record, and the name that people know it by.
    fn label(record: &Self::Record) -> (Value, String);
}

/// The routes of a collection.
pub(super) fn routes<K: Kept>() -> Router<App> {
    let one = format!("{}{{key}}/", K::PATH);
    Router::new()
        .route(K::PATH, get(list::<K>))
        .route(&one, get(read::<K>).delete(delete::<K>))
        .route(&format!("{one}used_by/"), get(used_by::<K>))
}

fn missing<K: Kept>() -> ApiError {
    ApiError::NotFound(format!("No {} matches the given query.", K::NAME))
}

/// The record that a path names, if the caller may see it.
async fn found<K: Kept>(app: &App, repo: &mut dyn Repository, caller: &Caller, name: &str) -> Result<K::Record, ApiError> {
    let may = |record: &K::Record| caller.person.is_superuser() || K::owner(record) == Some(caller.person.user.pk);
    K::find(app, repo, name).await?.filter(may).ok_or_else(missing::<K>)
}

async fn list<K: Kept>(State(app): State<App>, caller: Caller, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let caller = K::admit(caller)?;
    let mut params = Params::of(query.as_deref())?;
    let own = (!caller.person.is_superuser()).then_some(caller.person.user.pk);
    let mut repo = app.store().read().await?;
    let (count, records) = K::list(&app, &mut *repo, own, &mut params).await?;
    let results = K::shown(&app, &mut *repo, &caller, &records).await?;
    Ok(Json(params.answer(count, &results)))
}

async fn read<K: Kept>(State(app): State<App>, caller: Caller, Segment(key): Segment) -> Result<Json<Value>, ApiError> {
    let caller = K::admit(caller)?;
    let mut repo = app.store().read().await?;
    let record = found::<K>(&app, &mut *repo, &caller, &key).await?;
    let shown = K::shown(&app, &mut *repo, &caller, &[record]).await?.pop();
    shown.map(Json).ok_or_else(missing::<K>)
}

async fn delete<K: Kept>(State(app): State<App>, caller: Caller, Segment(key): Segment) -> Result<StatusCode, ApiError> {
    let caller = K::admit(caller)?;
    let mut repo = app.store().backend().begin(Durability::Full).await?;
    let record = found::<K>(&app, &mut *repo, &caller, &key).await?;
    K::delete(&mut *repo, &record).await?;
    let (pk, label) = K::label(&record);
    let event = record_event(&app, &caller, "model_deleted", K::MODEL, &pk, &label);
    repo.events().add(&event).await?;
    repo.save().await?;
    // It may have been a session, for whose end applications are waiting.
    app.store().waker().wake();
    Ok(StatusCode::NO_CONTENT)
}

/// Nothing refers to a record of this sort.
async fn used_by<K: Kept>(State(app): State<App>, caller: Caller, Segment(key): Segment) -> Result<Json<Value>, ApiError> {
    let caller = K::admit(caller)?;
    found::<K>(&app, &mut *app.store().read().await?, &caller, &key).await?;
    Ok(Json(json!([])))
}
