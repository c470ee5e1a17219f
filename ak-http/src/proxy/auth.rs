//! `/outpost.goauthentik.io/auth/{traefik,caddy,nginx}`: whether a request may pass.

use ak_providers::oauth2::issue::Failure;
use ak_providers::proxy::{
    Asker, Endpoint, Forwarded, Own, Proof, ProxyMode, ProxyProvider, Refusal, Refused, Verdict, is_disguised, left_standing,
    of_nobody, refuse,
};
use axum::extract::{Extension, OriginalUri, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{Place, login, own_host, told};
use crate::app::App;
use crate::client::Origin;
use crate::extract::Segment;
use crate::view::Look;

/// Any method: the proxy may ask by that of the request.
pub(super) async fn ask(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    Segment(asker): Segment,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    let Some(asker) = Asker::parse(&asker) else { return app.not_found_page(&Look::of(&app, &origin)) };
    if headers.keys().any(|name| is_disguised(name.as_str())) {
        tracing::warn!(request_id = origin.request_id, "a request bears a forged identity");
        return forged();
    }
    let own = Own { host: own_host(&headers, &uri), https: origin.is_https() };
    let said = told(&headers);
    let request = match Forwarded::parse(asker, origin.by_proxy.then_some(&said), own) {
        Ok(request) => request,
        Err(error) => {
            tracing::warn!(request_id = origin.request_id, %error, "a reverse proxy asks in a way that cannot be answered");
            return plain(StatusCode::BAD_REQUEST, &format!("This cannot be answered: {error}."));
        }
    };
    // A browser asks itself, by a route for our path. For this, anybody may say so.
    if said.is_by_route() {
        return plain(StatusCode::UNAUTHORIZED, "Only a reverse proxy may ask this.");
    }
    let endpoint = request.endpoint();
    // What is asked by HEAD for our endpoints comes from nobody, as everywhere.
    let is_head = headers.get("x-forwarded-method").is_some_and(|method| method == "HEAD");
    let headers = if is_head && endpoint.is_some() { HeaderMap::new() } else { headers };
    let Some(place) = Place::find(&app, &origin, &headers, request) else { return app.no_application(&origin) };
    match (asker, endpoint) {
        // The proxy has no route of its own for our path: what was asked for is answered here.
        (Asker::Traefik | Asker::Caddy, Some(Endpoint::Ping | Endpoint::Nothing)) => app.not_found_page(&Look::of(&app, &origin)),
        (Asker::Traefik | Asker::Caddy, Some(endpoint)) => login::answer(&place, endpoint).await,
        _ => place.decide(asker).await,
    }
}

impl Place<'_> {
    async fn decide(&self, asker: Asker) -> Response {
        let Some(provider) = self.provider() else { return self.app.no_application(self.origin) };
        let authorization = self.headers.get(header::AUTHORIZATION);
        let credentials = authorization.filter(|_| provider.intercept_header_auth).and_then(|value| value.to_str().ok());
        let sessions = self.sessions(provider);
        let proofs = sessions.iter().map(|value| Proof::Session(value)).chain(credentials.map(Proof::Credentials));
        let from = || self.from();
        let (mut refused, mut undecided) = (None, None);
        for proof in proofs {
            match self.app.keeper.admit(&self.snapshot, self.at, proof, self.origin.ip, &from).await {
                Ok(Verdict::Admitted(admission)) => return self.let_through(asker, &admission.headers),
                Ok(Verdict::Refused(why)) => refused = Some(why),
                Ok(Verdict::Nobody) => {}
                Err(failure @ Failure::Undecided(_)) => undecided = Some(failure),
                Err(failure) => return self.app.outpost_failed(self.origin, failure),
            }
        }
        if provider.skip_path_regex.fits(&self.request, provider.mode == ProxyMode::ForwardDomain) {
            return self.let_through(asker, &of_nobody());
        }
        if let Some(failure) = undecided {
            return self.app.outpost_failed(self.origin, failure);
        }
        // To sign in once more would change nothing, or lead in circles.
        if let Some(refused) = refused {
            return self.refuse(&refused).await;
        }
        self.turn_away(asker, provider, authorization.is_some())
    }

    async fn refuse(&self, refused: &Refused) -> Response {
        let (reference, is_first) = refused.reference(&self.origin.request_id);
        if is_first {
            return self.app.denied_page(self.origin, &refused.denial).await;
        }
        let look = Look { request_id: reference.to_owned(), ..Look::of(self.app, self.origin) };
        self.app.known_denial_page(&look, &refused.denial)
    }

    fn let_through(&self, asker: Asker, headers: &[(String, String)]) -> Response {
        // Traefik and Caddy say which path was asked for. Where nobody does, a browser may have come by a route for our path, and a script
        // in it would read what only the application is to know. A script can say it too, and what a proxy that passes this on sends is then
        // what it sends when it asks: only a proxy that has no route to here keeps it away.
        let is_asked = asker == Asker::Nginx || self.headers.contains_key("x-forwarded-uri");
        let mut response = StatusCode::OK.into_response();
        let all = response.headers_mut();
        for (name, value) in headers {
            let value = match name.as_str() {
                "authorization" if !is_asked => continue,
                "x-authentik-jwt" if !is_asked => "",
                _ => value,
            };
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes())) {
                all.insert(name, value);
            }
        }
        if let Some(agent) = self.headers.get(header::USER_AGENT).filter(|_| asker == Asker::Nginx) {
            all.insert(header::USER_AGENT, agent.clone());
        }
        let says = |headers: &HeaderMap, name: &str| headers.get_all(name).iter().any(|value| !value.is_empty());
        match left_standing(|name| says(self.headers, name), |name| says(all, name)).filter(|_| asker == Asker::Caddy) {
            Some(name) => {
                tracing::warn!(request_id = self.origin.request_id, name, "a request bears a forged identity");
                forged()
            }
            None => response,
        }
    }

    fn turn_away(&self, asker: Asker, provider: &ProxyProvider, has_credentials: bool) -> Response {
        match refuse(asker, provider, &self.request, has_credentials) {
            Refusal::Redirect(to) => login::found(&to),
            Refusal::Unauthorized => plain(StatusCode::UNAUTHORIZED, "Nobody has signed in."),
            Refusal::Credentials => {
                let mut response = plain(StatusCode::UNAUTHORIZED, "The credentials are wrong.");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"authentik\""));
                response
            }
        }
    }
}

fn forged() -> Response {
    plain(StatusCode::FORBIDDEN, "The request bears headers that only this server may set.")
}

/// A short answer for programs, and for people behind a proxy that shows it.
fn plain(status: StatusCode, text: &str) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store"), (header::CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{text}\n"))
        .into_response()
}
