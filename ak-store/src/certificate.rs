//! Certificates and their private keys, as objects.

mod generate;
mod key;
mod name;

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use rcgen::{KeyPair, PublicKeyData as _};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value, json};
use sha2::Digest as _;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

pub use generate::{Algorithm, Request, generate, self_signed};
pub use key::{Curve, PublicKey as Public, SigningKey};

use crate::model::{Errors, Kind, Meta, Row, Secret};

/// A certificate in PEM form (RFC 7468), parsed when it is read.
#[derive(Clone)]
pub struct CertificatePem {
    text: String,
    facts: Facts,
}

/// What is shown of a certificate.
#[derive(Debug, Clone)]
struct Facts {
    sha256: String,
    sha1: String,
    expiry: Option<chrono::DateTime<chrono::Utc>>,
    subject: String,
    key_type: Option<&'static str>,
    public_key: Vec<u8>,
    der: Vec<u8>,
    key: Option<Public>,
}

impl std::fmt::Debug for CertificatePem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CertificatePem({})", self.facts.sha256)
    }
}

impl CertificatePem {
    /// Reads a certificate, or a chain whose first certificate counts.
    pub fn parse(text: &str) -> Result<Self, String> {
        let first = Pem::iter_from_buffer(text.as_bytes()).next().ok_or("Unable to load certificate: there is none.")?;
        let pem = first.map_err(|e| format!("Unable to load certificate: {e}"))?;
        if pem.label != "CERTIFICATE" {
            return Err(format!("Unable to load certificate: this is a {}.", pem.label));
        }
        let (_, certificate) =
            X509Certificate::from_der(&pem.contents).map_err(|e| format!("Unable to load certificate: {e}"))?;
        let facts = Facts {
            sha256: colons(&sha2::Sha256::digest(&pem.contents)),
            sha1: colons(&sha1::Sha1::digest(&pem.contents)),
            expiry: chrono::DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0),
            subject: name::rfc4514(certificate.subject()),
            key_type: key_type(&certificate),
            public_key: certificate.public_key().subject_public_key.data.to_vec(),
            key: Public::of(&certificate),
            der: pem.contents.clone(),
        };
        Ok(Self { text: text.to_owned(), facts })
    }

    /// The PEM text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first certificate in DER form.
    pub fn der(&self) -> &[u8] {
        &self.facts.der
    }

    /// Its public key, where it is one that tokens are signed with.
    pub fn public_key(&self) -> Option<&Public> {
        self.facts.key.as_ref()
    }

    /// A name for its public key that says nothing else: the first half of the SHA-256 of the key's bits, in hexadecimal digits.
    pub fn key_id(&self) -> String {
        let mut id = hex::encode(sha2::Sha256::digest(&self.facts.public_key));
        id.truncate(32);
        id
    }
}

/// Pairs of hexadecimal digits with colons between them, as fingerprints are written.
fn colons(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

/// The name of the key's algorithm in the contract (`CertificateKeyPairKeyTypeEnum`).
fn key_type(certificate: &X509Certificate<'_>) -> Option<&'static str> {
    match certificate.public_key().parsed().ok()? {
        PublicKey::RSA(_) => Some("rsa"),
        PublicKey::EC(_) => Some("ec"),
        PublicKey::DSA(_) => Some("dsa"),
        _ => match certificate.public_key().algorithm.algorithm.to_id_string().as_str() {
            "1.3.101.112" => Some("ed25519"),
            "1.3.101.113" => Some("ed448"),
            _ => None,
        },
    }
}

impl Serialize for CertificatePem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for CertificatePem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for CertificatePem {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "CertificatePem".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // It is no secret, but answers of the API do not show it either: there is a call of its own for it.
        json_schema!({ "type": "string", "minLength": 1, "writeOnly": true, "x-secret": true })
    }
}

/// A certificate with its private key, if that is known.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct CertificateKeyPair {
    /// Name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The certificate.
    pub certificate_data: CertificatePem,
    /// The private key, in PEM form.
    #[serde(default)]
    pub key_data: Secret,
    /// The private key, once it was asked for.
    #[serde(skip)]
    #[schemars(skip)]
    pub(crate) signing: OnceLock<Option<Arc<SigningKey>>>,
}

impl CertificateKeyPair {
    /// The private key, where there is one that tokens can be signed with. It is parsed once for as long as the certificate stays what it is.
    pub fn signing_key(&self) -> Option<&Arc<SigningKey>> {
        let parse = || SigningKey::parse(self.key_data.reveal(), self.certificate_data.public_key()?).map(Arc::new);
        self.signing.get_or_init(parse).as_ref()
    }
}

/// The read-only fields of a certificate.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CertificateShown {
    fingerprint_sha256: Option<String>,
    fingerprint_sha1: Option<String>,
    cert_expiry: Option<chrono::DateTime<chrono::Utc>>,
    cert_subject: Option<String>,
    private_key_available: bool,
    key_type: Option<&'static str>,
    certificate_download_url: String,
    private_key_download_url: String,
    managed: Option<String>,
}

impl Kind for CertificateKeyPair {
    const META: Meta = Meta {
        pk_filters: &["kp_uuid"],
        fact_filters: &["has_key", "key_type"],
        ..Meta::new(
            "authentik_crypto.certificatekeypair",
            "crypto/certificatekeypairs",
            "Certificate-Key Pair",
            "Certificate-Key Pairs",
        )
    };

    type Shown = CertificateShown;

    fn facts(&self) -> Map<String, Value> {
        let facts = [("has_key", json!(!self.key_data.is_empty())), ("key_type", json!(self.certificate_data.facts.key_type))];
        facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn shown(&self, row: &Row<'_>) -> CertificateShown {
        let facts = &self.certificate_data.facts;
        let base = format!("/api/v3/crypto/certificatekeypairs/{}", row.pk());
        CertificateShown {
            fingerprint_sha256: Some(facts.sha256.clone()),
            fingerprint_sha1: Some(facts.sha1.clone()),
            cert_expiry: facts.expiry,
            cert_subject: Some(facts.subject.clone()),
            private_key_available: !self.key_data.is_empty(),
            key_type: facts.key_type,
            certificate_download_url: format!("{base}/view_certificate/?download"),
            private_key_download_url: format!("{base}/view_private_key/?download"),
            managed: row.object.managed.as_deref().map(str::to_owned),
        }
    }

    fn check(&self, _: &Row<'_>, errors: &mut Errors) {
        if self.key_data.is_empty() {
            return;
        }
        match KeyPair::from_pem(self.key_data.reveal()) {
            Err(_) => errors.at(&["key_data"], "Unable to load private key (possibly encrypted?).", "invalid"),
            Ok(key) if key.der_bytes() != self.certificate_data.facts.public_key => {
                errors.at(&["key_data"], "The private key is not that of the certificate.", "invalid");
            }
            Ok(_) => {}
        }
    }
}
