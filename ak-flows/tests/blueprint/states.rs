//! State × what is there already.

use ak_flows::blueprint::Action;
use serde_json::json;

use super::{apply, engine, flow, plan};

const THERE: &str = "name: N, title: old, designation: enrollment";

/// What a file with the state gives for a flow that is absent, as wanted, or different: the action and the title afterwards.
#[tokio::test]
async fn every_state_meets_every_circumstance() {
    type Expected = Result<(Option<Action>, Option<&'static str>), &'static str>;
    let already: Expected = Err("there is one already");
    let table: [(&str, [Expected; 3]); 5] = [
        (
            "",
            [
                Ok((Some(Action::Create), Some("new"))),
                Ok((Some(Action::Unchanged), Some("new"))),
                Ok((Some(Action::Update), Some("new"))),
            ],
        ),
        (
            "present",
            [
                Ok((Some(Action::Create), Some("new"))),
                Ok((Some(Action::Unchanged), Some("new"))),
                Ok((Some(Action::Update), Some("new"))),
            ],
        ),
        (
            "created",
            [
                Ok((Some(Action::Create), Some("new"))),
                Ok((Some(Action::Unchanged), Some("new"))),
                Ok((Some(Action::Unchanged), Some("old"))),
            ],
        ),
        ("must_created", [Ok((Some(Action::Create), Some("new"))), already, already]),
        ("absent", [Ok((None, None)), Ok((Some(Action::Delete), None)), Ok((Some(Action::Delete), None))]),
    ];
    for (state, row) in table {
        for (circumstance, expected) in ["absent", "present", "changed"].into_iter().zip(row) {
            let engine = engine().await;
            let there = THERE.replace("old", if circumstance == "present" { "new" } else { "old" });
            if circumstance != "absent" {
                apply(&engine, &format!("entries:\n{}", super::flow_entry("it", &there))).await.unwrap();
            }
            let state_line = if state.is_empty() { String::new() } else { format!("  state: {state}\n") };
            let wish = super::flow_entry("it", &THERE.replace("old", "new"));
            let text = format!("entries:\n{}{state_line}", wish);
            let planned = engine.plan(&super::read(&text).unwrap(), &Default::default()).await;
            let title_before = flow(&engine, "it").map(|flow| flow["title"].clone());
            let applied = apply(&engine, &text).await;
            let label = format!("state `{state}`, {circumstance}");
            match expected {
                Ok((action, title)) => {
                    let applied = applied.unwrap_or_else(|error| panic!("{label}: {error}"));
                    assert_eq!(applied.steps.first().map(|step| step.action), action, "{label}");
                    assert_eq!(planned.unwrap().to_string(), applied.to_string(), "{label}: a plan says what is done");
                    assert_eq!(flow(&engine, "it").map(|flow| flow["title"].clone()), title.map(|title| json!(title)), "{label}");
                }
                Err(message) => {
                    let error = applied.expect_err(&label).to_string();
                    assert!(error.contains(message), "{label}: {error}");
                    assert_eq!(
                        flow(&engine, "it").map(|flow| flow["title"].clone()),
                        title_before,
                        "{label}: nothing is changed"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn an_entry_whose_conditions_do_not_all_hold_is_passed_over() {
    for (conditions, is_applied) in
        [("[]", true), ("[true, 1, x]", true), ("[true, '']", false), ("[!Condition [NOT_SET]]", false)]
    {
        let engine = engine().await;
        let text = format!("entries:\n{}  conditions: {conditions}\n", super::flow_entry("it", THERE));
        let done = apply(&engine, &text).await;
        if conditions.contains("NOT_SET") {
            assert!(done.is_err());
        } else {
            done.unwrap();
        }
        assert_eq!(flow(&engine, "it").is_some(), is_applied, "{conditions}");
    }
}

#[tokio::test]
async fn references_lead_to_what_the_same_file_makes() {
    let engine = engine().await;
    let text = "
entries:
- { model: authentik_flows.flow, id: flow, identifiers: { slug: f }, attrs: { name: F, title: F, designation: enrollment } }
- { model: authentik_stages_dummy.dummystage, id: stage, identifiers: { name: s } }
- model: authentik_flows.flowstagebinding
  identifiers: { target: !KeyOf flow, stage: !KeyOf stage, order: 10 }
  attrs: { re_evaluate_policies: false }
";
    let report = apply(&engine, text).await.unwrap();
    assert_eq!(report.steps.iter().filter(|step| step.action == Action::Create).count(), 3);
    assert!(!plan(&engine, text).await.has_changes());
    let changed = text.replace("re_evaluate_policies: false", "re_evaluate_policies: true");
    let plan = plan(&engine, &changed).await.to_string();
    assert!(plan.contains("re_evaluate_policies: false -> true"), "{plan}");
    assert!(plan.contains("0 to create, 1 to change, 0 to delete, 2 as they should be"), "{plan}");
}

#[tokio::test]
async fn lists_of_entries_may_have_names() {
    let engine = engine().await;
    let text = format!(
        "entries:\n  one:\n  {}  two:\n  {}",
        super::flow_entry("a", super::REST).replace('\n', "\n  "),
        super::flow_entry("b", super::REST).replace('\n', "\n  ")
    );
    apply(&engine, &text).await.unwrap();
    assert!(flow(&engine, "a").is_some() && flow(&engine, "b").is_some());
}
