//! Who may pass: sessions with applications, and credentials in requests, looked up in the store and remembered for a moment.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use ak_flows::Directory;
use ak_policy::{Application, Denial};
use ak_store::directory::Person;
use ak_store::model::{Ref, Snapshot, Store};
use ak_store::records::{Grant, GrantKind};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::credentials::Credentials;
use super::headers::{About, of_claims};
use super::memory::{Known, Memory};
use super::provider::ProxyProvider;
use super::routes::Routes;
use super::session::SessionData;
use crate::oauth2::asked::{Asked, Way};
use crate::oauth2::error::Code;
use crate::oauth2::issue::{Client, Failure, From, Issuer};
use crate::oauth2::params::Params;
use crate::oauth2::provider::GrantType;
use crate::outpost::Outpost;

/// Who may pass, and what the application is told.
#[derive(Debug, PartialEq, Eq)]
pub struct Admission {
    /// Headers of the answer.
    pub headers: Vec<(String, String)>,
}

/// Why somebody may not pass.
#[derive(Debug)]
pub struct Refused {
    /// What the policies said.
    pub denial: Denial,
    reference: OnceLock<String>,
}

impl Refused {
    fn new(denial: Denial) -> Self {
        Self { denial, reference: OnceLock::new() }
    }

    /// The reference under which it is kept, and whether that is `own`, under which it is to be kept now: the first who asks has it kept, and
    /// everybody else is shown the same, so that a page with many parts leaves one trace.
    pub fn reference(&self, own: &str) -> (&str, bool) {
        let mut is_first = false;
        let reference = self.reference.get_or_init(|| {
            is_first = true;
            own.to_owned()
        });
        (reference, is_first)
    }
}

/// What is found by a proof.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// She may pass.
    Admitted(Arc<Admission>),
    /// It is a live session's, and policies refuse the person.
    Refused(Arc<Refused>),
    /// It proves nothing.
    Nobody,
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
    pub(super) store: Arc<Store>,
    directory: Arc<dyn Directory>,
    issuer: Issuer,
    routes: Arc<RwLock<Arc<Routes>>>,
    pub(super) memory: Arc<Memory>,
}

/// For how long what was looked up counts without another look, in microseconds.
const FRESH: u64 = 500_000;
/// How often policies are asked about a session that is in use, in microseconds.
const DECIDED: u64 = 60_000_000;
/// The longest cookie and header that are looked at, in bytes.
const MAX_PROOF: usize = 16 * 1024;

/// What a look has found.
struct Found {
    /// The browser's session with this installation that it ends with.
    session: Option<[u8; 32]>,
    person: Person,
    /// By what its claims were asked for.
    grant: GrantType,
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

