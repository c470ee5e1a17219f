//! Random keys that stand for an account.

use chrono::Duration;

use crate::error::Result;
use crate::model::Store;
use crate::records::{Repository, Token, TokenIntent};

/// What a key is for.
#[derive(Debug, Clone)]
pub struct NewKey<'a> {
    /// Unique name.
    pub identifier: &'a str,
    /// The account.
    pub user: i64,
    /// What it may be used for.
    pub intent: TokenIntent,
    /// For people.
    pub description: &'a str,
    /// How long it is good for; `None`: for ever.
    pub lifetime: Option<Duration>,
}

/// Keeps a key for an account and gives it: `given`, or a random one of 256 bits. A recovery key is kept only as a hash; other keys
/// can be read back, since clients of the API expect that.
pub async fn issue(store: &Store, repo: &mut dyn Repository, new: &NewKey<'_>, given: Option<&str>) -> Result<String> {
    let key = given.map_or_else(|| store.rng().token(32), str::to_owned);
    let pk = store.rng().uuid();
    let now = store.clock().now();
    let readable = !matches!(new.intent, TokenIntent::Recovery | TokenIntent::Verification);
    let sealed = readable.then(|| store.keyring().seal(&key, &format!("token.{pk}"), &**store.rng())).transpose()?;
    let token = Token {
        pk,
        identifier: new.identifier.to_owned(),
        user: new.user,
        intent: new.intent,
        key_hash: store.keyring().lookup_hash(&key),
        key_sealed: sealed,
        description: new.description.to_owned(),
        expires: new.lifetime.map(|lifetime| now + lifetime),
        managed: None,
        created: now,
    };
    repo.tokens().add(&token).await?;
    Ok(key)
}
