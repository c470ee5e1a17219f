//! Expressions that ask other machines, in a server: whom they reach, and what becomes of a sign-in when nobody answers.

use std::sync::Arc;
use std::time::Duration;

use ak_policy::dns::SystemDns;
use ak_tests::server::{Client, PASSWORD, Reply, Server, Start};
use axum::Json;
use axum::extract::Query;
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::{TcpListener, UdpSocket};

const HOSTS: &str = "AUTHENTIK_OUTBOUND__SCRIPT_HOSTS";

/// Another machine that says who may: `http://…`.
async fn directory() -> String {
    let answer = async |Query(query): Query<Value>| Json(json!({ "may": query["user"] == "ada" }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("an address");
    let router = axum::Router::new().route("/may", get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
    format!("http://{address}")
}

/// A policy at the last stage of the sign-in flow, which is asked when somebody has given her password, and has a second.
async fn guard_sign_in(server: &Server, expression: &str) {
    let flow = server.key_of("flows/instances", "slug=default-authentication-flow").await;
    let deny = server.make("stages/deny", &json!({ "name": "refused", "deny_message": "The directory says no." })).await;
    let binding =
        json!({ "target": flow, "stage": deny["pk"], "order": 90, "evaluate_on_plan": false, "re_evaluate_policies": true });
    let binding = server.make("flows/bindings", &binding).await;
    let policy = server.make("policies/expression", &json!({ "name": "asks", "expression": expression })).await;
    let bound = json!({ "target": binding["pk"], "policy": policy["pk"], "order": 0, "timeout": 1 });
    server.make("policies/bindings", &bound).await;
}

async fn is_signed_in(client: &Client) -> bool {
    client.get("/api/v3/core/users/me/").await.status == 200
}

/// Signs in: the last answer, within a few seconds.
async fn sign_in(client: &Client, name: &str) -> Reply {
    tokio::time::timeout(Duration::from_secs(20), client.login(name, PASSWORD)).await.expect("a sign-in ends")
}

#[tokio::test]
async fn a_sign_in_is_decided_by_another_machine() {
    let directory = directory().await;
    let host = directory.trim_start_matches("http://").to_owned();
    // In a stage that denies, a yes is a no.
    let rhai = format!("// rhai\n!requests.get(\"{directory}/may\", #{{ params: #{{ user: user.username }} }}).json().may");
    let python = format!(
        "import requests\nresponse = requests.get(\"{directory}/may\", params={{\"user\": user.username}}, timeout=5)\nreturn not response.json()[\"may\"]"
    );
    for expression in [rhai, python] {
        let server = Start::new().with(HOSTS, &host).start().await;
        guard_sign_in(&server, &expression).await;
        for (name, may) in [("ada", true), ("bob", false)] {
            server.user(name).await;
            let client = server.client();
            let reply = sign_in(&client, name).await;
            assert_eq!(is_signed_in(&client).await, may, "{name}: {}", reply.text);
            assert_eq!(reply.text.contains("The directory says no."), !may, "{}", reply.text);
        }
    }
    // What is not listed is not called, and nobody gets in by that.
    let server = Server::start().await;
    guard_sign_in(&server, &format!("// rhai\n!requests.get(\"{directory}/may?user=ada\").json().may")).await;
    server.user("ada").await;
    let client = server.client();
    sign_in(&client, "ada").await;
    assert!(!is_signed_in(&client).await);
    let told = server.events("policy_exception").await.remove(0);
    assert!(json!(told.context).to_string().contains("scripts may not call 127.0.0.1"), "{:?}", told.context);
}

#[tokio::test]
async fn sign_ins_end_when_nobody_answers() {
    // A server for names that never answers, and one for HTTP that never does.
    let hole = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let dns = SystemDns::asking(hole.local_addr().expect("an address")).expect("a server for names");
    let host = silent.local_addr().expect("an address").to_string();
    let expressions = [
        "# python\nreturn \"192.0.2.7\" not in resolve_dns(\"gateway.example\")".to_owned(),
        "// rhai\nreverse_dns(\"192.0.2.7\") == \"gateway.example\"".to_owned(),
        format!("// rhai\n!requests.get(\"http://{host}/may\").ok"),
        "// rhai\n!requests.get(\"http://gateway.example/may\").ok".to_owned(),
    ];
    for expression in expressions {
        let server = Start::new().with(HOSTS, &format!("{host},gateway.example")).dns(Arc::new(dns.clone())).start().await;
        guard_sign_in(&server, &expression).await;
        let mut running = Vec::new();
        for n in 0..6 {
            let name = format!("person-{n}");
            server.user(&name).await;
            let client = server.client();
            running.push(tokio::spawn(async move {
                let reply = sign_in(&client, &name).await;
                assert_eq!(reply.body["component"], "ak-stage-access-denied", "{}", reply.text);
                assert!(!is_signed_in(&client).await);
            }));
        }
        while running.iter().any(|one| !one.is_finished()) {
            assert_eq!(server.client().get("/-/health/live/").await.status, 200);
        }
        for one in running {
            one.await.expect("a sign-in that ends");
        }
        let told = server.events("policy_exception").await;
        assert!(told.len() >= 6, "{expression}: {}", told.len());
        assert!(json!(told[0].context).to_string().contains("the time is over"), "{expression}: {:?}", told[0].context);
    }
}
