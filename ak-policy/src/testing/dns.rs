//! Names as a scene says they resolve.

use std::collections::BTreeMap;
use std::net::IpAddr;

use async_trait::async_trait;

use crate::dns::Dns;

/// Knows the names that a scene knows, and asks nobody about others.
pub(super) struct GivenDns(pub(super) BTreeMap<String, Vec<IpAddr>>);

#[async_trait]
impl Dns for GivenDns {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        self.0.get(name).cloned().ok_or_else(|| format!("the scene does not say which addresses {name} has"))
    }

    async fn reverse(&self, ip: IpAddr) -> Result<Option<String>, String> {
        let name = self.0.iter().find(|(_, addresses)| addresses.contains(&ip)).map(|(name, _)| name.clone());
        name.map(Some).ok_or_else(|| format!("the scene does not say which name {ip} has"))
    }
}
