//! Where requests come from: databases of addresses, what policies and expressions make of them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy takes only functions marked as tests for tests, not what they share"
)]
#![expect(clippy::disallowed_methods, reason = "files of a test")]

mod kit;
#[path = "kit/mmdb.rs"]
mod mmdb;

use std::path::Path;
use std::sync::Arc;

use ak_policy::geo::{Geo, GeoFiles, MaxMind, NoDatabase, NoGeo};
use ak_policy::{Decision, Request, Services, decide};
use ak_store::directory::Person;
use ak_store::model::Pk;
use ak_store::records::{Durability, Event};
use ak_store::{Clock as _, ManualClock};
use chrono::Duration;
use kit::House;
use mmdb::mmdb;
use serde_json::{Value, json};

const MODEL: &str = "authentik_policies_geoip.geoippolicy";

fn city(continent: &str, country: &str, (lat, long): (f64, f64), name: &str) -> Value {
    json!({
        "continent": { "code": continent },
        "country": { "iso_code": country },
        "location": { "latitude": lat, "longitude": long },
        "city": { "names": { "en": name } },
    })
}

const BERLIN: (f64, f64) = (52.52, 13.405);
const PARIS: (f64, f64) = (48.8566, 2.3522);
const SYDNEY: (f64, f64) = (-33.8688, 151.2093);

fn cities() -> Vec<u8> {
    mmdb(
        "GeoLite2-City",
        &[
            ("192.0.2.0/25", city("EU", "DE", BERLIN, "Berlin")),
            ("192.0.2.128/25", city("EU", "FR", PARIS, "Paris")),
            ("2001:db8::/32", city("OC", "AU", SYDNEY, "Sydney")),
            // What is known of some addresses is their country.
            ("198.51.100.0/24", json!({ "continent": { "code": "EU" }, "country": { "iso_code": "DE" } })),
            ("203.0.113.128/25", json!({ "continent": { "code": "EU" } })),
        ],
    )
}

fn systems() -> Vec<u8> {
    let of = |number: u32, name: &str| json!({ "autonomous_system_number": number, "autonomous_system_organization": name });
    mmdb("GeoLite2-ASN", &[("192.0.2.0/24", of(64496, "Example Net")), ("2001:db8::/32", of(64511, "Other Net"))])
}

struct Files {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

impl Files {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new("2024-01-02T12:00:00Z".parse().unwrap()));
        Self { folder: tempfile::tempdir().unwrap(), clock }
    }

    fn files(&self) -> GeoFiles {
        let at = |name: &str| Some(self.folder.path().join(name));
        GeoFiles { places: at("city.mmdb"), systems: at("asn.mmdb") }
    }

    /// Puts a file in the place of another one, as updaters do.
    fn put(&self, name: &str, content: &[u8]) {
        std::fs::write(self.folder.path().join("new"), content).unwrap();
        std::fs::rename(self.folder.path().join("new"), self.folder.path().join(name)).unwrap();
    }

    fn open(&self) -> (MaxMind, Vec<String>) {
        let (geo, errors) = MaxMind::open(self.files(), self.clock.clone());
        (geo, errors.iter().map(ToString::to_string).collect())
    }

    /// Both databases.
    fn geo() -> Arc<dyn Geo> {
        let files = Self::new();
        files.put("city.mmdb", &cities());
        files.put("asn.mmdb", &systems());
        let (geo, errors) = files.open();
        assert_eq!(errors, [""; 0]);
        Arc::new(geo)
    }
}

fn country(geo: &MaxMind, ip: &str) -> Result<Option<String>, NoDatabase> {
    geo.place(ip.parse().unwrap()).map(|place| place.and_then(|place| place.country))
}

#[test]
fn addresses_are_found() {
    let geo = Files::geo();
    let place = |ip: &str| json!(geo.place(ip.parse().unwrap()).unwrap());
    let system = |ip: &str| json!(geo.system(ip.parse().unwrap()).unwrap());
    let berlin = json!({ "continent": "EU", "country": "DE", "lat": 52.52, "long": 13.405, "city": "Berlin" });
    assert_eq!(place("192.0.2.127"), berlin);
    assert_eq!(place("192.0.2.128")["city"], "Paris");
    assert_eq!(place("2001:db8:9::1")["country"], "AU");
    assert_eq!(place("198.51.100.1"), json!({ "continent": "EU", "country": "DE", "lat": null, "long": null, "city": "" }));
    assert_eq!(system("192.0.2.200"), json!({ "asn": 64496, "as_org": "Example Net", "network": "192.0.2.0/24" }));
    assert_eq!(system("2001:db8::1")["network"], "2001:db8::/32");
    for unknown in ["10.0.0.1", "127.0.0.1", "::1", "2001:db9::1"] {
        assert_eq!((place(unknown), system(unknown)), (Value::Null, Value::Null), "{unknown}");
    }
}

