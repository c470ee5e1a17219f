//! Who somebody is: names and passwords.

use ak_flows::Page;
use ak_policy::Context;
use ak_store::Clock as _;
use ak_store::directory::keys::{NewKey, issue};
use ak_store::records::{Durability, NewUser, Token, TokenIntent};
use chrono::Duration;
use serde_json::{Value, json};

use crate::kit::{ADAS, Browser, House, dummy, house, identification, login, password, pw, uid};

const WRONG: &str = "password [password: Invalid password]";

/// What the page that a browser gets says of the account.
async fn shown(browser: &mut Browser<'_>, slug: &str, fields: &Value) -> (Value, Value) {
    match browser.run(slug, Some(fields)).await.unwrap().page {
        Page::Challenge(challenge, _) => {
            (challenge.fields["pending_user"].clone(), challenge.fields["pending_user_avatar"].clone())
        }
        Page::Redirect(to) => panic!("{to}"),
    }
}

#[tokio::test]
async fn somebody_who_does_not_exist_is_asked_for_a_password_or_told() {
    let house = house().await;
    house.flow("pretends", json!({}), &[identification(), password(), login()]).await;
    let tells = identification().with(json!({ "pretend_user_exists": false }));
    house.flow("tells", json!({}), &[tells, password(), login()]).await;
    let mut browser = house.browser();
    assert_eq!(browser.play("pretends", &[uid("eve"), pw(ADAS)]).await, ["identification", "password", WRONG]);
    let said = house.browser().play("tells", &[uid("eve"), uid("ada")]).await;
    assert_eq!(said, ["identification", "identification [non_field_errors: Failed to authenticate.]", "password"]);
    assert_eq!(house.events().await, ["login_failed", "login_failed"]);
    assert_eq!(house.all_events().await[0].context["username"], "eve");
}

#[tokio::test]
async fn the_next_page_shows_the_account_or_only_what_was_typed() {
    let house = house().await;
    house.change_user(house.ada, |user| user.name = "Ada Lovelace".into()).await;
    house.flow("shows", json!({}), &[identification(), password()]).await;
    let hides = identification().with(json!({ "show_matched_user": false }));
    house.flow("hides", json!({}), &[hides, password()]).await;
    let mut browser = house.browser();
    let (name, _) = shown(&mut browser, "shows", &uid("ada@example.com")).await;
    assert_eq!(name, "ada");
    // Somebody who exists and somebody who does not look the same.
    for typed in ["ada@example.com", "eve@example.com"] {
        let mut browser = house.browser();
        let (name, avatar) = shown(&mut browser, "hides", &uid(typed)).await;
        assert_eq!((name, avatar), (json!(typed), json!(ak_flows::avatar::initials(typed))));
        let (name, _) = shown(&mut browser, "hides", &pw("wrong")).await;
        assert_eq!(name, typed);
    }
    // Shown or not, the password is Ada's.
    assert_eq!(house.browser().play("hides", &[uid("ada"), pw(ADAS)]).await[2], "-> /");
}

#[tokio::test]
async fn case_matters_only_where_the_stage_says_so() {
    let house = house().await;
    let exact = identification().with(json!({ "case_insensitive_matching": false }));
    house.flow("folds", json!({}), &[identification(), password()]).await;
    house.flow("exact", json!({}), &[exact, password()]).await;
    for (slug, typed, end) in [
        ("folds", "ADA", "-> /"),
        ("folds", "Ada@Example.COM", "-> /"),
        ("folds", "  ada ", "-> /"),
        ("exact", "ada", "-> /"),
        ("exact", "ADA", WRONG),
        ("exact", "Ada@Example.COM", WRONG),
    ] {
        assert_eq!(house.browser().play(slug, &[uid(typed), pw(ADAS)]).await[2], end, "{slug} {typed}");
    }
}

#[tokio::test]
async fn only_the_fields_of_the_stage_name_somebody() {
    let house = house().await;
    let upn = serde_json::Map::from_iter([("upn".to_owned(), json!("ada@corp"))]);
    house.change_user(house.ada, |user| user.attributes = upn).await;
    let by = |fields: Value| identification().with(json!({ "user_fields": fields }));
    house.flow("email", json!({}), &[by(json!(["email"])), password()]).await;
    house.flow("upn", json!({}), &[by(json!(["upn"])), password()]).await;
    for (slug, typed, end) in
        [("email", "ada", WRONG), ("email", "ada@example.com", "-> /"), ("upn", "ada", WRONG), ("upn", "ADA@corp", "-> /")]
    {
        assert_eq!(house.browser().play(slug, &[uid(typed), pw(ADAS)]).await[2], end, "{slug} {typed}");
    }
}

#[tokio::test]
async fn an_address_that_two_accounts_have_names_nobody() {
    let house = house().await;
    house.flow("sign-in", json!({}), &[identification(), password(), login()]).await;
    house.change_user(house.bob, |user| user.email = "ADA@example.com".into()).await;
    let said = house.browser().play("sign-in", &[uid("ada@example.com"), pw(ADAS)]).await;
    assert_eq!(said, ["identification", "password", WRONG]);
    assert_eq!(house.browser().play("sign-in", &[uid("ada"), pw(ADAS)]).await[2], "-> /");
}

