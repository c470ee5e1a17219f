//! Signing out: asked for by a client (OpenID Connect RP-Initiated Logout), and told to clients (OpenID Connect Back-Channel Logout).

use chrono::{DateTime, Duration, Utc};
use serde_json::{Map, Value, json};

use super::jwt::Signer;
use super::params::Params;
use super::provider::OAuth2Provider;
use super::redirect_uri::RedirectUriType;

/// What comes of a request to sign out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndSession {
    /// She signs out, and ends here.
    Stay,
    /// She signs out, and is led to this address.
    Return(String),
    /// Something is wrong with it; she ends here, and is told what.
    Wrong(&'static str),
}

impl EndSession {
    /// Reads a request to the end-session endpoint of a provider.
    ///
    /// Nobody is led away from here without an ID token that the provider has issued (section 3): anybody could otherwise use the
    /// endpoint to send people somewhere. That the token has expired does not matter.
    pub fn parse(params: &Params, provider: &OAuth2Provider, signer: Option<&Signer>) -> Self {
        if params.check_single().is_err() {
            return Self::Wrong("A parameter is there more than once.");
        }
        if params.get("client_id").is_some_and(|id| id != provider.client_id) {
            return Self::Wrong("The request names another client.");
        }
        let hint = params.get("id_token_hint").map(|token| hinted(token, provider, signer));
        if matches!(hint, Some(None)) {
            return Self::Wrong("The ID token was not issued to this application.");
        }
        let Some(uri) = params.get("post_logout_redirect_uri") else { return Self::Stay };
        // Where no address is registered at all nobody is led anywhere, and what a client says by habit keeps nobody signed in.
        if !provider.redirect_uris.iter().any(|uri| uri.redirect_uri_type == RedirectUriType::Logout) {
            return Self::Stay;
        }
        if !provider.is_registered(uri, RedirectUriType::Logout) {
            return Self::Wrong("The address to return to is none of those that are registered for the application.");
        }
        if hint.is_none() {
            return Self::Stay;
        }
        let state = params
            .get("state")
            .map(|state| url::form_urlencoded::Serializer::new(String::new()).append_pair("state", state).finish());
        Self::Return(match state {
            None => uri.to_owned(),
            Some(state) => format!("{uri}{}{state}", if uri.contains('?') { "&" } else { "?" }),
        })
    }
}

/// The claims of an ID token that was issued to this client, expired or not.
pub fn hinted(token: &str, provider: &OAuth2Provider, signer: Option<&Signer>) -> Option<Map<String, Value>> {
    let claims = signer?.open(token)?;
    // An access token is no ID token, although it looks like one.
    let is_id_token = !claims.contains_key("azp") && !claims.contains_key("events");
    let is_own = claims.get("aud").and_then(Value::as_str) == Some(provider.client_id.as_str());
    (is_own && is_id_token).then_some(claims)
}

/// The event that a logout token tells of (Back-Channel Logout, section 2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The type of a logout token.
pub const LOGOUT_TOKEN: &str = "logout+jwt";

/// The claims of a logout token: good for two minutes, and for once (`jti`). The session is named always, the person where `subject` is
/// not empty.
pub fn logout_token(
    issuer: &str,
    client_id: &str,
    subject: &str,
    sid: &str,
    jti: &str,
    now: DateTime<Utc>,
) -> Map<String, Value> {
    let claims = json!({
        "iss": issuer, "sub": subject, "aud": client_id, "iat": now.timestamp(), "exp": (now + Duration::minutes(2)).timestamp(),
        "jti": jti, "sid": sid, "events": { EVENT: {} },
    });
    let mut claims = match claims {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    if subject.is_empty() {
        claims.remove("sub");
    }
    claims
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth2::provider::tests::provider;
    use crate::oauth2::redirect_uri::RedirectUri;

    #[test]
    fn nobody_is_led_away_without_a_token_of_the_application() {
        let mut provider = provider("https://a.example/cb");
        provider.redirect_uris.push(RedirectUri::strict("https://a.example/out", RedirectUriType::Logout));
        let signer = Signer::with_secret("a secret").unwrap();
        let token = |signer: &Signer, claims: Value| signer.sign("JWT", claims.as_object().unwrap()).unwrap();
        let own = token(&signer, json!({ "aud": "client", "sub": "ada", "exp": 1 }));
        let foreign = token(&Signer::with_secret("other").unwrap(), json!({ "aud": "client", "sub": "ada" }));
        let other = token(&signer, json!({ "aud": "other", "sub": "ada" }));
        let access = token(&signer, json!({ "aud": "client", "azp": "client", "sub": "ada" }));
        let out = "post_logout_redirect_uri=https://a.example/out";
        let parse = |query: &str| EndSession::parse(&Params::parse(query).unwrap(), &provider, Some(&signer));
        let to = |uri: &str| EndSession::Return(uri.to_owned());
        assert_eq!(parse(&format!("{out}&id_token_hint={own}")), to("https://a.example/out"));
        assert_eq!(parse(&format!("{out}&id_token_hint={own}&state=a%26b")), to("https://a.example/out?state=a%26b"));
        for stay in ["", "state=x", out, &format!("id_token_hint={own}")] {
            assert_eq!(parse(stay), EndSession::Stay, "{stay}");
        }
        for wrong in [
            format!("{out}&id_token_hint={foreign}"),
            format!("{out}&id_token_hint={other}"),
            format!("{out}&id_token_hint={access}"),
            format!("{out}?foo=bar&id_token_hint={own}"),
            format!("post_logout_redirect_uri=https://a.example/cb&id_token_hint={own}"),
            format!("{out}&id_token_hint={own}&client_id=other"),
            format!("{out}&{out}&id_token_hint={own}"),
        ] {
            assert!(matches!(parse(&wrong), EndSession::Wrong(_)), "{wrong}");
        }
    }
}
