//! Who calls: for our own handlers, and for programs that link ak in.

use ak_flows::Visit;
use ak_store::directory::Person;
use ak_store::records::TokenIntent;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use crate::app::App;
use crate::client::Origin;
use crate::error::ApiError;
use crate::view::Look;

/// Who calls the API.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The account with its groups.
    pub person: Person,
    /// Whether it came with the cookie of a browser's session, not with a token.
    pub by_cookie: bool,
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
        if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
            let key = value.to_str().ok().and_then(bearer).ok_or(ApiError::BadToken)?;
            return Ok(Caller { person: self.bearer(key).await?, by_cookie: false });
        }
        let origin = parts.extensions.get::<Origin>().ok_or(ApiError::Internal)?;
        let visit = self.visit(&parts.headers, origin).await?;
        let (Some(person), Some(session)) = (visit.person, visit.session) else { return Err(ApiError::NotAuthenticated) };
        let safe = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
        if !safe && (origin.is_cross_site(&parts.headers) || !self.has_csrf_token(&parts.headers, &session.id)) {
            return Err(ApiError::Csrf);
        }
        Ok(Caller { person, by_cookie: true })
    }

    async fn bearer(&self, key: &str) -> Result<Person, ApiError> {
        let hash = self.store().keyring().lookup_hash(key);
        let token = self.store().read().await?.tokens().find_by_hash(&hash, self.store().clock().now()).await?;
        let token = token.filter(|t| t.intent == TokenIntent::Api).ok_or(ApiError::BadToken)?;
        let person = self.runner.directory().person(token.user).await?;
        person.filter(|p| p.user.is_active).ok_or(ApiError::BadToken)
    }
}

/// The key in `Authorization: Bearer <key>` (RFC 6750, section 2.1; the scheme in any case).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !key.trim().is_empty() && key.len() <= 4096).then(|| key.trim())
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        app.caller(parts).await
    }
}

/// The person who has signed in, in handlers of a program that links ak in. Needs the layer [`App::session_layer`] or
/// [`App::guard`] around the route; without a session the answer is 401.
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
    let visit: Visit = match app.visit(request.headers(), &origin).await {
        Ok(visit) => visit,
        Err(error) => return ApiError::from(error).into_response(),
    };
    let Some(person) = visit.person else {
        let wanted = request.uri().path_and_query().map_or("/", |p| p.as_str());
        let next = serde_urlencoded::to_string([("next", wanted)]).unwrap_or_default();
        return Redirect::to(&format!("/flows/-/default/authentication/?{next}")).into_response();
    };
    if guard.group.as_ref().is_some_and(|group| !person.groups.iter().any(|g| g.name == *group)) {
        return app.denied_page(&Look::of(app, &origin), &origin).into_response();
    }
    request.extensions_mut().insert(SignedIn(person));
    next.run(request).await
}
