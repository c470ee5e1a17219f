//! The endpoints of OAuth 2.0 and OpenID Connect: `/application/o/…`.
//!
//! What is asked and answered is `ak_providers`' business; here it comes in and goes out.

mod authorize;
mod cors;
mod end_session;
mod metadata;
mod token;

use std::collections::BTreeMap;
use std::sync::Arc;

use ak_flows::Brand;
use ak_policy::HttpRequest;
use ak_providers::oauth2::error::{Code, ProtocolError};
use ak_providers::oauth2::issue::{Failure, From};
use ak_providers::oauth2::params::Params;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use crate::app::App;
use crate::client::Origin;
use crate::error::ApiError;

/// The authorization endpoint.
pub(crate) const AUTHORIZE: &str = "/application/o/authorize/";

/// Everything below `/application/o/`.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/authorize/", get(authorize::show).post(authorize::submit))
        .route("/token/", post(token::token).options(cors::preflight))
        .route("/userinfo/", get(token::userinfo).post(token::userinfo).options(cors::preflight))
        .route("/introspect/", post(token::introspect))
        .route("/revoke/", post(token::revoke).options(cors::preflight))
        .route("/{slug}/.well-known/openid-configuration", get(metadata::document).options(cors::preflight_of_all))
        .route("/{slug}/jwks/", get(metadata::jwks).options(cors::preflight_of_all))
        .route("/{slug}/end-session/", get(end_session::show).post(end_session::submit))
}

impl Origin {
    /// The request as policies see it, sent to this place.
    pub(crate) fn seen_as(&self, scheme: &str, host: &str, method: &str, path: &str) -> HttpRequest {
        HttpRequest {
            method: method.to_owned(),
            scheme: scheme.to_owned(),
            host: host.to_owned(),
            path: path.to_owned(),
            query: BTreeMap::new(),
            headers: [("user-agent".to_owned(), self.user_agent.clone())].into(),
        }
    }
}

impl App {
    /// `https://id.example`: what addresses of this installation begin with that are told to others. The host that was asked for counts
    /// where an administrator has named it; else the address that the settings name, if they do.
    pub(crate) fn base(&self, origin: &Origin) -> String {
        if Brand::named(&self.store().snapshot(), origin.host_name()).is_some() {
            return origin.base();
        }
        self.options.base_url.as_deref().map_or_else(|| origin.base(), |base| base.trim_end_matches('/').to_owned())
    }

    /// Where a client's request comes from.
    fn client_from(&self, origin: &Origin, method: &str, path: &str) -> From {
        let http = origin.seen_as(origin.scheme, &origin.host, method, path);
        From { ip: origin.ip, base: self.base(origin), http: Some(Arc::new(http)) }
    }
}

/// The parameters of a body: a form (RFC 6749, appendix B).
fn form(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Params, ProtocolError> {
    let wrong = |description| ProtocolError::new(Code::InvalidRequest, description);
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(wrong("The body is no form."));
    }
    let body = body.map_err(|_| wrong("The body cannot be read."))?;
    let text = std::str::from_utf8(&body).map_err(|_| wrong("The body is no text."))?;
    Params::parse(text).map_err(|_| wrong("The request is too long."))
}

/// An answer that nobody keeps (RFC 6749, section 5.1).
fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// What a client is told that is not given what it asks for (RFC 6749, section 5.2; RFC 6750, section 3).
fn refused(origin: &Origin, failure: Failure) -> Response {
    let error = match failure {
        Failure::Protocol(error) => error,
        Failure::Store(error) => told_of(&error.into()),
        Failure::Broken(why) | Failure::Undecided(why) => {
            tracing::error!(request_id = origin.request_id, why, "a client was not answered");
            ProtocolError::new(Code::ServerError, "Something is wrong with the configuration; the log has more.")
        }
    };
    let status = match error.code {
        Code::InvalidClient | Code::InvalidToken => StatusCode::UNAUTHORIZED,
        Code::InsufficientScope => StatusCode::FORBIDDEN,
        Code::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        Code::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    tracing::info!(request_id = origin.request_id, %error, "a client was refused");
    let (code, description) = (error.code.as_str(), error.description);
    let challenge = match error.code {
        Code::InvalidClient => Some("Basic realm=\"OAuth\"".to_owned()),
        Code::InvalidToken | Code::InsufficientScope => {
            Some(format!("Bearer error=\"{code}\", error_description=\"{description}\""))
        }
        _ => None,
    };
    let mut response = (status, Json(json!({ "error": code, "error_description": description }))).into_response();
    if let Some(challenge) = challenge.and_then(|challenge| HeaderValue::from_str(&challenge).ok()) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    if error.code == Code::TemporarilyUnavailable {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    private(response)
}

/// What a client is told of a failure that is none of its business.
fn told_of(error: &ApiError) -> ProtocolError {
    match error {
        ApiError::Busy | ApiError::Full | ApiError::Unavailable => {
            ProtocolError::new(Code::TemporarilyUnavailable, "The server cannot answer now; please try again in a moment.")
        }
        _ => ProtocolError::new(Code::ServerError, "Something is broken here; the log has more."),
    }
}
