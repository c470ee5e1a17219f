//! Changing the secret key: the data key is wrapped anew, and what it encrypts stays as it is.

use crate::clock::Rng;
use crate::error::{Result, StoreError};
use crate::keyring::{Keyring, SETTING};
use crate::records::{Backend, Durability};

/// What became of the wish to change the secret key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// The data key is wrapped by the new secret key now.
    Done,
    /// It was already: somebody else was faster, or it was done before.
    AlreadyDone,
    /// The old key is not the one that the data was written with. Nothing was changed.
    WrongKey,
    /// There is no data key yet: nothing was ever written here.
    Nothing,
}

/// Whether this is the secret key that the data of `backend` was written with; `None` where nothing was written yet.
pub async fn is_secret_key(backend: &dyn Backend, secret_key: &str) -> Result<Option<bool>> {
    let wrapped = backend.read().await?.settings().lookup(SETTING).await?;
    match wrapped.map(|wrapped| Keyring::open(&wrapped, secret_key)) {
        None => Ok(None),
        Some(Ok(_)) => Ok(Some(true)),
        Some(Err(StoreError::WrongSecretKey)) => Ok(Some(false)),
        Some(Err(error)) => Err(error),
    }
}

/// Wraps the data key of `backend` by the secret key `to` instead of `from`, in one transaction. Of several at once one changes
/// something; the others see its result.
pub async fn rotate(backend: &dyn Backend, from: &str, to: &str, rng: &dyn Rng) -> Result<Rotation> {
    let mut repo = backend.begin(Durability::Full).await?;
    // Engines that let several write at once make the second wait here.
    repo.objects().lock_revision().await?;
    let Some(wrapped) = repo.settings().lookup(SETTING).await? else { return Ok(Rotation::Nothing) };
    match Keyring::open(&wrapped, to) {
        Ok(_) => return Ok(Rotation::AlreadyDone),
        Err(StoreError::WrongSecretKey) => {}
        Err(error) => return Err(error),
    }
    match Keyring::rewrap(&wrapped, from, to, rng) {
        Ok(wrapped) => repo.settings().put(SETTING, &wrapped).await?,
        Err(StoreError::WrongSecretKey) => return Ok(Rotation::WrongKey),
        Err(error) => return Err(error),
    }
    repo.save().await?;
    Ok(Rotation::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemRng;
    use crate::memory::MemoryBackend;

    async fn written_with(key: &str) -> MemoryBackend {
        let backend = MemoryBackend::new();
        let (_, wrapped) = Keyring::generate(key, &SystemRng).unwrap();
        let mut repo = backend.begin(Durability::Full).await.unwrap();
        repo.settings().put(SETTING, &wrapped).await.unwrap();
        repo.save().await.unwrap();
        backend
    }

    #[tokio::test]
    async fn the_new_key_takes_the_place_of_the_old_one_once() {
        let backend = written_with("old").await;
        assert_eq!(rotate(&backend, "wrong", "new", &SystemRng).await.unwrap(), Rotation::WrongKey);
        assert_eq!(is_secret_key(&backend, "old").await.unwrap(), Some(true));
        assert_eq!(rotate(&backend, "old", "new", &SystemRng).await.unwrap(), Rotation::Done);
        assert_eq!(is_secret_key(&backend, "old").await.unwrap(), Some(false));
        assert_eq!(is_secret_key(&backend, "new").await.unwrap(), Some(true));
        assert_eq!(rotate(&backend, "old", "new", &SystemRng).await.unwrap(), Rotation::AlreadyDone);
        assert_eq!(rotate(&backend, "old", "third", &SystemRng).await.unwrap(), Rotation::WrongKey);
    }

    #[tokio::test]
    async fn where_nothing_was_written_there_is_nothing_to_change() {
        let backend = MemoryBackend::new();
        assert_eq!(rotate(&backend, "old", "new", &SystemRng).await.unwrap(), Rotation::Nothing);
        assert_eq!(is_secret_key(&backend, "old").await.unwrap(), None);
    }
}
