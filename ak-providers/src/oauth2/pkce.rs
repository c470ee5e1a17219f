//! Proof Key for Code Exchange (RFC 7636): who redeems a code is who asked for it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

/// How a challenge is made of its verifier (section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    /// By SHA-256.
    S256,
    /// It is the verifier.
    #[serde(rename = "plain")]
    Plain,
}

impl Method {
    /// The method of that name; the default where there is none (section 4.3).
    pub fn parse(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("plain") => Some(Self::Plain),
            Some("S256") => Some(Self::S256),
            Some(_) => None,
        }
    }
}

/// What an authorization request promises to prove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// How it was made.
    pub method: Method,
    /// The challenge.
    pub value: String,
}

/// Whether a text can be a verifier or a challenge: 43 to 128 unreserved characters (sections 4.1 and 4.2).
pub fn is_code(text: &str) -> bool {
    (43..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
}

/// Whether `verifier` keeps the promise (section 4.6). A verifier for a code that was asked for without a challenge is refused too:
/// its client wanted one, and somebody took it away (RFC 9700, section 2.1.1).
pub fn holds(challenge: Option<&Challenge>, verifier: Option<&str>) -> bool {
    match (challenge, verifier) {
        (None, None) => true,
        (Some(challenge), Some(verifier)) if is_code(verifier) => {
            let made = match challenge.method {
                Method::Plain => verifier.to_owned(),
                Method::S256 => URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())),
            };
            bool::from(made.as_bytes().ct_eq(challenge.value.as_bytes()))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_appendix_b_holds() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = Challenge { method: Method::S256, value: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned() };
        assert!(holds(Some(&challenge), Some(verifier)));
        assert!(!holds(Some(&challenge), Some(&challenge.value)), "the method cannot be changed afterwards");
        assert!(!holds(Some(&challenge), None) && !holds(None, Some(verifier)));
        assert!(!holds(Some(&challenge), Some("short")));
    }

    proptest::proptest! {
        #[test]
        fn only_the_verifier_itself_holds(one in "[A-Za-z0-9._~-]{43,128}", other in "[A-Za-z0-9._~-]{43,128}") {
            for method in [Method::Plain, Method::S256] {
                let value = match method {
                    Method::Plain => one.clone(),
                    Method::S256 => URL_SAFE_NO_PAD.encode(Sha256::digest(one.as_bytes())),
                };
                let challenge = Challenge { method, value };
                proptest::prop_assert!(holds(Some(&challenge), Some(&one)));
                proptest::prop_assert_eq!(holds(Some(&challenge), Some(&other)), one == other);
            }
        }
    }
}
