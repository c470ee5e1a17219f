//! What clients find out by themselves: the discovery document and the keys.

use ak_providers::oauth2::issue::{Client, Failure};
use ak_providers::oauth2::{discovery, jwt, scope};
use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{cors, refused};
use crate::app::App;
use crate::client::Origin;
use crate::extract::Segment;
use crate::view::Look;

/// `GET /application/o/<slug>/.well-known/openid-configuration`.
pub(super) async fn document(State(app): State<App>, Extension(origin): Extension<Origin>, Segment(slug): Segment) -> Response {
    told(&app, &origin, &slug, |client| {
        let snapshot = app.store().snapshot();
        let algorithm = client.signer(&snapshot)?.algorithm();
        let scopes = scope::names(&client.mappings(&snapshot)?);
        Ok(discovery::document(&client.endpoints(&app.base(&origin)), client.provider, algorithm, &scopes))
    })
}

/// `GET /application/o/<slug>/jwks/`: the provider's key (RFC 7517, section 5). Who signs with a secret has none.
pub(super) async fn jwks(State(app): State<App>, Extension(origin): Extension<Origin>, Segment(slug): Segment) -> Response {
    told(&app, &origin, &slug, |client| {
        let snapshot = app.store().snapshot();
        client.signer(&snapshot)?;
        let key = client.provider.signing_key.and_then(|at| snapshot.get(at)).and_then(jwt::jwk);
        Ok(json!({ "keys": key.into_iter().collect::<Vec<_>>() }))
    })
}

fn told(app: &App, origin: &Origin, slug: &str, tell: impl FnOnce(&Client<'_>) -> Result<Value, Failure>) -> Response {
    let snapshot = app.store().snapshot();
    let Some(client) = Client::of_application(&snapshot, slug) else {
        return app.not_found_page(&Look::of(app, origin));
    };
    let response = match tell(&client) {
        Ok(told) => Json(told).into_response(),
        Err(failure) => refused(origin, failure),
    };
    cors::open(response)
}
