//! `core/authenticated_sessions/`: where people are signed in. Superusers see all of them, everybody else her own.

use std::net::IpAddr;

use ak_store::records::{Durability, Repository, Session, SessionFilter};
use async_trait::async_trait;
use axum::Json;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::routing::delete as delete_route;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::change::record_event;
use super::super::kept::{Kept, routes};
use super::params::Params;
use crate::app::App;
use crate::auth::Caller;
use crate::device;
use crate::error::ApiError;

/// The routes of the collection.
pub(super) fn router() -> Router<App> {
    routes::<Sessions>().route("/core/authenticated_sessions/bulk_delete/", delete_route(bulk_delete))
}

/// Where people are signed in.
struct Sessions;

/// What the API calls a session by: the first half of its id. The id itself, by which cookies are found, is not told.
fn key_of(session: &Session) -> Uuid {
    let (half, _) = session.id.split_at(16);
    Uuid::from_slice(half).unwrap_or_default()
}

#[async_trait]
impl Kept for Sessions {
    type Record = Session;

    const MODEL: &'static str = "authentik_core.authenticatedsession";
    const PATH: &'static str = "/core/authenticated_sessions/";
    const NAME: &'static str = "AuthenticatedSession";

    fn owner(session: &Session) -> Option<i64> {
        session.user
    }

    async fn find(app: &App, repo: &mut dyn Repository, name: &str) -> Result<Option<Session>, ApiError> {
        let Ok(key) = Uuid::parse_str(name) else { return Ok(None) };
        let found = repo.sessions().find_by_half(key.as_bytes(), app.store().clock().now()).await?;
        Ok(found.filter(|session| session.user.is_some()))
    }

    async fn list(
        app: &App,
        repo: &mut dyn Repository,
        own: Option<i64>,
        params: &mut Params,
    ) -> Result<(u64, Vec<Session>), ApiError> {
        let last_ip = params.text("session__last_ip").map(|ip| ip.parse::<IpAddr>());
        let last_user_agent = params.text("session__last_user_agent");
        let username = params.text("user__username");
        params.done()?;
        let named = match &username {
            Some(name) => repo.users().find_by_username(name).await?.map(|user| user.pk),
            None => None,
        };
        let user = own.or(named);
        // What nobody is called, and what is no address, is found nowhere; neither is what is not one's own.
        if matches!(last_ip, Some(Err(_))) || (username.is_some() && (named.is_none() || named != user)) {
            return Ok((0, Vec::new()));
        }
        let filter = SessionFilter {
            user,
            valid_at: Some(app.store().clock().now()),
            signed_in: true,
            last_ip: last_ip.and_then(Result::ok),
            last_user_agent,
        };
        let count = repo.sessions().count(&filter).await?;
        Ok((count, repo.sessions().list(&filter, params.page(count)?).await?))
    }

    async fn shown(app: &App, _: &mut dyn Repository, caller: &Caller, sessions: &[Session]) -> Result<Vec<Value>, ApiError> {
        Ok(sessions.iter().map(|session| shown(app, caller, session)).collect())
    }

    /// The applications that were signed in to in it are told.
    async fn delete(repo: &mut dyn Repository, session: &Session) -> Result<(), ApiError> {
        repo.sessions().delete(&session.id).await?;
        Ok(())
    }

    fn label(session: &Session) -> (Value, String) {
        (json!(key_of(session)), "Authenticated Session".to_owned())
    }
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
            let event = record_event(&app, &caller, "model_deleted", Sessions::MODEL, &json!(user), "Authenticated Sessions");
            repo.events().add(&event).await?;
        }
        deleted += ended;
    }
    repo.save().await?;
    app.store().waker().wake();
    Ok(Json(json!({ "deleted": deleted })))
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
