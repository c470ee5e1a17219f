//! What clients find out by themselves (OpenID Connect Discovery; RFC 8414).

use serde_json::{Value, json};

use super::authorize::ResponseMode;
use super::claims::ACR;
use super::jwt::Algorithm;
use super::provider::{IssuerMode, OAuth2Provider};

/// The addresses of an installation, and of one application's endpoints there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    base: String,
    slug: String,
}

impl Endpoints {
    /// The endpoints of the application `slug` at `base` (`https://id.example`, without a slash at the end).
    pub fn new(base: &str, slug: &str) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), slug: slug.to_owned() }
    }

    /// Who issues tokens (OpenID Connect Core, section 2).
    pub fn issuer(&self, mode: IssuerMode) -> String {
        match mode {
            IssuerMode::Global => format!("{}/", self.base),
            IssuerMode::PerProvider => self.own(""),
        }
    }

    /// An endpoint that all applications share.
    pub fn shared(&self, name: &str) -> String {
        format!("{}/application/o/{name}/", self.base)
    }

    /// An endpoint of the application's own.
    pub fn own(&self, rest: &str) -> String {
        format!("{}/application/o/{}/{rest}", self.base, self.slug)
    }
}

/// The claims that the shipped mappings tell, and those of tokens.
const CLAIMS: [&str; 18] = [
    "sub",
    "iss",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "acr",
    "amr",
    "nonce",
    "sid",
    "email",
    "email_verified",
    "name",
    "given_name",
    "preferred_username",
    "nickname",
    "groups",
    "entitlements",
];

/// The document by which clients configure themselves.
pub fn document(endpoints: &Endpoints, provider: &OAuth2Provider, algorithm: Algorithm, scopes: &[String]) -> Value {
    let grants: Vec<&str> = provider.grant_types.iter().map(|grant| grant.as_str()).collect();
    let auth_methods = ["client_secret_basic", "client_secret_post", "none"];
    json!({
        "issuer": endpoints.issuer(provider.issuer_mode),
        "authorization_endpoint": endpoints.shared("authorize"),
        "token_endpoint": endpoints.shared("token"),
        "userinfo_endpoint": endpoints.shared("userinfo"),
        "end_session_endpoint": endpoints.own("end-session/"),
        "introspection_endpoint": endpoints.shared("introspect"),
        "revocation_endpoint": endpoints.shared("revoke"),
        "jwks_uri": endpoints.own("jwks/"),
        "response_types_supported": ["code"],
        "response_modes_supported": ResponseMode::ALL.map(ResponseMode::as_str),
        "grant_types_supported": grants,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [algorithm.as_str()],
        "token_endpoint_auth_methods_supported": auth_methods,
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "revocation_endpoint_auth_methods_supported": auth_methods,
        "acr_values_supported": [ACR],
        "scopes_supported": scopes,
        "claims_supported": CLAIMS,
        "claims_parameter_supported": true,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "code_challenge_methods_supported": ["S256", "plain"],
        "authorization_response_iss_parameter_supported": true,
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
    })
}
