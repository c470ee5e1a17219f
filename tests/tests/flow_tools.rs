//! What administrators do with flows beside changing them: draw them, try them, look into one that is under way.

use ak_tests::contract::{Mode, contract};
use ak_tests::server::{Client, PASSWORD, Reply, Server};
use serde_json::{Value, json};

/// The answer of an operation, held against the contract.
#[track_caller]
fn exact(method: &str, path: &str, reply: &Reply) {
    if let Err(error) = contract().validate_answer(method, path, reply.status, Mode::Exact, &reply.body) {
        panic!("{error}\nin {}", reply.text);
    }
}

async fn diagram(server: &Server, slug: &str) -> String {
    let reply = server.admin().get(&format!("/api/v3/flows/instances/{slug}/diagram/")).await;
    exact("GET", "/flows/instances/{slug}/diagram/", &reply);
    reply.body["diagram"].as_str().unwrap().to_owned()
}

/// The arrows of a drawing, each as `from words to`.
fn arrows(diagram: &str) -> Vec<String> {
    let lines = diagram.lines().filter_map(|line| line.split_once(" -->"));
    lines.map(|(from, to)| format!("{from} {}", to.replace("|\"", "").replace("\"|", "").trim())).collect()
}

#[tokio::test]
async fn a_flow_is_drawn_with_its_stages_in_order_and_whom_it_asks() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let staff = server.group("staff", &[&ada]).await;
    let stage = async |name: &str| server.make("stages/dummy", &json!({ "name": name })).await;
    let (one, two) = (stage("one").await, stage("two \"] --> x; <b>").await);
    let flow = server.flow("drawn", "recovery", &[&one, &two]).await;
    assert_eq!(arrows(&diagram(&server, "drawn").await), ["flow_start stage_0", "stage_0 stage_1", "stage_1 flow_end"]);
    let bind = async |target: &Value, order: i32, subject: Value| {
        let mut body = json!({ "target": target, "order": order });
        body.as_object_mut().unwrap().extend(subject.as_object().unwrap().clone());
        server.make("policies/bindings", &body).await;
    };
    bind(&flow["pk"], 0, json!({ "group": staff.pk })).await;
    bind(&flow["pk"], 1, json!({ "user": ada.pk, "negate": true })).await;
    bind(&flow["pk"], 2, json!({ "user": ada.pk, "enabled": false })).await;
    let second = server.key_of("flows/bindings", &format!("stage={}", two["pk"].as_str().unwrap())).await;
    bind(&json!(second), 0, json!({ "group": staff.pk })).await;
    let drawn = diagram(&server, "drawn").await;
    let wanted = [
        "flow_start policy_0",
        "policy_0 refuses policy_1",
        "policy_1 refuses flow_denied",
        "policy_0 passes stage_0",
        "policy_1 passes stage_0",
        "stage_0 policy_2",
        "policy_2 passes stage_1",
        "policy_2 refuses flow_end",
        "stage_1 flow_end",
    ];
    assert_eq!(arrows(&drawn), wanted, "{drawn}");
    for text in ["Dummy Stage<br>one", "Group<br>staff", "not: User<br>ada"] {
        assert!(drawn.contains(text), "{text}: {drawn}");
    }
    // What people type stays text.
    assert!(!drawn.contains("<b>") && !drawn.contains("] --> x"), "{drawn}");
    server.admin().patch("/api/v3/flows/instances/drawn/", &json!({ "policy_engine_mode": "all" })).await;
    let all = arrows(&diagram(&server, "drawn").await);
    for arrow in ["policy_0 passes policy_1", "policy_0 refuses flow_denied", "policy_1 passes stage_0"] {
        assert!(all.contains(&arrow.to_owned()), "{arrow}: {all:?}");
    }
    assert!(diagram(&server, "default-authentication-flow").await.contains("default-authentication-password"));
    assert_eq!(server.admin().get("/api/v3/flows/instances/none/diagram/").await.status, 404);
}

/// A browser in which the administrator has signed in.
async fn administrator(server: &Server) -> Client {
    server.signed_in("akadmin").await
}

const EXECUTE: &str = "/api/v3/flows/instances/tried/execute/";

