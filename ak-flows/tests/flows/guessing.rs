//! Guessing passwords.

use chrono::Duration;
use serde_json::{Value, json};

use crate::kit::{ADAS, Browser, House, Spec, deny, dummy, house, identification, login, password, pw, reputation, uid};

/// A sign-in in which those with a bad reputation pass this stage before they are asked for the password.
async fn guarded(house: &House, stage: Spec, policy: Value) {
    let stage = stage.guarded(reputation(policy)).bound(json!({ "evaluate_on_plan": false, "re_evaluate_policies": true }));
    house.flow("sign-in", json!({ "designation": "authentication" }), &[identification(), stage, password(), login()]).await;
}

/// Wrong passwords from this address, each in a browser of its own.
async fn guess(house: &House, ip: &str, name: &str, times: usize) {
    for n in 0..times {
        house.browser().from(ip).play("sign-in", &[uid(name), pw(&format!("wrong {n}"))]).await;
    }
}

async fn said<'a>(browser: &mut Browser<'a>, name: &str) -> String {
    browser.play("sign-in", &[uid(name)]).await.pop().unwrap()
}

#[tokio::test]
async fn who_guesses_is_slowed_down() {
    let house = house().await;
    guarded(&house, dummy(), json!({ "threshold": -3, "check_username": false })).await;
    guess(&house, "192.0.2.1", "ada", 2).await;
    guess(&house, "192.0.2.1", "nobody", 0).await;
    assert_eq!(said(&mut house.browser().from("192.0.2.1"), "ada").await, "password");
    // Other names from the same address count as well, whether somebody has them or not.
    guess(&house, "192.0.2.1", "nobody", 1).await;
    let mut guesser = house.browser().from("192.0.2.1");
    assert_eq!(said(&mut guesser, "ada").await, "dummy");
    assert_eq!(guesser.post("sign-in", &json!({})).await, "password");
    // Who comes from elsewhere is not held up, and whoever gets in makes good for the address.
    assert_eq!(said(&mut house.browser().from("192.0.2.2"), "ada").await, "password");
    assert_eq!(guesser.post("sign-in", &pw(ADAS)).await, "-> /");
    assert_eq!(said(&mut house.browser().from("192.0.2.1"), "bob").await, "password");
    // What is long ago is forgotten.
    guess(&house, "192.0.2.1", "nobody", 3).await;
    assert_eq!(said(&mut house.browser().from("192.0.2.1"), "bob").await, "dummy");
    house.clock.advance(Duration::days(1));
    assert_eq!(said(&mut house.browser().from("192.0.2.1"), "bob").await, "password");
}

#[tokio::test]
async fn a_name_is_protected_from_guesses_from_everywhere() {
    let house = house().await;
    guarded(&house, deny("Too many tries."), json!({ "threshold": -4, "check_ip": false })).await;
    for n in 0..4 {
        assert_eq!(said(&mut house.browser().from("203.0.113.9"), "ada@example.com").await, "password");
        // The user name and the e-mail address are one account's.
        guess(&house, &format!("192.0.2.{n}"), ["ada", "ada@example.com"][n % 2], 1).await;
    }
    assert!(said(&mut house.browser().from("203.0.113.9"), "ada").await.contains("Too many tries."));
    assert_eq!(said(&mut house.browser().from("203.0.113.9"), "bob").await, "password");
}

#[tokio::test]
async fn scores_have_limits() {
    let house = house().await;
    guarded(&house, dummy(), json!({ "threshold": -6, "check_username": false })).await;
    // One name from one address never has less than -5: two names have.
    guess(&house, "192.0.2.1", "ada", 9).await;
    assert_eq!(said(&mut house.browser().from("192.0.2.1"), "ada").await, "password");
    guess(&house, "192.0.2.1", "bob", 1).await;
    assert_eq!(said(&mut house.browser().from("192.0.2.1"), "ada").await, "dummy");
}

#[tokio::test]
async fn guesses_at_the_same_moment_all_count() {
    let house = house().await;
    guarded(&house, dummy(), json!({ "threshold": -4, "check_username": false })).await;
    let mut browser = house.browser().from("192.0.2.1");
    assert_eq!(said(&mut browser, "ada").await, "password");
    // The same session and turn, four times: one answer is kept, each of the guesses counts.
    let visit = browser.visit().await;
    for n in 0..4 {
        let answer = browser.input(Some(&pw(&format!("wrong {n}"))));
        house.runner.run(&visit, "sign-in", answer).await.unwrap();
    }
    assert_eq!(said(&mut house.browser().from("192.0.2.1"), "bob").await, "dummy");
}
