//! By what applications know people, where mappings or missing values have a say in it.

use ak_store::records::{GrantFilter, Page};
use ak_tests::server::Client;
use serde_json::{Value, json};

use crate::kit::{Back, House};

/// Adds a mapping for a scope to the provider.
async fn says(house: &House, scope: &str, expression: &str) {
    let mapping = json!({ "name": scope, "scope_name": scope, "expression": format!("// rhai\n{expression}") });
    let mapping = house.server.make("propertymappings/provider/scope", &mapping).await;
    let mut mappings = house.provider["property_mappings"].as_array().unwrap().clone();
    mappings.push(mapping["pk"].clone());
    house.change(json!({ "property_mappings": mappings })).await;
}

/// What comes of a silent request.
async fn silent(house: &House, browser: &Client, more: &[(&str, &str)]) -> String {
    let back = Back::of(&browser.get(&house.authorize(&[&[("prompt", "none")], more].concat())).await);
    if back.params.contains_key("code") { "code".to_owned() } else { back.error().to_owned() }
}

#[tokio::test]
async fn a_client_that_knows_people_by_a_mapping_means_them_by_it() {
    let house = House::open().await;
    says(&house, "profile", "#{ sub: \"x-\" + user.username }").await;
    house.server.user("bob").await;
    let (browser, other) = (house.server.signed_in("ada").await, house.server.signed_in("ada").await);
    let bob = house.server.signed_in("bob").await;
    let tokens = house.tokens(&browser).await;
    assert_eq!(house.verified(&tokens["id_token"]).await["sub"], "x-ada");
    let hint = tokens["id_token"].as_str().unwrap();
    assert_eq!(silent(&house, &browser, &[("id_token_hint", hint)]).await, "code");
    assert_eq!(silent(&house, &other, &[("id_token_hint", hint)]).await, "code", "the same person elsewhere");
    assert_eq!(silent(&house, &bob, &[("id_token_hint", hint)]).await, "login_required");
    // Of this very session it means whose session it is, by whatever name.
    let fewer = [("id_token_hint", hint), ("scope", "openid")];
    assert_eq!(silent(&house, &browser, &fewer).await, "code");
    assert_eq!(silent(&house, &other, &fewer).await, "login_required", "this request knows her by another name");
    let uid = ak_store::model::user_uid(house.ada.pk, house.server.store.install_id());
    for (subject, expected) in [("x-ada", "code"), ("x-bob", "login_required"), (uid.as_str(), "login_required")] {
        let claims = json!({ "id_token": { "sub": { "value": subject } } }).to_string();
        assert_eq!(silent(&house, &browser, &[("claims", &claims)]).await, expected, "{subject}");
    }
    // A mapping that fails says nothing of anybody.
    says(&house, "broken", "throw \"no\"").await;
    let broken = [("id_token_hint", hint), ("scope", "openid broken")];
    assert_eq!(silent(&house, &other, &broken).await, "server_error");
}

#[tokio::test]
async fn nobody_gets_a_token_without_a_name() {
    let house = House::with(json!({ "sub_mode": "user_email" })).await;
    let browser = house.server.signed_in("ada").await;
    let before = house.tokens(&browser).await;
    house.server.change("core/users", &house.ada.pk.to_string(), &json!({ "email": "" })).await;
    let told = house.userinfo(&before["access_token"]).await;
    assert_eq!((told.status, &told.body["error"]), (500, &json!("server_error")), "{}", told.text);
    let fails = async |scope: &str, events: usize| {
        let code = house.code(&browser, &[("scope", scope)]).await;
        let reply = house.redeem(&code).await;
        assert_eq!((reply.status, &reply.body["error"]), (500, &json!("server_error")), "{}", reply.text);
        let told = house.server.events("configuration_error").await;
        assert_eq!(told.len(), events);
        let message = told[0].context["message"].as_str().unwrap();
        assert!(message.contains("the provider app") && message.contains("the account ada"), "{message}");
        assert_eq!(told[0].user["username"], "ada");
    };
    fails("openid", 2).await;
    // A mapping that says none takes it away, and one that says one gives it.
    house.change(json!({ "sub_mode": "user_id" })).await;
    says(&house, "nothing", "#{ sub: \"\" }").await;
    fails("openid nothing", 3).await;
    says(&house, "number", "#{ sub: 7 }").await;
    fails("openid number", 4).await;
    house.change(json!({ "sub_mode": "user_email" })).await;
    says(&house, "given", "#{ sub: \"ada of the mapping\" }").await;
    let tokens = house.redeem(&house.code(&browser, &[("scope", "openid given")]).await).await.body;
    assert_eq!(house.verified(&tokens["id_token"]).await["sub"], "ada of the mapping");
}

