//! JSON Web Tokens (RFC 7519), signed as a provider signs (RFC 7515, compact serialization).

use std::sync::Arc;

use ak_store::certificate::{CertificateKeyPair, Curve, Public, SigningKey};
use ak_store::model::Snapshot;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::provider::OAuth2Provider;

/// How tokens are signed (RFC 7518, section 3.1; RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// With the client's secret: HMAC with SHA-256.
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
        }
    }

    const fn of(key: &Public) -> Self {
        match key {
            Public::Rsa { .. } => Self::Rs256,
            Public::Elliptic { curve: Curve::P256, .. } => Self::Es256,
            Public::Elliptic { curve: Curve::P384, .. } => Self::Es384,
            Public::Elliptic { curve: Curve::P521, .. } => Self::Es512,
            Public::Ed25519 { .. } => Self::EdDsa,
        }
    }

    /// The left half of the digest of a token by the algorithm's hash, by which an ID token vouches for the other tokens beside it
    /// (OpenID Connect Core, section 3.1.3.6).
    pub fn half_hash(self, token: &str) -> String {
        let digest = match self {
            Self::Hs256 | Self::Rs256 | Self::Es256 => Sha256::digest(token.as_bytes()).to_vec(),
            Self::Es384 => Sha384::digest(token.as_bytes()).to_vec(),
            Self::Es512 | Self::EdDsa => Sha512::digest(token.as_bytes()).to_vec(),
        };
        let (half, _) = digest.split_at(digest.len() / 2);
        URL_SAFE_NO_PAD.encode(half)
    }
}

/// What a provider signs with.
#[derive(Debug, Clone)]
pub struct Signer {
    algorithm: Algorithm,
    with: With,
}

#[derive(Clone)]
enum With {
    Key { key: Arc<SigningKey>, id: String },
    Secret(String),
}

impl std::fmt::Debug for With {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key { id, .. } => write!(f, "Key({id})"),
            Self::Secret(_) => f.write_str("Secret"),
        }
    }
}

/// Tokens cannot be signed: the text is for administrators.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tokens cannot be signed: {0}")]
pub struct CannotSign(pub &'static str);

/// The longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 16 * 1024;

impl Signer {
    /// What a provider signs with: its key, else the client's secret. A key that cannot be used is never replaced by the secret.
    pub fn of(provider: &OAuth2Provider, snapshot: &Snapshot) -> Result<Self, CannotSign> {
        let Some(at) = provider.signing_key else { return Self::with_secret(provider.client_secret.reveal()) };
        let certificate = snapshot.get(at).ok_or(CannotSign("the signing key cannot be read"))?;
        Self::with_certificate(certificate)
    }

    /// With the key of a certificate.
    pub fn with_certificate(certificate: &CertificateKeyPair) -> Result<Self, CannotSign> {
        let key = certificate.signing_key().ok_or(CannotSign("the certificate has no private key that can be used"))?;
        let id = certificate.certificate_data.key_id();
        Ok(Self { algorithm: Algorithm::of(key.public()), with: With::Key { key: key.clone(), id } })
    }

    /// With a secret that the client knows.
    pub fn with_secret(secret: &str) -> Result<Self, CannotSign> {
        if secret.is_empty() {
            return Err(CannotSign("there is neither a signing key nor a client secret"));
        }
        Ok(Self { algorithm: Algorithm::Hs256, with: With::Secret(secret.to_owned()) })
    }

    /// How.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// A token of these claims, of the type `typ` (RFC 8725, section 3.11).
    pub fn sign(&self, typ: &str, claims: &Map<String, Value>) -> Result<String, CannotSign> {
        let refused = CannotSign("the library refused");
        match &self.with {
            With::Secret(secret) => {
                let header = Header { typ: Some(typ.to_owned()), ..Header::new(jsonwebtoken::Algorithm::HS256) };
                jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret.as_bytes())).map_err(|_| refused)
            }
            With::Key { key, id } => {
                let header = json!({ "alg": self.algorithm.as_str(), "kid": id, "typ": typ });
                let body = serde_json::to_vec(claims).map_err(|_| refused.clone())?;
                let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(body));
                let signature = key.sign(message.as_bytes()).ok_or(refused)?;
                Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
            }
        }
    }

    /// The claims of a token that this very key has signed in this very way (RFC 8725, section 3.1), whatever they say.
    pub fn open(&self, token: &str) -> Option<Map<String, Value>> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let (message, signature) = token.rsplit_once('.')?;
        let (header, body) = message.split_once('.')?;
        let part = |text: &str| serde_json::from_slice::<Map<String, Value>>(&URL_SAFE_NO_PAD.decode(text).ok()?).ok();
        let header = part(header)?;
        // What stands in the header chooses nothing: it has to be what this signer writes.
        if header.get("alg").and_then(Value::as_str) != Some(self.algorithm.as_str()) || header.contains_key("crit") {
            return None;
        }
        let holds = match &self.with {
            With::Secret(secret) => {
                let mut validation = Validation::new(jsonwebtoken::Algorithm::HS256);
                validation.required_spec_claims.clear();
                validation.validate_exp = false;
                validation.validate_aud = false;
                let key = DecodingKey::from_secret(secret.as_bytes());
                jsonwebtoken::decode::<Map<String, Value>>(token, &key, &validation).is_ok()
            }
            With::Key { key, .. } => {
                let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
                key.public().verifies(message.as_bytes(), &signature)
            }
        };
        if holds { part(body) } else { None }
    }
}

