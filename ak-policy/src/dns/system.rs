//! The servers that the machine asks.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::{ResolverBuilder, TokioResolver};

use super::Dns;

/// What was found is kept no longer than this, and no longer than its owner says.
const KEPT: Duration = Duration::from_secs(180);

/// How many answers are kept.
const ANSWERS: u64 = 1024;

/// Asks the servers that the machine asks (`/etc/resolv.conf`), after its own list (`/etc/hosts`). A look-up that nobody waits for any
/// more holds nothing.
#[derive(Clone)]
pub struct SystemDns(TokioResolver);

impl std::fmt::Debug for SystemDns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SystemDns").finish_non_exhaustive()
    }
}

impl SystemDns {
    /// Reads which servers the machine asks.
    ///
    /// # Errors
    /// In words, where that cannot be read.
    pub fn new() -> Result<Self, String> {
        build(TokioResolver::builder_tokio().map_err(|error| error.to_string())?)
    }

    /// Asks this server.
    ///
    /// # Errors
    /// In words, where that is no server that can be asked.
    pub fn asking(server: SocketAddr) -> Result<Self, String> {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = server.port();
            connection
        });
        let server = NameServerConfig::new(server.ip(), true, connections.into());
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        build(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()))
    }
}

fn build(mut builder: ResolverBuilder<TokioRuntimeProvider>) -> Result<SystemDns, String> {
    let options = builder.options_mut();
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.cache_size = ANSWERS;
    options.positive_max_ttl = Some(KEPT);
    options.negative_max_ttl = Some(KEPT);
    builder.build().map(SystemDns).map_err(|error| error.to_string())
}

/// What was found; nothing where somebody has answered that there is nothing.
fn found<T: Default>(what: impl std::fmt::Display, answer: Result<T, NetError>) -> Result<T, String> {
    match answer {
        Err(error) if error.is_no_records_found() => Ok(T::default()),
        answer => answer.map_err(|error| format!("{what} cannot be looked up: {error}")),
    }
}

#[async_trait]
impl Dns for SystemDns {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        found(name, self.0.lookup_ip(name).await.map(|all| all.iter().collect()))
    }

    async fn reverse(&self, ip: IpAddr) -> Result<Option<String>, String> {
        let answer = self.0.reverse_lookup(ip).await;
        let name = |data: &RData| match data {
            RData::PTR(name) => Some(name.to_utf8().trim_end_matches('.').to_owned()),
            _ => None,
        };
        found(ip, answer.map(|all| all.answers().iter().find_map(|record| name(&record.data))))
    }
}
