//! The beginning and the end of sessions with applications.

use ak_store::StoreError;
use ak_store::model::{Ref, Snapshot};
use ak_store::records::{Backend, Durability, Grant, GrantKind};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::keeper::Keeper;
use super::memory::Memory;
use super::provider::ProxyProvider;
use crate::oauth2::issue::{Client, Failure, From};

/// What is kept with a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SessionData {
    /// The claims of its access token.
    pub(super) claims: Map<String, Value>,
}

impl Keeper {
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
        let access = self.store.look().await?.grants().find_by_hash(&keyring.lookup_hash(&token)).await?;
        let Some(access) = access else { return Ok(None) };
        let key = self.store.rng().token(32);
        let session = Grant {
            pk: 0,
            kind: GrantKind::Proxied,
            key_hash: keyring.lookup_hash(&key),
            data: json!(SessionData { claims }),
            ..access.clone()
        };
        let has_begun = add(&**self.store.backend(), &access, session, self.store.clock().now()).await?;
        Ok(has_begun.then_some(key))
    }

    /// Ends the session with this cookie's value, if it is one of the provider's.
    pub async fn end(&self, at: Ref<ProxyProvider>, key: &str) -> Result<(), Failure> {
        let mut repo = self.store.look().await?;
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

/// Keeps a session that comes of an access token; whether it has begun. Somebody may bring the code once more, or sign out, between the token
/// and the session: what has ended gives nothing, and the session ends with its family and with the browser's session of now.
async fn add(backend: &dyn Backend, access: &Grant, session: Grant, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let mut repo = backend.begin(Durability::Relaxed).await?;
    repo.grants().lock_family(access.family).await?;
    let Some(access) = repo.grants().lookup(access.pk).await?.filter(|access| access.is_valid(now)) else { return Ok(false) };
    repo.grants().add(&Grant { session: access.session, ..session }).await?;
    repo.save().await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use ak_store::memory::MemoryBackend;
    use ak_store::records::NewUser;
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn no_session_comes_of_a_token_that_has_ended_meanwhile() {
        let (backend, now) = (MemoryBackend::new(), DateTime::<Utc>::UNIX_EPOCH);
        let mut repo = backend.begin(Durability::Full).await.unwrap();
        let ada = repo.users().add(NewUser::internal(Uuid::from_u128(1), "ada"), now).await.unwrap();
        let mut access = Grant {
            pk: 0,
            kind: GrantKind::Access,
            key_hash: [1; 32],
            provider: Uuid::from_u128(2),
            user: ada.pk,
            session: Some([3; 32]),
            family: Uuid::from_u128(4),
            scope: String::new(),
            data: Value::Null,
            since: now,
            created: now,
            expires: now + chrono::Duration::hours(1),
            ended: None,
        };
        access.pk = repo.grants().add(&access).await.unwrap();
        repo.grants().move_session(&[3; 32], &[5; 32]).await.unwrap();
        repo.save().await.unwrap();
        let session = |n| Grant { kind: GrantKind::Proxied, key_hash: [n; 32], ..access.clone() };
        assert!(add(&backend, &access, session(10), now).await.unwrap());
        let mut repo = backend.begin(Durability::Full).await.unwrap();
        let begun = repo.grants().find_by_hash(&[10; 32]).await.unwrap().unwrap();
        assert_eq!(begun.session, Some([5; 32]), "the session that has taken the place of hers");
        repo.grants().end_family(access.family, now).await.unwrap();
        repo.save().await.unwrap();
        assert!(!add(&backend, &access, session(11), now).await.unwrap());
        assert_eq!(backend.read().await.unwrap().grants().find_by_hash(&[11; 32]).await.unwrap(), None);
    }
}
