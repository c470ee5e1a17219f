//! What a browser carries through signing in: where it wants to go, signed, and bound to the browser.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::destination::destination;
use super::provider::ProxyProvider;
use crate::oauth2::jwt::{CannotSign, Signer};

/// How long a browser may take to sign in. Whoever takes longer begins again.
const AGE: Duration = Duration::hours(1);

/// How often it may begin again on its own: a browser that keeps no cookies would never come to an end.
const TRIES: u64 = 3;

/// What a browser carries through signing in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Where it wants to go.
    pub to: String,
    /// A digest of what it is known by.
    browser: String,
    /// How often it has begun again.
    tries: u64,
    /// When it began.
    at: DateTime<Utc>,
}

/// What is to happen when a browser comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The code is redeemed, and on to this address.
    Redeem(String),
    /// It signs in once more, on the way to the same address.
    Again(State),
    /// It has done so too often.
    GiveUp,
}

fn digest(browser: &str) -> String {
    hex::encode(Sha256::digest(browser.as_bytes()))
}

fn signer(provider: &ProxyProvider) -> Result<Signer, CannotSign> {
    Signer::with_secret(provider.cookie_secret.reveal())
}

fn issuer(provider: &ProxyProvider) -> String {
    format!("goauthentik.io/outpost/{}", provider.client_id)
}

impl State {
    /// The state of a browser that begins, known by `browser`.
    pub fn new(to: String, browser: &str, now: DateTime<Utc>) -> Self {
        Self { to, browser: digest(browser), tries: 0, at: now }
    }

    /// The same on the way to the application's start.
    #[must_use]
    pub fn to_start(&self, provider: &ProxyProvider) -> Self {
        Self { to: provider.external_host.url().to_owned(), ..self.clone() }
    }

    /// As it is carried.
    ///
    /// # Errors
    /// Where the provider has no secret.
    pub fn sign(&self, provider: &ProxyProvider) -> Result<String, CannotSign> {
        let claims = json!({
            "iss": issuer(provider), "redirect": self.to, "sid": self.browser, "tries": self.tries, "iat": self.at.timestamp(),
        });
        let claims = match claims {
            Value::Object(claims) => claims,
            _ => Map::new(),
        };
        signer(provider)?.sign("JWT", &claims)
    }

    /// Reads what this provider has signed. `None`: it has not.
    pub fn open(provider: &ProxyProvider, text: &str) -> Option<Self> {
        let claims = signer(provider).ok()?.open(text)?;
        let word = |name: &str| claims.get(name).and_then(Value::as_str);
        if word("iss") != Some(issuer(provider).as_str()) {
            return None;
        }
        Some(Self {
            to: word("redirect")?.to_owned(),
            browser: word("sid")?.to_owned(),
            tries: claims.get("tries")?.as_u64()?,
            at: DateTime::from_timestamp(claims.get("iat")?.as_i64()?, 0)?,
        })
    }

    /// What is to happen for a browser that comes back with `state` and is known by `browser` (if by anything), where it has `code` or
    /// not. A state that is not its own, too old or none at all begins again, and leads to where that says it was to lead.
    pub fn decide(
        provider: &ProxyProvider,
        state: &str,
        has_code: bool,
        browser: Option<&str>,
        fresh: &str,
        now: DateTime<Utc>,
    ) -> Next {
        let start = || provider.external_host.url().to_owned();
        let Some(state) = Self::open(provider, state) else {
            return Next::Again(Self { tries: 1, ..Self::new(start(), browser.unwrap_or(fresh), now) });
        };
        // The provider may have another host since.
        let to = destination(provider, &state.to).unwrap_or_else(start);
        let is_own = browser.is_some_and(|browser| bool::from(digest(browser).as_bytes().ct_eq(state.browser.as_bytes())));
        let is_fresh = now - state.at <= AGE && state.at - now <= Duration::minutes(1);
        if is_own && is_fresh && has_code {
            return Next::Redeem(to);
        }
        if state.tries >= TRIES && is_fresh {
            return Next::GiveUp;
        }
        let tries = if is_fresh { state.tries + 1 } else { 1 };
        Next::Again(Self { tries, ..Self::new(to, browser.unwrap_or(fresh), now) })
    }

