//! Signing in and out.

use ak_flows::CookieChange;
use ak_policy::Context;
use ak_store::records::NewUser;
use chrono::Duration;
use serde_json::json;

use crate::kit::{ADAS, dummy, house, identification, login, logout, password, pw, uid};

fn authentication() -> serde_json::Value {
    json!({ "designation": "authentication" })
}

#[tokio::test]
async fn the_usual_sign_in() {
    let house = house().await;
    house.flow("sign-in", authentication(), &[identification(), password(), login()]).await;
    let lines = house.machine("sign-in", None, Context::default(), &[uid("ada"), pw("wrong"), pw(ADAS)]).await;
    let ada = house.ada;
    assert_eq!(
        lines,
        [
            "identification",
            "password",
            "password [password: Invalid password]",
            "* event login_failed",
            "-> /",
            "* event login",
            &format!("* login of {ada} by password"),
        ]
    );
    let mut browser = house.browser().to("/there");
    let said = browser.play("sign-in", &[uid("ada"), pw("wrong"), pw(ADAS)]).await;
    assert_eq!(said, ["identification", "password", "password [password: Invalid password]", "-> /there"]);
    assert_eq!(browser.user().await, Some(ada));
    let session = browser.session().await.unwrap();
    assert_eq!((session.plan.is_none(), session.data["auth_method"].as_str()), (true, Some("password")));
    assert!(house.account(ada).await.last_login.is_some());
    assert_eq!(house.events().await, ["login_failed", "login"]);
}

#[tokio::test]
async fn signing_in_gives_a_new_session_and_the_old_one_is_gone() {
    let house = house().await;
    house.flow("sign-in", authentication(), &[identification(), password(), login(), dummy()]).await;
    let mut browser = house.browser();
    browser.play("sign-in", &[uid("ada")]).await;
    let old = browser.key.clone();
    assert_eq!(browser.post("sign-in", &pw(ADAS)).await, "dummy");
    assert_ne!(browser.key, old);
    let (new, mut stolen) = (browser.key.clone(), house.browser());
    stolen.key = old;
    assert!(stolen.session().await.is_none());
    // The flow goes on in the new session.
    assert_eq!(browser.post("sign-in", &json!({})).await, "-> /");
    assert_eq!((browser.user().await, &browser.key), (Some(house.ada), &new));
}

#[tokio::test]
async fn a_session_lasts_as_the_stage_says_and_longer_for_who_is_remembered() {
    let house = house().await;
    let lasting = login().with(json!({ "session_duration": "hours=1", "remember_me_offset": "days=1" }));
    house.flow("sign-in", authentication(), &[identification(), lasting]).await;
    let hour = Duration::hours(1);
    for (remember, age) in
        [(json!(false), hour), (json!(true), hour + Duration::days(1)), (json!("on"), hour + Duration::days(1))]
    {
        let mut browser = house.browser();
        let said = browser.play("sign-in", &[uid("ada"), json!({})]).await;
        assert_eq!(said[1..], ["user-login", "user-login [remember_me: This field is required.]"]);
        let outcome = browser.run("sign-in", Some(&json!({ "remember_me": remember }))).await.unwrap();
        let CookieChange::Set { max_age, user, .. } = outcome.cookie else { panic!("no cookie") };
        assert_eq!((max_age, user), (Some(age), Some(house.ada)));
        house.clock.advance(age - Duration::seconds(1));
        assert_eq!(browser.user().await, Some(house.ada));
        house.clock.advance(Duration::seconds(2));
        assert_eq!(browser.user().await, None);
    }
}

#[tokio::test]
async fn without_a_duration_a_session_lasts_as_long_as_the_browser() {
    let house = house().await;
    house.flow("sign-in", authentication(), &[identification(), login()]).await;
    let mut browser = house.browser();
    browser.get("sign-in").await;
    let outcome = browser.run("sign-in", Some(&uid("ada"))).await.unwrap();
    assert!(matches!(outcome.cookie, CookieChange::Set { max_age: None, .. }));
}

