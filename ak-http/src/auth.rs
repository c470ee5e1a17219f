//! Who calls: for our own handlers, and for programs that link ak in.

use ak_flows::Visit;
use ak_policy::Denial;
use ak_providers::oauth2::issue::Failure;
use ak_store::directory::Person;
use ak_store::records::TokenIntent;
use axum::extract::{FromRequestParts, OriginalUri, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::client::Origin;
use crate::error::ApiError;
use crate::flow_pages::see_other;
use crate::interfaces::sign_in_for;

/// Who calls the API.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The account with its groups.
    pub person: Person,
    /// The browser's session that it came by; `None`: it came with a token.
    pub session: Option<[u8; 32]>,
    /// Where the call came from.
    pub ip: Option<std::net::IpAddr>,
}

impl Caller {
    /// The caller, if she may do everything.
    pub(crate) fn superuser(self) -> Result<Self, ApiError> {
        if self.person.is_superuser() { Ok(self) } else { Err(ApiError::Forbidden) }
    }
}

impl App {
    /// Who calls: the owner of the bearer token, else of the session. A call that changes something by a session needs the token
    /// against forged requests.
    pub(crate) async fn caller(&self, parts: &Parts) -> Result<Caller, ApiError> {
        let origin = parts.extensions.get::<Origin>().ok_or(ApiError::Internal)?;
        if let Some(key) = parts.headers.get(header::AUTHORIZATION).map(|v| v.to_str().unwrap_or("Bearer")).and_then(bearer) {
            return Ok(Caller { person: self.bearer(key).await?, session: None, ip: origin.ip });
        }
        let visit = self.visit(&parts.headers, origin).await?;
        let (Some(person), Some(session)) = (visit.person, visit.session) else { return Err(ApiError::NotAuthenticated) };
        let safe = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
        if !safe && (origin.is_cross_site(&parts.headers) || !self.has_csrf_token(&parts.headers, &session.id)) {
            return Err(ApiError::Csrf);
        }
        Ok(Caller { person, session: Some(session.id), ip: origin.ip })
    }

    async fn bearer(&self, key: &str) -> Result<Person, ApiError> {
        if key.is_empty() || key.len() > MAX_KEY {
            return Err(ApiError::BadToken);
        }
        let hash = self.store().keyring().lookup_hash(key);
        let token = self.store().look().await?.tokens().find_by_hash(&hash, self.store().clock().now()).await?;
        let person = match token.filter(|token| token.intent == TokenIntent::Api) {
            Some(token) => self.runner.directory().person(token.user).await?,
            // Applications call the API as the person who has signed in to them.
            None => self.issuer.bearer(key, ak_providers::oauth2::scope::API).await.map_err(|failure| match failure {
                Failure::Store(error) => error.into(),
                other => {
                    tracing::error!(error = %other, "an access token could not be looked up");
                    ApiError::Internal
                }
            })?,
        };
        person.filter(|p| p.user.is_active).ok_or(ApiError::BadToken)
    }
}

/// The longest key that is looked at, in bytes.
const MAX_KEY: usize = 16 * 1024;

/// The key in `Authorization: Bearer <key>` (RFC 6750, section 2.1; the scheme in any case), empty if it is missing. `None`: the
/// credentials are of another scheme, such as those by which a browser gets through a proxy in front of us.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.split_once(' ').unwrap_or((value, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        app.caller(parts).await
    }
}

/// The person who has signed in, in handlers of a program that links ak in. Needs [`guard`] around the route;
/// without it the answer is 401.
#[derive(Debug, Clone)]
pub struct SignedIn(pub Person);

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        parts.extensions.get::<Self>().cloned().ok_or((StatusCode::UNAUTHORIZED, "Nobody has signed in."))
    }
}

/// What a guarded route asks for.
#[derive(Clone)]
pub struct Guard {
    app: App,
    group: Option<String>,
}

impl App {
    /// The state of a guard for [`guard`]: lets through who has signed in and, if `group` names one, is in that group
    /// (directly or through parents).
    pub fn guard(&self, group: Option<&str>) -> Guard {
        Guard { app: self.clone(), group: group.map(str::to_owned) }
    }
}

/// A layer for routes of a program that links ak in (`axum::middleware::from_fn_with_state(app.guard(Some("staff")), ak_http::guard)`).
///
/// Who has not signed in is led to sign in, and back; who is not in the group gets a page that says so. The handler finds the
/// person with [`SignedIn`].
pub async fn guard(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let app = &guard.app;
    let Some(origin) = request.extensions().get::<Origin>().cloned() else {
        // Not behind the layers of `App::layer`: nothing is known about the request, so nothing is let through.
        return ApiError::Internal.into_response();
    };
    // The session's cookie comes along from other hosts of the same domain: what changes something must come from this one.
    if !matches!(*request.method(), Method::GET | Method::HEAD) && origin.is_cross_site(request.headers()) {
        return ApiError::Csrf.into_response();
    }
    let visit: Visit = match app.visit(request.headers(), &origin).await {
        Ok(visit) => visit,
        Err(error) => return ApiError::from(error).into_response(),
    };
    let Some(person) = visit.person else {
        // Below `Router::nest` the request's own address lacks its beginning.
        let wanted = request.extensions().get::<OriginalUri>().map_or(request.uri(), |original| &original.0);
        return see_other(&sign_in_for(wanted));
    };
    if let Some(group) = guard.group.as_ref().filter(|group| !person.groups.iter().any(|g| g.name == **group)) {
        let denial = Denial {
            what: format!("the page {}", request.uri().path()),
            reason: format!("the account is not in the group {group}, which the route asks for"),
            user: Some(person.user.username.clone()),
            client_ip: origin.ip,
            decision: None,
        };
        return app.denied_page(&origin, &denial).await.into_response();
    }
    request.extensions_mut().insert(SignedIn(person));
    let mut response = next.run(request).await;
    // What is for members only stays out of caches, and is asked for again when somebody goes back after signing out.
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
