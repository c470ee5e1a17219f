//! Keys that stand for an account, as documents.

use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Identifiers, TAKEN, does_not_exist, only, uuid};
use crate::directory::keys;
use crate::model::{Change, Errors, Input, RecordKind, RecordRef, Secret, Store, Unit, WriteError};
use crate::records::{Page, Repository, Token, TokenFilter, TokenIntent, User};

/// A key as a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TokenDocument {
    /// Unique name.
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[-a-zA-Z0-9_]+$"))]
    pub identifier: String,
    /// What it may be used for.
    #[serde(default = "api")]
    pub intent: TokenIntent,
    /// The account that it stands for.
    pub user: RecordRef<User>,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// When it ends, if it ends at all; a day from now where nothing is said.
    #[serde(default)]
    pub expires: Option<DateTime<Utc>>,
    /// Whether it ends.
    #[serde(default = "yes")]
    pub expiring: bool,
    /// The name by which the product itself keeps it.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub managed: Option<String>,
    /// The key itself; a random one where nothing is said. It is not shown with the document.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub key: Option<Secret>,
}

fn api() -> TokenIntent {
    TokenIntent::Api
}

fn yes() -> bool {
    true
}

/// How long a key is good for where nothing is said.
const LIFETIME: Duration = Duration::days(1);

/// Keys that stand for an account.
pub struct TokenKind {
    input: Input<TokenDocument>,
}

impl Default for TokenKind {
    fn default() -> Self {
        Self::new()
    }
}

impl TokenKind {
    /// Keys that stand for an account.
    pub fn new() -> Self {
        Self { input: Input::new() }
    }

    fn read(token: &Token) -> TokenDocument {
        TokenDocument {
            identifier: token.identifier.clone(),
            intent: token.intent,
            user: RecordRef::new(token.user),
            description: token.description.clone(),
            expires: token.expires,
            expiring: token.expires.is_some(),
            managed: token.managed.clone(),
            key: None,
        }
    }

    /// What is wrong with a document, seen together with other records.
    async fn check(
        repo: &mut dyn Repository,
        store: &Store,
        old: Option<&Token>,
        new: &TokenDocument,
    ) -> Result<Errors, WriteError> {
        let mut errors = Errors::default();
        let other = |found: Option<Token>| found.is_some_and(|found| old.is_none_or(|old| old.pk != found.pk));
        if other(repo.tokens().find_by_identifier(&new.identifier).await?) {
            errors.at(&["identifier"], TAKEN, "unique");
        }
        // Recovery keys and steps of flows are made where they are needed, and kept as hashes only.
        let writable = matches!(new.intent, TokenIntent::Api | TokenIntent::AppPassword);
        if !writable && old.is_none_or(|old| old.intent != new.intent) {
            errors.at(&["intent"], format!("Invalid intent {}", new.intent.as_str()), "invalid");
        }
        if repo.users().lookup(new.user.key()).await?.is_none() {
            errors.at(&["user"], does_not_exist(new.user.key()), "does_not_exist");
        }
        if let Some(key) = &new.key {
            let hash = store.keyring().lookup_hash(key.reveal());
            if other(repo.tokens().find_by_hash(&hash, DateTime::<Utc>::MIN_UTC).await?) {
                errors.at(&["key"], TAKEN, "unique");
            }
        }
        Ok(errors)
    }
}

async fn found(repo: &mut dyn Repository, pk: &Value) -> Result<Option<Token>, WriteError> {
    match uuid(pk) {
        Some(pk) => Ok(repo.tokens().lookup(pk).await?),
        None => Ok(None),
    }
}

#[async_trait]
impl RecordKind for TokenKind {
    fn model(&self) -> &'static str {
        "authentik_core.token"
    }

    async fn find(&self, repo: &mut dyn Repository, identifiers: &Map<String, Value>) -> Result<Option<Value>, WriteError> {
        let mut given = Identifiers::of(identifiers, &["pk", "token_uuid", "identifier", "managed"]);
        let pk = given.uuid("pk").or(given.uuid("token_uuid"));
        let filter =
            TokenFilter { identifier: given.text("identifier"), managed: given.text("managed"), ..TokenFilter::default() };
        given.done()?;
        let found = match pk {
            Some(pk) => repo.tokens().lookup(pk).await?,
            None => only(repo.tokens().list(&filter, Page::first(2)).await?, "token")?,
        };
        Ok(found.map(|token| Value::from(token.pk.to_string())))
    }

    async fn document(&self, repo: &mut dyn Repository, pk: &Value) -> Result<Option<Map<String, Value>>, WriteError> {
        Ok(found(repo, pk).await?.map(|token| self.input.shown(&Self::read(&token))))
    }

    async fn hidden_changes(
        &self,
        unit: &mut Unit<'_>,
        at: Option<&Value>,
        input: &Map<String, Value>,
    ) -> Result<Vec<&'static str>, WriteError> {
        let (store, repo) = unit.parts();
        let Some(key) = input.get("key").and_then(Value::as_str) else { return Ok(Vec::new()) };
        let hash = store.keyring().lookup_hash(key);
        let token = match at {
            Some(pk) => found(repo, pk).await?,
            None => None,
        };
        Ok(if token.is_some_and(|token| token.key_hash == hash) { Vec::new() } else { vec!["key"] })
    }

    async fn put(
        &self,
        unit: &mut Unit<'_>,
        at: Option<&Value>,
        input: &Map<String, Value>,
        change: Change,
    ) -> Result<Value, WriteError> {
        let (store, repo) = unit.parts();
        let old = match at {
            Some(pk) => Some(found(repo, pk).await?.ok_or_else(|| Errors::whole("There is no such token.", "not_found"))?),
            None => None,
        };
        let was = old.as_ref().map(Self::read);
        let new = self.input.change(was.as_ref(), &Value::Object(input.clone()), change)?;
        Self::check(repo, store, old.as_ref(), &new).await?.ok(())?;
        let now = store.clock().now();
        let expires = new.expiring.then(|| new.expires.unwrap_or(now + LIFETIME));
        let base = match &old {
            Some(old) => old.clone(),
            None => keys::unnamed(store, new.user.key(), new.intent, now),
        };
        let mut token = Token {
            identifier: new.identifier,
            user: new.user.key(),
            intent: new.intent,
            description: new.description,
            expires,
            managed: new.managed,
            ..base
        };
        match (&new.key, &old) {
            // Sealed anew, the same key would look like a change.
            (Some(key), Some(old)) if store.keyring().lookup_hash(key.reveal()) == old.key_hash => {}
            (Some(key), _) => keys::set(store, &mut token, key.reveal())?,
            (None, None) => keys::set(store, &mut token, &store.rng().token(32))?,
            (None, Some(_)) => {}
        }
        match &old {
            None => repo.tokens().add(&token).await?,
            Some(old) if *old != token => repo.tokens().update(&token).await?,
            Some(_) => {}
        }
        Ok(token.pk.to_string().into())
    }

    async fn delete(&self, unit: &mut Unit<'_>, pk: &Value) -> Result<bool, WriteError> {
        match uuid(pk) {
            Some(pk) => Ok(unit.records().tokens().delete(pk).await?),
            None => Ok(false),
        }
    }
}
