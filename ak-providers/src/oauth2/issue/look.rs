//! What was given, looked at and taken back: userinfo, introspection, revocation.

use ak_store::directory::Person;
use ak_store::model::{Pk, Ref};
use ak_store::records::{Durability, Grant, GrantKind, Repository, Session};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::record::{AccessData, RefreshData, read};
use super::{Client, Failure, From, Issuer};
use crate::oauth2::claims;
use crate::oauth2::client::{Credentials, INVALID_CLIENT};
use crate::oauth2::error::{Code, ProtocolError};
use crate::oauth2::params::Params;
use crate::oauth2::provider::{ClientType, OAuth2Provider};
use crate::oauth2::scope::{self, OFFLINE_ACCESS, OPENID};

/// The longest token that is looked for, in bytes.
const MAX_TOKEN: usize = 16 * 1024;

impl Issuer {
    /// Whom a grant stands for, if it is good for anything: not ended, its session not either, the account active and its password
    /// still the one that it was.
    pub(crate) async fn holder(
        &self,
        repo: &mut dyn Repository,
        grant: &Grant,
        now: DateTime<Utc>,
    ) -> Result<Option<Person>, Failure> {
        Ok(self.held(repo, grant, now).await?.map(|(person, _)| person))
    }

    /// The same, with the session that the grant ends with, if it ends with one.
    pub(super) async fn held(
        &self,
        repo: &mut dyn Repository,
        grant: &Grant,
        now: DateTime<Utc>,
    ) -> Result<Option<(Person, Option<Session>)>, Failure> {
        if !grant.is_valid(now) {
            return Ok(None);
        }
        let session = match &grant.session {
            None => None,
            Some(id) => {
                let session = match repo.sessions().lookup(id, now).await? {
                    Some(session) => Some(session),
                    None => moved(repo, grant, now).await?,
                };
                let Some(session) = session.filter(|session| session.user == Some(grant.user)) else { return Ok(None) };
                Some(session)
            }
        };
        let Some(person) = self.directory.person_in(repo, grant.user).await? else { return Ok(None) };
        let unchanged = person.user.password_change_date <= grant.since;
        Ok((person.user.is_active && unchanged).then_some((person, session)))
    }

    async fn found(&self, repo: &mut dyn Repository, token: &str) -> Result<Option<Grant>, Failure> {
        if token.is_empty() || token.len() > MAX_TOKEN {
            return Ok(None);
        }
        let grant = repo.grants().find_by_hash(&self.store.keyring().lookup_hash(token)).await?;
        Ok(grant.filter(|grant| matches!(grant.kind, GrantKind::Access | GrantKind::Refresh)))
    }

    /// The answer of the userinfo endpoint to who brings this access token (OpenID Connect Core, section 5.3).
    pub async fn userinfo(&self, token: &str, from: &From) -> Result<Map<String, Value>, Failure> {
        let now = self.store.clock().now();
        let snapshot = self.store.snapshot();
        let invalid = || Failure::from(ProtocolError::new(Code::InvalidToken, "The access token is not valid."));
        let mut repo = self.store.look().await?;
        let grant = self.found(&mut *repo, token).await?.filter(|grant| grant.kind == GrantKind::Access).ok_or_else(invalid)?;
        let person = self.holder(&mut *repo, &grant, now).await?.ok_or_else(invalid)?;
        drop(repo);
        let client = Client::of(&snapshot, Ref::new(Pk::of_uuid(grant.provider))).ok_or_else(invalid)?;
        let scopes: Vec<String> = grant.scope.split_whitespace().map(str::to_owned).collect();
        if !scopes.iter().any(|scope| scope == OPENID) {
            return Err(ProtocolError::new(Code::InsufficientScope, "The access token is not for the scope openid.").into());
        }
        let scoped = self.claims(&snapshot, &client, &person, &scopes, from).await?;
        let identity = self.identity_by(&client, &person, &scoped, from).await?;
        Ok(claims::userinfo(&identity.subject, &scoped))
    }

    /// Whom an access token that was given for `scope` stands for. `None`: it is not good for that.
    pub async fn bearer(&self, token: &str, scope: &str) -> Result<Option<Person>, Failure> {
        let mut repo = self.store.look().await?;
        let grant = self.found(&mut *repo, token).await?.filter(|grant| grant.kind == GrantKind::Access);
        let Some(grant) = grant.filter(|grant| grant.scope.split_whitespace().any(|given| given == scope)) else {
            return Ok(None);
        };
        let snapshot = self.store.snapshot();
        let Some(client) = Client::of(&snapshot, Ref::new(Pk::of_uuid(grant.provider))) else { return Ok(None) };
        if !client.still(&snapshot, scope)?.iter().any(|still| still == scope) {
            return Ok(None);
        }
        self.holder(&mut *repo, &grant, self.store.clock().now()).await
    }

