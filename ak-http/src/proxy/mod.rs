//! Forward authentication: `/outpost.goauthentik.io/…`, on the hosts of applications and for the reverse proxies in front of them.
//!
//! What is asked and answered is `ak_providers`' business; here it comes in and goes out.

mod auth;
mod login;

use std::borrow::Cow;
use std::sync::Arc;

use ak_flows::CookieChange;
use ak_policy::Application;
use ak_providers::oauth2::issue::{Failure, From};
use ak_providers::outpost::Outpost;
use ak_providers::proxy::{Forwarded, Own, ProxyProvider, Told, cookie};
use ak_store::model::{Ref, Snapshot};
use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};

use crate::app::App;
use crate::client::Origin;
use crate::error::ApiError;
use crate::oauth2::AUTHORIZE;
use crate::pages::ErrorView;
use crate::session::cookies;
use crate::view::Look;

/// Everything below `/outpost.goauthentik.io/`.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/auth/{asker}", any(auth::ask))
        .route("/start", get(login::direct))
        .route("/callback", get(login::direct))
        .route("/sign_out", get(login::direct))
        .route("/ping", get(login::ping))
}

/// The lines of the headers by which a reverse proxy tells of a request. A line that is no text says what cannot be; an address may hold
/// letters of any language and encoding, as browsers have sent them.
fn told(headers: &HeaderMap) -> Told<'_> {
    let lines = |name: &str| headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("\u{0}")).collect();
    let addresses = |name: &str| headers.get_all(name).iter().map(|line| address(line.as_bytes())).collect();
    Told {
        hosts: lines("x-forwarded-host"),
        protos: lines("x-forwarded-proto"),
        uris: addresses("x-forwarded-uri"),
        original_urls: addresses("x-original-url"),
    }
}

/// An address in UTF-8; one in another encoding with the bytes percent-encoded that are not ASCII.
fn address(bytes: &[u8]) -> Cow<'_, str> {
    let escape = |byte: &u8| if byte.is_ascii() { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
    std::str::from_utf8(bytes).map_or_else(|_| bytes.iter().map(escape).collect::<String>().into(), Cow::Borrowed)
}

/// The host that a request was itself sent to, whatever is said about it.
fn own_host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> &'a str {
    let named = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    named.or_else(|| uri.authority().map(|authority| authority.as_str())).unwrap_or_default()
}

/// A request for an application, the provider in front of it, and who sent it.
struct Place<'a> {
    app: &'a App,
    origin: &'a Origin,
    headers: &'a HeaderMap,
    snapshot: Arc<Snapshot>,
    request: Forwarded,
    at: Ref<ProxyProvider>,
}

impl<'a> Place<'a> {
    /// `None`: no provider with an application stands in front of the request's host.
    fn find(app: &'a App, origin: &'a Origin, headers: &'a HeaderMap, request: Forwarded) -> Option<Self> {
        let snapshot = app.store().snapshot();
        let at = app.keeper.routes(&snapshot).find(&request.host)?;
        Application::of_provider(&snapshot, at.pk())?;
        Some(Self { app, origin, headers, snapshot, request, at })
    }

    fn provider(&self) -> Option<&ProxyProvider> {
        self.snapshot.get(self.at)
    }

    /// The slug of the application behind the provider.
    fn application(&self) -> Option<&str> {
        Application::of_provider(&self.snapshot, self.at.pk()).map(|(_, application)| application.slug.as_str())
    }

    /// Where the request comes from. Policies and mappings see it as where people sign in: what they say there, they are to say here.
    fn from(&self) -> From {
        let base = self.app.installation(&self.snapshot).unwrap_or_default();
        let (scheme, host) = base.split_once("://").unwrap_or_default();
        let http = self.origin.seen_as(scheme, host, "GET", AUTHORIZE);
        From { ip: self.origin.ip, base, http: Some(Arc::new(http)) }
    }

    /// The values of the cookie of the provider's sessions. Other hosts of the domain may have set some of that name.
    fn sessions(&self, provider: &ProxyProvider) -> Vec<String> {
        cookies(self.headers, &cookie::name(provider)).into_iter().filter(|value| !value.is_empty()).take(4).collect()
    }
}