#[tokio::test]
async fn a_flow_is_tried_about_oneself_and_without_a_step_being_taken() {
    let server = Server::start().await;
    let stage = server.key_of("stages/password", "").await;
    let flow = json!({ "name": "tried", "slug": "tried", "title": "Tried", "designation": "authentication" });
    let flow = server.make("flows/instances", &flow).await;
    server.make("flows/bindings", &json!({ "target": flow["pk"], "stage": stage, "order": 0 })).await;
    let admin = administrator(&server).await;
    let reply = admin.get(&format!("{EXECUTE}?inspector=available")).await;
    exact("GET", "/flows/instances/{slug}/execute/", &reply);
    assert_eq!(reply.body["link"], format!("{}/if/flow/tried/?inspector=available", server.url));
    // An authentication flow asks for nobody who has signed in, unless it was begun like this; and it is about her.
    let page = admin.get("/api/v3/flows/executor/tried/?query=").await;
    assert_eq!(
        (&page.body["component"], &page.body["pending_user"]),
        (&json!("ak-stage-password"), &json!("akadmin")),
        "{}",
        page.text
    );
    let other = administrator(&server).await.get("/api/v3/flows/executor/tried/?query=").await;
    assert_ne!(other.body["component"], "ak-stage-password", "another browser has not begun it");

    // With a token there is no browser to begin it in: nothing is stored, and nobody's session is changed.
    let rows = server.rows().await;
    let token = server.admin().get(EXECUTE).await;
    assert!(token.status == 200 && token.cookies().is_empty(), "{}", token.text);
    assert_eq!(server.rows().await, rows);

    // A flow that would act at once is only planned.
    let leave = server.key_of("stages/user_logout", "").await;
    let flow = json!({ "name": "leave", "slug": "leave", "title": "Leave", "designation": "invalidation" });
    let flow = server.make("flows/instances", &flow).await;
    server.make("flows/bindings", &json!({ "target": flow["pk"], "stage": leave, "order": 0 })).await;
    assert_eq!(admin.get("/api/v3/flows/instances/leave/execute/").await.status, 200);
    assert_eq!(admin.get("/api/v3/core/users/me/").await.status, 200, "still signed in");
}

#[tokio::test]
async fn trying_a_flow_is_for_superusers_of_this_site_and_for_flows_that_apply() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let stage = server.make("stages/dummy", &json!({ "name": "d" })).await;
    let flow = server.flow("tried", "recovery", &[&stage]).await;
    let admin = administrator(&server).await;
    assert_eq!(server.signed_in("ada").await.get(EXECUTE).await.status, 403);
    assert_eq!(server.client().get(EXECUTE).await.status, 403);
    assert_eq!(admin.clone().header("sec-fetch-site", "cross-site").get(EXECUTE).await.status, 403);
    assert_eq!(admin.get("/api/v3/flows/instances/none/execute/").await.status, 404);
    server.make("policies/bindings", &json!({ "target": flow["pk"], "order": 0, "user": ada.pk })).await;
    let refused = admin.get(EXECUTE).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    contract().assert_valid("ValidationError", &refused.body);
    assert!(refused.text.contains("not applicable"), "{}", refused.text);
}

const INSPECT: &str = "/api/v3/flows/inspector/";

/// What the inspector says, held against the contract. That no stage comes next has no value in the contract: it is null.
async fn inspect(client: &Client, slug: &str) -> Value {
    let reply = client.get(&format!("{INSPECT}{slug}/")).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let mut held = reply.body.clone();
    let sample = reply.body["plans"].as_array().unwrap().iter().chain([&reply.body["current_plan"]]);
    let binding = sample.map(|plan| &plan["current_stage"]).find(|stage| stage.is_object()).cloned().unwrap();
    let count = held["plans"].as_array().unwrap().len();
    for plan in (0..count).map(|n| format!("/plans/{n}")).chain(["/current_plan".to_owned()]) {
        let next = held.pointer_mut(&format!("{plan}/next_planned_stage")).unwrap();
        if next.is_null() {
            *next = binding.clone();
        }
    }
    contract().assert_exact("FlowInspection", &held);
    reply.body
}

