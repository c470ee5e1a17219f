//! What the application is told of a person, in headers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::provider::ProxyProvider;

/// The headers of every answer that lets a request through, empty where there is nothing to tell: what a browser has sent itself under
/// these names must not reach the application. Traefik and nginx, and Caddy up to 2.9, overwrite it with nothing; see [`left_standing`].
pub const IDENTITY: [&str; 12] = [
    "x-authentik-username",
    "x-authentik-groups",
    "x-authentik-entitlements",
    "x-authentik-email",
    "x-authentik-name",
    "x-authentik-uid",
    "x-authentik-jwt",
    "x-authentik-meta-jwks",
    "x-authentik-meta-outpost",
    "x-authentik-meta-provider",
    "x-authentik-meta-app",
    "x-authentik-meta-version",
];

/// Headers that attributes of people cannot set: they say how the message is carried, or whose it is.
const NEVER: [&str; 22] = [
    "host",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "content-encoding",
    "content-type",
    "location",
    "cookie",
    "set-cookie",
    "forwarded",
    "via",
    "x-real-ip",
    "x-original-url",
    "www-authenticate",
    "date",
];

/// What is told besides of who she is.
#[derive(Debug, Clone, Default)]
pub struct About<'a> {
    /// The access token.
    pub token: &'a str,
    /// Where the keys are that it is checked with.
    pub jwks: &'a str,
    /// The name of the outpost.
    pub outpost: &'a str,
    /// The slug of the application.
    pub application: &'a str,
    /// The version of the product.
    pub version: &'a str,
}

/// A value that is on the wire what it is here: `None` where it has control characters, or blanks at an end, which are lost on the way.
fn wire(text: &str) -> Option<&str> {
    (!text.chars().any(char::is_control) && text.trim() == text).then_some(text)
}

/// Several values in one, with `|` between. One that holds a `|`, or would become another one on the way, is left out: it could be taken
/// for what somebody else has.
fn joined(claims: &Map<String, Value>, name: &str) -> String {
    let all = claims.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let fits = |text: &&str| !text.is_empty() && !text.contains('|') && wire(text).is_some();
    all.iter().filter_map(Value::as_str).filter(fits).collect::<Vec<_>>().join("|")
}

/// The headers of an answer that lets nobody in particular through.
pub fn of_nobody() -> Vec<(String, String)> {
    IDENTITY.iter().map(|name| ((*name).to_owned(), String::new())).collect()
}

/// The headers for who has these claims.
pub fn of_claims(provider: &ProxyProvider, claims: &Map<String, Value>, about: &About<'_>) -> Vec<(String, String)> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).and_then(wire).unwrap_or_default();
    let fixed = |text: &str| wire(text).unwrap_or_default().to_owned();
    let values: [String; 12] = [
        text("preferred_username").to_owned(),
        joined(claims, "groups"),
        joined(claims, "entitlements"),
        text("email").to_owned(),
        text("name").to_owned(),
        text("sub").to_owned(),
        fixed(about.token),
        fixed(about.jwks),
        fixed(about.outpost),
        fixed(&provider.base.name),
        fixed(about.application),
        fixed(about.version),
    ];
    let mut all: Vec<(String, String)> = IDENTITY.iter().map(|name| (*name).to_owned()).zip(values).collect();
    let attributes = claims.get("ak_proxy").and_then(|own| own.get("user_attributes")).and_then(Value::as_object);
    let Some(attributes) = attributes else { return all };
    all.extend(basic(provider, claims, attributes).map(|value| ("authorization".to_owned(), value)));
    let additional = attributes.get("additionalHeaders").and_then(Value::as_object);
    all.extend(additional.into_iter().flatten().filter_map(|(name, value)| additional_header(name, value)));
    all
}

/// HTTP Basic credentials (RFC 7617) for the application, where they are wanted and there is a password.
fn basic(provider: &ProxyProvider, claims: &Map<String, Value>, attributes: &Map<String, Value>) -> Option<String> {
    if !provider.basic_auth_enabled {
        return None;
    }
    let attribute = |name: &str| attributes.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let password = attribute(&provider.basic_auth_password_attribute)?;
    let email = || claims.get("email").and_then(Value::as_str).filter(|text| !text.is_empty());
    let user = attribute(&provider.basic_auth_user_attribute).or_else(email)?;
    // The first colon ends the name.
    (!user.contains(':')).then(|| format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
}

/// A header that an attribute sets, if it may.
fn additional_header(name: &str, value: &Value) -> Option<(String, String)> {
    let value = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        _ => return None,
    };
    let name = name.to_ascii_lowercase();
    let plain = name.replace('_', "-");
    let is_name = !name.is_empty() && name.len() <= 128 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    let is_ours = plain.starts_with("x-authentik-") || plain.starts_with("x-forwarded-") || plain.starts_with("sec-");
    let may = is_name && !is_ours && !NEVER.contains(&plain.as_str()) && value.len() <= 8192 && wire(&value).is_some();
    may.then_some((name, value))
}

/// Whether a request's header is one of [`IDENTITY`] in a spelling that reverse proxies do not overwrite, and that programs take for the
/// same: with `_` in place of `-`.
pub fn is_disguised(name: &str) -> bool {
    name.contains('_') && name.to_ascii_lowercase().replace('_', "-").starts_with("x-authentik-")
}

