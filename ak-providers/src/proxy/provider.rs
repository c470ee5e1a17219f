//! The kind of proxy providers.

use std::borrow::Cow;
use std::sync::OnceLock;

use ak_policy::Provider;
use ak_store::model::{Errors, Fill, Key, Kind, Meta, Ref, Roles, Row, Secret, Span, Target};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value, json};
use url::Url;
use uuid::Uuid;

use super::forwarded::endpoint;
use super::host::Host;
use super::skip::SkipPaths;
use crate::oauth2::provider::{ClientType, GrantType, IssuerMode, LogoutMethod, SubMode};
use crate::oauth2::redirect_uri::{RedirectUri, RedirectUriType};
use crate::oauth2::scope::OFFLINE_ACCESS;
use crate::oauth2::{OAuth2Client, OAuth2Provider};
use crate::outpost::Outpost;
use crate::provider::{ProviderFields, ProviderShown};

/// How the provider stands in front of the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProxyMode {
    /// It passes every request on itself.
    #[default]
    Proxy,
    /// A reverse proxy asks it, for one application.
    ForwardSingle,
    /// A reverse proxy asks it, for every application of a domain.
    ForwardDomain,
}

/// Where browsers find an application. For whom it is, its scheme and host say; who is led there comes to all of it. It stays as it was
/// written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalHost {
    text: String,
    url: String,
    https: bool,
    host: Host,
    is_ours: bool,
}

impl ExternalHost {
    /// Reads an address. `None`: it is none of the web.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok().filter(|url| url.username().is_empty() && url.password().is_none())?;
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        // From the parsed address: names in other letters are there as they are sent.
        let host = Host::parse(&match url.port() {
            Some(port) => format!("{}:{port}", url.host_str()?),
            None => url.host_str()?.to_owned(),
        })?;
        let is_ours = endpoint(url.path(), url.query().unwrap_or_default()).is_some();
        let mut made = Self { text: text.to_owned(), url: url.into(), https, host, is_ours };
        // Who is led to one of our own endpoints would be led on from there, in circles.
        if is_ours {
            made.url = format!("{}/", made.origin());
        }
        Some(made)
    }

    /// Whether it was written as the address of one of our own endpoints. Nobody may write that any more; what was kept before is read all
    /// the same, because a provider that cannot be read leaves its host to one for a domain around it.
    pub fn is_ours(&self) -> bool {
        self.is_ours
    }

    /// Whether browsers come over TLS.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The host, without the port that the scheme has anyway.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The whole address, as browsers write it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `https://app.example`.
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.https { "https" } else { "http" }, self.host)
    }
}

impl Serialize for ExternalHost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for ExternalHost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).ok_or_else(|| de::Error::custom("Enter a valid URL."))
    }
}

impl JsonSchema for ExternalHost {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ExternalHost".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }
}

