//! `core/authenticated_sessions/`: where people are signed in. Superusers see all of them, everybody else her own.

use std::net::IpAddr;

use ak_store::records::{Durability, Repository, Session, SessionFilter};
use axum::Json;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::routing::{delete as delete_route, get};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::change::record_event;
use super::params::Params;
use crate::app::App;
use crate::auth::Caller;
use crate::device;
use crate::error::ApiError;
use crate::extract::Segment;

/// The name of a session in events.
const MODEL: &str = "authentik_core.authenticatedsession";

/// The routes of the collection.
pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/core/authenticated_sessions/", get(list))
        .route("/core/authenticated_sessions/bulk_delete/", delete_route(bulk_delete))
        .route("/core/authenticated_sessions/{key}/", get(read).delete(delete))
        .route("/core/authenticated_sessions/{key}/used_by/", get(used_by))
}

fn missing() -> ApiError {
    ApiError::NotFound("No AuthenticatedSession matches the given query.".into())
}

/// What the API calls a session by: the first half of its id. The id itself, by which cookies are found, is not told.
fn key_of(session: &Session) -> Uuid {
    let (half, _) = session.id.split_at(16);
    Uuid::from_slice(half).unwrap_or_default()
}

async fn found(app: &App, repo: &mut dyn Repository, caller: &Caller, key: &str) -> Result<Session, ApiError> {
    let key = Uuid::parse_str(key).map_err(|_| missing())?;
    let found = repo.sessions().find_by_half(key.as_bytes(), app.store().clock().now()).await?;
    let own = |session: &Session| caller.person.is_superuser() || session.user == Some(caller.person.user.pk);
    found.filter(|session| session.user.is_some() && own(session)).ok_or_else(missing)
}

async fn list(State(app): State<App>, caller: Caller, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let last_ip = params.text("session__last_ip").map(|ip| ip.parse::<IpAddr>());
    let last_user_agent = params.text("session__last_user_agent");
    let username = params.text("user__username");
    params.done()?;
    let mut repo = app.store().read().await?;
    let named = match &username {
        Some(name) => repo.users().find_by_username(name).await?.map(|user| user.pk),
        None => None,
    };
    let own = (!caller.person.is_superuser()).then_some(caller.person.user.pk);
    let user = own.or(named);
    // What nobody is called, and what is no address, is found nowhere; neither is what is not one's own.
    let nothing = matches!(last_ip, Some(Err(_))) || (username.is_some() && (named.is_none() || named != user));
    let filter = SessionFilter {
        user,
        valid_at: Some(app.store().clock().now()),
        signed_in: true,
        last_ip: last_ip.and_then(Result::ok),
        last_user_agent,
    };
    let count = if nothing { 0 } else { repo.sessions().count(&filter).await? };
    let page = params.page(count)?;
    let sessions = if nothing { Vec::new() } else { repo.sessions().list(&filter, page).await? };
    let results: Vec<Value> = sessions.iter().map(|session| shown(&app, &caller, session)).collect();
    Ok(Json(params.answer(count, &results)))
}

async fn read(State(app): State<App>, caller: Caller, Segment(key): Segment) -> Result<Json<Value>, ApiError> {
    let session = found(&app, &mut *app.store().read().await?, &caller, &key).await?;
    Ok(Json(shown(&app, &caller, &session)))
}

/// `DELETE`: the session ends, and the applications that were signed in to in it are told.
async fn delete(State(app): State<App>, caller: Caller, Segment(key): Segment) -> Result<StatusCode, ApiError> {
    let mut repo = app.store().backend().begin(Durability::Full).await?;
    let session = found(&app, &mut *repo, &caller, &key).await?;
    repo.sessions().delete(&session.id).await?;
    let event = record_event(&app, &caller, "model_deleted", MODEL, &json!(key_of(&session)), "Authenticated Session");
    repo.events().add(&event).await?;
    repo.save().await?;
    app.store().waker().wake();
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE …/bulk_delete/?user_pks=1&user_pks=2`: every session of these accounts ends. Superusers only.
async fn bulk_delete(State(app): State<App>, caller: Caller, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let caller = caller.superuser()?;
    let mut params = Params::of(query.as_deref())?;
    let users = params.numbers("user_pks");
    if users.is_empty() {
        params.refuse("user_pks", "This field is required.");
    }
    params.done()?;
    let mut repo = app.store().backend().begin(Durability::Full).await?;
    let mut deleted = 0;
    for user in users {
        let ended = repo.sessions().delete_of_user(user, None).await?;
        if ended > 0 {
            let event = record_event(&app, &caller, "model_deleted", MODEL, &json!(user), "Authenticated Sessions");
            repo.events().add(&event).await?;
        }
        deleted += ended;
    }
    repo.save().await?;
    app.store().waker().wake();
    Ok(Json(json!({ "deleted": deleted })))
}

/// Nothing of the configuration refers to a session.
async fn used_by(State(app): State<App>, caller: Caller, Segment(key): Segment) -> Result<Json<Value>, ApiError> {
    found(&app, &mut *app.store().read().await?, &caller, &key).await?;
    Ok(Json(json!([])))
}

/// A session as the contract shows it (`AuthenticatedSession`).
fn shown(app: &App, caller: &Caller, session: &Session) -> Value {
    let geo = &app.runner.services().geo;
    // Without a database nothing is known of any address.
    let place = session.last_ip.and_then(|ip| geo.place(ip).ok().flatten());
    let system = session.last_ip.and_then(|ip| geo.system(ip).ok().flatten());
    json!({
        "uuid": key_of(session),
        "current": caller.session == Some(session.id),
        "user_agent": device::parts(&session.last_user_agent),
        "geo_ip": place,
        "asn": system,
        "user": session.user,
        "last_ip": session.last_ip.map(|ip| ip.to_string()).unwrap_or_default(),
        "last_user_agent": session.last_user_agent,
        "last_used": session.last_used,
        "expires": session.expires,
    })
}
