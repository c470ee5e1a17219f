//! A policy that asks where somebody comes from, and whether she can have come that far.

mod countries;

use std::sync::Arc;
use std::time::Duration;

use ak_store::model::{Kind, Meta, Roles, Row};
use chrono::{DateTime, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::binding::PolicyShown;
use crate::context::Context;
use crate::geo::Place;
use crate::policy::{Failure, Policy, Verdict};
use crate::request::Request;
use crate::services::Located;

use countries::COUNTRIES;

/// A policy that lets those through who come from one of these autonomous systems or countries, and from where they can be after their
/// last sign-ins. Of systems and countries together one is enough; what is not asked for counts for nothing. Where it is not known
/// what is asked for, it refuses.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct GeoIPPolicy {
    /// Name of the policy.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Note every decision as an event; otherwise only failures are.
    #[serde(default)]
    pub execution_logging: bool,
    /// Numbers of the autonomous systems that are let through; empty where it does not matter.
    #[serde(default)]
    #[schemars(inner(range(min = -2147483648, max = 2147483647)))]
    pub asns: Vec<i32>,
    /// Codes of the countries that are let through; empty where it does not matter.
    #[schemars(schema_with = "country_codes")]
    pub countries: Vec<String>,
    /// Whether the place must be near those of the last sign-ins.
    #[serde(default)]
    pub check_history_distance: bool,
    /// How far it may be from them, in kilometres.
    #[serde(default = "hundred")]
    #[schemars(range(min = 0, max = 9223372036854775807_i64))]
    pub history_max_distance_km: u64,
    /// What is added to that, as places are not known exactly.
    #[serde(default = "fifty")]
    #[schemars(range(min = 0, max = 2147483647))]
    pub distance_tolerance_km: u32,
    /// How many sign-ins are looked at.
    #[serde(default = "five")]
    #[schemars(range(min = 0, max = 2147483647))]
    pub history_login_count: u32,
    /// Whether it must be possible to have come from there since.
    #[serde(default)]
    pub check_impossible_travel: bool,
    /// What is added to the distance that is possible, as places are not known exactly.
    #[serde(default = "hundred_32")]
    #[schemars(range(min = 0, max = 2147483647))]
    pub impossible_tolerance_km: u32,
}

/// How many kilometres somebody gets on in an hour: those of an aeroplane.
const KILOMETRES_AN_HOUR: f64 = 1000.0;

fn hundred() -> u64 {
    100
}

fn hundred_32() -> u32 {
    100
}

fn fifty() -> u32 {
    50
}

fn five() -> u32 {
    5
}

fn country_codes(_: &mut SchemaGenerator) -> Schema {
    let codes: Vec<&str> = COUNTRIES.iter().map(|(code, _)| *code).collect();
    json_schema!({ "type": "array", "items": { "type": "string", "enum": codes }, "maxItems": COUNTRIES.len() })
}

/// A country, as the API shows it.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct Country {
    /// Its code (ISO 3166-1, two letters).
    pub code: &'static str,
    /// Its English name.
    pub name: &'static str,
}

impl Country {
    /// Every country.
    pub fn all() -> impl Iterator<Item = Self> {
        COUNTRIES.iter().map(|&(code, name)| Self { code, name })
    }
}

/// The read-only fields.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GeoIPPolicyShown {
    #[serde(flatten)]
    policy: PolicyShown,
    countries_obj: Vec<Country>,
}

impl Kind for GeoIPPolicy {
    const META: Meta = Meta {
        component: "ak-policy-geoip-form",
        pk_filters: &["policy_uuid"],
        description: "Let those through who come from certain networks or countries, or from not too far away.",
        ..Meta::new("authentik_policies_geoip.geoippolicy", "policies/geoip", "GeoIP Policy", "GeoIP Policies")
    };

    type Shown = GeoIPPolicyShown;