    /// Who may pass by `proof`.
    ///
    /// Policies are asked about a session as they were when the person signed in, and at the address where it was last seen by this
    /// installation: a reverse proxy may not say from where a request comes, and what let somebody sign in would then refuse her at once.
    /// About credentials they are asked at the address of the request. What was found counts for half a second more, so that a page with many
    /// parts costs one look; whatever ends a session ends it here within that time. What was decided, either way, counts for a minute. A change of
    /// the configuration counts at once. What could not be decided is [`Failure::Undecided`], and nothing is forgotten for it.
    ///
    /// `ip` is the address of the request; what else is known of it is asked for where it has to be looked.
    pub async fn admit(
        &self,
        snapshot: &Snapshot,
        at: Ref<ProxyProvider>,
        proof: Proof<'_>,
        ip: Option<IpAddr>,
        from: &(dyn Fn() -> From + Sync),
    ) -> Result<Verdict, Failure> {
        let (Some(client), Some(provider)) = (Client::of(snapshot, Ref::new(at.pk())), snapshot.get(at)) else {
            return Ok(Verdict::Nobody);
        };
        let (text, ip) = match proof {
            Proof::Session(key) => (key, None),
            Proof::Credentials(key) => (key, ip),
        };
        if text.is_empty() || text.len() > MAX_PROOF {
            return Ok(Verdict::Nobody);
        }
        let place = Memory::place(at.pk(), matches!(proof, Proof::Session(_)), text);
        let (now, ticks) = (self.store.clock().now(), self.store.clock().monotonic_micros());
        let known = self.memory.get(&place).filter(|known| known.revision == snapshot.revision());
        if let Some(known) = &known
            && ticks.saturating_sub(known.looked) < FRESH
            && known.ip == ip
            && now < known.expires
        {
            return Ok(known.verdict.clone());
        }
        let from = &from();
        let settled = known.as_ref().filter(|known| known.ip == ip && ticks.saturating_sub(known.decided) < DECIDED);
        let found = match proof {
            Proof::Session(key) => self.by_session(client, key, now).await?,
            Proof::Credentials(header) => {
                let known = known.as_ref().map(|known| (known, settled.is_some()));
                self.by_credentials(snapshot, client, header, known, from, now).await?
            }
        };
        let Some(found) = found else {
            self.memory.forget(&place);
            return Ok(Verdict::Nobody);
        };
        let (decided, refusal) = match settled {
            Some(known) => (known.decided, (!matches!(known.verdict, Verdict::Admitted(_))).then(|| known.verdict.clone())),
            None => {
                let denial = self.denial(snapshot, client, provider, &found, from, now).await?;
                let refusal = denial.map(|denial| match proof {
                    Proof::Session(_) => Verdict::Refused(Arc::new(Refused::new(denial))),
                    Proof::Credentials(_) => Verdict::Nobody,
                });
                (ticks, refusal)
            }
        };
        let same = known.filter(|known| known.claims == found.claims).map(|known| known.verdict);
        let verdict = match (refusal, same) {
            (Some(refusal), _) => refusal,
            (None, Some(Verdict::Admitted(admission))) => Verdict::Admitted(admission),
            (None, _) => Verdict::Admitted(Arc::new(admission(snapshot, client, provider, &found.claims)?)),
        };
        let Found { claims, expires, .. } = found;
        let known =
            Known { verdict: verdict.clone(), revision: snapshot.revision(), looked: ticks, decided, ip, claims, expires };
        self.memory.keep(place, known, ticks);
        Ok(verdict)
    }

    /// Why policies do not let pass who was found, if they do not. They are asked what they were asked before the claims were given.
    async fn denial(
        &self,
        snapshot: &Snapshot,
        client: Client<'_>,
        provider: &ProxyProvider,
        found: &Found,
        from: &From,
        now: DateTime<Utc>,
    ) -> Result<Option<Denial>, Failure> {
        let from = self.seen_at(found.session, from, now).await?;
        let scopes = found.claims.get("scope").and_then(Value::as_str).unwrap_or_default();
        let scopes: Vec<String> = scopes.split_whitespace().map(str::to_owned).collect();
        let callback = provider.callback();
        let way = Way { redirect_uri: &callback, max_age: None, challenge: None };
        let way = (found.grant == GrantType::AuthorizationCode).then_some(way);
        let asked = Asked { client_id: &client.provider.client_id, grant: found.grant, scopes: &scopes, way };
        self.issuer.denial(snapshot, &client, &found.person, &asked, &from).await
    }

    /// Where the browser's session with this installation was last seen; where there is none, `from`.
    async fn seen_at(&self, session: Option<[u8; 32]>, from: &From, now: DateTime<Utc>) -> Result<From, Failure> {
        let Some(id) = session else { return Ok(from.clone()) };
        let session = self.store.look().await?.sessions().lookup(&id, now).await?;
        Ok(From { ip: session.and_then(|session| session.last_ip), ..from.clone() })
    }

