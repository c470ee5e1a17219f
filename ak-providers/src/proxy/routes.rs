//! Which provider stands in front of which host.

use std::collections::HashMap;

use ak_policy::Application;
use ak_store::model::{Ref, Snapshot};

use super::host::Host;
use super::provider::{ProxyMode, ProxyProvider};
use crate::outpost::Outpost;

/// Which provider stands in front of which host, at one revision of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    revision: u64,
    hosts: HashMap<Host, Ref<ProxyProvider>>,
    domains: HashMap<String, Ref<ProxyProvider>>,
}

impl Routes {
    /// The providers that the embedded outpost serves: its own, and those that no outpost has; of two for the same host the one that has an
    /// application, and then the older. One without an application lets nobody in, and keeps its host: what a domain around it lets in was
    /// never let in there.
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut routes = Self { revision: snapshot.revision(), ..Self::default() };
        let served = snapshot.all::<ProxyProvider>().filter(|(at, _)| Outpost::embedded_serves(snapshot, at.pk()));
        let (with, without): (Vec<_>, Vec<_>) = served.partition(|(at, _)| Application::of_provider(snapshot, at.pk()).is_some());
        for (at, provider) in with.into_iter().chain(without) {
            routes.add(at, provider);
        }
        routes
    }

    fn add(&mut self, at: Ref<ProxyProvider>, provider: &ProxyProvider) {
        let host = provider.external_host.host().clone();
        match provider.mode {
            ProxyMode::ForwardSingle => {
                self.hosts.entry(host).or_insert(at);
            }
            ProxyMode::ForwardDomain => {
                self.domains.entry(provider.domain().to_owned()).or_insert(at);
            }
            // Nothing is passed on yet.
            ProxyMode::Proxy => {}
        }
    }

    /// The revision that they are of.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The provider for a host: one of that very host, else the one with the longest domain that it is in.
    pub fn find(&self, host: &Host) -> Option<Ref<ProxyProvider>> {
        if let Some(at) = self.hosts.get(host) {
            return Some(*at);
        }
        let mut rest = host.name.as_str();
        loop {
            if let Some(at) = self.domains.get(rest) {
                return Some(*at);
            }
            (_, rest) = rest.split_once('.')?;
        }
    }
}

#[cfg(test)]
mod tests {
    use ak_store::model::Pk;

    use super::super::provider::tests::{domain, single};
    use super::*;

    #[test]
    fn a_host_of_its_own_wins_and_then_the_longest_domain() {
        let at = |n: u128| Ref::<ProxyProvider>::new(Pk::of_uuid(uuid::Uuid::from_u128(n)));
        let mut routes = Routes::default();
        routes.add(at(1), &domain("https://auth.example.com", "example.com"));
        routes.add(at(2), &domain("https://auth.deep.example.com", "deep.example.com"));
        routes.add(at(3), &single("https://app.example.com"));
        routes.add(at(4), &single("https://app.deep.example.com:8443"));
        routes.add(at(5), &single("https://app.example.com/"));
        for (host, expected) in [
            ("app.example.com", Some(3)),
            ("other.example.com", Some(1)),
            ("example.com", Some(1)),
            ("x.deep.example.com", Some(2)),
            ("deep.example.com:8080", Some(2)),
            ("app.deep.example.com:8443", Some(4)),
            ("app.deep.example.com", Some(2)),
            ("evilexample.com", None),
            ("example.com.evil.net", None),
            ("com", None),
        ] {
            assert_eq!(routes.find(&Host::parse(host).unwrap()), expected.map(at), "{host}");
        }
    }
}
