//! The policies that are no scripts.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy takes only functions marked as tests for tests, not what they share"
)]

mod kit;

use ak_policy::{Context, Decision, Outcome, PolicyEffect, Request, decide};
use ak_store::directory::Person;
use ak_store::model::{Pk, WriteError};
use kit::House;
use serde_json::{Value, json};

async fn ask(house: &House, door: Pk, person: Option<&Person>, gathered: Value) -> Decision {
    let context = Context { values: gathered.as_object().cloned().unwrap(), ..Context::default() };
    decide(door, &Request { context, ..house.request(person) }).await
}

#[tokio::test]
async fn a_dummy_says_what_it_is_told_within_its_time() {
    let house = House::new().await;
    let model = "authentik_policies_dummy.dummypolicy";
    for result in [true, false] {
        let door = house.guarded(model, json!({ "result": result, "wait_min": 0, "wait_max": 0 }), json!({})).await;
        let decision = ask(&house, door, None, json!({})).await;
        assert_eq!((decision.passing, decision.messages), (result, vec!["dummy".to_owned()]));
    }
    let slow = json!({ "result": true, "wait_min": 60, "wait_max": 60 });
    let door = house.guarded(model, slow, json!({ "timeout": 1, "negate": true })).await;
    let decision = ask(&house, door, None, json!({})).await;
    assert!(!decision.passing && decision.undecided);
    assert_eq!(decision.trace[0].outcome, Outcome::Failed("the time is over".into()));
}

#[tokio::test]
async fn a_password_keeps_the_rules() {
    let house = House::new().await;
    let model = "authentik_policies_password.passwordpolicy";
    let rules = json!({
        "length_min": 8, "amount_digits": 1, "amount_uppercase": 1, "amount_lowercase": 2, "amount_symbols": 1, "error_message": "weak",
    });
    let door = house.guarded(model, rules, json!({})).await;
    for (password, passing) in [
        ("Passw0rd!", true),
        ("Pass0rd!", true),
        ("Pas0rd!", false),
        ("Password!", false),
        ("passw0rd!", false),
        ("PASSW0Rd!", false),
        ("Passw0rds", false),
        ("Passw\u{f6}rd1!", true),
    ] {
        let decision = ask(&house, door, None, json!({ "prompt_data": { "password": password } })).await;
        assert_eq!(decision.passing, passing, "{password}");
        assert_eq!(decision.messages.is_empty(), passing);
    }
    assert!(ask(&house, door, None, json!({ "password": "Passw0rd!" })).await.passing);
    let nothing = ask(&house, door, None, json!({ "prompt_data": { "other": "Passw0rd!" } })).await;
    assert_eq!((nothing.passing, nothing.messages), (false, vec!["Password not set in context".to_owned()]));
    let guess = json!({ "check_static_rules": false, "check_zxcvbn": true, "password_field": "new" });
    let door = house.guarded(model, guess, json!({})).await;
    let weak = ask(&house, door, None, json!({ "prompt_data": { "new": "password1" } })).await;
    assert!(!weak.passing && weak.messages.len() > 1 && weak.messages[0] == "Password is too weak.");
    assert!(ask(&house, door, None, json!({ "prompt_data": { "new": "ten purple llamas juggle" } })).await.passing);
    let leaked = house.make(model, json!({ "name": "leaked", "check_have_i_been_pwned": true })).await;
    let Err(WriteError::Invalid(errors)) = leaked else { panic!("{leaked:?}") };
    assert!(errors.value()["check_have_i_been_pwned"].is_array());
}

#[tokio::test]
async fn a_password_that_is_too_old_expires() {
    let house = House::new().await;
    let model = "authentik_policies_expiry.passwordexpirypolicy";
    let ada = house.person("ada", &[]).await;
    let deny = house.guarded(model, json!({ "days": 30, "deny_only": true }), json!({})).await;
    let expire = house.guarded(model, json!({ "days": 30 }), json!({})).await;
    assert!(ask(&house, deny, Some(&ada), json!({})).await.passing);
    house.clock.advance(chrono::Duration::days(29));
    assert!(ask(&house, expire, Some(&ada), json!({})).await.passing);
    house.clock.advance(chrono::Duration::days(3));
    let denied = ask(&house, deny, Some(&ada), json!({})).await;
    assert_eq!((denied.passing, denied.messages), (false, vec!["Password has expired.".to_owned()]));
    assert!(denied.changes.is_empty());
    let expired = ask(&house, expire, Some(&ada), json!({})).await;
    assert_eq!(expired.messages, ["Password expired 2 days ago. Please update your password."]);
    assert_eq!(expired.changes.effects, [PolicyEffect::ExpirePassword { user: ada.user.pk }]);
    assert!(ask(&house, deny, None, json!({})).await.undecided);
}