    async fn by_session(&self, client: Client<'_>, key: &str, now: DateTime<Utc>) -> Result<Option<Found>, Failure> {
        let mut repo = self.store.look().await?;
        let grant = repo.grants().find_by_hash(&self.store.keyring().lookup_hash(key)).await?;
        let own = |grant: &Grant| grant.kind == GrantKind::Proxied && grant.provider == client.at.pk().uuid();
        let Some(grant) = grant.filter(own) else { return Ok(None) };
        let Some(person) = self.issuer.holder(&mut *repo, &grant, now).await? else { return Ok(None) };
        let data: SessionData = serde_json::from_value(grant.data.clone())
            .map_err(|error| Failure::Broken(format!("a session with an application cannot be read: {error}")))?;
        let expires = grant.expires;
        let (session, claims) = (grant.session, Arc::new(data.claims));
        Ok(Some(Found { session, person, grant: GrantType::AuthorizationCode, claims, expires }))
    }

    /// By a token of the provider's own, or by the name of an account and an app password of it. `known`: what is known of them, and
    /// whether it was found out lately.
    async fn by_credentials(
        &self,
        snapshot: &Snapshot,
        client: Client<'_>,
        header: &str,
        known: Option<(&Known, bool)>,
        from: &From,
        now: DateTime<Utc>,
    ) -> Result<Option<Found>, Failure> {
        match Credentials::parse(header) {
            Some(Credentials::Token(token)) => self.by_token(snapshot, client, &token, now).await,
            Some(Credentials::Account(name, password)) => {
                let mut repo = self.store.look().await?;
                let user = repo.users().find_by_username(&name).await?;
                drop(repo);
                let key = self.directory.check_app_password(user.as_ref(), &password, now).await?;
                let Some(user) = user.filter(|_| key.is_some()) else { return Ok(None) };
                let person = self.directory.person(user.pk).await?.filter(|person| person.user.is_active);
                let Some(person) = person else { return Ok(None) };
                // The token of before still tells who she is, as long as a new one would say the same: one every minute would fill the store.
                if let Some((known, lately)) = known.filter(|(known, _)| now < known.expires)
                    && (lately || self.issuer.would_say(snapshot, &client, &person, &known.claims, from).await?)
                {
                    let (grant, claims) = (GrantType::ClientCredentials, known.claims.clone());
                    return Ok(Some(Found { session: None, person, grant, claims, expires: known.expires }));
                }
                let request = [("grant_type", "client_credentials"), ("username", &name), ("password", &password)];
                let Some(token) = self.token(client, &request, from).await? else { return Ok(None) };
                let found = self.by_token(snapshot, client, &token, now).await?;
                Ok(found.map(|found| Found { person, ..found }))
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
        let mut repo = self.store.look().await?;
        let grant = repo.grants().find_by_hash(&self.store.keyring().lookup_hash(token)).await?;
        let own = |grant: &Grant| grant.kind == GrantKind::Access && grant.provider == client.at.pk().uuid();
        let Some(grant) = grant.filter(own) else { return Ok(None) };
        let Some(person) = self.issuer.holder(&mut *repo, &grant, now).await? else { return Ok(None) };
        let expires = grant.expires;
        // What a client got by itself belongs to no browser's session.
        let by = if grant.session.is_some() { GrantType::AuthorizationCode } else { GrantType::ClientCredentials };
        Ok(Some(Found { session: None, person, grant: by, claims: Arc::new(claims), expires }))
    }

    /// An access token, asked for as the provider's client asks. `None`: what it was asked for with is not good (any more).
    pub(super) async fn token(
        &self,
        client: Client<'_>,
        request: &[(&str, &str)],
        from: &From,
    ) -> Result<Option<String>, Failure> {
        let own = [("client_id", client.provider.client_id.as_str()), ("client_secret", client.provider.client_secret.reveal())];
        let params = own.iter().chain(request).fold(Params::default(), |params, (name, value)| params.with(name, value));
        match self.issuer.token(&params, None, from).await {
            Ok(answer) => Ok(answer.get("access_token").and_then(Value::as_str).map(str::to_owned)),
            Err(Failure::Protocol(error)) if error.code == Code::InvalidGrant => Ok(None),
            Err(error) => Err(error),
        }
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