#[test]
fn files_that_cannot_be_used_are_told_and_nothing_is_known() {
    let files = Files::new();
    let (geo, errors) = files.open();
    assert!(errors.len() == 2 && errors.iter().all(|error| error.contains("cannot be read")), "{errors:?}");
    assert_eq!(country(&geo, "192.0.2.1"), Err(NoDatabase));
    // Each in the other's place.
    files.put("city.mmdb", &systems());
    files.put("asn.mmdb", &cities());
    let (geo, errors) = files.open();
    assert!(errors[0].ends_with("is a database of another kind (GeoLite2-ASN)"), "{errors:?}");
    assert!(errors[1].ends_with("is a database of another kind (GeoLite2-City)"), "{errors:?}");
    assert_eq!(geo.system("192.0.2.1".parse().unwrap()), Err(NoDatabase));
    files.put("city.mmdb", b"nothing of the kind");
    files.put("asn.mmdb", &cities()[..200]);
    let (_, errors) = files.open();
    assert!(errors.len() == 2 && errors.iter().all(|error| error.lines().count() == 1), "{errors:?}");
    let (none, errors) = MaxMind::open(GeoFiles::default(), files.clock.clone());
    assert_eq!((country(&none, "192.0.2.1"), errors.len()), (Err(NoDatabase), 0));
}

/// Asks until the answer is this one; the reading goes on beside it.
fn comes_to_be(geo: &MaxMind, expected: &Result<Option<String>, NoDatabase>) {
    let mut tries = 0_u32;
    while country(geo, "192.0.2.1") != *expected {
        tries += 1;
        assert!(tries < 5_000_000, "it is not read");
        std::thread::yield_now();
    }
}

#[test]
fn a_file_that_was_replaced_is_read_again() {
    let files = Files::new();
    let (geo, _) = files.open();
    files.put("city.mmdb", &cities());
    assert_eq!(country(&geo, "192.0.2.1"), Err(NoDatabase), "it looks once a minute");
    files.clock.advance(Duration::seconds(60));
    comes_to_be(&geo, &Ok(Some("DE".into())));
    // What cannot be read does not take away what is known; nor does a file that goes.
    for broken in [Some(&b"broken"[..]), None] {
        match broken {
            Some(broken) => files.put("city.mmdb", broken),
            None => std::fs::remove_file(files.folder.path().join("city.mmdb")).unwrap(),
        }
        files.clock.advance(Duration::seconds(61));
        assert_eq!(country(&geo, "192.0.2.1"), Ok(Some("DE".into())));
    }
    files.put("city.mmdb", &mmdb("GeoLite2-Country", &[("192.0.2.0/24", json!({ "country": { "iso_code": "NL" } }))]));
    files.clock.advance(Duration::seconds(61));
    comes_to_be(&geo, &Ok(Some("NL".into())));
}

/// Asks from an address.
async fn ask(house: &House, geo: &Arc<dyn Geo>, door: Pk, person: Option<&Person>, ip: Option<&str>) -> Decision {
    let services = Services { geo: geo.clone(), ..Services::of(&house.store) };
    let client_ip = ip.map(|ip| ip.parse().unwrap());
    decide(door, &Request { client_ip, services: Arc::new(services), ..house.request(person) }).await
}

