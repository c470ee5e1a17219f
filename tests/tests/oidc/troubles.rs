//! What clients are told when something of ours fails.

use ak_tests::server::{Client, Reply};
use serde_json::{Value, json};

use crate::kit::{Back, House};

async fn silent(house: &House, browser: &Client) -> Back {
    Back::of(&browser.get(&house.authorize(&[("prompt", "none")])).await)
}

#[tokio::test]
async fn a_silent_request_is_led_back_wherever_a_flow_would_lead() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    let elsewhere = json!({ "name": "elsewhere", "mode": "static", "target_static": "https://elsewhere.example/" });
    let elsewhere = house.server.make("stages/redirect", &elsewhere).await;
    let dummy = house.server.make("stages/dummy", &json!({ "name": "dummy" })).await;
    let asks = house.server.flow("asks", "authorization", &[&dummy]).await;
    let into = json!({ "name": "into", "mode": "flow", "target_flow": asks["pk"] });
    let into = house.server.make("stages/redirect", &into).await;
    for (slug, stage) in [("leads-elsewhere", &elsewhere), ("leads-on", &into), ("asks-itself", &dummy)] {
        let flow = house.server.flow(slug, "authorization", &[stage]).await;
        house.change(json!({ "authorization_flow": flow["pk"] })).await;
        let back = silent(&house, &browser).await;
        assert_eq!((back.error(), &back.params["state"]), ("interaction_required", &json!("s t&te")), "{slug}");
        let open = browser.get(&house.authorize(&[])).await;
        assert_eq!((open.status, open.location().starts_with("https://app.example")), (303, false), "{slug}: it is led on");
    }
    assert_eq!(silent(&house, &browser).await.error(), "interaction_required");
    assert_eq!(browser.get("/api/v3/core/users/me/").await.status, 200, "she is still signed in");
}

#[tokio::test]
async fn a_silent_request_is_led_back_also_when_something_fails() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    house.server.place.sql("ALTER TABLE oauth_grant RENAME TO gone").await;
    assert_eq!(silent(&house, &browser).await.error(), "temporarily_unavailable");
    assert_eq!(browser.get(&house.authorize(&[])).await.status, 503, "a person sees a page");
    house.server.place.sql("ALTER TABLE gone RENAME TO oauth_grant").await;
    assert!(silent(&house, &browser).await.params.contains_key("code"));
    house.server.place.sql("ALTER TABLE session RENAME TO gone").await;
    let back = silent(&house, &browser).await;
    assert_eq!((back.error(), &back.params["state"]), ("temporarily_unavailable", &json!("s t&te")));
    let form = browser.get(&house.authorize(&[("prompt", "none"), ("response_mode", "form_post")])).await;
    assert_eq!(form.hidden("error"), "temporarily_unavailable");
    // Nobody is led to an address that is not known to be the client's, whatever fails.
    let wrong = browser.get(&house.authorize(&[("prompt", "none"), ("redirect_uri", "https://evil.example/")])).await;
    assert_eq!((wrong.status, wrong.location()), (400, ""));
    house.server.place.sql("ALTER TABLE gone RENAME TO session").await;
}

#[tokio::test]
async fn clients_are_told_of_failures_in_their_own_words() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    let tokens = house.tokens(&browser).await;
    let code = house.code(&browser, &[]).await;
    let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
    let (access, refresh) = (text("access_token"), text("refresh_token"));
    let own = [("client_id", house.client_id.as_str()), ("client_secret", house.client_secret.as_str())];
    let of = async |path: &str, fields: &[(&str, &str)]| {
        house.server.client().form(&format!("/application/o/{path}/"), &[&own, fields].concat()).await
    };
    let all = async || -> Vec<(&str, Reply)> {
        vec![
            ("code", house.redeem(&code).await),
            ("refresh", of("token", &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]).await),
            ("userinfo", house.userinfo(&tokens["access_token"]).await),
            ("introspect", of("introspect", &[("token", &access)]).await),
        ]
    };
    let told = |what: &str, reply: &Reply, status: u16, error: &str| {
        assert_eq!((reply.status, &reply.body["error"]), (status, &json!(error)), "{what}: {}", reply.text);
        assert_eq!(reply.header("cache-control"), "no-store", "{what}");
        assert_eq!((&reply.body["detail"], &reply.body["code"]), (&Value::Null, &Value::Null), "{what}: {}", reply.text);
        assert_eq!(reply.header("retry-after"), if status == 503 { "1" } else { "" }, "{what}");
    };
    house.server.place.sql("ALTER TABLE oauth_grant RENAME TO gone").await;
    for (what, reply) in all().await {
        told(what, &reply, 503, "temporarily_unavailable");
    }
    told("revoke", &of("revoke", &[("token", &access)]).await, 503, "temporarily_unavailable");
    told("itself", &of("token", &[("grant_type", "client_credentials")]).await, 503, "temporarily_unavailable");
    house.server.place.sql("ALTER TABLE gone RENAME TO oauth_grant").await;
    // What cannot be read stays so.
    house.server.place.sql("UPDATE oauth_grant SET data = '[]'").await;
    for (what, reply) in all().await.into_iter().filter(|(what, _)| *what != "userinfo") {
        told(what, &reply, 500, "server_error");
    }
}
