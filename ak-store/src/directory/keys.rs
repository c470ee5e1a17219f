//! Random keys that stand for an account.

use chrono::{DateTime, Duration, Utc};

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
    let now = store.clock().now();
    let mut token = Token {
        identifier: new.identifier.to_owned(),
        description: new.description.to_owned(),
        expires: new.lifetime.map(|lifetime| now + lifetime),
        ..unnamed(store, new.user, new.intent, now)
    };
    set(store, &mut token, &key)?;
    repo.tokens().add(&token).await?;
    Ok(key)
}

/// A new token without a name and without a key.
pub(super) fn unnamed(store: &Store, user: i64, intent: TokenIntent, now: DateTime<Utc>) -> Token {
    Token {
        pk: store.rng().uuid(),
        identifier: String::new(),
        user,
        intent,
        key_hash: [0; 32],
        key_sealed: None,
        description: String::new(),
        expires: None,
        managed: None,
        created: now,
    }
}

/// Gives a token this key: the hash by which it is found, and the sealed text where it can be read back.
pub fn set(store: &Store, token: &mut Token, key: &str) -> Result<()> {
    let hash = store.keyring().lookup_hash(key);
    if token.key_hash == hash {
        return Ok(());
    }
    let readable = !matches!(token.intent, TokenIntent::Recovery | TokenIntent::Verification);
    let place = format!("token.{}", token.pk);
    token.key_sealed = readable.then(|| store.keyring().seal(key, &place, &**store.rng())).transpose()?;
    token.key_hash = hash;
    Ok(())
}

/// The key of a token, where it can be read back.
pub fn read(store: &Store, token: &Token) -> Result<Option<String>> {
    let place = format!("token.{}", token.pk);
    token.key_sealed.as_deref().map(|sealed| store.keyring().unseal(sealed, &place)).transpose()
}