#[tokio::test]
async fn systems_and_countries_decide() {
    let house = House::new().await;
    let geo = Files::geo();
    let (berlin, paris, sydney, home, sea) =
        (Some("192.0.2.1"), Some("192.0.2.200"), Some("2001:db8::1"), Some("10.0.0.1"), Some("203.0.113.200"));
    let country = "Your IP address is not in an allowed country.";
    let no_country = "GeoIP: the country of your IP address is not known.";
    let system = "Your IP address does not belong to an allowed autonomous system.";
    let no_system = "GeoIP: the autonomous system of your IP address is not known.";
    for (fields, from, messages) in [
        (json!({ "countries": [] }), home, &[][..]),
        (json!({ "countries": ["DE", "AU"] }), berlin, &[]),
        (json!({ "countries": ["DE", "AU"] }), sydney, &[]),
        (json!({ "countries": ["DE", "AU"] }), Some("198.51.100.7"), &[]),
        (json!({ "countries": ["DE", "AU"] }), paris, &[country]),
        (json!({ "countries": ["DE"] }), home, &[no_country]),
        (json!({ "countries": ["DE"] }), sea, &[no_country]),
        (json!({ "countries": ["DE"] }), None, &[no_country]),
        (json!({ "countries": [], "asns": [64496] }), paris, &[]),
        (json!({ "countries": [], "asns": [1, 64511] }), paris, &[system]),
        (json!({ "countries": [], "asns": [64496] }), home, &[no_system]),
        // One of both is enough.
        (json!({ "countries": ["AU"], "asns": [64496] }), berlin, &[]),
        (json!({ "countries": ["DE"], "asns": [64511] }), berlin, &[]),
        (json!({ "countries": ["AU"], "asns": [1] }), berlin, &[system, country]),
        (json!({ "countries": ["AU"], "asns": [1] }), None, &[no_system, no_country]),
    ] {
        let door = house.guarded(MODEL, fields.clone(), json!({})).await;
        let decision = ask(&house, &geo, door, None, from).await;
        assert_eq!(decision.messages, messages, "{fields} {from:?}");
        assert_eq!((decision.passing, decision.undecided), (messages.is_empty(), false), "{fields} {from:?}");
        let without: Arc<dyn Geo> = Arc::new(NoGeo);
        let decision = ask(&house, &without, door, None, from).await;
        let asks = fields["countries"] != json!([]) || fields.get("asns").is_some();
        assert_eq!((decision.passing, decision.messages.is_empty(), decision.undecided), (!asks, !asks, false), "{fields}");
    }
    for (field, wrong) in [("countries", json!({ "countries": ["XX"] })), ("asns", json!({ "asns": [4294967295_u32] }))] {
        let mut fields = json!({ "name": "wrong", "countries": [] });
        fields.as_object_mut().unwrap().extend(wrong.as_object().cloned().unwrap());
        let refused = house.make(MODEL, fields).await;
        assert!(format!("{refused:?}").contains(field) && refused.is_err(), "{refused:?}");
    }
}

/// A sign-in of hers, so many hours ago.
async fn signed_in(house: &House, geo: &Arc<dyn Geo>, person: &Person, from: &str, hours: i64) {
    let created = house.clock.now() - Duration::hours(hours);
    let mut event = Event {
        pk: house.store.rng().uuid(),
        action: "login".into(),
        app: "authentik.events".into(),
        user: serde_json::Map::new(),
        user_pk: Some(person.user.pk),
        context: serde_json::Map::new(),
        client_ip: from.parse().ok(),
        created,
        expires: created + Duration::days(365),
    };
    Services { geo: geo.clone(), ..Services::of(&house.store) }.locate(&mut event);
    let mut repo = house.store.backend().begin(Durability::Full).await.unwrap();
    repo.events().add(&event).await.unwrap();
    repo.save().await.unwrap();
}

