//! Where a request really comes from, and what it asked for: the peer's word, or that of a proxy that is trusted.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use ipnet::IpNet;

use crate::app::App;

/// The origin of a request as the browser sees it.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Address of the browser.
    pub ip: Option<IpAddr>,
    /// Whether the browser runs on the machine itself.
    pub at_machine: bool,
    /// Whether the request came by a proxy that is believed what it says.
    pub by_proxy: bool,
    /// `https` or `http`.
    pub scheme: &'static str,
    /// Host as asked for, with its port if it has one; checked to be a host.
    pub host: String,
    /// `User-Agent`, shortened to what is kept.
    pub user_agent: String,
    /// Id of the request.
    pub request_id: String,
}

impl Origin {
    /// Host without port.
    pub fn host_name(&self) -> &str {
        match self.host.rfind(':') {
            Some(at) if !self.host.ends_with(']') => self.host.get(..at).unwrap_or(&self.host),
            _ => &self.host,
        }
    }

    /// Whether the browser's connection is encrypted.
    pub fn is_https(&self) -> bool {
        self.scheme == "https"
    }

    /// `https://host`, as browsers write it in `Origin`.
    pub fn base(&self) -> String {
        format!("{}://{}", self.scheme, self.host)
    }

    /// Whether a browser sent this request from a page of another origin. Without the headers by which browsers say so, it did not:
    /// then it is no browser of this decade, and tokens have to do.
    pub fn is_cross_site(&self, headers: &HeaderMap) -> bool {
        let text = |name: &str| headers.get(name).map(|v| v.to_str().unwrap_or("invalid"));
        match (text("sec-fetch-site"), text("origin")) {
            (Some(site), _) => !matches!(site, "same-origin" | "none"),
            (None, Some(origin)) => !origin.eq_ignore_ascii_case(&self.base()),
            (None, None) => false,
        }
    }
}

/// Marks a connection that came in over TLS.
#[derive(Debug, Clone, Copy)]
pub struct OverTls;

/// Finds out the origin of a request, gives it an id, and says what became of it.
pub(crate) async fn identify(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip());
    let over_tls = request.extensions().get::<OverTls>().is_some();
    let id = app.store().rng().hex_id();
    let origin = origin(request.headers(), request.uri(), peer, over_tls, &app.options.trusted_proxies, id.clone());
    let method = request.method().clone();
    // The route and not the path: paths hold recovery keys.
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| "-".to_owned(), |m| m.as_str().to_owned());
    let watched = !route.starts_with("/-/") && !route.starts_with("/static/");
    let ip = origin.ip;
    request.extensions_mut().insert(origin);
    let begun = app.store().clock().monotonic_micros();
    if watched && let Err(error) = app.store().refresh_now_and_then().await {
        // What is known stays in force; whether the storage answers is for the request itself, and for readiness, to find out.
        tracing::warn!(%error, "changes made elsewhere cannot be looked for");
    }
    let mut response = next.run(request).await;
    let micros = app.store().clock().monotonic_micros().saturating_sub(begun);
    let status = response.status().as_u16();
    app.metrics.request(&method, status, micros);
    tracing::debug!(request_id = id, %method, route, status, micros, client_ip = ?ip, "request");
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-authentik-id", value);
    }
    response.headers_mut().insert("x-powered-by", HeaderValue::from_static("authentik"));
    response
}

fn origin(headers: &HeaderMap, uri: &Uri, peer: Option<IpAddr>, over_tls: bool, trusted: &[IpNet], request_id: String) -> Origin {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let peer = peer.map(canonical);
    let is_trusted = |ip: IpAddr| trusted.iter().any(|net| net.contains(&ip));
    let behind_proxy = peer.is_some_and(is_trusted);
    let forwarded = |name: &str| if behind_proxy { text(name) } else { None };
    let scheme = match forwarded("x-forwarded-proto").map(|p| p.split(',').next().unwrap_or("").trim().to_ascii_lowercase()) {
        Some(proto) if proto == "https" || proto == "wss" => "https",
        Some(proto) if proto == "http" || proto == "ws" => "http",
        _ if over_tls => "https",
        _ => "http",
    };
    let asked = forwarded("x-forwarded-host").map(|h| h.split(',').next().unwrap_or("").trim());
    let asked = asked.filter(|h| is_host(h)).or_else(|| text("host").filter(|h| is_host(h)));
    let asked = asked.or_else(|| uri.authority().map(|a| a.as_str()).filter(|h| is_host(h)));
    // Some proxies add a line of their own below the client's: all lines are one list (RFC 9110, section 5.3).
    let lines: Vec<&str> = headers.get_all("x-forwarded-for").iter().filter_map(|v| v.to_str().ok()).collect();
    let chain = (behind_proxy && !lines.is_empty()).then(|| lines.join(","));
    let user_agent = text(header::USER_AGENT.as_str()).unwrap_or_default().chars().take(255).collect();
    Origin {
        ip: chain.as_deref().and_then(|chain| client(chain, &is_trusted)).or(peer),
        at_machine: is_at_machine(headers, uri, peer),
        by_proxy: behind_proxy,
        scheme,
        host: asked.unwrap_or("localhost").to_ascii_lowercase(),
        user_agent,
        request_id,
    }
}

