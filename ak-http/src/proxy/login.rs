//! The way to sign in for an application, the way back, and the way out.

use ak_providers::oauth2::discovery::Endpoints;
use ak_providers::oauth2::issue::Client;
use ak_providers::oauth2::jwt::CannotSign;
use ak_providers::oauth2::params::Params;
use ak_providers::oauth2::scope;
use ak_providers::proxy::{
    Endpoint, MAX_AUTHORIZATION, MAX_STATE, MAX_URL, Next, Proof, ProxyProvider, State as LoginState, Verdict, authorize_url,
    cookie, destination, wanted,
};
use ak_store::model::Ref;
use axum::extract::{Extension, OriginalUri, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{Place, add_cookie, direct as sent_to};
use crate::app::App;
use crate::client::Origin;
use crate::error::ApiError;
use crate::extract::{is_navigation, visitor};
use crate::pages::ErrorView;
use crate::session::cookies;
use crate::view::Look;

/// `GET /outpost.goauthentik.io/ping`: whether anybody is there.
pub(super) async fn ping() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// `GET /outpost.goauthentik.io/{start,callback,sign_out}`, where the proxy has a route for it.
pub(super) async fn direct(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    OriginalUri(uri): OriginalUri,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let Some(request) = sent_to(&origin, &headers, &uri) else { return app.no_application(&origin) };
    let endpoint = request.endpoint();
    let headers = visitor(&method, headers);
    match (Place::find(&app, &origin, &headers, request), endpoint) {
        (Some(place), Some(endpoint)) => answer(&place, endpoint).await,
        _ => app.no_application(&origin),
    }
}

/// Answers what was meant for one of our endpoints.
pub(super) async fn answer(place: &Place<'_>, endpoint: Endpoint) -> Response {
    let Some(provider) = place.provider() else { return place.app.no_application(place.origin) };
    match endpoint {
        Endpoint::Start => place.start(provider).await,
        Endpoint::Callback => place.callback(provider).await,
        Endpoint::SignOut => place.sign_out(provider).await,
        Endpoint::Ping => StatusCode::NO_CONTENT.into_response(),
        Endpoint::Nothing => place.app.not_found_page(&Look::of(place.app, place.origin)),
    }
}

/// A redirect that leaves the method to the browser (RFC 9110, section 15.4.3), as reverse proxies expect it.
pub(super) fn found(to: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(to) else { return ApiError::Internal.into_response() };
    (StatusCode::FOUND, [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))])
        .into_response()
}

/// The longest mark of a browser that is looked at, in bytes.
const MAX_MARK: usize = 64;