impl App {
    /// `https://id.example`: where browsers find this installation, from other hosts.
    fn installation(&self, snapshot: &Snapshot) -> Option<String> {
        let outpost = Outpost::embedded(snapshot).map(|(_, outpost)| outpost);
        let base_url = || self.options.base_url.as_deref().map(|base| base.trim_end_matches('/').to_owned());
        outpost.and_then(Outpost::host).or_else(base_url).or_else(|| outpost.and_then(Outpost::learned_host))
    }

    /// Where an administrator signs in is where browsers find this installation, as long as nobody says otherwise: the embedded outpost
    /// remembers it, and a name of the network rather than an address or a name of the machine itself, where set-up often begins. That it
    /// cannot is no reason not to let her in.
    pub(crate) async fn learn_installation(&self, origin: &Origin, change: &CookieChange) {
        let CookieChange::Set { user: Some(user), .. } = change else { return };
        let snapshot = self.store().snapshot();
        let learns = |outpost: &Outpost| self.options.base_url.is_none() && outpost.learns(&origin.base());
        let Some((at, outpost)) = Outpost::embedded(&snapshot).filter(|(_, outpost)| learns(outpost)) else { return };
        let kept = async {
            let person = self.runner.directory().person(*user).await?;
            if !person.is_some_and(|person| person.is_superuser()) {
                return Ok(());
            }
            let outpost = Outpost { learned_host: origin.base(), ..outpost.clone() };
            self.store().write(|draft| draft.set(at, &outpost)).await
        };
        if let Err(error) = kept.await {
            tracing::warn!(%error, "the embedded outpost does not know where this installation is");
        }
    }

    /// No provider stands in front of the host: nothing is let through.
    fn no_application(&self, origin: &Origin) -> Response {
        let message = "No application is set up for this host.";
        let error = ErrorView { status: 404, heading: "Not found", message, retry_url: "", home_url: "" };
        self.error_page(&Look::of(self, origin), &error)
    }

    /// Something is broken: nothing is let through.
    fn outpost_failed(&self, origin: &Origin, failure: Failure) -> Response {
        match failure {
            Failure::Store(error) => ApiError::from(error).into_response(),
            Failure::Broken(why) => self.misconfigured(origin, &why),
            Failure::Undecided(why) => self.undecided(origin, &why),
            Failure::Protocol(why) => self.misconfigured(origin, &why.to_string()),
        }
    }

    /// Policies have not come to a decision: nothing is let through, and nobody is refused for good.
    fn undecided(&self, origin: &Origin, why: &str) -> Response {
        tracing::warn!(request_id = origin.request_id, why, "forward authentication has to wait");
        self.failed_page(&Look::of(self, origin), StatusCode::SERVICE_UNAVAILABLE, "")
    }

    fn misconfigured(&self, origin: &Origin, why: &str) -> Response {
        tracing::error!(request_id = origin.request_id, why, "forward authentication failed");
        let message = "The application is not set up completely. The reference below leads your administrator to the reason.";
        let error = ErrorView { status: 500, heading: "Something went wrong", message, retry_url: "", home_url: "" };
        self.error_page(&Look::of(self, origin), &error)
    }
}

/// Puts a cookie into a response.
fn add_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// What a request was sent to directly: by what the proxy in front says of the host, and its own path.
fn direct(origin: &Origin, headers: &HeaderMap, uri: &Uri) -> Option<Forwarded> {
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    // The usual configuration of nginx sends the host without its port, and the whole address beside.
    let said = told(headers);
    let original = || Forwarded::parse(ak_providers::proxy::Asker::Nginx, Some(&said), Own { host: "", https: false }).ok();
    let (host, https) = match origin.by_proxy.then(original).flatten() {
        Some(original) => (original.host.to_string(), original.https),
        None => (origin.host.clone(), origin.is_https()),
    };
    Forwarded::direct(Own { host: &host, https }, target).ok()
}
