//! What a client asks for.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer::{ResponseMode, ReturnAddress};
use crate::oauth2::error::{Code, ProtocolError};
use crate::oauth2::params::Params;
use crate::oauth2::pkce::{self, Challenge, Method};
use crate::oauth2::provider::{GrantType, OAuth2Provider};
use crate::oauth2::redirect_uri::RedirectUriType;
use crate::oauth2::scope;

/// What a client wants the person to be asked (OpenID Connect Core, section 3.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// Nothing.
    None,
    /// To sign in, also if she has.
    Login,
    /// To agree, also if she has.
    Consent,
    /// As whom she wants to go on.
    SelectAccount,
}

impl Prompt {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "none" => Some(Self::None),
            "login" => Some(Self::Login),
            "consent" => Some(Self::Consent),
            "select_account" => Some(Self::SelectAccount),
            _ => None,
        }
    }
}

/// An authorization request of a known client that names an address of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuthorizeRequest {
    /// The client.
    pub client_id: String,
    /// Where the answer goes.
    pub back: ReturnAddress,
    /// The scopes asked for, each once, in their order; `None`: it names none, and gets those that the provider has.
    pub scopes: Option<Vec<String>>,
    /// What the ID token must repeat.
    pub nonce: Option<String>,
    /// What the person is to be asked.
    pub prompts: BTreeSet<Prompt>,
    /// How long ago she may have signed in, in seconds.
    pub max_age: Option<i64>,
    /// The name by which she may sign in.
    pub login_hint: Option<String>,
    /// An ID token of the one whom the client means.
    pub id_token_hint: Option<String>,
    /// Claims that are asked for one by one (section 5.5), for the ID token: what the userinfo endpoint tells is what the scopes tell.
    pub claims: Map<String, Value>,
    /// What will be proven when the code is redeemed.
    pub challenge: Option<Challenge>,
}

/// Why a request is not one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthorizeError {
    /// Nobody knows whose it is, so it is said on a page here and the browser is led nowhere (RFC 6749, section 4.1.2.1).
    Page(&'static str),
    /// The client is told.
    Back(ReturnAddress, ProtocolError),
}

/// The longest values that are taken, in bytes.
const LONGEST: [(&str, usize); 7] = [
    ("state", 4096),
    ("nonce", 1024),
    ("scope", 2048),
    ("claims", 4096),
    ("login_hint", 254),
    ("id_token_hint", 8192),
    ("code_challenge", 128),
];

