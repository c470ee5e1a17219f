//! Addresses, networks and names.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use rhai::Array;

use crate::script::run::Run;
use crate::script::table::Table;
use crate::script::value::{Wrong, texts};

fn address(text: &str) -> Result<IpAddr, Wrong> {
    text.trim().parse().map_err(|_| format!("{text} is not an IP address").into())
}

/// A network; as Python has it, a single address is one too, and bits beyond the prefix are an error.
fn network(text: &str) -> Result<IpNet, Wrong> {
    let wrong = || Wrong::from(format!("{text} is not a network"));
    let net: IpNet = match text.trim().parse() {
        Ok(net) => net,
        Err(_) => text.trim().parse::<IpAddr>().map_err(|_| wrong())?.into(),
    };
    if net.trunc() == net { Ok(net) } else { Err(format!("{text} has host bits set").into()) }
}

/// Whether an address leads nowhere in the public network.
fn is_private(ip: IpAddr) -> bool {
    const PRIVATE_4: [&str; 15] = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/29",
        "192.0.0.170/31",
        "192.0.2.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "240.0.0.0/4",
        "255.255.255.255/32",
        "192.0.0.8/32",
    ];
    const PRIVATE_6: [&str; 8] =
        ["::1/128", "::/128", "::ffff:0:0/96", "100::/64", "2001:2::/48", "2001:db8::/32", "fc00::/7", "fe80::/10"];
    let inside = |nets: &[&str]| nets.iter().any(|net| net.parse::<IpNet>().is_ok_and(|net| net.contains(&ip)));
    match ip {
        IpAddr::V4(_) => inside(&PRIVATE_4),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_private(v4.into()),
            None => inside(&PRIVATE_6),
        },
    }
}

fn resolve(name: &str, version: Option<i64>) -> Result<Array, Wrong> {
    let run = Run::current()?;
    if run.request().trial {
        return Err("a trial resolves no names".into());
    }
    if name.is_empty() || name.len() > 253 {
        return Err("not a name that can be resolved".into());
    }
    let dns = run.request().services.dns.clone();
    let found = run.wait(dns.resolve(name))?.map_err(Wrong::from)?;
    let fits = |ip: &IpAddr| match version {
        None => true,
        Some(version) => (version == 4) == ip.is_ipv4(),
    };
    let mut found: Vec<String> = found.iter().filter(|ip| fits(ip)).map(ToString::to_string).collect();
    found.dedup();
    Ok(texts(found))
}

/// The name of an address; the address itself where it has none, as Python has it.
fn reverse(address: &str) -> Result<String, Wrong> {
    let run = Run::current()?;
    if run.request().trial {
        return Err("a trial resolves no names".into());
    }
    let ip = self::address(address)?;
    let dns = run.request().services.dns.clone();
    let name = run.wait(dns.reverse(ip))?.map_err(Wrong::from)?;
    Ok(name.unwrap_or_else(|| ip.to_string()))
}

/// Registers them.
pub(super) fn register(table: &mut Table) {
    table
        .kind::<IpAddr>("IpAddress", "An IP address.")
        .kind::<IpNet>("IpNetwork", "A network of IP addresses.")
        .function("ip_address(text: String) -> IpAddress", "The address that a text names.", address)
        .function(
            "ip_network(text: String) -> IpNetwork",
            "The network that a text names: `ip_network(\"10.0.0.0/8\")`.",
            network,
        )
        .function(
            "contains(network: IpNetwork, address: IpAddress) -> bool",
            "Whether the address is in the network (`ak_client_ip in ip_network(\"10.0.0.0/8\")`).",
            |net: &mut IpNet, ip: IpAddr| net.contains(&ip),
        )
        .getter("IpAddress.is_private: bool", "Whether it leads nowhere in the public network.", |ip: &mut IpAddr| {
            is_private(*ip)
        })
        .getter("IpAddress.is_global: bool", "Whether it is one of the public network.", |ip: &mut IpAddr| {
            !is_private(*ip) && !shared(*ip)
        })
        .getter("IpAddress.is_loopback: bool", "Whether it is this very machine.", |ip: &mut IpAddr| ip.is_loopback())
        .getter("IpAddress.is_multicast: bool", "Whether it is many machines.", |ip: &mut IpAddr| ip.is_multicast())
        .getter("IpAddress.is_link_local: bool", "Whether it is good on one link only.", |ip: &mut IpAddr| link_local(*ip))
        .getter("IpAddress.version: Integer", "4 or 6.", |ip: &mut IpAddr| if ip.is_ipv4() { 4_i64 } else { 6 })
        .getter("IpNetwork.prefixlen: Integer", "Length of the prefix.", |net: &mut IpNet| i64::from(net.prefix_len()))
        .getter("IpNetwork.version: Integer", "4 or 6.", |net: &mut IpNet| if net.addr().is_ipv4() { 4_i64 } else { 6 })
        .function("==(a: IpAddress, b: IpAddress) -> bool", "Whether both are the same address.", |a: IpAddr, b: IpAddr| a == b)
        .function("!=(a: IpAddress, b: IpAddress) -> bool", "Whether they are different addresses.", |a: IpAddr, b: IpAddr| {
            a != b
        })
        .function("to_string(address: IpAddress) -> String", "The address as text.", |ip: &mut IpAddr| ip.to_string())
        .function("to_string(network: IpNetwork) -> String", "The network as text.", |net: &mut IpNet| net.to_string())
        .function("resolve_dns(host: String) -> Array", "The addresses of a name, as texts; none where it has none. Where nobody answers that is an error. A trial resolves no names.", |name: &str| resolve(name, None))
        .function(
            "resolve_dns(host: String, ip_version: Integer) -> Array",
            "Those of version 4 or 6.",
            |name: &str, version: i64| resolve(name, Some(version)),
        )
        .function(
            "reverse_dns(address: String) -> String",
            "The name of an address; the address itself where it has none.",
            reverse,
        )
        .function("reverse_dns(address: IpAddress) -> String", "The same of an address.", |ip: IpAddr| reverse(&ip.to_string()));
}

fn shared(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 0x40)
}

fn link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => Ipv6Addr::is_unicast_link_local(&ip),
    }
}