/// Stands in front of an application that knows nothing of signing in.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ProxyProvider {
    /// What all providers have.
    #[serde(flatten)]
    pub base: ProviderFields,
    /// The name of the client that it is.
    #[serde(default)]
    #[schemars(extend("x-read-only" = true))]
    pub client_id: String,
    /// The secret of the client.
    #[serde(default)]
    #[schemars(extend("x-hidden" = true))]
    pub client_secret: Secret,
    /// What signs the way through signing in.
    #[serde(default)]
    #[schemars(extend("x-hidden" = true))]
    pub cookie_secret: Secret,
    /// Where the application is.
    #[serde(default)]
    #[schemars(extend("x-later" = true))]
    pub internal_host: String,
    /// Where browsers find it; for a domain, where they come back to when they have signed in.
    pub external_host: ExternalHost,
    /// Whether the certificate of where the application is must be valid.
    #[serde(default = "yes")]
    #[schemars(extend("x-later" = true))]
    pub internal_host_ssl_validation: bool,
    /// The certificate for browsers.
    #[serde(default)]
    #[schemars(extend("x-later" = true))]
    pub certificate: Option<Uuid>,
    /// Regular expressions for where everybody may go, one a line: of paths, or for a domain of addresses.
    #[serde(default)]
    pub skip_path_regex: SkipPaths,
    /// Whether the application gets HTTP Basic credentials.
    #[serde(default)]
    pub basic_auth_enabled: bool,
    /// The attribute of people and groups with the password for that.
    #[serde(default)]
    pub basic_auth_password_attribute: String,
    /// The attribute with the name for that; the e-mail address where there is none.
    #[serde(default)]
    pub basic_auth_user_attribute: String,
    /// How it stands in front of the application.
    #[serde(default)]
    pub mode: ProxyMode,
    /// Whether credentials in requests are for it, and not for the application.
    #[serde(default = "yes")]
    pub intercept_header_auth: bool,
    /// The domain whose hosts share a session.
    #[serde(default)]
    pub cookie_domain: String,
    /// Sources whose tokens prove who somebody is.
    #[serde(default)]
    #[schemars(extend("x-later" = true))]
    pub jwt_federation_sources: Vec<Uuid>,
    /// Providers whose tokens prove who somebody is.
    #[serde(default)]
    #[schemars(extend("x-later" = true))]
    pub jwt_federation_providers: Vec<i64>,
    /// How long a session is good for before it is asked for anew.
    #[serde(default = "one_day")]
    pub access_token_validity: Span,
    /// How long a refresh token is good for.
    #[serde(default = "thirty_days")]
    pub refresh_token_validity: Span,
    /// The client, once it was asked for.
    #[serde(skip)]
    #[schemars(skip)]
    client: OnceLock<Box<OAuth2Provider>>,
}

fn yes() -> bool {
    true
}

/// A span in the words in which administrators write it.
fn span(text: &str) -> Span {
    text.parse().unwrap_or_else(|_| Span::seconds(0))
}

fn one_day() -> Span {
    span("hours=24")
}

fn thirty_days() -> Span {
    span("days=30")
}

/// The read-only fields of a proxy provider.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProxyProviderShown {
    #[serde(flatten)]
    base: ProviderShown,
    redirect_uris: Vec<RedirectUri>,
    outpost_set: Vec<String>,
}

impl Kind for ProxyProvider {
    const META: Meta = Meta {
        component: "ak-provider-proxy-form",
        description: "Protect applications that know nothing of signing in, behind a reverse proxy.",
        space: <dyn Provider as Target>::SPACE,
        related: "proxyprovider",
        through: &[("application", "authentik_core.application", "pk")],
        fact_filters: &["backchannel"],
        unique: &[&["name"], &["client_id"]],
        ..Meta::new("authentik_providers_proxy.proxyprovider", "providers/proxy", "Proxy Provider", "Proxy Providers")
    };

    type Shown = ProxyProviderShown;

    fn shown(&self, row: &Row<'_>) -> ProxyProviderShown {
        let outposts = row.snapshot.referring::<Outpost>(Key::Object(row.pk())).filter_map(Result::ok);
        ProxyProviderShown {
            base: ProviderShown::of(row),
            redirect_uris: self.oauth2().redirect_uris.clone(),
            outpost_set: outposts.map(|(_, outpost)| outpost.name.clone()).collect(),
        }
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Provider>(|s| s).a::<dyn OAuth2Client>(|s| s);
    }

    fn fill(&mut self, fill: &Fill<'_>) {
        self.client_id = fill.rng.token(30);
        self.client_secret = Secret::new(fill.rng.token(96));
        self.cookie_secret = Secret::new(fill.rng.token(48));
    }