#[tokio::test]
async fn other_sessions_end_where_the_stage_says_so() {
    let house = house().await;
    house.flow("keeps", authentication(), &[identification(), login()]).await;
    let ends = login().with(json!({ "terminate_other_sessions": true }));
    house.flow("ends", authentication(), &[identification(), ends]).await;
    let (elsewhere, bobs) = (house.browser_of(house.ada).await, house.browser_of(house.bob).await);
    house.browser().play("keeps", &[uid("ada")]).await;
    assert_eq!(house.sessions(Some(house.ada)).await, 2);
    let mut browser = house.browser();
    browser.play("ends", &[uid("ada")]).await;
    assert_eq!(house.sessions(Some(house.ada)).await, 1);
    assert_eq!((browser.user().await, elsewhere.user().await), (Some(house.ada), None));
    assert_eq!(bobs.user().await, Some(house.bob));
}

#[tokio::test]
async fn an_inactive_account_does_not_sign_in() {
    let house = house().await;
    house.flow("no-password", authentication(), &[identification(), login()]).await;
    house.flow("password", authentication(), &[identification(), password(), login()]).await;
    house.change_user(house.ada, |user| user.is_active = false).await;
    let said = house.browser().play("no-password", &[uid("ada")]).await;
    assert_eq!(said, ["identification", "access-denied: User account is not active, cannot login."]);
    // With a password it is not told apart from a wrong one.
    let said = house.browser().play("password", &[uid("ada"), pw(ADAS)]).await;
    assert_eq!(said, ["identification", "password", "password [password: Invalid password]"]);
    assert_eq!(house.sessions(None).await, 1);
}

#[tokio::test]
async fn an_account_without_a_password_has_none_that_fits() {
    let house = house().await;
    house.flow("sign-in", authentication(), &[identification(), password(), login()]).await;
    house.add_user(NewUser::internal(house.store.rng().uuid(), "machine")).await;
    let said = house.browser().play("sign-in", &[uid("machine"), pw("!"), pw("machine")]).await;
    assert_eq!(said[2..], ["password [password: Invalid password]"; 2]);
}

#[tokio::test]
async fn an_account_that_is_deleted_under_way_does_not_sign_in() {
    let house = house().await;
    house.flow("sign-in", authentication(), &[identification(), dummy(), login()]).await;
    let mut browser = house.browser();
    browser.play("sign-in", &[uid("bob")]).await;
    let mut unit = house.store.begin(ak_store::records::Durability::Full).await.unwrap();
    unit.delete_user(house.bob).await.unwrap();
    unit.save().await.unwrap();
    assert_eq!(browser.post("sign-in", &json!({})).await, "access-denied: No pending user to login.");
}

#[tokio::test]
async fn signing_out_ends_the_session() {
    let house = house().await;
    house.flow("sign-out", json!({ "designation": "invalidation" }), &[logout()]).await;
    let mut browser = house.browser_of(house.ada).await;
    let mut copy = house.browser();
    copy.key = browser.key.clone();
    assert_eq!(browser.get("sign-out").await, "-> /");
    assert_eq!((browser.key.clone(), copy.user().await), (None, None));
    assert_eq!(house.events().await, ["login", "logout"]);
    // Nobody has signed in: nothing to do.
    assert_eq!(house.browser().get("sign-out").await, "-> /");
}

#[tokio::test]
async fn a_sign_out_that_does_not_sign_out_says_so() {
    let house = house().await;
    house.flow("empty", json!({ "designation": "invalidation" }), &[]).await;
    let mut browser = house.browser_of(house.ada).await;
    assert_eq!(browser.get("empty").await, "session-end");
    assert_eq!(browser.user().await, Some(house.ada));
    let events = house.all_events().await;
    assert_eq!(events[1].action, "configuration_warning");
    assert!(events[1].context["message"].as_str().unwrap().contains("empty"));
    assert_eq!(house.browser().get("empty").await, "-> /");
}
