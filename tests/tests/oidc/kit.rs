//! An installation with an application, and what its client does.

use ak_store::records::User;
use ak_tests::server::{Client, Reply, Server};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use url::Url;

/// Where browsers are led back to.
pub(crate) const CALLBACK: &str = "https://app.example/callback";
/// The scopes of the shipped mappings.
pub(crate) const SCOPES: &str = "openid email profile offline_access";

/// A server with one application, `app`, and one person, `ada`.
pub(crate) struct House {
    pub(crate) server: Server,
    pub(crate) ada: User,
    pub(crate) provider: Value,
    pub(crate) application: Value,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
}

/// The key of the object of a collection whose field has this value.
pub(crate) async fn pk(server: &Server, collection: &str, field: &str, value: &str) -> Value {
    let list = server.admin().get(&format!("/api/v3/{collection}/?page_size=100")).await;
    let found = list.body["results"].as_array().unwrap().iter().find(|object| object[field] == value);
    found.unwrap_or_else(|| panic!("no {value} in {collection}: {}", list.text))["pk"].clone()
}

/// What a provider is made with, besides `more`.
pub(crate) async fn provider(server: &Server, name: &str, more: Value) -> Value {
    let flow = |slug| pk(server, "flows/instances", "slug", slug);
    let mut mappings = Vec::new();
    for scope in SCOPES.split(' ') {
        mappings.push(pk(server, "propertymappings/provider/scope", "scope_name", scope).await);
    }
    let mut body = json!({
        "name": name,
        "authorization_flow": flow("default-provider-authorization-implicit-consent").await,
        "invalidation_flow": flow("default-provider-invalidation-flow").await,
        "property_mappings": mappings,
        "signing_key": pk(server, "crypto/certificatekeypairs", "name", "authentik Self-signed Certificate").await,
        "redirect_uris": [{ "matching_mode": "strict", "url": CALLBACK }],
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    server.make("providers/oauth2", &body).await
}

/// A provider and its application.
pub(crate) async fn application(server: &Server, slug: &str, more: Value) -> (Value, Value) {
    let provider = provider(server, slug, more).await;
    let application = server.make("core/applications", &json!({ "name": slug, "slug": slug, "provider": provider["pk"] })).await;
    (provider, application)
}

impl House {
    pub(crate) async fn open() -> Self {
        Self::with(json!({})).await
    }

    /// With a provider that has these fields too.
    pub(crate) async fn with(more: Value) -> Self {
        let server = Server::start().await;
        let ada = server.user("ada").await;
        let (provider, application) = application(&server, "app", more).await;
        let text = |name: &str| provider[name].as_str().unwrap().to_owned();
        let (client_id, client_secret) = (text("client_id"), text("client_secret"));
        Self { ada, client_id, client_secret, provider, application, server }
    }

    /// Changes the provider.
    pub(crate) async fn change(&self, fields: Value) {
        let path = format!("/api/v3/providers/oauth2/{}/", self.provider["pk"]);
        let reply = self.server.admin().patch(&path, &fields).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }

    /// The address of an authorization request, with these parameters besides the usual ones.
    pub(crate) fn authorize(&self, more: &[(&str, &str)]) -> String {
        authorize(&self.client_id, more)
    }

    /// A code for who has signed in.
    pub(crate) async fn code(&self, browser: &Client, more: &[(&str, &str)]) -> String {
        let reply = browser.get(&self.authorize(more)).await;
        let back = Back::of(&reply);
        back.params.get("code").unwrap_or_else(|| panic!("no code: {back:?}")).as_str().unwrap().to_owned()
    }

    /// The answer of the token endpoint.
    pub(crate) async fn token(&self, fields: &[(&str, &str)]) -> Reply {
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", self.client_id, self.client_secret));
        let client = self.server.client().header("authorization", &format!("Basic {basic}"));
        client.form("/application/o/token/", fields).await
    }

    /// The answer of the token endpoint to a code.
    pub(crate) async fn redeem(&self, code: &str) -> Reply {
        self.token(&[("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK)]).await
    }

    /// Tokens for who has signed in.
    pub(crate) async fn tokens(&self, browser: &Client) -> Value {
        let code = self.code(browser, &[]).await;
        let reply = self.redeem(&code).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.body
    }

    pub(crate) async fn userinfo(&self, access_token: &Value) -> Reply {
        let bearer = format!("Bearer {}", access_token.as_str().unwrap());
        self.server.client().header("authorization", &bearer).get("/application/o/userinfo/").await
    }

    /// The claims of a token, checked as clients check it: by the published key, for this client.
    pub(crate) async fn verified(&self, token: &Value) -> Map<String, Value> {
        let keys = self.server.client().get("/application/o/app/jwks/").await;
        verified(&keys.body, token.as_str().unwrap(), &self.client_id)
    }
}

pub(crate) fn authorize(client_id: &str, more: &[(&str, &str)]) -> String {
    let usual =
        [("client_id", client_id), ("redirect_uri", CALLBACK), ("response_type", "code"), ("scope", SCOPES), ("state", "s t&te")];
    let usual = usual.iter().filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
    let pairs: Vec<_> = usual.chain(more).collect();
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("/application/o/authorize/?{query}")
}

pub(crate) fn verified(keys: &Value, token: &str, audience: &str) -> Map<String, Value> {
    let keys: JwkSet = serde_json::from_value(keys.clone()).unwrap();
    let header = jsonwebtoken::decode_header(token).unwrap();
    let key = keys.find(header.kid.as_ref().unwrap()).expect("the key is published");
    let mut validation = Validation::new(header.alg);
    validation.set_audience(&[audience]);
    // The product's time is not the machine's.
    validation.validate_exp = false;
    jsonwebtoken::decode(token, &DecodingKey::from_jwk(key).unwrap(), &validation).unwrap().claims
}

/// What a browser takes back to the client.
#[derive(Debug)]
pub(crate) struct Back {
    pub(crate) address: String,
    pub(crate) params: Map<String, Value>,
}

impl Back {
    #[track_caller]
    pub(crate) fn of(reply: &Reply) -> Self {
        assert_eq!(reply.status, 303, "no redirect: {}", reply.text);
        let url = Url::parse(reply.location()).unwrap_or_else(|_| panic!("not led back: {}", reply.location()));
        let params = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect();
        Self { address: reply.location().split('?').next().unwrap().to_owned(), params }
    }

    pub(crate) fn error(&self) -> &str {
        self.params.get("error").and_then(Value::as_str).unwrap_or_default()
    }
}

/// A verifier and its challenge (RFC 7636).
pub(crate) fn pkce() -> (String, String) {
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    (verifier, challenge)
}
