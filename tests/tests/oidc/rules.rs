//! What the policies of an application see, wherever they are asked.

use serde_json::{Value, json};

use crate::kit::{Back, CALLBACK, House, pkce};

/// Binds a policy to the application.
async fn rule(house: &House, expression: &str) {
    let policy = json!({ "name": format!("rule {}", expression.len()), "expression": format!("// rhai\n{expression}") });
    let policy = house.server.make("policies/expression", &policy).await;
    let binding = json!({ "target": house.application["pk"], "policy": policy["pk"], "order": 0 });
    house.server.make("policies/bindings", &binding).await;
}

/// Tells of every decision what it saw.
const WATCH: &str = r#"
let seen = #{};
for name in context.keys() { if name.starts_with("oauth_") { seen[name] = context[name]; } }
seen.agent = http_request.headers["User-Agent"];
seen.ip = context.ip;
ak_create_event("seen", seen);
true
"#;

/// What was seen since, the oldest first.
async fn seen(house: &House, before: usize) -> Vec<Value> {
    let events = house.server.events("custom_seen").await;
    let mut seen: Vec<Value> =
        events.iter().take(events.len() - before).map(|event| Value::Object(event.context.clone())).collect();
    seen.reverse();
    seen
}

#[tokio::test]
async fn policies_see_what_the_client_asks_for() {
    let house = House::open().await;
    rule(&house, WATCH).await;
    let browser = house.server.signed_in("ada").await.header("user-agent", "browser").header("x-forwarded-for", "198.51.100.7");
    let (_, challenge) = pkce();
    let more = [("scope", "openid email"), ("max_age", "600"), ("code_challenge", challenge.as_str())];
    let asked = house.authorize(&[&more[..], &[("code_challenge_method", "S256")]].concat());
    assert!(Back::of(&browser.get(&asked).await).params.contains_key("code"));
    // Before the flow, and at its end.
    let all = seen(&house, 0).await;
    assert_eq!(all.len(), 2, "{all:?}");
    for told in all {
        for (name, value) in [
            ("oauth_client_id", json!(house.client_id)),
            ("oauth_grant_type", json!("authorization_code")),
            ("oauth_scopes", json!(["openid", "email"])),
            ("oauth_redirect_uri", json!(CALLBACK)),
            ("oauth_response_type", json!("code")),
            ("oauth_max_age", json!(600)),
            ("oauth_code_challenge", json!(challenge)),
            ("oauth_code_challenge_method", json!("S256")),
            ("agent", json!("browser")),
        ] {
            assert_eq!(told[name], value, "{name}: {told}");
        }
    }
    let reply = house.token(&[("grant_type", "client_credentials"), ("scope", "openid")]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let told = seen(&house, 2).await.remove(0);
    assert_eq!((&told["oauth_grant_type"], &told["oauth_scopes"]), (&json!("client_credentials"), &json!(["openid"])), "{told}");
    // What they see decides.
    rule(&house, "!(\"profile\" in context.oauth_scopes)").await;
    let target = json!({ "policy_engine_mode": "all" });
    assert_eq!(house.server.admin().patch("/api/v3/core/applications/app/", &target).await.status, 200);
    let silent = |scope: &str| house.authorize(&[("prompt", "none"), ("scope", scope)]);
    assert!(Back::of(&browser.get(&silent("openid email")).await).params.contains_key("code"));
    assert_eq!(Back::of(&browser.get(&silent("openid profile")).await).error(), "access_denied");
    let more = house.token(&[("grant_type", "client_credentials"), ("scope", "profile")]).await;
    assert_eq!(more.body["error"], "invalid_grant");
}
