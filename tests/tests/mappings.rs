//! Property mappings, tried by the API; and Python that is kept although it needs to be worked over.

use ak_tests::contract::{Mode, contract};
use ak_tests::server::{Reply, Server};
use serde_json::{Value, json};

#[track_caller]
fn exact(method: &str, path: &str, reply: &Reply) {
    if let Err(error) = contract().validate_answer(method, path, reply.status, Mode::Exact, &reply.body) {
        panic!("{error}\nin {}", reply.text);
    }
}

async fn mapping(server: &Server, name: &str, expression: &str) -> String {
    let fields = json!({ "name": name, "scope_name": name, "expression": expression });
    let made = server.make("propertymappings/provider/scope", &fields).await;
    assert_eq!(made["expression"], expression);
    format!("/api/v3/propertymappings/all/{}/test/", made["pk"].as_str().unwrap())
}

async fn tried(server: &Server, path: &str, body: &Value) -> (Value, bool) {
    let reply = server.admin().post(path, body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    exact("POST", "/propertymappings/all/{pm_uuid}/test/", &reply);
    let (result, successful) = (reply.body["result"].as_str().unwrap(), reply.body["successful"].as_bool().unwrap());
    (serde_json::from_str(result).unwrap_or_else(|_| result.into()), successful)
}

#[tokio::test]
async fn a_mapping_is_tried_for_an_account_a_group_and_further_names() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let staff = server.group("staff", &[&ada]).await;
    let python = "return {\n  'preferred_username': request.user.username,\n  'groups': [group.name for group in user.groups.all()],\n  'for': provider['name'],\n}";
    let test = mapping(&server, "profile", python).await;
    let body = json!({ "user": ada.pk, "context": { "provider": { "name": "grafana" } } });
    let claims = json!({ "preferred_username": "ada", "groups": ["staff"], "for": "grafana" });
    assert_eq!(tried(&server, &test, &body).await, (claims.clone(), true));
    let long = server.admin().post(&format!("{test}?format_result=true"), &body).await;
    let text = long.body["result"].as_str().unwrap();
    assert!(text.lines().count() > 4 && serde_json::from_str::<Value>(text).unwrap() == claims, "{text}");
    // In the engine's own language; what is wrong is told with its place and what was logged until then.
    let test = mapping(&server, "own", "// rhai\nak_logger.info(`asked for ${user.username}`);\nuser.attributes.missing").await;
    let (told, successful) = tried(&server, &test, &json!({ "user": ada.pk })).await;
    let told = told.as_str().unwrap();
    assert!(!successful && told.contains("line 3") && told.contains("info: asked for ada"), "{told}");
    // What it makes happen does not happen.
    let test = mapping(&server, "join", "// rhai\nuser.groups.remove(user.groups.first()); user.groups.count()").await;
    assert_eq!(tried(&server, &test, &json!({ "user": ada.pk })).await, (json!(0), true));
    let members = server.admin().get(&format!("/api/v3/core/groups/{}/", staff.pk)).await;
    assert_eq!(members.body["users"], json!([ada.pk]));
}

#[tokio::test]
async fn who_may_not_try_and_what_cannot_be_tried_is_refused() {
    let server = Server::start().await;
    let test = mapping(&server, "one", "#{}").await;
    server.user("ada").await;
    let admin = server.admin();
    assert_eq!(server.client().post(&test, &json!({})).await.status, 403);
    assert_eq!(server.signed_in("ada").await.post(&test, &json!({})).await.status, 403);
    for (field, body) in [
        ("user", json!({ "user": 999_999 })),
        ("user", json!({ "user": "ada" })),
        ("group", json!({ "group": "00000000-0000-0000-0000-000000000000" })),
        ("context", json!({ "context": [] })),
    ] {
        let reply = admin.post(&test, &body).await;
        assert!(reply.status == 400 && !reply.body[field].is_null(), "{body}: {}", reply.text);
    }
    let nowhere = "/api/v3/propertymappings/all/00000000-0000-0000-0000-000000000000/test/";
    assert_eq!(admin.post(nowhere, &json!({})).await.status, 404);
    let spaced = json!({ "name": "x", "scope_name": "a b", "expression": "#{}" });
    assert!(admin.post("/api/v3/propertymappings/provider/scope/", &spaced).await.text.contains("scope_name"));
}

#[tokio::test]
async fn python_that_is_not_covered_is_kept_marked_and_gives_nothing() {
    let server = Server::start().await;
    let expression = "import os\nreturn os.environ.get('HOME')";
    let test = mapping(&server, "outside", expression).await;
    let (told, successful) = tried(&server, &test, &json!({})).await;
    assert!(!successful && told.as_str().unwrap().contains("line 1, column 8"), "{told}");
    let policy = json!({ "name": "outside", "expression": expression });
    let policy = server.make("policies/expression", &policy).await;
    let application = server.make("core/applications", &json!({ "name": "App", "slug": "app" })).await;
    server.make("policies/bindings", &json!({ "target": application["pk"], "policy": policy["pk"], "order": 0 })).await;
    let access = server.admin().get("/api/v3/core/applications/app/check_access/").await;
    assert_eq!(access.body["passing"], false, "{}", access.text);
    let mut repo = server.store.read().await.unwrap();
    let told = repo.events().list(&Default::default(), ak_store::records::Page::ALL).await.unwrap();
    let warnings: Vec<&Value> =
        told.iter().filter(|event| event.action == "configuration_warning").map(|event| &event.context["remarks"]).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings.iter().all(|w| w["expression"][0].as_str().unwrap().contains("worked over")), "{warnings:?}");
    // By a blueprint it is kept too, and the report says what is to be done, with the place in the file.
    let file = format!(
        "version: 1\nmetadata: {{ name: brought }}\nentries:\n  - model: authentik_policies_expression.expressionpolicy\n    identifiers: {{ name: brought }}\n    attrs:\n      expression: {}\n",
        json!(expression)
    );
    let made = server.admin().post("/api/v3/managed/blueprints/", &json!({ "name": "brought", "content": file })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let pk = made.body["pk"].as_str().unwrap();
    let applied = server.admin().post(&format!("/api/v3/managed/blueprints/{pk}/apply/"), &json!({})).await;
    assert_eq!(applied.status, 200, "{}", applied.text);
    let read = server.admin().get(&format!("/api/v3/managed/blueprints/{pk}/")).await;
    assert_eq!(read.body["status"], "warning", "{}", read.text);
    let found = server.admin().get("/api/v3/policies/expression/?name=brought").await;
    assert_eq!(found.body["results"][0]["expression"], expression);
}
