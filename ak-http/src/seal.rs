//! What browsers hold and must not be able to make: session cookies and form tokens.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha512};

/// Signs and checks what browsers hold.
pub(crate) struct Seal {
    sign: EncodingKey,
    check: DecodingKey,
    forms: hmac::Key,
}

/// The claims of a session cookie, as outposts and older programs read them.
#[derive(Serialize, Deserialize)]
pub(crate) struct SessionClaims {
    /// The session's key.
    pub(crate) sid: String,
    /// Who made it.
    pub(crate) iss: String,
    /// The account's identifier, or `anonymous`.
    pub(crate) sub: String,
    /// Whether somebody has signed in.
    pub(crate) authenticated: bool,
    /// How.
    pub(crate) acr: String,
}

const ISSUER: &str = "authentik";

impl Seal {
    pub(crate) fn new(secret_key: &str) -> Self {
        let key = hex::encode(Sha512::digest(secret_key.as_bytes()));
        Self {
            sign: EncodingKey::from_secret(key.as_bytes()),
            check: DecodingKey::from_secret(key.as_bytes()),
            forms: hmac::Key::new(hmac::HMAC_SHA256, format!("forms:{key}").as_bytes()),
        }
    }

    /// The value of a session cookie: a JWT (RFC 7519), HS256.
    pub(crate) fn session(&self, sid: &str, uid: Option<&str>) -> Option<String> {
        let claims = SessionClaims {
            sid: sid.to_owned(),
            iss: ISSUER.to_owned(),
            sub: uid.unwrap_or("anonymous").to_owned(),
            authenticated: uid.is_some(),
            acr: "goauthentik.io/core/default".to_owned(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.sign).ok()
    }

    /// The session's key in a cookie that this installation signed.
    pub(crate) fn open_session(&self, cookie: &str) -> Option<String> {
        if cookie.len() > 2048 {
            return None;
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.set_issuer(&[ISSUER]);
        let token = jsonwebtoken::decode::<SessionClaims>(cookie, &self.check, &validation).ok()?;
        Some(token.claims.sid)
    }

    /// A token for one purpose, bound to a session (or to none).
    pub(crate) fn token(&self, purpose: &[&str], session: Option<&[u8; 32]>) -> String {
        let tag = hmac::sign(&self.forms, &message(purpose, session));
        URL_SAFE_NO_PAD.encode(tag.as_ref())
    }

    /// Whether a token is the one for this purpose and session; in constant time.
    pub(crate) fn is_token(&self, token: &str, purpose: &[&str], session: Option<&[u8; 32]>) -> bool {
        URL_SAFE_NO_PAD.decode(token).is_ok_and(|tag| hmac::verify(&self.forms, &message(purpose, session), &tag).is_ok())
    }
}

/// Every part with its length in front, so that no two lists of parts make the same message.
fn message(purpose: &[&str], session: Option<&[u8; 32]>) -> Vec<u8> {
    let mut out = Vec::new();
    let session: &[u8] = session.map_or(b"", |s| s);
    for part in purpose.iter().map(|p| p.as_bytes()).chain([session]) {
        out.extend_from_slice(&(part.len() as u64).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_counts_only_with_the_key_it_was_signed_with() {
        let cookie = Seal::new("one").session("key", Some("uid")).unwrap();
        assert_eq!(Seal::new("one").open_session(&cookie).as_deref(), Some("key"));
        assert_eq!(Seal::new("two").open_session(&cookie), None);
        let unsigned = format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), cookie.split('.').nth(1).unwrap());
        assert_eq!(Seal::new("one").open_session(&unsigned), None);
    }

    #[test]
    fn a_form_token_counts_only_for_its_purpose_and_session() {
        let seal = Seal::new("one");
        let token = seal.token(&["flow", "login", "1"], Some(&[7; 32]));
        assert!(seal.is_token(&token, &["flow", "login", "1"], Some(&[7; 32])));
        assert!(!seal.is_token(&token, &["flow", "login", "2"], Some(&[7; 32])));
        assert!(!seal.is_token(&token, &["flow", "login1", ""], Some(&[7; 32])));
        assert!(!seal.is_token(&token, &["flow", "login", "1"], None));
        assert!(!seal.is_token("", &["flow", "login", "1"], Some(&[7; 32])));
    }
}
