//! Flows as HTML pages: `/if/flow/<slug>/`.

use ak_flows::{Answer, Flow, Input, Outcome, Page as FlowPage, RunError, StageError, Visit};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use crate::app::App;
use crate::client::Origin;
use crate::error::ApiError;
use crate::extract::{Segment, is_navigation, visitor};
use crate::pages::{FlowForm, headers};
use crate::view::{Look, html};

/// The parameter that tells the step in the address bar. It is for people and password managers; nothing is read from it.
const STEP: &str = "step";

/// `GET /if/flow/<slug>/`: where the person stands.
pub(crate) async fn show(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    Segment(slug): Segment,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let place = Place { app: &app, origin: &origin, slug: &slug, query: query.unwrap_or_default() };
    // A picture or a frame on another page must not begin or go on with a flow (a sign-out, say): only a person who goes there.
    if !is_navigation(&headers) {
        return ApiError::Forbidden.into_response();
    }
    place.run(&visitor(&method, headers), None, None).await
}

/// `POST /if/flow/<slug>/`: her answer.
pub(crate) async fn answer(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    Segment(slug): Segment,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let place = Place { app: &app, origin: &origin, slug: &slug, query: query.unwrap_or_default() };
    // The session's cookie does not come along with a POST from another site: taking the answer would put a new session in the
    // place of a good one. The page itself is shown instead.
    if origin.is_cross_site(&headers) {
        return place.see_page(None);
    }
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return place.bad_request(rejection.status()),
    };
    let form = match crate::form::fields(&headers, body).await {
        Ok(form) => form,
        Err(status) => return place.bad_request(status),
    };
    let mut fields = Map::new();
    let (mut csrf, mut turn, mut component) = (String::new(), None, None);
    for (name, value) in form {
        match name.as_str() {
            "csrf" => csrf = value,
            "turn" => turn = value.parse::<i64>().ok(),
            "component" => component = Some(value),
            _ => drop(fields.insert(name, Value::String(value))),
        }
    }
    let Some(turn) = turn else { return place.see_page(None) };
    place.run(&headers, Some((Answer { component, fields }, turn)), Some(&csrf)).await
}

/// The page of what came of a flow that another place has run.
pub(crate) fn page_of(app: &App, origin: &Origin, slug: &str, visit: &Visit, outcome: &Outcome) -> Response {
    Place { app, origin, slug, query: String::new() }.page(visit, outcome, false)
}

/// What a flow that another place has run failed with.
pub(crate) fn page_of_failure(app: &App, origin: &Origin, slug: &str, error: RunError) -> Response {
    Place { app, origin, slug, query: String::new() }.failed(error)
}

struct Place<'a> {
    app: &'a App,
    origin: &'a Origin,
    slug: &'a str,
    query: String,
}

