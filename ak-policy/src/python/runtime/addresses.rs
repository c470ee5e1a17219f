//! `ipaddress`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rhai::Dynamic;

use super::arguments::Args;
use super::errors::{Res, raise, type_error, unsupported, value_error};
use super::numbers::Number;
use super::value::{Py, text, type_name, view, wrap};

/// `str(address)`: Python shows mapped addresses without dots.
pub(crate) fn show(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(inner) => {
                let [a, b, c, d] = inner.octets();
                format!("::ffff:{:x}:{:x}", u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
            }
            None => {
                let shown = address.to_string();
                if shown.contains('.') {
                    let [.., high, low] = address.segments();
                    let head: String = shown.rsplit_once(':').map(|(head, _)| head.to_owned()).unwrap_or_default();
                    return format!("{head}:{high:x}:{low:x}");
                }
                shown
            }
        },
    }
}

fn parse_address(content: &str) -> Option<IpAddr> {
    content.parse().ok()
}

fn given(args: &mut Args, name: &str) -> Res<Dynamic> {
    args.required(0, name)
}

/// A function of the module. `None`: there is none of that name.
pub(crate) fn function(path: &str, args: &mut Args) -> Option<Res> {
    Some(match path {
        "ip_address" | "ipaddress.ip_address" => given(args, "address").and_then(|value| ip_address(&value, "ip_address", None)),
        "ipaddress.IPv4Address" => given(args, "address").and_then(|value| ip_address(&value, "IPv4Address", Some(true))),
        "ipaddress.IPv6Address" => given(args, "address").and_then(|value| ip_address(&value, "IPv6Address", Some(false))),
        "ip_network" | "ipaddress.ip_network" | "ipaddress.IPv4Network" | "ipaddress.IPv6Network" => {
            let only = match path {
                "ipaddress.IPv4Network" => Some(true),
                "ipaddress.IPv6Network" => Some(false),
                _ => None,
            };
            given(args, "address").and_then(|value| {
                let strict = args.optional(1, "strict").is_none_or(|strict| super::value::truth(&strict));
                ip_network(&value, strict, only)
            })
        }
        _ => return None,
    })
}

fn ip_address(value: &Dynamic, _name: &str, only_v4: Option<bool>) -> Res {
    let class = match only_v4 {
        None => "ValueError",
        Some(_) => "AddressValueError",
    };
    match view(value) {
        Py::Ip(address) if only_v4.is_none_or(|v4| v4 == address.is_ipv4()) => Ok(value.clone()),
        Py::Str(content) if content.contains('%') => Err(unsupported("addresses with a scope")),
        Py::Str(content) => match parse_address(&content) {
            Some(address) if only_v4.is_none_or(|v4| v4 == address.is_ipv4()) => Ok(Dynamic::from(address)),
            _ => Err(raise(class, format!("{} does not appear to be an IPv4 or IPv6 address", super::show::repr_text(&content)))),
        },
        Py::Int(_) | Py::Bool(_) | Py::Bytes(_) => Err(unsupported("addresses from numbers and bytes")),
        _ => {
            let shown = super::show::repr(value).unwrap_or_else(|_| type_name(value));
            Err(raise(class, format!("{shown} does not appear to be an IPv4 or IPv6 address")))
        }
    }
}

fn ip_network(value: &Dynamic, strict: bool, only_v4: Option<bool>) -> Res {
    let content = match view(value) {
        Py::Str(content) => content.to_string(),
        Py::Net(network) if only_v4.is_none_or(|v4| v4 == matches!(network, IpNet::V4(_))) => return Ok(wrap(Py::Net(network))),
        Py::Ip(address) => show(address),
        Py::Int(_) | Py::Tuple(_) | Py::Bytes(_) => return Err(unsupported("networks from numbers, bytes and tuples")),
        _ => return Err(value_error(format!("{} does not appear to be an IPv4 or IPv6 network", type_name(value)))),
    };
    let fail = || value_error(format!("{} does not appear to be an IPv4 or IPv6 network", super::show::repr_text(&content)));
    let (address, prefix) = content.split_once('/').map_or((content.as_str(), None), |(address, prefix)| (address, Some(prefix)));
    let address = parse_address(address).filter(|address| only_v4.is_none_or(|v4| v4 == address.is_ipv4())).ok_or_else(fail)?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length = match prefix {
        None => most,
        Some(prefix) if !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit()) => {
            prefix.parse::<u8>().ok().filter(|length| *length <= most).ok_or_else(fail)?
        }
        Some(mask) => match (address, mask.parse::<Ipv4Addr>()) {
            (IpAddr::V4(_), Ok(mask)) => netmask(mask).ok_or_else(|| unsupported("this netmask"))?,
            _ => return Err(fail()),
        },
    };
    let network = IpNet::new(address, length).map_err(|_| fail())?;
    let whole = network.trunc();
    if strict && whole != network {
        return Err(value_error(format!("{content} has host bits set")));
    }
    Ok(Dynamic::from(whole))
}

fn netmask(mask: Ipv4Addr) -> Option<u8> {
    let bits = u32::from(mask);
    (bits.leading_ones() + bits.trailing_zeros() == 32 && bits != 0).then(|| u8::try_from(bits.leading_ones()).unwrap_or(0))
}

