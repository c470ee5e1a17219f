//! What clients are given: looked up, made and taken back in the store.

mod exchange;
mod look;
mod machine;
mod record;
mod same;

use std::net::IpAddr;
use std::sync::Arc;

use ak_flows::Directory;
use ak_policy::{Application, Context, Denial, HttpRequest, PolicyEffect, Request, Services, decide};
use ak_store::StoreError;
use ak_store::directory::Person;
use ak_store::model::{Pk, Ref, Snapshot, Store};
use ak_store::records::{Event, Repository};
use serde_json::{Map, Value, json};

pub use record::{AccessData, CodeData, RefreshData};

use super::asked::Asked;
use super::claims::Identity;
use super::discovery::Endpoints;
use super::error::{Code, ProtocolError};
use super::jwt::Signer;
use super::provider::{OAuth2Client, OAuth2Provider};
use super::scope;
use super::scope_mapping::ScopeMapping;
use crate::proxy::ProxyProvider;

/// A client, and the application that it is.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    /// Its provider.
    pub at: Ref<dyn OAuth2Client>,
    /// The client.
    pub provider: &'a OAuth2Provider,
    /// Its application.
    pub application_at: Ref<Application>,
    /// The same.
    pub application: &'a Application,
}

impl<'a> Client<'a> {
    /// The client of a provider. A provider without an application has none.
    pub fn of(snapshot: &'a Snapshot, at: Ref<dyn OAuth2Client>) -> Option<Self> {
        let provider = snapshot.get(at)?.client();
        let (application_at, application) = Application::of_provider(snapshot, at.pk())?;
        Some(Self { at, provider, application_at, application })
    }

    /// The client of that name.
    pub fn named(snapshot: &'a Snapshot, client_id: &str) -> Option<Self> {
        let own = snapshot.by::<OAuth2Provider>("client_id", client_id).map(|(at, _)| at.pk());
        let at = own.or_else(|| snapshot.by::<ProxyProvider>("client_id", client_id).map(|(at, _)| at.pk()))?;
        Self::of(snapshot, Ref::new(at))
    }

    /// The client of the application with this slug.
    pub fn of_application(snapshot: &'a Snapshot, slug: &str) -> Option<Self> {
        let (_, application) = snapshot.by::<Application>("slug", slug)?;
        Self::of(snapshot, Ref::new(application.provider?.pk()))
    }

    /// Its endpoints at `base`.
    pub fn endpoints(&self, base: &str) -> Endpoints {
        Endpoints::new(base, &self.application.slug)
    }

    /// Who issues its tokens at `base`.
    pub fn issuer(&self, base: &str) -> String {
        self.endpoints(base).issuer(self.provider.issuer_mode)
    }

    /// What its tokens are signed with.
    pub fn signer(&self, snapshot: &Snapshot) -> Result<Signer, Failure> {
        Signer::of(self.provider, snapshot).map_err(|why| Failure::Broken(why.to_string()))
    }

    /// The scopes that it is offered.
    pub fn mappings(&self, snapshot: &'a Snapshot) -> Result<Vec<(Pk, &'a ScopeMapping)>, Failure> {
        let own = snapshot.get(self.at).map_or(&[][..], OAuth2Client::own_scopes);
        scope::mappings(snapshot, self.provider, own).map_err(|why| Failure::Broken(why.to_string()))
    }

    /// What is wrong where nothing names a person to it.
    pub(crate) fn nameless(&self, person: &Person) -> String {
        format!("the provider {} has no subject for the account {}", self.provider.base.name, person.user.username)
    }

    /// Those of the granted scopes that it is still offered: what was taken from the provider is taken from what was given.
    pub(super) fn still(&self, snapshot: &Snapshot, granted: &str) -> Result<Vec<String>, Failure> {
        let offered = scope::names(&self.mappings(snapshot)?);
        let held = granted.split_whitespace().filter(|scope| offered.iter().any(|name| name == scope));
        Ok(held.map(str::to_owned).collect())
    }
}

/// Why a client is not given what it asks for.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It asks for something that it cannot have.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// Something is broken here; the text is for administrators.
    #[error("{0}")]
    Broken(String),
    /// Policies have not come to a decision, which they may in a moment; the text is for administrators.
    #[error("{0}")]
    Undecided(String),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Failure {
    fn grant(description: &'static str) -> Self {
        ProtocolError::new(Code::InvalidGrant, description).into()
    }
}

/// Where a client's request comes from.
#[derive(Debug, Clone, Default)]
pub struct From {
    /// Its address.
    pub ip: Option<IpAddr>,
    /// `https://id.example`: where it has asked.
    pub base: String,
    /// The request, as policies and mappings see it.
    pub http: Option<Arc<HttpRequest>>,
}

impl From {
    /// What policies and mappings are asked about a person at this request.
    pub fn request(&self, snapshot: &Snapshot, services: &Arc<Services>, person: &Person) -> Request {
        let request = Request::new(snapshot.clone(), services.clone()).of(Some(person));
        Request { client_ip: self.ip, http: self.http.clone(), ..request }
    }
}

/// Gives clients what they ask for. A cheap handle.
#[derive(Clone)]
pub struct Issuer {
    store: Arc<Store>,
    directory: Arc<dyn Directory>,
    services: Arc<Services>,
}

