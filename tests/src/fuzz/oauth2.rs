//! Parameters of the authorization endpoint, and tokens.

use ak_providers::oauth2::OAuth2Provider;
use ak_providers::oauth2::authorize::{Answer, AuthorizeError, AuthorizeRequest, ReturnAddress};
use ak_providers::oauth2::jwt::Signer;
use ak_providers::oauth2::params::Params;
use ak_store::certificate::{Algorithm, Request, generate};
use ak_store::{SystemClock, SystemRng};
use serde_json::{Map, Value, json};

/// An address that is compared letter by letter, and what an expression matches.
const REGISTERED: [&str; 2] = ["https://app.example/cb?x=1", r"https://[a-z]+\.example/r"];

/// Seeds of [`authorize`].
pub const AUTHORIZE_CORPUS: &[&str] = &[
    "client_id=client&redirect_uri=https%3A%2F%2Fapp.example%2Fcb%3Fx%3D1&response_type=code&scope=openid+email&state=a%26b&nonce=n",
    "client_id=client&redirect_uri=https%3A%2F%2Fb.example%2Fr&response_type=code&response_mode=form_post&prompt=login+consent&max_age=10",
    "client_id=client&redirect_uri=https%3A%2F%2Fb.example%2Fr&response_type=code&response_mode=fragment&claims=%7B%22id_token%22%3A%7B%22sub%22%3A%7B%22value%22%3A%22x%22%7D%7D%7D",
    "client_id=client&redirect_uri=https%3A%2F%2Fb.example%2Fr&response_type=code&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256",
    "client_id=client&redirect_uri=https%3A%2F%2Fb.example%40evil.example%2Fr&response_type=token",
    "client_id=client&redirect_uri=https%3A%2F%2Fb.example%2Fr%23&request=x&id_token_hint=a.b.c&login_hint=ada",
];

/// A client with the addresses of [`REGISTERED`].
pub struct Authorize(OAuth2Provider);

impl Default for Authorize {
    fn default() -> Self {
        let flow = "00000000-0000-0000-0000-000000000001";
        let document = json!({
            "name": "app", "client_id": "client", "client_secret": "x", "authorization_flow": flow, "invalidation_flow": flow,
            "redirect_uris": [
                { "matching_mode": "strict", "url": REGISTERED[0] }, { "matching_mode": "regex", "url": REGISTERED[1] },
            ],
        });
        Self(serde_json::from_value(document).expect("a provider"))
    }
}

impl Authorize {
    /// Reads `data` as the query of an authorization request.
    ///
    /// # Panics
    /// When a browser could be led to an address that is not registered, or something that was kept is not what it was.
    pub fn run(&self, data: &[u8]) {
        let Ok(params) = Params::parse(&String::from_utf8_lossy(data)) else { return };
        let request = AuthorizeRequest::parse(&params, |id| (id == "client").then_some(&self.0));
        match request {
            Ok(request) => {
                self.back(&request.back, &params);
                let kept = serde_json::to_value(&request).expect("it is kept");
                assert_eq!(serde_json::from_value::<AuthorizeRequest>(kept).expect("it is read"), request);
            }
            Err(AuthorizeError::Back(back, _)) => self.back(&back, &params),
            Err(AuthorizeError::Page(_)) => {}
        }
    }

    fn back(&self, back: &ReturnAddress, params: &Params) {
        let is_known = back.redirect_uri == REGISTERED[0]
            || back
                .redirect_uri
                .strip_prefix("https://")
                .and_then(|rest| rest.strip_suffix(".example/r"))
                .is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase()));
        assert!(is_known, "{}", back.redirect_uri);
        assert_eq!(params.get("redirect_uri"), Some(back.redirect_uri.as_str()));
        match back.answer(&[("code", "c")], "https://id.example/") {
            Answer::Redirect(to) => {
                assert!(to.starts_with(&back.redirect_uri) && to.bytes().all(|b| b.is_ascii_graphic()), "{to:?}");
                let url = url::Url::parse(&to).expect("an address");
                let query = url.fragment().or(url.query()).expect("an answer");
                let state = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "state");
                assert_eq!(state.map(|(_, state)| state.into_owned()), back.state);
            }
            Answer::Form { url, .. } => assert_eq!(url, back.redirect_uri),
        }
    }
}

/// Signers of every sort, and a token of each.
pub struct Tokens {
    signers: Vec<Signer>,
    claims: Map<String, Value>,
    /// Seeds: a token of every signer, and what attackers try.
    pub corpus: Vec<String>,
}

impl Default for Tokens {
    fn default() -> Self {
        let claims = Map::from_iter([("sub".to_owned(), json!("ada")), ("exp".to_owned(), json!(1))]);
        let mut signers = vec![Signer::with_secret("a secret").expect("a secret")];
        for algorithm in [Algorithm::Rsa, Algorithm::Ecdsa, Algorithm::Ed25519] {
            let request = Request { name: "x".into(), hosts: vec!["a.example".into()], days: 1, algorithm };
            let certificate = generate(&request, &SystemClock, &SystemRng).expect("a certificate");
            signers.push(Signer::with_certificate(&certificate).expect("a key"));
        }
        let mut corpus: Vec<String> = signers.iter().map(|signer| signer.sign("JWT", &claims).expect("a token")).collect();
        corpus.push("eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYWxsb3J5In0.".to_owned());
        corpus.push("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtYWxsb3J5In0.AAAA".to_owned());
        Self { signers, claims, corpus }
    }
}

impl Tokens {
    /// Opens `data` as a token of every signer.
    ///
    /// # Panics
    /// When one takes a token for its own that says something else than what it has signed.
    pub fn run(&self, data: &[u8]) {
        let token = String::from_utf8_lossy(data);
        for signer in &self.signers {
            if let Some(claims) = signer.open(&token) {
                assert_eq!(claims, self.claims, "{token}");
            }
        }
    }
}
