//! Flows over JSON: `/api/v3/flows/executor/<slug>/`.

use ak_flows::{Answer, Challenge, Flow, Input, Outcome, Page, RunError, StageError, Visit};
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, OriginalUri, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::app::App;
use crate::client::Origin;
use crate::error::ApiError;
use crate::extract::{Segment, is_call, visitor};
use crate::flow_pages::parameter;

/// `GET /api/v3/flows/executor/<slug>/?query=<query of the page>`: the challenge at which the person stands.
pub(crate) async fn show(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    Segment(slug): Segment,
    RawQuery(query): RawQuery,
    OriginalUri(uri): OriginalUri,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if origin.is_cross_site(&headers) || !is_call(&headers) {
        return Err(ApiError::Forbidden);
    }
    let headers = visitor(&method, headers);
    let here = uri.path_and_query().map_or("/", |p| p.as_str());
    run(&app, &origin, &slug, query.as_deref(), here, &headers, None).await
}

/// `POST /api/v3/flows/executor/<slug>/?query=…`: her answer. Taken, it leads back to the same address, where the next challenge is;
/// the last one is answered at once.
pub(crate) async fn answer(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    Segment(slug): Segment,
    RawQuery(query): RawQuery,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    if origin.is_cross_site(&headers) {
        return Err(ApiError::Forbidden);
    }
    let answer = parse(&headers, &body?)?;
    let here = uri.path_and_query().map_or("/", |p| p.as_str());
    run(&app, &origin, &slug, query.as_deref(), here, &headers, Some(answer)).await
}

/// Reads an answer: `application/json`, an object.
fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Answer, ApiError> {
    if !is_json(headers) {
        return Err(ApiError::MediaType);
    }
    parse_answer(body)
}

/// Reads the body of an answer. Fuzzed: whatever comes, it is an answer or a 400.
pub fn parse_answer(body: &[u8]) -> Result<Answer, ApiError> {
    let value: Value = serde_json::from_slice(body).map_err(|e| ApiError::Parse(e.to_string()))?;
    let Value::Object(mut fields) = value else {
        return Err(ApiError::Parse("an object is expected".into()));
    };
    let component = match fields.remove("component") {
        None | Some(Value::Null) => None,
        Some(Value::String(component)) => Some(component),
        Some(_) => return Err(ApiError::Parse("the component is not a text".into())),
    };
    Ok(Answer { component, fields })
}

/// Whether a body says that it is JSON. Forms of other sites cannot say so.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("application/json")
}

async fn run(
    app: &App,
    origin: &Origin,
    slug: &str,
    query: Option<&str>,
    here: &str,
    headers: &HeaderMap,
    answer: Option<Answer>,
) -> Result<Response, ApiError> {
    let visit = app.visit(headers, origin).await?;
    // The query of the page that drives the executor is wrapped in the executor's own.
    let inner = query.and_then(|q| parameter(q, "query")).unwrap_or_default();
    let of_page = |name: &str| parameter(inner.trim_start_matches('?'), name);
    let answered = answer.is_some();
    let input = Input { answer, turn: None, next: of_page("next"), code: of_page("code"), login_hint: of_page("login_hint") };
    let outcome = match app.runner.run(&visit, slug, input).await {
        Err(RunError::Stage(StageError::Failed(why))) => return Ok(flow_error(origin, &visit, &why)),
        other => other?,
    };
    app.learn_installation(origin, &outcome.cookie).await;
    let mut response = reply(app, origin, slug, here, &outcome, answered);
    app.set_cookie(&mut response, origin, &outcome.cookie)?;
    Ok(response)
}

fn reply(app: &App, origin: &Origin, slug: &str, here: &str, outcome: &Outcome, answered: bool) -> Response {
    let snapshot = app.store().snapshot();
    let info = snapshot.by::<Flow>("slug", slug).map(|(_, flow)| app.runner.flow_info(&snapshot, flow, origin.host_name()));
    match &outcome.page {
        Page::Challenge(challenge, false) if answered && challenge.errors.0.is_empty() => match HeaderValue::from_str(here) {
            Ok(location) => (StatusCode::FOUND, [(header::LOCATION, location)]).into_response(),
            Err(_) => ApiError::Internal.into_response(),
        },
        Page::Challenge(challenge, _) => json(challenge.value(&info.unwrap_or_default())),
        Page::Redirect(to) => json(Challenge::new("xak-flow-redirect").with("to", to.as_str()).value(&info.unwrap_or_default())),
    }
}

fn json(value: Value) -> Response {
    ([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(value)).into_response()
}

/// A stage failed: everybody gets the id to ask an administrator about; administrators get the reason.
fn flow_error(origin: &Origin, visit: &Visit, why: &str) -> Response {
    tracing::error!(request_id = origin.request_id, why, "a stage failed");
    let mut challenge = Challenge::new("ak-stage-flow-error").with("request_id", origin.request_id.as_str());
    let debug = |p: &ak_store::directory::Person| p.user.attributes.get("goauthentik.io/user/debug") == Some(&json!(true));
    if visit.person.as_ref().is_some_and(|p| p.is_superuser() || debug(p)) {
        challenge = challenge.with("error", why).with("traceback", why);
    }
    json(challenge.value(&Value::Null))
}
