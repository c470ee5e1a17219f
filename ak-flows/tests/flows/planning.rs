//! From a flow to a plan.

use ak_policy::Context;
use serde_json::{Value, json};

use crate::kit::{context, deny, dummy, house, probe, says};

#[tokio::test]
async fn each_requirement_lets_in_whom_it_names() {
    let house = house().await;
    let (nobody, bob, ada) = (None, Some(house.bob), Some(house.ada));
    for (requirement, let_in) in [
        ("none", vec![nobody, bob, ada]),
        ("require_authenticated", vec![bob, ada]),
        ("require_unauthenticated", vec![nobody]),
        ("require_superuser", vec![ada]),
        ("require_redirect", vec![]),
        ("require_token", vec![]),
        ("require_outpost", vec![]),
    ] {
        house.flow(requirement, json!({ "authentication": requirement }), &[dummy()]).await;
        for who in [nobody, bob, ada] {
            let lines = house.machine(requirement, who, Context::default(), &[]).await;
            let expected = if let_in.contains(&who) { "dummy" } else { "access-denied" };
            assert_eq!(lines, [expected], "{requirement} for {who:?}");
        }
    }
    let led = context(Context::IS_REDIRECTED, "elsewhere");
    assert_eq!(house.machine("require_redirect", None, led, &[]).await, ["dummy"]);
    let restored = context(Context::IS_RESTORED, "token");
    assert_eq!(house.machine("require_token", None, restored, &[]).await, ["dummy"]);
}

#[tokio::test]
async fn a_deactivated_superuser_is_none() {
    let house = house().await;
    house.flow("admin", json!({ "authentication": "require_superuser" }), &[dummy()]).await;
    house.change_user(house.ada, |user| user.is_active = false).await;
    assert_eq!(house.machine("admin", Some(house.ada), Context::default(), &[]).await, ["access-denied"]);
}

#[tokio::test]
async fn the_policies_of_a_flow_decide_who_begins_it() {
    let house = house().await;
    let flow = house.flow("guarded", json!({}), &[dummy()]).await;
    house.guard(flow.flow.pk(), &says("is ada").with(json!({ "message": "Only Ada." }))).await;
    assert_eq!(house.machine("guarded", Some(house.ada), Context::default(), &[]).await, ["dummy"]);
    assert_eq!(house.machine("guarded", Some(house.bob), Context::default(), &[]).await, ["access-denied: Only Ada."]);
    // About the account that is being identified, if there is one, and not about who has signed in.
    let pending = Context { pending_user: Some(house.bob), ..Context::default() };
    assert_eq!(house.machine("guarded", Some(house.ada), pending, &[]).await, ["access-denied: Only Ada."]);
}

/// A flow whose second stage has a policy that changes its mind after the first.
async fn played(evaluate_on_plan: bool, re_evaluate_policies: bool, policy: &str) -> Vec<String> {
    let house = house().await;
    let when = json!({ "evaluate_on_plan": evaluate_on_plan, "re_evaluate_policies": re_evaluate_policies });
    let guarded = deny("here").bound(when).guarded(says(policy));
    house.flow("when", json!({}), &[dummy(), probe(json!({ "set": { "seen": true } })), guarded, dummy()]).await;
    house.machine("when", None, Context::default(), &[json!({})]).await
}

#[tokio::test]
async fn policies_of_a_stage_are_asked_at_the_plan_before_the_stage_both_or_never() {
    const SHOWN: [&str; 2] = ["dummy", "access-denied: here"];
    const SKIPPED: [&str; 2] = ["dummy", "dummy"];
    for (on_plan, again, becomes_true, becomes_false) in [
        (true, false, SKIPPED, SHOWN),
        (false, true, SHOWN, SKIPPED),
        (true, true, SKIPPED, SKIPPED),
        (false, false, SHOWN, SHOWN),
    ] {
        assert_eq!(played(on_plan, again, "has seen").await, becomes_true, "plan {on_plan}, again {again}");
        assert_eq!(played(on_plan, again, "lacks seen").await, becomes_false, "plan {on_plan}, again {again}");
    }
}

#[tokio::test]
async fn policies_of_a_stage_are_asked_again_by_default_and_not_at_the_plan() {
    let house = house().await;
    let flow = house.flow("defaults", json!({}), &[dummy()]).await;
    let snapshot = house.store.snapshot();
    let binding = snapshot.get::<ak_flows::FlowStageBinding>(ak_store::model::Ref::new(flow.bindings[0])).unwrap();
    assert!(!binding.evaluate_on_plan && binding.re_evaluate_policies);
}

