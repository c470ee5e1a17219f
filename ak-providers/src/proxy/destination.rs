//! Where a browser may be led once somebody has signed in.

use std::borrow::Cow;

use super::forwarded::endpoint;
use super::host::Host;
use super::provider::{ProxyMode, ProxyProvider};

/// The longest address that is asked about and led to, in bytes.
pub const MAX_URL: usize = 64 * 1024;

/// A query with everything that is not ASCII percent-encoded, as browsers do: reverse proxies pass it on as it came.
pub(super) fn escaped(query: &str) -> Cow<'_, str> {
    if query.is_ascii() {
        return Cow::Borrowed(query);
    }
    let escape = |byte: u8| if byte.is_ascii() { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    query.bytes().map(escape).collect::<String>().into()
}

/// The address that `rd` means for a provider, if it may be led to: on its own host, or in its domain; nothing of it is changed but that it
/// is on TLS where the provider is. What begins with `/` is on the provider's host. `None`: nowhere; the caller leads to the provider's start.
pub fn destination(provider: &ProxyProvider, rd: &str) -> Option<String> {
    let (start, query) = rd.split_at(rd.find('?').unwrap_or(rd.len()));
    let rd = &*format!("{start}{}", escaped(query));
    if rd.len() > MAX_URL || !rd.bytes().all(|b| b.is_ascii_graphic()) {
        return None;
    }
    let external = &provider.external_host;
    let absolute = split(rd);
    let is_absolute = absolute.is_some();
    let (base, rest) = match absolute {
        Some((https, authority, rest)) => {
            let host = Host::parse(authority)?.in_scheme(https);
            let fits = match provider.mode {
                ProxyMode::ForwardDomain => host.is_within(provider.domain()),
                ProxyMode::Proxy | ProxyMode::ForwardSingle => host == *external.host(),
            };
            if !fits {
                return None;
            }
            // A cookie of TLS is not sent without it: she would come to where she has not signed in.
            let scheme = if https || external.is_https() { "https" } else { "http" };
            (format!("{scheme}://{authority}"), rest)
        }
        None if rd.starts_with('/') => (external.origin(), rd),
        None => return None,
    };
    // To a browser a backslash is a slash, up to the query; and two slashes begin a host where there is none.
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let is_path = path.is_empty() || path.starts_with('/');
    let is_host = !is_absolute && path.starts_with("//");
    // To our own endpoints nobody wants to come back: it would begin again, or sign out.
    let is_safe = is_path && !is_host && !path.contains('\\') && endpoint(path, query).is_none();
    is_safe.then(|| format!("{base}{rest}"))
}

/// The address that the query of a way to sign in wants. nginx cannot encode one: where it stands as it is, the whole rest belongs to it.
/// ingress-nginx encodes the path and leaves scheme and host: where the host seems to hold escapes, all of it is encoded.
pub fn wanted(query: &str) -> Option<String> {
    if let Some(rest) = query.strip_prefix("rd=")
        && (rest.starts_with('/') || split(rest).is_some_and(|(_, authority, _)| !authority.contains('%')))
    {
        return Some(rest.to_owned());
    }
    url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "rd").map(|(_, value)| value.into_owned())
}