    fn check(&self, _: &Row<'_>, errors: &mut Errors) {
        if self.mode == ProxyMode::Proxy {
            errors.at(&["mode"], "\"proxy\" is not supported yet; a reverse proxy in front asks \"forward_single\".", "invalid");
        }
        if self.external_host.is_ours() {
            errors.at(&["external_host"], "It is an address of our own, and not of the application.", "invalid");
        }
        let domain = self.domain();
        if domain.is_empty() {
            if self.mode == ProxyMode::ForwardDomain {
                errors.at(&["cookie_domain"], "For a domain it is needed.", "required");
            }
        } else if !Host::parse(domain).is_some_and(|host| host.port.is_none() && host.name == domain) {
            errors.at(&["cookie_domain"], "It is no domain.", "invalid");
        } else if !self.external_host.host().is_within(domain) {
            // Browsers would drop the cookie, and people would sign in for ever.
            errors.at(&["external_host"], format!("It is not in the domain {domain}."), "invalid");
        }
        let is_whole = !self.basic_auth_password_attribute.is_empty() && !self.basic_auth_user_attribute.is_empty();
        if self.basic_auth_enabled && !is_whole {
            let message = "The attributes with the name and with the password are needed for that.";
            errors.at(&["basic_auth_enabled"], message, "invalid");
        }
        if self.access_token_validity.duration() <= chrono::Duration::zero() {
            errors.at(&["access_token_validity"], "It must last for some time.", "invalid");
        }
        if self.refresh_token_validity.duration() <= chrono::Duration::zero() {
            errors.at(&["refresh_token_validity"], "It must last for some time.", "invalid");
        }
    }

    /// Of two in front of the same hosts one waits for the other to go, which is no mistake while applications move; it is told all the same.
    fn remarks(&self, row: &Row<'_>, remarks: &mut Errors) {
        let Some((field, place)) = self.place().filter(|_| Outpost::embedded_serves(row.snapshot, row.pk())) else { return };
        let same = |(at, other): &(Ref<Self>, &Self)| {
            at.pk() != row.pk()
                && other.place().is_some_and(|(_, other)| other == place)
                && Outpost::embedded_serves(row.snapshot, at.pk())
        };
        if let Some((_, other)) = row.snapshot.all::<Self>().find(same) {
            let message = format!("The provider {} is for {place} too, and one of the two is not asked.", other.base.name);
            remarks.at(&[field], message, "unique");
        }
    }

    fn facts(&self) -> Map<String, Value> {
        // None works behind an application.
        [("backchannel".to_owned(), json!(false))].into_iter().collect()
    }
}

impl Provider for ProxyProvider {
    fn name(&self) -> &str {
        &self.base.name
    }

    /// The address as it is written; for a domain too, where it may be that of the page that leads to its applications.
    fn launch_url(&self) -> Option<String> {
        Some(self.external_host.text.clone())
    }
}

impl OAuth2Client for ProxyProvider {
    /// Confidential, and led back to its callback only.
    fn client(&self) -> &OAuth2Provider {
        self.oauth2()
    }

    fn own_scopes(&self) -> &'static [&'static str] {
        &OWN_SCOPES
    }
}

/// What is told of people without an administrator's choosing it.
const OWN_SCOPES: [&str; 5] = [
    "goauthentik.io/providers/oauth2/scope-openid",
    "goauthentik.io/providers/oauth2/scope-email",
    "goauthentik.io/providers/oauth2/scope-profile",
    "goauthentik.io/providers/oauth2/scope-entitlements",
    "goauthentik.io/providers/proxy/scope-proxy",
];

impl ProxyProvider {
    /// The domain whose hosts share a session; empty for none.
    pub fn domain(&self) -> &str {
        self.cookie_domain.strip_prefix('.').unwrap_or(&self.cookie_domain)
    }

    /// The hosts that it stands in front of, and the field that says so.
    fn place(&self) -> Option<(&'static str, String)> {
        match self.mode {
            ProxyMode::ForwardSingle => Some(("external_host", self.external_host.host().to_string())),
            ProxyMode::ForwardDomain => Some(("cookie_domain", self.domain().to_owned())),
            ProxyMode::Proxy => None,
        }
    }

    /// Where browsers come back to when they have signed in.
    pub fn callback(&self) -> String {
        format!("{}/outpost.goauthentik.io/callback?X-authentik-auth-callback=true", self.external_host.origin())
    }

    /// What is asked for of the scopes that are offered. A refresh token is of no use here: nobody would redeem it, or take it back.
    pub fn scopes_to_request(&self, mut offered: Vec<String>) -> Vec<String> {
        offered.retain(|scope| scope != OFFLINE_ACCESS);
        offered
    }