/// The header of [`IDENTITY`] that a request bears and the answer to it leaves empty, if there is one.
///
/// Since 2.10, Caddy's `copy_headers` skips what is empty in the answer and passes on what the browser has sent under that name. Nothing in
/// an answer takes it away there, so such a request cannot be let through.
pub fn left_standing(bears: impl Fn(&str) -> bool, tells: impl Fn(&str) -> bool) -> Option<&'static str> {
    IDENTITY.into_iter().find(|name| bears(name) && !tells(name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::provider::tests::single;
    use super::*;

    fn headers(provider: &ProxyProvider, claims: Value) -> Map<String, Value> {
        let about = About { token: "t", jwks: "https://id.example/jwks", outpost: "o", application: "app", version: "1" };
        let all = of_claims(provider, claims.as_object().unwrap(), &about);
        all.into_iter().map(|(name, value)| (name, value.into())).collect()
    }

    #[test]
    fn the_application_is_told_who_she_is() {
        let claims = json!({
            "preferred_username": "zoë", "groups": ["staff", "a b"], "entitlements": ["read"], "email": "z@example.com", "name": "Zoë",
            "sub": "uid", "ak_proxy": { "user_attributes": {} },
        });
        let expected = json!({
            "x-authentik-username": "zoë", "x-authentik-groups": "staff|a b", "x-authentik-entitlements": "read",
            "x-authentik-email": "z@example.com", "x-authentik-name": "Zoë", "x-authentik-uid": "uid", "x-authentik-jwt": "t",
            "x-authentik-meta-jwks": "https://id.example/jwks", "x-authentik-meta-outpost": "o", "x-authentik-meta-provider": "app",
            "x-authentik-meta-app": "app", "x-authentik-meta-version": "1",
        });
        assert_eq!(Value::Object(headers(&single("https://a.example"), claims)), expected);
        let nobody = of_nobody();
        assert!(nobody.len() == IDENTITY.len() && nobody.iter().all(|(_, value)| value.is_empty()));
    }

    #[test]
    fn no_name_becomes_another_one_on_the_way() {
        let claims = json!({ "groups": ["staff|admins", " admins", "admins ", "x\r\nadmins", "", 1, "good"], "preferred_username": "root " });
        let told = headers(&single("https://a.example"), claims);
        assert_eq!((&told["x-authentik-groups"], &told["x-authentik-username"]), (&json!("good"), &json!("")));
    }

    #[test]
    fn the_application_gets_credentials_where_there_are_some() {
        let mut app = single("https://a.example");
        let claims = |attributes: Value| json!({ "email": "z@example.com", "ak_proxy": { "user_attributes": attributes } });
        app.basic_auth_password_attribute = "app_password".into();
        let given = claims(json!({ "app_password": "pa:ss", "app_user": "zoe" }));
        assert!(!headers(&app, given.clone()).contains_key("authorization"), "only where it is wanted");
        app.basic_auth_enabled = true;
        assert_eq!(headers(&app, given.clone())["authorization"], "Basic ekBleGFtcGxlLmNvbTpwYTpzcw==", "z@example.com:pa:ss");
        app.basic_auth_user_attribute = "app_user".into();
        assert_eq!(headers(&app, given)["authorization"], "Basic em9lOnBhOnNz", "zoe:pa:ss");
        assert!(!headers(&app, claims(json!({ "app_user": "zoe" }))).contains_key("authorization"), "without a password");
        assert!(!headers(&app, claims(json!({ "app_user": "a:b", "app_password": "x" }))).contains_key("authorization"));
    }

    #[test]
    fn attributes_add_headers_but_not_these() {
        let additional = json!({
            "X-Team": "blue", "X-Level": 3, "x-authentik-username": "root", "X_Authentik_Groups": "admins", "Host": "evil", "Connection": "close",
            "Transfer-Encoding": "chunked", "Set-Cookie": "a=b", "Set_Cookie": "a=b", "X-Forwarded-For": "1.2.3.4", "Bad Name": "x",
            "X-Bad": "a\r\nb", "X-List": ["a"], "": "x", "Content-Length": "0",
        });
        let claims = json!({ "ak_proxy": { "user_attributes": { "additionalHeaders": additional } } });
        let told = headers(&single("https://a.example"), claims);
        assert_eq!((&told["x-team"], &told["x-level"], &told["x-authentik-username"]), (&json!("blue"), &json!("3"), &json!("")));
        assert_eq!(told.len(), IDENTITY.len() + 2, "{told:?}");
    }

    #[test]
    fn what_an_answer_leaves_empty_is_left_standing() {
        let email = |name: &str| name == "x-authentik-email";
        assert_eq!(left_standing(email, email), None);
        assert_eq!(left_standing(email, |name| !email(name)), Some("x-authentik-email"));
        assert_eq!(left_standing(|_| false, |_| false), None);
        assert_eq!(left_standing(|name| name == "x-authentik-anything", |_| false), None);
    }

    #[test]
    fn disguised_identity_is_seen_through() {
        for name in ["X_Authentik_Username", "x-authentik_username", "X_AUTHENTIK-JWT", "x_authentik_anything"] {
            assert!(is_disguised(name), "{name}");
        }
        for name in ["X-Authentik-Username", "X_Team", "authentik_x"] {
            assert!(!is_disguised(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_value_is_one_line_and_counts_once(groups in proptest::collection::vec("\\PC{0,12}|[\\x00-\\x7f]{0,6}", 0..6), name in "[\\x00-\\x7f]{0,10}") {
            let claims = json!({ "groups": groups, "name": name, "ak_proxy": { "user_attributes": { "additionalHeaders": { name.as_str(): name } } } });
            let told = headers(&single("https://a.example"), claims);
            for value in told.values().filter_map(Value::as_str) {
                prop_assert!(!value.contains(['\r', '\n', '\0']));
            }
            let shown = told["x-authentik-groups"].as_str().unwrap();
            for group in shown.split('|').filter(|group| !group.is_empty()) {
                prop_assert!(groups.iter().any(|known| known == group), "{group:?}");
            }
        }
    }
}
