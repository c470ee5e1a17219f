//! Where a flow ends, and how one leads into another.

use ak_policy::Context;
use serde_json::json;

use crate::kit::{context, deny, dummy, house, probe, redirect, says};

#[tokio::test]
async fn a_refused_flow_ends_as_its_denied_action_says() {
    let house = house().await;
    for (action, without, with) in [
        ("message_continue", "access-denied: No.", "-> /there"),
        ("message", "access-denied: No.", "access-denied: No."),
        ("continue", "-> /", "-> /there"),
    ] {
        let slug = action.replace('_', "-");
        let flow = house.flow(&slug, json!({ "denied_action": action }), &[dummy()]).await;
        house.guard(flow.flow.pk(), &says("no").with(json!({ "message": "No." }))).await;
        assert_eq!(house.browser().get(&slug).await, without, "{action}");
        assert_eq!(house.browser().to("/there").get(&slug).await, with, "{action}");
        let absolute = house.browser().to("https://evil.example/").get(&slug).await;
        assert_eq!(absolute, without, "{action}: an absolute address is none");
    }
}

#[tokio::test]
async fn who_may_not_sign_in_reads_why_instead_of_coming_back_for_ever() {
    let house = house().await;
    let flow = house.flow("sign-in", json!({ "designation": "authentication" }), &[dummy()]).await;
    house.guard(flow.flow.pk(), &says("no").with(json!({ "message": "No." }))).await;
    assert_eq!(house.browser().to("/there").get("sign-in").await, "access-denied: No.");
}

#[tokio::test]
async fn who_has_signed_in_need_not_sign_in_whatever_the_denied_action() {
    let house = house().await;
    for action in ["message_continue", "message", "continue"] {
        let fields = json!({ "designation": "authentication", "denied_action": action });
        house.flow(action, fields, &[dummy()]).await;
        let mut browser = house.browser_of(house.ada).await;
        assert_eq!(browser.get(action).await, "-> /");
        let mut browser = house.browser_of(house.ada).await.to("/there");
        assert_eq!(browser.get(action).await, "-> /there");
        assert_eq!(house.browser().get(action).await, "dummy");
    }
}

#[tokio::test]
async fn the_end_is_where_the_person_wanted_to_go_if_that_is_here() {
    let house = house().await;
    house.flow("short", json!({}), &[dummy()]).await;
    for (next, end) in [
        ("/if/user/?a=b#c", "-> /if/user/?a=b#c"),
        ("https://evil.example/", "-> /"),
        ("//evil.example/", "-> /"),
        ("/\\evil.example/", "-> /"),
        ("javascript:alert(1)", "-> /"),
        ("", "-> /"),
    ] {
        assert_eq!(house.browser().to(next).play("short", &[json!({})]).await, ["dummy", end], "{next}");
    }
}

#[tokio::test]
async fn the_goal_is_remembered_from_the_first_page() {
    let house = house().await;
    house.flow("long", json!({}), &[dummy(), dummy(), dummy()]).await;
    let mut browser = house.browser().to("/there");
    browser.play("long", &[json!({})]).await;
    browser.next = None;
    assert_eq!(browser.post("long", &json!({})).await, "dummy");
    assert_eq!(browser.post("long", &json!({})).await, "-> /there");
}

#[tokio::test]
async fn an_end_that_the_flow_decided_wins_and_may_be_elsewhere() {
    let house = house().await;
    let decides = probe(json!({ "set": { "redirect": "https://app.example/back" } }));
    house.flow("decides", json!({}), &[decides, dummy()]).await;
    let mut browser = house.browser().to("/there");
    assert_eq!(browser.play("decides", &[json!({})]).await, ["dummy", "-> https://app.example/back"]);
    let script = probe(json!({ "set": { "redirect": "javascript:alert(1)" } }));
    house.flow("script", json!({}), &[script, dummy()]).await;
    let mut browser = house.browser().to("/there");
    assert_eq!(browser.play("script", &[json!({})]).await, ["dummy", "-> /there"]);
}

#[tokio::test]
async fn a_redirect_stage_leads_to_an_address_and_ends_the_flow() {
    let house = house().await;
    let to = redirect(json!({ "mode": "static", "target_static": "https://app.example/" }));
    house.flow("leads", json!({}), &[dummy(), to, deny("unseen")]).await;
    let mut browser = house.browser().to("/there");
    assert_eq!(browser.play("leads", &[json!({})]).await, ["dummy", "-> https://app.example/"]);
    assert!(browser.session().await.is_none_or(|s| s.plan.is_none()));
}

#[tokio::test]
async fn a_redirect_stage_leads_into_another_flow_with_or_without_what_was_gathered() {
    let house = house().await;
    let target = house.flow("target", json!({}), &[probe(json!({ "echo": true }))]).await;
    for (slug, keep, seen) in [("with", true, r#"["is_redirected","seen"]"#), ("without", false, r#"["is_redirected"]"#)] {
        let to = redirect(json!({ "mode": "flow", "target_flow": target.flow.pk().value(), "keep_context": keep }));
        house.flow(slug, json!({}), &[dummy(), probe(json!({ "set": { "seen": 1 } })), to]).await;
        let mut browser = house.browser().to("/there");
        assert_eq!(browser.play(slug, &[json!({})]).await, ["dummy", "-> /if/flow/target/"]);
        // The goal survives the hop, though the address of the next page does not carry it.
        browser.next = None;
        assert_eq!(browser.play("target", &[json!({})]).await, [format!("probe: {seen}"), "-> /there".into()]);
    }
}

#[tokio::test]
async fn a_flow_that_is_only_led_to_is_reached_by_a_redirect_also_without_a_session() {
    let house = house().await;
    let target = house.flow("target", json!({ "authentication": "require_redirect" }), &[dummy()]).await;
    let to = redirect(json!({ "mode": "flow", "target_flow": target.flow.pk().value() }));
    house.flow("leads", json!({}), &[to]).await;
    assert_eq!(house.browser().get("target").await, "access-denied");
    let mut browser = house.browser();
    assert_eq!(browser.get("leads").await, "-> /if/flow/target/");
    assert_eq!(browser.play("target", &[json!({})]).await, ["dummy", "-> /"]);
}

#[tokio::test]
async fn the_policies_of_the_flow_that_is_led_to_decide() {
    let house = house().await;
    let target = house.flow("target", json!({}), &[dummy()]).await;
    house.guard(target.flow.pk(), &says("no").with(json!({ "message": "Not you." }))).await;
    let to = redirect(json!({ "mode": "flow", "target_flow": target.flow.pk().value() }));
    house.flow("leads", json!({}), &[to]).await;
    assert_eq!(house.browser().get("leads").await, "access-denied: Not you.");
}

#[tokio::test]
async fn a_flow_begins_with_what_another_room_has_gathered_and_keeps_it() {
    let house = house().await;
    house.flow("echo", json!({}), &[probe(json!({ "echo": true })), probe(json!({ "echo": true }))]).await;
    for mut browser in [house.browser_of(house.ada).await, house.browser()] {
        assert_eq!(browser.begin_with("echo", context("source", "ldap")).await, r#"probe: ["source"]"#);
        assert_eq!(browser.post("echo", &json!({})).await, r#"probe: ["source"]"#);
    }
    assert_eq!(house.machine("echo", None, Context::default(), &[]).await, ["probe: []"]);
}
