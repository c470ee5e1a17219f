//! Secrets at rest.
//!
//! What clients must be able to read back is encrypted with AES-256-GCM under a random data key. The data key is kept in the
//! database, wrapped by a key derived (HKDF-SHA256) from the secret key of the installation, so that a stolen database alone
//! reveals nothing and the secret key can be changed by wrapping one value anew.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};

use crate::clock::Rng;
use crate::error::{Result, StoreError};

/// Name of the setting that holds the wrapped data key.
pub(crate) const SETTING: &str = "keyring";

const SEALED: &str = "sealed:1:";

/// Seals and unseals secrets, and makes the keyed hashes that they are looked up by.
pub struct Keyring {
    seal: LessSafeKey,
    lookup: hmac::Key,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring")
    }
}

impl Keyring {
    /// A new data key, and the value to keep in the setting `keyring`: the data key wrapped by `secret_key`.
    pub fn generate(secret_key: &str, rng: &dyn Rng) -> Result<(Self, Value)> {
        let data_key: [u8; 32] = rng.bytes();
        let wrapped = Self::wrap(&data_key, secret_key, rng)?;
        Ok((Self::of(&data_key)?, wrapped))
    }

    /// The keyring that `wrapped` (the setting `keyring`) holds.
    /// Another secret key than the one it was written with is [`StoreError::WrongSecretKey`].
    pub fn open(wrapped: &Value, secret_key: &str) -> Result<Self> {
        Self::of(&Self::unwrap(wrapped, secret_key)?)
    }

    /// The same data key, wrapped by `to` instead of `from`.
    pub fn rewrap(wrapped: &Value, from: &str, to: &str, rng: &dyn Rng) -> Result<Value> {
        Self::wrap(&Self::unwrap(wrapped, from)?, to, rng)
    }

    fn of(data_key: &[u8; 32]) -> Result<Self> {
        let seal = derive(data_key, b"ak/seal")?;
        let lookup = derive(data_key, b"ak/lookup")?;
        Ok(Self { seal: aead(&seal)?, lookup: hmac::Key::new(hmac::HMAC_SHA256, &lookup) })
    }

    fn wrap(data_key: &[u8; 32], secret_key: &str, rng: &dyn Rng) -> Result<Value> {
        let key = aead(&derive(secret_key.as_bytes(), b"ak/wrap")?)?;
        Ok(json!({ "data_key": encrypt(&key, data_key, b"data key", rng)? }))
    }

    fn unwrap(wrapped: &Value, secret_key: &str) -> Result<[u8; 32]> {
        let text = wrapped.get("data_key").and_then(Value::as_str);
        let text = text.ok_or_else(|| StoreError::Corrupt(format!("the setting {SETTING} holds no data key")))?;
        let key = aead(&derive(secret_key.as_bytes(), b"ak/wrap")?)?;
        let plain = decrypt(&key, text, b"data key").ok_or(StoreError::WrongSecretKey)?;
        plain.try_into().map_err(|_| StoreError::Corrupt("the data key has a wrong length".into()))
    }

    /// Encrypts `secret`; `place` (table and column, say) is bound to it, so that a sealed text cannot be moved elsewhere.
    pub fn seal(&self, secret: &str, place: &str, rng: &dyn Rng) -> Result<String> {
        Ok(format!("{SEALED}{}", encrypt(&self.seal, secret.as_bytes(), place.as_bytes(), rng)?))
    }

    /// What [`Keyring::seal`] was given for that place.
    pub fn unseal(&self, sealed: &str, place: &str) -> Result<String> {
        sealed
            .strip_prefix(SEALED)
            .and_then(|text| decrypt(&self.seal, text, place.as_bytes()))
            .and_then(|plain| String::from_utf8(plain).ok())
            .ok_or_else(|| StoreError::Corrupt(format!("a sealed value of {place} cannot be opened")))
    }

    /// The keyed hash by which a random secret is looked up (HMAC-SHA256).
    pub fn lookup_hash(&self, secret: &str) -> [u8; 32] {
        let tag = hmac::sign(&self.lookup, secret.as_bytes());
        let mut hash = [0; 32];
        for (to, from) in hash.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        hash
    }
}

struct Len32;

impl hkdf::KeyType for Len32 {
    fn len(&self) -> usize {
        32
    }
}

fn derive(secret: &[u8], purpose: &[u8]) -> Result<[u8; 32]> {
    let mut key = [0; 32];
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"ak")
        .extract(secret)
        .expand(&[purpose], Len32)
        .and_then(|okm| okm.fill(&mut key))
        .map_err(|_| StoreError::Backend("key derivation failed".into()))?;
    Ok(key)
}

fn aead(key: &[u8; 32]) -> Result<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| StoreError::Backend("AES-256-GCM refuses its key".into()))?;
    Ok(LessSafeKey::new(key))
}

fn encrypt(key: &LessSafeKey, plain: &[u8], aad: &[u8], rng: &dyn Rng) -> Result<String> {
    let nonce: [u8; NONCE_LEN] = rng.bytes();
    let mut sealed = plain.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed)
        .map_err(|_| StoreError::Backend("encryption failed".into()))?;
    let mut out = nonce.to_vec();
    out.append(&mut sealed);
    Ok(STANDARD_NO_PAD.encode(out))
}

fn decrypt(key: &LessSafeKey, text: &str, aad: &[u8]) -> Option<Vec<u8>> {
    let raw = STANDARD_NO_PAD.decode(text).ok()?;
    let (nonce, sealed) = raw.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut sealed = sealed.to_vec();
    let plain = key.open_in_place(nonce, Aad::from(aad), &mut sealed).ok()?;
    Some(plain.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemRng;

    #[test]
    fn a_sealed_secret_opens_only_with_the_right_key_and_in_its_place() {
        let (ring, wrapped) = Keyring::generate("first key", &SystemRng).unwrap();
        let sealed = ring.seal("s3cret", "token.key", &SystemRng).unwrap();
        assert!(!sealed.contains("s3cret"));
        let again = Keyring::open(&wrapped, "first key").unwrap();
        assert_eq!(again.unseal(&sealed, "token.key").unwrap(), "s3cret");
        assert!(again.unseal(&sealed, "other.key").is_err());
        assert_eq!(again.lookup_hash("s3cret"), ring.lookup_hash("s3cret"));
        assert!(matches!(Keyring::open(&wrapped, "second key"), Err(StoreError::WrongSecretKey)));
        let moved = Keyring::rewrap(&wrapped, "first key", "second key", &SystemRng).unwrap();
        assert_eq!(Keyring::open(&moved, "second key").unwrap().unseal(&sealed, "token.key").unwrap(), "s3cret");
    }
}
