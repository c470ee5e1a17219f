//! Values as people write them. What is said about a wrong one is the rest of a sentence that begins with the value, which the loader
//! leaves out where it is secret: so nothing here repeats it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use subtle::ConstantTimeEq as _;
use url::Url;
use zeroize::Zeroizing;

use super::{LogFormat, LogLevel, SslMode};
use crate::directory::password::is_hash;

/// A secret of the settings. `Debug` does not show it, and it is wiped from memory when dropped.
#[derive(Clone, JsonSchema)]
#[schemars(transparent)]
pub struct Secret(#[schemars(with = "String")] Zeroizing<String>);

impl Secret {
    /// Takes a text as a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The secret itself. Not for logs, errors or answers.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// Fewest characters of the secret key.
pub(super) const SECRET_KEY_CHARS: usize = 50;

type Parsed<T> = Result<T, &'static str>;

fn parse<'de, D: Deserializer<'de>, T>(from: D, read: impl FnOnce(&Value) -> Parsed<T>) -> Result<T, D::Error> {
    read(&Value::deserialize(from)?).map_err(D::Error::custom)
}

/// A scalar as the text that stands for it, without white space around it.
fn text(value: &Value) -> Parsed<String> {
    match value {
        Value::String(text) => Ok(text.trim().to_owned()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        _ => Err("must be a single value"),
    }
}

fn optional<T>(value: &Value, read: impl FnOnce(String) -> Parsed<T>) -> Parsed<Option<T>> {
    match text(value)? {
        empty if empty.is_empty() => Ok(None),
        text => read(text).map(Some),
    }
}

fn secret_text(value: &Value) -> Parsed<Option<Secret>> {
    match value {
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) => Ok(Some(Secret::new(text))),
        // A number may not look like what was written any more: 0123 is 83 or 123.
        _ => Err("must be text; put it in quotation marks"),
    }
}

pub(super) fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
    parse(from, secret_text)
}

pub(super) fn secret_key<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
    parse(from, |value| match secret_text(value)? {
        Some(key) if key.expose().chars().count() >= SECRET_KEY_CHARS => Ok(Some(key)),
        // An empty one is a mistake elsewhere: taking it for absent would make a new key for an old database.
        _ => Err("must have at least 50 characters"),
    })
}

pub(super) fn password_hash<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
    parse(from, |value| match secret_text(value)? {
        Some(hash) if !is_hash(hash.expose()) => Err("is not a password hash of a known form"),
        other => Ok(other),
    })
}

pub(super) fn email<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    parse(from, |value| {
        optional(value, |text| {
            let sides = text.rsplit_once('@').filter(|(name, host)| !name.is_empty() && !host.is_empty());
            let plain = !text.contains(|c: char| c.is_whitespace() || c.is_control());
            if sides.is_some() && plain { Ok(text) } else { Err("is not an e-mail address") }
        })
    })
}

pub(super) fn log_level<'de, D: Deserializer<'de>>(from: D) -> Result<LogLevel, D::Error> {
    parse(from, |value| match text(value)?.to_ascii_lowercase().as_str() {
        "trace" => Ok(LogLevel::Trace),
        "debug" => Ok(LogLevel::Debug),
        "info" => Ok(LogLevel::Info),
        "warning" | "warn" => Ok(LogLevel::Warning),
        "error" => Ok(LogLevel::Error),
        _ => Err("is not a log level (trace, debug, info, warning, error)"),
    })
}

pub(super) fn log_format<'de, D: Deserializer<'de>>(from: D) -> Result<LogFormat, D::Error> {
    parse(from, |value| match text(value)?.to_ascii_lowercase().as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("is not a log format (text, json)"),
    })
}

pub(super) fn optional_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    parse(from, |value| optional(value, one_line_or_pem))
}

pub(super) fn some_text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    parse(from, |value| optional(value, one_line_or_pem)?.ok_or("must not be empty"))
}

/// What holds other control characters was not meant.
fn one_line_or_pem(text: String) -> Parsed<String> {
    let pem = text.starts_with("-----BEGIN");
    if text.contains(|c: char| c.is_control() && !(pem && c.is_whitespace())) {
        Err("holds control characters")
    } else {
        Ok(text)
    }
}

pub(super) fn port<'de, D: Deserializer<'de>>(from: D) -> Result<u16, D::Error> {
    parse(from, |value| text(value)?.parse().ok().filter(|port| *port > 0).ok_or("is not a port"))
}

