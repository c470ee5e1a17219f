//! The format of files of cases.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Formatter;
use std::net::IpAddr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::case::{Case, Expected};
use crate::testing::{Answering, Group, Http, Scene, User};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    given: Entry,
    cases: Vec<Entry>,
}

/// A case, or what is given for all of them.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Entry {
    name: Option<String>,
    #[serde(deserialize_with = "said")]
    user: Option<Option<Who>>,
    users: Option<Vec<User>>,
    groups: Option<Vec<Group>>,
    #[serde(deserialize_with = "said")]
    request: Option<Option<Http>>,
    context: Option<Map<String, Value>>,
    now: Option<String>,
    zone: Option<String>,
    dns: Option<BTreeMap<String, Vec<IpAddr>>>,
    answers: Option<BTreeMap<String, Answering>>,
    geoip: Option<BTreeMap<IpAddr, Value>>,
    asn: Option<BTreeMap<IpAddr, Value>>,
    result: Option<bool>,
    error: Option<String>,
    messages: Option<Vec<String>>,
    log: Option<Vec<String>>,
    changes: Option<Map<String, Value>>,
}

/// Who asks.
#[derive(Clone)]
enum Who {
    Named(String),
    Described(Box<User>),
}

impl<'de> Deserialize<'de> for Who {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WhoVisitor)
    }
}

/// Tells a name from a description by its form, so that an error tells what is wrong with the description.
struct WhoVisitor;

impl<'de> Visitor<'de> for WhoVisitor {
    type Value = Who;

    fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("an account with a `username`, or the name of one")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Who, E> {
        Ok(Who::Named(name.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Who, A::Error> {
        User::deserialize(MapAccessDeserializer::new(map)).map(|user| Who::Described(Box::new(user)))
    }
}

/// Tells what is said to be nothing from what is not said.
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Reads a file of cases.
pub(super) fn read(text: &str) -> Result<Vec<Case>, String> {
    let options = serde_saphyr::options! { with_snippet: false };
    let file: File = serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())?;
    if file.given.name.is_some() || file.given.expects() {
        return Err("`name` and what is expected belong to a case, and not to `given`".to_owned());
    }
    if file.cases.is_empty() {
        return Err("there are no cases".to_owned());
    }
    let mut names = BTreeSet::new();
    let mut cases = Vec::with_capacity(file.cases.len());
    for (number, case) in (1..).zip(&file.cases) {
        let name = case.name.clone().ok_or_else(|| format!("case {number} has no name"))?;
        if !names.insert(name.clone()) {
            return Err(format!("two cases are called {name}"));
        }
        match (&case.result, &case.error) {
            (None, None) => return Err(format!("{name}: expects neither `result` nor `error`")),
            (Some(_), Some(_)) => return Err(format!("{name}: expects a result and an error, of which there is one only")),
            _ => {}
        }
        cases.push(Case { name, scene: case.scene(&file.given), expected: case.expected() });
    }
    Ok(cases)
}

impl Entry {
    fn expects(&self) -> bool {
        self.result.is_some() || self.error.is_some() || self.messages.is_some() || self.log.is_some() || self.changes.is_some()
    }

    fn expected(&self) -> Expected {
        Expected {
            result: self.result,
            error: self.error.clone(),
            messages: self.messages.clone(),
            log: self.log.clone(),
            changes: self.changes.clone().map(Value::Object),
        }
    }

    fn scene(&self, given: &Self) -> Scene {
        let http = self.request.clone().or_else(|| given.request.clone()).flatten();
        let mut scene = Scene {
            users: self.users.clone().or_else(|| given.users.clone()).unwrap_or_default(),
            groups: self.groups.clone().or_else(|| given.groups.clone()).unwrap_or_default(),
            context: self.context.clone().or_else(|| given.context.clone()).unwrap_or_default(),
            now: self.now.clone().or_else(|| given.now.clone()),
            zone: self.zone.clone().or_else(|| given.zone.clone()),
            dns: self.dns.clone().or_else(|| given.dns.clone()).unwrap_or_default(),
            answers: self.answers.clone().or_else(|| given.answers.clone()).unwrap_or_default(),
            places: self.geoip.clone().or_else(|| given.geoip.clone()).unwrap_or_default(),
            networks: self.asn.clone().or_else(|| given.asn.clone()).unwrap_or_default(),
            ..Scene::default()
        };
        if let Some(http) = http {
            scene = scene.http(http);
        }
        match self.user.clone().or_else(|| given.user.clone()).flatten() {
            Some(Who::Named(name)) => Scene { asking: Some(name), ..scene },
            Some(Who::Described(user)) => scene.user(*user),
            None => scene,
        }
    }
}
