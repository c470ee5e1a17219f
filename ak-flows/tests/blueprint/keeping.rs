//! Three-way: what was changed here stays when the shipped blueprint changes.

use ak_flows::Flow;
use ak_flows::blueprint::{Action, Blueprint, Engine, Options, Report, Shipped};
use serde_json::{Value, json};

use super::{engine, engine_with, flow};

async fn ship(engine: &Engine, text: &str) -> Report {
    let options = Options { keep_under: Some("default/it.yaml".into()), ..Options::default() };
    engine.apply(&Blueprint::parse("default/it.yaml", text).unwrap(), &options).await.unwrap()
}

fn version(title: &str, name: &str) -> String {
    format!("entries:\n{}", super::flow_entry("it", &format!("name: {name}, title: {title}, designation: enrollment")))
}

async fn edit(engine: &Engine, field: &str, value: Value) {
    let patch = json!({ field: value });
    let write = engine.store().write(|draft| {
        let at = draft.snapshot().all::<Flow>().next().unwrap().0;
        draft.patch(at, &patch)
    });
    write.await.unwrap();
}

fn title(engine: &Engine) -> Value {
    flow(engine, "it").unwrap()["title"].clone()
}

#[tokio::test]
async fn an_edit_survives_a_new_version_and_the_rest_follows() {
    let engine = engine().await;
    ship(&engine, &version("one", "First")).await;
    edit(&engine, "title", json!("mine")).await;
    let report = ship(&engine, &version("two", "Second")).await;
    let now = flow(&engine, "it").unwrap();
    assert_eq!((&now["title"], &now["name"]), (&json!("mine"), &json!("Second")));
    let kept = &report.steps[0].changes.iter().find(|change| change.is_kept).unwrap();
    assert_eq!((kept.field.as_str(), &kept.from, &kept.to), ("title", &json!("mine"), &json!("two")));
    assert!(report.to_string().contains("title: stays \"mine\"; the blueprint has \"two\""), "{report}");

    // It stays however often that is said.
    ship(&engine, &version("three", "Second")).await;
    assert_eq!(title(&engine), json!("mine"));
    // Back at the shipped value it follows again.
    edit(&engine, "title", json!("three")).await;
    ship(&engine, &version("three", "Second")).await;
    ship(&engine, &version("four", "Second")).await;
    assert_eq!(title(&engine), json!("four"));
}

#[tokio::test]
async fn what_was_not_touched_follows_the_shipped_version() {
    let engine = engine().await;
    ship(&engine, &version("one", "N")).await;
    let report = ship(&engine, &version("two", "N")).await;
    assert_eq!((report.steps[0].action, title(&engine)), (Action::Update, json!("two")));
    let revision = engine.store().snapshot().revision();
    assert!(!ship(&engine, &version("two", "N")).await.has_changes());
    assert_eq!(engine.store().snapshot().revision(), revision, "nothing is written");
}

#[tokio::test]
async fn what_was_renamed_is_still_the_same() {
    let engine = engine().await;
    ship(&engine, &version("one", "N")).await;
    edit(&engine, "slug", json!("renamed")).await;
    ship(&engine, &version("two", "N")).await;
    assert!(flow(&engine, "it").is_none());
    assert_eq!(flow(&engine, "renamed").unwrap()["title"], json!("two"));
}

#[tokio::test]
async fn what_was_deleted_here_stays_deleted_and_takes_along_what_needs_it() {
    let text = "
entries:
- { model: authentik_flows.flow, id: flow, identifiers: { slug: it }, attrs: { name: F, title: F, designation: enrollment } }
- { model: authentik_stages_dummy.dummystage, id: stage, identifiers: { name: s } }
- { model: authentik_flows.flowstagebinding, identifiers: { target: !KeyOf flow, stage: !KeyOf stage, order: 0 } }
";
    let engine = engine().await;
    ship(&engine, text).await;
    let write = engine.store().write(|draft| {
        let at = draft.snapshot().all::<Flow>().next().unwrap().0;
        draft.delete(at.pk())
    });
    write.await.unwrap();
    let report = ship(&engine, text).await;
    let actions: Vec<_> = report.steps.iter().map(|step| step.action).collect();
    assert_eq!(actions, [Action::LeftOut, Action::Unchanged, Action::LeftOut], "{report}");
    assert!(flow(&engine, "it").is_none());
}

#[tokio::test]
async fn what_was_there_before_the_blueprint_is_somebodys_own() {
    let engine = engine().await;
    super::apply(&engine, &version("mine", "N")).await.unwrap();
    ship(&engine, &version("one", "N")).await;
    assert_eq!(title(&engine), json!("mine"));
}

#[tokio::test]
async fn a_blueprint_without_memory_makes_it_as_it_says() {
    let engine = engine().await;
    super::apply(&engine, &version("one", "N")).await.unwrap();
    edit(&engine, "title", json!("mine")).await;
    super::apply(&engine, &version("one", "N")).await.unwrap();
    assert_eq!(title(&engine), json!("one"));
}

#[tokio::test]
async fn a_blueprint_asks_for_another_one_first() {
    const INNER: &str = "metadata: { name: Inner }\nentries:\n- { model: authentik_flows.flow, identifiers: { slug: it }, attrs: { name: N, title: inner, designation: enrollment } }\n";
    const CIRCLE: &str = "metadata: { name: Circle }\nentries:\n- { model: authentik_blueprints.metaapplyblueprint, attrs: { identifiers: { name: Circle } } }\n";
    let shipped = [Shipped { path: "default/inner.yaml", text: INNER }, Shipped { path: "default/circle.yaml", text: CIRCLE }];
    let asks = |what: &str| {
        format!(
            "entries:\n- {{ model: authentik_blueprints.metaapplyblueprint, attrs: {what} }}\n\
             - {{ model: authentik_flows.flow, identifiers: {{ slug: other }}, attrs: {{ name: N, title: !AtIndex [!FindObject [authentik_flows.flow, [slug, it]], title, none], designation: enrollment }} }}\n"
        )
    };
    let title_of_other = |engine: &Engine| flow(engine, "other").map(|flow| flow["title"].clone());
    for by in ["{ identifiers: { name: Inner } }", "{ identifiers: { path: default/inner.yaml }, required: true }"] {
        let engine = engine_with(&shipped).await;
        super::apply(&engine, &asks(by)).await.unwrap();
        assert_eq!(title_of_other(&engine), Some(json!("inner")), "{by}");
    }
    let engine = engine_with(&shipped).await;
    let report = super::apply(&engine, &asks("{ identifiers: { name: Nothing }, required: false }")).await.unwrap();
    assert_eq!((title_of_other(&engine), report.warnings.len()), (Some(json!("none")), 1));
    let engine = engine_with(&shipped).await;
    for (by, why) in [
        ("{ identifiers: { name: Nothing } }", "there is no blueprint with name=Nothing"),
        ("{ identifiers: { name: Circle } }", "they lead in a circle"),
        ("{ required: true }", "the name or the path"),
    ] {
        let error = super::apply(&engine, &asks(by)).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert_eq!(title_of_other(&engine), None);
    }
}
