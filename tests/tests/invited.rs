//! Scenario S10: who signs up with groups in the gathered data joins them at the login stage, by an expression in Python. A prompt stands in for
//! the invitation.

use ak_tests::server::{Client, PASSWORD, Server};
use serde_json::{Value, json};

const SLUG: &str = "invitation-enrollment";

/// The policy, as it is written for the invitation's flow.
const JOIN: &str = r#"from authentik.core.models import Group

prompt_data = context["prompt_data"]
user = context["pending_user"]
for name in prompt_data["groups"].split(","):
    group = Group.objects.filter(name=name.strip()).first()
    if group:
        user.ak_groups.add(group)
return True"#;

/// A flow of prompt, user write and login; the policy guards the login's place in it.
async fn enrollment(server: &Server, evaluate_on_plan: bool, re_evaluate: bool) {
    let fields = [
        ("username", "username", json!({})),
        ("name", "text", json!({})),
        ("email", "email", json!({})),
        ("password", "password", json!({})),
        ("password_repeat", "password", json!({})),
        ("groups", "hidden", json!({ "initial_value": "return 'movies, music'", "initial_value_expression": true })),
    ];
    let mut keys = Vec::new();
    for (order, (key, kind, more)) in fields.into_iter().enumerate() {
        let mut field = json!({ "name": format!("invited-{key}"), "field_key": key, "label": key, "type": kind, "order": order });
        field.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        keys.push(server.make("stages/prompt/prompts", &field).await["pk"].clone());
    }
    let prompt = server.make("stages/prompt/stages", &json!({ "name": "invited-prompt", "fields": keys })).await;
    let write = json!({ "name": "invited-write", "user_creation_mode": "always_create", "create_users_as_inactive": false, "user_type": "internal" });
    let write = server.make("stages/user_write", &write).await;
    let login = server.make("stages/user_login", &json!({ "name": "invited-login" })).await;
    let flow = json!({ "name": SLUG, "slug": SLUG, "title": "Welcome", "designation": "enrollment" });
    let flow = server.make("flows/instances", &flow).await;
    let bind = async |stage: &Value, order: i64, more: Value| {
        let mut binding = json!({ "target": flow["pk"], "stage": stage["pk"], "order": order });
        binding.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.make("flows/bindings", &binding).await
    };
    bind(&prompt, 10, json!({})).await;
    bind(&write, 20, json!({})).await;
    let how = json!({ "evaluate_on_plan": evaluate_on_plan, "re_evaluate_policies": re_evaluate });
    let login = bind(&login, 30, how).await;
    let policy = server.make("policies/expression", &json!({ "name": "join", "expression": JOIN })).await;
    server.make("policies/bindings", &json!({ "target": login["pk"], "policy": policy["pk"], "order": 0 })).await;
}

/// Signs up as `name`; the last answer.
async fn sign_up(client: &Client, name: &str) -> Value {
    let path = format!("/api/v3/flows/executor/{SLUG}/?query=");
    let begun = client.follow(&path).await;
    assert_eq!(begun.body["component"], "ak-stage-prompt", "{}", begun.text);
    let answer = json!({
        "component": "ak-stage-prompt", "username": name, "name": "Carol", "email": format!("{name}@example.com"),
        "password": PASSWORD, "password_repeat": PASSWORD, "groups": "authentik Admins",
    });
    let reply = client.answer(&path, &answer).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body
}

/// The groups of an account, by name.
async fn groups(server: &Server, username: &str) -> Option<Vec<String>> {
    let found = server.admin().get(&format!("/api/v3/core/users/?username={username}&include_groups=true")).await;
    let user = found.body["results"].as_array()?.first()?.clone();
    let groups = user["groups_obj"].as_array()?.iter().filter_map(|group| group["name"].as_str().map(str::to_owned));
    let mut groups: Vec<String> = groups.collect();
    groups.sort();
    Some(groups)
}

#[tokio::test]
async fn who_signs_up_joins_the_groups_of_the_gathered_data_at_the_login_stage() {
    let server = Server::start().await;
    server.group("movies", &[]).await;
    server.group("music", &[]).await;
    enrollment(&server, false, true).await;
    let client = server.client();
    assert_eq!(sign_up(&client, "carol").await["component"], "xak-flow-redirect");
    assert_eq!(groups(&server, "carol").await.unwrap(), ["movies", "music"]);
    let me = client.get("/api/v3/core/users/me/").await;
    assert_eq!(me.body["user"]["username"], "carol", "{}", me.text);
    let mut own: Vec<&str> = me.body["user"]["groups"].as_array().unwrap().iter().filter_map(|g| g["name"].as_str()).collect();
    own.sort_unstable();
    assert_eq!(own, ["movies", "music"]);
}

#[tokio::test]
async fn asked_before_the_data_is_gathered_the_policy_fails_and_nobody_gets_in() {
    let server = Server::start().await;
    server.group("movies", &[]).await;
    enrollment(&server, true, true).await;
    let client = server.client();
    let begun = client.follow(&format!("/api/v3/flows/executor/{SLUG}/?query=")).await;
    assert_eq!(begun.body["component"], "ak-stage-access-denied", "{}", begun.text);
    assert_eq!(groups(&server, "carol").await, None);
}
