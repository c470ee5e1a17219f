//! The kind of OAuth 2.0 and OpenID Connect providers.

use ak_policy::Provider;
use ak_store::certificate::CertificateKeyPair;
use ak_store::model::{Errors, Fill, Kind, Meta, Ref, Roles, Row, Secret, Space, Span, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;
use uuid::Uuid;

use super::redirect_uri::{MatchingMode, RedirectUri, RedirectUriType};
use crate::provider::{ProviderFields, ProviderShown};

/// Whether a client can keep a secret (RFC 6749, section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientType {
    /// It can: a program on a server.
    #[default]
    Confidential,
    /// It cannot: a program in a browser or on a phone.
    Public,
}

/// By what a client may ask for tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GrantType {
    /// By a code that a person's browser brought (RFC 6749, section 4.1).
    #[serde(rename = "authorization_code")]
    AuthorizationCode,
    /// In the answer of the authorization endpoint (RFC 6749, section 4.2).
    #[serde(rename = "implicit")]
    Implicit,
    /// Both (OpenID Connect Core, section 3.3).
    #[serde(rename = "hybrid")]
    Hybrid,
    /// By a refresh token (RFC 6749, section 6).
    #[serde(rename = "refresh_token")]
    RefreshToken,
    /// As itself (RFC 6749, section 4.4).
    #[serde(rename = "client_credentials")]
    ClientCredentials,
    /// By the app password of an account (RFC 6749, section 4.3): another name for what [`Self::ClientCredentials`] with an account does.
    #[serde(rename = "password")]
    Password,
    /// By a code that is typed on another device (RFC 8628).
    #[serde(rename = "urn:ietf:params:oauth:grant-type:device_code")]
    DeviceCode,
    /// By another token (RFC 8693).
    #[serde(rename = "urn:ietf:params:oauth:grant-type:token-exchange")]
    TokenExchange,
}

impl GrantType {
    /// Those that are built.
    pub const BUILT: [Self; 4] = [Self::AuthorizationCode, Self::RefreshToken, Self::ClientCredentials, Self::Password];

    /// Those that a provider has of which nothing else is said.
    pub const USUAL: [Self; 3] = [Self::AuthorizationCode, Self::RefreshToken, Self::ClientCredentials];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::Implicit => "implicit",
            Self::Hybrid => "hybrid",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::Password => "password",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
        }
    }
}

/// By what an application knows people (OpenID Connect Core, section 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubMode {
    /// By a digest of the account's key.
    #[default]
    HashedUserId,
    /// By the account's key.
    UserId,
    /// By the account's UUID.
    UserUuid,
    /// By the user name.
    UserUsername,
    /// By the e-mail address.
    UserEmail,
    /// By the attribute `upn`, else by the digest.
    UserUpn,
}

/// Who issues tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IssuerMode {
    /// The installation.
    Global,
    /// Each provider for itself.
    #[default]
    PerProvider,
}

/// How an application is told that a person has signed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogoutMethod {
    /// From server to server (OpenID Connect Back-Channel Logout).
    #[default]
    Backchannel,
    /// By frames in the browser (OpenID Connect Front-Channel Logout).
    Frontchannel,
}

/// Signs people in to an application by OAuth 2.0 and OpenID Connect.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct OAuth2Provider {
    /// What all providers have.
    #[serde(flatten)]
    pub base: ProviderFields,
    /// Whether the client can keep a secret.
    #[serde(default)]
    pub client_type: ClientType,
    /// By what the client may ask for tokens.
    #[serde(default = "usual")]
    pub grant_types: Vec<GrantType>,
    /// The client's name.
    #[serde(default)]
    #[schemars(length(min = 1, max = 255))]
    pub client_id: String,
    /// The client's secret.
    #[serde(default)]
    #[schemars(with = "String", length(max = 255), extend("x-redact" = true))]
    pub client_secret: Secret,
    /// How long a code is good for.
    #[serde(default = "one_minute")]
    pub access_code_validity: Span,
    /// How long an access token is good for.
    #[serde(default = "one_hour")]
    pub access_token_validity: Span,
    /// How long a refresh token is good for.
    #[serde(default = "thirty_days")]
    pub refresh_token_validity: Span,
    /// A refresh token that is good for longer than this stays when it is used; zero: every use gives a new one.
    #[serde(default = "zero")]
    pub refresh_token_threshold: Span,
    /// Whether what scopes tell about a person also stands in the ID token.
    #[serde(default = "yes")]
    pub include_claims_in_id_token: bool,
    /// What signs tokens; where there is none, the client's secret.
    #[serde(default)]
    pub signing_key: Option<Ref<CertificateKeyPair>>,
    /// What encrypts tokens.
    #[serde(default)]
    #[schemars(extend("x-later" = true))]
    pub encryption_key: Option<Uuid>,
    /// Where browsers may be led back to.
    pub redirect_uris: Vec<RedirectUri>,
    /// Where the application is told that a person has signed out.
    #[serde(default)]
    pub logout_uri: String,
    /// How it is told.
    #[serde(default)]
    #[schemars(extend("x-later" = true))]
    pub logout_method: LogoutMethod,
    /// By what the application knows people.
    #[serde(default)]
    pub sub_mode: SubMode,
    /// Who issues tokens.
    #[serde(default)]
    pub issuer_mode: IssuerMode,
    /// Sources whose tokens prove who a client is.
    #[serde(default)]
    #[schemars(extend("x-later" = true))]
    pub jwt_federation_sources: Vec<Uuid>,
    /// Providers whose tokens prove who a client is.
    #[serde(default)]
    #[schemars(extend("x-later" = true))]
    pub jwt_federation_providers: Vec<i64>,
}

