//! The initial set-up: once, by who is at the machine or has read its log.

use ak_flows::{CookieChange, RunError, initial_setup};
use ak_store::records::{Durability, Group};
use chrono::Duration;
use serde_json::{Value, json};

use crate::kit::{Browser, House, house, line, login, prompt, write};

const FAR: &str = "203.0.113.7";
const SETUP: &str = "initial-setup";

/// A house in which nobody can administer anything: `akadmin` has no password, nor has anybody else who could.
async fn fresh() -> House {
    let house = house().await;
    let mut repo = house.store.backend().begin(Durability::Full).await.unwrap();
    repo.users().set_password(house.ada, None, house.store.clock().now()).await.unwrap();
    let new = ak_store::records::NewUser::internal(house.store.rng().uuid(), "akadmin");
    let akadmin = repo.users().add(new, house.store.clock().now()).await.unwrap().pk;
    // By a group within the group of superusers.
    let above = repo.groups().find_by_name("admins").await.unwrap().unwrap();
    let within = Group { parents: vec![above.pk], ..Group::named(house.store.rng().uuid(), "within", house.store.clock().now()) };
    repo.groups().add(&within).await.unwrap();
    repo.groups().add_member(within.pk, akadmin).await.unwrap();
    repo.save().await.unwrap();
    let fields = [("email", "email", json!({})), ("password", "password", json!({})), ("password_repeat", "password", json!({}))];
    let form = prompt(&house.prompts(&fields).await);
    let stages = [form, write(json!({ "user_creation_mode": "never_create" })), login()];
    house.flow(SETUP, json!({ "designation": "stage_configuration" }), &stages).await;
    house
}

fn chosen() -> Value {
    json!({ "email": "ada@example.com", "password": "a new secret", "password_repeat": "a new secret" })
}

async fn is_gone(browser: &mut Browser<'_>) -> bool {
    matches!(browser.run(SETUP, None).await, Err(RunError::NoFlow))
}

#[tokio::test]
async fn at_the_machine_itself_the_password_is_set_once() {
    let house = fresh().await;
    for ip in ["127.0.0.1", "::1"] {
        assert_eq!(house.browser().from(ip).get(SETUP).await, "prompt", "{ip}");
    }
    let mut browser = house.browser().from("127.0.0.1");
    assert_eq!(browser.play(SETUP, &[chosen()]).await, ["prompt", "-> /"]);
    let user = house.store.read().await.unwrap().users().find_by_username("akadmin").await.unwrap().unwrap();
    assert_eq!((browser.user().await, user.email.as_str()), (Some(user.pk), "ada@example.com"));
    assert!(house.hasher.verify("a new secret", user.password.as_deref().unwrap()).await.unwrap().matches);
    assert!(is_gone(&mut browser).await && is_gone(&mut house.browser().from("127.0.0.1")).await);
    assert!(!initial_setup::is_open(&house.store).await.unwrap());
    assert_eq!(initial_setup::offer(&house.store).await.unwrap(), None);
    // Not even when nobody can administer any more.
    house.change_user(user.pk, |user| user.is_active = false).await;
    assert!(is_gone(&mut house.browser().from("127.0.0.1")).await);
}

#[tokio::test]
async fn from_elsewhere_the_code_of_the_log_is_asked_for() {
    let house = fresh().await;
    let code = initial_setup::offer(&house.store).await.unwrap().unwrap();
    let mut browser = house.browser().from(FAR);
    let wrong = "prompt [code: This is not the code from the log of the server.]";
    let said = browser.play(SETUP, &[chosen(), json!({ "code": "x" }), json!({ "code": format!(" {code} ") }), chosen()]).await;
    assert_eq!(said, ["prompt", "prompt [code: This field may not be blank.]", wrong, "prompt", "-> /"]);
    assert!(browser.user().await.is_some());
}

