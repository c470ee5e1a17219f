//! The HTTP request of a scene.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;
use url::Url;

use super::Broken;
use crate::request::HttpRequest;

/// The HTTP request of a scene.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    #[serde(default = "get")]
    method: String,
    #[serde(default = "address")]
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) client_ip: Option<IpAddr>,
}

fn get() -> String {
    "GET".to_owned()
}

fn address() -> String {
    "https://id.example.org/".to_owned()
}

impl Http {
    /// A `GET` of this address.
    pub fn get(url: impl Into<String>) -> Self {
        Self { method: get(), url: url.into(), headers: BTreeMap::new(), client_ip: None }
    }

    /// With this method.
    #[must_use]
    pub fn method(self, method: impl Into<String>) -> Self {
        Self { method: method.into(), ..self }
    }

    /// With this header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// From this address; nowhere known where it is no address.
    #[must_use]
    pub fn from(self, client_ip: &str) -> Self {
        Self { client_ip: client_ip.parse().ok(), ..self }
    }

    pub(super) fn request(&self) -> Result<HttpRequest, Broken> {
        let url = Url::parse(&self.url).map_err(|error| Broken(format!("{} is not an absolute address: {error}", self.url)))?;
        let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
        let lower = |(name, value): (&String, &String)| (name.to_lowercase(), value.clone());
        Ok(HttpRequest {
            method: self.method.clone(),
            scheme: url.scheme().to_owned(),
            host: format!("{}{port}", url.host_str().unwrap_or_default()),
            path: url.path().to_owned(),
            query: url.query_pairs().into_owned().collect(),
            headers: self.headers.iter().map(lower).collect(),
        })
    }
}
