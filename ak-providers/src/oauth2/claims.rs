//! What tokens say of a person and of how she signed in.

use ak_store::directory::Person;
use ak_store::model::user_uid;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::provider::{OAuth2Provider, SubMode};

/// The context class that sign-ins have (OpenID Connect Core, section 2).
pub const ACR: &str = "goauthentik.io/providers/oauth2/default";

/// The name by which a provider's application knows an account (OpenID Connect Core, section 8).
pub fn subject(provider: &OAuth2Provider, person: &Person, install_id: &str) -> String {
    let user = &person.user;
    match provider.sub_mode {
        SubMode::HashedUserId => user_uid(user.pk, install_id),
        SubMode::UserId => user.pk.to_string(),
        SubMode::UserUuid => user.uuid.to_string(),
        SubMode::UserUsername => user.username.clone(),
        SubMode::UserEmail => user.email.clone(),
        SubMode::UserUpn => {
            let upn = user.attributes.get("upn").and_then(Value::as_str).filter(|upn| !upn.is_empty());
            upn.map_or_else(|| user_uid(user.pk, install_id), str::to_owned)
        }
    }
}

/// As what an application gets to know an account: by the provider's mode, or by what the mappings of the scopes say instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name (`sub`).
    pub subject: String,
    /// The context class of the sign-in (`acr`).
    pub acr: String,
}

impl Identity {
    /// As what it gets to know the account with these claims. `None`: nothing names it.
    pub fn of(provider: &OAuth2Provider, person: &Person, install_id: &str, scoped: &Map<String, Value>) -> Option<Self> {
        let said = |name: &str| scoped.get(name).filter(|value| !value.is_null());
        let subject = match said("sub") {
            Some(value) => value.as_str()?.to_owned(),
            None => subject(provider, person, install_id),
        };
        let acr = said("acr").and_then(Value::as_str).unwrap_or(ACR).to_owned();
        (!subject.trim().is_empty()).then_some(Self { subject, acr })
    }
}

/// How a person has signed in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// When (`auth_time`).
    pub at: Option<DateTime<Utc>>,
    /// By what (`amr`, RFC 8176).
    #[serde(default)]
    pub methods: Vec<String>,
    /// The identifier of her session (OpenID Connect Front-Channel Logout, section 3).
    pub sid: Option<String>,
}

/// What a token is made of.
#[derive(Debug, Clone)]
pub struct Content<'a> {
    /// Who issues it.
    pub issuer: &'a str,
    /// Of whom it tells.
    pub subject: &'a str,
    /// For whom.
    pub client_id: &'a str,
    /// When.
    pub now: DateTime<Utc>,
    /// Until when.
    pub expires: DateTime<Utc>,
    /// How she signed in.
    pub login: &'a Login,
    /// What the client wants back as it is.
    pub nonce: Option<&'a str>,
    /// What scopes tell about her.
    pub scoped: &'a Map<String, Value>,
}

/// What a mapping cannot say: it is what tokens are checked by. The audience of access tokens is said apart ([`audience`]).
const OWN: [&str; 13] =
    ["iss", "aud", "exp", "iat", "nbf", "jti", "azp", "nonce", "sid", "auth_time", "at_hash", "c_hash", "uid"];

/// The claims of an ID token (OpenID Connect Core, section 2). What mappings say takes the place of `sub`, `acr` and `amr`, and of
/// nothing else here; of the rest, `keep` says what goes in. What is null is left out.
pub fn id_token(content: &Content<'_>, keep: impl Fn(&str) -> bool) -> Map<String, Value> {
    let login = content.login;
    let mut claims = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            claims.insert(name.to_owned(), value);
        }
    };
    put("iss", json!(content.issuer));
    put("sub", json!(content.subject));
    put("aud", json!(content.client_id));
    put("exp", json!(content.expires.timestamp()));
    put("iat", json!(content.now.timestamp()));
    put("auth_time", json!(login.at.map(|at| at.timestamp())));
    put("acr", json!(ACR));
    if !login.methods.is_empty() {
        put("amr", json!(login.methods));
    }
    put("nonce", json!(content.nonce));
    put("sid", json!(login.sid));
    for (name, value) in content.scoped {
        let standing = matches!(name.as_str(), "sub" | "acr" | "amr");
        if !OWN.contains(&name.as_str()) && (standing || keep(name)) {
            put(name, value.clone());
        }
    }
    claims
}