    fn oauth2(&self) -> &OAuth2Provider {
        self.client.get_or_init(|| {
            Box::new(OAuth2Provider {
                base: self.base.clone(),
                client_type: ClientType::Confidential,
                grant_types: GrantType::USUAL.to_vec(),
                client_id: self.client_id.clone(),
                client_secret: self.client_secret.clone(),
                access_code_validity: span("minutes=1"),
                access_token_validity: self.access_token_validity.clone(),
                refresh_token_validity: self.refresh_token_validity.clone(),
                refresh_token_threshold: Span::seconds(0),
                include_claims_in_id_token: true,
                signing_key: None,
                encryption_key: None,
                redirect_uris: vec![RedirectUri::strict(&self.callback(), RedirectUriType::Authorization)],
                logout_uri: String::new(),
                logout_method: LogoutMethod::Backchannel,
                sub_mode: SubMode::HashedUserId,
                issuer_mode: IssuerMode::PerProvider,
                jwt_federation_sources: Vec::new(),
                jwt_federation_providers: Vec::new(),
            })
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn provider(more: Value) -> ProxyProvider {
        let flow = "00000000-0000-0000-0000-000000000001";
        let mut document = json!({
            "name": "app", "client_id": "client", "client_secret": "a secret", "cookie_secret": "a cookie secret", "authorization_flow": flow,
            "invalidation_flow": flow, "mode": "forward_single",
        });
        let (Value::Object(document), Value::Object(more)) = (&mut document, more) else { panic!() };
        document.extend(more);
        serde_json::from_value(Value::Object(std::mem::take(document))).unwrap()
    }

    /// For one application.
    pub(crate) fn single(external_host: &str) -> ProxyProvider {
        provider(json!({ "external_host": external_host }))
    }

    /// For a domain.
    pub(crate) fn domain(external_host: &str, domain: &str) -> ProxyProvider {
        provider(json!({ "external_host": external_host, "mode": "forward_domain", "cookie_domain": domain }))
    }

    #[test]
    fn an_external_host_is_an_address_of_the_web() {
        for (text, origin) in [
            ("https://app.example", "https://app.example"),
            ("https://App.Example:443/path/", "https://app.example"),
            ("http://app.example:8080", "http://app.example:8080"),
            ("http://[::1]:9000/", "http://[::1]:9000"),
        ] {
            assert_eq!(ExternalHost::parse(text).map(|host| host.origin()).as_deref(), Some(origin));
        }
        for text in ["", "app.example", "ftp://app.example", "https://a@app.example", "https://", "javascript:x"] {
            assert_eq!(ExternalHost::parse(text), None, "{text}");
        }
        for (text, is_ours) in [
            ("https://app.example/outpost.goauthentik.io/start", true),
            ("https://app.example/?X-authentik-logout=true", true),
            ("https://app.example/outpost", false),
        ] {
            let app = single(text);
            assert_eq!((app.external_host.is_ours(), app.external_host.url() == text), (is_ours, !is_ours), "{text}");
            assert_eq!(app.external_host.origin(), "https://app.example");
        }
    }

    #[test]
    fn who_is_led_to_an_external_host_comes_to_all_of_it() {
        for (text, url) in [
            ("https://app.example", "https://app.example/"),
            ("https://App.Example/wiki/?start", "https://app.example/wiki/?start"),
            ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
        ] {
            let app = single(text);
            assert_eq!((app.external_host.url(), app.launch_url().as_deref()), (url, Some(text)));
        }
        assert!(domain("https://auth.example.com/apps", "example.com").launch_url().is_some());
    }

    #[test]
    fn the_client_is_led_back_to_its_callback_only() {
        let app = single("https://app.example/");
        let client = app.oauth2();
        assert!(client.is_registered(&app.callback(), RedirectUriType::Authorization));
        assert!(!client.is_registered("https://app.example/outpost.goauthentik.io/callback", RedirectUriType::Authorization));
        assert_eq!(client.client_secret.reveal(), "a secret");
    }
}