    fn shown(&self, row: &Row<'_>) -> GeoIPPolicyShown {
        let countries = self.countries.iter().filter_map(|code| Country::all().find(|country| country.code == code));
        GeoIPPolicyShown { policy: PolicyShown::of(row), countries_obj: countries.collect() }
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Policy>(|s| s);
    }
}

/// Whether somebody is let through, or what she is told.
type Answer = Result<(), String>;

impl GeoIPPolicy {
    fn of_system(&self, request: &Request) -> Answer {
        let found = request.located(Context::ASN).and_then(|system| system.get("asn").and_then(Value::as_i64));
        match found {
            None => Err("GeoIP: the autonomous system of your IP address is not known.".into()),
            Some(found) if self.asns.iter().any(|asn| i64::from(*asn) == found) => Ok(()),
            Some(_) => Err("Your IP address does not belong to an allowed autonomous system.".into()),
        }
    }

    fn of_country(&self, request: &Request) -> Answer {
        let place = request.located(Context::GEOIP);
        match place.as_ref().and_then(|place| place.get("country")).and_then(Value::as_str) {
            None => Err("GeoIP: the country of your IP address is not known.".into()),
            Some(found) if self.countries.iter().any(|country| country == found) => Ok(()),
            Some(_) => Err("Your IP address is not in an allowed country.".into()),
        }
    }

    /// Whether the place fits to where the account signed in before.
    fn of_history(&self, request: &Request, limit: Duration) -> Result<Answer, Failure> {
        let unknown = || Ok(Err("GeoIP: the place of your IP address is not known.".into()));
        let place = request.located(Context::GEOIP).and_then(|place| serde_json::from_value::<Place>(place).ok());
        let Some(place) = place.filter(|place| place.kilometres_to(place).is_some()) else { return unknown() };
        // Somebody whom nobody knows has not been anywhere.
        let Some(person) = &request.person else { return Ok(Ok(())) };
        let logins = request.services.past.places_of_logins(person.user.pk, self.history_login_count);
        let logins = crate::pool::wait(limit, logins).map_err(Failure::new)?;
        let logins = logins.map_err(|error| Failure::new(error.to_string()))?;
        Ok(logins.iter().try_for_each(|login| self.fits(&place, login, request.now)))
    }

    fn fits(&self, place: &Place, login: &Located, now: DateTime<Utc>) -> Answer {
        let Some(distance) = place.kilometres_to(&login.place) else { return Ok(()) };
        let near = self.history_max_distance_km.saturating_add(self.distance_tolerance_km.into());
        if self.check_history_distance && distance >= near as f64 {
            return Err("You are too far away from where you signed in before.".into());
        }
        // Whole hours, and one at least.
        let hours = (now - login.at).num_hours().max(1);
        let reach = KILOMETRES_AN_HOUR * hours as f64 + f64::from(self.impossible_tolerance_km);
        if self.check_impossible_travel && distance >= reach {
            return Err("You cannot have come that far since you signed in before.".into());
        }
        Ok(())
    }
}

impl Policy for GeoIPPolicy {
    fn name(&self) -> &str {
        &self.name
    }

    fn logs_executions(&self) -> bool {
        self.execution_logging
    }

    fn evaluate(&self, request: &Arc<Request>, limit: Duration) -> Result<Verdict, Failure> {
        let mut origins = Vec::new();
        if !self.asns.is_empty() {
            origins.push(self.of_system(request));
        }
        if !self.countries.is_empty() {
            origins.push(self.of_country(request));
        }
        let checks_history = self.check_history_distance || self.check_impossible_travel;
        let history = if checks_history { self.of_history(request, limit)? } else { Ok(()) };
        let is_from = origins.is_empty() || origins.iter().any(Result::is_ok);
        let passing = is_from && history.is_ok();
        let messages: Vec<String> = origins.into_iter().filter(|_| !is_from).chain([history]).filter_map(Result::err).collect();
        Ok(Verdict { passing, messages, ..Verdict::default() })
    }
}
