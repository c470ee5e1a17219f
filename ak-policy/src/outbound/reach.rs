//! Where addresses lead.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use url::{Host, Url};

/// Where an address leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Into the public network.
    Public,
    /// To this machine, into a network of its owner's, to a cloud's metadata, or nowhere at all.
    Private,
}

/// Networks of IPv4 that are not the public one (IANA's special-purpose registry, and the public address at which Azure has its metadata):
/// first address and length of the prefix.
const PRIVATE_4: [(Ipv4Addr, u32); 18] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(100, 100, 100, 200), 32),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
    (Ipv4Addr::BROADCAST, 32),
];

impl Reach {
    /// Where this address leads.
    pub fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::of_4(ip),
            IpAddr::V6(ip) => Self::of_6(ip),
        }
    }

    fn of_4(ip: Ipv4Addr) -> Self {
        let inside =
            |(net, length): &(Ipv4Addr, u32)| (u32::from(ip) ^ u32::from(*net)).checked_shr(32 - length).unwrap_or(0) == 0;
        if PRIVATE_4.iter().any(inside) { Self::Private } else { Self::Public }
    }

    /// Of IPv6 only what is given to people (2000::/3) is public, and of that not what is set apart, or leads to an address of IPv4
    /// that is not.
    fn of_6(ip: Ipv6Addr) -> Self {
        let [a, b, c, d, e, f, y, z] = ip.segments();
        let v4 = |high: u16, low: u16| Self::of_4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
        match (a, b) {
            (0, _) => ip.to_ipv4_mapped().map_or(Self::Private, Self::of_4),
            (0x64, 0xff9b) if [c, d, e, f] == [0; 4] => v4(y, z),
            (0x2002, high) => v4(high, c),
            (0x2001, 0..=0x1ff | 0xdb8) | (0x3fff, 0..=0xfff) => Self::Private,
            (0x2000..=0x3fff, _) => Self::Public,
            _ => Self::Private,
        }
    }
}

/// A host that an administrator has named, as `api.example.org`, `10.1.2.3` or `[fd00::1]:8443`: on every port, or only on that one.
/// `*.example.org` is every name below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    /// As URLs have it; for names below, what they end with.
    host: String,
    below: bool,
    port: Option<u16>,
}

impl FromStr for HostPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text} is not a host such as api.example.org, 10.1.2.3:8443 or *.example.org");
        if let Ok(IpAddr::V6(ip)) = text.parse() {
            return Ok(Self { host: format!("[{ip}]"), below: false, port: None });
        }
        let numbered = text.rsplit_once(':').and_then(|(host, port)| Some((host, Some(port.parse().ok().filter(|n| *n > 0)?))));
        let (host, port) = numbered.unwrap_or((text, None));
        let (host, below) = match host.strip_prefix("*.") {
            Some(rest) => (rest, true),
            None => (host, false),
        };
        match (Host::parse(host).map_err(|_| wrong())?, below) {
            (Host::Domain(name), _) if name.contains('*') => Err(wrong()),
            (Host::Domain(name), true) => Ok(Self { host: format!(".{name}"), below, port }),
            (_, true) => Err(wrong()),
            (host, false) => Ok(Self { host: host.to_string(), below, port }),
        }
    }
}

impl HostPattern {
    /// Whether the host of `url` is meant.
    pub fn means(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let named = if self.below { host.len() > self.host.len() && host.ends_with(&self.host) } else { host == self.host };
        named && self.port.is_none_or(|port| url.port_or_known_default() == Some(port))
    }

    /// Whether it is one host.
    pub fn is_one(&self) -> bool {
        !self.below
    }
}

#[cfg(test)]
mod tests {
    use super::{HostPattern, Reach};

    #[test]
    fn only_the_public_network_is_public() {
        for public in [
            "1.1.1.1",
            "100.63.255.255",
            "172.32.0.1",
            "192.0.1.1",
            "2606:4700::1111",
            "2a00::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert_eq!(Reach::of(public.parse().unwrap()), Reach::Public, "{public}");
        }
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.100.100.200",
            "168.63.129.16",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:10.0.0.1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::808:808",
            "2002:7f00:1::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "4000::1",
        ] {
            assert_eq!(Reach::of(private.parse().unwrap()), Reach::Private, "{private}");
        }
    }

    #[test]
    fn hosts_are_meant_up_to_a_dot() {
        for (pattern, meant, not_meant) in [
            ("API.example.org", &["api.example.org", "api.example.org:8443"][..], &["x.api.example.org", "example.org"][..]),
            ("*.example.org", &["api.example.org", "a.b.example.org"], &["example.org", "badexample.org", "1.2.3.4"]),
            ("api.example.org:8443", &["api.example.org:8443"], &["api.example.org", "api.example.org:443"]),
            ("*.example.org:80", &["a.example.org"], &["a.example.org:81"]),
            ("10.1.2.3", &["10.1.2.3", "0x0a010203:9"], &["10.1.2.4"]),
            ("fd00::1", &["[fd00:0::1]"], &["[fd00::2]"]),
            ("[fd00::1]:81", &["[fd00::1]:81"], &["[fd00::1]"]),
        ] {
            let host: HostPattern = pattern.parse().unwrap();
            let means = |host_of: &&str| host.means(&format!("http://{host_of}/").parse().unwrap());
            assert!(meant.iter().all(means) && !not_meant.iter().any(means), "{pattern}");
        }
        for wrong in ["", "*", "*.", "*.127.0.0.1", "a b", "http://x", "*.*.org", "a:0", "a:99999", "x/y", "u@h"] {
            assert!(wrong.parse::<HostPattern>().is_err(), "{wrong}");
        }
    }
}