impl AuthorizeRequest {
    /// Reads a request. `client` finds the provider of a client.
    pub fn parse<'a>(params: &Params, client: impl FnOnce(&str) -> Option<&'a OAuth2Provider>) -> Result<Self, AuthorizeError> {
        let id = params.get("client_id").ok_or(AuthorizeError::Page("The request names no client, or several."))?;
        let provider = client(id).ok_or(AuthorizeError::Page("There is no such client."))?;
        let uri = params.get("redirect_uri").ok_or(AuthorizeError::Page("The request names no redirect URI, or several."))?;
        if !provider.is_registered(uri, RedirectUriType::Authorization) {
            return Err(AuthorizeError::Page("The redirect URI is none of those that are registered for the application."));
        }
        let mode = params.get("response_mode").map(ResponseMode::parse);
        let state = params.get("state").filter(|state| state.len() <= 4096).map(str::to_owned);
        let back = ReturnAddress { redirect_uri: uri.to_owned(), mode: mode.flatten().unwrap_or(ResponseMode::Query), state };
        let rest = Self { client_id: id.to_owned(), ..Self::empty(back.clone()) };
        let refused = |(code, description)| AuthorizeError::Back(back, ProtocolError::new(code, description));
        if mode == Some(None) {
            return Err(refused((Code::InvalidRequest, "The response mode is not known.")));
        }
        rest.with(params, provider).map_err(refused)
    }

    fn empty(back: ReturnAddress) -> Self {
        Self {
            client_id: String::new(),
            back,
            scopes: None,
            nonce: None,
            prompts: BTreeSet::new(),
            max_age: None,
            login_hint: None,
            id_token_hint: None,
            claims: Map::new(),
            challenge: None,
        }
    }

    fn with(self, params: &Params, provider: &OAuth2Provider) -> Result<Self, (Code, &'static str)> {
        let wrong = |description| (Code::InvalidRequest, description);
        params.check_single().map_err(|_| wrong("A parameter is there more than once."))?;
        for (name, longest) in LONGEST {
            if params.get(name).is_some_and(|value| value.len() > longest) {
                return Err(wrong("A parameter is too long."));
            }
        }
        // Processing them is optional; leaving them out would be to do something else than was asked (section 3.1.2.6).
        for (name, code) in [
            ("request", Code::RequestNotSupported),
            ("request_uri", Code::RequestUriNotSupported),
            ("registration", Code::RegistrationNotSupported),
        ] {
            if params.has(name) {
                return Err((code, "This parameter is not supported."));
            }
        }
        match params.get("response_type") {
            Some("code") => {}
            Some(_) => return Err((Code::UnsupportedResponseType, "The response type is not supported.")),
            None => return Err(wrong("There is no response type.")),
        }
        if !provider.allows(GrantType::AuthorizationCode) {
            return Err((Code::UnauthorizedClient, "The client may not ask for codes."));
        }
        let scopes =
            params.get("scope").map(scope::parse).transpose().map_err(|_| (Code::InvalidScope, "The scope is malformed."))?;
        let max_age = params.get("max_age").map(|age| age.parse::<u32>().map(i64::from)).transpose();
        Ok(Self {
            scopes,
            nonce: params.get("nonce").map(str::to_owned),
            prompts: prompts(params.get("prompt")).ok_or(wrong("The prompt is not known, or contradicts itself."))?,
            max_age: max_age.map_err(|_| wrong("The max_age is no number of seconds."))?,
            login_hint: params.get("login_hint").map(str::to_owned),
            id_token_hint: params.get("id_token_hint").map(str::to_owned),
            claims: claims(params.get("claims")).ok_or(wrong("The claims are no JSON object."))?,
            challenge: challenge(params).ok_or(wrong("The code challenge is malformed, or its method is not known."))?,
            ..self
        })
    }

    /// The subject that the client asks for by the claims parameter (OpenID Connect Core, section 5.5.1).
    pub fn requested_subject(&self) -> Option<&str> {
        self.claims.get("id_token")?.get("sub")?.get("value")?.as_str()
    }

    /// Whether a sign-in of the context class `acr` is good enough: whether it is one of those that the client cannot do without (section
    /// 5.5.1.1). What it only would like is no condition.
    pub fn is_content_with(&self, acr: &str) -> bool {
        let asked = self.claims.get("id_token").and_then(|asked| asked.get("acr"));
        let Some(asked) = asked.filter(|asked| asked.get("essential") == Some(&Value::Bool(true))) else { return true };
        match (asked.get("value"), asked.get("values")) {
            (None, None) => true,
            (Some(value), _) if value.as_str() == Some(acr) => true,
            (_, values) => values.and_then(Value::as_array).is_some_and(|values| values.iter().any(|v| v.as_str() == Some(acr))),
        }
    }

    #[cfg(test)]
    pub(crate) fn for_tests(query: &str) -> Self {
        let params = Params::parse(query).unwrap();
        let back = ReturnAddress { redirect_uri: "https://a.example/".into(), mode: ResponseMode::Query, state: None };
        Self {
            prompts: prompts(params.get("prompt")).unwrap(),
            max_age: params.get("max_age").map(|age| age.parse().unwrap()),
            claims: claims(params.get("claims")).unwrap(),
            ..Self::empty(back)
        }
    }
}

/// The prompts of a request; `None` where one is not known, or stands beside `none`.
fn prompts(text: Option<&str>) -> Option<BTreeSet<Prompt>> {
    let all = text.unwrap_or_default().split_ascii_whitespace().map(Prompt::parse).collect::<Option<BTreeSet<_>>>()?;
    (!all.contains(&Prompt::None) || all.len() == 1).then_some(all)
}

fn claims(text: Option<&str>) -> Option<Map<String, Value>> {
    match text {
        None => Some(Map::new()),
        Some(text) => {
            let mut claims: Map<String, Value> = serde_json::from_str(text).ok()?;
            claims.retain(|place, _| place == "id_token");
            Some(claims)
        }
    }
}

/// The challenge of a request; `None` where it cannot be used (RFC 7636, section 4.4.1).
fn challenge(params: &Params) -> Option<Option<Challenge>> {
    let method = params.get("code_challenge_method");
    match params.get("code_challenge") {
        None if method.is_none() && !params.has("code_challenge") => Some(None),
        None => None,
        Some(value) if pkce::is_code(value) => Some(Some(Challenge { method: Method::parse(method)?, value: value.to_owned() })),
        Some(_) => None,
    }
}
