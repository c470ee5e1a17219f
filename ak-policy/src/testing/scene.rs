//! Who there is, what is asked, and when.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value};

use super::{Answering, Broken, Group, House, Http, User};
use crate::decision::Decision;

/// Who there is, what is asked, and when: nobody, of nothing, at noon of Tuesday, 2 January 2024 (UTC), until something is said.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    pub(super) users: Vec<User>,
    pub(super) groups: Vec<Group>,
    pub(super) asking: Option<String>,
    pub(super) http: Option<Http>,
    pub(super) client_ip: Option<IpAddr>,
    pub(super) context: Map<String, Value>,
    pub(super) now: Option<String>,
    pub(super) zone: Option<String>,
    pub(super) dns: BTreeMap<String, Vec<IpAddr>>,
    pub(super) answers: BTreeMap<String, Answering>,
    pub(super) places: BTreeMap<IpAddr, Value>,
    pub(super) networks: BTreeMap<IpAddr, Value>,
    pub(super) policies: Vec<(String, String)>,
    pub(super) trial: bool,
}

impl Scene {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// This account asks.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.asking = Some(user.username.clone());
        self.other(user)
    }

    /// There is this account, too.
    #[must_use]
    pub fn other(mut self, user: User) -> Self {
        self.users.push(user);
        self
    }

    /// There is this group.
    #[must_use]
    pub fn group(mut self, group: Group) -> Self {
        self.groups.push(group);
        self
    }

    /// The request comes from this address.
    #[must_use]
    pub fn from(self, client_ip: IpAddr) -> Self {
        Self { client_ip: Some(client_ip), ..self }
    }

    /// This HTTP request is behind it.
    #[must_use]
    pub fn http(self, http: Http) -> Self {
        Self { client_ip: http.client_ip.or(self.client_ip), http: Some(http), ..self }
    }

    /// The flow has gathered this. `pending_user` is the name of an account.
    #[must_use]
    pub fn gathered(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.context.insert(name.to_owned(), value.into());
        self
    }

    /// It is this moment: `2026-11-18`, `2026-11-18 10:00`, `2026-11-18T10:00:30`, in the scene's zone, or with an offset.
    #[must_use]
    pub fn at(self, moment: impl Into<String>) -> Self {
        Self { now: Some(moment.into()), ..self }
    }

    /// The server is in this time zone, a name of the IANA database.
    #[must_use]
    pub fn zone(self, name: impl Into<String>) -> Self {
        Self { zone: Some(name.into()), ..self }
    }

    /// A name has these addresses. What is not said of a name is not known: nobody is asked.
    #[must_use]
    pub fn resolves(mut self, name: impl Into<String>, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.dns.insert(name.into(), addresses.into_iter().collect());
        self
    }

    /// A request to this address is answered so. What is not said of an address is not known: nobody is called.
    #[must_use]
    pub fn answers(mut self, url: impl Into<String>, answer: Answering) -> Self {
        self.answers.insert(url.into(), answer);
        self
    }

    /// An address is at this place, as GeoIP databases have it: `json!({ "country": "DE", "city": "Berlin" })`. Of others nothing is known.
    #[must_use]
    pub fn located(mut self, address: IpAddr, place: impl Into<Value>) -> Self {
        self.places.insert(address, place.into());
        self
    }

    /// An address belongs to this network: `json!({ "asn": 64496, "as_org": "Example" })`. Of others nothing is known.
    #[must_use]
    pub fn routed(mut self, address: IpAddr, network: impl Into<Value>) -> Self {
        self.networks.insert(address, network.into());
        self
    }

    /// There is this expression policy, for `ak_call_policy`.
    #[must_use]
    pub fn policy(mut self, name: impl Into<String>, source: impl Into<String>) -> Self {
        self.policies.push((name.into(), source.into()));
        self
    }

    /// It is a trial (`request.debug`), in which not even the scene's names are resolved.
    #[must_use]
    pub fn trial(self) -> Self {
        Self { trial: true, ..self }
    }

    /// Plays it.
    ///
    /// # Errors
    /// Where it contradicts itself: which part, and why.
    pub async fn open(&self) -> Result<House, Broken> {
        House::open(self).await
    }

    /// Plays it, and asks this expression, in Rhai or in Python.
    ///
    /// # Errors
    /// Where the scene contradicts itself, or the expression is refused.
    pub async fn ask(&self, expression: &str) -> Result<Decision, Broken> {
        self.open().await?.ask(expression).await
    }
}
