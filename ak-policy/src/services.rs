//! What policies look things up with: the seams of a program that embeds the engine.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ak_store::directory::Person;
use ak_store::model::Store;
use ak_store::records::{Event, EventFilter, Group, Page, User, UserField, UserFilter};
use ak_store::{Clock, Result, Rng};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use crate::cache::DecisionCache;
use crate::dns::{Dns, NoDns};
use crate::geo::{Geo, NoGeo, Place};
use crate::outbound::{NoOutbound, Outbound};

/// What policies look things up with.
#[derive(Clone)]
pub struct Services {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The time zone in which scripts see dates.
    pub zone: Tz,
    /// People and groups.
    pub people: Arc<dyn PeopleLookup>,
    /// What happened before.
    pub past: Arc<dyn PastLookup>,
    /// Where addresses are.
    pub geo: Arc<dyn Geo>,
    /// Requests to other machines.
    pub outbound: Arc<dyn Outbound>,
    /// Where leaked passwords are looked up: what is asked is the first five digits of the hash, after this.
    pub leaked_passwords: Url,
    /// Names and addresses.
    pub dns: Arc<dyn Dns>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    /// The id of the installation, from which the identifiers of accounts are made.
    pub install_id: String,
    /// What policies have decided before.
    pub decisions: Arc<DecisionCache>,
}

impl Services {
    /// The services of a program whose people are in `store`: dates in UTC, no knowledge of names and of where addresses
    /// are, no requests to others.
    pub fn of(store: &Arc<Store>) -> Self {
        Self {
            clock: store.clock().clone(),
            zone: chrono_tz::UTC,
            people: Arc::new(StorePeople(store.clone())),
            past: Arc::new(StorePast(store.clone())),
            geo: Arc::new(NoGeo),
            outbound: Arc::new(NoOutbound),
            leaked_passwords: leaked_passwords(),
            dns: Arc::new(NoDns),
            rng: store.rng().clone(),
            install_id: store.install_id().to_owned(),
            decisions: Arc::default(),
        }
    }

    /// The same with dates in this zone (a name of the IANA database). Errors where there is no such zone.
    pub fn with_zone(self, name: &str) -> std::result::Result<Self, String> {
        Ok(Self { zone: zone(name)?, ..self })
    }
}

/// The time zone of this name of the IANA database, as `TZ` has it.
///
/// # Errors
/// In words, where there is no such zone.
pub fn zone(name: &str) -> std::result::Result<Tz, String> {
    name.trim_start_matches(':').parse().map_err(|_| format!("there is no time zone {name}"))
}

/// The list of leaked passwords that everybody may ask.
fn leaked_passwords() -> Url {
    #[expect(clippy::unwrap_used, reason = "a constant that a test reads")]
    Url::parse("https://api.pwnedpasswords.com/range/").unwrap()
}

/// A condition of a lookup: field, and the value that it must have.
pub type Conditions = BTreeMap<String, Value>;

/// Looks up people and groups for scripts.
#[async_trait]
pub trait PeopleLookup: Send + Sync {
    /// The first account (by key) that meets all of `conditions`, and of no entry of `without` all. `Err` in words for a condition that
    /// cannot be looked up.
    async fn user(&self, conditions: &Conditions, without: &[Conditions]) -> Result<std::result::Result<Option<Person>, String>>;

    /// The first group (by name) that meets all conditions.
    async fn group(&self, conditions: &Conditions) -> Result<std::result::Result<Option<Group>, String>>;
}

/// Looks up what happened before.
#[async_trait]
pub trait PastLookup: Send + Sync {
    /// How sign-ins from this address, or under this name, have gone: the sum of their scores, zero where nothing is known.
    async fn reputation(&self, ip: Option<IpAddr>, identifier: Option<&str>, now: DateTime<Utc>) -> Result<i64>;

