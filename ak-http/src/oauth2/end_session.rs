//! `/application/o/<slug>/end-session/`: signing out, asked for by an application.

use ak_flows::{Input, Page};
use ak_providers::oauth2::finish::SignedOut;
use ak_providers::oauth2::issue::Client;
use ak_providers::oauth2::logout::EndSession;
use ak_providers::oauth2::params::Params;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};

use super::form;
use crate::app::App;
use crate::client::Origin;
use crate::error::ApiError;
use crate::extract::{Segment, is_navigation, visitor};
use crate::flow_pages::{page_of, page_of_failure, see_other};
use crate::interfaces::{PageError, page_error};
use crate::pages::ErrorView;
use crate::view::Look;

/// `GET`.
pub(super) async fn show(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    Segment(slug): Segment,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    // A picture or a frame on another page must not sign anybody out: only a person who goes there.
    if !is_navigation(&headers) {
        return Ok(ApiError::Forbidden.into_response());
    }
    let Ok(params) = Params::parse(&query.unwrap_or_default()) else {
        return Ok(wrong(&app, &origin, "The request is too long."));
    };
    end(&app, &origin, &slug, &params, &visitor(&method, headers)).await
}

/// `POST`: the same by a form, which comes from another site without the session's cookie, and is led to the GET.
pub(super) async fn submit(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    Segment(slug): Segment,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, PageError> {
    let Ok(params) = form(&headers, body) else { return Ok(wrong(&app, &origin, "The form cannot be read.")) };
    let slug: String = slug.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    Ok(see_other(&format!("/application/o/{slug}/end-session/?{}", params.encode())))
}

async fn end(app: &App, origin: &Origin, slug: &str, params: &Params, headers: &HeaderMap) -> Result<Response, PageError> {
    let snapshot = app.store().snapshot();
    let Some(client) = Client::of_application(&snapshot, slug) else {
        return Ok(app.not_found_page(&Look::of(app, origin)));
    };
    let to = match EndSession::parse(params, client.provider, client.signer(&snapshot).ok().as_ref()) {
        EndSession::Stay => None,
        EndSession::Return(to) => Some(to),
        EndSession::Wrong(message) => return Ok(wrong(app, origin, message)),
    };
    let Some(flow) = snapshot.get(client.provider.base.invalidation_flow) else {
        return Err(page_error(app, origin)(ApiError::Internal));
    };
    let visit = app.visit(headers, origin).await.map_err(page_error(app, origin))?;
    let finale = SignedOut { application: client.application_at, to }.finale();
    let outcome = match app.runner.run_with(&visit, &flow.slug, Input::default(), finale).await {
        Ok(outcome) => outcome,
        Err(error) => return Ok(page_of_failure(app, origin, &flow.slug, error)),
    };
    let mut response = match &outcome.page {
        Page::Challenge(_, false) => see_other(&format!("/if/flow/{}/", flow.slug)),
        _ => page_of(app, origin, &flow.slug, &visit, &outcome),
    };
    app.set_cookie(&mut response, origin, &outcome.cookie).map_err(page_error(app, origin))?;
    Ok(response)
}

fn wrong(app: &App, origin: &Origin, message: &str) -> Response {
    let error = ErrorView { status: 400, heading: "You are still signed in", message, retry_url: "", home_url: "/" };
    app.error_page(&Look::of(app, origin), &error)
}