/// Whether a request comes from a browser on this machine: over loopback, to a name of this machine, and with no sign of a proxy. A
/// loopback address alone says nothing where a proxy runs beside the server, and an address that a proxy passes on can be made up.
fn is_at_machine(headers: &HeaderMap, uri: &Uri, peer: Option<IpAddr>) -> bool {
    let signs = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"];
    let is_passed_on = signs.iter().any(|name| headers.contains_key(*name));
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).or_else(|| uri.authority().map(|a| a.as_str()));
    // By name, so that no other site can point its own name here (DNS rebinding).
    let is_own_name = host.is_some_and(|host| {
        let name =
            host.rsplit_once(':').map_or(host, |(name, port)| if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host });
        name.eq_ignore_ascii_case("localhost") || address(name).is_some_and(|ip| ip.is_loopback())
    });
    peer.is_some_and(|peer| peer.is_loopback()) && !is_passed_on && is_own_name
}

/// The last address of `X-Forwarded-For` that is not a trusted proxy's: what stands left of it anybody can have written. If all are
/// trusted, the first.
fn client(chain: &str, is_trusted: &dyn Fn(IpAddr) -> bool) -> Option<IpAddr> {
    let mut last = None;
    for part in chain.rsplit(',') {
        let ip = canonical(address(part.trim())?);
        last = Some(ip);
        if !is_trusted(ip) {
            break;
        }
    }
    last
}

/// An address, also with a port behind it.
fn address(text: &str) -> Option<IpAddr> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|a| a.ip()))
        .or_else(|| text.trim_matches(['[', ']']).parse().ok())
}

/// An IPv4 address that came over an IPv6 socket is an IPv4 address.
fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

/// A host name or address, with an optional port (RFC 3986, section 3.2.2, without user information and escapes).
fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((ip, port)) if ip.parse::<std::net::Ipv6Addr>().is_ok() => (None, port),
            _ => return false,
        },
        None => match host.split_once(':') {
            Some((name, _)) => (Some(name), host.get(name.len()..).unwrap_or("")),
            None => (Some(host), ""),
        },
    };
    let name_fits = name
        .is_none_or(|n| !n.is_empty() && n.len() <= 253 && n.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)));
    let port_fits = port.is_empty() || port.strip_prefix(':').is_some_and(|p| p.parse::<u16>().is_ok());
    name_fits && port_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, headers: &[(&'static str, &str)]) -> Origin {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let trusted = crate::app::HttpOptions::default().trusted_proxies;
        origin(&map, &Uri::from_static("/"), Some(peer.parse().unwrap()), false, &trusted, String::new())
    }

    #[test]
    fn forwarded_headers_count_only_from_trusted_peers() {
        let forged = [
            ("host", "real.example"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "https"),
        ];
        let direct = from("203.0.113.9", &forged);
        assert_eq!(
            (direct.ip, direct.host.as_str(), direct.scheme),
            (Some("203.0.113.9".parse().unwrap()), "real.example", "http")
        );
        let proxied = from("::ffff:10.0.0.2", &forged);
        assert_eq!(
            (proxied.ip, proxied.host.as_str(), proxied.scheme),
            (Some("1.2.3.4".parse().unwrap()), "evil.example", "https")
        );
    }

    #[test]
    fn an_address_that_the_client_wrote_itself_does_not_count() {
        let origin = from("10.0.0.2", &[("x-forwarded-for", "127.0.0.1, 198.51.100.7, 10.0.0.3")]);
        assert_eq!(origin.ip, Some("198.51.100.7".parse().unwrap()));
        let two_lines = from("10.0.0.2", &[("x-forwarded-for", "127.0.0.1"), ("x-forwarded-for", "198.51.100.7")]);
        assert_eq!(two_lines.ip, Some("198.51.100.7".parse().unwrap()));
    }

    #[test]
    fn hosts_that_are_no_hosts_are_not_used() {
        for bad in ["a/b", "a@b", "a b", "[::1", ":80", "a:99999", "a\"b", ""] {
            assert!(!is_host(bad), "{bad}");
        }
        for good in ["a", "a.b:8080", "[::1]:9000", "127.0.0.1"] {
            assert!(is_host(good), "{good}");
        }
        assert_eq!(from("127.0.0.1", &[("host", "[::1]:9000")]).host_name(), "[::1]");
        assert_eq!(from("127.0.0.1", &[("host", "A.example:9000")]).host_name(), "a.example");
    }
}
