//! Programs that act as themselves, or as an account whose app password they have.

use ak_store::records::TokenIntent;
use ak_tests::server::{PASSWORD, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::kit::House;

/// The answer of the token endpoint to these fields and the name of the client, without its secret.
async fn nameless(house: &House, fields: &[(&str, &str)]) -> Reply {
    let fields = [&[("client_id", house.client_id.as_str()), ("scope", "openid profile")], fields].concat();
    house.server.client().form("/application/o/token/", &fields).await
}

async fn acts_as(house: &House, reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.text);
    let told = house.userinfo(&reply.body["access_token"]).await;
    told.body["preferred_username"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_account_proves_itself_in_the_place_of_the_client() {
    let house = House::open().await;
    let key = house.server.key(house.ada.pk, TokenIntent::AppPassword, None).await;
    let api = house.server.key(house.ada.pk, TokenIntent::Api, None).await;
    for grant in ["client_credentials", "password"] {
        let by = async |username: &str, password: &str, more: &[(&str, &str)]| {
            let fields = [("grant_type", grant), ("username", username), ("password", password)];
            nameless(&house, &[&fields, more].concat()).await
        };
        assert_eq!(acts_as(&house, &by("ada", &key, &[]).await).await, "ada", "{grant}");
        let whole = by("ada", &key, &[("client_secret", &house.client_secret)]).await;
        assert_eq!(acts_as(&house, &whole).await, "ada", "{grant}");
        // A secret that is told has to be right.
        let wrong = by("ada", &key, &[("client_secret", "wrong")]).await;
        assert_eq!((wrong.status, &wrong.body["error"]), (401, &json!("invalid_client")), "{grant}");
        // Who does not exist is refused as who exists.
        let answers = [("ada", "wrong"), ("ada", PASSWORD), ("ada", api.as_str()), ("nobody", "wrong"), ("nobody", key.as_str())];
        for (username, password) in answers {
            let reply = by(username, password, &[]).await;
            assert_eq!((reply.status, reply.text.as_str()), (400, WRONG), "{grant} {username}");
        }
    }
    // Nothing else is to be had without the client's secret.
    for fields in [
        &[("grant_type", "client_credentials")][..],
        &[("grant_type", "authorization_code"), ("code", "x"), ("username", "ada"), ("password", key.as_str())],
        &[("grant_type", "refresh_token"), ("refresh_token", "x"), ("username", "ada"), ("password", key.as_str())],
        &[("grant_type", "client_credentials"), ("username", "ada")],
    ] {
        let reply = nameless(&house, fields).await;
        assert_eq!((reply.status, &reply.body["error"]), (401, &json!("invalid_client")), "{fields:?}");
    }
    let stranger = [("client_id", "nobody"), ("grant_type", "password"), ("username", "ada"), ("password", key.as_str())];
    let stranger = house.server.client().form("/application/o/token/", &stranger).await;
    assert_eq!(stranger.body["error"], "invalid_client");
}

const WRONG: &str = r#"{"error":"invalid_grant","error_description":"The user name or the password is wrong."}"#;

#[tokio::test]
async fn an_account_can_stand_where_the_secret_does() {
    let house = House::open().await;
    let key = house.server.key(house.ada.pk, TokenIntent::AppPassword, None).await;
    let by = async |account: &str| {
        let secret = STANDARD.encode(account);
        nameless(&house, &[("grant_type", "client_credentials"), ("client_secret", &secret)]).await
    };
    assert_eq!(acts_as(&house, &by(&format!("ada:{key}")).await).await, "ada");
    for account in ["ada:wrong".to_owned(), format!("nobody:{key}"), format!("ada:{PASSWORD}")] {
        assert_eq!(by(&account).await.text, WRONG, "{account}");
    }
    for nothing in ["ada", "ada:", ":x"] {
        assert_eq!(by(nothing).await.body["error"], "invalid_client", "{nothing}");
    }
    let basic = STANDARD.encode(format!("{}:{}", house.client_id, STANDARD.encode(format!("ada:{key}"))));
    let client = house.server.client().header("authorization", &format!("Basic {basic}"));
    let fields = [("grant_type", "client_credentials"), ("scope", "openid profile")];
    assert_eq!(acts_as(&house, &client.form("/application/o/token/", &fields).await).await, "ada", "in the header too");
    // It stands for an account where tokens are given, and for nothing elsewhere.
    let secret = STANDARD.encode(format!("ada:{key}"));
    for path in ["/application/o/introspect/", "/application/o/revoke/"] {
        let fields = [("client_id", house.client_id.as_str()), ("client_secret", &secret), ("token", "x")];
        assert_eq!(house.server.client().form(path, &fields).await.status, 401, "{path}");
    }
    house.change(json!({ "client_type": "public" })).await;
    assert_eq!(acts_as(&house, &by(&format!("ada:{key}")).await).await, "ada", "a public client has nothing else");
    house.change(json!({ "client_type": "confidential", "grant_types": ["password"] })).await;
    assert_eq!(by(&format!("ada:{key}")).await.body["error"], "invalid_client", "only by its own name");
    let named = [("grant_type", "password"), ("username", "ada"), ("password", key.as_str())];
    assert_eq!(acts_as(&house, &nameless(&house, &named).await).await, "ada");
    house.change(json!({ "grant_types": ["authorization_code"] })).await;
    assert_eq!(nameless(&house, &named).await.body["error"], "invalid_client");
}

#[tokio::test]
async fn a_mapping_says_for_which_api_a_token_is() {
    let house = House::open().await;
    let mut mappings = house.provider["property_mappings"].as_array().unwrap().clone();
    for (scope, audience) in [("one", "\"https://api.example\""), ("two", "[\"a\", \"b\"]"), ("none", "()"), ("wrong", "7")] {
        let expression = format!("// rhai\n#{{ aud: {audience} }}");
        let mapping = json!({ "name": scope, "scope_name": scope, "expression": expression });
        mappings.push(house.server.make("propertymappings/provider/scope", &mapping).await["pk"].clone());
    }
    house.change(json!({ "property_mappings": mappings })).await;
    let browser = house.server.signed_in("ada").await;
    let own = [("client_id", house.client_id.as_str()), ("client_secret", house.client_secret.as_str())];
    let keys = house.server.client().get("/application/o/app/jwks/").await.body;
    for (scope, audience) in
        [("openid one", json!("https://api.example")), ("openid two", json!(["a", "b"])), ("openid none", json!(house.client_id))]
    {
        let tokens = house.redeem(&house.code(&browser, &[("scope", scope)]).await).await.body;
        assert_eq!(house.verified(&tokens["id_token"]).await["aud"], json!(house.client_id), "{scope}: clients check theirs");
        let first = audience.as_str().unwrap_or("a");
        let claims = crate::kit::verified(&keys, tokens["access_token"].as_str().unwrap(), first);
        assert_eq!((&claims["aud"], &claims["azp"]), (&audience, &json!(house.client_id)), "{scope}");
        let told = [&own[..], &[("token", tokens["access_token"].as_str().unwrap())]].concat();
        let told = house.server.client().form("/application/o/introspect/", &told).await.body;
        assert_eq!((&told["aud"], &told["client_id"]), (&audience, &json!(house.client_id)), "{scope}: {told}");
        assert!(house.userinfo(&tokens["access_token"]).await.body.get("aud").is_none(), "{scope}");
        // An access token stays none that could be taken for an ID token.
        let hint = [("prompt", "none"), ("id_token_hint", tokens["access_token"].as_str().unwrap())];
        assert_eq!(crate::kit::Back::of(&browser.get(&house.authorize(&hint)).await).error(), "invalid_request");
    }
    let code = house.code(&browser, &[("scope", "openid wrong")]).await;
    assert_eq!(house.redeem(&code).await.body["error"], "server_error");
    let told = house.server.events("property_mapping_exception").await;
    assert!(told[0].context["message"].as_str().unwrap().contains("audience"));
}

#[tokio::test]
async fn clients_with_long_names_have_accounts_of_their_own() {
    let house = House::open().await;
    let mut accounts = Vec::new();
    for end in ["one", "two"] {
        let more = json!({ "name": format!("{}{end}", "x".repeat(150)), "client_id": end, "client_secret": "a secret" });
        let provider = crate::kit::provider(&house.server, end, more).await;
        house.server.make("core/applications", &json!({ "name": end, "slug": end, "provider": provider["pk"] })).await;
        let fields = [("grant_type", "client_credentials"), ("client_id", end), ("client_secret", "a secret")];
        let reply = house.server.client().form("/application/o/token/", &fields).await;
        let account = acts_as(&house, &reply).await;
        assert!(account.len() == 150 && account.ends_with(&format!("-{}", provider["pk"])), "{account}");
        accounts.push(account);
    }
    assert_ne!(accounts[0], accounts[1]);
}
