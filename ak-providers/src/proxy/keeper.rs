//! Who may pass: sessions with applications, and credentials in requests, looked up in the store and remembered for a moment.

use std::sync::{Arc, PoisonError, RwLock};

use ak_flows::Directory;
use ak_policy::Application;
use ak_store::directory::Person;
use ak_store::model::{Ref, Snapshot, Store};
use ak_store::records::{Durability, Grant, GrantKind};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::headers::{About, of_claims};
use super::memory::{Known, Memory};
use super::provider::ProxyProvider;
use super::routes::Routes;
use crate::oauth2::error::Code;
use crate::oauth2::issue::{Client, Failure, From, Issuer};
use crate::oauth2::params::Params;
use crate::outpost::Outpost;

/// What is kept with a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct SessionData {
    /// The claims of its access token.
    claims: Map<String, Value>,
}

/// Who may pass, and what the application is told.
#[derive(Debug, PartialEq, Eq)]
pub struct Admission {
    /// Headers of the answer.
    pub headers: Vec<(String, String)>,
}

/// By what somebody wants to pass.
#[derive(Clone, Copy)]
pub enum Proof<'a> {
    /// By the value of a session's cookie.
    Session(&'a str),
    /// By the value of an `Authorization` header.
    Credentials(&'a str),
}

/// Knows who may pass. A cheap handle.
#[derive(Clone)]
pub struct Keeper {
    store: Arc<Store>,
    directory: Arc<dyn Directory>,
    issuer: Issuer,
    routes: Arc<RwLock<Arc<Routes>>>,
    memory: Arc<Memory>,
}

/// For how long what was looked up counts without another look, in microseconds.
const FRESH: u64 = 500_000;
/// How often policies are asked about a session that is in use, in microseconds.
const DECIDED: u64 = 60_000_000;
/// The longest cookie and header that are looked at, in bytes.
const MAX_PROOF: usize = 16 * 1024;

/// What a look has found.
struct Found {
    grant: Option<Grant>,
    person: Person,
    claims: Arc<Map<String, Value>>,
    expires: DateTime<Utc>,
}

impl Keeper {
    /// The keeper of a store.
    pub fn new(store: Arc<Store>, directory: Arc<dyn Directory>, issuer: Issuer) -> Self {
        Self { store, directory, issuer, routes: Arc::default(), memory: Arc::default() }
    }

    /// Which provider stands in front of which host.
    pub fn routes(&self, snapshot: &Snapshot) -> Arc<Routes> {
        let known = self.routes.read().unwrap_or_else(PoisonError::into_inner).clone();
        if known.revision() == snapshot.revision() {
            return known;
        }
        let made = Arc::new(Routes::of(snapshot));
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = made.clone();
        made
    }

    /// Who may pass by `proof`. `None`: nobody.
    ///
    /// What was found counts for half a second more, so that a page with many parts costs one look; whatever ends a session ends it here
    /// within that time. A change of the configuration counts at once.
    pub async fn admit(
        &self,
        snapshot: &Snapshot,
        at: Ref<ProxyProvider>,
        proof: Proof<'_>,
        from: &From,
    ) -> Result<Option<Arc<Admission>>, Failure> {
        let (Some(client), Some(provider)) = (Client::of(snapshot, Ref::new(at.pk())), snapshot.get(at)) else { return Ok(None) };
        let text = match proof {
            Proof::Session(key) | Proof::Credentials(key) => key,
        };
        if text.is_empty() || text.len() > MAX_PROOF {
            return Ok(None);
        }
        let place = Memory::place(at.pk(), matches!(proof, Proof::Session(_)), text);
        let (now, ticks) = (self.store.clock().now(), self.store.clock().monotonic_micros());
        let known = self.memory.get(&place).filter(|known| known.revision == snapshot.revision());
        if let Some(known) = &known
            && ticks.saturating_sub(known.looked) < FRESH
            && known.ip == from.ip
            && now < known.expires
        {
            return Ok(Some(known.admission.clone()));
        }
        let found = match proof {
            Proof::Session(key) => self.by_session(client, key, now).await?,
            Proof::Credentials(header) => self.by_credentials(snapshot, client, header, known.as_ref(), from, now).await?,
        };
        let Some(found) = found else {
            self.memory.forget(&place);
            return Ok(None);
        };
        let settled = known.as_ref().filter(|known| known.ip == from.ip && ticks.saturating_sub(known.decided) < DECIDED);
        let decided = match settled {
            Some(known) => known.decided,
            None if self.issuer.may_open(snapshot, &client, &found.person, from).await? => ticks,
            None => {
                // She signs in once more, and is told there why she may not.
                self.end_grant(found.grant.as_ref()).await?;
                self.memory.forget(&place);
                return Ok(None);
            }
        };
        let admission = match known.filter(|known| known.claims == found.claims) {
            Some(known) => known.admission,
            None => Arc::new(admission(snapshot, client, provider, &found.claims)?),
        };
        let Found { claims, expires, .. } = found;
        let known = Known {
            admission: admission.clone(),
            revision: snapshot.revision(),
            looked: ticks,
            decided,
            ip: from.ip,
            claims,
            expires,
        };
        self.memory.keep(place, known, ticks);
        Ok(Some(admission))
    }

    async fn by_session(&self, client: Client<'_>, key: &str, now: DateTime<Utc>) -> Result<Option<Found>, Failure> {
        let mut repo = self.store.read().await?;
        let grant = repo.grants().find_by_hash(&self.store.keyring().lookup_hash(key)).await?;
        let own = |grant: &Grant| grant.kind == GrantKind::Proxied && grant.provider == client.at.pk().uuid();
        let Some(grant) = grant.filter(own) else { return Ok(None) };
        let Some(person) = self.issuer.holder(&mut *repo, &grant, now).await? else { return Ok(None) };
        let data: SessionData = serde_json::from_value(grant.data.clone())
            .map_err(|error| Failure::Broken(format!("a session with an application cannot be read: {error}")))?;
        let expires = grant.expires;
        Ok(Some(Found { grant: Some(grant), person, claims: Arc::new(data.claims), expires }))
    }

    /// By a token of the provider's own, or by the name of an account and an app password of it.
    async fn by_credentials(
        &self,
        snapshot: &Snapshot,
        client: Client<'_>,
        header: &str,
        known: Option<&Known>,
        from: &From,
        now: DateTime<Utc>,
    ) -> Result<Option<Found>, Failure> {
        match Credentials::parse(header) {
            Some(Credentials::Token(token)) => self.by_token(snapshot, client, &token, now).await,
            Some(Credentials::Account(name, password)) => {
                let mut repo = self.store.read().await?;
                let user = repo.users().find_by_username(&name).await?;
                drop(repo);
                let key = self.directory.check_app_password(user.as_ref(), &password, now).await?;
                let Some(user) = user.filter(|_| key.is_some()) else { return Ok(None) };
                let person = self.directory.person(user.pk).await?.filter(|person| person.user.is_active);
                let Some(person) = person else { return Ok(None) };
                // The token of a moment ago still tells who she is; a new one for every request would fill the store.
                if let Some(known) = known.filter(|known| now < known.expires) {
                    return Ok(Some(Found { grant: None, person, claims: known.claims.clone(), expires: known.expires }));
                }
                let request = [("grant_type", "client_credentials"), ("username", &name), ("password", &password)];
                let Some(token) = self.token(client, &request, from).await? else { return Ok(None) };
                let found = self.by_token(snapshot, client, &token, now).await?;
                Ok(found.map(|found| Found { grant: None, person, ..found }))
            }
            None => Ok(None),
        }
    }

    async fn by_token(
        &self,
        snapshot: &Snapshot,
        client: Client<'_>,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Found>, Failure> {
        let Some(claims) = client.signer(snapshot)?.open(token) else { return Ok(None) };
        let mut repo = self.store.read().await?;
        let grant = repo.grants().find_by_hash(&self.store.keyring().lookup_hash(token)).await?;
        let own = |grant: &Grant| grant.kind == GrantKind::Access && grant.provider == client.at.pk().uuid();
        let Some(grant) = grant.filter(own) else { return Ok(None) };
        let Some(person) = self.issuer.holder(&mut *repo, &grant, now).await? else { return Ok(None) };
        let expires = grant.expires;
        Ok(Some(Found { grant: None, person, claims: Arc::new(claims), expires }))
    }

    /// An access token, asked for as the provider's client asks. `None`: what it was asked for with is not good (any more).
    async fn token(&self, client: Client<'_>, request: &[(&str, &str)], from: &From) -> Result<Option<String>, Failure> {
        let own = [("client_id", client.provider.client_id.as_str()), ("client_secret", client.provider.client_secret.reveal())];
        let params = own.iter().chain(request).fold(Params::default(), |params, (name, value)| params.with(name, value));
        match self.issuer.token(&params, None, from).await {
            Ok(answer) => Ok(answer.get("access_token").and_then(Value::as_str).map(str::to_owned)),
            Err(Failure::Protocol(error)) if error.code == Code::InvalidGrant => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Redeems the code that a browser has brought, and begins its session with the application: the value of its cookie. `None`: the code is
    /// not good (any more).
    pub async fn begin(
        &self,
        snapshot: &Snapshot,
        at: Ref<ProxyProvider>,
        code: &str,
        from: &From,
    ) -> Result<Option<String>, Failure> {
        let (Some(client), Some(provider)) = (Client::of(snapshot, Ref::new(at.pk())), snapshot.get(at)) else { return Ok(None) };
        let callback = provider.callback();
        let request = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", &callback)];
        let Some(token) = self.token(client, &request, from).await? else { return Ok(None) };
        let Some(claims) = client.signer(snapshot)?.open(&token) else {
            return Err(Failure::Broken("a token of our own cannot be read".into()));
        };
        let keyring = self.store.keyring();
        let mut repo = self.store.backend().begin(Durability::Relaxed).await?;
        let Some(access) = repo.grants().find_by_hash(&keyring.lookup_hash(&token)).await? else { return Ok(None) };
        let key = self.store.rng().token(32);
        let session = Grant {
            pk: 0,
            kind: GrantKind::Proxied,
            key_hash: keyring.lookup_hash(&key),
            data: json!(SessionData { claims }),
            ..access
        };
        repo.grants().add(&session).await?;
        repo.save().await?;
        Ok(Some(key))
    }

    /// Ends the session with this cookie's value, if it is one of the provider's.
    pub async fn end(&self, at: Ref<ProxyProvider>, key: &str) -> Result<(), Failure> {
        let mut repo = self.store.read().await?;
        let grant = repo.grants().find_by_hash(&self.store.keyring().lookup_hash(key)).await?;
        drop(repo);
        let own = |grant: &Grant| grant.kind == GrantKind::Proxied && grant.provider == at.pk().uuid();
        self.end_grant(grant.filter(own).as_ref()).await?;
        self.memory.forget(&Memory::place(at.pk(), true, key));
        Ok(())
    }

    async fn end_grant(&self, grant: Option<&Grant>) -> Result<(), Failure> {
        let Some(grant) = grant else { return Ok(()) };
        let mut repo = self.store.backend().begin(Durability::Full).await?;
        repo.grants().end(grant.pk, self.store.clock().now()).await?;
        Ok(repo.save().await?)
    }
}

/// What the application is told of who has these claims.
fn admission(
    snapshot: &Snapshot,
    client: Client<'_>,
    provider: &ProxyProvider,
    claims: &Map<String, Value>,
) -> Result<Admission, Failure> {
    // Signed anew: the same words with the same key give the same token, and nobody has to keep it.
    let token = client.signer(snapshot)?.sign("JWT", claims).map_err(|why| Failure::Broken(why.to_string()))?;
    let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
    let outpost = Outpost::embedded(snapshot).map_or("", |(_, outpost)| outpost.name.as_str());
    let application: &Application = client.application;
    let about = About {
        token: &token,
        jwks: &format!("{issuer}jwks/"),
        outpost,
        application: &application.slug,
        version: concat!("goauthentik.io/outpost/", env!("CARGO_PKG_VERSION")),
    };
    Ok(Admission { headers: of_claims(provider, claims, &about) })
}

/// Credentials in a request.
#[derive(PartialEq, Eq)]
enum Credentials {
    /// A token (RFC 6750, section 2.1), or one in the place of a password.
    Token(String),
    /// The name of an account, and an app password (RFC 7617).
    Account(String, String),
}

/// The name that says that the password is a token.
const TOKEN_USER: &str = "goauthentik.io/token";

impl Credentials {
    fn parse(header: &str) -> Option<Self> {
        use base64::Engine as _;
        let (scheme, value) = header.split_once(' ')?;
        let value = value.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self::Token(value.to_owned()));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(base64::engine::general_purpose::STANDARD.decode(value).ok()?).ok()?;
        let (name, password) = text.split_once(':')?;
        Some(match name {
            TOKEN_USER => Self::Token(password.to_owned()),
            name => Self::Account(name.to_owned(), password.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_tokens_or_accounts() {
        let account = |name: &str, password: &str| Some(Credentials::Account(name.into(), password.into()));
        let token = |text: &str| Some(Credentials::Token(text.into()));
        for (header, expected) in [
            ("Bearer abc", token("abc")),
            ("bearer  abc ", token("abc")),
            ("Basic YWRhOnBhOnNz", account("ada", "pa:ss")),
            ("BASIC Z29hdXRoZW50aWsuaW8vdG9rZW46YWJj", token("abc")),
            ("Basic YWRh", None),
            ("Basic %%%", None),
            ("Basic /w==", None),
            ("Digest x", None),
            ("Bearer", None),
        ] {
            assert!(Credentials::parse(header) == expected, "{header}");
        }
    }
}
