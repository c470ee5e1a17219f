//! Events of policies that are asked outside flows: what could not decide is noted, and nothing else that policies would change happens.

use ak_store::records::{Event, UserType};
use ak_tests::server::{Client, Server};
use serde_json::{Value, json};

/// Adds who asks to a group, and then fails.
const GREEDY: &str = "// rhai\nuser.groups.add(ak_group_by(#{ name: \"Admins\" }));\nlet none = 0;\n1 / none == 1";
/// Adds who asks to a group, and lets her through.
const GENEROUS: &str = "// rhai\nuser.groups.add(ak_group_by(#{ name: \"Admins\" }));\nak_create_event(\"seen\");\ntrue";

/// Guards something with an expression; the key of the binding.
async fn guard(server: &Server, target: &Value, name: &str, expression: &str, logging: bool) -> String {
    let policy = json!({ "name": name, "expression": expression, "execution_logging": logging });
    let policy = server.make("policies/expression", &policy).await;
    let binding = server.make("policies/bindings", &json!({ "target": target, "policy": policy["pk"], "order": 0 })).await;
    binding["pk"].as_str().expect("a key").to_owned()
}

async fn application(server: &Server, slug: &str) -> Value {
    let fields = json!({ "name": slug, "slug": slug, "meta_launch_url": "https://app.example.org/" });
    server.make("core/applications", &fields).await["pk"].clone()
}

/// What is new among the events of an action: whom it is about, and which binding.
async fn noted(server: &Server, action: &str, before: usize) -> Vec<(Value, Value)> {
    let events = server.events(action).await;
    let new = events.len() - before;
    let of =
        |event: &Event| (event.user.get("username").cloned().unwrap_or_default(), event.context["binding"]["binding"].clone());
    events.iter().take(new).map(of).collect()
}

/// Does something that asks policies; which failures are noted then.
async fn failures(server: &Server, asks: impl AsyncFnOnce()) -> Vec<(Value, Value)> {
    let before = server.events("policy_exception").await.len();
    asks().await;
    noted(server, "policy_exception", before).await
}

async fn reads(client: &Client, path: &str, status: u16) {
    let reply = client.get(path).await;
    assert_eq!(reply.status, status, "{path}: {}", reply.text);
}

#[tokio::test]
async fn failures_outside_flows_are_noted_once_in_a_request_and_change_nothing() {
    let server = Server::start().await;
    let mail = application(&server, "mail").await;
    let binding = guard(&server, &mail, "greedy", GREEDY, false).await;
    let ada = server.user("ada").await;
    server.group("Admins", &[]).await;
    let browser = server.signed_in("ada").await;
    let once = vec![(json!("ada"), json!(binding))];

    let list = "/api/v3/core/applications/";
    assert_eq!(failures(&server, async || reads(&browser, list, 200).await).await, once);
    let check = "/api/v3/core/applications/mail/check_access/";
    assert_eq!(failures(&server, async || reads(&browser, check, 200).await).await, once);
    assert_eq!(failures(&server, async || reads(&browser, "/if/user/", 200).await).await, once);
    let event = &server.events("policy_exception").await[0];
    assert_eq!(event.context["message"], json!("Policy failed: Division by zero: 1 / 0 (line 4, column 3)"));
    assert!(event.client_ip.is_some());

    // People from outside are led to the brand's application, where they may open it.
    let brand = server.key_of("core/brands", "default=true").await;
    server.change("core/brands", &brand, &json!({ "default_application": mail })).await;
    server.change("core/users", &ada.pk.to_string(), &json!({ "type": UserType::External })).await;
    assert_eq!(failures(&server, async || reads(&browser, "/if/user/", 403).await).await, once);
    assert!(groups(&server, ada.pk).await.is_empty());
}

#[tokio::test]
async fn the_way_to_a_flow_notes_what_could_not_decide_for_strangers_too() {
    let server = Server::start().await;
    let flow = server.flow("a-recovery", "recovery", &[]).await;
    let binding = guard(&server, &flow["pk"], "broken", "// rhai\nuser.no_such_field", false).await;
    let stranger = server.client();
    let way = "/flows/-/default/recovery/";
    let told = failures(&server, async || reads(&stranger, way, 404).await).await;
    assert_eq!(told, [(Value::Null, json!(binding))]);
}

#[tokio::test]
async fn decisions_that_are_to_be_noted_are_and_their_changes_are_not_made() {
    let server = Server::start().await;
    let mail = application(&server, "mail").await;
    let binding = guard(&server, &mail, "generous", GENEROUS, true).await;
    let ada = server.user("ada").await;
    server.group("Admins", &[]).await;
    let browser = server.signed_in("ada").await;
    let (executions, before) = (server.events("policy_execution").await.len(), server.events("custom_seen").await.len());
    reads(&browser, "/api/v3/core/applications/mail/check_access/", 200).await;
    assert_eq!(noted(&server, "policy_execution", executions).await, [(json!("ada"), json!(binding))]);
    assert_eq!(server.events("custom_seen").await.len(), before + 1);
    assert!(groups(&server, ada.pk).await.is_empty());
}

#[tokio::test]
async fn a_binding_that_fails_twice_in_a_request_is_noted_once() {
    let server = Server::start().await;
    let stage = server.make("stages/dummy", &json!({ "name": "guarded" })).await;
    let flow = server.flow("twice", "recovery", &[&stage]).await;
    let at = server.key_of("flows/bindings", &format!("target={}", flow["pk"].as_str().expect("a key"))).await;
    // Asked at the plan and again before the stage: an error that lets through goes on to the second.
    server.change("flows/bindings", &at, &json!({ "evaluate_on_plan": true, "re_evaluate_policies": true })).await;
    let binding = guard(&server, &json!(at), "broken", "// rhai\nuser.no_such_field", false).await;
    server.change("policies/bindings", &binding, &json!({ "failure_result": true })).await;
    let client = server.client();
    let told = failures(&server, async || reads(&client, "/api/v3/flows/executor/twice/?query=", 200).await).await;
    assert_eq!(told, [(Value::Null, json!(binding))]);
}

async fn groups(server: &Server, user: i64) -> Vec<Value> {
    let reply = server.admin().get(&format!("/api/v3/core/users/{user}/")).await;
    reply.body["groups"].as_array().cloned().expect("its groups")
}

#[tokio::test]
async fn remembered_decisions_are_counted_and_forgotten() {
    let server = Server::start().await;
    let mail = application(&server, "mail").await;
    guard(&server, &mail, "named", "// rhai\nuser.username == \"ada\"", false).await;
    guard(&server, &application(&server, "hours").await, "timely", "// rhai\nnow().hour < 24", false).await;
    server.user("ada").await;
    let (browser, admin) = (server.signed_in("ada").await, server.admin());
    let count = async || admin.get("/api/v3/policies/all/cache_info/").await.body["count"].clone();
    assert_eq!(count().await, json!(0));
    for _ in 0..2 {
        let list = browser.get("/api/v3/core/applications/").await;
        assert_eq!(list.body["pagination"]["count"], json!(2), "{}", list.text);
        assert_eq!(count().await, json!(1));
    }
    reads(&browser, "/api/v3/policies/all/cache_info/", 403).await;
    assert_eq!(admin.post("/api/v3/policies/all/cache_clear/", &json!({})).await.status, 204);
    assert_eq!(count().await, json!(0));
}