#[tokio::test]
async fn a_name_that_differs_from_another_only_by_case_keeps_nobody_out() {
    let house = house().await;
    house.flow("sign-in", json!({}), &[identification(), password(), login()]).await;
    // As administrators can still make them.
    house.change_user(house.bob, |user| user.username = "Ada".into()).await;
    assert_eq!(house.browser().play("sign-in", &[uid("ada"), pw(ADAS)]).await[2], "-> /");
    assert_eq!(house.browser().play("sign-in", &[uid("ADA"), pw(ADAS)]).await[2], WRONG, "that could be either");
}

/// A flow that asks for name and password on one page, after three wrong ones no more.
async fn embedded(house: &House, slug: &str, more: Value) {
    let asks = password().with(json!({ "failed_attempts_before_cancel": 3 })).with(more);
    let holder = house.flow(&format!("{slug}-holder"), json!({}), &[asks]).await;
    let both = identification().with(json!({ "password_stage": holder.stages[0].value() }));
    house.flow(slug, json!({}), &[both, login()]).await;
}

fn both(name: &str, password: &str) -> Value {
    json!({ "uid_field": name, "password": password })
}

#[tokio::test]
async fn name_and_password_on_one_page() {
    let house = house().await;
    embedded(&house, "both", json!({})).await;
    const FAILED: &str = "identification [non_field_errors: Failed to authenticate.]";
    let mut browser = house.browser();
    let said = browser.play("both", &[uid("ada"), both("ada", "wrong"), both("eve", ADAS), both("ada", ADAS)]).await;
    let blank = "identification [password: This field may not be blank.]";
    assert_eq!(said, ["identification", blank, FAILED, FAILED, "-> /"]);
    assert_eq!(browser.user().await, Some(house.ada));
}

#[tokio::test]
async fn too_many_wrong_passwords_end_the_flow_and_lock_nobody_out() {
    let house = house().await;
    embedded(&house, "both", json!({})).await;
    let asks = password().with(json!({ "failed_attempts_before_cancel": 3 }));
    house.flow("own", json!({}), &[identification(), asks, login()]).await;
    const ENOUGH: &str = "access-denied: Too many wrong passwords. Please start again.";
    let mut browser = house.browser();
    let said = browser.play("own", &[uid("ada"), pw("1"), pw("2"), pw("3")]).await;
    assert_eq!(said[2..], [WRONG, WRONG, ENOUGH]);
    assert_eq!(browser.get("own").await, "identification");
    let said = house.browser().play("both", &[both("ada", "1"), both("bob", "2"), both("ada", "3")]).await;
    assert_eq!(said[3], ENOUGH);
    for slug in ["own", "both"] {
        let answers = if slug == "own" { vec![uid("ada"), pw(ADAS)] } else { vec![both("ada", ADAS)] };
        assert_eq!(house.browser().play(slug, &answers).await.last().unwrap(), "-> /");
    }
    // A blank field or a look at the page is no attempt.
    let mut browser = house.browser();
    browser.play("own", &[uid("ada"), pw("1"), pw(""), pw(""), pw("")]).await;
    assert_eq!(browser.get("own").await, "password");
    assert_eq!(browser.post("own", &pw(ADAS)).await, "-> /");
}

#[tokio::test]
async fn an_app_password_signs_in_where_the_stage_takes_it() {
    let house = house().await;
    let with = |backends: Value| [identification(), password().with(json!({ "backends": backends })), login()];
    house.flow("token", json!({}), &with(json!(["authentik.core.auth.TokenBackend"]))).await;
    house.flow("inbuilt", json!({}), &with(json!(["authentik.core.auth.InbuiltBackend"]))).await;
    let mut repo = house.store.backend().begin(Durability::Full).await.unwrap();
    for (identifier, user, intent) in [
        ("app", house.ada, TokenIntent::AppPassword),
        ("api", house.ada, TokenIntent::Api),
        ("bobs", house.bob, TokenIntent::AppPassword),
    ] {
        let new = NewKey { identifier, user, intent, description: "", lifetime: Some(Duration::hours(1)) };
        issue(&house.store, &mut *repo, &new, Some(&format!("the {identifier} key"))).await.unwrap();
    }
    repo.save().await.unwrap();
    for (slug, key, end) in [
        ("token", "the app key", "-> /"),
        ("token", "the api key", WRONG),
        ("token", "the bobs key", WRONG),
        ("token", ADAS, WRONG),
        ("inbuilt", "the app key", WRONG),
    ] {
        assert_eq!(house.browser().play(slug, &[uid("ada"), pw(key)]).await[2], end, "{slug} {key}");
    }
    house.clock.advance(Duration::hours(2));
    assert_eq!(house.browser().play("token", &[uid("ada"), pw("the app key")]).await[2], WRONG);
}

