//! Addresses as a scene knows them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Broken;
use crate::geo::{Geo, NoDatabase, Place, System};

/// Knows the addresses that a scene knows. A scene that says nothing of any has no database.
pub(super) struct GivenGeo {
    places: BTreeMap<IpAddr, Place>,
    systems: BTreeMap<IpAddr, System>,
}

impl GivenGeo {
    pub(super) fn new(places: &BTreeMap<IpAddr, Value>, systems: &BTreeMap<IpAddr, Value>) -> Result<Self, Broken> {
        Ok(Self { places: read(places)?, systems: read(systems)? })
    }
}

fn read<T: DeserializeOwned + Serialize>(known: &BTreeMap<IpAddr, Value>) -> Result<BTreeMap<IpAddr, T>, Broken> {
    let one = |(ip, value): (&IpAddr, &Value)| {
        let broken = |why: String| Broken(format!("what is known of {ip}: {why}"));
        let read: T = serde_json::from_value(value.clone()).map_err(|error| broken(error.to_string()))?;
        let known = serde_json::to_value(&read).map_err(|error| broken(error.to_string()))?;
        match value.as_object().and_then(|map| map.keys().find(|name| known.get(name).is_none())) {
            Some(name) => Err(broken(format!("there is no {name}"))),
            None => Ok((*ip, read)),
        }
    };
    known.iter().map(one).collect()
}

fn find<T: Clone>(known: &BTreeMap<IpAddr, T>, ip: IpAddr) -> Result<Option<T>, NoDatabase> {
    if known.is_empty() { Err(NoDatabase) } else { Ok(known.get(&ip).cloned()) }
}

impl Geo for GivenGeo {
    fn place(&self, ip: IpAddr) -> Result<Option<Place>, NoDatabase> {
        find(&self.places, ip)
    }

    fn system(&self, ip: IpAddr) -> Result<Option<System>, NoDatabase> {
        find(&self.systems, ip)
    }
}