    /// The answer of the introspection endpoint (RFC 7662, section 2.2). A client learns of its own tokens only.
    pub async fn introspect(&self, params: &Params, authorization: Option<&str>) -> Result<Value, Failure> {
        let snapshot = self.store.snapshot();
        let client = self.proven(&snapshot, params, authorization)?;
        if client.provider.client_type == ClientType::Public {
            // Whoever knows its name could ask (section 2.1).
            return Err(INVALID_CLIENT.into());
        }
        let now = self.store.clock().now();
        let token = params.get("token").ok_or(ProtocolError::new(Code::InvalidRequest, "There is no token."))?;
        let mut repo = self.store.look().await?;
        let inactive = json!({ "active": false });
        let Some(grant) = self.found(&mut *repo, token).await?.filter(|grant| grant.provider == client.at.pk().uuid()) else {
            return Ok(inactive);
        };
        let Some(person) = self.holder(&mut *repo, &grant, now).await? else { return Ok(inactive) };
        let scopes = client.still(&snapshot, &grant.scope)?;
        if grant.kind == GrantKind::Refresh && !scopes.iter().any(|scope| scope == OFFLINE_ACCESS) {
            return Ok(inactive);
        }
        let (mut told, kind) = match grant.kind {
            GrantKind::Access => {
                let AccessData { id_token: mut told, audience } = read(&grant)?;
                told.extend(audience.map(|audience| ("aud".to_owned(), audience)));
                (told, "Bearer")
            }
            _ => {
                let data: RefreshData = read(&grant)?;
                let mut told = Map::from_iter([
                    ("iss".to_owned(), json!(client.issuer(&data.base))),
                    ("aud".to_owned(), json!(client.provider.client_id)),
                ]);
                told.extend(data.subject.map(|subject| ("sub".to_owned(), subject.into())));
                (told, "refresh_token")
            }
        };
        told.remove("at_hash");
        let own = json!({
            "active": true, "scope": scopes.join(" "), "client_id": client.provider.client_id, "username": person.user.username,
            "token_type": kind, "exp": grant.expires.timestamp(), "iat": grant.created.timestamp(),
        });
        if let Value::Object(own) = own {
            told.extend(own);
        }
        Ok(Value::Object(told))
    }

    /// Takes a token back (RFC 7009, section 2.1); with a refresh token, everything that came of the same sign-in. What is no token of
    /// the client is none that it has, which is what it wants.
    pub async fn revoke(&self, params: &Params, authorization: Option<&str>) -> Result<(), Failure> {
        let snapshot = self.store.snapshot();
        let client = self.proven(&snapshot, params, authorization)?;
        let token = params.get("token").ok_or(ProtocolError::new(Code::InvalidRequest, "There is no token."))?;
        let now = self.store.clock().now();
        let found = self.found(&mut *self.store.look().await?, token).await?;
        let Some(grant) = found.filter(|grant| grant.provider == client.at.pk().uuid()) else { return Ok(()) };
        let mut repo = self.store.backend().begin(Durability::Full).await?;
        // Before any row: who renews the token at the same moment has its turn first, or after.
        repo.grants().lock_family(grant.family).await?;
        match grant.kind {
            GrantKind::Refresh => drop(repo.grants().end_family(grant.family, now).await?),
            _ => drop(repo.grants().end(grant.pk, now).await?),
        }
        Ok(repo.save().await?)
    }

    fn proven<'a>(
        &self,
        snapshot: &'a ak_store::model::Snapshot,
        params: &Params,
        authorization: Option<&str>,
    ) -> Result<Client<'a>, Failure> {
        let credentials = Credentials::parse(authorization, params)?;
        let client = Client::named(snapshot, &credentials.client_id);
        credentials.prove(client.map(|client| client.provider))?;
        client.ok_or_else(|| INVALID_CLIENT.into())
    }
}

/// The session that has taken the place of the one that a grant belonged to when it was read: who signs in once more gets another one, and
/// what was given goes along.
async fn moved(repo: &mut dyn Repository, grant: &Grant, now: DateTime<Utc>) -> Result<Option<Session>, Failure> {
    let again = repo.grants().lookup(grant.pk).await?.filter(|again| again.is_valid(now) && again.session != grant.session);
    match again.and_then(|again| again.session) {
        Some(id) => Ok(repo.sessions().lookup(&id, now).await?),
        None => Ok(None),
    }
}

impl Issuer {
    /// The claims of an ID token that a client would get for a person with every scope that it is offered. `None`: there is no such
    /// provider, or it has no application.
    pub async fn preview(
        &self,
        at: Ref<OAuth2Provider>,
        person: &Person,
        from: &From,
    ) -> Result<Option<Map<String, Value>>, Failure> {
        let snapshot = self.store.snapshot();
        let Some(client) = Client::of(&snapshot, Ref::new(at.pk())) else { return Ok(None) };
        let scopes = scope::names(&client.mappings(&snapshot)?);
        let scoped = self.claims(&snapshot, &client, person, &scopes, from).await?;
        let now = self.store.clock().now();
        let (issuer, subject) = (client.issuer(&from.base), claims::subject(client.provider, person, self.store.install_id()));
        let login = claims::Login { at: Some(now), ..claims::Login::default() };
        let content = claims::Content {
            issuer: &issuer,
            subject: &subject,
            client_id: &client.provider.client_id,
            now,
            expires: now + client.provider.access_token_validity.duration(),
            login: &login,
            nonce: None,
            scoped: &scoped,
        };
        Ok(Some(claims::id_token(&content, |_| client.provider.include_claims_in_id_token)))
    }
}
