//! `/application/o/authorize/`: a client asks, by way of the browser.

use ak_flows::{Input, Outcome, Page, RunError, Visit};
use ak_policy::{Context, Decision, Denial, Request, decide};
use ak_providers::oauth2::asked::Asked;
use ak_providers::oauth2::authorize::{Answer, AuthorizeError, AuthorizeRequest, Hint, Next, Prompt, SignedIn, next};
use ak_providers::oauth2::error::{Code, ProtocolError};
use ak_providers::oauth2::finish::{Authorization, form as answer_form};
use ak_providers::oauth2::issue::{Client, Failure, From};
use ak_providers::oauth2::params::Params;
use ak_providers::oauth2::{claims, logout, scope};
use ak_store::directory::Person;
use ak_store::model::Snapshot;
use ak_store::records::Session;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Duration, Utc};
use serde_json::Value;

use super::form;
use crate::app::App;
use crate::client::Origin;
use crate::error::ApiError;
use crate::extract::{is_navigation, visitor};
use crate::flow_pages::{page_of, page_of_failure, see_other};
use crate::interfaces::page_error;
use crate::pages::{ErrorView, FlowForm, headers as page_headers};
use crate::view::{Look, html};

/// Where it is.
const HERE: &str = "/application/o/authorize/";
/// The parameter of our own that says since when a request has been waiting for a sign-in.
const ASKED: &str = "ak_asked";
/// For how long that counts.
const PATIENCE: Duration = Duration::hours(1);
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
    let place = Place { app: &app, origin: &origin, snapshot: &snapshot, params: &params };
    Box::pin(place.answer(&headers)).await
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

struct Place<'a> {
    app: &'a App,
    origin: &'a Origin,
    snapshot: &'a Snapshot,
    params: &'a Params,
}

/// Who has signed in, and in which session.
struct Present<'a> {
    visit: &'a Visit,
    person: &'a Person,
    session: &'a Session,
    signed_in: SignedIn,
}