#[tokio::test]
async fn a_sign_in_that_is_not_what_the_client_cannot_do_without_is_an_error() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    let ours = "goauthentik.io/providers/oauth2/default";
    let acr = |asked: Value| json!({ "id_token": { "acr": asked }, "userinfo": { "acr": { "essential": true, "value": "x" } } });
    for (asked, expected) in [
        (json!({ "essential": true, "value": "gold" }), "unmet_authentication_requirements"),
        (json!({ "essential": true, "values": ["gold", "silver"] }), "unmet_authentication_requirements"),
        (json!({ "essential": true, "values": [] }), "unmet_authentication_requirements"),
        (json!({ "essential": true, "values": ["gold", ours] }), "code"),
        (json!({ "essential": true, "value": ours }), "code"),
        (json!({ "essential": true }), "code"),
        (json!({ "essential": false, "value": "gold" }), "code"),
        (json!({ "values": ["gold"] }), "code"),
        (json!(null), "code"),
    ] {
        let claims = acr(asked).to_string();
        assert_eq!(silent(&house, &browser, &[("claims", &claims)]).await, expected, "{claims}");
        let back = Back::of(&browser.get(&house.authorize(&[("claims", &claims)])).await);
        assert_eq!(if back.params.contains_key("code") { "code" } else { back.error() }, expected, "{claims}");
    }
    // A mapping that says another class gives another class.
    says(&house, "gold", "#{ acr: \"gold\" }").await;
    let claims = acr(json!({ "essential": true, "value": "gold" })).to_string();
    let more = [("claims", claims.as_str()), ("scope", "openid gold")];
    assert_eq!(silent(&house, &browser, &more).await, "code");
    let tokens = house.redeem(&house.code(&browser, &more).await).await.body;
    assert_eq!(house.verified(&tokens["id_token"]).await["acr"], "gold");
}

#[tokio::test]
async fn claims_are_asked_for_by_name_within_the_scopes() {
    let house = House::with(json!({ "include_claims_in_id_token": false })).await;
    let browser = house.server.signed_in("ada").await;
    let claims =
        json!({ "id_token": { "email": null, "name": { "essential": true } }, "userinfo": { "email": null } }).to_string();
    let told = async |more: &[(&str, &str)]| {
        let tokens = house.redeem(&house.code(&browser, more).await).await.body;
        house.verified(&tokens["id_token"]).await
    };
    let plain = told(&[]).await;
    assert!(!plain.contains_key("email") && !plain.contains_key("name"));
    let asked = told(&[("claims", &claims)]).await;
    assert_eq!((&asked["email"], asked.contains_key("name")), (&json!("ada@example.com"), true));
    let within = told(&[("claims", &claims), ("scope", "openid profile")]).await;
    assert!(!within.contains_key("email") && within.contains_key("name"));
    // What nothing reads is not kept.
    let mut repo = house.server.store.read().await.unwrap();
    let kept = repo.grants().list(&GrantFilter::default(), Page::first(50)).await.unwrap();
    assert!(kept.len() >= 6 && kept.iter().all(|grant| !grant.data.to_string().contains("userinfo")));
}