    /// The same once more, on the way to the same address: what was to be redeemed was not good any more.
    #[must_use]
    pub fn again(provider: &ProxyProvider, state: &str, browser: &str, now: DateTime<Utc>) -> Option<Self> {
        let state = Self::open(provider, state).filter(|state| state.tries < TRIES)?;
        let to = destination(provider, &state.to).unwrap_or_else(|| provider.external_host.url().to_owned());
        Some(Self { tries: state.tries + 1, ..Self::new(to, browser, now) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::provider::tests::single;
    use super::*;

    const PAGE: &str = "https://app.example/deep/link?a=b&c=%2F#d";

    fn now() -> DateTime<Utc> {
        "2026-11-01T12:00:00Z".parse().unwrap()
    }

    fn to(next: Next) -> String {
        let Next::Again(state) = next else { panic!("{next:?}") };
        state.to
    }

    #[test]
    fn a_browser_comes_back_with_its_own_state() {
        let app = single("https://app.example");
        let state = State::new(PAGE.to_owned(), "browser", now());
        let text = state.sign(&app).unwrap();
        assert_eq!(State::open(&app, &text), Some(state));
        let later = now() + Duration::minutes(30);
        assert_eq!(State::decide(&app, &text, true, Some("browser"), "", later), Next::Redeem(PAGE.to_owned()));
    }

    #[test]
    fn any_other_state_begins_again_and_leads_to_the_same_page() {
        let app = single("https://app.example");
        let text = State::new(PAGE.to_owned(), "browser", now()).sign(&app).unwrap();
        let decide = |state: &str, code, browser, at| State::decide(&app, state, code, browser, "fresh", at);
        assert_eq!(to(decide(&text, true, Some("other"), now())), PAGE, "of another browser");
        assert_eq!(to(decide(&text, true, None, now())), PAGE, "of a browser that is not known");
        assert_eq!(to(decide(&text, false, Some("browser"), now())), PAGE, "without a code");
        assert_eq!(to(decide(&text, true, Some("browser"), now() + Duration::days(30))), PAGE, "stale");
        assert_eq!(to(decide("", true, Some("browser"), now())), "https://app.example/", "none");
        assert_eq!(to(decide(&format!("{text}x"), true, Some("browser"), now())), "https://app.example/", "made up");
        let moved = single("https://new.example");
        assert_eq!(
            State::decide(&moved, &text, true, Some("browser"), "", now()),
            Next::Redeem("https://new.example/".to_owned())
        );
        let mut other = single("https://app.example");
        other.client_id = "another client".to_owned();
        assert_eq!(State::open(&other, &text), None, "of another provider with the same secret");
        other.cookie_secret = ak_store::model::Secret::default();
        assert_eq!(State::open(&other, &text), None, "nothing is signed with nothing");
    }

    #[test]
    fn a_browser_without_cookies_comes_to_an_end() {
        let app = single("https://app.example");
        let mut text = State::new(PAGE.to_owned(), "browser", now()).sign(&app).unwrap();
        let mut rounds = 0;
        while let Next::Again(state) = State::decide(&app, &text, true, None, "fresh", now()) {
            rounds += 1;
            text = state.sign(&app).unwrap();
        }
        assert!(rounds <= TRIES, "{rounds} rounds");
        assert_eq!(State::again(&app, &text, "browser", now()), None);
    }

    #[test]
    fn an_unsigned_state_leads_nowhere() {
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let app = single("https://app.example");
        let claims =
            json!({ "iss": issuer(&app), "redirect": "https://evil.example/", "sid": digest("b"), "tries": 0, "iat": 0 });
        let text = format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), URL_SAFE_NO_PAD.encode(claims.to_string()));
        assert_eq!(State::open(&app, &text), None);
        let evil = State { to: "https://evil.example/".into(), ..State::new(String::new(), "b", now()) };
        let signed = evil.sign(&app).unwrap();
        assert_eq!(State::decide(&app, &signed, true, Some("b"), "", now()), Next::Redeem("https://app.example/".to_owned()));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_no_state(text in "[A-Za-z0-9_.-]{0,120}") {
            prop_assert_eq!(State::open(&single("https://app.example"), &text), None);
        }
    }
}
