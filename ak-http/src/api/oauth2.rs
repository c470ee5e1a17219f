//! What OAuth 2.0 clients were given, and what clients of a provider are told.

use std::collections::BTreeMap;

use ak_providers::oauth2::OAuth2Provider;
use ak_providers::oauth2::issue::{AccessData, Client, From, RefreshData};
use ak_store::model::{Errors, Pk, Ref, Space, Target};
use ak_store::records::{Durability, Grant, GrantFilter, GrantKind, Repository, User};
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde_json::{Value, json};

use super::change::record_event;
use super::people::{Include, Params, shown as shown_users};
use crate::app::App;
use crate::auth::Caller;
use crate::client::Origin;
use crate::error::ApiError;
use crate::extract::Segment;

/// The collections of what clients were given.
pub(super) fn router() -> Router<App> {
    let collection = |path: &str, kind: GrantKind| {
        let one = format!("{path}{{key}}/");
        Router::new()
            .route(
                path,
                get(move |State(app): State<App>, caller: Caller, RawQuery(query): RawQuery| list(app, caller, query, kind)),
            )
            .route(
                &one,
                get(move |State(app): State<App>, caller: Caller, Segment(key): Segment| read(app, caller, key, kind))
                    .delete(move |State(app): State<App>, caller: Caller, Segment(key): Segment| delete(app, caller, key, kind)),
            )
            .route(
                &format!("{one}used_by/"),
                get(move |State(app): State<App>, caller: Caller, Segment(key): Segment| used_by(app, caller, key, kind)),
            )
    };
    Router::new()
        .merge(collection("/oauth2/authorization_codes/", GrantKind::Code))
        .merge(collection("/oauth2/access_tokens/", GrantKind::Access))
        .merge(collection("/oauth2/refresh_tokens/", GrantKind::Refresh))
        .route("/providers/oauth2/{pk}/setup_urls/", get(setup_urls))
        .route("/providers/oauth2/{pk}/preview_user/", get(preview_user))
}

fn missing(kind: GrantKind) -> ApiError {
    let name = model(kind).1;
    ApiError::NotFound(format!("No {name} matches the given query."))
}

/// The name of a kind of grant in events, and in words.
fn model(kind: GrantKind) -> (&'static str, &'static str) {
    match kind {
        GrantKind::Code => ("authentik_providers_oauth2.authorizationcode", "AuthorizationCode"),
        GrantKind::Access => ("authentik_providers_oauth2.accesstoken", "AccessToken"),
        GrantKind::Refresh => ("authentik_providers_oauth2.refreshtoken", "RefreshToken"),
        GrantKind::Proxied => ("authentik_providers_proxy.proxysession", "ProxySession"),
    }
}

/// The key of a provider as clients know it.
fn provider_at(number: i64) -> Option<Pk> {
    match <OAuth2Provider as Target>::SPACE {
        Space::Int(space) => u32::try_from(number).ok().map(|number| Pk::of_int(space, number)),
        Space::Uuid => None,
    }
}

/// Grants of a kind. Superusers see all of them, everybody else what stands for herself.
async fn list(app: App, caller: Caller, query: Option<String>, kind: GrantKind) -> Result<Json<Value>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let (provider, user) = (params.number("provider"), params.number("user"));
    params.done()?;
    let own = (!caller.person.is_superuser()).then_some(caller.person.user.pk);
    let nobody = own.is_some() && user.is_some() && user != own;
    // A number that no provider has is found nowhere.
    let provider = provider.map(|number| provider_at(number).map(Pk::uuid).unwrap_or_default());
    let filter = GrantFilter { kind: Some(kind), provider, user: own.or(user) };
    let mut repo = app.store().read().await?;
    let count = if nobody { 0 } else { repo.grants().count(&filter).await? };
    let page = params.page(count)?;
    let grants = if nobody { Vec::new() } else { repo.grants().list(&filter, page).await? };
    let results = shown(&app, &mut *repo, &grants).await?;
    Ok(Json(params.answer(count, &results)))
}

/// The grant that a path names, if the caller may see it.
async fn found(repo: &mut dyn Repository, caller: &Caller, key: &str, kind: GrantKind) -> Result<Grant, ApiError> {
    let pk: i64 = key.parse().map_err(|_| missing(kind))?;
    let grant = repo.grants().lookup(pk).await?.filter(|grant| grant.kind == kind);
    let may = |grant: &Grant| caller.person.is_superuser() || grant.user == caller.person.user.pk;
    grant.filter(may).ok_or_else(|| missing(kind))
}

async fn read(app: App, caller: Caller, key: String, kind: GrantKind) -> Result<Json<Value>, ApiError> {
    let mut repo = app.store().read().await?;
    let grant = found(&mut *repo, &caller, &key, kind).await?;
    let shown = shown(&app, &mut *repo, &[grant]).await?.pop();
    shown.map(Json).ok_or_else(|| missing(kind))
}

async fn delete(app: App, caller: Caller, key: String, kind: GrantKind) -> Result<StatusCode, ApiError> {
    let mut repo = app.store().backend().begin(Durability::Full).await?;
    let grant = found(&mut *repo, &caller, &key, kind).await?;
    repo.grants().delete(grant.pk).await?;
    let (model, name) = model(kind);
    let event = record_event(&app, &caller, "model_deleted", model, &grant.pk.into(), &format!("{name} #{}", grant.pk));
    repo.events().add(&event).await?;
    repo.save().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Nothing refers to a grant.
async fn used_by(app: App, caller: Caller, key: String, kind: GrantKind) -> Result<Json<Value>, ApiError> {
    found(&mut *app.store().read().await?, &caller, &key, kind).await?;
    Ok(Json(json!([])))
}

/// Grants as the contract shows them (`ExpiringBaseGrantModel`, `TokenModel`), in the order given.
async fn shown(app: &App, repo: &mut dyn Repository, grants: &[Grant]) -> Result<Vec<Value>, ApiError> {
    let keys: Vec<i64> = grants.iter().map(|grant| grant.user).collect();
    let users: Vec<User> = repo.users().lookup_many(&keys).await?.into_values().collect();
    let shown = shown_users(app, repo, &users, Include::ALL).await?;
    let users: BTreeMap<i64, Value> = users.iter().map(|user| user.pk).zip(shown).collect();
    let (snapshot, now) = (app.store().snapshot(), app.store().clock().now());
    let people = ak_store::model::People::default();
    let one = |grant: &Grant| {
        let mut value = json!({
            "pk": grant.pk,
            "provider": snapshot.expand(Pk::of_uuid(grant.provider), &people),
            "user": users.get(&grant.user),
            "is_expired": grant.expires <= now,
            "expires": grant.expires,
            "scope": grant.scope.split_whitespace().collect::<Vec<_>>(),
        });
        if let (Value::Object(map), false) = (&mut value, grant.kind == GrantKind::Code) {
            map.insert("id_token".into(), id_token(grant).into());
            map.insert("revoked".into(), grant.ended.is_some().into());
        }
        value
    };
    Ok(grants.iter().map(one).collect())
}

/// What a token tells, as a JSON text.
fn id_token(grant: &Grant) -> String {
    let claims = match grant.kind {
        GrantKind::Refresh => serde_json::from_value::<RefreshData>(grant.data.clone()).map(|data| json!(data.login)),
        _ => serde_json::from_value::<AccessData>(grant.data.clone()).map(|data| json!(data.id_token)),
    };
    claims.unwrap_or_default().to_string()
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
        urls.extend(["issuer", "provider_info", "logout", "jwks", "dcr_registration"].map(|name| (name, Value::Null)));
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
