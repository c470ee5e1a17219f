//! Addresses that browsers may be led back to.

use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

/// How an address is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MatchingMode {
    /// Letter by letter (RFC 9700, section 2.1).
    Strict,
    /// By an expression that matches all of it.
    Regex,
}

/// What an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RedirectUriType {
    /// The end of signing in.
    #[default]
    Authorization,
    /// The end of signing out.
    Logout,
}

/// An address that browsers may be led back to.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RedirectUri {
    /// How it is compared.
    pub matching_mode: MatchingMode,
    /// The address, or the expression.
    #[schemars(length(min = 1))]
    pub url: String,
    /// What it is for.
    #[serde(default)]
    pub redirect_uri_type: RedirectUriType,
    /// The expression, once it was asked for.
    #[serde(skip)]
    #[schemars(skip)]
    compiled: OnceLock<Option<Regex>>,
}

/// The longest address that is looked at, in bytes.
pub const MAX_URI: usize = 2048;

/// Schemes by which a browser would run what stands in the address.
const FORBIDDEN: [&str; 4] = ["javascript", "data", "vbscript", "blob"];

impl RedirectUri {
    /// An address that is compared letter by letter.
    pub fn strict(url: &str, r#type: RedirectUriType) -> Self {
        Self::new(MatchingMode::Strict, url, r#type)
    }

    /// An expression that must match all of an address.
    pub fn regex(url: &str, r#type: RedirectUriType) -> Self {
        Self::new(MatchingMode::Regex, url, r#type)
    }

    fn new(matching_mode: MatchingMode, url: &str, redirect_uri_type: RedirectUriType) -> Self {
        Self { matching_mode, url: url.to_owned(), redirect_uri_type, compiled: OnceLock::new() }
    }

    /// The expression for all of the address; within a bound on its size, so that none takes long.
    fn expression(&self) -> Option<&Regex> {
        let build = || RegexBuilder::new(&format!(r"\A(?:{})\z", self.url)).size_limit(1 << 20).build().ok();
        self.compiled.get_or_init(build).as_ref()
    }

    /// Whether it can be used at all; what is wrong, in words.
    pub fn check(&self) -> Result<(), String> {
        match self.matching_mode {
            MatchingMode::Strict if is_allowed(&self.url) => Ok(()),
            MatchingMode::Strict => Err(format!("{} is not an absolute address without a fragment.", self.url)),
            // Alone, too: parentheses of its own must not end the group around it.
            MatchingMode::Regex if Regex::new(&self.url).is_ok() && self.expression().is_some() => Ok(()),
            MatchingMode::Regex => Err(format!("{} is not an expression that can be used here.", self.url)),
        }
    }

    /// The origin that the address is of; that of an expression, where it begins with one that is written out: dots are themselves, with
    /// a backslash or without.
    pub fn origin(&self) -> Option<String> {
        let url = match self.matching_mode {
            MatchingMode::Strict => Url::parse(&self.url).ok()?,
            MatchingMode::Regex => {
                let text = self.url.trim_start_matches('^').replace("\\.", ".").replace("\\-", "-").replace("\\/", "/");
                let (scheme, rest) = text.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))?;
                let authority = rest.split(['/', '$']).next().filter(|authority| !authority.is_empty())?;
                let is_literal = authority.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:".contains(&b));
                Url::parse(&format!("{scheme}://{authority}/")).ok().filter(|_| is_literal)?
            }
        };
        let origin = url.origin();
        origin.is_tuple().then(|| origin.ascii_serialization())
    }

    /// Whether `uri` is this address.
    pub fn matches(&self, uri: &str) -> bool {
        is_allowed(uri)
            && match self.matching_mode {
                MatchingMode::Strict => self.url == uri,
                MatchingMode::Regex => has_plain_host(uri) && self.expression().is_some_and(|known| known.is_match(uri)),
            }
    }
}

/// Whether a browser can be led there: absolute, without a fragment (RFC 6749, section 3.1.2), without user information and dot
/// segments, of a scheme that runs nothing, and of nothing but the characters of RFC 3986.
pub fn is_allowed(uri: &str) -> bool {
    let plain = !uri.is_empty()
        && uri.len() <= MAX_URI
        && uri.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=%".contains(&b));
    let Ok(url) = Url::parse(uri) else { return false };
    let path = uri.split(['?']).next().unwrap_or_default().to_ascii_lowercase();
    let has_dots = path.split('/').any(|part| matches!(part.replace("%2e", ".").as_str(), "." | ".."));
    plain
        && !FORBIDDEN.contains(&url.scheme())
        && url.username().is_empty()
        && url.password().is_none()
        && !has_dots
        && (!matches!(url.scheme(), "http" | "https") || (url.has_host() && uri.contains("://")))
}

