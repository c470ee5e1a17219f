//! The token endpoint: a code, a refresh token or the client itself for tokens.

use ak_store::directory::Person;
use ak_store::model::Snapshot;
use ak_store::records::{Durability, Grant, GrantKind, Repository};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::record::{AccessData, CodeData, RefreshData, read};
use super::{Client, Failure, From, Issuer};
use crate::oauth2::asked::Asked;
use crate::oauth2::claims::{self, Content, Login};
use crate::oauth2::client::{Credentials, INVALID_CLIENT};
use crate::oauth2::error::{Code, ProtocolError};
use crate::oauth2::params::Params;
use crate::oauth2::pkce;
use crate::oauth2::provider::{ClientType, GrantType};
use crate::oauth2::scope::{OFFLINE_ACCESS, OPENID};
use crate::oauth2::token::TokenRequest;

/// For what tokens are made.
pub(super) struct Ask<'a> {
    pub(super) client: Client<'a>,
    pub(super) person: &'a Person,
    pub(super) base: &'a str,
    pub(super) scopes: Vec<String>,
    pub(super) login: Login,
    pub(super) nonce: Option<&'a str>,
    pub(super) claims: &'a Map<String, Value>,
}

/// Tokens, signed and not kept yet.
pub(super) struct Tokens {
    pub(super) access: String,
    pub(super) id_token: Option<String>,
    pub(super) claims: Map<String, Value>,
    pub(super) audience: Option<Value>,
    pub(super) expires: DateTime<Utc>,
    pub(super) scope: String,
}

impl Issuer {
    /// Answers a request to the token endpoint (RFC 6749, section 5.1).
    pub async fn token(&self, params: &Params, authorization: Option<&str>, from: &From) -> Result<Value, Failure> {
        let snapshot = self.store.snapshot();
        let credentials = Credentials::parse(authorization, params)?;
        let client = Client::named(&snapshot, &credentials.client_id);
        let proof = credentials.prove(client.map(|client| client.provider));
        let client = client.ok_or(INVALID_CLIENT)?;
        let request = TokenRequest::parse(params, client.provider);
        let is_public = client.provider.client_type == ClientType::Public;
        let request = match (proof, request) {
            // A public client has no secret that what it says could be.
            (Ok(()), Ok(request)) if is_public => request.clone().by_account(&credentials).unwrap_or(request),
            (Ok(()), request) => request?,
            (Err(unknown), request) => request.ok().and_then(|request| request.by_account(&credentials)).ok_or(unknown)?,
        };
        match request {
            TokenRequest::Code { code, redirect_uri, verifier } => {
                self.by_code(&snapshot, client, &code, redirect_uri.as_deref(), verifier.as_deref(), from).await
            }
            TokenRequest::Refresh { token, scopes } => self.by_refresh(&snapshot, client, &token, scopes.as_deref(), from).await,
            TokenRequest::Client { grant, scopes, account } => {
                let account = account.as_ref().map(|(name, password)| (name.as_str(), password.as_str()));
                self.by_itself(&snapshot, client, grant, scopes.as_deref(), account, from).await
            }
        }
    }

    async fn by_code(
        &self,
        snapshot: &Snapshot,
        client: Client<'_>,
        code: &str,
        redirect_uri: Option<&str>,
        verifier: Option<&str>,
        from: &From,
    ) -> Result<Value, Failure> {
        let now = self.store.clock().now();
        let wrong = || Failure::grant("The code is not valid.");
        let mut repo = self.store.look().await?;
        let grant = self.own(&mut *repo, client, GrantKind::Code, code).await?.ok_or_else(wrong)?;
        if grant.ended.is_some() {
            drop(repo);
            return Err(self.used_again(&grant, from).await?);
        }
        let data: CodeData = read(&grant)?;
        // The address was part of every request for a code, so it is part of every redemption (RFC 6749, section 4.1.3).
        if redirect_uri != Some(data.redirect_uri.as_str()) {
            return Err(Failure::grant("The redirect URI is not the one that the code was asked for with."));
        }
        if !pkce::holds(data.challenge.as_ref(), verifier) {
            return Err(Failure::grant("The code verifier is wrong."));
        }
        let person = self.holder(&mut *repo, &grant, now).await?.ok_or_else(wrong)?;
        let login = self.login(&mut *repo, &grant, now).await?.ok_or_else(wrong)?;
        drop(repo);
        let ask = Ask {
            client,
            person: &person,
            base: &data.base,
            scopes: grant.scope.split_whitespace().map(str::to_owned).collect(),
            login,
            nonce: data.nonce.as_deref(),
            claims: &data.claims,
        };
        let tokens = self.make(snapshot, &ask, from, now).await?;
        let offline = ask.scopes.iter().any(|scope| scope == OFFLINE_ACCESS) && client.provider.allows(GrantType::RefreshToken);
        let mut repo = self.store.backend().begin(Durability::Full).await?;
        repo.grants().lock_family(grant.family).await?;
        // She may have got a new session since it was looked up.
        let Some(grant) = repo.grants().end(grant.pk, now).await? else {
            drop(repo);
            return Err(self.used_again(&grant, from).await?);
        };
        self.keep_access(&mut *repo, &grant, grant.session, &tokens, now).await?;
        let refresh = match offline {
            true => {
                let CodeData { base, claims, ip, .. } = data.clone();
                let data = RefreshData { base, login: ask.login.clone(), claims, ip };
                Some(self.keep_refresh(&mut *repo, client, &grant, &data, now).await?)
            }
            false => None,
        };
        repo.save().await?;
        Ok(answer(tokens, refresh, now))
    }

