//! The policies that are no scripts.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy takes only functions marked as tests for tests, not what they share"
)]

mod kit;

use ak_policy::kinds::UniquePasswordPolicy;
use ak_policy::{Context, Decision, Outcome, PolicyEffect, Request, decide};
use ak_store::Clock as _;
use ak_store::directory::history::ForgetPasswords;
use ak_store::directory::password::{Cost, PasswordHasher};
use ak_store::directory::{Person, accounts};
use ak_store::model::{Pk, WriteError};
use ak_store::records::{Durability, Event};
use kit::House;
use serde_json::{Value, json};
use uuid::Uuid;

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

#[tokio::test]
async fn an_event_meets_all_conditions_or_none() {
    let house = House::new().await;
    let model = "authentik_policies_event_matcher.eventmatcherpolicy";
    let event = |action: &str, ip: &str, app: &str, about: Value| Event {
        pk: Uuid::from_u128(7),
        action: action.into(),
        app: app.into(),
        user: json!({ "username": "ada", "pk": 4 }).as_object().cloned().unwrap(),
        user_pk: Some(4),
        context: json!({ "model": about, "tries": 3, "found": null }).as_object().cloned().unwrap(),
        client_ip: ip.parse().ok(),
        created: house.clock.now(),
        expires: house.clock.now(),
    };
    let login = event("login", "192.0.2.1", "authentik.events", Value::Null);
    let user =
        event("model_updated", "2001:db8::1", "authentik.events", json!({ "app": "authentik_core", "model_name": "user" }));
    let unique = json!({ "app": "authentik_policies_unique_password", "model_name": "uniquepasswordpolicy" });
    let unique = event("model_created", "192.0.2.1", "authentik.events", unique);
    for (fields, expected) in [
        (json!({ "action": "login" }), [true, false, false]),
        (json!({ "client_ip": "192.0.2.1" }), [true, false, true]),
        (json!({ "client_ip": "2001:DB8:0::1" }), [false, true, false]),
        (json!({ "app": "authentik.events" }), [true, true, true]),
        (json!({ "app": "authentik.core" }), [false, true, false]),
        (json!({ "app": "authentik.enterprise.policies.unique_password" }), [false, false, true]),
        (json!({ "model": "authentik_core.user" }), [false, true, false]),
        (json!({ "model": "authentik_core.user", "action": "model_created" }), [false, false, false]),
        (json!({ "model": "authentik_core.user", "action": "model_updated" }), [false, true, false]),
        (json!({ "query": "action = \"login\"" }), [true, false, false]),
        (json!({ "query": "action != \"login\" and client_ip startswith \"2001\"" }), [false, true, false]),
        (json!({ "query": "action = \"login\" or action = \"model_created\" and client_ip ~ \"DB8\"" }), [true, false, false]),
        (
            json!({ "query": "(action = \"login\" or action in (\"x\", \"model_created\")) and user.pk >= 4" }),
            [true, false, true],
        ),
        (json!({ "query": "action not in (\"login\") and context.model.app endswith \"core\"" }), [false, true, false]),
        (json!({ "query": "context.tries > 3 or context.found != None or context.missing <= 5" }), [false, false, false]),
        (json!({ "query": "context.model.app = None and created > \"2024-01-02T11:00:00+00:00\"" }), [true, false, false]),
        (json!({ "query": "created < \"2024-01-02T13:00:00+02:00\"" }), [false, false, false]),
        (
            json!({ "query": "action not startswith \"model\" and action !~ \"OUT\"", "client_ip": "192.0.2.1" }),
            [true, false, false],
        ),
    ] {
        let door = house.guarded(model, fields.clone(), json!({})).await;
        for (event, expected) in [&login, &user, &unique].into_iter().zip(expected) {
            let mut context = Context::default();
            context.set_event(event);
            let decision = decide(door, &Request { context, ..house.request(None) }).await;
            assert_eq!((decision.passing, decision.undecided), (expected, false), "{fields} {}", event.action);
            assert_eq!(decision.messages.is_empty(), expected, "{:?}", decision.messages);
        }
        assert!(!ask(&house, door, None, json!({})).await.passing, "without an event");
    }
    for (field, wrong, said) in [
        ("non_field_errors", json!({}), "At least one criteria must be set."),
        ("client_ip", json!({ "client_ip": "192.0.2.0/24" }), "Enter a valid IPv4 or IPv6 address."),
        ("query", json!({ "query": "action = " }), "column 9: a value is expected, but the query ends"),
        ("query", json!({ "query": "action == \"x\"" }), "column 9: a value is expected, not ="),
        ("query", json!({ "query": "password = 1" }), "column 1: events have no field password; they have"),
        ("query", json!({ "query": "(action = \"x\"" }), "column 14: `)` is expected, but the query ends"),
        ("query", json!({ "query": "action = \"x" }), "column 10: the text does not end"),
        ("query", json!({ "query": "action in \"x\"" }), "column 11: `(` is expected, not"),
        ("query", json!({ "query": "action = 1 action" }), "column 12: `and` or `or` is expected"),
        ("query", json!({ "query": "(".repeat(9000) }), "a query with fewer parentheses is expected"),
        ("action", json!({ "action": "dance" }), "is not a valid choice."),
    ] {
        let mut fields = json!({ "name": "wrong" });
        fields.as_object_mut().unwrap().extend(wrong.as_object().cloned().unwrap());
        let Err(WriteError::Invalid(errors)) = house.make(model, fields.clone()).await else { panic!("{fields}") };
        let first = errors.value()[field][0].as_str().unwrap_or_default().to_owned();
        assert!(first.contains(said), "{wrong}: {}", errors.value());
    }
}

