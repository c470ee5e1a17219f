//! What flows are run for.

use ak_flows::Finale;
use ak_store::records::{GrantFilter, Page, TaskFilter};
use serde_json::{Value, json};

use crate::kit::{House, context, dummy, house, probe, redirect};

fn finale(data: Value) -> Finale {
    Finale { stage: "answer".into(), data, context: context("asked", "yes") }
}

async fn grants(house: &House) -> u64 {
    house.store.read().await.unwrap().grants().count(&GrantFilter::default()).await.unwrap()
}

#[tokio::test]
async fn a_flow_without_stages_ends_at_once_with_what_it_is_run_for() {
    let house = house().await;
    house.flow("empty", json!({}), &[]).await;
    let mut browser = house.browser_of(house.ada).await;
    assert_eq!(browser.begin_with("empty", finale(json!({ "to": "https://app.example/cb" }))).await, "-> https://app.example/cb");
    assert_eq!(grants(&house).await, 1);
    // The flow by itself is run for nothing.
    assert_eq!(browser.get("empty").await, "-> /");
    assert_eq!(grants(&house).await, 1);
    // Nobody who has no session is given anything.
    let mut stranger = house.browser();
    assert_ne!(stranger.begin_with("empty", finale(json!({ "to": "/there" }))).await, "-> /there");
    assert_eq!(grants(&house).await, 1);
}

#[tokio::test]
async fn stages_come_first_and_an_answer_counts_once() {
    let house = house().await;
    house.flow("asks", json!({}), &[dummy()]).await;
    let mut browser = house.browser_of(house.ada).await;
    assert_eq!(browser.begin_with("asks", finale(json!({ "to": "/there", "ask": true }))).await, "dummy");
    let (stale, turn) = (browser.key.clone(), browser.turn);
    assert_eq!(browser.post("asks", &json!({})).await, "answers");
    assert_eq!(browser.post("asks", &json!({})).await, "-> /there");
    assert_eq!(grants(&house).await, 1);
    (browser.key, browser.turn) = (stale, turn);
    assert_eq!(browser.post("asks", &json!({})).await, "dummy", "the flow begins again, for nothing");
    assert_eq!(grants(&house).await, 1);
}

#[tokio::test]
async fn what_it_is_run_for_outlives_a_restart_and_is_not_what_stages_gather() {
    let house = house().await;
    let forger = probe(json!({ "set": { "to": "https://evil.example/", "data": { "to": "https://evil.example/" } } }));
    let built = house.flow("changed", json!({}), &[forger, dummy()]).await;
    let mut browser = house.browser_of(house.ada).await;
    assert_eq!(browser.begin_with("changed", finale(json!({ "to": "/there" }))).await, "dummy");
    house.patch(built.bindings[1], json!({ "order": 77 })).await;
    assert_eq!(browser.post("changed", &json!({})).await, "dummy", "the flow was changed");
    let plan = browser.session().await.unwrap().plan.unwrap();
    assert_eq!(plan["context"]["values"]["asked"], "yes");
    assert_eq!(browser.post("changed", &json!({})).await, "-> /there");
    // Another flow goes on for the same only where it takes along what was gathered.
    let to = house.flow("to", json!({}), &[dummy()]).await.flow.pk().value();
    for (keep, end) in [(true, "-> /there"), (false, "-> /")] {
        let slug = format!("from-{keep}");
        house.flow(&slug, json!({}), &[redirect(json!({ "mode": "flow", "target_flow": to, "keep_context": keep }))]).await;
        assert_eq!(browser.begin_with(&slug, finale(json!({ "to": "/there" }))).await, "-> /if/flow/to/");
        assert_eq!(browser.play("to", &[json!({})]).await, ["dummy", end]);
    }
}

#[tokio::test]
async fn what_belongs_to_a_session_goes_on_where_the_same_person_signs_in_again() {
    let house = house().await;
    house.flow("empty", json!({}), &[]).await;
    let mut browser = house.browser_of(house.ada).await;
    browser.begin_with("empty", finale(json!({ "to": "/there" }))).await;
    let first = browser.session().await.unwrap().id;
    browser.sign_in(house.ada).await;
    let second = browser.session().await.unwrap().id;
    assert_ne!(first, second);
    let tasks = async || house.store.read().await.unwrap().tasks().list(&TaskFilter::default(), Page::ALL).await.unwrap();
    assert_eq!(tasks().await.len(), 0);
    let grant = house.store.read().await.unwrap().grants().list(&GrantFilter::default(), Page::ALL).await.unwrap().remove(0);
    assert_eq!(grant.session, Some(second));
    // Somebody else signs in: the first one has signed out of what she used.
    browser.sign_in(house.bob).await;
    let told = tasks().await;
    assert_eq!((told.len(), &told[0].args), (1, &json!({ "whom": "/there", "sid": hex::encode(first) })));
}

#[tokio::test]
async fn what_ends_where_it_began_leaves_the_page_of_another_flow_as_it_is() {
    let house = house().await;
    house.flow("empty", json!({}), &[]).await;
    house.flow("asks", json!({}), &[dummy()]).await;
    let mut browser = house.browser_of(house.ada).await;
    assert_eq!(browser.begin_with("asks", finale(json!({ "to": "/first" }))).await, "dummy");
    let turn = browser.turn;
    assert_eq!(browser.begin_with("empty", finale(json!({ "to": "/second" }))).await, "-> /second");
    assert_eq!((browser.turn, grants(&house).await), (turn, 1));
    assert_eq!(browser.post("asks", &json!({})).await, "-> /first");
    assert_eq!(grants(&house).await, 2);
}
