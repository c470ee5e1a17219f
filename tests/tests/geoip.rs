//! Where requests come from, in a server: its settings, its policies, what its events and its API say.

#[path = "../../ak-policy/tests/kit/mmdb.rs"]
mod mmdb;

use ak_store::records::TokenIntent;
use ak_tests::contract::{Mode, contract};
use ak_tests::server::{Client, PASSWORD, Reply, Server, Start};
use mmdb::mmdb;
use serde_json::{Value, json};

const BERLIN: &str = "203.0.113.7";
const SYDNEY: &str = "2001:db8::7";
const UNKNOWN: &str = "198.51.100.7";

#[track_caller]
fn exact(path: &str, reply: &Reply) {
    if let Err(error) = contract().validate_answer("GET", path, reply.status, Mode::Exact, &reply.body) {
        panic!("{error}\nin {}", reply.text);
    }
}

fn city(continent: &str, country: &str, lat: f64, long: f64) -> Value {
    json!({
        "continent": { "code": continent },
        "country": { "iso_code": country },
        "location": { "latitude": lat, "longitude": long },
    })
}

/// A server that has both databases.
async fn server() -> Server {
    let folder = tempfile::tempdir().expect("a folder");
    let cities = [("203.0.113.0/24", city("EU", "DE", 52.52, 13.405)), ("2001:db8::/32", city("OC", "AU", -33.8688, 151.2093))];
    let system = json!({ "autonomous_system_number": 64496, "autonomous_system_organization": "Example Net" });
    let put = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path.display().to_string()
    };
    let cities = put("city.mmdb", &mmdb("GeoLite2-City", &cities));
    let systems = put("asn.mmdb", &mmdb("GeoLite2-ASN", &[("203.0.113.0/24", system)]));
    // What was read stays when the folder goes.
    let start = Start::new().with("AUTHENTIK_EVENTS__CONTEXT_PROCESSORS__GEOIP", &cities);
    start.with("AUTHENTIK_EVENTS__CONTEXT_PROCESSORS__ASN", &systems).start().await
}

/// An application that a policy guards.
async fn guard(server: &Server, slug: &str, path: &str, policy: &Value) {
    let policy = server.make(path, policy).await;
    let application = server.make("core/applications", &json!({ "name": slug, "slug": slug })).await;
    server.make("policies/bindings", &json!({ "target": application["pk"], "policy": policy["pk"], "order": 0 })).await;
}

/// Whether who comes from there may open the application, and what she is told.
async fn may(client: &Client, slug: &str) -> (bool, Vec<String>) {
    let reply = client.get(&format!("/api/v3/core/applications/{slug}/check_access/")).await;
    exact("/core/applications/{slug}/check_access/", &reply);
    let said = reply.body["messages"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    (reply.body["passing"].as_bool().expect("an answer"), said.collect())
}

async fn capabilities(server: &Server) -> Value {
    let reply = server.client().get("/api/v3/root/config/").await;
    exact("/root/config/", &reply);
    reply.body["capabilities"].clone()
}

#[tokio::test]
async fn places_decide_and_events_tell_of_them() {
    let server = server().await;
    assert_eq!(capabilities(&server).await, json!(["can_geo_ip", "can_asn"]));
    guard(&server, "country", "policies/geoip", &json!({ "name": "country", "countries": ["DE"] })).await;
    let python = "return context[\"geoip\"] is not None and context[\"geoip\"][\"continent\"] == \"OC\"";
    guard(&server, "python", "policies/expression", &json!({ "name": "python", "expression": python })).await;
    let user = server.user("ada").await;
    let key = server.key(user.pk, TokenIntent::Api, None).await;
    let ada = |ip: &str| server.client().header("authorization", &format!("Bearer {key}")).header("x-forwarded-for", ip);
    for (ip, in_germany, in_oceania) in [(BERLIN, true, false), (SYDNEY, false, true), (UNKNOWN, false, false)] {
        assert_eq!(may(&ada(ip), "country").await.0, in_germany, "{ip}");
        assert_eq!(may(&ada(ip), "python").await.0, in_oceania, "{ip}");
    }
    assert_eq!(may(&ada(SYDNEY), "country").await.1, ["Your IP address is not in an allowed country."]);
    let browser = server.client().header("x-forwarded-for", BERLIN);
    browser.login("ada", PASSWORD).await;
    let login = server.events("login").await.remove(0);
    let berlin = json!({ "continent": "EU", "country": "DE", "lat": 52.52, "long": 13.405, "city": "" });
    let net = json!({ "asn": 64496, "as_org": "Example Net", "network": "203.0.113.0/24" });
    assert_eq!((&login.context["geo"], &login.context["asn"]), (&berlin, &net));
    let scores = server.admin().get("/api/v3/policies/reputation/scores/").await;
    exact("/policies/reputation/scores/", &scores);
    assert_eq!((&scores.body["results"][0]["ip_geo_data"], &scores.body["results"][0]["ip_asn_data"]), (&berlin, &net));
    // Where she was an hour ago she cannot have come from.
    let travel = json!({ "name": "travel", "countries": [], "check_impossible_travel": true });
    guard(&server, "travel", "policies/geoip", &travel).await;
    assert!(may(&ada(BERLIN), "travel").await.0);
    let told = ["You cannot have come that far since you signed in before.".to_owned()].to_vec();
    assert_eq!(may(&ada(SYDNEY), "travel").await, (false, told));
    let failed = server.client().header("x-forwarded-for", UNKNOWN);
    failed.login("ada", "a guess").await;
    let failed = server.events("login_failed").await.remove(0);
    assert!(!failed.context.contains_key("geo") && !failed.context.contains_key("asn"));
}

#[tokio::test]
async fn without_databases_nobody_is_let_through_for_where_she_is() {
    let start = Start::new().with("AUTHENTIK_EVENTS__CONTEXT_PROCESSORS__GEOIP", "/no/such/city.mmdb");
    let server = start.with("AUTHENTIK_EVENTS__CONTEXT_PROCESSORS__ASN", "").start().await;
    assert_eq!(capabilities(&server).await, json!([]));
    guard(&server, "country", "policies/geoip", &json!({ "name": "country", "countries": ["DE"] })).await;
    let user = server.user("ada").await;
    let key = server.key(user.pk, TokenIntent::Api, None).await;
    let ada = server.client().header("authorization", &format!("Bearer {key}")).header("x-forwarded-for", BERLIN);
    let told = ["GeoIP: the country of your IP address is not known.".to_owned()].to_vec();
    assert_eq!(may(&ada, "country").await, (false, told));
}

#[tokio::test]
async fn countries_are_listed_by_their_names() {
    let server = Server::start().await;
    let reply = server.admin().get("/api/v3/policies/geoip_iso3166/").await;
    exact("/policies/geoip_iso3166/", &reply);
    let countries = reply.body.as_array().expect("a list");
    assert_eq!(countries.len(), 249);
    assert!(countries.contains(&json!({ "code": "CI", "name": "Côte d'Ivoire" })));
    let made = server.make("policies/geoip", &json!({ "name": "alps", "countries": ["AT", "CH"] })).await;
    assert_eq!(made["countries_obj"], json!([{ "code": "AT", "name": "Austria" }, { "code": "CH", "name": "Switzerland" }]));
    assert_eq!(server.client().get("/api/v3/policies/geoip_iso3166/").await.status, 403);
}
