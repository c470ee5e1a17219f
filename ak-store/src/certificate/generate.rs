//! Making certificates that vouch for themselves.

use std::time::Duration;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize,
    SanType, SerialNumber,
};

use super::{CertificateKeyPair, CertificatePem};
use crate::clock::{Clock, Rng};
use crate::error::{Result, StoreError};
use crate::model::Secret;

/// The algorithm of a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA with 4096 bits. Making one takes up to some seconds.
    Rsa,
    /// RSA with 2048 bits: an eighth of the time, for making one and for every signature.
    Rsa2048,
    /// ECDSA on P-256.
    Ecdsa,
    /// Ed25519.
    Ed25519,
}

/// What a certificate is to say.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its name, and the subject's common name.
    pub name: String,
    /// Host names and addresses that it is for.
    pub hosts: Vec<String>,
    /// For how many days it is valid.
    pub days: u32,
    /// The algorithm of its key.
    pub algorithm: Algorithm,
}

/// Makes a key and a certificate that it has signed itself, valid from yesterday on (clocks differ).
///
/// # Errors
/// A host that cannot stand in a certificate ([`StoreError::Invalid`]).
pub fn generate(request: &Request, clock: &dyn Clock, rng: &dyn Rng) -> Result<CertificateKeyPair> {
    let failed = |e: rcgen::Error| StoreError::Backend(format!("a certificate cannot be made: {e}"));
    let mut params = CertificateParams::new(Vec::<String>::new()).map_err(failed)?;
    for host in &request.hosts {
        params.subject_alt_names.push(match host.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) if !is_host(host) => return Err(StoreError::Invalid(format!("\"{host}\" is no host name and no address."))),
            Err(_) => SanType::DnsName(host.as_str().try_into().map_err(failed)?),
        });
    }
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, request.name.as_str());
    params.distinguished_name = subject;
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let now = u64::try_from(clock.now().timestamp()).unwrap_or(0);
    const DAY: u64 = 86_400;
    params.not_before = epoch + Duration::from_secs(now.saturating_sub(DAY));
    params.not_after = epoch + Duration::from_secs(now + u64::from(request.days) * DAY);
    let serial: [u8; 16] = rng.bytes();
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    let key = match request.algorithm {
        Algorithm::Rsa => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_4096),
        Algorithm::Rsa2048 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
        Algorithm::Ecdsa => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
        Algorithm::Ed25519 => KeyPair::generate_for(&PKCS_ED25519),
    };
    let key = key.map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok(CertificateKeyPair {
        name: request.name.clone(),
        certificate_data: CertificatePem::parse(&certificate.pem()).map_err(StoreError::Backend)?,
        key_data: Secret::new(key.serialize_pem()),
        signing: std::sync::OnceLock::new(),
    })
}

/// Whether a text is a host name as certificates have them (RFC 5280, section 4.2.1.6), a star in place of its first part included.
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.strip_prefix("*.").unwrap_or(text).split('.').all(label)
}

/// Makes a self-signed certificate for these host names and addresses, valid for a year. Its key is of the one sort that every client
/// of OpenID Connect takes (Discovery 1.0, section 3: RS256 must be there).
pub fn self_signed(name: &str, hosts: &[&str], clock: &dyn Clock, rng: &dyn Rng) -> Result<CertificateKeyPair> {
    let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    generate(&Request { name: name.to_owned(), hosts, days: 366, algorithm: Algorithm::Rsa2048 }, clock, rng)
}