#[tokio::test]
async fn an_address_with_the_code_opens_the_form_and_one_with_another_does_not() {
    let house = fresh().await;
    let code = initial_setup::offer(&house.store).await.unwrap().unwrap();
    let mut other = house.browser().from(FAR);
    other.code = Some("another".into());
    assert!(other.get(SETUP).await.starts_with("prompt [code:"));
    let mut browser = house.browser().from(FAR);
    browser.code = Some(code);
    let outcome = browser.run(SETUP, None).await.unwrap();
    assert!(matches!(outcome.cookie, CookieChange::Set { user: None, .. }), "the browser is remembered");
    browser.code = None;
    assert_eq!(browser.post(SETUP, &chosen()).await, "-> /");
}

#[tokio::test]
async fn an_unknown_address_is_elsewhere() {
    let house = fresh().await;
    let mut browser = house.browser();
    let ak_flows::Page::Challenge(challenge, _) = browser.run(SETUP, None).await.unwrap().page else { panic!("no challenge") };
    assert_eq!(challenge.fields["fields"][1]["field_key"], "code");
    assert!(browser.post(SETUP, &chosen()).await.contains("[code: "));
}

#[tokio::test]
async fn the_codes_of_several_starts_are_good_and_only_their_hashes_are_kept() {
    let house = fresh().await;
    let mut codes = Vec::new();
    for _ in 0..9 {
        codes.push(initial_setup::offer(&house.store).await.unwrap().unwrap());
    }
    let kept = house.store.read().await.unwrap().settings().lookup("initial_setup_codes").await.unwrap().unwrap().to_string();
    assert!(codes.iter().all(|code| !kept.contains(code.as_str())));
    for (i, good) in [(0, false), (1, true), (8, true)] {
        let said = house.browser().from(FAR).play(SETUP, &[json!({ "code": codes[i] })]).await.remove(1);
        assert_eq!(said == "prompt", good, "{i}: {said}");
    }
}

#[tokio::test]
async fn too_many_wrong_codes_make_everybody_wait_or_start_afresh() {
    let house = fresh().await;
    let code = initial_setup::offer(&house.store).await.unwrap().unwrap();
    let right = json!({ "code": code });
    let tries: Vec<Value> = (0..10).map(|i| json!({ "code": i.to_string() })).collect();
    let said = house.browser().from(FAR).play(SETUP, &tries).await;
    assert!(said[10].contains("not the code"), "{said:?}");
    let waiting = "prompt [code: There were too many wrong codes. Wait ten minutes, or restart the server for a new code.]";
    let wrong = json!({ "code": "10" });
    assert_eq!(house.browser().from("203.0.113.8").play(SETUP, std::slice::from_ref(&wrong)).await[1], waiting);
    // Who has the right one, and who is at the machine, need not wait.
    assert_eq!(house.browser().from(FAR).play(SETUP, std::slice::from_ref(&right)).await[1], "prompt");
    assert_eq!(house.browser().from("127.0.0.1").get(SETUP).await, "prompt");
    house.clock.advance(Duration::minutes(10));
    let said = house.browser().from(FAR).play(SETUP, std::slice::from_ref(&wrong)).await;
    assert!(said[1].contains("not the code"), "{said:?}");
    house.browser().from(FAR).play(SETUP, &tries).await;
    let fresh = initial_setup::offer(&house.store).await.unwrap().unwrap();
    for code in [json!({ "code": fresh }), right] {
        assert_eq!(house.browser().from(FAR).play(SETUP, &[code]).await[1], "prompt");
    }
}

#[tokio::test]
async fn a_code_is_good_for_a_day() {
    let house = fresh().await;
    let code = initial_setup::offer(&house.store).await.unwrap().unwrap();
    let right = [json!({ "code": code })];
    house.clock.advance(Duration::hours(23));
    assert_eq!(house.browser().from(FAR).play(SETUP, &right).await[1], "prompt");
    house.clock.advance(Duration::hours(1));
    let said = house.browser().from(FAR).play(SETUP, &right).await;
    assert!(said[1].contains("not the code"), "{said:?}");
}