impl Place<'_> {
    async fn run(&self, headers: &HeaderMap, answer: Option<(Answer, i64)>, csrf: Option<&str>) -> Response {
        match self.try_run(headers, answer, csrf).await {
            Ok(response) => response,
            Err(error) => self.failed(error),
        }
    }

    async fn try_run(
        &self,
        headers: &HeaderMap,
        answer: Option<(Answer, i64)>,
        csrf: Option<&str>,
    ) -> Result<Response, RunError> {
        let visit = self.app.visit(headers, self.origin).await?;
        let (answer, turn) = answer.map_or((None, None), |(answer, turn)| (Some(answer), Some(turn)));
        if let (Some(csrf), Some(turn)) = (csrf, turn) {
            // A form of another session or turn: show where this one stands.
            let session = visit.session.as_ref().map(|s| &s.id);
            if !self.app.seal.is_token(csrf, &["flow", self.slug, &turn.to_string()], session) {
                return Ok(self.see_page(None));
            }
        }
        let answered = answer.is_some();
        let of_page = |name: &str| parameter(&self.query, name);
        let input = Input { answer, turn, next: of_page("next"), code: of_page("code"), login_hint: of_page("login_hint") };
        let outcome = self.app.runner.run(&visit, self.slug, input).await?;
        self.app.learn_installation(self.origin, &outcome.cookie).await;
        let mut response = self.page(&visit, &outcome, answered);
        self.app.set_cookie(&mut response, self.origin, &outcome.cookie)?;
        Ok(response)
    }

    fn page(&self, visit: &Visit, outcome: &Outcome, answered: bool) -> Response {
        let (challenge, ended) = match &outcome.page {
            FlowPage::Redirect(to) => return see_other(to),
            FlowPage::Challenge(challenge, ended) => (challenge, *ended),
        };
        // After an answer the next step gets an address of its own, so that going back and reloading ask nothing twice.
        if answered && !ended && challenge.errors.0.is_empty() {
            return self.see_page(Some(challenge.component.trim_start_matches("ak-stage-")));
        }
        let look = Look::of(self.app, self.origin);
        let snapshot = self.app.store().snapshot();
        let flow = snapshot.by::<Flow>("slug", self.slug).map(|(_, flow)| flow);
        let info = flow.map(|flow| self.app.runner.flow_info(&snapshot, flow, self.origin.host_name()));
        let csrf = self.app.seal.token(&["flow", self.slug, &outcome.turn.to_string()], outcome.session.as_ref());
        let cancel = self.cancel_url();
        let action = self.address(None);
        let form = FlowForm {
            action: &action,
            turn: u64::try_from(outcome.turn).unwrap_or(0),
            csrf: &csrf,
            cancel_url: &cancel,
            not_you_url: &cancel,
            sign_out_url: if visit.person.is_some() { "/flows/-/default/invalidation/" } else { "" },
            back_url: "/",
        };
        let status = match (ended, challenge.component.as_str()) {
            (true, "ak-stage-access-denied") => StatusCode::FORBIDDEN,
            _ => StatusCode::OK,
        };
        let mut challenge = challenge.clone();
        if flow.is_some_and(|flow| flow.compatibility_mode) {
            // A page without scripts: the only one there is shows what is typed.
            challenge.fields.insert("allow_show_password".into(), false.into());
        }
        let value = challenge.value(&info.unwrap_or_default());
        html(status, headers::FLOW_CSP, self.app.renderer.flow_page(&look.page(), &value, &form))
    }

    fn failed(&self, error: RunError) -> Response {
        let look = Look::of(self.app, self.origin);
        match &error {
            RunError::NoFlow => self.app.not_found_page(&look),
            RunError::Stage(StageError::Failed(why)) => {
                tracing::error!(request_id = self.origin.request_id, flow = self.slug, why, "a stage failed");
                self.app.failed_page(&look, StatusCode::INTERNAL_SERVER_ERROR, &self.cancel_url())
            }
            _ => {
                let status = ApiError::from(error).status();
                self.app.failed_page(&look, status, &self.address(None))
            }
        }
    }

    fn bad_request(&self, status: StatusCode) -> Response {
        let message = match status {
            StatusCode::PAYLOAD_TOO_LARGE => "It is too large. Please go back, and choose a smaller file.",
            _ => "Please go back and try again.",
        };
        let error = crate::pages::ErrorView {
            status: status.as_u16(),
            heading: "The form could not be read",
            message,
            retry_url: &self.address(None),
            home_url: "/",
        };
        self.app.error_page(&Look::of(self.app, self.origin), &error)
    }

    fn see_page(&self, step: Option<&str>) -> Response {
        see_other(&self.address(step))
    }

    /// The address of this page, with what came in its query, and the step.
    fn address(&self, step: Option<&str>) -> String {
        let mut pairs: Vec<(String, String)> = serde_urlencoded::from_str(&self.query).unwrap_or_default();
        pairs.retain(|(name, _)| name != STEP);
        pairs.extend(step.map(|step| (STEP.to_owned(), step.to_owned())));
        let query = serde_urlencoded::to_string(pairs).unwrap_or_default();
        let slug: String = self.slug.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
        if query.is_empty() { format!("/if/flow/{slug}/") } else { format!("/if/flow/{slug}/?{query}") }
    }

    /// Gives the flow up and begins it again, on the way to the same goal.
    fn cancel_url(&self) -> String {
        let again = self.address(None);
        let next = serde_urlencoded::to_string([("next", again)]).unwrap_or_default();
        format!("/flows/-/cancel/?{next}")
    }
}

/// The value of a parameter in a query.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).ok()?;
    pairs.into_iter().find(|(found, _)| found == name).map(|(_, value)| value).filter(|v| !v.is_empty())
}

/// A redirect that makes a GET of whatever it was (RFC 9110, section 15.4.4).
pub(crate) fn see_other(to: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(to) else { return ApiError::Internal.into_response() };
    (StatusCode::SEE_OTHER, [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))])
        .into_response()
}
