//! A browser, and Traefik between it and the applications: its requests are those that Traefik sends, header by header.

use std::sync::Mutex;

use ak_tests::server::{Client, PASSWORD, Reply};
use reqwest::header::HeaderMap;
use url::Url;

use super::kit::House;

/// The headers that the middleware of scenario S15 copies.
const COPIED: [&str; 13] = [
    "X-authentik-username",
    "X-authentik-groups",
    "X-authentik-entitlements",
    "X-authentik-email",
    "X-authentik-name",
    "X-authentik-uid",
    "X-authentik-jwt",
    "X-authentik-meta-jwks",
    "X-authentik-meta-outpost",
    "X-authentik-meta-provider",
    "X-authentik-meta-app",
    "X-authentik-meta-version",
    "authorization",
];

/// More redirects than this are a loop.
const HOPS: usize = 12;

struct Cookie {
    domain: String,
    host_only: bool,
    secure: bool,
    name: String,
    value: String,
}

/// A browser behind Traefik.
pub(crate) struct Web<'a> {
    house: &'a House,
    /// The browser with the installation itself.
    pub(crate) ak: Client,
    jar: Mutex<Vec<Cookie>>,
    /// Whether Traefik has a route for our path on the applications' hosts.
    routed: bool,
    /// Whether the browser keeps what applications' hosts set.
    keeps: bool,
}

/// Where a browser ends up.
pub(crate) enum Arrived {
    /// At an application, which sees these headers.
    App { url: String, headers: HeaderMap },
    /// At a page of ours.
    Page { url: String, reply: Reply },
}

impl Arrived {
    /// The application's address, and the headers that it sees.
    #[track_caller]
    pub(crate) fn app(self) -> (String, HeaderMap) {
        match self {
            Self::App { url, headers } => (url, headers),
            Self::Page { url, reply } => panic!("at {url}: {} {}", reply.status, reply.text),
        }
    }

    /// Our page.
    #[track_caller]
    pub(crate) fn page(self) -> Reply {
        match self {
            Self::Page { reply, .. } => reply,
            Self::App { url, .. } => panic!("at the application: {url}"),
        }
    }
}

pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("missing")
}

impl<'a> Web<'a> {
    /// A browser in which nobody has signed in.
    pub(crate) fn new(house: &'a House) -> Self {
        Self { house, ak: house.server.client(), jar: Mutex::default(), routed: true, keeps: true }
    }

    /// A browser in which somebody has signed in to the installation.
    pub(crate) async fn of(house: &'a House, username: &str) -> Self {
        Self::with(house, house.server.signed_in(username).await)
    }

    /// A browser that is `ak` to the installation.
    pub(crate) fn with(house: &'a House, ak: Client) -> Self {
        Self { ak, ..Self::new(house) }
    }

    /// Behind a Traefik that has no route for our path.
    pub(crate) fn unrouted(self) -> Self {
        Self { routed: false, ..self }
    }

    /// That keeps no cookies of applications.
    pub(crate) fn forgetful(self) -> Self {
        Self { keeps: false, ..self }
    }

    /// The cookies for an address.
    pub(crate) fn cookies(&self, url: &Url) -> String {
        let host = url.host_str().unwrap();
        let fits = |cookie: &&Cookie| {
            let within = host == cookie.domain || (!cookie.host_only && host.ends_with(&format!(".{}", cookie.domain)));
            within && (!cookie.secure || url.scheme() == "https")
        };
        let jar = self.jar.lock().unwrap();
        let pairs: Vec<String> = jar.iter().filter(fits).map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        pairs.join("; ")
    }