fn within_v4(address: Ipv4Addr, networks: &[&str]) -> bool {
    networks.iter().filter_map(|network| network.parse::<Ipv4Net>().ok()).any(|network| network.contains(&address))
}

fn within_v6(address: Ipv6Addr, networks: &[&str]) -> bool {
    networks.iter().filter_map(|network| network.parse::<Ipv6Net>().ok()).any(|network| network.contains(&address))
}

/// What CPython 3.12.4 and later take for private: the special-purpose registries without what is global in them.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            within_v4(
                address,
                &[
                    "0.0.0.0/8",
                    "10.0.0.0/8",
                    "127.0.0.0/8",
                    "169.254.0.0/16",
                    "172.16.0.0/12",
                    "192.0.0.0/24",
                    "192.0.0.170/31",
                    "192.0.2.0/24",
                    "192.168.0.0/16",
                    "198.18.0.0/15",
                    "198.51.100.0/24",
                    "203.0.113.0/24",
                    "240.0.0.0/4",
                    "255.255.255.255/32",
                ],
            ) && !within_v4(address, &["192.0.0.9/32", "192.0.0.10/32"])
        }
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(inner) => is_private(IpAddr::V4(inner)),
            None => {
                within_v6(
                    address,
                    &[
                        "::1/128",
                        "::/128",
                        "64:ff9b:1::/48",
                        "100::/64",
                        "2001::/23",
                        "2001:db8::/32",
                        "2002::/16",
                        "3fff::/20",
                        "fc00::/7",
                        "fe80::/10",
                    ],
                ) && !within_v6(
                    address,
                    &["2001:1::1/128", "2001:1::2/128", "2001:3::/32", "2001:4:112::/48", "2001:20::/28", "2001:30::/28"],
                )
            }
        },
    }
}

/// An attribute of an address.
pub(crate) fn attribute(address: IpAddr, name: &str) -> Res<Option<Dynamic>> {
    let mapped = matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
    Ok(Some(match name {
        "version" => Dynamic::from_int(if address.is_ipv4() { 4 } else { 6 }),
        // Versions of Python differ in these.
        "is_loopback" | "is_multicast" | "is_link_local" | "is_unspecified" | "is_global" | "is_reserved" if mapped => {
            return Err(unsupported(format!("`{name}` of a mapped address")));
        }
        "is_private" => is_private(address).into(),
        "is_global" => match address {
            IpAddr::V4(v4) => (!is_private(address) && !within_v4(v4, &["100.64.0.0/10"])).into(),
            IpAddr::V6(_) => (!is_private(address)).into(),
        },
        "is_loopback" => address.is_loopback().into(),
        "is_multicast" => address.is_multicast().into(),
        "is_unspecified" => address.is_unspecified().into(),
        "is_link_local" => match address {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => within_v6(v6, &["fe80::/10"]),
        }
        .into(),
        "is_reserved" => match address {
            IpAddr::V4(v4) => within_v4(v4, &["240.0.0.0/4"]),
            IpAddr::V6(_) => return Err(unsupported("`is_reserved` of an IPv6 address")),
        }
        .into(),
        "compressed" => text(show(address)),
        "ipv4_mapped" => match address {
            IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(Dynamic::UNIT, |inner| Dynamic::from(IpAddr::V4(inner))),
            IpAddr::V4(_) => return Ok(None),
        },
        _ => return Ok(None),
    }))
}

/// An attribute of a network.
pub(crate) fn network_attribute(network: IpNet, name: &str) -> Res<Option<Dynamic>> {
    Ok(Some(match name {
        "version" => Dynamic::from_int(if matches!(network, IpNet::V4(_)) { 4 } else { 6 }),
        "prefixlen" => Dynamic::from_int(i64::from(network.prefix_len())),
        "network_address" => Dynamic::from(network.network()),
        "broadcast_address" => Dynamic::from(network.broadcast()),
        "netmask" => Dynamic::from(network.netmask()),
        "num_addresses" | "is_private" | "is_global" => return Err(unsupported(format!("`{name}` of a network"))),
        _ => return Ok(None),
    }))
}

/// A method of an address or network.
pub(crate) fn method(value: &Dynamic, name: &str, args: &mut Args) -> Res<Option<Dynamic>> {
    let Py::Net(network) = view(value) else { return Ok(None) };
    let other = |args: &mut Args| match args.required(0, "other").map(|other| view(&other)) {
        Ok(Py::Net(other)) if matches!((network, other), (IpNet::V4(_), IpNet::V4(_)) | (IpNet::V6(_), IpNet::V6(_))) => {
            Ok(other)
        }
        Ok(_) => Err(type_error("the other is not a network of the same version")),
        Err(error) => Err(error),
    };
    Ok(Some(match name {
        "subnet_of" => other(args)?.contains(&network).into(),
        "supernet_of" => network.contains(&other(args)?).into(),
        "overlaps" => {
            let other = other(args)?;
            (network.contains(&other) || other.contains(&network)).into()
        }
        _ => return Ok(None),
    }))
}

/// `int(address)`.
pub(crate) fn number(address: IpAddr) -> Res<Number> {
    match address {
        IpAddr::V4(address) => Ok(Number::Int(i64::from(u32::from(address)))),
        IpAddr::V6(_) => Err(unsupported("the number of an IPv6 address")),
    }
}
