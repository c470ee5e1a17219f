//! What is told of an OAuth 2.0 client besides its collection: its addresses, and what its tokens would say.

use std::collections::BTreeMap;

use ak_providers::oauth2::OAuth2Provider;
use ak_providers::oauth2::issue::{Client, From};
use ak_store::model::{Errors, Pk, Ref, Space, Target};
use axum::extract::{RawQuery, State};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde_json::{Value, json};

use super::people::Params;
use crate::app::App;
use crate::auth::Caller;
use crate::client::Origin;
use crate::error::ApiError;
use crate::extract::Segment;

/// Beside the collection of clients.
pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/providers/oauth2/{pk}/setup_urls/", get(setup_urls))
        .route("/providers/oauth2/{pk}/preview_user/", get(preview_user))
}

/// The key of a provider as clients know it.
pub(super) fn provider_at(number: i64) -> Option<Pk> {
    match <OAuth2Provider as Target>::SPACE {
        Space::Int(space) => u32::try_from(number).ok().map(|number| Pk::of_int(space, number)),
        Space::Uuid => None,
    }
}

fn provider(key: &str) -> Result<Ref<OAuth2Provider>, ApiError> {
    let at = key.parse().ok().and_then(provider_at);
    at.map(Ref::new).ok_or_else(|| ApiError::NotFound("No OAuth2/OpenIDProvider matches the given query.".into()))
}

/// `GET /api/v3/providers/oauth2/{id}/setup_urls/`: the addresses that a client is configured with. Superusers only.
async fn setup_urls(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    caller: Caller,
    Segment(key): Segment,
) -> Result<Json<Value>, ApiError> {
    caller.superuser()?;
    let snapshot = app.store().snapshot();
    let at = provider(&key)?;
    if snapshot.get(at).is_none() {
        return Err(ApiError::NotFound("No OAuth2/OpenIDProvider matches the given query.".into()));
    }
    let base = app.base(&origin);
    // Without an application a client has no endpoints of its own.
    let Some(client) = Client::of(&snapshot, Ref::new(at.pk())) else {
        let shared = ak_providers::oauth2::discovery::Endpoints::new(&base, "-");
        let names = [("authorize", "authorize"), ("token", "token"), ("user_info", "userinfo")];
        let mut urls: BTreeMap<&str, Value> = names.iter().map(|(name, path)| (*name, shared.shared(path).into())).collect();
        urls.extend(["issuer", "provider_info", "logout", "jwks"].map(|name| (name, "".into())));
        urls.insert("dcr_registration", Value::Null);
        return Ok(Json(json!(urls)));
    };
    let endpoints = client.endpoints(&base);
    Ok(Json(json!({
        "issuer": client.issuer(&base),
        "authorize": endpoints.shared("authorize"),
        "token": endpoints.shared("token"),
        "user_info": endpoints.shared("userinfo"),
        "provider_info": endpoints.own(".well-known/openid-configuration"),
        "logout": endpoints.own("end-session/"),
        "jwks": endpoints.own("jwks/"),
        "dcr_registration": null,
    })))
}

/// `GET /api/v3/providers/oauth2/{id}/preview_user/`: what an ID token with every scope of the provider would tell of the caller, or of
/// the account `for_user`. Superusers only.
async fn preview_user(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    caller: Caller,
    Segment(key): Segment,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let caller = caller.superuser()?;
    let mut params = Params::of(query.as_deref())?;
    let for_user = params.number("for_user");
    params.done()?;
    let person = match for_user {
        None => caller.person,
        Some(pk) => {
            let person = app.runner.directory().person(pk).await?;
            person.ok_or_else(|| ApiError::Invalid(Errors::field("for_user", "User not found", "invalid")))?
        }
    };
    let at = provider(&key)?;
    let from = From { ip: caller.ip, base: app.base(&origin), http: None };
    let told = app.issuer.preview(at, &person, &from).await.map_err(|failure| match failure {
        ak_providers::oauth2::issue::Failure::Store(error) => error.into(),
        other => ApiError::Invalid(Errors::whole(other.to_string(), "invalid")),
    })?;
    let told = told.ok_or_else(|| ApiError::NotFound("No OAuth2/OpenIDProvider matches the given query.".into()))?;
    Ok(Json(json!({ "preview": told })))
}
