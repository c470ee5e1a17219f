//! Which pages of other origins may call (Fetch, section 3.2): those that belong to an application, since its code runs in browsers. What
//! everybody may read may be read by every page.

use ak_providers::oauth2::OAuth2Provider;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;

/// The headers that pages may send of which a preflight does not ask.
const HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type");
/// The longest list of headers that is taken, in bytes.
const MAX_HEADERS: usize = 512;
const ANYTHING: HeaderValue = HeaderValue::from_static("*");

/// `OPTIONS`: whether a page may call, and with which headers.
pub(super) async fn preflight(State(app): State<App>, headers: HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let all = response.headers_mut();
    all.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
    let asked = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).filter(|asked| known(&app, &headers) && is_list(asked));
    all.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.cloned().unwrap_or(HEADERS));
    all.append(header::VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
    allow(&app, &headers, response)
}

/// `OPTIONS` of what everybody may read.
pub(super) async fn preflight_of_all() -> Response {
    let mut response = open(StatusCode::NO_CONTENT.into_response());
    let all = response.headers_mut();
    all.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, OPTIONS"));
    all.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ANYTHING);
    response
}

/// Lets every page read the answer.
pub(super) fn open(mut response: Response) -> Response {
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANYTHING);
    response
}

/// Lets the page read the answer, if its origin is that of an address which browsers are led back to.
pub(super) fn allow(app: &App, headers: &HeaderMap, mut response: Response) -> Response {
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = headers.get(header::ORIGIN).filter(|_| known(app, headers)) {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
    response
}

/// Whether the page is of the origin of an application.
fn known(app: &App, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()) else { return false };
    let is_of = |provider: &OAuth2Provider| provider.redirect_uris.iter().any(|uri| uri.origin().as_deref() == Some(origin));
    app.store().snapshot().all::<OAuth2Provider>().any(|(_, provider)| is_of(provider))
}

/// Whether it is a list of names of headers (RFC 9110, section 5.1), and not long.
fn is_list(names: &HeaderValue) -> bool {
    let is_token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    let names = names.as_bytes();
    names.len() <= MAX_HEADERS && names.iter().all(|b| is_token(b) || b", ".contains(b))
}