/// The public key of a certificate as a JSON Web Key (RFC 7517), with the certificate beside it. `None`: it is of no sort that signs tokens.
pub fn jwk(certificate: &CertificateKeyPair) -> Option<Value> {
    let certificate = &certificate.certificate_data;
    let key = certificate.public_key()?;
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let mut jwk = match key {
        Public::Rsa { n, e } => json!({ "kty": "RSA", "n": text(n), "e": text(e) }),
        Public::Elliptic { curve, x, y } => {
            let curve = match curve {
                Curve::P256 => "P-256",
                Curve::P384 => "P-384",
                Curve::P521 => "P-521",
            };
            json!({ "kty": "EC", "crv": curve, "x": text(x), "y": text(y) })
        }
        Public::Ed25519 { x } => json!({ "kty": "OKP", "crv": "Ed25519", "x": text(x) }),
    };
    if let Value::Object(map) = &mut jwk {
        map.insert("use".into(), "sig".into());
        map.insert("alg".into(), Algorithm::of(key).as_str().into());
        map.insert("kid".into(), certificate.key_id().into());
        map.insert("x5c".into(), json!([STANDARD.encode(certificate.der())]));
        map.insert("x5t#S256".into(), text(&Sha256::digest(certificate.der())).into());
    }
    Some(jwk)
}

#[cfg(test)]
mod tests {
    use ak_store::certificate::{Algorithm as Sort, Request, generate};
    use ak_store::{SystemClock, SystemRng};
    use proptest::prelude::ProptestConfig;

    use super::*;

    fn certificate(algorithm: Sort) -> CertificateKeyPair {
        let request = Request { name: "x".into(), hosts: vec!["a.example".into()], days: 1, algorithm };
        generate(&request, &SystemClock, &SystemRng).unwrap()
    }

    fn claims() -> Map<String, Value> {
        json!({ "sub": "ada", "n": 1 }).as_object().unwrap().clone()
    }

    #[test]
    fn another_library_reads_what_is_signed_with_the_published_key() {
        for sort in [Sort::Rsa, Sort::Ecdsa, Sort::Ed25519] {
            let certificate = certificate(sort);
            let signer = Signer::with_certificate(&certificate).unwrap();
            let token = signer.sign("JWT", &claims()).unwrap();
            assert_eq!(signer.open(&token), Some(claims()));
            let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(jwk(&certificate).unwrap()).unwrap();
            let header = jsonwebtoken::decode_header(&token).unwrap();
            assert_eq!(header.kid, jwk.common.key_id);
            let mut validation = Validation::new(header.alg);
            validation.required_spec_claims.clear();
            validation.validate_exp = false;
            let read = jsonwebtoken::decode::<Map<String, Value>>(&token, &DecodingKey::from_jwk(&jwk).unwrap(), &validation);
            assert_eq!(read.unwrap().claims, claims());
        }
    }

    #[test]
    fn the_header_of_a_token_chooses_nothing() {
        let certificate = certificate(Sort::Ecdsa);
        let signer = Signer::with_certificate(&certificate).unwrap();
        let body = URL_SAFE_NO_PAD.encode(json!({ "sub": "mallory" }).to_string());
        let none = format!("{}.{body}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#));
        assert_eq!(signer.open(&none), None);
        // The public key, which everybody has, used as a secret.
        let public = certificate.certificate_data.as_str();
        let confused = Signer::with_secret(public).unwrap().sign("JWT", &claims()).unwrap();
        assert_eq!(signer.open(&confused), None);
        let secret = Signer::with_secret("a secret").unwrap();
        let token = secret.sign("JWT", &claims()).unwrap();
        assert_eq!(secret.open(&token), Some(claims()));
        assert_eq!(Signer::with_secret("another").unwrap().open(&token), None);
        assert_eq!(secret.open(&none), None);
        let [header, _, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
        assert_eq!(secret.open(&format!("{header}.{body}.{signature}")), None);
        assert!(Signer::with_secret("").is_err(), "nothing signs with nothing");
    }

    #[test]
    fn the_half_hash_is_that_of_the_specification() {
        // The access token and its hash of OpenID Connect Core, appendix A.3.
        assert_eq!(Algorithm::Rs256.half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), "77QmUPtjPfzWtF2AnpK9RQ");
    }

    proptest::proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn whatever_comes_is_refused(text in "\\PC{0,60}", dots in "[A-Za-z0-9_.-]{0,80}") {
            let signer = Signer::with_secret("a secret").unwrap();
            proptest::prop_assert_eq!(signer.open(&text), None);
            proptest::prop_assert_eq!(signer.open(&dots), None);
        }
    }
}