impl Place<'_> {
    async fn answer(&self, headers: &HeaderMap) -> Response {
        let request = AuthorizeRequest::parse(self.params, |id| Client::named(self.snapshot, id).map(|client| client.provider));
        let request = match request {
            Ok(request) => request,
            Err(AuthorizeError::Page(message)) => return wrong(self.app, self.origin, message),
            Err(AuthorizeError::Back(back, error)) => {
                let issuer = self.params.get("client_id").and_then(|id| Client::named(self.snapshot, id));
                let issuer = issuer.map(|client| client.issuer(&self.app.base(self.origin))).unwrap_or_default();
                return self.give(back.error(&error, &issuer));
            }
        };
        let Some(client) = Client::named(self.snapshot, &request.client_id) else {
            return wrong(self.app, self.origin, "There is no such client.");
        };
        let visit = match self.app.visit(headers, self.origin).await {
            Ok(visit) => visit,
            Err(error) => return page_error(self.app, self.origin)(ApiError::from(error)).into_response(),
        };
        self.decide(&request, &client, &visit).await
    }

    async fn decide(&self, request: &AuthorizeRequest, client: &Client<'_>, visit: &Visit) -> Response {
        let hinted = match self.hinted(request, client) {
            Ok(hinted) => hinted,
            Err(error) => return self.refuse(request, client, &error),
        };
        let mut present = self.present(client, visit);
        if let Some(present) = &mut present
            && let Err(failure) = self.name(request, client, hinted.as_ref(), present).await
        {
            return self.broken(request, client, &failure.to_string());
        }
        let now = self.app.store().clock().now();
        let signed_in = present.as_ref().map(|present| &present.signed_in);
        match next(request, signed_in, hinted.as_ref(), self.asked(request), now) {
            Next::Refuse(error) => self.refuse(request, client, &error),
            Next::SignIn => self.sign_in(request, client, visit).await,
            Next::Authorize => match present {
                Some(present) => self.authorize(request, client, &present).await,
                None => self.sign_in(request, client, visit).await,
            },
        }
    }

    fn present<'a>(&self, client: &Client<'_>, visit: &'a Visit) -> Option<Present<'a>> {
        let (person, session) = (visit.person.as_ref()?, visit.session.as_ref()?);
        let at = session.data.get("login_at").and_then(Value::as_str).and_then(|at| at.parse().ok());
        let subject = claims::subject(client.provider, person, self.app.store().install_id());
        Some(Present {
            visit,
            person,
            session,
            signed_in: SignedIn { subject, sid: hex::encode(session.id), at: at.unwrap_or(session.created) },
        })
    }

    /// Names who has signed in as her ID token would, where it matters. Mappings have their say in that.
    async fn name(
        &self,
        request: &AuthorizeRequest,
        client: &Client<'_>,
        hinted: Option<&Hint>,
        present: &mut Present<'_>,
    ) -> Result<(), Failure> {
        let is_named = hinted.is_some_and(|hint| !hint.is_of(&present.signed_in.sid)) || request.requested_subject().is_some();
        if is_named {
            let scopes = self.scopes(request, client)?;
            let (from, issuer) = (self.from(), &self.app.issuer);
            let identity = Box::pin(issuer.identity(self.snapshot, client, present.person, &scopes, &from)).await?;
            present.signed_in.subject = identity.subject;
        }
        Ok(())
    }

    /// Whether the client is content with how people sign in here. Mappings have their say in that too.
    async fn is_content(
        &self,
        request: &AuthorizeRequest,
        client: &Client<'_>,
        present: &Present<'_>,
        scopes: &[String],
    ) -> Result<bool, Failure> {
        // What no class at all would change is not looked up.
        if request.is_content_with("") {
            return Ok(true);
        }
        let (from, issuer) = (self.from(), &self.app.issuer);
        let identity = Box::pin(issuer.identity(self.snapshot, client, present.person, scopes, &from)).await?;
        Ok(request.is_content_with(&identity.acr))
    }

    /// The scopes that the client would get.
    fn scopes(&self, request: &AuthorizeRequest, client: &Client<'_>) -> Result<Vec<String>, Failure> {
        Ok(scope::granted(request.scopes.as_deref(), &scope::names(&client.mappings(self.snapshot)?)))
    }

    fn from(&self) -> From {
        self.app.client_from(self.origin, "GET", HERE)
    }

    /// Whom the client means by an ID token. One that this provider has not signed means nobody, and is a mistake.
    fn hinted(&self, request: &AuthorizeRequest, client: &Client<'_>) -> Result<Option<Hint>, ProtocolError> {
        let Some(token) = &request.id_token_hint else { return Ok(None) };
        let signer = client.signer(self.snapshot).ok();
        let claims = logout::hinted(token, client.provider, signer.as_ref());
        let hint = claims.and_then(|claims| {
            let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
            Some(Hint { subject: text("sub")?, sid: text("sid") })
        });
        hint.map(Some).ok_or(ProtocolError::new(Code::InvalidRequest, "The id_token_hint was not issued to the client."))
    }

    /// Since when this very request has been waiting for a sign-in, as we have said ourselves.
    fn asked(&self, request: &AuthorizeRequest) -> Option<DateTime<Utc>> {
        let (micros, tag) = self.params.get(ASKED)?.split_once('.')?;
        if !self.app.seal.is_token(tag, &[ASKED, &request.client_id, micros], None) {
            return None;
        }
        let asked = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
        let now = self.app.store().clock().now();
        (asked <= now && now - asked <= PATIENCE).then_some(asked)
    }

    /// The way to sign in, and back to this request.
    async fn sign_in(&self, request: &AuthorizeRequest, client: &Client<'_>, visit: &Visit) -> Response {
        let micros = self.app.store().clock().now().timestamp_micros().to_string();
        let tag = self.app.seal.token(&[ASKED, &request.client_id, &micros], None);
        let back = self.params.without(ASKED).with(ASKED, &format!("{micros}.{tag}")).encode();
        if back.len() > MAX_QUERY {
            let error = ProtocolError::new(Code::InvalidRequest, "The request is too long to be come back to after signing in.");
            return self.refuse(request, client, &error);
        }
        let next = format!("{HERE}?{back}");
        let own = client.provider.base.authentication_flow.and_then(|to| self.snapshot.get(to));
        if let Some(person) = &visit.person {
            return self.sign_in_again(request, own.map(|flow| flow.slug.clone()), &next, visit, person.user.pk).await;
        }
        let mut query = vec![("next", next.as_str())];
        query.extend(request.login_hint.as_deref().map(|hint| ("login_hint", hint)));
        let query = serde_urlencoded::to_string(query).unwrap_or_default();
        match own {
            Some(flow) => see_other(&format!("/if/flow/{}/?{query}", flow.slug)),
            None => see_other(&format!("/flows/-/default/authentication/?{query}")),
        }
    }

    /// Who has signed in does so once more. The flow is begun for her; that she has signed in already would otherwise end it.
    async fn sign_in_again(
        &self,
        request: &AuthorizeRequest,
        own: Option<String>,
        next: &str,
        visit: &Visit,
        user: i64,
    ) -> Response {
        let found = match own {
            Some(slug) => Some(slug),
            None => match self.app.default_flow(visit, self.origin, ak_flows::Designation::Authentication).await {
                Ok(found) => found,
                Err(error) => return page_error(self.app, self.origin)(error).into_response(),
            },
        };
        let Some(slug) = found else { return self.app.not_found_page(&Look::of(self.app, self.origin)) };
        let username = visit.person.as_ref().map(|person| person.user.username.clone());
        let login_hint = request.login_hint.clone().or(username);
        let input = Input { next: Some(next.to_owned()), login_hint, ..Input::default() };
        let context = Context { pending_user: Some(user), ..Context::default() };
        let outcome = match self.app.runner.run_with(visit, &slug, input, context).await {
            Ok(outcome) => outcome,
            Err(error) => return page_of_failure(self.app, self.origin, &slug, error),
        };
        let response = match &outcome.page {
            Page::Challenge(_, false) => see_other(&format!("/if/flow/{slug}/")),
            _ => page_of(self.app, self.origin, &slug, visit, &outcome),
        };
        self.with_cookie(response, &outcome)
    }

    /// The policies of the application, then the authorization flow, at whose end the answer is.
    async fn authorize(&self, request: &AuthorizeRequest, client: &Client<'_>, present: &Present<'_>) -> Response {
        let silent = request.prompts.contains(&Prompt::None);
        let mappings = match client.mappings(self.snapshot) {
            Ok(mappings) => mappings,
            Err(failure) => return self.broken(request, client, &failure.to_string()),
        };
        let scopes = scope::granted(request.scopes.as_deref(), &scope::names(&mappings));
        let about = Asked::by(request, &scopes);
        let about = about.of(self.snapshot, self.app.runner.services(), present.person, &self.from(), Context::default());
        let decision = decide(client.application_at.pk(), &about).await;
        if let Err(error) = self.app.runner.note_decisions(&about, [&decision]).await {
            return page_error(self.app, self.origin)(error).into_response();
        }
        if !decision.passing {
            let error = ProtocolError::new(Code::AccessDenied, "The person may not open the application.");
            return if silent { self.refuse(request, client, &error) } else { self.denied(client, &about, decision).await };
        }
        match self.is_content(request, client, present, &scopes).await {
            Ok(true) => {}
            Ok(false) => {
                let told = "The person cannot sign in here in any of the ways that the client demands.";
                return self.refuse(request, client, &ProtocolError::new(Code::UnmetAuthenticationRequirements, told));
            }
            Err(failure) => return self.broken(request, client, &failure.to_string()),
        }
        let told = mappings.iter().filter(|(_, m)| scopes.contains(&m.scope_name) && !m.description.is_empty());
        let permissions: Vec<(String, String)> = told.map(|(_, m)| (m.scope_name.clone(), m.description.clone())).collect();
        let asked = Authorization { request: request.clone(), provider: client.at, scopes, base: self.app.base(self.origin) };
        let Some(flow) = self.snapshot.get(client.provider.base.authorization_flow) else {
            return self.broken(request, client, "the authorization flow cannot be read");
        };
        let finale = asked.finale(client, &permissions);
        match self.app.runner.run_with(present.visit, &flow.slug, Input::default(), finale).await {
            Ok(outcome) => self.outcome(request, client, present, &flow.slug, &outcome).await,
            Err(RunError::Stage(ak_flows::StageError::Failed(why))) => self.broken(request, client, &why),
            Err(error) => page_of_failure(self.app, self.origin, &flow.slug, error),
        }
    }

    async fn outcome(
        &self,
        request: &AuthorizeRequest,
        client: &Client<'_>,
        present: &Present<'_>,
        slug: &str,
        outcome: &Outcome,
    ) -> Response {
        let silent = request.prompts.contains(&Prompt::None);
        let response = match &outcome.page {
            Page::Challenge(challenge, ended) if silent && challenge.component != "ak-stage-autosubmit" => {
                if let Err(error) = self.give_up(present, outcome, *ended).await {
                    return page_error(self.app, self.origin)(ApiError::from(error)).into_response();
                }
                let code = match challenge.component.as_str() {
                    "ak-stage-consent" => Code::ConsentRequired,
                    "ak-stage-access-denied" => Code::AccessDenied,
                    _ => Code::InteractionRequired,
                };
                self.refuse(request, client, &ProtocolError::new(code, "The person would have to be asked."))
            }
            Page::Challenge(_, false) => see_other(&format!("/if/flow/{slug}/")),
            _ => page_of(self.app, self.origin, slug, present.visit, outcome),
        };
        self.with_cookie(response, outcome)
    }

    /// What a silent request has begun is not gone on with.
    async fn give_up(&self, present: &Present<'_>, outcome: &Outcome, ended: bool) -> ak_store::Result<()> {
        if ended || outcome.session != Some(present.session.id) {
            return Ok(());
        }
        self.app.runner.give_back(present.session, outcome.turn).await
    }

    fn with_cookie(&self, mut response: Response, outcome: &Outcome) -> Response {
        match self.app.set_cookie(&mut response, self.origin, &outcome.cookie) {
            Ok(()) => response,
            Err(error) => page_error(self.app, self.origin)(ApiError::from(error)).into_response(),
        }
    }

    fn refuse(&self, request: &AuthorizeRequest, client: &Client<'_>, error: &ProtocolError) -> Response {
        tracing::info!(request_id = self.origin.request_id, client = request.client_id, %error, "an authorization is refused");
        self.give(request.back.error(error, &client.issuer(&self.app.base(self.origin))))
    }

    fn broken(&self, request: &AuthorizeRequest, client: &Client<'_>, why: &str) -> Response {
        tracing::error!(request_id = self.origin.request_id, client = request.client_id, why, "an authorization failed");
        let error = ProtocolError::new(Code::ServerError, "Something is wrong with the configuration; the log has more.");
        self.give(request.back.error(&error, &client.issuer(&self.app.base(self.origin))))
    }

    /// The page for who may not, with what the policies say to her and the reference that leads to why.
    async fn denied(&self, client: &Client<'_>, about: &Request, decision: Decision) -> Response {
        let denial = Denial::of_application(&client.application.name, about, decision);
        self.app.denied_page(self.origin, &denial).await
    }

    /// Gives the browser an answer to take to the client.
    fn give(&self, answer: Answer) -> Response {
        match answer {
            Answer::Redirect(to) => see_other(&to),
            Answer::Form { url, fields } => {
                let challenge = answer_form(&url, &fields).value(&Value::Null);
                let form = FlowForm { action: HERE, ..FlowForm::default() };
                let look = Look::of(self.app, self.origin);
                let page = self.app.renderer.flow_page(&look.page(), &challenge, &form);
                html(StatusCode::OK, page_headers::FLOW_CSP, page)
            }
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
