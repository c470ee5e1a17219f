//! API v3, at the paths and in the shapes of the contract.
//!
//! # How to add an endpoint
//! A kind's collection comes with its registration. Records that come about by themselves and are only read and deleted (grants, consents,
//! sessions) are a [`kept::Kept`]. Anything else is a handler in a file here, named after what it does, and a line in [`router`]. Who may call it is decided in its first line: [`crate::auth::Caller`], or a comment on why anybody may.

mod applications;
mod blueprints;
mod brand;
mod certificates;
mod change;
mod collection;
mod config;
mod consents;
mod decisions;
mod flows;
mod grants;
mod kept;
mod mappings;
mod oauth2;
mod outposts;
mod people;
mod policies;
mod route;
mod user_settings;
mod users_me;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::routing::{any, get, post, put};

use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::executor;

/// Everything below `/api/v3/`.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/core/users/me/", get(users_me::get))
        .route("/core/brands/current/", get(brand::current))
        .route("/root/config/", get(config::get))
        .route("/core/applications/", get(applications::list).fallback(collection::serve))
        .route("/core/applications/{slug}/check_access/", get(applications::check_access))
        .route("/crypto/certificatekeypairs/generate/", post(certificates::generate))
        .route("/crypto/certificatekeypairs/{pk}/view_certificate/", get(certificates::view_certificate))
        .route("/crypto/certificatekeypairs/{pk}/view_private_key/", get(certificates::view_private_key))
        .route("/managed/blueprints/", post(blueprints::create).fallback(collection::serve))
        .route("/managed/blueprints/available/", get(blueprints::available))
        .route("/managed/blueprints/import/", post(blueprints::import).layer(DefaultBodyLimit::max(crate::MAX_BODY)))
        .route("/managed/blueprints/{pk}/", put(blueprints::change).patch(blueprints::change).fallback(collection::serve))
        .route("/managed/blueprints/{pk}/apply/", post(blueprints::apply))
        .route("/flows/instances/{slug}/export/", get(blueprints::export_flow))
        .route("/flows/instances/{slug}/diagram/", get(flows::diagram))
        .route("/flows/instances/{slug}/execute/", get(flows::execute))
        .route("/flows/instances/cache_info/", get(flows::cache_info))
        .route("/flows/instances/cache_clear/", post(flows::cache_clear))
        .route("/stages/all/user_settings/", get(user_settings::of_stages))
        .route("/policies/all/{policy_uuid}/test/", post(policies::test))
        .route("/policies/all/cache_info/", get(decisions::cache_info))
        .route("/policies/all/cache_clear/", post(decisions::cache_clear))
        .route("/propertymappings/all/{pk}/test/", post(mappings::test))
        .route("/policies/geoip_iso3166/", get(policies::countries))
        .route("/outposts/proxy/", get(outposts::proxies))
        .route("/outposts/instances/default_settings/", get(outposts::default_settings))
        .route("/outposts/instances/{pk}/health/", get(outposts::health))
        .route("/flows/inspector/{slug}/", get(flows::inspect))
        .route("/flows/executor/{slug}/", get(executor::show).post(executor::answer))
        .merge(oauth2::router())
        .merge(grants::router())
        .merge(kept::routes::<consents::Consents>())
        .merge(people::router())
        .route("/{*path}", any(collection::serve))
        .method_not_allowed_fallback(not_allowed)
}

/// Who may not come in at all is told that first.
async fn not_allowed(caller: Result<Caller, ApiError>, method: Method) -> ApiError {
    caller.err().unwrap_or_else(|| ApiError::Method(method.to_string()))
}
