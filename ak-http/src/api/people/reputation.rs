//! `policies/reputation/scores/`: how those who try to sign in have done. Made by sign-ins only; superusers see and forget them.

use ak_store::records::{Durability, Reputation, ReputationFilter, ReputationOrder};
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::change::record_event;
use super::params::Params;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::Segment;

const MODEL: &str = "authentik_policies_reputation.reputation";

/// A score as the contract shows it (`Reputation`), with what is known of its address.
fn shown(app: &App, score: &Reputation) -> Value {
    let geo = &app.runner.services().geo;
    json!({
        "pk": score.pk,
        "identifier": score.identifier,
        "ip": score.ip,
        "ip_geo_data": geo.place(score.ip).ok().flatten().map_or_else(|| json!({}), |place| json!(place)),
        "ip_asn_data": geo.system(score.ip).ok().flatten().map_or_else(|| json!({}), |system| json!(system)),
        "score": score.score,
        "updated": score.updated,
    })
}

fn field(name: &str) -> Option<ReputationOrder> {
    Some(match name {
        "pk" | "reputation_uuid" => ReputationOrder::Pk,
        "identifier" => ReputationOrder::Identifier,
        "ip" => ReputationOrder::Ip,
        "score" => ReputationOrder::Score,
        "updated" => ReputationOrder::Updated,
        _ => return None,
    })
}

fn missing() -> ApiError {
    ApiError::NotFound("No Reputation Score matches the given query.".into())
}

fn key(name: &str) -> Result<Uuid, ApiError> {
    Uuid::parse_str(name).map_err(|_| missing())
}

/// `GET …/`: the scores, filtered.
pub(super) async fn list(State(app): State<App>, caller: Caller, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    caller.superuser()?;
    let mut params = Params::of(query.as_deref())?;
    let filter = ReputationFilter {
        search: params.search(),
        identifier: params.text("identifier"),
        identifiers: params.texts("identifier_in").iter().flat_map(|names| names.split(',')).map(str::to_owned).collect(),
        ip: params.address("ip"),
        score: params.number("score"),
        order: params.order(field, ReputationOrder::Identifier),
    };
    params.done()?;
    let mut repo = app.store().read().await?;
    let count = repo.reputations().count(&filter).await?;
    let scores = repo.reputations().list(&filter, params.page(count)?).await?;
    Ok(Json(params.answer(count, &scores.iter().map(|score| shown(&app, score)).collect::<Vec<_>>())))
}

/// `GET …/{reputation_uuid}/`: one score.
pub(super) async fn read(State(app): State<App>, caller: Caller, Segment(name): Segment) -> Result<Json<Value>, ApiError> {
    caller.superuser()?;
    let score = app.store().read().await?.reputations().lookup(key(&name)?).await?;
    Ok(Json(shown(&app, &score.ok_or_else(missing)?)))
}

/// `DELETE …/{reputation_uuid}/`: what was held against somebody is forgotten.
pub(super) async fn delete(State(app): State<App>, caller: Caller, Segment(name): Segment) -> Result<StatusCode, ApiError> {
    let caller = caller.superuser()?;
    let mut repo = app.store().backend().begin(Durability::Full).await?;
    let score = repo.reputations().lookup(key(&name)?).await?.ok_or_else(missing)?;
    repo.reputations().delete(score.pk).await?;
    let event = record_event(&app, &caller, "model_deleted", MODEL, &score.pk.to_string().into(), &score.identifier);
    repo.events().add(&event).await?;
    repo.save().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET …/{reputation_uuid}/used_by/`: nothing refers to a score.
pub(super) async fn used_by(State(app): State<App>, caller: Caller, Segment(name): Segment) -> Result<Json<Value>, ApiError> {
    caller.superuser()?;
    app.store().read().await?.reputations().lookup(key(&name)?).await?.ok_or_else(missing)?;
    Ok(Json(json!([])))
}
