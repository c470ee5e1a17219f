//! Every turn once, every session its own, everything or nothing.

use ak_flows::{CookieChange, RunError};
use ak_store::records::Durability;
use serde_json::json;

use crate::kit::{ADAS, dummy, house, identification, line, login, password, probe, pw, uid};

#[tokio::test]
async fn looking_at_a_flow_without_a_session_stores_nothing() {
    let house = house().await;
    house.flow("sign-in", json!({}), &[identification(), password(), login()]).await;
    let mut browser = house.browser();
    assert_eq!(browser.get("sign-in").await, "identification");
    assert_eq!((house.sessions(None).await, house.events().await.len()), (0, 0));
    // The first answer makes the plan anew, and is taken.
    assert_eq!(browser.post("sign-in", &uid("ada")).await, "password");
    assert_eq!(house.sessions(None).await, 1);
}

#[tokio::test]
async fn a_plan_of_the_same_flow_is_gone_on_with_and_one_of_another_is_dropped() {
    let house = house().await;
    house.flow("a", json!({}), &[dummy(), identification()]).await;
    house.flow("b", json!({}), &[dummy(), identification()]).await;
    let mut browser = house.browser();
    browser.play("a", &[json!({})]).await;
    assert_eq!(browser.get("a").await, "identification");
    assert_eq!(browser.get("b").await, "dummy");
    assert_eq!(browser.get("a").await, "dummy");
}

#[tokio::test]
async fn what_one_flow_has_gathered_never_signs_in_with_another() {
    let house = house().await;
    house.flow("weak", json!({}), &[identification(), dummy()]).await;
    house.flow("strong", json!({}), &[identification(), password(), login()]).await;
    house.flow("only-login", json!({}), &[login()]).await;
    let mut browser = house.browser();
    assert_eq!(browser.play("weak", &[uid("ada")]).await, ["identification", "dummy"]);
    assert_eq!(browser.get("only-login").await, "access-denied: No pending user to login.");
    assert_eq!(browser.play("weak", &[uid("ada")]).await, ["identification", "dummy"]);
    assert_eq!(browser.post("strong", &pw(ADAS)).await, "identification [uid_field: This field may not be blank.]");
    assert_eq!(browser.user().await, None);
}

#[tokio::test]
async fn an_answer_to_an_old_page_shows_where_the_flow_stands() {
    let house = house().await;
    house.flow("steps", json!({}), &[dummy(), identification(), dummy()]).await;
    let mut browser = house.browser();
    browser.play("steps", &[json!({})]).await;
    let old = browser.turn;
    assert_eq!(browser.post("steps", &uid("ada")).await, "dummy");
    for turn in [old, 0, -1, 99] {
        browser.turn = turn;
        assert_eq!(browser.post("steps", &json!({})).await, "dummy", "turn {turn}");
    }
    assert_eq!(browser.post("steps", &json!({})).await, "-> /");
}

#[tokio::test]
async fn of_two_answers_to_one_turn_one_is_taken() {
    let house = house().await;
    house.flow("twice", json!({}), &[dummy(), dummy(), identification()]).await;
    let mut browser = house.browser();
    browser.play("twice", &[json!({})]).await;
    let (visit, input) = (browser.visit().await, browser.input(Some(&json!({}))));
    let first = house.runner.run(&visit, "twice", input.clone()).await.unwrap();
    let second = house.runner.run(&visit, "twice", input).await.unwrap();
    assert_eq!((line(&first.page), first.taken), ("identification".into(), true));
    assert_eq!((line(&second.page), second.taken), ("identification".into(), false));
    assert_eq!(first.turn, second.turn);
}

