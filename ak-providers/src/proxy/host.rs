//! Hosts as they stand in URLs and headers.

use std::fmt;
use std::net::Ipv6Addr;

/// A host name or address, with a port if one is written (RFC 3986, section 3.2.2, without user information and escapes), in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Host {
    /// The name, or the address (an IPv6 address in brackets).
    pub name: String,
    /// The port, where one is written.
    pub port: Option<u16>,
}

impl Host {
    /// Reads a host. `None`: it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                address.parse::<Ipv6Addr>().ok()?;
                (text.get(..address.len() + 2)?, port)
            }
            None => match text.find(':') {
                Some(at) => text.split_at(at),
                None => (text, ""),
            },
        };
        let is_name = name.starts_with('[') || name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if name.is_empty() || name.len() > 253 || !is_name {
            return None;
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => Some(digits.parse().ok()?),
            _ => return None,
        };
        let name = name.to_ascii_lowercase();
        // Not every such text is a host: some are taken for addresses, and are none, or are another one than they look like.
        let is_itself = url::Host::parse(&name).is_ok_and(|host| host.to_string() == name);
        is_itself.then_some(Self { name, port })
    }

    /// The same without the port that a scheme has anyway.
    #[must_use]
    pub fn in_scheme(mut self, https: bool) -> Self {
        if self.port == Some(if https { 443 } else { 80 }) {
            self.port = None;
        }
        self
    }

    /// Whether the name is `domain`, or ends in it at a dot.
    pub fn is_within(&self, domain: &str) -> bool {
        !domain.is_empty() && (self.name == domain || self.name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_and_addresses_and_nothing_else() {
        for (text, shown) in [
            ("App.Example", "app.example"),
            ("app.example:8443", "app.example:8443"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[::1]", "[::1]"),
            ("[::1]:9000", "[::1]:9000"),
            ("under_score.example", "under_score.example"),
        ] {
            assert_eq!(Host::parse(text).map(|host| host.to_string()).as_deref(), Some(shown));
        }
        for text in [
            "",
            ":80",
            "a:",
            "a:99999",
            "a:+1",
            "a b",
            "a/b",
            "a@b",
            "a\\b",
            "a%2eb",
            "[::1",
            "[x]",
            "[::1]x",
            "ä.example",
            "a:1:2",
            "a,b",
            "a#",
            ".77",
            "256.1.1.1",
            "127.1",
            "0x7f.0.0.1",
            "xn--a",
            "[0:0:0:0:0:0:0:1]",
        ] {
            assert_eq!(Host::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_domain_ends_at_a_dot() {
        let within = |host: &str| Host::parse(host).unwrap().is_within("example.com");
        assert!(within("example.com") && within("a.example.com:8080"));
        assert!(!within("evilexample.com") && !within("example.com.evil.net") && !within("com"));
        assert!(!Host::parse("a.example").unwrap().is_within(""));
    }
}
