//! Policies from the API to the people they meet: expressions in Python, as people of authentik have them, bound to applications; those
//! that protect sign-ins and passwords, bound to the default flows.

use ak_store::records::TokenIntent;
use ak_tests::contract::{Mode, contract};
use ak_tests::server::{Client, LOGIN, PASSWORD, Reply, Server, Start};
use chrono::Duration;
use serde_json::{Value, json};

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
    /// How many expression policies come with the product.
    shipped: Value,
}

impl House {
    async fn open() -> Self {
        let server = Start::new().with("TZ", "Asia/Tokyo").start().await;
        let admin = server.admin();
        let shipped = admin.get(POLICIES).await.body["pagination"]["count"].clone();
        Self { server, admin, shipped }
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
async fn what_is_no_script_is_refused_at_its_line_and_column() {
    let house = House::open().await;
    for (expression, place) in [("// rhai\nlet a = ;", "(line 2, column 9)"), ("return 7 // 2", "(line 1, column 1)")] {
        let reply = house.admin.post(POLICIES, &json!({ "name": "refused", "expression": expression })).await;
        assert_eq!(reply.status, 400, "{}", reply.text);
        contract().assert_valid("ValidationError", &reply.body);
        let told = reply.body["expression"][0].as_str().expect("a reason at the field");
        assert!(told.contains(place), "{expression}: {told}");
    }
    assert_eq!(house.admin.get(POLICIES).await.body["pagination"]["count"], house.shipped);
}

#[tokio::test]
async fn what_is_not_covered_is_marked_at_its_line_and_column_and_refuses_everybody() {
    let house = House::open().await;
    let ada = house.person("ada", None).await;
    let table = [
        ("import os\nreturn os.environ.get(\"HOME\") == \"/root\"", "(line 1, column 8)"),
        ("# python\nif user.is_active:\n    return ak_no_such_function(user)", "(line 3, column 12)"),
    ];
    for (number, (expression, place)) in table.into_iter().enumerate() {
        let slug = format!("marked-{number}");
        house.guard(&slug, expression).await;
        let warned = house.server.events("configuration_warning").await;
        let own = |event: &&ak_store::records::Event| event.context["message"].to_string().contains(&slug);
        let told = warned.iter().find(own).map(|event| event.context["remarks"]["expression"].to_string()).unwrap_or_default();
        assert!(told.contains(place), "{expression}: {told}");
        assert!(!may(&ada, &slug).await, "{expression}");
    }
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

/// The scores of sign-ins, as `name address score`, the lowest first.
async fn scores(admin: &Client) -> Vec<String> {
    let reply = admin.get("/api/v3/policies/reputation/scores/?ordering=score").await;
    let rows = reply.body["results"].as_array().expect("a list").clone();
    rows.iter().map(|row| format!("{} {} {}", row["identifier"], row["ip"], row["score"]).replace('"', "")).collect()
}

#[tokio::test]
async fn brute_force_is_slowed_down_by_its_reputation() {
    let server = Start::new().with("AUTHENTIK_REPUTATION__EXPIRY", "3600").start().await;
    server.user("ada").await;
    // Whoever has guessed is turned away before the password is asked for.
    let deny = json!({ "name": "too many tries", "deny_message": "Too many tries, come back tomorrow." });
    let stage = server.make("stages/deny", &deny).await;
    let flow = server.key_of("flows/instances", "slug=default-authentication-flow").await;
    let binding =
        json!({ "target": flow, "stage": stage["pk"], "order": 15, "evaluate_on_plan": false, "re_evaluate_policies": true });
    let binding = server.make("flows/bindings", &binding).await;
    let policy = json!({ "name": "guesses", "threshold": -3 });
    let policy = server.make("policies/reputation", &policy).await;
    server.make("policies/bindings", &json!({ "target": binding["pk"], "policy": policy["pk"], "order": 0 })).await;
    let from = |ip: &str| server.client().header("x-forwarded-for", ip);
    let at_name = async |client: &Client, name: &str| {
        let path = format!("{LOGIN}?query=");
        client.follow(&path).await;
        client.answer(&path, &json!({ "component": "ak-stage-identification", "uid_field": name })).await
    };
    for expected in ["ada 203.0.113.7 -1", "ada 203.0.113.7 -2"] {
        from("203.0.113.7").login("ada", "a guess").await;
        assert_eq!(scores(&server.admin()).await, [expected]);
    }
    assert_eq!(at_name(&from("203.0.113.7"), "ada").await.body["component"], "ak-stage-password");
    from("203.0.113.7").login("nobody", "a guess").await;
    assert_eq!(scores(&server.admin()).await, ["ada 203.0.113.7 -2", "nobody 203.0.113.7 -1"]);
    for name in ["ada", "nobody", "akadmin"] {
        let denied = at_name(&from("203.0.113.7"), name).await;
        assert_eq!(denied.body["component"], "ak-stage-access-denied", "{name}: {}", denied.text);
        assert!(denied.text.contains("Too many tries, come back tomorrow."), "{}", denied.text);
    }
    // The right password does not help there; from elsewhere it does: her name alone has lost two points only.
    let there = from("203.0.113.7");
    there.login("ada", PASSWORD).await;
    assert_eq!(there.get("/api/v3/core/users/me/").await.status, 403);
    let elsewhere = from("203.0.113.8");
    elsewhere.login("ada", PASSWORD).await;
    assert_eq!(elsewhere.get("/api/v3/core/users/me/").await.status, 200);
    assert!(scores(&server.admin()).await.contains(&"ada 203.0.113.8 1".to_owned()));
    server.clock.advance(Duration::minutes(61));
    assert_eq!(at_name(&from("203.0.113.7"), "ada").await.body["component"], "ak-stage-password");
}

#[tokio::test]
async fn a_password_that_was_there_before_is_refused_where_it_is_changed() {
    const CHANGE: &str = "/api/v3/flows/executor/default-password-change/?query=";
    let server = Server::start().await;
    server.user("ada").await;
    let policy = server.make("policies/unique_password", &json!({ "name": "new", "num_historical_passwords": 3 })).await;
    let stage = server.key_of("stages/prompt/stages", "name=default-password-change-prompt").await;
    server.change("stages/prompt/stages", &stage, &json!({ "validation_policies": [policy["pk"]] })).await;
    let client = server.signed_in("ada").await;
    let change = async |password: &str| -> Value {
        client.follow(CHANGE).await;
        let answer = json!({ "component": "ak-stage-prompt", "password": password, "password_repeat": password });
        client.answer(CHANGE, &answer).await.body
    };
    for (password, taken) in [
        (PASSWORD, false),
        ("the second of all", true),
        (PASSWORD, false),
        ("the third of all", true),
        ("the second of all", false),
        ("the fourth of all", true),
        (PASSWORD, true),
    ] {
        let answer = change(password).await;
        let said = answer["response_errors"].to_string().contains("This password has been used previously.");
        assert_eq!((answer["component"] == "xak-flow-redirect", said), (taken, !taken), "{password}: {answer}");
    }
}

/// Saves an expression, and gives the address of its test.
async fn tested(house: &House, name: &str, expression: &str) -> String {
    let made = house.admin.post(POLICIES, &json!({ "name": name, "expression": expression })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    format!("/api/v3/policies/all/{}/test/", made.body["pk"].as_str().expect("a key"))
}

#[tokio::test]
async fn a_policy_is_tried_and_shows_how_it_decides() {
    let house = House::open().await;
    let ada = house.server.user("ada").await;
    let expression = r#"// rhai
ak_logger.info("asked", #{trial: request.debug});
if context.get("age", 0) >= 18 && request.user.username == "ada" { return true; }
ak_message("Come back later.");
user.attributes["tried"] = true;
user.save();
ak_create_event("tried");
false
"#;
    let test = tested(&house, "of age", expression).await;
    let events = house.admin.get("/api/v3/core/users/").await.body["results"].clone();
    for (context, passing, messages) in
        [(json!({ "age": 18 }), true, json!([])), (json!({ "age": 17 }), false, json!(["Come back later."]))]
    {
        let told = house.admin.post(&test, &json!({ "user": ada.pk, "context": context })).await;
        exact("POST", "/policies/all/{policy_uuid}/test/", &told);
        assert_eq!((&told.body["passing"], &told.body["messages"]), (&json!(passing), &messages), "{}", told.text);
        let logs = told.body["log_messages"].as_array().expect("a list");
        let said: Vec<&str> = logs.iter().filter_map(|log| log["event"].as_str()).collect();
        let last = if passing { "The binding lets through." } else { "The binding refuses." };
        assert_eq!(said, ["asked trial=true", last], "{}", told.text);
        assert_eq!(logs[1]["attributes"]["subject"], json!({ "policy": "of age" }));
        assert!(logs[1]["attributes"]["micros"].is_u64(), "{}", told.text);
    }
    assert_eq!(house.admin.get("/api/v3/core/users/").await.body["results"], events, "nothing is written");
    assert!(house.server.store.read().await.unwrap().events().count(&tried()).await.unwrap() == 0);
}

fn tried() -> ak_store::records::EventFilter {
    ak_store::records::EventFilter { action: Some("custom_tried".to_owned()), ..Default::default() }
}

#[tokio::test]
async fn a_trial_tells_where_a_policy_fails_and_calls_nobody() {
    let house = House::open().await;
    let ada = house.server.user("ada").await;
    for (name, expression, said) in [
        ("broken", "// rhai\nlet a = [];\na[1]", "(line 3, column 3)"),
        ("resolves", "# python\nreturn len(resolve_dns(\"localhost\")) > 0", "trial"),
    ] {
        let test = tested(&house, name, expression).await;
        let told = house.admin.post(&test, &json!({ "user": ada.pk })).await;
        exact("POST", "/policies/all/{policy_uuid}/test/", &told);
        let log = &told.body["log_messages"][0];
        assert_eq!((&told.body["passing"], &log["log_level"]), (&json!(false), &json!("warning")), "{}", told.text);
        assert!(log["event"].as_str().is_some_and(|event| event.contains(said)), "{}", told.text);
    }
}

#[tokio::test]
async fn a_trial_is_for_superusers_and_about_accounts_that_are_there() {
    let house = House::open().await;
    let ada = house.person("ada", None).await;
    let test = tested(&house, "all", "return True").await;
    assert_eq!(ada.post(&test, &json!({ "user": 1 })).await.status, 403);
    for (body, field) in [
        (json!({}), "user"),
        (json!({ "user": 4711 }), "user"),
        (json!({ "user": 1, "context": [] }), "context"),
        (json!({ "user": 1, "context": { "pending_user": "ada" } }), "context"),
    ] {
        let refused = house.admin.post(&test, &body).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        assert!(refused.body[field].is_array(), "{}", refused.text);
    }
    for nowhere in ["11111111-1111-4111-8111-111111111111", "x"] {
        let missing = house.admin.post(&format!("/api/v3/policies/all/{nowhere}/test/"), &json!({ "user": 1 })).await;
        assert_eq!(missing.status, 404, "{}", missing.text);
    }
}