impl Issuer {
    /// The issuer of a store for the people of `directory`.
    pub fn new(store: Arc<Store>, directory: Arc<dyn Directory>, services: Arc<Services>) -> Self {
        Self { store, directory, services }
    }

    /// Why a person may not open the client's application, if she may not. What the policies note is noted. What they could not decide is
    /// [`Failure::Undecided`]: a client that is told that its token is worth nothing throws it away, and this may be over in a moment.
    pub(crate) async fn denial(
        &self,
        snapshot: &Snapshot,
        client: &Client<'_>,
        person: &Person,
        asked: &Asked<'_>,
        from: &From,
    ) -> Result<Option<Denial>, Failure> {
        let request = asked.of(snapshot, &self.services, person, from, Context::default());
        let mut decision = decide(client.application_at.pk(), &request).await;
        let changes = std::mem::take(&mut decision.changes);
        self.note_all(changes.effects, "policies", person, from).await?;
        let application = &client.application.name;
        match (decision.passing, decision.undecided) {
            (true, _) => Ok(None),
            (false, false) => Ok(Some(Denial::of_application(application, &request, decision))),
            (false, true) => {
                let user = &person.user.username;
                Err(Failure::Undecided(format!("whether {user} may open {application} could not be decided")))
            }
        }
    }

    /// Lets nobody pass who may not open the client's application; `refused` is what the client is told then.
    pub(super) async fn admit(
        &self,
        snapshot: &Snapshot,
        client: &Client<'_>,
        person: &Person,
        asked: &Asked<'_>,
        from: &From,
        refused: &'static str,
    ) -> Result<(), Failure> {
        let denial = self.denial(snapshot, client, person, asked, from).await?;
        denial.map_or(Ok(()), |_| Err(Failure::grant(refused)))
    }

    /// Notes what scripts want noted. They say what is told of people, and who may; who is what is for flows to change.
    async fn note_all(&self, effects: Vec<PolicyEffect>, of: &str, person: &Person, from: &From) -> Result<(), StoreError> {
        for effect in effects {
            match effect {
                PolicyEffect::Event { action, context } => self.note(&action, Some(person), context.into(), from).await?,
                other => tracing::warn!(?other, of, "what would be changed outside of a flow is not changed"),
            }
        }
        Ok(())
    }

    /// What scopes tell a client of a person.
    pub(crate) async fn claims(
        &self,
        snapshot: &Snapshot,
        client: &Client<'_>,
        person: &Person,
        scopes: &[String],
        from: &From,
    ) -> Result<Map<String, Value>, Failure> {
        let mappings = client.mappings(snapshot)?;
        let request = from.request(snapshot, &self.services, person);
        let told = match scope::tell(client.at.pk(), &mappings, scopes, &request).await {
            Ok(told) => told,
            Err(why) => {
                return Err(self.broken("property_mapping_exception", why, person, from).await?);
            }
        };
        self.note_all(told.effects, "scope mappings", person, from).await?;
        Ok(told.claims)
    }

    /// As what a client that is granted these scopes gets to know a person.
    pub async fn identity(
        &self,
        snapshot: &Snapshot,
        client: &Client<'_>,
        person: &Person,
        scopes: &[String],
        from: &From,
    ) -> Result<Identity, Failure> {
        let scoped = self.claims(snapshot, client, person, scopes, from).await?;
        self.identity_by(client, person, &scoped, from).await
    }

    /// The same by what the scopes tell. Nobody gets a token in which everybody who lacks a name would be the same person.
    pub(super) async fn identity_by(
        &self,
        client: &Client<'_>,
        person: &Person,
        scoped: &Map<String, Value>,
        from: &From,
    ) -> Result<Identity, Failure> {
        if let Some(identity) = Identity::of(client.provider, person, self.store.install_id(), scoped) {
            return Ok(identity);
        }
        Err(self.broken("configuration_error", client.nameless(person), person, from).await?)
    }

    /// Something is wrong with the configuration: administrators find it among the events.
    pub(super) async fn broken(&self, action: &str, why: String, person: &Person, from: &From) -> Result<Failure, Failure> {
        self.note(action, Some(person), json!({ "message": why }), from).await?;
        Ok(Failure::Broken(why))
    }

    async fn note(&self, action: &str, person: Option<&Person>, context: Value, from: &From) -> Result<(), StoreError> {
        let mut repo = self.store.backend().begin_one(ak_store::records::Durability::Relaxed).await?;
        self.note_in(&mut *repo, action, person, context, from).await?;
        repo.save().await
    }

    async fn note_in(
        &self,
        repo: &mut dyn Repository,
        action: &str,
        person: Option<&Person>,
        context: Value,
        from: &From,
    ) -> Result<(), StoreError> {
        let now = self.store.clock().now();
        let map = |value| match value {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        let user = person.map(|p| json!({ "pk": p.user.pk, "username": p.user.username, "email": p.user.email }));
        let mut event = Event {
            pk: self.store.rng().uuid(),
            action: action.to_owned(),
            app: Event::app_of(action).to_owned(),
            user: map(user.unwrap_or_default()),
            user_pk: person.map(|person| person.user.pk),
            context: map(context),
            client_ip: from.ip,
            created: now,
            expires: now + Event::AGE,
        };
        self.services.locate(&mut event);
        repo.events().add(&event).await
    }
}
