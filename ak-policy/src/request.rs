//! What policies are asked, and what they can look things up with.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ak_store::directory::Person;
use ak_store::model::{Pk, Snapshot};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::context::Context;
use crate::services::Services;

/// What is asked. A copy is cheap.
#[derive(Clone)]
pub struct Request {
    /// All objects.
    pub snapshot: Snapshot,
    /// Who asks; `None` for somebody who has not signed in.
    pub person: Option<Arc<Person>>,
    /// What the flow has gathered; empty outside flows.
    pub context: Context,
    /// Where the request came from.
    pub client_ip: Option<IpAddr>,
    /// The present moment.
    pub now: DateTime<Utc>,
    /// The HTTP request behind it, if there is one.
    pub http: Option<Arc<HttpRequest>>,
    /// What is guarded; [`crate::decide`] fills it in.
    pub object: Option<Pk>,
    /// Whether it is a trial: nothing is written, resolved or called.
    pub trial: bool,
    /// What things are looked up with.
    pub services: Arc<Services>,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let person = self.person.as_ref().map(|p| p.user.pk);
        f.debug_struct("Request").field("person", &person).field("object", &self.object).finish_non_exhaustive()
    }
}

impl Request {
    /// A request of nobody, from nowhere, at the present moment of the services' clock.
    pub fn new(snapshot: Snapshot, services: Arc<Services>) -> Self {
        let now = services.clock.now();
        Self {
            snapshot,
            person: None,
            context: Context::default(),
            client_ip: None,
            now,
            http: None,
            object: None,
            trial: false,
            services,
        }
    }

    /// Where the request came from ([`Context::GEOIP`]), or to whom its address belongs ([`Context::ASN`]): what the context says of
    /// it, else what is known of the address. Null where nothing is known, `None` where there is nothing to look it up in.
    pub(crate) fn located(&self, name: &str) -> Option<Value> {
        if let Some(value) = self.context.get(name) {
            return Some(value.clone());
        }
        let ip = self.client_ip?;
        match name {
            Context::GEOIP => self.services.geo.place(ip).ok().map(|place| json!(place)),
            Context::ASN => self.services.geo.system(ip).ok().map(|system| json!(system)),
            _ => None,
        }
    }

    /// The same of this person.
    #[must_use]
    pub fn of(self, person: Option<&Person>) -> Self {
        Self { person: person.cloned().map(Arc::new), ..self }
    }
}

/// An HTTP request, as far as policies see it: without cookies and credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`, `POST`, …
    pub method: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Host, with the port if there is one.
    pub host: String,
    /// Path, with the leading slash.
    pub path: String,
    /// The query, decoded; of a name that comes twice the last.
    pub query: BTreeMap<String, String>,
    /// Headers by lower-case name.
    pub headers: BTreeMap<String, String>,
}

impl HttpRequest {
    /// The absolute form of `path`, relative to this request; the request's own address for an empty one.
    pub fn absolute(&self, path: &str) -> String {
        match path {
            "" => format!("{}://{}{}", self.scheme, self.host, self.path),
            path if path.starts_with('/') => format!("{}://{}{path}", self.scheme, self.host),
            path => path.to_owned(),
        }
    }
}
