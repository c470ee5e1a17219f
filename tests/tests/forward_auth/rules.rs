//! What policies of applications are asked about sessions with them, and what becomes of their answers.

use ak_store::records::{Durability, User};
use chrono::Duration as Span;
use serde_json::{Value, json};

use super::kit::House;
use super::web::Web;

const PAGE: &str = "https://app.example/page";

/// Binds a policy to an application.
async fn rule(house: &House, application: &Value, expression: &str) {
    let policy = json!({ "name": "rule", "expression": format!("// rhai\n{expression}") });
    let policy = house.server.make("policies/expression", &policy).await;
    house.server.make("policies/bindings", &json!({ "target": application["pk"], "policy": policy["pk"], "order": 0 })).await;
}

/// Changes what is kept of Ada.
async fn let_be(house: &House, attributes: Value) {
    let Value::Object(attributes) = attributes else { panic!("{attributes}") };
    let mut repo = house.server.store.backend().begin(Durability::Full).await.unwrap();
    repo.users().update(&User { attributes, ..house.ada.clone() }, house.server.now()).await.unwrap();
    repo.save().await.unwrap();
}

#[tokio::test]
async fn a_session_is_asked_about_as_the_sign_in_was() {
    let house = House::open().await;
    let (provider, application) = house.protect("app", json!({})).await;
    let watch = r#"
let seen = #{};
for name in context.keys() { if name.starts_with("oauth_") { seen[name] = context[name]; } }
seen.agent = http_request.headers["User-Agent"];
seen.host = http_request.get_host();
ak_create_event("seen", seen);
context["oauth_grant_type"] == "authorization_code" && "openid" in context["oauth_scopes"] && seen.agent == "Mozilla/5.0"
"#;
    rule(&house, &application, watch).await;
    let ak = house.server.client().header("user-agent", "Mozilla/5.0");
    ak.login("ada", ak_tests::server::PASSWORD).await;
    let web = Web::with(&house, ak);
    web.go(PAGE).await.app();
    let at_sign_in = house.server.events("custom_seen").await;
    house.server.clock.advance(Span::seconds(61));
    web.go(PAGE).await.app();
    let all = house.server.events("custom_seen").await;
    assert!(all.len() > at_sign_in.len());
    let later = &all[0].context;
    // The authorization endpoint asks, and the flow at its end, which knows of no port.
    assert!(at_sign_in.iter().any(|event| event.context == *later), "{later:?} {at_sign_in:?}");
    assert_eq!(later["oauth_client_id"], provider["client_id"]);
}

#[tokio::test]
async fn what_could_not_be_decided_is_no_refusal() {
    let house = House::open().await;
    let (provider, application) = house.protect("app", json!({ "skip_path_regex": "^/public" })).await;
    rule(&house, &application, "user.attributes.clearance == 1").await;
    let_be(&house, json!({ "clearance": 1 })).await;
    let web = Web::of(&house, "ada").await;
    web.go(PAGE).await.app();
    let_be(&house, json!({})).await;
    house.server.clock.advance(Span::seconds(61));
    for _ in 0..2 {
        let waiting = web.go(PAGE).await.page();
        assert_eq!((waiting.status, waiting.header("retry-after")), (503, "1"), "{}", waiting.text);
        web.go("https://app.example/public").await.app();
    }
    let_be(&house, json!({ "clearance": 1 })).await;
    web.go(PAGE).await.app();
    assert_eq!(house.server.store.read().await.unwrap().decision_traces().count().await.unwrap(), 0);
    // Credentials neither.
    let key = house.server.key(house.ada.pk, ak_store::records::TokenIntent::AppPassword, None).await;
    use base64::Engine as _;
    let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("ada:{key}")));
    assert_eq!(house.asked(PAGE, &[("authorization", &basic)]).await.status, 200);
    let_be(&house, json!({})).await;
    house.server.clock.advance(Span::seconds(61));
    assert_eq!(house.asked(PAGE, &[("authorization", &basic)]).await.status, 503);
    house.change(&provider, json!({ "name": "new" })).await;
    assert_eq!(house.asked(PAGE, &[("authorization", &basic)]).await.status, 503, "also where nothing is remembered");
}

#[tokio::test]
async fn a_refusal_is_asked_for_once_a_minute_and_leaves_one_trace() {
    let house = House::open().await;
    let (_, application) = house.protect("app", json!({})).await;
    rule(&house, &application, "ak_create_event(\"asked\", #{}); user.attributes.clearance == 1").await;
    let_be(&house, json!({ "clearance": 1 })).await;
    let web = Web::of(&house, "ada").await;
    web.go(PAGE).await.app();
    let_be(&house, json!({ "clearance": 0 })).await;
    house.server.clock.advance(Span::seconds(61));
    let asked = house.server.events("custom_asked").await.len();
    let first = web.go(PAGE).await.page();
    let reference = first.header("x-authentik-id");
    assert!(first.status == 403 && first.text.contains(reference), "{}", first.text);
    for _ in 0..10 {
        house.server.clock.advance(Span::milliseconds(600));
        let again = web.go(PAGE).await.page();
        assert_eq!(again.status, 403);
        assert!(again.text.contains(reference) && !again.text.contains(again.header("x-authentik-id")), "{}", again.text);
    }
    assert_eq!(house.server.events("custom_asked").await.len(), asked + 1);
    assert_eq!(house.server.store.read().await.unwrap().decision_traces().count().await.unwrap(), 1);
    // What is decided a minute later counts then.
    let_be(&house, json!({ "clearance": 1 })).await;
    house.server.clock.advance(Span::seconds(61));
    web.go(PAGE).await.app();
}
