//! Names and addresses.

#[cfg(feature = "dns")]
mod system;

use std::net::IpAddr;

use async_trait::async_trait;

#[cfg(feature = "dns")]
pub use system::SystemDns;

/// Looks up names and addresses.
#[async_trait]
pub trait Dns: Send + Sync {
    /// The addresses of a name; none where it has none. `Err` in words where that is not known: nobody has answered, say.
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, String>;

    /// The name of an address; `None` where it has none.
    async fn reverse(&self, ip: IpAddr) -> Result<Option<String>, String>;
}

/// Knows no names: for programs that have not said otherwise.
#[derive(Debug, Clone, Copy)]
pub struct NoDns;

#[async_trait]
impl Dns for NoDns {
    async fn resolve(&self, _: &str) -> Result<Vec<IpAddr>, String> {
        Err("this program looks up no names".into())
    }

    async fn reverse(&self, _: IpAddr) -> Result<Option<String>, String> {
        Err("this program looks up no addresses".into())
    }
}
