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
    house.server.clock.advance(chrono::Duration::seconds(1));
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

#[tokio::test]
async fn a_token_is_renewed_by_the_address_of_the_browser() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await.header("x-forwarded-for", "198.51.100.7");
    let tokens = house.tokens(&browser).await;
    rule(&house, "context.ip == \"198.51.100.7\"").await;
    assert!(Back::of(&browser.get(&house.authorize(&[("prompt", "none")])).await).params.contains_key("code"));
    // The application's server comes from elsewhere, also when it renews what was renewed.
    let renew = async |tokens: &Value| {
        house.token(&[("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())]).await
    };
    let renewed = renew(&tokens).await;
    assert_eq!(renewed.status, 200, "{}", renewed.text);
    let renewed = renew(&renewed.body).await;
    assert_eq!(renewed.status, 200, "{}", renewed.text);
    let elsewhere = house.server.signed_in("ada").await.header("x-forwarded-for", "198.51.100.8");
    assert_eq!(Back::of(&elsewhere.get(&house.authorize(&[("prompt", "none")])).await).error(), "access_denied");
}

#[tokio::test]
async fn what_could_not_be_decided_costs_nobody_a_token() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    let tokens = house.tokens(&browser).await;
    rule(&house, "throw \"not now\"").await;
    let fields = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    let machine = [("grant_type", "client_credentials")];
    for fields in [&fields[..], &machine] {
        let reply = house.token(fields).await;
        assert_eq!((reply.status, &reply.body["error"]), (500, &json!("server_error")), "{}", reply.text);
        assert!(!reply.text.contains("not now"), "{}", reply.text);
    }
    let bindings = house.server.admin().get("/api/v3/policies/bindings/").await.body["results"].clone();
    let rule = bindings.as_array().unwrap().iter().find(|one| one["target"] == house.application["pk"]).unwrap();
    let path = format!("/api/v3/policies/bindings/{}/", rule["pk"].as_str().unwrap());
    assert_eq!(house.server.admin().delete(&path).await.status, 204);
    assert_eq!(house.token(&fields).await.status, 200, "it is still worth something");
}