#[tokio::test]
async fn a_lost_race_keeps_nothing_of_the_loser() {
    let house = house().await;
    house.flow("sign-in", json!({}), &[identification(), password(), login()]).await;
    let mut browser = house.browser();
    browser.play("sign-in", &[uid("ada")]).await;
    let (visit, right) = (browser.visit().await, browser.input(Some(&pw(ADAS))));
    let wrong = browser.input(Some(&pw("wrong")));
    assert!(house.runner.run(&visit, "sign-in", wrong).await.unwrap().taken);
    let late = house.runner.run(&visit, "sign-in", right).await.unwrap();
    assert_eq!((line(&late.page), late.taken, late.cookie), ("password".into(), false, CookieChange::Keep));
    assert_eq!(house.events().await, ["login_failed"]);
    assert_eq!(house.sessions(Some(house.ada)).await, 0);
}

#[tokio::test]
async fn at_once_or_one_after_the_other_a_sign_in_happens_once() {
    let house = house().await;
    house.flow("sign-in", json!({}), &[identification(), password(), login()]).await;
    let mut browser = house.browser();
    browser.play("sign-in", &[uid("ada")]).await;
    let (visit, input) = (browser.visit().await, browser.input(Some(&pw(ADAS))));
    let run = || Box::pin(house.runner.run(&visit, "sign-in", input.clone()));
    let (one, two) = tokio::join!(run(), run());
    let signed_in = [one.unwrap(), two.unwrap()].iter().filter(|o| matches!(o.cookie, CookieChange::Set { .. })).count();
    assert_eq!((signed_in, house.sessions(Some(house.ada)).await), (1, 1));
    assert_eq!(house.events().await, ["login"]);
}

#[tokio::test]
async fn of_a_turn_whose_sign_in_fails_nothing_happens_and_the_flow_is_over() {
    let house = house().await;
    house.flow("fails", json!({}), &[dummy(), dummy(), probe(json!({ "nobody": true })), dummy()]).await;
    let mut browser = house.browser();
    browser.play("fails", &[json!({})]).await;
    let said = browser.post("fails", &json!({})).await;
    assert_eq!(said, "access-denied: Your account has changed meanwhile. Please sign in again.");
    assert!(browser.session().await.unwrap().plan.is_none());
    assert!(house.events().await.is_empty(), "the event of that turn is not kept either");
}

#[tokio::test]
async fn a_proof_that_was_taken_back_signs_nobody_in() {
    let house = house().await;
    house.flow("slow", json!({}), &[identification(), password(), dummy(), login()]).await;
    let mut browser = house.browser();
    browser.play("slow", &[uid("ada"), pw(ADAS)]).await;
    house.clock.advance(chrono::Duration::hours(1));
    let hash = house.hasher.hash("another").await.unwrap();
    let mut repo = house.store.backend().begin(Durability::Full).await.unwrap();
    repo.users().set_password(house.ada, Some(&hash), house.store.clock().now()).await.unwrap();
    repo.save().await.unwrap();
    let said = browser.post("slow", &json!({})).await;
    assert_eq!(said, "access-denied: Your account has changed meanwhile. Please sign in again.");
    assert_eq!((browser.user().await, house.sessions(Some(house.ada)).await), (None, 0));
}

#[tokio::test]
async fn guesses_made_at_once_leave_their_traces() {
    let house = house().await;
    house.flow("sign-in", json!({}), &[identification(), password(), login()]).await;
    let mut browser = house.browser();
    browser.play("sign-in", &[uid("ada")]).await;
    let (visit, input) = (browser.visit().await, browser.input(Some(&pw("wrong"))));
    for _ in 0..3 {
        house.runner.run(&visit, "sign-in", input.clone()).await.unwrap();
    }
    assert_eq!(house.events().await, ["login_failed"; 3]);
}

#[tokio::test]
async fn a_cancelled_flow_begins_anew() {
    let house = house().await;
    house.flow("steps", json!({}), &[dummy(), identification()]).await;
    let mut browser = house.browser();
    browser.play("steps", &[json!({})]).await;
    house.runner.cancel(&browser.session().await.unwrap()).await.unwrap();
    assert_eq!(browser.get("steps").await, "dummy");
}

#[tokio::test]
async fn there_is_no_flow_of_that_name() {
    let house = house().await;
    assert!(matches!(house.browser().run("none", None).await, Err(RunError::NoFlow)));
}
