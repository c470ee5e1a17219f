//! The first start: default objects and the first administrator.

use ak_store::StoreError;
use ak_store::certificate::self_signed;
use ak_store::directory::keys::{NewKey, issue};
use ak_store::directory::password::{PasswordError, PasswordHasher, is_hash};
use ak_store::model::{Store, WriteError};
use ak_store::records::{Durability, Group, NewUser, Repository, TokenIntent};
use serde_json::json;

use crate::blueprint::{BlueprintError, Engine};
use crate::initial_setup::{self, ADMINISTRATOR};

/// The name of the certificate that is made at the first start.
pub const SELF_SIGNED: &str = "authentik Self-signed Certificate";

/// What the first start is given. Later starts ignore it.
#[derive(Clone, Default)]
pub struct Bootstrap {
    /// The first administrator's password.
    pub password: Option<String>,
    /// The first administrator's password, hashed already.
    pub password_hash: Option<String>,
    /// The key of an API token of the first administrator.
    pub token: Option<String>,
    /// The first administrator's e-mail address.
    pub email: Option<String>,
}

/// Why the first start failed.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A setting cannot be used: its name, and why.
    #[error("{0}: {1}")]
    Setting(&'static str, String),
    /// A default object was refused.
    #[error(transparent)]
    Blueprint(#[from] BlueprintError),
    /// The objects were refused.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The setting that remembers that the first start is over.
const DONE: &str = "set_up";

/// Makes the default objects and the first administrator, all at once, unless that was done before; brings the default objects
/// to the shipped version if it was. True if it was the first start.
pub async fn set_up(engine: &Engine, hasher: &PasswordHasher, bootstrap: &Bootstrap) -> Result<bool, SetupError> {
    let store = engine.store();
    if is_done(&mut *store.read().await?).await? {
        engine.renew_shipped().await?;
        return Ok(false);
    }
    let password = password(hasher, bootstrap).await?;
    let hosts = ["localhost", "127.0.0.1", "::1"];
    let (clock, rng) = (store.clock().clone(), store.rng().clone());
    // Looking for primes takes a while, in which a program that links this in goes on.
    let made = tokio::task::spawn_blocking(move || self_signed(SELF_SIGNED, &hosts, &*clock, &*rng)).await;
    let certificate = made.map_err(|_| StoreError::Backend("making a certificate ended in a panic".into()))??;
    let mut unit = store.begin(Durability::Full).await?;
    if is_done(unit.records()).await? {
        return Ok(false);
    }
    unit.write(|draft| draft.add_managed(&certificate, "goauthentik.io/crypto/jwt-managed").map(drop))?;
    engine.apply_shipped_in(&mut unit).await?;
    let user = administrator(unit.records(), store, password, bootstrap).await?;
    if bootstrap.password.is_some() || bootstrap.password_hash.is_some() {
        initial_setup::close(unit.records(), &**store.rng()).await?;
    }
    if let Some(key) = &bootstrap.token {
        let intent = TokenIntent::Api;
        let new = NewKey { identifier: "authentik-bootstrap-token", user, intent, description: "", lifetime: None };
        issue(store, unit.records(), &new, Some(key)).await?;
    }
    unit.records().settings().put(DONE, &json!(true)).await?;
    unit.save().await?;
    if bootstrap.password.is_some() || bootstrap.password_hash.is_some() {
        tracing::info!("Bootstrap completed successfully");
    }
    Ok(true)
}

/// Whether the first start is over: before that there are no default objects.
pub async fn is_set_up(store: &Store) -> Result<bool, StoreError> {
    is_done(&mut *store.read().await?).await
}

async fn is_done(repo: &mut dyn Repository) -> Result<bool, StoreError> {
    Ok(repo.settings().lookup(DONE).await?.is_some())
}

async fn password(hasher: &PasswordHasher, bootstrap: &Bootstrap) -> Result<Option<String>, SetupError> {
    match (&bootstrap.password, &bootstrap.password_hash) {
        (Some(_), Some(_)) => {
            let why = "set either this or AUTHENTIK_BOOTSTRAP_PASSWORD, not both";
            Err(SetupError::Setting("AUTHENTIK_BOOTSTRAP_PASSWORD_HASH", why.into()))
        }
        (None, Some(hash)) if !is_hash(hash) => {
            let why = "is not a password hash that can be checked; `ak hash_password` makes one";
            Err(SetupError::Setting("AUTHENTIK_BOOTSTRAP_PASSWORD_HASH", why.into()))
        }
        (None, Some(hash)) => Ok(Some(hash.clone())),
        (Some(password), None) => {
            let failed = |e: PasswordError| SetupError::Setting("AUTHENTIK_BOOTSTRAP_PASSWORD", e.to_string());
            Ok(Some(hasher.hash(password).await.map_err(failed)?))
        }
        (None, None) => Ok(None),
    }
}

async fn administrator(
    repo: &mut dyn Repository,
    store: &Store,
    password: Option<String>,
    bootstrap: &Bootstrap,
) -> Result<i64, StoreError> {
    let now = store.clock().now();
    let user = NewUser {
        name: "authentik Default Admin".into(),
        email: bootstrap.email.clone().unwrap_or_else(|| "root@example.com".into()),
        password,
        ..NewUser::internal(store.rng().uuid(), ADMINISTRATOR)
    };
    let user = repo.users().add(user, now).await?;
    let group = Group { is_superuser: true, ..Group::named(store.rng().uuid(), "authentik Admins", now) };
    repo.groups().add(&group).await?;
    repo.groups().add_member(group.pk, user.pk).await?;
    Ok(user.pk)
}
