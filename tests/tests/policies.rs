//! Expression policies in Python, as people of authentik have them: saved through the API, bound to applications, asked by the people.

use ak_store::records::TokenIntent;
use ak_tests::contract::{Mode, contract};
use ak_tests::server::{Client, Reply, Server, Start};
use chrono::Duration;
use serde_json::json;

const POLICIES: &str = "/api/v3/policies/expression/";

/// The answer of an operation, held against the contract.
#[track_caller]
fn exact(method: &str, path: &str, reply: &Reply) {
    if let Err(error) = contract().validate_answer(method, path, reply.status, Mode::Exact, &reply.body) {
        panic!("{error}\nin {}", reply.text);
    }
}

/// An application that one expression guards, in a time zone in which it is late when it is noon in UTC.
struct House {
    server: Server,
    admin: Client,
}

impl House {
    async fn open() -> Self {
        let server = Start::new().with("TZ", "Asia/Tokyo").start().await;
        let admin = server.admin();
        Self { server, admin }
    }

    /// Guards an application of this name by the expression, which is read back as it was written.
    async fn guard(&self, slug: &str, expression: &str) {
        let made = self.admin.post(POLICIES, &json!({ "name": slug, "expression": expression })).await;
        assert_eq!(made.status, 201, "{}", made.text);
        exact("POST", "/policies/expression/", &made);
        let pk = made.body["pk"].as_str().expect("a key");
        let read = self.admin.get(&format!("{POLICIES}{pk}/")).await;
        assert_eq!(read.body["expression"], json!(expression));
        let application = self.server.make("core/applications", &json!({ "name": slug, "slug": slug })).await;
        self.server.make("policies/bindings", &json!({ "target": application["pk"], "policy": pk, "order": 0 })).await;
    }

    /// A client with a key of its own.
    async fn person(&self, name: &str, group: Option<&str>) -> Client {
        let user = self.server.user(name).await;
        if let Some(group) = group {
            self.server.group(group, &[&user]).await;
        }
        let key = self.server.key(user.pk, TokenIntent::Api, None).await;
        self.server.client().header("authorization", &format!("Bearer {key}"))
    }
}

/// Whether this person may open the application.
async fn may(client: &Client, slug: &str) -> bool {
    let reply = client.get(&format!("/api/v3/core/applications/{slug}/check_access/")).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    exact("GET", "/core/applications/{slug}/check_access/", &reply);
    reply.body["passing"].as_bool().expect("an answer")
}

#[tokio::test]
async fn membership_in_a_group_decides() {
    let house = House::open().await;
    house.guard("admins", "return user.groups.filter(name=\"Admins\").exists()").await;
    let (ada, bob) = (house.person("ada", Some("Admins")).await, house.person("bob", Some("Others")).await);
    assert!(may(&ada, "admins").await);
    assert!(!may(&bob, "admins").await);
}

#[tokio::test]
async fn the_hour_in_the_time_zone_of_the_server_decides() {
    let house = House::open().await;
    house.guard("hours", "import datetime\nnow = datetime.datetime.now()\nreturn 9 <= now.hour < 17").await;
    let ada = house.person("ada", None).await;
    // From noon in UTC to 10:00 of the next day in Tokyo, 01:00 in UTC.
    house.server.clock.advance(Duration::hours(13));
    assert!(may(&ada, "hours").await);
    // 20:00 in Tokyo, 11:00 in UTC.
    house.server.clock.advance(Duration::hours(10));
    assert!(!may(&ada, "hours").await);
}

#[tokio::test]
async fn the_address_of_the_client_decides() {
    let house = House::open().await;
    let expression = "blocked_ips = [\"203.0.113.9\", \"203.0.113.10\"]\nreturn request.context.get(\"ip\") not in blocked_ips";
    house.guard("addresses", expression).await;
    let user = house.server.user("ada").await;
    let key = house.server.key(user.pk, TokenIntent::Api, None).await;
    for (address, expected) in [("203.0.113.9", false), ("203.0.113.10", false), ("203.0.113.11", true)] {
        let client = house.server.client().header("authorization", &format!("Bearer {key}")).header("x-forwarded-for", address);
        assert_eq!(may(&client, "addresses").await, expected, "{address}");
    }
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused_at_its_line_and_column() {
    let house = House::open().await;
    let table = [
        ("import requests\nreturn requests.get(\"https://example.org\").ok", "(line 1, column 8)"),
        ("# python\nif user.is_active:\n    return ak_no_such_function(user)", "(line 3, column 12)"),
        ("// rhai\nlet a = ;", "(line 2, column 9)"),
        ("return 7 // 2", "(line 1, column 1)"),
    ];
    for (expression, place) in table {
        let reply = house.admin.post(POLICIES, &json!({ "name": "refused", "expression": expression })).await;
        assert_eq!(reply.status, 400, "{}", reply.text);
        contract().assert_valid("ValidationError", &reply.body);
        let told = reply.body["expression"][0].as_str().expect("a reason at the field");
        assert!(told.contains(place), "{expression}: {told}");
    }
    assert_eq!(house.admin.get(POLICIES).await.body["pagination"]["count"], json!(0));
}

#[tokio::test]
async fn an_error_denies_and_is_told_to_superusers_with_its_line() {
    let house = House::open().await;
    house.guard("broken", "# python\nx = {}\nreturn x[\"missing\"]").await;
    let ada = house.person("ada", None).await;
    assert!(!may(&ada, "broken").await);
    let told = house.admin.get("/api/v3/core/applications/broken/check_access/").await;
    assert!(told.text.contains("KeyError: 'missing'") && told.text.contains("line 3"), "{}", told.text);
}
