//! What a reverse proxy says of the request that it asks about.

use std::borrow::Cow;

use super::destination::{MAX_URL, escaped};
use super::host::Host;
use super::path::may_be_below;

/// The reverse proxy that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// Traefik's `forwardAuth`.
    Traefik,
    /// Caddy's `forward_auth`.
    Caddy,
    /// nginx's `auth_request`.
    Nginx,
}

impl Asker {
    /// The proxy of that name in the endpoint's path.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "traefik" => Some(Self::Traefik),
            "caddy" => Some(Self::Caddy),
            "nginx" => Some(Self::Nginx),
            _ => None,
        }
    }
}

/// The headers by which it says so, every line of each.
#[derive(Debug, Clone, Default)]
pub struct Told<'a> {
    /// `X-Forwarded-Host`.
    pub hosts: Vec<&'a str>,
    /// `X-Forwarded-Proto`.
    pub protos: Vec<&'a str>,
    /// `X-Forwarded-Uri`.
    pub uris: Vec<Cow<'a, str>>,
    /// `X-Original-URL`.
    pub original_urls: Vec<Cow<'a, str>>,
}

impl Told<'_> {
    /// Whether the address that a browser has asked for is said to be one of ours: the proxy does not ask, it passes on by a route.
    pub fn is_by_route(&self) -> bool {
        let mut urls = self.original_urls.iter().filter_map(|url| Forwarded::of_url(url).ok());
        urls.any(|request| may_be_below(request.path(), OURS))
    }
}

/// What the question itself was sent to: what counts where nothing is said.
#[derive(Debug, Clone, Copy)]
pub struct Own<'a> {
    /// The host.
    pub host: &'a str,
    /// Whether it came over TLS.
    pub https: bool,
}

/// A request that somebody has sent to an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarded {
    /// Whether it was sent over TLS.
    pub https: bool,
    /// The host that it was sent to, without the port that its scheme has anyway.
    pub host: Host,
    /// Path and query.
    pub target: String,
    /// Whether the path was told, and is not only presumed.
    pub is_told: bool,
}

/// What a reverse proxy says cannot be believed: nothing is let through for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadForwarded {
    /// It says several things.
    #[error("the headers that tell of the request contradict each other")]
    Contradiction,
    /// The host is none.
    #[error("the host of the request is none")]
    Host,
    /// The address is none.
    #[error("the address of the request is none")]
    Target,
}

/// The one value that all lines and all entries of a header have. `Ok(None)`: it is not there.
fn only<'a>(lines: &[&'a str]) -> Result<Option<&'a str>, BadForwarded> {
    let mut all = lines.iter().flat_map(|line| line.split(',')).map(str::trim);
    let Some(first) = all.next() else { return Ok(None) };
    if all.all(|other| other.eq_ignore_ascii_case(first)) { Ok(Some(first)) } else { Err(BadForwarded::Contradiction) }
}

