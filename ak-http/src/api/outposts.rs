//! Outposts beyond their collection: what they are told, and whether they are there.

use ak_providers::oauth2::issue::{Client, Failure};
use ak_providers::oauth2::{discovery, scope};
use ak_providers::outpost::Outpost;
use ak_providers::proxy::ProxyProvider;
use ak_store::model::{Errors, Kind as _, KindInfo, Object, Pk, Ref, Snapshot, WriteError};
use axum::Json;
use axum::extract::{Extension, RawQuery, State};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::collection::{pagination, read_query};
use super::route::Route;
use crate::app::App;
use crate::auth::Caller;
use crate::client::Origin;
use crate::error::ApiError;
use crate::extract::Segment;

/// Whether a change of an outpost may be asked for: but the embedded one, none is left without providers on purpose. That a provider goes which
/// was its only one is no such change.
pub(super) fn check(snapshot: &Snapshot, kind: &KindInfo, at: Option<Pk>, input: &Value) -> Result<(), ApiError> {
    let is_embedded = || Outpost::embedded(snapshot).is_some_and(|(embedded, _)| Some(embedded.pk()) == at);
    let is_empty = input.get("providers").and_then(Value::as_array).is_some_and(Vec::is_empty);
    if kind.meta.model != Outpost::META.model || !is_empty || is_embedded() {
        return Ok(());
    }
    Err(WriteError::Invalid(Errors::field("providers", "This list may not be empty.", "empty")).into())
}

/// `GET …/outposts/instances/default_settings/`: the settings of an outpost where nobody says otherwise. Superusers only.
pub(super) async fn default_settings(caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.superuser()?;
    Ok(Json(json!({ "config": Outpost::default_config() })))
}

/// `GET …/outposts/instances/{uuid}/health/`: the programs that serve an outpost. The embedded one is served by this program; others do not
/// say yet that they are there. Superusers only.
pub(super) async fn health(State(app): State<App>, caller: Caller, Segment(pk): Segment) -> Result<Json<Value>, ApiError> {
    caller.superuser()?;
    let snapshot = app.store().snapshot();
    let at = Uuid::parse_str(&pk).ok().map(|uuid| Ref::<Outpost>::new(Pk::of_uuid(uuid)));
    let at = at
        .filter(|at| snapshot.get(*at).is_some())
        .ok_or_else(|| ApiError::NotFound("No Outpost matches the given query.".into()))?;
    let is_embedded = Outpost::embedded(&snapshot).is_some_and(|(embedded, _)| embedded == at);
    let here = is_embedded.then(|| {
        let version = env!("CARGO_PKG_VERSION");
        json!({
            "uid": app.store().install_id(), "last_seen": app.store().clock().now(), "version": version, "version_should": version,
            "version_outdated": false, "golang_version": "", "openssl_enabled": false, "openssl_version": "", "fips_enabled": null,
            "build_hash": "", "build_hash_should": "", "hostname": "",
        })
    });
    Ok(Json(here.into_iter().collect()))
}

/// `GET …/outposts/proxy/`: what outposts of the type proxy are told of their providers, secrets included. Superusers only.
pub(super) async fn proxies(
    State(app): State<App>,
    caller: Caller,
    Extension(origin): Extension<Origin>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    caller.superuser()?;
    let query = read_query(&query.unwrap_or_default())?;
    let snapshot = app.store().snapshot();
    let route = Route::of(snapshot.registry(), ProxyProvider::META.path).ok_or(ApiError::Internal)?;
    let client = |object: &Object| Client::of(&snapshot, Ref::new(object.pk));
    let found =
        snapshot.list_where(&route.kinds(), &query, |object| client(object).is_some()).map_err(super::collection::bad_query)?;
    let base = app.base(&origin);
    let mut results = Vec::new();
    for object in &found.objects {
        let (Some(client), Some(provider)) = (client(object), snapshot.view::<ProxyProvider>(object)) else { continue };
        let told = told(&snapshot, &client, provider, &base).map_err(|failure| {
            tracing::error!(%failure, "an outpost cannot be told of a provider");
            ApiError::Internal
        })?;
        results.push(told);
    }
    Ok(Json(json!({ "pagination": pagination(&query, found.count), "results": results, "autocomplete": {} })))
}

/// The part of a discovery document that outposts are told (`OpenIDConnectConfiguration`).
const CONFIGURATION: [&str; 11] = [
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "end_session_endpoint",
    "introspection_endpoint",
    "jwks_uri",
    "response_types_supported",
    "id_token_signing_alg_values_supported",
    "subject_types_supported",
    "token_endpoint_auth_methods_supported",
];

/// What an outpost is told of a provider (`ProxyOutpostConfig`).
fn told(snapshot: &Snapshot, client: &Client<'_>, provider: &ProxyProvider, base: &str) -> Result<Value, Failure> {
    let scopes = scope::names(&client.mappings(snapshot)?);
    let document = discovery::document(&client.endpoints(base), client.provider, client.signer(snapshot)?.algorithm(), &scopes);
    let configuration: Map<String, Value> =
        CONFIGURATION.iter().filter_map(|name| Some(((*name).to_owned(), document.get(*name)?.clone()))).collect();
    let validity = provider.access_token_validity.duration().num_milliseconds();
    Ok(json!({
        "pk": client.at.pk().value(),
        "name": provider.base.name,
        "internal_host": provider.internal_host,
        "external_host": provider.external_host,
        "internal_host_ssl_validation": provider.internal_host_ssl_validation,
        "client_id": provider.client_id,
        "client_secret": provider.client_secret.reveal(),
        "oidc_configuration": configuration,
        "cookie_secret": provider.cookie_secret.reveal(),
        "certificate": provider.certificate,
        "skip_path_regex": provider.skip_path_regex,
        "basic_auth_enabled": provider.basic_auth_enabled,
        "basic_auth_password_attribute": provider.basic_auth_password_attribute,
        "basic_auth_user_attribute": provider.basic_auth_user_attribute,
        "mode": provider.mode,
        "cookie_domain": provider.cookie_domain,
        "access_token_validity": std::time::Duration::from_millis(u64::try_from(validity).unwrap_or(0)).as_secs_f64(),
        "intercept_header_auth": provider.intercept_header_auth,
        "scopes_to_request": provider.scopes_to_request(scopes),
        "assigned_application_slug": client.application.slug,
        "assigned_application_name": client.application.name,
    }))
}