impl Place<'_> {
    /// What the browser is known by on its way through signing in, if it is.
    fn mark(&self, provider: &ProxyProvider) -> Option<String> {
        let marks = cookies(self.headers, &cookie::login_name(provider));
        marks.into_iter().find(|mark| !mark.is_empty() && mark.len() <= MAX_MARK && mark.bytes().all(|b| b.is_ascii_graphic()))
    }

    async fn start(&self, provider: &ProxyProvider) -> Response {
        let rd = wanted(self.request.query()).filter(|rd| rd.len() <= MAX_URL);
        let to = rd.and_then(|rd| destination(provider, &rd)).unwrap_or_else(|| provider.external_host.url().to_owned());
        for session in self.sessions(provider) {
            match self.app.keeper.admit(&self.snapshot, self.at, Proof::Session(&session), self.origin.ip, &|| self.from()).await
            {
                Ok(Verdict::Admitted(_)) => return found(&to),
                // Whom policies refuse is told why where she would sign in; and she may be somewhere else by now.
                Ok(Verdict::Refused(_) | Verdict::Nobody) => {}
                Err(failure) => return self.app.outpost_failed(self.origin, failure),
            }
        }
        let now = self.app.store().clock().now();
        // One mark for all tabs: each of them comes back to its own page.
        let mark = self.mark(provider).unwrap_or_else(|| self.app.store().rng().token(24));
        self.authorize(provider, &LoginState::new(to, &mark, now), &mark)
    }

    /// To the authorization endpoint, with this state.
    fn authorize(&self, provider: &ProxyProvider, state: &LoginState, mark: &str) -> Response {
        let Some(base) = self.app.installation(&self.snapshot) else {
            let why = "nobody has said where browsers find this installation: set authentik_host of the embedded outpost, or AUTHENTIK_BASE_URL";
            return self.app.misconfigured(self.origin, why);
        };
        let client = Client::of(&self.snapshot, Ref::new(self.at.pk()));
        let scopes = match client.map(|client| client.mappings(&self.snapshot)) {
            Some(Ok(mappings)) => provider.scopes_to_request(scope::names(&mappings)),
            Some(Err(failure)) => return self.app.outpost_failed(self.origin, failure),
            None => return self.app.no_application(self.origin),
        };
        // A frame or a picture shows no page: whoever has signed in comes through all the same.
        let silent = !is_navigation(self.headers);
        let url = |state: &LoginState| -> Result<(bool, String), CannotSign> {
            let state = state.sign(provider)?;
            let url = authorize_url(&base, provider, &scopes, &state, silent);
            Ok((state.len() <= MAX_STATE && url.len() <= MAX_AUTHORIZATION, url))
        };
        let to = url(state).and_then(|(fits, to)| if fits { Ok(to) } else { Ok(url(&state.to_start(provider))?.1) });
        let mut response = match to {
            Ok(to) => found(&to),
            Err(why) => return self.app.misconfigured(self.origin, &why.to_string()),
        };
        add_cookie(&mut response, &cookie::set_login(provider, mark));
        response
    }

    async fn callback(&self, provider: &ProxyProvider) -> Response {
        let params = Params::parse(self.request.query()).unwrap_or_default();
        let (state, code) = (params.get("state").unwrap_or_default(), params.get("code"));
        if let (Some(error), Some(state)) = (params.get("error"), LoginState::open(provider, state)) {
            let to = destination(provider, &state.to).unwrap_or_else(|| provider.external_host.url().to_owned());
            return self.not_signed_in(error, &to);
        }
        let (now, mark) = (self.app.store().clock().now(), self.mark(provider));
        let fresh = self.app.store().rng().token(24);
        let known = mark.clone().unwrap_or_else(|| fresh.clone());
        match (LoginState::decide(provider, state, code.is_some(), mark.as_deref(), &fresh, now), code) {
            (Next::Redeem(to), Some(code)) => match self.redeem(provider, code, to).await {
                Some(response) => response,
                // Somebody came back to an address of before: the code in it is spent, and her sign-in may still be good.
                None => match LoginState::again(provider, state, &known, now) {
                    Some(state) => self.authorize(provider, &state, &known),
                    None => self.not_signed_in("the code is not good", "/"),
                },
            },
            (Next::Again(state), _) => self.authorize(provider, &state, &known),
            (Next::Redeem(_), None) | (Next::GiveUp, _) => self.no_cookies(),
        }
    }

    /// Begins the session, and leads to the page that was asked for. `None`: the code is not good.
    async fn redeem(&self, provider: &ProxyProvider, code: &str, to: String) -> Option<Response> {
        let begun = self.app.keeper.begin(&self.snapshot, self.at, code, &self.from()).await;
        let key = match begun {
            Ok(key) => key?,
            Err(failure) => return Some(self.app.outpost_failed(self.origin, failure)),
        };
        for before in self.sessions(provider) {
            if let Err(failure) = self.app.keeper.end(self.at, &before).await {
                return Some(self.app.outpost_failed(self.origin, failure));
            }
        }
        let mut response = found(&to);
        add_cookie(&mut response, &cookie::set_session(provider, &key));
        Some(response)
    }

    /// Ends the session with the application, and goes on to where one ends that with us.
    async fn sign_out(&self, provider: &ProxyProvider) -> Response {
        // A picture or a frame on another page must not sign anybody out: only a person who goes there.
        if !is_navigation(self.headers) {
            return ApiError::Forbidden.into_response();
        }
        for session in self.sessions(provider) {
            if let Err(failure) = self.app.keeper.end(self.at, &session).await {
                return self.app.outpost_failed(self.origin, failure);
            }
        }
        let (Some(base), Some(slug)) = (self.app.installation(&self.snapshot), self.application()) else {
            return self.app.misconfigured(self.origin, "nobody has said where browsers find this installation");
        };
        let mut response = found(&Endpoints::new(&base, slug).own("end-session/"));
        add_cookie(&mut response, &cookie::clear(provider, &cookie::name(provider)));
        add_cookie(&mut response, &cookie::clear(provider, &cookie::login_name(provider)));
        response
    }

    /// It ends here: whoever wants to try again says so.
    fn not_signed_in(&self, error: &str, to: &str) -> Response {
        tracing::info!(request_id = self.origin.request_id, error, "an application's sign-in came to nothing");
        // She would have to do something, and could where she sees a page (OpenID Connect Core, section 3.1.2.6).
        let status = if error.ends_with("_required") { 401 } else { 403 };
        self.page(status, "Not signed in", "You have not been signed in to the application.", to)
    }

    fn no_cookies(&self) -> Response {
        tracing::info!(request_id = self.origin.request_id, "a browser comes back without the cookie that it was given");
        let message = "Your browser does not keep the cookies of this application, which signing in needs. Please allow them and try again.";
        self.page(403, "Cookies are needed", message, "/")
    }

    fn page(&self, status: u16, heading: &str, message: &str, retry_url: &str) -> Response {
        let error = ErrorView { status, heading, message, retry_url, home_url: "" };
        self.app.error_page(&Look::of(self.app, self.origin), &error)
    }
}
