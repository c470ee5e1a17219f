//! Over the wire: flow pages, API v3, and the layers that tell who comes.
//!
//! [`App`] is what handlers share; [`App::router`] is everything it serves, ready to be mounted in another axum program; [`server`]
//! runs it on sockets of its own. Handlers are short: they take what came in, call a lower room, and map the answer.
//!
//! - `flow_pages` and `executor`: the same flows for people and for programs
//! - `oauth2`: the endpoints of OAuth 2.0 and OpenID Connect
//! - `proxy`: what reverse proxies ask about the applications behind them
//! - `api`: API v3; collections come from the registry of kinds
//! - `client`, `session`, `auth`: where a request comes from, and who is behind it
//! - [`pages`]: HTML, CSS and the few scripts
//! - `extract`: what handlers take from a request
//! - `error`: the one map from errors to statuses
//!
//! # Linking it in
//! `examples/embed.rs` mounts the router in another program, guards a route of that program, and adds a stage of its own.

mod api;
mod app;
mod assets;
mod auth;
mod client;
mod device;
mod error;
mod executor;
mod extract;
mod flow_pages;
mod form;
mod health;
mod interfaces;
mod metrics;
mod oauth2;
pub mod pages;
mod proxy;
mod recovery;
mod seal;
pub mod server;
mod session;
mod tls;
mod view;

pub use app::{App, AppParts, HttpOptions};
pub use auth::{Caller, Guard, SignedIn, guard};
pub use client::{Origin, OverTls};
pub use error::ApiError;
pub use executor::parse_answer;
pub use session::{COOKIE, CSRF_COOKIE};

use std::sync::Arc;

use ak_flows::blueprint::Engine;
use ak_policy::outbound::Outbound;
use ak_policy::script::{Name, Names as _, PolicyNames};
use ak_providers::oauth2::backchannel::{self, BackchannelLogout};
use ak_store::directory::password::PasswordHasher;
use ak_store::model::{Registry, Store};
use ak_store::tasks::Handlers;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Extension, State};
use axum::http::{Method, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

/// The longest body that is read, in bytes.
pub const MAX_BODY: usize = 1024 * 1024;

/// Every kind of the product.
#[must_use]
pub fn kinds(registry: Registry) -> Registry {
    ak_providers::kinds(ak_flows::kinds(ak_policy::kinds(registry)))
}

/// The sorts of scripts that administrators write, and the variables of each.
pub fn scripts() -> [(&'static str, &'static [Name]); 3] {
    [
        ("policies", PolicyNames::NAMES),
        ("prompts", ak_flows::stages::PromptNames::NAMES),
        ("scope mappings", ak_providers::oauth2::ScopeNames::NAMES),
    ]
}

/// What does the tasks of every room.
pub fn handlers(store: &Arc<Store>, outbound: Arc<dyn Outbound>) -> Handlers {
    let mut handlers = Handlers::new();
    handlers.register(backchannel::TASK, BackchannelLogout::new(store.clone(), outbound));
    handlers
}

/// What applies blueprints: those of every room are known.
pub fn blueprints(store: Arc<Store>, hasher: PasswordHasher) -> Engine {
    Engine::standard(store, hasher).with_shipped(ak_providers::SHIPPED)
}

impl App {
    /// Everything that the product serves.
    pub fn router(&self) -> Router {
        let router = Router::new()
            .route("/", get(interfaces::root))
            .route("/if/user/", get(interfaces::user))
            .route("/if/flow/{slug}/", get(flow_pages::show).post(flow_pages::answer))
            .route("/flows/-/default/{designation}/", get(interfaces::default_flow))
            .route("/flows/-/cancel/", get(interfaces::cancel))
            .route("/flows/-/configure/{stage}/", get(interfaces::configure))
            .route("/recovery/use-token/", get(recovery::show).post(recovery::spend))
            .route("/recovery/use-token/{key}/", get(recovery::show).post(recovery::spend))
            .nest("/application/o", oauth2::router())
            .nest("/outpost.goauthentik.io", proxy::router())
            .nest("/api/v3", api::router())
            .route("/static/{*path}", get(assets::file))
            .route("/-/brand/{file}", get(assets::brand))
            .route("/-/brand/{id}/custom.css", get(assets::custom))
            .route("/-/health/live/", get(health::live))
            .route("/-/health/ready/", get(health::ready))
            .route("/metrics", get(health::metrics))
            .method_not_allowed_fallback(not_allowed)
            .fallback(not_found)
            .with_state(self.clone());
        self.layer(router)
    }

    /// The layers that every route needs: the origin of the request, its id, a limit on bodies, and a page instead of a panic.
    /// A program that links ak in puts its own guarded routes through here.
    pub fn layer(&self, router: Router) -> Router {
        router
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .layer(RequestBodyTimeoutLayer::new(server::PATIENCE))
            .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
                tracing::error!("a handler panicked");
                ApiError::Internal.into_response()
            }))
            .layer(from_fn_with_state(self.clone(), client::identify))
    }
}

/// There is nothing here; with a slash at the end, there may be.
async fn not_found(State(app): State<App>, Extension(origin): Extension<Origin>, method: Method, uri: Uri) -> Response {
    let path = uri.path();
    if path.starts_with("/api/") {
        return ApiError::NotFound("Not found.".into()).into_response();
    }
    let ours = ["/if/", "/flows/", "/recovery/", "/application/", "/-/"].iter().any(|base| path.starts_with(base));
    if ours && !path.ends_with('/') && matches!(method, Method::GET | Method::HEAD) {
        let query = uri.query().map(|q| format!("?{q}")).unwrap_or_default();
        return flow_pages::see_other(&format!("{path}/{query}"));
    }
    app.not_found_page(&view::Look::of(&app, &origin))
}

async fn not_allowed(State(app): State<App>, Extension(origin): Extension<Origin>) -> Response {
    let message = "This address does not take what was sent to it.";
    let error = pages::ErrorView { status: 405, heading: "Not possible here", message, retry_url: "", home_url: "/" };
    app.error_page(&view::Look::of(&app, &origin), &error)
}
