//! `/application/o/authorize/`: a client asks, by way of the browser.

mod decide;
mod sign_in;

use ak_flows::{RunError, StageError};
use ak_providers::oauth2::authorize::{Answer, AuthorizeError, AuthorizeRequest, Prompt};
use ak_providers::oauth2::error::{Code, ProtocolError};
use ak_providers::oauth2::finish::form as answer_form;
use ak_providers::oauth2::issue::{Client, Failure};
use ak_providers::oauth2::params::Params;
use ak_store::StoreError;
use ak_store::model::Snapshot;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::{AUTHORIZE as HERE, form, told_of};
use crate::app::App;
use crate::client::Origin;
use crate::error::ApiError;
use crate::extract::{is_navigation, visitor};
use crate::flow_pages::{page_of_failure, see_other};
use crate::interfaces::page_error;
use crate::pages::{ErrorView, FlowForm, headers as page_headers};
use crate::view::{Look, html};

/// The longest request that can be come back to after signing in, in bytes.
const MAX_QUERY: usize = 6 * 1024;

/// `GET`.
pub(super) async fn show(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let Ok(params) = Params::parse(&query.unwrap_or_default()) else {
        return wrong(&app, &origin, "The request is too long.");
    };
    // What asks nothing of a person may stand in a frame, as clients renew what they have; what does must not.
    if !is_navigation(&headers) && params.get("prompt") != Some("none") {
        return ApiError::Forbidden.into_response();
    }
    let snapshot = app.store().snapshot();
    let headers = visitor(&method, headers);
    Box::pin(answer(&app, &origin, &snapshot, &params, &headers)).await
}

/// `POST`: the same by a form (OpenID Connect Core, section 3.1.2.1). It comes from another site without the session's cookie, and
/// is led to the GET, with which the cookie comes.
pub(super) async fn submit(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    match form(&headers, body) {
        Ok(params) if params.encode().len() <= MAX_QUERY => see_other(&format!("{HERE}?{}", params.encode())),
        Ok(_) => wrong(&app, &origin, "The request is too long."),
        Err(_) => wrong(&app, &origin, "The form cannot be read."),
    }
}

/// Reads a request, and answers it.
async fn answer(app: &App, origin: &Origin, snapshot: &Snapshot, params: &Params, headers: &HeaderMap) -> Response {
    let find = |id: &str| Client::named(snapshot, id);
    let request = match AuthorizeRequest::parse(params, |id| find(id).map(|client| client.provider)) {
        Ok(request) => request,
        Err(AuthorizeError::Page(message)) => return wrong(app, origin, message),
        Err(AuthorizeError::Back(back, error)) => {
            let issuer = params.get("client_id").and_then(find).map(|client| client.issuer(&app.base(origin)));
            return give(app, origin, back.error(&error, &issuer.unwrap_or_default()));
        }
    };
    let Some(client) = find(&request.client_id) else { return wrong(app, origin, "There is no such client.") };
    let asking = Asking { app, origin, snapshot, params, request: &request, client: &client };
    match asking.answer(headers).await {
        Ok(response) => response,
        Err(halt) => asking.halted(halt),
    }
}

/// A request of a known client, which can be led back to.
struct Asking<'a> {
    app: &'a App,
    origin: &'a Origin,
    snapshot: &'a Snapshot,
    params: &'a Params,
    request: &'a AuthorizeRequest,
    client: &'a Client<'a>,
}

/// Why it goes no further.
enum Halt {
    /// For a reason that is the client's to know.
    Refused(ProtocolError),
    /// Something is wrong with the configuration: what, for administrators.
    Broken(String),
    /// Something failed.
    Failed(ApiError),
    /// A flow failed.
    Flow(String, RunError),
}

impl From<ProtocolError> for Halt {
    fn from(error: ProtocolError) -> Self {
        Self::Refused(error)
    }
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<ApiError> for Halt {
    fn from(error: ApiError) -> Self {
        Self::Failed(error)
    }
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Protocol(error) => Self::Refused(error),
            Failure::Broken(why) | Failure::Undecided(why) => Self::Broken(why),
            Failure::Store(error) => error.into(),
        }
    }
}

impl Asking<'_> {
    async fn answer(&self, headers: &HeaderMap) -> Result<Response, Halt> {
        let visit = self.app.visit(headers, self.origin).await?;
        self.decide(&visit).await
    }

    /// Whether the person must not see anything of ours.
    fn is_silent(&self) -> bool {
        self.request.prompts.contains(&Prompt::None)
    }

    /// Where it goes no further: the client is told, or the person, if she may see it.
    fn halted(&self, halt: Halt) -> Response {
        let request_id = self.origin.request_id.as_str();
        let error = match halt {
            Halt::Refused(error) => error,
            Halt::Broken(why) | Halt::Flow(_, RunError::Stage(StageError::Failed(why))) => {
                tracing::error!(request_id, client = self.request.client_id, why, "an authorization failed");
                ProtocolError::new(Code::ServerError, "Something is wrong with the configuration; the log has more.")
            }
            Halt::Failed(error) if self.is_silent() => told_of(&error),
            Halt::Flow(_, error) if self.is_silent() => told_of(&error.into()),
            Halt::Failed(error) => return page_error(self.app, self.origin)(error).into_response(),
            Halt::Flow(slug, error) => return page_of_failure(self.app, self.origin, &slug, error),
        };
        tracing::info!(request_id, client = self.request.client_id, %error, "an authorization is refused");
        give(self.app, self.origin, self.request.back.error(&error, &self.client.issuer(&self.app.base(self.origin))))
    }
}

/// Gives the browser an answer to take to the client.
fn give(app: &App, origin: &Origin, answer: Answer) -> Response {
    match answer {
        Answer::Redirect(to) => see_other(&to),
        Answer::Form { url, fields } => {
            let challenge = answer_form(&url, &fields).value(&Value::Null);
            let form = FlowForm { action: HERE, ..FlowForm::default() };
            let page = app.renderer.flow_page(&Look::of(app, origin).page(), &challenge, &form);
            html(StatusCode::OK, page_headers::FLOW_CSP, page)
        }
    }
}

/// The page for a request that nobody can be led back from.
fn wrong(app: &App, origin: &Origin, message: &str) -> Response {
    tracing::info!(request_id = origin.request_id, message, "an authorization request is none");
    let error = ErrorView {
        status: 400,
        heading: "The application asked in a way that cannot be answered",
        message,
        retry_url: "",
        home_url: "/",
    };
    app.error_page(&Look::of(app, origin), &error)
}
