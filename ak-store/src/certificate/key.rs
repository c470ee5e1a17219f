//! The keys of a certificate, ready for use: parsed once, when the certificate is read.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED, ECDSA_P521_SHA512_FIXED_SIGNING, ED25519, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey, VerificationAlgorithm,
};
use x509_parser::pem::Pem;
use x509_parser::prelude::X509Certificate;
use x509_parser::public_key::PublicKey as Parsed;

/// The curve of an elliptic key (SEC 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// secp256r1.
    P256,
    /// secp384r1.
    P384,
    /// secp521r1.
    P521,
}

/// The public key of a certificate: big-endian numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// RSA (RFC 8017, section 3.1): modulus and exponent, without leading zeros.
    Rsa {
        /// Modulus.
        n: Vec<u8>,
        /// Exponent.
        e: Vec<u8>,
    },
    /// A point on a curve, both coordinates at the curve's full length.
    Elliptic {
        /// Which curve.
        curve: Curve,
        /// First coordinate.
        x: Vec<u8>,
        /// Second coordinate.
        y: Vec<u8>,
    },
    /// Ed25519 (RFC 8032).
    Ed25519 {
        /// The point.
        x: Vec<u8>,
    },
}

impl PublicKey {
    /// The key of a certificate, where it is one that signatures of tokens are made with.
    pub(super) fn of(certificate: &X509Certificate<'_>) -> Option<Self> {
        let stripped = |bytes: &[u8]| bytes.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
        let whole = certificate.public_key();
        let bits: &[u8] = &whole.subject_public_key.data;
        match whole.parsed().ok()? {
            Parsed::RSA(key) => Some(Self::Rsa { n: stripped(key.modulus), e: stripped(key.exponent) }),
            Parsed::EC(_) => {
                let curve = whole.algorithm.parameters.as_ref()?.as_oid().ok()?.to_id_string();
                let (curve, length) = match curve.as_str() {
                    "1.2.840.10045.3.1.7" => (Curve::P256, 32),
                    "1.3.132.0.34" => (Curve::P384, 48),
                    "1.3.132.0.35" => (Curve::P521, 66),
                    _ => return None,
                };
                // An uncompressed point (SEC 1, section 2.3.3).
                let point = bits.strip_prefix(&[4]).filter(|point| point.len() == 2 * length)?;
                let (x, y) = point.split_at_checked(length)?;
                Some(Self::Elliptic { curve, x: x.to_vec(), y: y.to_vec() })
            }
            _ if whole.algorithm.algorithm.to_id_string() == "1.3.101.112" => Some(Self::Ed25519 { x: bits.to_vec() }),
            _ => None,
        }
    }

    fn algorithm(&self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Rsa { .. } => &RSA_PKCS1_2048_8192_SHA256,
            Self::Elliptic { curve: Curve::P256, .. } => &ECDSA_P256_SHA256_FIXED,
            Self::Elliptic { curve: Curve::P384, .. } => &ECDSA_P384_SHA384_FIXED,
            Self::Elliptic { curve: Curve::P521, .. } => &ECDSA_P521_SHA512_FIXED,
            Self::Ed25519 { .. } => &ED25519,
        }
    }

    /// Whether a signature in the form of JSON Web Algorithms (RFC 7518, section 3; RFC 8037) was made over `message` with this key.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let check = |key: &[u8]| UnparsedPublicKey::new(self.algorithm(), key).verify(message, signature).is_ok();
        match self {
            Self::Rsa { n, e } => {
                let components = signature::RsaPublicKeyComponents { n, e };
                components.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
            }
            Self::Elliptic { x, y, .. } => check(&[&[4], x.as_slice(), y.as_slice()].concat()),
            Self::Ed25519 { x } => check(x),
        }
    }
}

enum Pair {
    Rsa(RsaKeyPair),
    Elliptic(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A private key that makes signatures.
pub struct SigningKey {
    pair: Pair,
    public: PublicKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

impl SigningKey {
    /// Reads the private key (PEM: PKCS #8, PKCS #1 or SEC 1) that belongs to `public`. `None`: it is no such key.
    pub(super) fn parse(pem: &str, public: &PublicKey) -> Option<Self> {
        let pem = Pem::iter_from_buffer(pem.as_bytes()).next()?.ok()?;
        let der = pem.contents.as_slice();
        let pair = match (public, pem.label.as_str()) {
            (PublicKey::Rsa { .. }, "RSA PRIVATE KEY") => Pair::Rsa(RsaKeyPair::from_der(der).ok()?),
            (PublicKey::Rsa { .. }, _) => Pair::Rsa(RsaKeyPair::from_pkcs8(der).ok()?),
            (PublicKey::Elliptic { curve, .. }, "EC PRIVATE KEY") => {
                Pair::Elliptic(EcdsaKeyPair::from_private_key_der(on(*curve), der).ok()?)
            }
            (PublicKey::Elliptic { curve, .. }, _) => Pair::Elliptic(EcdsaKeyPair::from_pkcs8(on(*curve), der).ok()?),
            (PublicKey::Ed25519 { .. }, _) => Pair::Ed25519(Ed25519KeyPair::from_pkcs8(der).ok()?),
        };
        Some(Self { pair, public: public.clone() })
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// A signature over `message` in the form of JSON Web Algorithms: RSASSA-PKCS1-v1_5 with SHA-256, ECDSA with the hash of the
    /// curve's size, or EdDSA. `None`: the library refused, which a sound key gives no reason for.
    pub fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).ok()?;
                Some(signature)
            }
            Pair::Elliptic(pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Some(pair.sign(message).as_ref().to_vec()),
        }
    }
}

fn on(curve: Curve) -> &'static EcdsaSigningAlgorithm {
    match curve {
        Curve::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
        Curve::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
        Curve::P521 => &ECDSA_P521_SHA512_FIXED_SIGNING,
    }
}
