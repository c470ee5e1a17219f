//! What handlers take from a request, refused in the shape of the place: the API answers JSON, everything else a page.

use ak_store::model::{Demand, normalise};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequestParts, OriginalUri, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use serde_json::{Map, Value};

use crate::app::App;
use crate::client::Origin;
use crate::error::ApiError;
use crate::executor::is_json;
use crate::view::Look;

/// The parameter of a path. One that is no text names nothing.
pub(crate) struct Segment(pub(crate) String);

impl FromRequestParts<App> for Segment {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let text = <Path<String> as FromRequestParts<App>>::from_request_parts(parts, app).await.map(|Path(text)| Self(text));
        text.map_err(|_| match parts.extensions.get::<Origin>() {
            Some(origin) if !is_api(parts) => app.not_found_page(&Look::of(app, origin)),
            _ => ApiError::NotFound("Not found.".into()).into_response(),
        })
    }
}

/// A place that is reached with and without a parameter.
impl OptionalFromRequestParts<App> for Segment {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Option<Self>, Response> {
        match <Path<String> as OptionalFromRequestParts<App>>::from_request_parts(parts, app).await {
            Ok(text) => Ok(text.map(|Path(text)| Self(text))),
            Err(_) => <Self as FromRequestParts<App>>::from_request_parts(parts, app).await.map(Some),
        }
    }
}

/// Whether the place is one of the API. Within it, the request's own path is only the rest.
fn is_api(parts: &Parts) -> bool {
    parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |uri| &uri.0).path().starts_with("/api/")
}

/// The body of a call that brings a JSON object.
pub(crate) struct JsonObject(pub(crate) Map<String, Value>);

impl FromRequest<App> for JsonObject {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(ApiError::MediaType);
        }
        let body = Bytes::from_request(request, app).await?;
        match serde_json::from_slice(&body).map_err(|error| ApiError::Parse(error.to_string()))? {
            Value::Object(map) => Ok(Self(map)),
            // Said as of any other input that is no object.
            other => Err(normalise(&[], &other, Demand::Nothing).map(|_| ApiError::Internal).unwrap_or_else(ApiError::Invalid)),
        }
    }
}

impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            _ => Self::Parse("the body cannot be read".into()),
        }
    }
}

/// Whether a person goes there: a browser that says what it loads for says that it is a page of its own, and it does not look ahead.
/// The pictures and frames of our own pages count as little as those of others: people choose them too.
pub(crate) fn is_navigation(headers: &HeaderMap) -> bool {
    loads_for(headers, &["document"])
}

/// Whether a person goes there, or a script calls: what the executor takes.
pub(crate) fn is_call(headers: &HeaderMap) -> bool {
    loads_for(headers, &["document", "empty"])
}

fn loads_for(headers: &HeaderMap, destinations: &[&str]) -> bool {
    let ahead = |name: &&str| headers.get(*name).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("prefetch"));
    headers.get("sec-fetch-dest").is_none_or(|dest| destinations.iter().any(|d| dest == d))
        && !["sec-purpose", "purpose", "x-moz"].iter().any(ahead)
}

/// The headers that tell who comes. `HEAD` asks what a page is like and must change nothing: it comes from nobody.
pub(crate) fn visitor(method: &Method, headers: HeaderMap) -> HeaderMap {
    if method == Method::HEAD { HeaderMap::new() } else { headers }
}
