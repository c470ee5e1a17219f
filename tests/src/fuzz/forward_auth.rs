//! What reverse proxies say of requests, and where browsers want to go.

use ak_providers::proxy::{Asker, Forwarded, Own, ProxyProvider, State, Told, destination, start_url, wanted};
use url::Url;

/// What reverse proxies and browsers say about requests for applications: the first line is the proxy, the next ones are host, scheme, path,
/// whole address, and where the browser wants to go.
///
/// # Panics
/// When a browser would be led to another host than the provider's, or what is read is no address.
pub fn forward_auth(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (asker, host, proto, uri, original, rd) = (line(), line(), line(), line(), line(), line());
    let asker = Asker::parse(asker).unwrap_or(Asker::Traefik);
    let told = Told { hosts: vec![host], protos: vec![proto], uris: vec![uri.into()], original_urls: vec![original.into()] };
    let own = Own { host: "id.example", https: true };
    if let Ok(request) = Forwarded::parse(asker, Some(&told), own) {
        let url = Url::parse(&request.url()).unwrap_or_else(|error| panic!("{request:?} is no address: {error}"));
        assert!(url.username().is_empty() && url.has_host(), "{request:?}");
        let start = start_url(&provider("forward_single", "http://app.example.com"), &request);
        let start = Url::parse(&start).expect("the way to sign in is an address");
        assert_eq!(start.host_str(), url.host_str());
        let wanted = wanted(start.query().unwrap_or_default());
        assert_eq!(wanted.as_deref(), Some(request.url().as_str()), "what was asked for is what is wanted");
    }
    for (mode, own) in [("forward_single", "app.example.com"), ("forward_domain", "auth.example.com")] {
        let provider = provider(mode, &format!("https://{own}"));
        for rd in [Some(rd.to_owned()), wanted(rd)].into_iter().flatten() {
            let Some(to) = destination(&provider, &rd) else { continue };
            let landed =
                Url::parse("https://id.example/").and_then(|base| base.join(&to)).unwrap_or_else(|error| panic!("{to}: {error}"));
            let host = landed.host_str().unwrap_or_default();
            let fits =
                if mode == "forward_single" { host == own } else { host == "example.com" || host.ends_with(".example.com") };
            assert!(fits && landed.scheme() == "https", "{rd:?} leads to {landed}");
        }
        assert_eq!(State::open(&provider, rd), None, "nobody else signs states");
    }
}

fn provider(mode: &str, external_host: &str) -> ProxyProvider {
    let flow = "00000000-0000-0000-0000-000000000001";
    serde_json::from_value(serde_json::json!({
        "name": "app", "client_id": "client", "cookie_secret": "a secret", "authorization_flow": flow, "invalidation_flow": flow,
        "mode": mode, "external_host": external_host, "cookie_domain": "example.com",
    }))
    .expect("a provider")
}

/// What forward authentication is asked, for [`forward_auth`].
pub const FORWARD_AUTH_CORPUS: &[&str] = &[
    "traefik\napp.example.com\nhttps\n/a?b=c\n\nhttps://app.example.com/a?b=c",
    "nginx\n\n\n\nhttps://app.example.com:8443/a?b=c\nrd=https://app.example.com/a?b=c&d=e",
    "caddy\napp.example.com:443\nwss\n/outpost.goauthentik.io/callback?code=x&state=y\n\nrd=%2F%2Fevil.example",
    "caddy\napp.example.com, evil.example\nhttp,https\n//evil.example/\\\n\n/\\evil.example",
    "traefik\n[::1]:80\nhttp\n/%2e%2e/?X-authentik-logout=true\n\nhttps://app.example.com@evil.example/",
    "traefik\nexample.com\nhttp\n\n\nhttps://evilexample.com/#@app.example.com",
    "\n.77",
    "caddy\n0x7f.1\nhttps\n/\n\nrd=https://xn--a/",
];