/// For whom an access token is where the mappings say so: the API that the client calls with it, say (RFC 9068, section 3). A text or
/// several, none of them empty. `Err`: it is something else.
pub fn audience(scoped: &Map<String, Value>) -> Result<Option<Value>, BadAudience> {
    let is_name = |value: &Value| value.as_str().is_some_and(|name| !name.is_empty());
    match scoped.get("aud") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(names)) if !names.is_empty() && names.iter().all(is_name) => Ok(Some(json!(names))),
        Some(name) if is_name(name) => Ok(Some(name.clone())),
        Some(_) => Err(BadAudience),
    }
}

/// What a mapping gives as the audience is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a scope mapping gives an audience that is neither a text nor a list of texts")]
pub struct BadAudience;

/// The claims of an access token: those of the ID token, for whom it is where that is not the client, who may use it (`azp`), for what,
/// and something that no other has (`uid`).
pub fn access_token(
    id_token: &Map<String, Value>,
    audience: Option<&Value>,
    client_id: &str,
    scopes: &[String],
    uid: &str,
) -> Map<String, Value> {
    let mut claims = id_token.clone();
    claims.remove("at_hash");
    claims.extend(audience.map(|audience| ("aud".to_owned(), audience.clone())));
    claims.insert("azp".into(), client_id.into());
    claims.insert("scope".into(), scopes.join(" ").into());
    claims.insert("uid".into(), uid.into());
    claims
}

/// The answer of the userinfo endpoint (OpenID Connect Core, section 5.3.2).
pub fn userinfo(subject: &str, scoped: &Map<String, Value>) -> Map<String, Value> {
    let mut claims: Map<String, Value> = [("sub".to_owned(), Value::from(subject))].into_iter().collect();
    let told = scoped.iter().filter(|(name, value)| !OWN.contains(&name.as_str()) && !value.is_null());
    claims.extend(told.map(|(name, value)| (name.clone(), value.clone())));
    claims
}

/// How a session's login is told in tokens (RFC 8176), from what the session knows of it.
pub fn methods(auth_method: Option<&str>) -> Vec<String> {
    let told: &[&str] = match auth_method {
        Some("password" | "token" | "app_password") => &["pwd"],
        Some("auth_mfa") => &["pwd", "mfa"],
        Some("auth_webauthn_pwl") => &["webauthn"],
        _ => &[],
    };
    told.iter().map(|method| (*method).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_say_much_but_not_what_tokens_are_checked_by() {
        let now: DateTime<Utc> = "2026-11-01T12:00:00Z".parse().unwrap();
        let scoped = json!({ "sub": "custom", "iss": "https://evil.example", "aud": "x", "exp": 1, "nonce": "x", "email": "a@b.c", "none": null });
        let login = Login { at: Some(now), methods: vec!["pwd".into()], sid: Some("s".into()) };
        let content = Content {
            issuer: "https://id.example/",
            subject: "ada",
            client_id: "client",
            now,
            expires: now + chrono::Duration::hours(1),
            login: &login,
            nonce: Some("n"),
            scoped: scoped.as_object().unwrap(),
        };
        let claims = Value::Object(id_token(&content, |name| name != "email"));
        let expected = json!({
            "iss": "https://id.example/", "sub": "custom", "aud": "client", "exp": 1_793_538_000, "iat": 1_793_534_400,
            "auth_time": 1_793_534_400, "acr": ACR, "amr": ["pwd"], "nonce": "n", "sid": "s",
        });
        assert_eq!(claims, expected);
        let whole = id_token(&content, |_| true);
        assert_eq!(whole.get("email"), Some(&json!("a@b.c")));
        let access = access_token(&whole, Some(&json!("api")), "client", &["openid".into(), "email".into()], "u");
        assert_eq!((access.get("azp"), access.get("scope")), (Some(&json!("client")), Some(&json!("openid email"))));
        assert_eq!(access.get("aud"), Some(&json!("api")));
        for (aud, expected) in [
            (json!("api"), Ok(Some(json!("api")))),
            (json!(["api", "b"]), Ok(Some(json!(["api", "b"])))),
            (json!(null), Ok(None)),
            (json!(""), Err(BadAudience)),
            (json!([]), Err(BadAudience)),
            (json!(["api", 1]), Err(BadAudience)),
            (json!({ "a": 1 }), Err(BadAudience)),
        ] {
            assert_eq!(audience(json!({ "aud": aud }).as_object().unwrap()), expected, "{aud}");
        }
        assert_eq!(Value::Object(userinfo("ada", content.scoped)), json!({ "sub": "custom", "email": "a@b.c" }));
    }
}
