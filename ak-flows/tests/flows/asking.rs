//! What an answer leads to.

use ak_policy::Context;
use serde_json::json;

use crate::kit::{ADAS, deny, dummy, house, identification, password, probe, pw, redirect, says, uid};

#[tokio::test]
async fn a_wrong_answer_asks_again_begins_again_or_begins_again_with_what_was_gathered() {
    let house = house().await;
    for (action, expected) in [
        ("retry", ["identification", "password", "password [password: Invalid password]"]),
        ("restart", ["identification", "password", "identification"]),
        ("restart_with_context", ["identification", "password", "identification"]),
    ] {
        let stages = [identification(), password().bound(json!({ "invalid_response_action": action }))];
        house.flow(action, json!({}), &stages).await;
        let mut browser = house.browser();
        assert_eq!(browser.play(action, &[uid("ada"), pw("wrong")]).await, expected, "{action}");
        let plan = browser.session().await.unwrap().plan.unwrap();
        let kept = plan["context"].get("pending_user").is_some();
        assert_eq!(kept, action != "restart", "{action}");
    }
}

#[tokio::test]
async fn a_denial_ends_the_flow_or_begins_it_again() {
    let house = house().await;
    let denies = |action: &str| {
        let seen = probe(json!({ "set": { "seen": true } }));
        let first = dummy().guarded(says("lacks seen"));
        [first, seen, dummy(), deny("No.").bound(json!({ "invalid_response_action": action }))]
    };
    house.flow("retry", json!({}), &denies("retry")).await;
    house.flow("restart", json!({}), &denies("restart")).await;
    house.flow("with-context", json!({}), &denies("restart_with_context")).await;
    let answers = [json!({}), json!({})];
    let play = async |slug| house.machine(slug, None, Context::default(), &answers).await;
    assert_eq!(play("retry").await, ["dummy", "dummy", "access-denied: No."]);
    // From the first stage, or (what was gathered is kept) from the third.
    for (slug, seen) in [("restart", false), ("with-context", true)] {
        let mut browser = house.browser();
        assert_eq!(browser.play(slug, &answers).await, ["dummy", "dummy", "dummy"]);
        let plan = browser.session().await.unwrap().plan.unwrap();
        assert_eq!(plan["context"]["values"].get("seen").is_some(), seen, "{slug}");
    }
}

#[tokio::test]
async fn a_flow_that_refuses_at_once_does_not_begin_again_for_ever() {
    let house = house().await;
    for action in ["restart", "restart_with_context"] {
        house.flow(action, json!({}), &[deny("No.").bound(json!({ "invalid_response_action": action }))]).await;
        assert_eq!(house.browser().get(action).await, "access-denied");
    }
}

#[tokio::test]
async fn an_answer_to_another_challenge_changes_nothing() {
    let house = house().await;
    house.flow("sign-in", json!({}), &[identification(), password()]).await;
    let mut browser = house.browser();
    browser.play("sign-in", &[uid("ada")]).await;
    for component in ["ak-stage-identification", "ak-stage-dummy", ""] {
        let answer = json!({ "component": component, "password": ADAS });
        assert_eq!(browser.post("sign-in", &answer).await, "password", "{component}");
    }
    assert_eq!(browser.post("sign-in", &json!({ "component": "ak-stage-password", "password": ADAS })).await, "-> /");
}

#[tokio::test]
async fn a_field_of_a_wrong_type_or_size_is_told_and_nothing_is_taken() {
    let house = house().await;
    house.flow("sign-in", json!({}), &[identification(), password()]).await;
    let mut browser = house.browser();
    let said = browser.play("sign-in", &[json!({}), json!({ "uid_field": 7 }), uid("ada")]).await;
    let blank = "identification [uid_field: This field may not be blank.]";
    assert_eq!(said, ["identification", blank, "identification [uid_field: Not a valid string.]", "password"]);
    let long = "x".repeat(5000);
    for (value, problem) in [
        (json!(null), "This field may not be blank."),
        (json!(["a"]), "Not a valid string."),
        (json!(long), "Ensure this field has no more than 4096 characters."),
        (json!("a\u{0}b"), "Null characters are not allowed."),
    ] {
        let said = browser.post("sign-in", &json!({ "password": value })).await;
        assert_eq!(said, format!("password [password: {problem}]"));
    }
    assert!(!house.events().await.contains(&"login_failed".to_owned()));
}

#[tokio::test]
async fn the_policies_of_a_flow_are_asked_again_when_it_is_gone_on_with() {
    let house = house().await;
    let flow = house.flow("guarded", json!({}), &[dummy(), dummy()]).await;
    let policy = house.guard(flow.flow.pk(), &says("yes").with(json!({ "message": "Closed." }))).await;
    let mut browser = house.browser();
    assert_eq!(browser.play("guarded", &[json!({})]).await, ["dummy", "dummy"]);
    house.patch(policy, json!({ "says": "no" })).await;
    assert_eq!(browser.post("guarded", &json!({})).await, "access-denied: Closed.");
    assert!(browser.session().await.unwrap().plan.is_none());
}