    async fn by_refresh(
        &self,
        snapshot: &Snapshot,
        client: Client<'_>,
        token: &str,
        scopes: Option<&[String]>,
        from: &From,
    ) -> Result<Value, Failure> {
        let now = self.store.clock().now();
        let wrong = || Failure::grant("The refresh token is not valid.");
        let mut repo = self.store.look().await?;
        let grant = self.own(&mut *repo, client, GrantKind::Refresh, token).await?.ok_or_else(wrong)?;
        if grant.ended.is_some() {
            drop(repo);
            return Err(self.used_again(&grant, from).await?);
        }
        let data: RefreshData = read(&grant)?;
        let person = self.holder(&mut *repo, &grant, now).await?.ok_or_else(wrong)?;
        drop(repo);
        let given = |scope: &String| grant.scope.split_whitespace().any(|given| given == scope);
        let still = client.still(snapshot, &grant.scope)?;
        if !still.iter().any(|scope| scope == OFFLINE_ACCESS) {
            return Err(Failure::grant("The client is not offered offline access any more."));
        }
        let scopes = match scopes {
            None => still,
            Some(asked) if asked.iter().all(given) => asked.iter().filter(|scope| still.contains(scope)).cloned().collect(),
            Some(_) => return Err(ProtocolError::new(Code::InvalidScope, "A scope was not granted.").into()),
        };
        let asked = Asked { client_id: &client.provider.client_id, grant: GrantType::RefreshToken, scopes: &scopes, way: None };
        let refused = "The person may not open the application any more.";
        let browser = From { ip: data.ip.or(from.ip), ..from.clone() };
        self.admit(snapshot, &client, &person, &asked, &browser, refused).await?;
        let login = data.login.clone();
        let ask = Ask { client, person: &person, base: &data.base, scopes, login, nonce: None, claims: &data.claims };
        let tokens = self.make(snapshot, &ask, from, now).await?;
        let threshold = client.provider.refresh_token_threshold.duration();
        let stays = threshold > chrono::Duration::zero() && grant.expires - now >= threshold;
        let mut repo = self.store.backend().begin(Durability::Full).await?;
        repo.grants().lock_family(grant.family).await?;
        let is_first = if stays {
            // Somebody may have ended it meanwhile.
            repo.grants().find_by_hash(&grant.key_hash).await?.is_some_and(|found| found.is_valid(now))
        } else {
            repo.grants().end(grant.pk, now).await?.is_some()
        };
        if !is_first {
            drop(repo);
            return Err(self.used_again(&grant, from).await?);
        }
        self.keep_access(&mut *repo, &grant, None, &tokens, now).await?;
        let refresh = match stays {
            true => token.to_owned(),
            false => self.keep_refresh(&mut *repo, client, &grant, &data, now).await?,
        };
        repo.save().await?;
        Ok(answer(tokens, Some(refresh), now))
    }

    /// Makes tokens. Nothing is kept yet.
    pub(super) async fn make(
        &self,
        snapshot: &Snapshot,
        ask: &Ask<'_>,
        from: &From,
        now: DateTime<Utc>,
    ) -> Result<Tokens, Failure> {
        let Ask { client, person, base, scopes, login, nonce, claims: asked } = ask;
        let provider = client.provider;
        let signer = client.signer(snapshot)?;
        let scoped = self.claims(snapshot, client, person, scopes, from).await?;
        let expires = now + provider.access_token_validity.duration();
        let issuer = client.issuer(base);
        let identity = self.identity_by(client, person, &scoped, from).await?;
        let audience = match claims::audience(&scoped) {
            Ok(audience) => audience,
            Err(why) => return Err(self.broken("property_mapping_exception", why.to_string(), person, from).await?),
        };
        let content = Content {
            issuer: &issuer,
            subject: &identity.subject,
            client_id: &provider.client_id,
            now,
            expires,
            login,
            nonce: *nonce,
            scoped: &scoped,
        };
        let named = |name: &str| asked.get("id_token").and_then(|asked| asked.get(name)).is_some();
        let mut id_claims = claims::id_token(&content, |name| provider.include_claims_in_id_token || named(name));
        let uid = self.store.rng().token(30);
        let access_claims = claims::access_token(&id_claims, audience.as_ref(), &provider.client_id, scopes, &uid);
        let broken = |why: crate::oauth2::jwt::CannotSign| Failure::Broken(why.to_string());
        let access = signer.sign("JWT", &access_claims).map_err(broken)?;
        let mut id_token = None;
        if scopes.iter().any(|scope| scope == OPENID) {
            id_claims.insert("at_hash".into(), signer.algorithm().half_hash(&access).into());
            id_token = Some(signer.sign("JWT", &id_claims).map_err(broken)?);
        }
        Ok(Tokens { access, id_token, claims: id_claims, audience, expires, scope: scopes.join(" ") })
    }