/// How an app password can stop being good while a sign-in by it is under way.
#[tokio::test]
async fn an_app_password_must_still_be_good_when_the_sign_in_ends() {
    type Change = fn(&mut Token, &House);
    let changes: [(&str, Change); 4] = [
        ("replaced", |token, house| token.key_hash = house.store.keyring().lookup_hash("another key")),
        ("of another sort", |token, _| token.intent = TokenIntent::Api),
        ("somebody else's", |token, house| token.user = house.bob),
        ("over", |token, house| token.expires = Some(house.clock.now())),
    ];
    for (name, change) in changes {
        let house = house().await;
        let token = password().with(json!({ "backends": ["authentik.core.auth.TokenBackend"] }));
        house.flow("slow", json!({}), &[identification(), token, dummy(), login()]).await;
        let mut repo = house.store.backend().begin(Durability::Full).await.unwrap();
        let intent = TokenIntent::AppPassword;
        let new = NewKey { identifier: "app", user: house.ada, intent, description: "", lifetime: None };
        issue(&house.store, &mut *repo, &new, Some("the app key")).await.unwrap();
        repo.save().await.unwrap();
        let mut browser = house.browser();
        assert_eq!(browser.play("slow", &[uid("ada"), pw("the app key")]).await[2], "dummy");
        let mut repo = house.store.backend().begin(Durability::Full).await.unwrap();
        let mut token = repo.tokens().find_by_identifier("app").await.unwrap().unwrap();
        change(&mut token, &house);
        repo.tokens().update(&token).await.unwrap();
        repo.save().await.unwrap();
        let said = browser.post("slow", &json!({})).await;
        assert_eq!(said, "access-denied: Your account has changed meanwhile. Please sign in again.", "{name}");
        assert_eq!(browser.user().await, None, "{name}");
    }
}

/// One password in each form that Django keeps.
const DJANGO: [&str; 5] = [
    "argon2$argon2id$v=19$m=64,t=3,p=4$ZnNISm9CSmZSUkFuWlhJcjFvR2NiTQ$9pi4ZbWaNAecArQonzfIncIHx3GMWeLABtVCVjL4xXg",
    "pbkdf2_sha256$1200$3ov4fwciWvVJTR1tPb4Y4O$LF0ap6r85kOFrf++/RH3Z+5gGL+xQ2DQC/1Di3ZoLSk=",
    "pbkdf2_sha1$1200$pAIVybSIYW2jVUxVbB5bIt$LZGoYpMr+Q6DuleJy/9gAJzEDvM=",
    "bcrypt_sha256$$2b$05$9v9skS3mqXogR18U4Q8wfOTl89260BWoPGbKD2YJRjfY8KMgS0s9.",
    "scrypt$256$OmGnVdlqqAIVOmXJUP59kK$8$5$mXZ8gRkbZ7plzJRrm7R4pRUv9/f4lh5kNypwamsdjLeqYYd6Z++5Wx20865XJ26pnN/xIwKhNHvINf9enzOqjQ==",
];

#[tokio::test]
async fn passwords_from_django_sign_in_and_become_argon2id() {
    const LETTERS: &str = "pässwörd ☃ 密码";
    let house = house().await;
    house.flow("sign-in", json!({}), &[identification(), password(), login()]).await;
    for (n, hash) in DJANGO.into_iter().enumerate() {
        let new = NewUser { password: Some(hash.into()), ..NewUser::internal(house.store.rng().uuid(), format!("from-{n}")) };
        let pk = house.add_user(new).await;
        let name = uid(&format!("from-{n}"));
        assert_eq!(house.browser().play("sign-in", &[name.clone(), pw("wrong")]).await[2], WRONG, "{hash}");
        assert_eq!(house.account(pk).await.password.as_deref(), Some(hash));
        for _ in 0..2 {
            assert_eq!(house.browser().play("sign-in", &[name.clone(), pw(LETTERS)]).await[2], "-> /", "{hash}");
            let now = house.account(pk).await;
            let kept = now.password.unwrap();
            // The cost of tests is the least that there is: what is stronger stays.
            let upgraded = kept.starts_with("argon2$argon2id$v=19$m=8,t=1,p=1$");
            assert!(upgraded || (kept == hash && hash.starts_with("argon2$argon2id$")), "{kept}");
            assert_eq!(now.password_change_date, now.date_joined);
        }
    }
}

#[tokio::test]
async fn a_stronger_hash_is_kept_only_with_its_turn_and_over_the_old_one() {
    let house = house().await;
    house.flow("sign-in", json!({}), &[identification(), password(), login()]).await;
    let new = NewUser { password: Some(DJANGO[1].into()), ..NewUser::internal(house.store.rng().uuid(), "old") };
    let pk = house.add_user(new).await;
    let lines = house.machine("sign-in", None, Context::default(), &[uid("old"), pw("pässwörd ☃ 密码")]).await;
    assert_eq!(lines[3], format!("* stronger hash for {pk}"));
    assert_eq!(house.account(pk).await.password.as_deref(), Some(DJANGO[1]), "the machine alone changes nothing");
}
