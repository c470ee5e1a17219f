//! A writer of small databases in MaxMind's format (version 2.0 of its specification).

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

/// Where a branch of the tree leads.
#[derive(Clone, Copy)]
enum Branch {
    Nowhere,
    Node(usize),
    Data(usize),
}

/// The bits of a network in a tree of IPv6, where IPv4 is below `::/96`.
fn bits(net: IpNet) -> impl Iterator<Item = usize> {
    let (address, length) = match net.network() {
        IpAddr::V4(ip) => (u128::from(u32::from(ip)), 96 + net.prefix_len()),
        IpAddr::V6(ip) => (u128::from(ip), net.prefix_len()),
    };
    (0..length).map(move |bit| (address >> (127 - bit) & 1) as usize)
}

/// A value of this type of the format, whose content has `size` bytes (or entries).
fn begin(out: &mut Vec<u8>, kind: u8, size: usize) {
    let small = u8::try_from(size.min(29)).unwrap();
    match kind {
        1..=7 => out.push(kind << 5 | small),
        _ => out.extend([small, kind - 7]),
    }
    if size >= 29 {
        out.push(u8::try_from(size - 29).unwrap());
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    begin(out, 2, text.len());
    out.extend(text.as_bytes());
}

fn encode(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Object(map) => {
            begin(out, 7, map.len());
            for (name, value) in map {
                text(out, name);
                encode(out, value);
            }
        }
        Value::Array(list) => {
            begin(out, 11, list.len());
            list.iter().for_each(|item| encode(out, item));
        }
        Value::String(string) => text(out, string),
        Value::Number(number) if number.is_f64() => {
            begin(out, 3, 8);
            out.extend(number.as_f64().unwrap().to_be_bytes());
        }
        Value::Number(number) => {
            begin(out, 6, 4);
            out.extend(u32::try_from(number.as_u64().unwrap()).unwrap().to_be_bytes());
        }
        other => panic!("{other} is not written"),
    }
}

fn metadata(out: &mut Vec<u8>, kind: &str, nodes: usize) {
    out.extend(b"\xab\xcd\xefMaxMind.com");
    begin(out, 7, 9);
    for (name, number) in
        [("binary_format_major_version", 2_u16), ("binary_format_minor_version", 0), ("ip_version", 6), ("record_size", 32)]
    {
        text(out, name);
        begin(out, 5, 2);
        out.extend(number.to_be_bytes());
    }
    text(out, "build_epoch");
    begin(out, 9, 8);
    out.extend(1_700_000_000_u64.to_be_bytes());
    text(out, "node_count");
    begin(out, 6, 4);
    out.extend(u32::try_from(nodes).unwrap().to_be_bytes());
    text(out, "database_type");
    text(out, kind);
    text(out, "description");
    begin(out, 7, 0);
    text(out, "languages");
    begin(out, 11, 0);
}

/// A database of this type (`GeoLite2-City`, …) that knows this of these networks, of which none is within another one.
pub(crate) fn mmdb(kind: &str, networks: &[(&str, Value)]) -> Vec<u8> {
    let mut nodes = vec![[Branch::Nowhere; 2]];
    let mut data = Vec::new();
    for (network, value) in networks {
        let path: Vec<usize> = bits(network.parse().unwrap()).collect();
        let (last, way) = path.split_last().unwrap();
        let mut at = 0;
        for bit in way {
            at = match nodes[at][*bit] {
                Branch::Node(next) => next,
                Branch::Nowhere => {
                    nodes.push([Branch::Nowhere; 2]);
                    let next = nodes.len() - 1;
                    nodes[at][*bit] = Branch::Node(next);
                    next
                }
                Branch::Data(_) => panic!("{network} is within another one"),
            };
        }
        nodes[at][*last] = Branch::Data(data.len());
        encode(&mut data, value);
    }
    let mut out = Vec::new();
    for branch in nodes.iter().flatten() {
        let record = match branch {
            Branch::Nowhere => nodes.len(),
            Branch::Node(next) => *next,
            Branch::Data(at) => nodes.len() + 16 + at,
        };
        out.extend(u32::try_from(record).unwrap().to_be_bytes());
    }
    out.extend([0; 16]);
    out.extend(data);
    metadata(&mut out, kind, nodes.len());
    out
}