/// The one line of a header whose values may hold commas.
fn line<'a>(lines: &'a [Cow<'_, str>]) -> Result<Option<&'a str>, BadForwarded> {
    match lines {
        [] => Ok(None),
        [first, rest @ ..] if rest.iter().all(|other| other == first) => Ok(Some(first.as_ref())),
        _ => Err(BadForwarded::Contradiction),
    }
}

/// `http` and `https`, also where they carry web sockets.
fn is_https(scheme: &str) -> Option<bool> {
    match scheme.to_ascii_lowercase().as_str() {
        "https" | "wss" => Some(true),
        "http" | "ws" => Some(false),
        _ => None,
    }
}

/// A path with its query as it stands in a request, the query in ASCII; the start where there is none.
fn target(text: &str) -> Result<String, BadForwarded> {
    let text = if text.is_empty() { "/" } else { text };
    let (path, query) = text.split_at(text.find('?').unwrap_or(text.len()));
    let target = format!("{path}{}", escaped(query));
    let fits = text.starts_with('/') && text.len() <= MAX_URL && target.bytes().all(|b| b.is_ascii_graphic());
    if fits { Ok(target) } else { Err(BadForwarded::Target) }
}

impl Forwarded {
    /// Reads what `asker` says; `told` is `None` where it is not to be believed. What is not said is what the question itself was sent to.
    ///
    /// # Errors
    /// Where it contradicts itself, or says what cannot be.
    pub fn parse(asker: Asker, told: Option<&Told<'_>>, own: Own<'_>) -> Result<Self, BadForwarded> {
        match (asker, told) {
            (_, None) => Self::presumed(own.https, own.host),
            // It leaves what came from the browser in the other headers, so they say nothing.
            (Asker::Nginx, Some(told)) => match line(&told.original_urls)? {
                Some(url) => Self::of_url(url),
                None => Self::presumed(own.https, own.host),
            },
            (Asker::Traefik | Asker::Caddy, Some(told)) => {
                let host = only(&told.hosts)?.filter(|host| !host.is_empty()).unwrap_or(own.host);
                // A chain of proxies may have several hops: the browser's is the first. Where it does not matter, nothing depends on it.
                let proto = told.protos.first().and_then(|line| line.split(',').next()).map(str::trim);
                let https = proto.and_then(is_https).unwrap_or(own.https);
                match line(&told.uris)?.filter(|uri| !uri.is_empty()) {
                    Some(uri) => Self::new(https, host, uri),
                    None => Self::presumed(https, host),
                }
            }
        }
    }

    /// A request to one of our own endpoints that was sent to the application's host.
    ///
    /// # Errors
    /// Where the host or the address cannot be.
    pub fn direct(own: Own<'_>, path_and_query: &str) -> Result<Self, BadForwarded> {
        Self::new(own.https, own.host, path_and_query)
    }

    fn new(https: bool, host: &str, text: &str) -> Result<Self, BadForwarded> {
        let host = Host::parse(host).ok_or(BadForwarded::Host)?.in_scheme(https);
        Ok(Self { https, host, target: target(text)?, is_told: true })
    }

    /// Nobody says which path was asked for: it is taken to be the start, which opens nothing that is open by its path.
    fn presumed(https: bool, host: &str) -> Result<Self, BadForwarded> {
        Self::new(https, host, "/").map(|request| Self { is_told: false, ..request })
    }

    fn of_url(url: &str) -> Result<Self, BadForwarded> {
        let (scheme, rest) = url.split_once("://").ok_or(BadForwarded::Target)?;
        let https = is_https(scheme).ok_or(BadForwarded::Target)?;
        let (host, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Self::new(https, host, target)
    }

    /// `https://app.example`: where it was sent.
    pub fn base(&self) -> String {
        format!("{}://{}", if self.https { "https" } else { "http" }, self.host)
    }

    /// The whole address.
    pub fn url(&self) -> String {
        format!("{}{}", self.base(), self.target)
    }

    /// The path.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The query; empty where there is none.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The endpoint of ours that was really meant, if one was.
    pub fn endpoint(&self) -> Option<Endpoint> {
        endpoint(self.path(), self.query())
    }
}

/// Our endpoints on the hosts of applications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// The way to sign in.
    Start,
    /// The way back from it.
    Callback,
    /// The way out.
    SignOut,
    /// Whether anybody is there.
    Ping,
    /// Something below our path that there is not.
    Nothing,
}

/// The path below which our endpoints are on the hosts of applications.
const OURS: &str = "/outpost.goauthentik.io";

/// The endpoint of ours that a path and a query mean, on whichever path where the query bears a sign of ours.
pub fn endpoint(path: &str, query: &str) -> Option<Endpoint> {
    if let Some(rest) = path.strip_prefix(OURS) {
        return match rest.trim_end_matches('/') {
            "/start" => Some(Endpoint::Start),
            "/callback" => Some(Endpoint::Callback),
            "/sign_out" => Some(Endpoint::SignOut),
            "/ping" => Some(Endpoint::Ping),
            _ if rest.is_empty() || rest.starts_with('/') => Some(Endpoint::Nothing),
            _ => None,
        };
    }
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find_map(|(name, value)| match (name.to_ascii_lowercase().as_str(), value) {
        ("x-authentik-auth-callback", "true") => Some(Endpoint::Callback),
        ("x-authentik-logout", "true") => Some(Endpoint::SignOut),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OWN: Own<'static> = Own { host: "id.example:9000", https: false };

    fn told<'a>(host: &'a str, proto: &'a str, uri: &'a str) -> Told<'a> {
        Told { hosts: vec![host], protos: vec![proto], uris: vec![uri.into()], original_urls: Vec::new() }
    }

    fn parse(asker: Asker, told: &Told<'_>) -> Result<String, BadForwarded> {
        Forwarded::parse(asker, Some(told), OWN).map(|forwarded| forwarded.url())
    }

    #[test]
    fn each_proxy_says_it_in_its_own_way() {
        let asked = told("App.example", "https", "/a/b?c=d&e=f,g");
        for asker in [Asker::Traefik, Asker::Caddy] {
            assert_eq!(parse(asker, &asked).unwrap(), "https://app.example/a/b?c=d&e=f,g");
        }
        let original =
            Told { original_urls: vec!["https://app.example:8443/a?b=%20".into()], ..told("evil.example", "http", "/forged") };
        assert_eq!(parse(Asker::Nginx, &original).unwrap(), "https://app.example:8443/a?b=%20");
        assert_eq!(parse(Asker::Nginx, &asked).unwrap(), "http://id.example:9000/", "what a browser can have sent says nothing");
        assert_eq!(parse(Asker::Traefik, &told("app.example:443", "https", "/")).unwrap(), "https://app.example/");
    }

    #[test]
    fn what_is_not_said_is_what_was_asked() {
        assert_eq!(parse(Asker::Traefik, &Told::default()).unwrap(), "http://id.example:9000/");
        let nobody = Forwarded::parse(Asker::Traefik, None, OWN).unwrap();
        assert_eq!(nobody.url(), "http://id.example:9000/", "who is not trusted says nothing");
        assert_eq!(
            parse(Asker::Caddy, &Told { uris: vec!["/x".into()], ..Told::default() }).unwrap(),
            "http://id.example:9000/x"
        );
    }

    #[test]
    fn a_path_that_is_presumed_is_none_that_was_told() {
        let is_told = |asker, told: Option<&Told<'_>>| Forwarded::parse(asker, told, OWN).unwrap().is_told;
        let original = Told { original_urls: vec!["https://app.example".into()], ..Told::default() };
        let uri = told("app.example", "https", "/");
        assert!(is_told(Asker::Nginx, Some(&original)) && is_told(Asker::Traefik, Some(&uri)));
        for (asker, told) in [
            (Asker::Nginx, Some(&uri)),
            (Asker::Nginx, None),
            (Asker::Traefik, Some(&original)),
            (Asker::Caddy, Some(&told("app.example", "https", ""))),
            (Asker::Caddy, None),
        ] {
            assert!(!is_told(asker, told), "{asker:?} {told:?}");
        }
    }

    #[test]
    fn contradictions_and_nonsense_are_refused() {
        let twice = Told { hosts: vec!["a.example", "b.example"], ..Told::default() };
        assert_eq!(parse(Asker::Traefik, &twice), Err(BadForwarded::Contradiction));
        let listed = Told { hosts: vec!["a.example, b.example"], ..Told::default() };
        assert_eq!(parse(Asker::Caddy, &listed), Err(BadForwarded::Contradiction));
        let same = Told { hosts: vec!["a.example, A.example", "a.example"], ..Told::default() };
        assert_eq!(parse(Asker::Caddy, &same).unwrap(), "http://a.example/");
        let uris = Told { uris: vec!["/public".into(), "/admin".into()], ..Told::default() };
        assert_eq!(parse(Asker::Traefik, &uris), Err(BadForwarded::Contradiction));
        for host in ["a b", "a@b", "a/b", "a.example:x", "a\\b"] {
            assert_eq!(parse(Asker::Traefik, &told(host, "https", "/")), Err(BadForwarded::Host), "{host}");
        }
        for uri in ["x", "http://b.example/", "/a b", "/a\u{7f}", "/ä", "*"] {
            assert_eq!(parse(Asker::Traefik, &told("a.example", "https", uri)), Err(BadForwarded::Target), "{uri}");
        }
        assert_eq!(parse(Asker::Caddy, &told("a.example", "https", "/?q=ä")).unwrap(), "https://a.example/?q=%C3%A4");
        let long = format!("/{}", "x".repeat(MAX_URL));
        assert_eq!(parse(Asker::Traefik, &told("a.example", "https", &long)), Err(BadForwarded::Target));
        for url in ["a.example/", "ftp://a.example/", "https:///x", "https://u@a.example/", "https://a.example?x"] {
            let told = Told { original_urls: vec![url.into()], ..Told::default() };
            assert!(parse(Asker::Nginx, &told).is_err(), "{url}");
        }
    }

    #[test]
    fn our_endpoints_are_found_below_our_path_and_by_our_signs() {
        for (target, expected) in [
            ("/outpost.goauthentik.io/start?rd=x", Some(Endpoint::Start)),
            ("/outpost.goauthentik.io/callback", Some(Endpoint::Callback)),
            ("/outpost.goauthentik.io/sign_out/", Some(Endpoint::SignOut)),
            ("/outpost.goauthentik.io/ping", Some(Endpoint::Ping)),
            ("/outpost.goauthentik.io", Some(Endpoint::Nothing)),
            ("/outpost.goauthentik.io/../x", Some(Endpoint::Nothing)),
            ("/outpost.goauthentik.iox", None),
            ("/?X-authentik-auth-callback=true", Some(Endpoint::Callback)),
            ("/a?b=c&X-authentik-logout=true", Some(Endpoint::SignOut)),
            ("/?X-authentik-logout=false", None),
            ("/start", None),
        ] {
            let forwarded = Forwarded::direct(OWN, target).unwrap();
            assert_eq!(forwarded.endpoint(), expected, "{target}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_refused_or_is_an_address(host in "\\PC{0,20}", proto in "\\PC{0,8}", uri in "\\PC{0,40}") {
            for asker in [Asker::Traefik, Asker::Caddy, Asker::Nginx] {
                let original = format!("{proto}://{host}{uri}");
                let told = Told { original_urls: vec![original.into()], ..told(&host, &proto, &uri) };
                if let Ok(forwarded) = Forwarded::parse(asker, Some(&told), OWN) {
                    let url = url::Url::parse(&forwarded.url()).unwrap();
                    let name = url.host_str().unwrap_or_default().to_owned();
                    prop_assert!(forwarded.target.starts_with('/') && !name.is_empty());
                    prop_assert_eq!(url.username(), "");
                }
            }
        }
    }
}