pub(super) fn connections<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    let sensible = |n: &usize| (2..=1000).contains(n);
    parse(from, |value| text(value)?.parse().ok().filter(sensible).ok_or("is not a number from 2 to 1000"))
}

pub(super) fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let sensible = |n: &u64| *n <= 86_400;
    parse(from, |value| text(value)?.parse().ok().filter(sensible).ok_or("is not a number of seconds from 0 to 86400"))
}

pub(super) fn lasting<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let sensible = |n: &u64| (1..=315_360_000).contains(n);
    parse(from, |value| text(value)?.parse().ok().filter(sensible).ok_or("is not a number of seconds from 1 to 315360000"))
}

pub(super) fn flag<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    parse(from, |value| match text(value)?.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" | "" => Ok(false),
        _ => Err("is neither true nor false"),
    })
}

pub(super) fn ssl_mode<'de, D: Deserializer<'de>>(from: D) -> Result<SslMode, D::Error> {
    parse(from, |value| match text(value)?.to_ascii_lowercase().as_str() {
        "disable" => Ok(SslMode::Disable),
        "allow" => Ok(SslMode::Allow),
        "prefer" => Ok(SslMode::Prefer),
        "require" => Ok(SslMode::Require),
        "verify-ca" => Ok(SslMode::VerifyCa),
        "verify-full" => Ok(SslMode::VerifyFull),
        _ => Err("is not a mode of TLS (disable, allow, prefer, require, verify-ca, verify-full)"),
    })
}

pub(super) fn path<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
    parse(from, |value| match value {
        Value::String(text) if !text.trim().is_empty() && !text.contains('\0') => Ok(PathBuf::from(text)),
        _ => Err("is not a path"),
    })
}

pub(super) fn optional_path<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    parse(from, |value| match value {
        Value::String(text) if text.trim().is_empty() => Ok(None),
        Value::String(text) if !text.contains('\0') => Ok(Some(PathBuf::from(text))),
        _ => Err("is not a path"),
    })
}

pub(super) fn base_url<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    parse(from, |value| optional(value, read_base_url))
}

/// The origin that a URL is.
fn read_base_url(text: String) -> Parsed<String> {
    let url = Url::parse(&text).map_err(|_| "is not a URL such as https://id.example.org")?;
    if !matches!(url.scheme(), "https" | "http") || !url.username().is_empty() || url.password().is_some() {
        return Err("is not an http or https URL without a user name");
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("must be without a path: the server answers at the root of its host");
    }
    Ok(url.origin().ascii_serialization())
}

pub(super) fn domain<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    parse(from, |value| optional(value, read_domain))
}

/// A domain name in lower case; a dot before it, as cookies once had, is dropped.
fn read_domain(text: String) -> Parsed<String> {
    let domain = text.strip_prefix('.').unwrap_or(&text).to_ascii_lowercase();
    let label = |label: &str| {
        let letters = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        letters && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    if domain.len() <= 253 && domain.split('.').all(label) { Ok(domain) } else { Err("is not a domain name") }
}

pub(super) fn address<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    parse(from, |value| read_address(&text(value)?))
}

pub(super) fn optional_address<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    parse(from, |value| match text(value)?.as_str() {
        // A bare `off` or `no` in YAML is the truth value.
        "" | "none" | "None" | "off" | "false" => Ok(None),
        text => read_address(text).map(Some),
    })
}

fn read_address(text: &str) -> Parsed<SocketAddr> {
    let port = text.strip_prefix(':').unwrap_or(text);
    if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) {
        let port = port.parse::<u16>().map_err(|_| "is not a port")?;
        return Ok((Ipv4Addr::UNSPECIFIED, port).into());
    }
    if let Some(port) = text.strip_prefix("localhost:").and_then(|port| port.parse::<u16>().ok()) {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    text.parse().map_err(|_| "is not an address such as 0.0.0.0:9000, [::]:9000 or :9000")
}

pub(super) fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    parse(from, |value| items(value)?.iter().map(|item| read_network(item)).collect())
}

pub(super) fn list<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    parse(from, items)
}

/// A YAML list, or what stands between commas.
fn items(value: &Value) -> Parsed<Vec<String>> {
    match value {
        Value::Array(list) => list.iter().map(text).collect(),
        other => Ok(text(other)?.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()),
    }
}

/// A network, or a single address as the network that holds nothing else.
fn read_network(text: &str) -> Parsed<IpNet> {
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
    network.map(|network| network.trunc()).map_err(|_| "is not a list of networks such as 10.0.0.0/8,::1/128")
}