    /// The hashes of the last passwords that an account had before the present one, as far as they were kept, the newest first.
    async fn passwords(&self, user: i64, limit: u32) -> Result<Vec<String>>;

    /// Where an account signed in from, of the sign-ins whose place is known: the last ones, the newest first.
    async fn places_of_logins(&self, user: i64, limit: u32) -> Result<Vec<Located>>;
}

/// Where something happened, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// Where.
    pub place: Place,
    /// When.
    pub at: DateTime<Utc>,
}

/// What the product's own store remembers.
struct StorePast(Arc<Store>);

#[async_trait]
impl PastLookup for StorePast {
    async fn reputation(&self, ip: Option<IpAddr>, identifier: Option<&str>, now: DateTime<Utc>) -> Result<i64> {
        self.0.read().await?.reputations().total(ip, identifier, now).await
    }

    async fn passwords(&self, user: i64, limit: u32) -> Result<Vec<String>> {
        self.0.read().await?.password_histories().last(user, limit).await
    }

    async fn places_of_logins(&self, user: i64, limit: u32) -> Result<Vec<Located>> {
        /// How many sign-ins are looked at, to find some with a place, and how many at once.
        const MOST: u64 = 1000;
        const PART: u64 = 50;
        let filter = EventFilter { action: Some("login".into()), user: Some(user) };
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut found = Vec::new();
        let mut offset = 0;
        let mut repo = self.0.read().await?;
        while found.len() < wanted && offset < MOST {
            let events = repo.events().list(&filter, Page { offset, limit: PART }).await?;
            let is_last = (events.len() as u64) < PART;
            found.extend(events.into_iter().filter_map(located));
            if is_last {
                break;
            }
            offset += PART;
        }
        found.truncate(wanted);
        Ok(found)
    }
}

/// Where an event happened, if it says so.
fn located(mut event: Event) -> Option<Located> {
    let place: Place = serde_json::from_value(event.context.get_mut(GEO)?.take()).ok()?;
    Some(Located { place, at: event.created })
}

/// Under which names events say where they happened, and to whom the address belongs.
const GEO: &str = "geo";
const ASN: &str = "asn";

impl Services {
    /// Says in an event where its address is and to whom it belongs, as far as that is known.
    pub fn locate(&self, event: &mut Event) {
        let Some(ip) = event.client_ip else { return };
        let place = self.geo.place(ip).ok().flatten().map(|place| json!(place));
        let system = self.geo.system(ip).ok().flatten().map(|system| json!(system));
        for (name, value) in [(GEO, place), (ASN, system)] {
            if let Some(value) = value {
                event.context.entry(name).or_insert(value);
            }
        }
    }
}

/// People in the product's own store.
struct StorePeople(Arc<Store>);

#[async_trait]
impl PeopleLookup for StorePeople {
    async fn user(&self, conditions: &Conditions, without: &[Conditions]) -> Result<std::result::Result<Option<Person>, String>> {
        let mut repo = self.0.read().await?;
        let candidates: Vec<User> = match narrowest(conditions) {
            Some(("pk" | "id", Value::Number(pk))) => repo.users().lookup(pk.as_i64().unwrap_or(0)).await?.into_iter().collect(),
            Some(("uuid", Value::String(uuid))) => match Uuid::parse_str(uuid) {
                Ok(uuid) => repo.users().find_by_uuid(uuid).await?.into_iter().collect(),
                Err(_) => Vec::new(),
            },
            Some(("username", Value::String(name))) => repo.users().find_by_username(name).await?.into_iter().collect(),
            Some(("username__iexact", Value::String(name))) => {
                repo.users().find_by_field(UserField::Username, name, true).await?
            }
            Some(("email", Value::String(email))) => repo.users().find_by_field(UserField::Email, email, false).await?,
            Some(("email__iexact", Value::String(email))) => repo.users().find_by_field(UserField::Email, email, true).await?,
            Some(("attributes__upn", Value::String(upn))) => repo.users().find_by_field(UserField::Upn, upn, false).await?,
            Some((name, _)) => return Ok(Err(format!("accounts cannot be looked up by {name} of that type"))),
            None => match conditions.keys().next() {
                // What Django does with a field that does not exist is an error that upstream's function takes for "nobody".
                Some(name) if !USER_FIELDS.contains(&name.as_str()) => return Ok(Ok(None)),
                Some(name) => return Ok(Err(format!("accounts cannot be looked up by {name} alone"))),
                None => repo.users().list(&UserFilter::default(), Page::first(1)).await?,
            },
        };
        for user in candidates {
            match meets(&user, conditions) {
                Some(true) if without.iter().any(|others| meets(&user, others) == Some(true)) => {}
                Some(true) => return Ok(Ok(Some(Person::of(&mut *repo, user).await?))),
                Some(false) => {}
                None => return Ok(Ok(None)),
            }
        }
        Ok(Ok(None))
    }