/// The names of the stages that were passed.
fn passed(inspection: &Value) -> Vec<&str> {
    inspection["plans"].as_array().unwrap().iter().map(|p| p["current_stage"]["stage_obj"]["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn signing_in_is_inspected_from_its_beginning_to_its_end() {
    let server = Server::start().await;
    let admin = administrator(&server).await;
    let seen = inspect(&admin, "default-authentication-flow").await;
    let (identification, password, login) =
        ("default-authentication-identification", "default-authentication-password", "default-authentication-login");
    assert_eq!(passed(&seen), [identification, password, login], "also what lay before the session changed its id");
    assert_eq!(seen["is_completed"], true);
    assert_eq!(seen["current_plan"]["current_stage"]["stage_obj"]["name"], login);
    assert_eq!(seen["plans"][0]["next_planned_stage"]["stage_obj"]["name"], password);
    assert_eq!(seen["plans"][2]["next_planned_stage"], Value::Null);
    assert_eq!(seen["plans"][1]["plan_context"]["auth_method"], "password");
    assert!(!seen.to_string().contains(PASSWORD));
    assert!(seen["plans"][0]["session_id"].as_str().unwrap().len() == 64);
    assert!(!admin.cookie_header().contains(seen["plans"][0]["session_id"].as_str().unwrap()));
    // Of another flow nothing is known in this session; with a token there is none.
    for client in [&admin, &server.admin()] {
        let reply = client.get(&format!("{INSPECT}default-invalidation-flow/")).await;
        assert_eq!(reply.status, 400, "{}", reply.text);
        contract().assert_valid("ValidationError", &reply.body);
    }
    server.user("ada").await;
    assert_eq!(server.signed_in("ada").await.get(&format!("{INSPECT}default-authentication-flow/")).await.status, 403);
    assert_eq!(server.client().get(&format!("{INSPECT}default-authentication-flow/")).await.status, 403);
    assert_eq!(admin.get(&format!("{INSPECT}none/")).await.status, 404);
}

#[tokio::test]
async fn a_flow_under_way_shows_where_it_is_and_a_new_one_forgets_the_old() {
    let server = Server::start().await;
    let stage = async |name: &str| server.make("stages/dummy", &json!({ "name": name })).await;
    let (one, two, three) = (stage("one").await, stage("two").await, stage("three").await);
    server.flow("steps", "recovery", &[&one, &two, &three]).await;
    let admin = administrator(&server).await;
    let executor = "/api/v3/flows/executor/steps/?query=";
    let answer = json!({ "component": "ak-stage-dummy" });
    assert_eq!(admin.get(executor).await.body["component"], "ak-stage-dummy");
    let seen = inspect(&admin, "steps").await;
    assert_eq!((seen["plans"].as_array().unwrap().len(), &seen["is_completed"]), (0, &json!(false)));
    assert_eq!(seen["current_plan"]["current_stage"]["stage_obj"]["name"], "one");
    assert_eq!(seen["current_plan"]["next_planned_stage"]["stage_obj"]["name"], "two");
    admin.post(executor, &answer).await;
    let seen = inspect(&admin, "steps").await;
    assert_eq!(passed(&seen), ["one"]);
    assert_eq!(seen["current_plan"]["current_stage"]["stage_obj"]["name"], "two");
    admin.post(executor, &answer).await;
    assert_eq!(admin.post(executor, &answer).await.body["component"], "xak-flow-redirect");
    let seen = inspect(&admin, "steps").await;
    assert_eq!((passed(&seen), &seen["is_completed"]), (vec!["one", "two", "three"], &json!(true)));
    admin.get(executor).await;
    let seen = inspect(&admin, "steps").await;
    assert_eq!((passed(&seen).len(), &seen["is_completed"]), (0, &json!(false)), "begun anew");
    // A stage that is gone meanwhile does not break the look.
    let first = server.key_of("flows/bindings", &format!("stage={}", one["pk"].as_str().unwrap())).await;
    admin.post(executor, &answer).await;
    assert_eq!(server.admin().delete(&format!("/api/v3/flows/bindings/{first}/")).await.status, 204);
    let reply = admin.get(&format!("{INSPECT}steps/")).await;
    assert_eq!((reply.status, &reply.body["plans"][0]["current_stage"]), (200, &Value::Null), "{}", reply.text);
}

#[tokio::test]
async fn what_is_remembered_of_a_long_flow_is_bounded() {
    let server = Server::start().await;
    let stage = server.make("stages/dummy", &json!({ "name": "again" })).await;
    let stages: Vec<&Value> = std::iter::repeat_n(&stage, 40).collect();
    server.flow("long", "recovery", &stages).await;
    let admin = administrator(&server).await;
    let executor = "/api/v3/flows/executor/long/?query=";
    for _ in 0..39 {
        admin.post(executor, &json!({ "component": "ak-stage-dummy" })).await;
    }
    let seen = inspect(&admin, "long").await;
    assert_eq!(seen["plans"].as_array().unwrap().len(), 16);
    assert_eq!(seen["plans"][15]["current_stage"]["order"], 38, "the last ones");
}