#[tokio::test]
async fn a_stage_whose_policy_says_no_is_skipped_silently_and_the_next_is_tried() {
    let house = house().await;
    let skipped = || deny("never").guarded(says("no").with(json!({ "message": "unseen" })));
    house.flow("skip", json!({}), &[skipped(), skipped(), dummy(), skipped()]).await;
    let mut browser = house.browser();
    assert_eq!(browser.play("skip", &[json!({})]).await, ["dummy", "-> /"]);
}

#[tokio::test]
async fn a_policy_that_fails_denies_instead_of_skipping_its_stage() {
    let house = house().await;
    let guarded = |failure_result: bool| {
        vec![dummy(), deny("shown").guarded(says("error").bound(json!({ "failure_result": failure_result }))), dummy()]
    };
    house.flow("fails", json!({}), &guarded(false)).await;
    let failed = "* event policy_exception";
    assert_eq!(house.machine("fails", None, Context::default(), &[json!({})]).await, ["dummy", "access-denied", failed]);
    // A failure result of true is the administrator's answer, and stands.
    house.flow("stands", json!({}), &guarded(true)).await;
    assert_eq!(house.machine("stands", None, Context::default(), &[json!({})]).await, ["dummy", "access-denied: shown", failed]);
    // Asked at the plan, it refuses the plan.
    let at_plan = dummy().bound(json!({ "evaluate_on_plan": true })).guarded(says("error"));
    house.flow("at-plan", json!({}), &[dummy(), at_plan]).await;
    assert_eq!(house.machine("at-plan", None, Context::default(), &[]).await, ["access-denied"]);
}

#[tokio::test]
async fn an_error_beside_a_plain_no_that_decides_anyway_only_skips() {
    let house = house().await;
    let all = json!({ "policy_engine_mode": "all" });
    let stage = deny("shown").bound(all).guarded(says("no")).guarded(says("error"));
    house.flow("both", json!({}), &[stage, dummy()]).await;
    assert_eq!(house.machine("both", None, Context::default(), &[]).await, ["dummy", "* event policy_exception"]);
}

#[tokio::test]
async fn an_empty_plan_is_done() {
    let house = house().await;
    house.flow("empty", json!({}), &[]).await;
    house.flow("emptied", json!({}), &[dummy().bound(json!({ "evaluate_on_plan": true })).guarded(says("no"))]).await;
    for slug in ["empty", "emptied"] {
        assert_eq!(house.machine(slug, None, Context::default(), &[]).await, ["-> /"]);
        assert_eq!(house.browser().to("/there").get(slug).await, "-> /there");
    }
}

#[tokio::test]
async fn stages_come_in_the_order_of_their_bindings() {
    let house = house().await;
    let at = |order: i32, name: &str| dummy().with(json!({ "name": name })).bound(json!({ "order": order }));
    let flow = house.flow("order", json!({}), &[at(30, "c"), at(-5, "a"), at(20, "b")]).await;
    let mut browser = house.browser();
    let mut names = Vec::new();
    for fields in [None, Some(json!({})), Some(json!({}))] {
        match browser.run("order", fields.as_ref()).await.unwrap().page {
            ak_flows::Page::Challenge(challenge, _) => names.push(challenge.fields["name"].clone()),
            ak_flows::Page::Redirect(to) => panic!("{to}"),
        }
    }
    assert_eq!(names, [Value::from("a"), Value::from("b"), Value::from("c")]);
    assert_eq!(flow.bindings.len(), 3);
}

#[tokio::test]
async fn a_broken_stage_or_binding_refuses_the_flow() {
    let house = house().await;
    let one = house.flow("one", json!({}), &[dummy(), dummy()]).await;
    house.spoil(one.stages[1]).await;
    assert_eq!(house.browser().get("one").await, "access-denied");
    let two = house.flow("two", json!({}), &[dummy(), dummy()]).await;
    house.spoil(two.bindings[0]).await;
    assert_eq!(house.browser().get("two").await, "access-denied");
    let three = house.flow("three", json!({}), &[dummy()]).await;
    let policy = house.guard(three.flow.pk(), &says("yes")).await;
    house.spoil(policy).await;
    assert_eq!(house.browser().get("three").await, "access-denied");
}