#[tokio::test]
async fn a_flow_that_now_asks_for_more_is_not_gone_on_with() {
    let house = house().await;
    let flow = house.flow("open", json!({}), &[dummy(), dummy()]).await;
    let mut browser = house.browser();
    browser.play("open", &[json!({})]).await;
    house.patch(flow.flow.pk(), json!({ "authentication": "require_authenticated" })).await;
    assert_eq!(browser.post("open", &json!({})).await, "access-denied");
}

#[tokio::test]
async fn a_stage_that_was_deleted_under_way_begins_the_flow_again_without_the_answer() {
    let house = house().await;
    let flow = house.flow("changed", json!({}), &[dummy(), identification(), dummy()]).await;
    let mut browser = house.browser();
    assert_eq!(browser.play("changed", &[json!({})]).await, ["dummy", "identification"]);
    house.delete(flow.stages[1]).await;
    assert_eq!(browser.post("changed", &uid("ada")).await, "dummy");
    assert_eq!(browser.post("changed", &json!({})).await, "dummy");
    assert_eq!(browser.post("changed", &json!({})).await, "-> /");
}

#[tokio::test]
async fn a_stage_that_broke_under_way_ends_the_flow() {
    let house = house().await;
    let flow = house.flow("broke", json!({}), &[dummy(), dummy()]).await;
    let mut browser = house.browser();
    browser.get("broke").await;
    house.spoil(flow.stages[0]).await;
    assert_eq!(browser.post("broke", &json!({})).await, "access-denied");
}

#[tokio::test]
async fn a_flow_that_was_changed_under_way_begins_again() {
    let house = house().await;
    let flow = house.flow("grows", json!({}), &[dummy(), identification()]).await;
    let mut browser = house.browser();
    browser.play("grows", &[json!({})]).await;
    let deny = house.make("authentik_stages_deny.denystage", &json!({ "name": "late", "deny_message": "Late." })).await;
    let binding = json!({ "target": flow.flow.pk().value(), "stage": deny.value(), "order": 9 });
    house.make("authentik_flows.flowstagebinding", &binding).await;
    // The stage that was added is not missing for who had begun before.
    assert_eq!(browser.post("grows", &uid("ada")).await, "dummy");
    assert_eq!(browser.post("grows", &json!({})).await, "identification");
    assert_eq!(browser.post("grows", &uid("ada")).await, "access-denied: Late.");
}

#[tokio::test]
async fn an_answer_to_a_stage_that_was_replaced_is_not_taken() {
    let house = house().await;
    let flow = house.flow("swaps", json!({}), &[dummy(), dummy(), password()]).await;
    let other = house.flow("other", json!({}), &[identification()]).await;
    let mut browser = house.browser();
    browser.play("swaps", &[json!({})]).await;
    house.patch(flow.bindings[1], json!({ "stage": other.stages[0].value() })).await;
    assert_eq!(browser.post("swaps", &json!({})).await, "dummy");
    assert_eq!(browser.post("swaps", &json!({})).await, "identification");
}

#[tokio::test]
async fn the_dummy_stage_fails_when_told_to_and_nothing_is_kept() {
    let house = house().await;
    house.flow("fails", json!({}), &[dummy(), dummy().with(json!({ "throw_error": true }))]).await;
    let mut browser = house.browser();
    let said = browser.play("fails", &[json!({})]).await;
    assert!(said[1].starts_with("error: the stage fails 1 is configured to fail"), "{said:?}");
    assert!(browser.session().await.is_none());
}

#[tokio::test]
async fn a_deny_stage_tells_its_message_and_ends_the_flow() {
    let house = house().await;
    house.flow("told", json!({}), &[dummy(), deny("Ask Ada."), dummy()]).await;
    house.flow("untold", json!({}), &[deny("")]).await;
    let mut browser = house.browser();
    assert_eq!(browser.play("told", &[json!({})]).await, ["dummy", "access-denied: Ask Ada."]);
    assert_eq!(browser.get("untold").await, "access-denied");
}

#[tokio::test]
async fn a_flow_that_a_redirect_stage_leads_to_is_not_deleted() {
    let house = house().await;
    let other = house.flow("other", json!({}), &[dummy()]).await;
    let stage = redirect(json!({ "mode": "flow", "target_flow": other.flow.pk().value() }));
    house.flow("leads", json!({}), &[dummy(), stage]).await;
    let refused = house.store.write(|draft| draft.delete(other.flow.pk())).await;
    assert!(refused.unwrap_err().to_string().contains("target_flow"));
}
