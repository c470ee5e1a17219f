//! What a reverse proxy is told of a request that nobody is behind who has signed in.

use super::forwarded::{Asker, Forwarded};
use super::provider::ProxyProvider;
use crate::oauth2::discovery::Endpoints;

/// What it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The browser is led here.
    Redirect(String),
    /// 401: the proxy leads the browser itself.
    Unauthorized,
    /// 401: the credentials in the request are wrong, and others would do.
    Credentials,
}

/// What is told. `has_credentials`: there is an `Authorization` header, and nobody was found by it.
pub fn refuse(asker: Asker, provider: &ProxyProvider, request: &Forwarded, has_credentials: bool) -> Refusal {
    // A program is no browser: led to a page it would take that for the application's answer.
    if provider.intercept_header_auth && has_credentials {
        return Refusal::Credentials;
    }
    match asker {
        Asker::Traefik | Asker::Caddy => Refusal::Redirect(start_url(provider, request)),
        Asker::Nginx => Refusal::Unauthorized,
    }
}

/// The way to sign in for a request, on the host that it was sent to. Where the provider is on TLS, so is the way: a proxy behind another
/// one may not know of it, and the cookies are not sent without it.
pub fn start_url(provider: &ProxyProvider, request: &Forwarded) -> String {
    let request = Forwarded { https: request.https || provider.external_host.is_https(), ..request.clone() };
    let (start, url) = (format!("{}/outpost.goauthentik.io/start", request.base()), request.url());
    // What would not fit into the authorization request would not come back from there, and may be more than the way there carries.
    if url.len() > MAX_AUTHORIZATION { start } else { format!("{start}?{}", encode([("rd", url.as_str())])) }
}

/// The longest authorization request that a browser is sent with, in bytes: servers and proxies on its way take 8 KiB.
pub const MAX_AUTHORIZATION: usize = 6 * 1024;

/// The longest state that the authorization endpoint gives back, in bytes.
pub const MAX_STATE: usize = 4096;

/// The authorization request (RFC 6749, section 4.1.1) to the installation at `base`. `silent`: nobody would see a page, so none is to be
/// shown (OpenID Connect Core, section 3.1.2.1).
pub fn authorize_url(base: &str, provider: &ProxyProvider, scopes: &[String], state: &str, silent: bool) -> String {
    let (callback, scope) = (provider.callback(), scopes.join(" "));
    let query = encode([
        ("client_id", provider.client_id.as_str()),
        ("redirect_uri", &callback),
        ("response_type", "code"),
        ("scope", &scope),
        ("state", state),
    ]);
    let prompt = if silent { "&prompt=none" } else { "" };
    format!("{}?{query}{prompt}", Endpoints::new(base, "").shared("authorize"))
}

fn encode<const N: usize>(pairs: [(&str, &str); N]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[cfg(test)]
mod tests {
    use super::super::forwarded::Own;
    use super::super::provider::tests::single;
    use super::*;

    #[test]
    fn browsers_are_led_to_sign_in_and_programs_are_not() {
        let mut app = single("https://app.example");
        let request = Forwarded::direct(Own { host: "app.example", https: true }, "/a?b=c&d=%2F").unwrap();
        let start = "https://app.example/outpost.goauthentik.io/start?rd=https%3A%2F%2Fapp.example%2Fa%3Fb%3Dc%26d%3D%252F";
        for asker in [Asker::Traefik, Asker::Caddy] {
            assert_eq!(refuse(asker, &app, &request, false), Refusal::Redirect(start.to_owned()));
            assert_eq!(refuse(asker, &app, &request, true), Refusal::Credentials);
        }
        assert_eq!(refuse(Asker::Nginx, &app, &request, false), Refusal::Unauthorized);
        // Behind a load balancer that ends TLS.
        let plain = Forwarded::direct(Own { host: "app.example", https: false }, "/a?b=c&d=%2F").unwrap();
        assert_eq!(refuse(Asker::Traefik, &app, &plain, false), Refusal::Redirect(start.to_owned()));
        let own = start_url(&single("http://app.example:8080"), &plain);
        assert_eq!(own, "http://app.example/outpost.goauthentik.io/start?rd=http%3A%2F%2Fapp.example%2Fa%3Fb%3Dc%26d%3D%252F");
        let long =
            Forwarded::direct(Own { host: "app.example", https: true }, &format!("/{}", "x".repeat(MAX_AUTHORIZATION))).unwrap();
        assert_eq!(start_url(&app, &long), "https://app.example/outpost.goauthentik.io/start");
        app.intercept_header_auth = false;
        assert_eq!(refuse(Asker::Traefik, &app, &request, true), Refusal::Redirect(start.to_owned()));
    }

    #[test]
    fn the_authorization_request_is_that_of_a_client() {
        let url =
            authorize_url("https://id.example/", &single("https://app.example"), &["openid".into(), "email".into()], "a.b", true);
        let url = url::Url::parse(&url).unwrap();
        assert_eq!((url.host_str(), url.path()), (Some("id.example"), "/application/o/authorize/"));
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let callback = "https://app.example/outpost.goauthentik.io/callback?X-authentik-auth-callback=true";
        for pair in
            [("client_id", "client"), ("redirect_uri", callback), ("scope", "openid email"), ("state", "a.b"), ("prompt", "none")]
        {
            assert!(pairs.contains(&(pair.0.to_owned(), pair.1.to_owned())), "{pair:?} in {pairs:?}");
        }
    }
}