    async fn group(&self, conditions: &Conditions) -> Result<std::result::Result<Option<Group>, String>> {
        let mut repo = self.0.read().await?;
        let found = match (conditions.get("pk").or(conditions.get("group_uuid")), conditions.get("name")) {
            (Some(Value::String(pk)), _) => match Uuid::parse_str(pk) {
                Ok(pk) => repo.groups().lookup(pk).await?,
                Err(_) => None,
            },
            (_, Some(Value::String(name))) => repo.groups().find_by_name(name).await?,
            _ => return Ok(Err("groups are looked up by name or pk".into())),
        };
        Ok(Ok(found.filter(|group| crate::script::group_meets(group, conditions).unwrap_or(false))))
    }
}

/// Whether accounts can be compared by a condition of this name.
pub(crate) fn is_user_condition(name: &str) -> bool {
    USER_FIELDS.contains(&name.strip_suffix("__iexact").filter(|name| ["username", "email"].contains(name)).unwrap_or(name))
        || name.strip_prefix("attributes__").is_some_and(|path| !path.is_empty())
}

const USER_FIELDS: [&str; 8] = ["pk", "id", "uuid", "username", "email", "name", "is_active", "type"];

/// The condition by which the fewest accounts are found.
fn narrowest(conditions: &Conditions) -> Option<(&str, &Value)> {
    const BY: [&str; 7] = ["pk", "id", "uuid", "username", "username__iexact", "email", "email__iexact"];
    let by = BY.iter().chain(&["attributes__upn"]).find(|name| conditions.contains_key(**name))?;
    conditions.get_key_value(*by).map(|(name, value)| (name.as_str(), value))
}

/// Whether the account meets all conditions; `None` where one names a field that does not exist.
fn meets(user: &User, conditions: &Conditions) -> Option<bool> {
    let folded = |value: &Value| value.as_str().map(str::to_lowercase);
    let mut all = true;
    for (name, value) in conditions {
        all &= match name.as_str() {
            "pk" | "id" => value.as_i64() == Some(user.pk),
            "uuid" => value.as_str().and_then(|v| Uuid::parse_str(v).ok()) == Some(user.uuid),
            "username" => value.as_str() == Some(&user.username),
            "username__iexact" => folded(value) == Some(user.username.to_lowercase()),
            "email" => value.as_str() == Some(&user.email),
            "email__iexact" => folded(value) == Some(user.email.to_lowercase()),
            "name" => value.as_str() == Some(&user.name),
            "is_active" => value.as_bool() == Some(user.is_active),
            "type" => value.as_str() == Some(user.r#type.as_str()),
            _ => match name.strip_prefix("attributes__") {
                Some(path) => attribute(user, path) == Some(value),
                None => return None,
            },
        };
    }
    Some(all)
}

fn attribute<'a>(user: &'a User, path: &str) -> Option<&'a Value> {
    let mut names = path.split("__");
    let first = user.attributes.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name))
}