    /// Keeps the cookies that a reply from an address sets.
    pub(crate) fn keep(&self, url: &Url, reply: &Reply) {
        let host = url.host_str().unwrap();
        let mut jar = self.jar.lock().unwrap();
        for line in reply.cookies().iter().filter(|_| self.keeps) {
            let mut parts = line.split("; ");
            let (name, value) = parts.next().unwrap().split_once('=').unwrap();
            let attributes: Vec<&str> = parts.collect();
            let domain = attributes.iter().find_map(|attribute| attribute.strip_prefix("Domain="));
            let secure = attributes.contains(&"Secure");
            // As browsers do: another site's cookie, or one for TLS without it, is dropped.
            let foreign = domain.is_some_and(|domain| host != domain && !host.ends_with(&format!(".{domain}")));
            if foreign || (secure && url.scheme() != "https") {
                continue;
            }
            let domain_name = domain.unwrap_or(host).to_owned();
            jar.retain(|cookie| cookie.name != name || cookie.domain != domain_name);
            if !attributes.contains(&"Max-Age=0") {
                let (name, value) = (name.to_owned(), value.to_owned());
                jar.push(Cookie { domain: domain_name, host_only: domain.is_none(), secure, name, value });
            }
        }
    }

    /// Traefik's request for an address: what it asks the middleware, or sends to us by its own route.
    async fn traefik(&self, url: &Url, path: &str) -> Reply {
        let origin = url.origin().ascii_serialization();
        let host = origin.split_once("://").unwrap().1;
        let uri = url.as_str().strip_prefix(&origin).unwrap().split('#').next().unwrap();
        let cookies = self.cookies(url);
        let port = url.port_or_known_default().unwrap().to_string();
        let mut headers = vec![
            ("x-forwarded-for", "203.0.113.7"),
            ("x-forwarded-host", host),
            ("x-forwarded-port", port.as_str()),
            ("x-forwarded-proto", url.scheme()),
            ("x-forwarded-server", "traefik"),
            ("x-real-ip", "203.0.113.7"),
            ("user-agent", "Mozilla/5.0"),
            ("sec-fetch-dest", "document"),
            ("cookie", cookies.as_str()),
        ];
        if path.is_empty() {
            headers.extend([("x-forwarded-method", "GET"), ("x-forwarded-uri", uri)]);
            return self.house.ask("traefik", &headers).await;
        }
        headers.push(("host", host));
        self.house.client(&headers).get(path).await
    }

    /// Goes to an address, and on to where redirects lead.
    pub(crate) async fn go(&self, url: &str) -> Arrived {
        let mut url = url.to_owned();
        for _ in 0..HOPS {
            let at = Url::parse(&url).unwrap_or_else(|_| panic!("no address: {url}"));
            let ours = url.starts_with(&self.house.server.url);
            let rest = at.as_str().strip_prefix(&at.origin().ascii_serialization()).unwrap().to_owned();
            let reply = match () {
                () if ours => self.ak.get(&rest).await,
                () if self.routed && at.path().starts_with("/outpost.goauthentik.io/") => self.traefik(&at, &rest).await,
                () => self.traefik(&at, "").await,
            };
            if !ours {
                self.keep(&at, &reply);
            }
            if (300..400).contains(&reply.status) {
                url = at.join(reply.location()).unwrap_or_else(|_| panic!("no address: {}", reply.location())).to_string();
            } else if reply.status == 200 && !ours {
                let copied = COPIED.iter().filter_map(|name| Some((name.parse().unwrap(), reply.headers.get(*name)?.clone())));
                return Arrived::App { url, headers: copied.collect() };
            } else {
                return Arrived::Page { url, reply };
            }
        }
        panic!("a loop, the last time at {url}");
    }

    /// Signs in at the page where the browser is, and goes on.
    pub(crate) async fn sign_in(&self, page: &Reply, username: &str) -> Arrived {
        let next = self.ak.submit(page, &[("uid_field", username)]).await;
        let page = self.ak.follow(next.location()).await;
        let next = self.ak.submit(&page, &[("password", PASSWORD)]).await;
        assert_eq!(next.status, 303, "{}", next.text);
        let base = Url::parse(&self.house.server.url).unwrap();
        self.go(base.join(next.location()).unwrap().as_str()).await
    }
}