#[tokio::test]
async fn of_two_browsers_at_once_one_wins() {
    let house = fresh().await;
    let (mut one, mut two) = (house.browser().from("127.0.0.1"), house.browser().from("127.0.0.1"));
    // Both have got so far that only the end of it is left.
    let mut said = Vec::new();
    for browser in [&mut one, &mut two] {
        browser.get(SETUP).await;
        assert!(browser.post(SETUP, &json!({ "password": "x" })).await.starts_with("prompt ["));
        said.push((browser.visit().await, browser.input(Some(&chosen()))));
    }
    let [(first, here), (second, there)] = <[_; 2]>::try_from(said).unwrap();
    let run = |visit, input| Box::pin(house.runner.run(visit, SETUP, input));
    let turn = house.store.backend().begin(Durability::Full).await.unwrap();
    let (a, b, ()) = tokio::join!(run(&first, here), run(&second, there), async {
        // Until both have seen that the set-up is still open.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        drop(turn);
    });
    let mut said: Vec<String> =
        [a, b].into_iter().map(|outcome| outcome.map_or_else(|e| e.to_string(), |o| line(&o.page))).collect();
    said.sort();
    assert_eq!(said, ["-> /", "access-denied: This installation has been set up meanwhile. Please sign in."]);
    assert_eq!(house.sessions(Some(house.ada)).await, 0);
    let events = house.events().await;
    assert_eq!(events.iter().filter(|action| *action == "login").count(), 1, "{events:?}");
}

#[tokio::test]
async fn who_has_a_password_already_needs_no_set_up() {
    let house = fresh().await;
    // A password of somebody who is not an administrator, or not active, is none.
    assert!(initial_setup::is_open(&house.store).await.unwrap());
    house.change_user(house.ada, |user| user.is_active = false).await;
    let hash = house.hasher.hash("from the command line").await.unwrap();
    let set = async |password: Option<&str>| {
        let mut repo = house.store.backend().begin(Durability::Full).await.unwrap();
        repo.users().set_password(house.ada, password, house.store.clock().now()).await.unwrap();
        repo.save().await.unwrap();
    };
    set(Some(&hash)).await;
    assert!(initial_setup::is_open(&house.store).await.unwrap());
    set(Some("!unusable")).await;
    house.change_user(house.ada, |user| user.is_active = true).await;
    assert!(initial_setup::is_open(&house.store).await.unwrap());
    let mut browser = house.browser().from("127.0.0.1");
    assert_eq!(browser.get(SETUP).await, "prompt");
    set(Some(&hash)).await;
    assert!(is_gone(&mut browser).await);
    // For ever.
    set(None).await;
    assert!(is_gone(&mut browser).await);
}

#[tokio::test]
async fn a_set_up_that_was_begun_does_not_go_on_under_another_name() {
    let house = fresh().await;
    let mut browser = house.browser().from("127.0.0.1");
    assert!(browser.play(SETUP, &[json!({ "password": "x" })]).await[1].starts_with("prompt ["));
    let (at, _) =
        house.store.snapshot().by::<ak_flows::Flow>("slug", SETUP).map(|(at, flow)| (at.pk(), flow.title.clone())).unwrap();
    house.patch(at, json!({ "slug": "harmless" })).await;
    assert_eq!(browser.post("harmless", &chosen()).await, "access-denied: There is no account to write to.");
    assert!(initial_setup::is_open(&house.store).await.unwrap());
}

#[tokio::test]
async fn who_has_signed_in_sets_up_the_administrator_and_not_herself() {
    let house = fresh().await;
    let before = house.account(house.bob).await.password;
    let mut browser = house.browser_of(house.bob).await.from("127.0.0.1");
    assert_eq!(browser.play(SETUP, &[chosen()]).await, ["prompt", "-> /"]);
    assert_eq!(house.account(house.bob).await.password, before);
    assert_ne!(browser.user().await, Some(house.bob));
}
