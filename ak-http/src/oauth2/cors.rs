//! Which pages of other origins may call (Fetch, section 3.2): those that belong to an application, since its code runs in browsers.

use ak_providers::oauth2::OAuth2Provider;
use ak_providers::oauth2::redirect_uri::{MatchingMode, RedirectUri};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use url::Url;

use crate::app::App;

/// `OPTIONS`: whether a page may call.
pub(super) async fn preflight(State(app): State<App>, headers: HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let all = response.headers_mut();
    all.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
    all.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type"));
    allow(&app, &headers, response)
}

/// Lets the page read the answer, if its origin is that of an address which browsers are led back to.
pub(super) fn allow(app: &App, headers: &HeaderMap, mut response: Response) -> Response {
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = headers.get(header::ORIGIN) else { return response };
    let snapshot = app.store().snapshot();
    let known = origin.to_str().is_ok_and(|origin| snapshot.all::<OAuth2Provider>().any(|(_, provider)| is_of(provider, origin)));
    if known {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
    response
}

fn is_of(provider: &OAuth2Provider, origin: &str) -> bool {
    let same = |uri: &RedirectUri| {
        let url = Url::parse(&uri.url).map(|url| url.origin());
        url.is_ok_and(|url| url.is_tuple() && url.ascii_serialization() == origin)
    };
    provider.redirect_uris.iter().filter(|uri| uri.matching_mode == MatchingMode::Strict).any(same)
}