fn usual() -> Vec<GrantType> {
    GrantType::USUAL.to_vec()
}

fn yes() -> bool {
    true
}

fn zero() -> Span {
    Span::seconds(0)
}

/// A span in the words in which administrators write it.
fn span(text: &str) -> Span {
    text.parse().unwrap_or_else(|_| Span::seconds(0))
}

fn one_minute() -> Span {
    span("minutes=1")
}

fn one_hour() -> Span {
    span("hours=1")
}

fn thirty_days() -> Span {
    span("days=30")
}

impl Kind for OAuth2Provider {
    const META: Meta = Meta {
        component: "ak-provider-oauth2-form",
        description: "Sign people in by OAuth 2.0 and OpenID Connect.",
        space: <dyn Provider as Target>::SPACE,
        pk_filters: &["id"],
        related: "oauth2provider",
        through: &[("application", "authentik_core.application", "pk")],
        fact_filters: &["backchannel"],
        unique: &[&["name"], &["client_id"]],
        ..Meta::new(
            "authentik_providers_oauth2.oauth2provider",
            "providers/oauth2",
            "OAuth2/OpenID Provider",
            "OAuth2/OpenID Providers",
        )
    };

    type Shown = ProviderShown;

    fn shown(&self, row: &Row<'_>) -> ProviderShown {
        ProviderShown::of(row)
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Provider>(|s| s).a::<dyn OAuth2Client>(|s| s);
    }

    fn fill(&mut self, fill: &Fill<'_>) {
        if self.client_id.is_empty() {
            self.client_id = fill.rng.token(30);
        }
        if self.client_secret.is_empty() {
            self.client_secret = Secret::new(fill.rng.token(96));
        }
    }

    fn check(&self, row: &Row<'_>, errors: &mut Errors) {
        if self.client_id.is_empty() {
            errors.at(&["client_id"], "This field may not be blank.", "blank");
        }
        for grant in self.grant_types.iter().filter(|grant| !GrantType::BUILT.contains(grant)) {
            errors.at(&["grant_types"], format!("\"{}\" is not supported yet.", grant.as_str()), "invalid");
        }
        for uri in &self.redirect_uris {
            if let Err(why) = uri.check() {
                errors.at(&["redirect_uris"], why, "invalid");
            }
        }
        let is_web = |uri: &str| Url::parse(uri).is_ok_and(|uri| matches!(uri.scheme(), "http" | "https") && uri.has_host());
        if !self.logout_uri.is_empty() && !is_web(&self.logout_uri) {
            errors.at(&["logout_uri"], "Enter a valid URL.", "invalid");
        }
        let spans = [
            ("access_code_validity", &self.access_code_validity),
            ("access_token_validity", &self.access_token_validity),
            ("refresh_token_validity", &self.refresh_token_validity),
        ];
        for (name, span) in spans {
            if span.duration() <= chrono::Duration::zero() {
                errors.at(&[name], "It must last for some time.", "invalid");
            }
        }
        let key = self.signing_key.and_then(|to| row.snapshot.get(to));
        if key.is_some_and(|key| key.signing_key().is_none()) {
            errors.at(&["signing_key"], "The certificate has no private key that tokens can be signed with.", "invalid");
        }
    }

    fn facts(&self) -> Map<String, Value> {
        // None works behind an application.
        [("backchannel".to_owned(), json!(false))].into_iter().collect()
    }
}

/// The role of what is a client: providers of this protocol, and of others that sign people in by it.
pub trait OAuth2Client: Send + Sync {
    /// The client.
    fn client(&self) -> &OAuth2Provider;

    /// The managed names of scope mappings that it has besides those that an administrator chose.
    fn own_scopes(&self) -> &'static [&'static str] {
        &[]
    }
}

impl Target for dyn OAuth2Client {
    const NAME: &'static str = "authentik_providers_oauth2.client";
    const SPACE: Space = <dyn Provider as Target>::SPACE;
}

impl OAuth2Client for OAuth2Provider {
    fn client(&self) -> &OAuth2Provider {
        self
    }
}

impl Provider for OAuth2Provider {
    fn name(&self) -> &str {
        &self.base.name
    }

    /// The origin of the first address that browsers are led back to.
    fn launch_url(&self) -> Option<String> {
        let strict = |uri: &&RedirectUri| {
            uri.matching_mode == MatchingMode::Strict && uri.redirect_uri_type == RedirectUriType::Authorization
        };
        let url = Url::parse(&self.redirect_uris.iter().find(strict)?.url).ok()?;
        let origin = url.origin();
        (matches!(url.scheme(), "http" | "https") && origin.is_tuple()).then(|| format!("{}/", origin.ascii_serialization()))
    }
}

impl OAuth2Provider {
    /// Whether the client may ask for tokens by this.
    pub fn allows(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
    }

    /// Whether browsers may be led to `uri`.
    pub fn is_registered(&self, uri: &str, r#type: RedirectUriType) -> bool {
        self.redirect_uris.iter().filter(|known| known.redirect_uri_type == r#type).any(|known| known.matches(uri))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A confidential client that is led back to `redirect_uri`.
    pub(crate) fn provider(redirect_uri: &str) -> OAuth2Provider {
        let flow = "00000000-0000-0000-0000-000000000001";
        let document = json!({
            "name": "app", "client_id": "client", "client_secret": "a secret/+%", "authorization_flow": flow, "invalidation_flow": flow,
            "redirect_uris": [{ "matching_mode": "strict", "url": redirect_uri }],
        });
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn a_provider_leads_to_where_its_application_is() {
        assert_eq!(provider("https://a.example:8443/cb?x").launch_url().as_deref(), Some("https://a.example:8443/"));
        assert_eq!(provider("com.example.app:/cb").launch_url(), None);
    }
}