#[tokio::test]
async fn where_somebody_was_before_decides() {
    let house = House::new().await;
    let geo = Files::geo();
    let (berlin, paris, sydney, home) = ("192.0.2.1", "192.0.2.200", "2001:db8::1", "10.0.0.1");
    let people = [house.person("ada", &[]).await, house.person("bob", &[]).await];
    let [ada, bob] = &people;
    let near = json!({ "countries": [], "check_history_distance": true });
    let within = |km: u32, tolerance: u32| {
        let mut fields = near.clone();
        fields["history_max_distance_km"] = json!(km);
        fields["distance_tolerance_km"] = json!(tolerance);
        fields
    };
    let asked = async |fields: &Value, person: Option<&Person>, from: &str| {
        let door = house.guarded(MODEL, fields.clone(), json!({})).await;
        let decision = ask(&house, &geo, door, person, Some(from)).await;
        assert!(!decision.undecided && decision.messages.len() == usize::from(!decision.passing), "{decision:?}");
        decision.messages.first().cloned()
    };
    let far = Some("You are too far away from where you signed in before.".to_owned());
    let fast = Some("You cannot have come that far since you signed in before.".to_owned());
    // Nobody knows yet where they usually are; but where they are must be known.
    assert_eq!(asked(&near, Some(ada), sydney).await, None);
    assert_eq!(asked(&near, None, sydney).await, None);
    let unknown = Some("GeoIP: the place of your IP address is not known.".to_owned());
    for from in [home, "198.51.100.7"] {
        assert_eq!(asked(&near, Some(ada), from).await, unknown);
    }
    signed_in(&house, &geo, ada, berlin, 30).await;
    assert_eq!(asked(&near, Some(ada), berlin).await, None);
    assert_eq!(asked(&near, Some(ada), paris).await, far);
    assert_eq!(asked(&near, Some(bob), paris).await, None);
    // It is 878 km.
    assert_eq!(asked(&within(850, 20), Some(ada), paris).await, far);
    assert_eq!(asked(&within(850, 40), Some(ada), paris).await, None);
    // A thousand kilometres an hour, and a hundred more, since the last whole hour.
    let travel = json!({ "countries": [], "check_impossible_travel": true });
    assert_eq!(asked(&travel, Some(ada), sydney).await, None);
    signed_in(&house, &geo, ada, paris, 1).await;
    assert_eq!(asked(&travel, Some(ada), sydney).await, fast);
    assert_eq!(asked(&travel, Some(ada), berlin).await, None);
    let exact = json!({ "countries": [], "check_impossible_travel": true, "impossible_tolerance_km": 0 });
    signed_in(&house, &geo, bob, sydney, 16).await;
    assert_eq!(asked(&exact, Some(bob), berlin).await, fast, "16,089 km in 16 hours");
    assert_eq!(asked(&travel, Some(bob), berlin).await, None);
    // Only so many sign-ins count, and of those only the ones whose place is known.
    for _ in 0..60 {
        signed_in(&house, &geo, ada, home, 0).await;
    }
    let last = |count: u32| {
        let mut fields = near.clone();
        fields["history_login_count"] = json!(count);
        fields
    };
    assert_eq!(asked(&last(1), Some(ada), paris).await, None);
    assert_eq!(asked(&last(2), Some(ada), paris).await, far);
    assert_eq!(asked(&last(0), Some(ada), sydney).await, None);
    // What is asked for besides must hold as well.
    let mut both = last(1);
    both["countries"] = json!(["DE"]);
    assert_eq!(asked(&both, Some(ada), paris).await, Some("Your IP address is not in an allowed country.".into()));
    let without: Arc<dyn Geo> = Arc::new(NoGeo);
    let door = house.guarded(MODEL, near, json!({})).await;
    assert_eq!(ask(&house, &without, door, Some(bob), Some(sydney)).await.messages, unknown.into_iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn expressions_see_places_and_systems() {
    let house = House::new().await;
    let geo = Files::geo();
    let (berlin, home) = (Some("192.0.2.1"), Some("10.0.0.1"));
    for (text, from, passing) in [
        ("context.geoip.continent == \"EU\" && context.asn.asn == 64496", berlin, true),
        (
            "return context[\"geoip\"][\"country\"] in [\"DE\"] and request.context[\"asn\"][\"as_org\"] == \"Example Net\"",
            berlin,
            true,
        ),
        ("# python\nreturn context[\"geoip\"][\"city\"] == \"Berlin\" and context[\"geoip\"][\"lat\"] > 52", berlin, true),
        ("# python\nreturn \"geoip\" in context and context[\"geoip\"] is None and context.get(\"asn\") is None", home, true),
        ("context.keys().contains(\"asn\") && context.asn.network == \"192.0.2.0/24\"", berlin, true),
        ("# python\nreturn \"geoip\" in context or \"asn\" in context", None, false),
    ] {
        let door = house.expression(text, json!({})).await;
        let decision = ask(&house, &geo, door, None, from).await;
        assert_eq!((decision.passing, decision.undecided), (passing, false), "{text}: {:?}", decision.trace);
    }
    let without: Arc<dyn Geo> = Arc::new(NoGeo);
    let door = house.expression("!context.contains(\"geoip\") && context.get(\"asn\", 7) == 7", json!({})).await;
    assert!(ask(&house, &without, door, None, berlin).await.passing);
    for wrong in ["context.geoip.country == \"DE\"", "context.geoip = 7; true", "context.remove(\"asn\"); true"] {
        let door = house.expression(wrong, json!({})).await;
        assert!(ask(&house, &without, door, None, berlin).await.undecided, "{wrong}");
    }
}

#[test]
fn a_path_that_is_no_file_is_told() {
    let clock = Arc::new(ManualClock::new("2024-01-02T12:00:00Z".parse().unwrap()));
    let files = GeoFiles { places: Some(Path::new("/").to_owned()), systems: None };
    let (_, errors) = MaxMind::open(files, clock);
    assert!(errors.len() == 1 && !errors[0].is_missing && errors[0].to_string().starts_with("/ "), "{errors:?}");
}