/// Scheme, authority and the rest of an absolute address of the web.
fn split(url: &str) -> Option<(bool, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let https = match scheme.to_ascii_lowercase().as_str() {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()));
    Some((https, authority, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::provider::tests::{domain, single};
    use super::*;

    #[test]
    fn a_browser_comes_back_to_exactly_the_page_it_asked_for() {
        let app = single("https://app.example/");
        for rd in [
            "https://app.example/",
            "https://app.example",
            "https://app.example/a/b?c=d&e=%2F%2F#x",
            "https://app.example/?path=C:\\x|y{z}",
            "https://app.example//a//b",
            "https://App.Example/x",
            "https://app.example:443/x",
        ] {
            assert_eq!(destination(&app, rd).as_deref(), Some(rd));
        }
        assert_eq!(
            destination(&app, "/a?b=http://evil.example/").as_deref(),
            Some("https://app.example/a?b=http://evil.example/")
        );
        assert_eq!(
            destination(&app, "http://app.example/a").as_deref(),
            Some("https://app.example/a"),
            "to where the cookie counts"
        );
        let odd = single("http://app.example:8080");
        assert_eq!(destination(&odd, "http://app.example:8080/x").as_deref(), Some("http://app.example:8080/x"));
        assert_eq!(destination(&odd, "http://app.example/x"), None);
    }

    #[test]
    fn nobody_is_led_elsewhere() {
        let (app, all) = (single("https://app.example"), domain("https://auth.example.com", "example.com"));
        for rd in [
            "",
            "//evil.example/",
            "/\\evil.example/",
            "\\\\evil.example",
            "///evil.example",
            "https:///evil.example",
            "https:evil.example",
            "https:/evil.example",
            "https://evil.example/",
            "https://app.example@evil.example/",
            "https://app.example:pass@evil.example/",
            "https://evil.example\\@app.example/",
            "https://app.example\\@evil.example/",
            "https://app.example\\.evil.example/",
            "https://app.example/\\evil",
            "https://app.example.evil.example/",
            "https://notapp.example/",
            "https://app.example%2eevil.example/",
            "https://app.example#@evil.example",
            "https://аpp.example/",
            "javascript:alert(1)",
            "data:text/html,x",
            "ftp://app.example/",
            "https%3A%2F%2Fevil.example%2F",
            " https://app.example/",
            "https://app.example/\r\nSet-Cookie: a=b",
            "https://app.example/\t",
            "https://app.example/\u{0}",
            "https://evilexample.com/",
            "https://example.com.evil.example/",
            "/outpost.goauthentik.io/start?rd=/",
            "/outpost.goauthentik.io/sign_out",
            "https://app.example/x?X-authentik-logout=true",
        ] {
            assert_eq!(destination(&app, rd), None, "{rd:?}");
            assert_eq!(destination(&all, rd), None, "{rd:?}");
        }
    }

    #[test]
    fn the_page_is_found_encoded_and_as_it_is() {
        for (query, rd) in [
            ("rd=https%3A%2F%2Fapp.example%2Fa%3Fb%3Dc%26d%3D%252F", Some("https://app.example/a?b=c&d=%2F")),
            ("rd=https://app.example/a?b=c&d=%2F", Some("https://app.example/a?b=c&d=%2F")),
            ("rd=/a?b=c&d=e+f", Some("/a?b=c&d=e+f")),
            ("rd=https://app.example%2Fdeep%3Fa%3Db%26c%3D%252F", Some("https://app.example/deep?a=b&c=%2F")),
            ("rd=https://app.example:8443%2F&x=y", Some("https://app.example:8443/")),
            ("x=y&rd=%2Fa", Some("/a")),
            ("rd=", Some("")),
            ("x=y", None),
            ("", None),
        ] {
            assert_eq!(wanted(query).as_deref(), rd, "{query}");
        }
    }

    #[test]
    fn what_is_half_encoded_leads_nowhere_else_either() {
        let app = single("https://app.example");
        for query in [
            "rd=https://app.example%2eevil.example/",
            "rd=https://app.example%40evil.example/",
            "rd=https://evil.example%2F%2Fapp.example/",
            "rd=https://evil.example%23@app.example/",
            "rd=https://app.example%5C@evil.example/",
            "rd=https://app.example%252Fdeep",
            "rd=https://app.example%0D%0A/",
        ] {
            assert_eq!(destination(&app, &wanted(query).unwrap()), None, "{query}");
        }
    }

    #[test]
    fn letters_of_the_world_are_led_to_as_browsers_write_them() {
        let app = single("https://app.example");
        assert_eq!(destination(&app, "/suche?q=ä€").as_deref(), Some("https://app.example/suche?q=%C3%A4%E2%82%AC"));
        let longest = format!("/?{}", "x".repeat(MAX_URL - 2));
        assert!(destination(&app, &longest).is_some() && destination(&app, &format!("{longest}x")).is_none());
    }

    #[test]
    fn a_domain_holds_all_its_hosts() {
        let all = domain("https://auth.example.com", ".example.com");
        for rd in ["https://a.example.com/x?y", "https://a.b.example.com:8443/", "https://example.com/"] {
            assert_eq!(destination(&all, rd).as_deref(), Some(rd));
        }
        assert_eq!(destination(&all, "/x").as_deref(), Some("https://auth.example.com/x"));
    }

    proptest! {
        /// A browser (here the URL standard's parser) lands on the host, whatever was asked for.
        #[test]
        fn browsers_land_on_the_host(rd in "(https?:)?[/\\\\]{0,3}(app\\.example)?[@:.#?/\\\\%a-z0-9]{0,12}(evil\\.example)?[ -~]{0,8}") {
            let app = single("https://app.example");
            if let Some(to) = destination(&app, &rd) {
                let base = url::Url::parse("https://id.example/").unwrap();
                let landed = base.join(&to).unwrap();
                prop_assert_eq!(landed.host_str(), Some("app.example"));
                prop_assert_eq!(landed.scheme(), "https");
            }
        }

        #[test]
        fn any_page_of_the_application_is_kept(path in "(/[!->@-\\[\\]-~]{1,10}){0,3}", query in "[!-~]{0,20}") {
            let app = single("https://app.example");
            prop_assume!(!query.to_ascii_lowercase().contains("x-authentik-") && !path.contains("outpost.goauthentik.io"));
            let rd = format!("https://app.example{path}?{query}");
            prop_assert_eq!(destination(&app, &rd), Some(rd));
        }
    }
}
