//! TLS: the certificate of the brand that a client asks for.

use std::sync::{Arc, Mutex};

use ak_flows::{Brand, SELF_SIGNED};
use ak_store::certificate::CertificateKeyPair;
use ak_store::model::{Ref, Snapshot, Store};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Finds the certificate for a connection in the snapshot: that of the brand of the name asked for, else the self-signed one.
struct BrandCertificates {
    store: Arc<Store>,
    /// The last certificates by revision, so that a connection parses none.
    parsed: Mutex<Parsed>,
}

#[derive(Default)]
struct Parsed {
    revision: u64,
    keys: std::collections::HashMap<ak_store::model::Pk, Option<Arc<CertifiedKey>>>,
}

impl std::fmt::Debug for BrandCertificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BrandCertificates")
    }
}

impl ResolvesServerCert for BrandCertificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let snapshot = self.store.snapshot();
        let brand = Brand::of_host(&snapshot, hello.server_name().unwrap_or_default());
        let chosen = brand.and_then(|(_, brand)| brand.web_certificate);
        let own = snapshot.by::<CertificateKeyPair>("name", SELF_SIGNED).map(|(at, _)| at);
        chosen.into_iter().chain(own).find_map(|at| self.key(&snapshot, at))
    }
}

impl BrandCertificates {
    fn key(&self, snapshot: &Snapshot, at: Ref<CertificateKeyPair>) -> Option<Arc<CertifiedKey>> {
        let mut parsed = self.parsed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if parsed.revision != snapshot.revision() {
            *parsed = Parsed { revision: snapshot.revision(), ..Parsed::default() };
        }
        let load = || match snapshot.get(at).map(certified) {
            Some(Ok(key)) => Some(Arc::new(key)),
            Some(Err(problem)) => {
                tracing::error!(certificate = %at.pk(), problem, "a certificate cannot be served");
                None
            }
            None => None,
        };
        parsed.keys.entry(at.pk()).or_insert_with(load).clone()
    }
}

fn certified(pair: &CertificateKeyPair) -> Result<CertifiedKey, String> {
    let chain = CertificateDer::pem_slice_iter(pair.certificate_data.as_str().as_bytes());
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(pair.key_data.reveal().as_bytes()).map_err(|e| e.to_string())?;
    let key = aws_lc_rs::sign::any_supported_type(&key).map_err(|e| e.to_string())?;
    let certified = CertifiedKey::new(chain, key);
    certified.keys_match().map_err(|e| e.to_string())?;
    Ok(certified)
}

/// The configuration of the TLS listener: HTTP/2 and HTTP/1.1, TLS 1.2 and 1.3.
pub(crate) fn config(store: Arc<Store>) -> Result<ServerConfig, rustls::Error> {
    let certificates = BrandCertificates { store, parsed: Mutex::default() };
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(certificates));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
