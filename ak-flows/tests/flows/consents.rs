//! What people agree to.

use ak_policy::Context;
use ak_store::records::{Consent, ConsentFilter, Page};
use chrono::Duration;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::kit::{Browser, House, consent, dummy, house};

const APPLICATION: Uuid = Uuid::from_u128(7);

/// What an application that asks for `ids` puts into the context.
fn asks(ids: &[&str]) -> Context {
    let mut context = Context::default();
    context.set(Context::APPLICATION, APPLICATION.to_string());
    context.set(Context::CONSENT_HEADER, "Forge would like to know you");
    let permissions: Vec<Value> = ids.iter().map(|id| json!({ "id": id, "name": format!("Your {id}") })).collect();
    context.set(Context::CONSENT_PERMISSIONS, permissions);
    context
}

async fn kept(house: &House) -> Vec<Consent> {
    house.store.read().await.unwrap().consents().list(&ConsentFilter::default(), Page::ALL).await.unwrap()
}

/// Opens the flow for what is asked for, and agrees if there is a question. What is seen.
async fn agree(browser: &mut Browser<'_>, ids: &[&str]) -> Vec<String> {
    let first = browser.begin_with("consent", asks(ids)).await;
    if first != "consent" {
        return vec![first];
    }
    let token = shown(browser).await["token"].clone();
    vec![first, browser.post("consent", &json!({ "token": token })).await]
}

async fn shown(browser: &mut Browser<'_>) -> Value {
    let ak_flows::Page::Challenge(challenge, false) = browser.run("consent", None).await.unwrap().page else {
        panic!("no challenge")
    };
    Value::Object(challenge.fields)
}

#[tokio::test]
async fn consent_is_asked_for_once_for_a_while_or_always() {
    for (mode, again, later) in [("always_require", 2, 2), ("permanent", 1, 1), ("expiring", 1, 2)] {
        let house = house().await;
        let stage = consent(json!({ "mode": mode, "consent_expire_in": "days=1" }));
        house.flow("consent", json!({}), &[stage]).await;
        let mut browser = house.browser_of(house.bob).await;
        assert_eq!(agree(&mut browser, &["openid", "email"]).await, ["consent", "-> /"], "{mode}");
        let records = kept(&house).await;
        assert_eq!(records.len(), usize::from(mode != "always_require"), "{mode}");
        if let Some(record) = records.first() {
            let expires = (mode == "expiring").then(|| house.store.clock().now() + Duration::days(1));
            let expected = (house.bob, APPLICATION, "email openid");
            assert_eq!((record.user, record.application, record.permissions.as_str()), expected);
            assert_eq!(record.expires.is_some(), expires.is_some(), "{mode}");
        }
        assert_eq!(agree(&mut browser, &["openid"]).await.len(), again, "{mode}");
        house.clock.advance(Duration::hours(25));
        assert_eq!(agree(&mut browser, &["openid"]).await.len(), later, "{mode}");
        // Another account has not agreed.
        assert_eq!(agree(&mut house.browser_of(house.ada).await, &["openid"]).await.len(), 2, "{mode}");
    }
}

#[tokio::test]
async fn what_is_asked_for_in_addition_is_asked_about_and_kept_with_the_rest() {
    let house = house().await;
    house.flow("consent", json!({}), &[consent(json!({ "mode": "permanent" }))]).await;
    let mut browser = house.browser_of(house.bob).await;
    assert_eq!(browser.begin_with("consent", asks(&["openid"])).await, "consent");
    let first = shown(&mut browser).await;
    assert_eq!(first["header_text"], "Forge would like to know you");
    assert_eq!(first["pending_user"], "bob");
    assert_eq!(first["permissions"], json!([{ "id": "openid", "name": "Your openid" }]));
    assert_eq!(first["additional_permissions"], json!([]));
    browser.post("consent", &json!({ "token": first["token"] })).await;
    assert_eq!(browser.begin_with("consent", asks(&["email", "openid"])).await, "consent");
    let second = shown(&mut browser).await;
    assert_eq!(second["permissions"], json!([{ "id": "openid", "name": "Your openid" }]));
    assert_eq!(second["additional_permissions"], json!([{ "id": "email", "name": "Your email" }]));
    assert_ne!(first["token"], second["token"]);
    assert_eq!(browser.post("consent", &json!({ "token": second["token"] })).await, "-> /");
    assert_eq!(kept(&house).await[0].permissions, "email openid");
    assert_eq!(agree(&mut browser, &["email"]).await, ["-> /"]);
}

#[tokio::test]
async fn only_the_answer_to_this_very_page_agrees() {
    let house = house().await;
    house.flow("consent", json!({}), &[consent(json!({ "mode": "permanent" })), dummy()]).await;
    let mut browser = house.browser_of(house.bob).await;
    browser.begin_with("consent", asks(&["openid"])).await;
    let out_of_date = "consent [non_field_errors: This page was out of date. Please look at it again.]";
    for wrong in [json!({}), json!({ "token": "" }), json!({ "token": "x" }), json!({ "token": null })] {
        assert_eq!(browser.post("consent", &wrong).await, out_of_date);
    }
    assert_eq!(browser.post("consent", &json!({ "token": 7 })).await, "consent [token: Not a valid string.]");
    assert!(kept(&house).await.is_empty());
    let token = shown(&mut browser).await["token"].clone();
    assert_eq!(browser.post("consent", &json!({ "token": token })).await, "dummy");
    assert_eq!(kept(&house).await.len(), 1);
}

#[tokio::test]
async fn without_an_application_or_an_account_it_is_always_asked() {
    let house = house().await;
    house.flow("consent", json!({}), &[consent(json!({ "mode": "permanent" }))]).await;
    let mut bare = asks(&["openid"]);
    bare.values.remove(Context::APPLICATION);
    for (user, context) in [(Some(house.bob), bare), (None, asks(&["openid"]))] {
        for _ in 0..2 {
            let mut browser = house.browser();
            if let Some(user) = user {
                browser.sign_in(user).await;
            }
            assert_eq!(browser.begin_with("consent", context.clone()).await, "consent");
            let token = shown(&mut browser).await["token"].clone();
            assert_eq!(browser.post("consent", &json!({ "token": token })).await, "-> /");
        }
    }
    assert!(kept(&house).await.is_empty());
}

#[tokio::test]
async fn a_context_that_cannot_be_read_agrees_to_nothing() {
    let house = house().await;
    house.flow("consent", json!({}), &[consent(json!({ "mode": "permanent" }))]).await;
    for (name, value) in [(Context::APPLICATION, json!("forge")), (Context::CONSENT_PERMISSIONS, json!("openid"))] {
        let mut context = asks(&[]);
        context.set(name, value);
        let visit = house.browser_of(house.bob).await.visit().await;
        let failed = house.runner.run_with(&visit, "consent", ak_flows::Input::default(), context).await;
        assert!(failed.unwrap_err().to_string().contains("cannot be read"), "{name}");
    }
}
