//! What clients call themselves: token, userinfo, introspection, revocation.

use ak_providers::oauth2::error::{Code, ProtocolError};
use ak_providers::oauth2::params::Params;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{cors, form, private, refused};
use crate::app::App;
use crate::client::Origin;

fn authorization(headers: &HeaderMap) -> Option<&str> {
    // What is no text is no credential, and must not count as none.
    headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or("Basic -"))
}

/// `POST /application/o/token/`.
pub(super) async fn token(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let from = app.client_from(&origin, "POST", "/application/o/token/");
    let given = async { app.issuer.token(&form(&headers, body)?, authorization(&headers), &from).await };
    let response = match given.await {
        Ok(tokens) => private(Json(tokens).into_response()),
        Err(failure) => refused(&origin, failure),
    };
    cors::allow(&app, &headers, response)
}

/// `GET` and `POST /application/o/userinfo/`.
pub(super) async fn userinfo(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    method: Method,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let from = app.client_from(&origin, method.as_str(), "/application/o/userinfo/");
    let told = async {
        match bearer(&method, &headers, body)? {
            Some(token) => app.issuer.userinfo(&token, &from).await.map(Some),
            None => Ok(None),
        }
    };
    let response = match told.await {
        Ok(None) => nameless(),
        Ok(Some(claims)) => private(Json(claims).into_response()),
        Err(failure) => refused(&origin, failure),
    };
    cors::allow(&app, &headers, response)
}

/// What a client is told that brings no token at all: how it is brought, and nothing of errors (RFC 6750, section 3.1).
fn nameless() -> Response {
    private((StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response())
}

/// The access token of a request: in the header, or in the form of a POST, and not in both (RFC 6750, section 2). In an address it would
/// stay behind in logs, so it is not looked for there.
fn bearer(method: &Method, headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Option<String>, ProtocolError> {
    let token = authorization(headers).and_then(|value| value.split_once(' '));
    let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim().to_owned());
    let token = token.filter(|token| !token.is_empty());
    // A body that is no form holds no token.
    let params = if method == Method::POST { form(headers, body).unwrap_or_default() } else { Params::default() };
    match token {
        Some(_) if params.has("access_token") => {
            Err(ProtocolError::new(Code::InvalidRequest, "The access token is brought in two ways."))
        }
        Some(token) => Ok(Some(token)),
        None if params.check_single().is_err() => {
            Err(ProtocolError::new(Code::InvalidRequest, "A parameter is there more than once."))
        }
        None => Ok(params.get("access_token").map(str::to_owned)),
    }
}

/// `POST /application/o/introspect/`.
pub(super) async fn introspect(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let told = async { app.issuer.introspect(&form(&headers, body)?, authorization(&headers)).await };
    match told.await {
        Ok(told) => private(Json(told).into_response()),
        Err(failure) => refused(&origin, failure),
    }
}

/// `POST /application/o/revoke/`.
pub(super) async fn revoke(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let revoked = async { app.issuer.revoke(&form(&headers, body)?, authorization(&headers)).await };
    let response = match revoked.await {
        Ok(()) => private(StatusCode::OK.into_response()),
        Err(failure) => refused(&origin, failure),
    };
    cors::allow(&app, &headers, response)
}