    pub(super) async fn keep_access(
        &self,
        repo: &mut dyn Repository,
        from: &Grant,
        session: Option<[u8; 32]>,
        tokens: &Tokens,
        now: DateTime<Utc>,
    ) -> Result<(), Failure> {
        let grant = Grant {
            kind: GrantKind::Access,
            key_hash: self.store.keyring().lookup_hash(&tokens.access),
            session,
            scope: tokens.scope.clone(),
            data: json!(AccessData { id_token: tokens.claims.clone(), audience: tokens.audience.clone() }),
            created: now,
            expires: tokens.expires,
            ended: None,
            ..from.clone()
        };
        repo.grants().add(&grant).await?;
        Ok(())
    }

    /// Keeps a new refresh token and gives it.
    async fn keep_refresh(
        &self,
        repo: &mut dyn Repository,
        client: Client<'_>,
        from: &Grant,
        data: &RefreshData,
        now: DateTime<Utc>,
    ) -> Result<String, Failure> {
        let token = self.store.rng().token(48);
        let grant = Grant {
            kind: GrantKind::Refresh,
            key_hash: self.store.keyring().lookup_hash(&token),
            // It is for when she is not there (OpenID Connect Core, section 11): her session's end is not its end.
            session: None,
            data: json!(data),
            created: now,
            expires: now + client.provider.refresh_token_validity.duration(),
            ended: None,
            ..from.clone()
        };
        repo.grants().add(&grant).await?;
        Ok(token)
    }

    /// The grant of this kind that this very client was given.
    async fn own(
        &self,
        repo: &mut dyn Repository,
        client: Client<'_>,
        kind: GrantKind,
        secret: &str,
    ) -> Result<Option<Grant>, Failure> {
        let found = repo.grants().find_by_hash(&self.store.keyring().lookup_hash(secret)).await?;
        Ok(found.filter(|grant| grant.kind == kind && grant.provider == client.at.pk().uuid()))
    }

    /// What was used up is used again: somebody else has it. Everything that it led to ends (RFC 6749, section 4.1.2; RFC 9700,
    /// section 4.14.2).
    async fn used_again(&self, grant: &Grant, from: &From) -> Result<Failure, Failure> {
        let now = self.store.clock().now();
        let mut repo = self.store.backend().begin(Durability::Full).await?;
        repo.grants().lock_family(grant.family).await?;
        let ended = repo.grants().end_family(grant.family, now).await?;
        let what = grant.kind.as_str();
        let message =
            format!("A {what} that was used up or taken back was used again; {ended} tokens that came of it were taken back.");
        let person = Person::lookup(&mut *repo, grant.user).await?;
        self.note_in(&mut *repo, "suspicious_request", person.as_ref(), json!({ "message": message }), from).await?;
        repo.save().await?;
        tracing::warn!(kind = what, ended, "what was used up was used again");
        Ok(Failure::grant("It was used up, or taken back."))
    }

    /// How the person has signed in, in the session that the code belongs to. `None`: it has ended.
    async fn login(&self, repo: &mut dyn Repository, grant: &Grant, now: DateTime<Utc>) -> Result<Option<Login>, Failure> {
        let Some(id) = grant.session else { return Ok(None) };
        let Some(session) = repo.sessions().lookup(&id, now).await? else { return Ok(None) };
        let text = |name: &str| session.data.get(name).and_then(Value::as_str);
        let at = text("login_at").and_then(|at| at.parse().ok());
        Ok(Some(Login { at, methods: claims::methods(text("auth_method")), sid: Some(hex::encode(id)) }))
    }
}

pub(super) fn answer(tokens: Tokens, refresh: Option<String>, now: DateTime<Utc>) -> Value {
    let mut answer = json!({
        "access_token": tokens.access,
        "token_type": "Bearer",
        "expires_in": (tokens.expires - now).num_seconds(),
        "scope": tokens.scope,
    });
    if let Value::Object(map) = &mut answer {
        map.extend(tokens.id_token.map(|token| ("id_token".to_owned(), token.into())));
        map.extend(refresh.map(|token| ("refresh_token".to_owned(), token.into())));
    }
    answer
}