/// Whether a host on the web ends where whoever writes an expression thinks it does: at a slash, or with the address. What stands before
/// a slash is not the host's name in `https://elsewhere.example?.app.example/`.
fn has_plain_host(uri: &str) -> bool {
    let is_web = |scheme: &str| scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let Some((_, rest)) = uri.split_once("://").filter(|(scheme, _)| is_web(scheme)) else { return true };
    rest.find(['/', '?']).is_none_or(|end| rest.as_bytes().get(end) == Some(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strict_address_is_that_address_and_no_other() {
        let known = RedirectUri::strict("https://app.example/callback", RedirectUriType::Authorization);
        assert!(known.check().is_ok() && known.matches("https://app.example/callback"));
        for other in [
            "https://app.example/callback/",
            "https://app.example/Callback",
            "https://APP.example/callback",
            "https://app.example/callback?a=b",
            "https://app.example/callback#x",
            "https://app.example/x/../callback",
            "https://app.example/./callback",
            "https://app.example:443/callback",
            "https://app.example/%63allback",
            "https://app.example@evil.example/callback",
            "https://app.example\\@evil.example/callback",
            "https://app.example.evil.example/callback",
            "https://аpp.example/callback",
            "http://app.example/callback",
            "//app.example/callback",
            "https://app.example/callback\r\nX: y",
            "",
        ] {
            assert!(!known.matches(other), "{other:?}");
        }
    }

    #[test]
    fn an_expression_matches_all_of_an_address() {
        let known = RedirectUri::regex(r"https://[a-z]+\.example/cb|https://b\.test/", RedirectUriType::Authorization);
        assert!(known.check().is_ok());
        for (uri, fits) in [
            ("https://a.example/cb", true),
            ("https://b.test/", true),
            ("https://a.example/cb/more", false),
            ("x-https://b.test/", false),
            ("https://evil.test/?https://b.test/", false),
            ("https://b.test/\n", false),
            ("https://b.test?/", false),
        ] {
            assert_eq!(known.matches(uri), fits, "{uri:?}");
        }
        let all = RedirectUri::regex(".*", RedirectUriType::Authorization);
        assert!(all.matches("https://anything.example/x?y") && all.matches("https://anything.example"));
        assert!(!all.matches("https://anything.example?.b.test/"), "no host ends there");
        for bad in
            ["javascript:alert(1)", "data:text/html,x", "https://a:b@c.example/", "https://c.example/#f", "/relative", "https:x"]
        {
            assert!(!all.matches(bad), "{bad}");
        }
        assert!(RedirectUri::regex("a)|(b", RedirectUriType::Authorization).check().is_err());
        assert!(RedirectUri::regex("(", RedirectUriType::Authorization).check().is_err());
    }

    #[test]
    fn an_expression_is_of_the_origin_that_it_writes_out() {
        for (expression, origin) in [
            (r"https://app\.example/.*", Some("https://app.example")),
            (r"^https:\/\/app.example\/cb$", Some("https://app.example")),
            (r"https://app.example$", Some("https://app.example")),
            (r"http://localhost:8000/(a|b)", Some("http://localhost:8000")),
            (r"https://my\-app.example:8443/?", Some("https://my-app.example:8443")),
            (r"https://.*\.example/cb", None),
            (r"https://[a-z]+.example/cb", None),
            (r"https://app.example(/.*)?", None),
            (r"https://a.example|https://b.example/", None),
            (r"https://app\dexample/", None),
            (r"https?://app.example/", None),
            (r"(https://app.example)/", None),
            (r"app.example/", None),
            (r"https://app.example:[0-9]+/", None),
            (r".*", None),
        ] {
            let known = RedirectUri::regex(expression, RedirectUriType::Authorization);
            assert_eq!(known.origin().as_deref(), origin, "{expression}");
        }
        let strict = |uri: &str| RedirectUri::strict(uri, RedirectUriType::Authorization).origin();
        assert_eq!(strict("https://app.example:443/cb").as_deref(), Some("https://app.example"));
        assert_eq!(strict("com.example.app:/cb"), None);
    }

    #[test]
    fn native_programs_have_schemes_of_their_own() {
        for uri in
            ["com.example.app:/callback", "app.immich:///oauth-callback", "http://localhost:8000/callback", "http://[::1]/cb"]
        {
            assert!(RedirectUri::strict(uri, RedirectUriType::Authorization).matches(uri), "{uri}");
        }
    }
}