#[tokio::test]
async fn a_password_is_not_one_that_was_there_before() {
    let house = House::new().await;
    let model = "authentik_policies_unique_password.uniquepasswordpolicy";
    let hasher = PasswordHasher::new(Cost::cheap_for_tests());
    let set = async |user: i64, password: &str| {
        let hash = hasher.hash(password).await.unwrap();
        let mut repo = house.store.backend().begin(Durability::Full).await.unwrap();
        let (snapshot, now) = (house.store.snapshot(), house.clock.now());
        accounts::set_password(&mut *repo, &snapshot, user, Some(&hash), now, None).await.unwrap();
        repo.save().await.unwrap();
    };
    let (ada, bob) = (house.person("ada", &[]).await.user.pk, house.person("bob", &[]).await.user.pk);
    set(ada, "before the policy").await;
    let two = house.guarded(model, json!({ "num_historical_passwords": 2 }), json!({})).await;
    let three = house.guarded(model, json!({ "num_historical_passwords": 3, "password_field": "new" }), json!({})).await;
    let none = house.guarded(model, json!({ "num_historical_passwords": 0 }), json!({})).await;
    let asked = async |door: Pk, user: i64, password: &str| {
        let mut repo = house.store.read().await.unwrap();
        let user = repo.users().lookup(user).await.unwrap().unwrap();
        let person = Person::of(&mut *repo, user).await.unwrap();
        let decision =
            ask(&house, door, Some(&person), json!({ "prompt_data": { "password": password, "new": password } })).await;
        let said = if decision.passing { "" } else { "This password has been used previously. Please choose a different one." };
        assert_eq!((decision.messages.concat().as_str(), decision.undecided), (said, false));
        decision.passing
    };
    // The present password counts even where it was set when nothing was kept.
    assert!(
        !asked(two, ada, "before the policy").await && asked(two, ada, "new").await && asked(two, bob, "before the policy").await
    );
    for password in ["first", "second", "third"] {
        set(ada, password).await;
    }
    for (password, with_two, with_three) in
        [("third", false, false), ("second", false, false), ("first", true, false), ("before the policy", true, true)]
    {
        assert_eq!(asked(two, ada, password).await, with_two, "{password}");
        assert_eq!(asked(three, ada, password).await, with_three, "{password}");
        assert!(asked(none, ada, password).await && asked(three, bob, password).await, "{password}");
    }
    let kept = house.store.read().await.unwrap().password_histories().last(ada, 99).await.unwrap();
    assert!(kept.len() == 2 && kept.iter().all(|hash| hash.starts_with("argon2$")), "{kept:?}");
    assert!(ask(&house, two, None, json!({ "password": "third" })).await.passing, "nobody had a password");
    let nothing = ask(&house, two, None, json!({})).await;
    assert_eq!((nothing.passing, nothing.messages), (false, vec!["Password not set in context".to_owned()]));
    let kept = async |user: i64| house.store.read().await.unwrap().password_histories().last(user, 99).await.unwrap().len();
    set(bob, "his first").await;
    let forget = ForgetPasswords::new(house.store.clone());
    assert_eq!((forget.forget().await.unwrap(), kept(ada).await, kept(bob).await), (0, 2, 0), "he had none before");
    set(bob, "his second").await;
    assert_eq!(kept(bob).await, 1);
    // Nothing asks for them any more: the next change forgets them, or else the clean-up.
    let policies: Vec<Pk> = house.store.snapshot().all::<UniquePasswordPolicy>().map(|(at, _)| at.pk()).collect();
    for policy in policies {
        house.store.write(|draft| draft.delete(policy)).await.unwrap();
    }
    set(ada, "fourth").await;
    assert_eq!((kept(ada).await, kept(bob).await), (0, 1));
    assert_eq!((forget.forget().await.unwrap(), kept(bob).await), (1, 0));
}
