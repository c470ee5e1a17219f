//! Where addresses are, and to whom they belong.

#[cfg(feature = "geoip")]
mod maxmind;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

#[cfg(feature = "geoip")]
pub use maxmind::{DatabaseError, GeoFiles, MaxMind};

/// Where an address is, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Place {
    /// Code of the continent: `EU`, …
    pub continent: Option<String>,
    /// Code of the country (ISO 3166-1, two letters).
    pub country: Option<String>,
    /// Degrees of latitude.
    pub lat: Option<f64>,
    /// Degrees of longitude.
    pub long: Option<f64>,
    /// English name of the city; empty where it is not known.
    pub city: String,
}

/// To whom an address belongs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct System {
    /// Number of the autonomous system.
    pub asn: Option<u32>,
    /// Whose it is.
    pub as_org: Option<String>,
    /// The network to which the address belongs there.
    pub network: Option<String>,
}

/// There is nothing that it could be looked up in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no database of addresses")]
pub struct NoDatabase;

/// Knows addresses. It answers out of memory: whoever asks does not wait.
pub trait Geo: Send + Sync {
    /// Where the address is; `None` where that is not known.
    fn place(&self, ip: IpAddr) -> Result<Option<Place>, NoDatabase>;

    /// To whom the address belongs; `None` where that is not known.
    fn system(&self, ip: IpAddr) -> Result<Option<System>, NoDatabase>;
}

/// Knows no addresses.
#[derive(Debug, Clone, Copy)]
pub struct NoGeo;

impl Geo for NoGeo {
    fn place(&self, _: IpAddr) -> Result<Option<Place>, NoDatabase> {
        Err(NoDatabase)
    }

    fn system(&self, _: IpAddr) -> Result<Option<System>, NoDatabase> {
        Err(NoDatabase)
    }
}

impl Place {
    /// How far it is from there, in kilometres along the ground (on a sphere: up to half a percent off); `None` where one of both is
    /// not known well enough.
    pub fn kilometres_to(&self, other: &Self) -> Option<f64> {
        /// The mean radius of the earth.
        const RADIUS: f64 = 6371.0088;
        let at = |place: &Self| Some((place.lat?.to_radians(), place.long?.to_radians()));
        let ((lat, long), (other_lat, other_long)) = (at(self)?, at(other)?);
        let half = |a: f64, b: f64| ((b - a) / 2.0).sin().powi(2);
        let chord = half(lat, other_lat) + lat.cos() * other_lat.cos() * half(long, other_long);
        Some(2.0 * RADIUS * chord.clamp(0.0, 1.0).sqrt().asin())
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    fn at(lat: f64, long: f64) -> Place {
        Place { lat: Some(lat), long: Some(long), ..Place::default() }
    }

    #[test]
    fn distances_are_those_on_the_ground() {
        let (berlin, sydney, suva, apia) = (at(52.52, 13.405), at(-33.8688, 151.2093), at(-18.14, 178.44), at(-13.83, -171.77));
        for (from, to, expected) in [
            (&berlin, &berlin, 0.0),
            (&berlin, &at(48.8566, 2.3522), 878.0),
            (&berlin, &sydney, 16_089.0),
            // Across the line where the date changes.
            (&suva, &apia, 1_151.0),
            (&at(90.0, 0.0), &at(-90.0, 77.0), 20_015.0),
        ] {
            for (from, to) in [(from, to), (to, from)] {
                let found = from.kilometres_to(to).unwrap();
                assert!((found - expected).abs() <= expected * 0.005, "{from:?} {to:?}: {found}");
            }
        }
        assert_eq!(berlin.kilometres_to(&Place::default()), None);
        assert_eq!(Place { long: None, ..at(1.0, 1.0) }.kilometres_to(&berlin), None);
    }
}
