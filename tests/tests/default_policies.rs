//! What the policies of the flows that come with the product decide.

use ak_tests::server::{Client, PASSWORD, Reply, Server};
use serde_json::{Value, json};

const LOGIN: &str = "/api/v3/flows/executor/default-authentication-flow/?query=";
const SETTINGS: &str = "/api/v3/flows/executor/default-user-settings-flow/?query=";

#[tokio::test]
async fn who_gave_the_password_on_the_first_page_is_not_asked_again() {
    let server = Server::start().await;
    server.user("ada").await;
    let identification = server.key_of("stages/identification", "name=default-authentication-identification").await;
    let password = server.key_of("stages/password", "name=default-authentication-password").await;
    let patch = async |to: &Value| {
        let changed = server
            .admin()
            .patch(&format!("/api/v3/stages/identification/{identification}/"), &json!({ "password_stage": to }))
            .await;
        assert_eq!(changed.status, 200, "{}", changed.text);
    };
    let first = json!({ "component": "ak-stage-identification", "uid_field": "ada", "password": PASSWORD });
    patch(&json!(password)).await;
    let client = server.client();
    client.follow(LOGIN).await;
    assert_eq!(client.answer(LOGIN, &first).await.body["component"], "xak-flow-redirect");
    assert_eq!(client.get("/api/v3/core/users/me/").await.body["user"]["username"], "ada");
    // Without it on the first page, the second one asks: a password there that nobody asked for proves nothing.
    patch(&Value::Null).await;
    let client = server.client();
    client.follow(LOGIN).await;
    assert_eq!(client.answer(LOGIN, &first).await.body["component"], "ak-stage-password");
}

/// What the settings answer to these values.
async fn change(client: &Client, values: Value) -> Reply {
    let page = client.follow(SETTINGS).await;
    assert_eq!(page.body["component"], "ak-stage-prompt", "{}", page.text);
    let mut answer = json!({ "component": "ak-stage-prompt" });
    for field in page.body["fields"].as_array().unwrap() {
        answer[field["field_key"].as_str().unwrap()] = field["initial_value"].clone();
    }
    answer.as_object_mut().unwrap().extend(values.as_object().unwrap().clone());
    client.answer(SETTINGS, &answer).await
}

async fn me(client: &Client) -> (String, String, String) {
    let user = client.get("/api/v3/core/users/me/").await.body["user"].clone();
    let text = |name: &str| user[name].as_str().unwrap().to_owned();
    (text("username"), text("name"), text("email"))
}

#[tokio::test]
async fn the_settings_let_change_what_attributes_allow() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let client = server.signed_in("ada").await;
    let done = change(&client, json!({ "name": "Ada L.", "attributes.settings.locale": "en" })).await;
    assert_eq!(done.body["component"], "xak-flow-redirect", "{}", done.text);
    assert_eq!(me(&client).await, ("ada".into(), "Ada L.".into(), "ada@example.com".into()));
    let refused = change(&client, json!({ "email": "other@example.com", "username": "admin2" })).await;
    let told = refused.body["response_errors"]["non_field_errors"].to_string();
    assert!(told.contains("Your e-mail address can be changed by administrators only."), "{}", refused.text);
    assert!(told.contains("Your user name can be changed by administrators only."), "{}", refused.text);
    assert_eq!(me(&client).await.2, "ada@example.com");
    let movers = server.group("movers", &[&ada]).await;
    let rights =
        json!({ "attributes": { "goauthentik.io/user/can-change-email": true, "goauthentik.io/user/can-change-name": false } });
    let allowed = server.admin().patch(&format!("/api/v3/core/groups/{}/", movers.pk), &rights).await;
    assert_eq!(allowed.status, 200, "{}", allowed.text);
    let done = change(&client, json!({ "email": "other@example.com", "username": "ada" })).await;
    assert_eq!(done.body["component"], "xak-flow-redirect", "{}", done.text);
    assert_eq!(me(&client).await.2, "other@example.com");
    let refused = change(&client, json!({ "name": "Somebody" })).await;
    assert!(refused.text.contains("Your name can be changed by administrators only."), "{}", refused.text);
}
