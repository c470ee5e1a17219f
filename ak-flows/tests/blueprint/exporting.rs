//! What is exported can be applied: to what it was made from, and anywhere else.

use ak_flows::Flow;
use ak_flows::blueprint::{Blueprint, Engine, ExportOptions, Options, SHIPPED, Selection};
use ak_store::records::{Durability, Group};
use serde_json::json;

use super::{apply, engine, engine_with};

async fn export(engine: &Engine, selection: &Selection) -> String {
    engine.export(selection, &ExportOptions { name: "Test".into(), with_secrets: false }).await.unwrap()
}

/// An engine with the default objects, a group, and a policy binding to it at a flow and at a stage binding.
async fn furnished() -> Engine {
    let engine = engine_with(SHIPPED).await;
    let mut unit = engine.store().begin(Durability::Full).await.unwrap();
    let group = Group::named(engine.store().rng().uuid(), "Board \"A\"", engine.store().clock().now());
    unit.records().groups().add(&group).await.unwrap();
    engine.apply_shipped_in(&mut unit).await.unwrap();
    unit.save().await.unwrap();
    let text = "
entries:
- model: authentik_policies.policybinding
  identifiers: { target: !Find [authentik_flows.flow, [slug, default-authentication-flow]], order: 0 }
  attrs: { group: !Find [authentik_core.group, [name, 'Board \"A\"']] }
- model: authentik_policies.policybinding
  identifiers:
    target: !Find [authentik_flows.flowstagebinding, [target, !Find [authentik_flows.flow, [slug, default-authentication-flow]]], [order, 100]]
    order: 5
  attrs: { group: !Find [authentik_core.group, [name, 'Board \"A\"']], negate: true }
- model: authentik_stages_deny.denystage
  identifiers: { name: strange }
  attrs: { deny_message: \"one\\n  two\\u0007\\u2028 # no: comment\\n\" }
- model: authentik_stages_deny.denystage
  identifiers: { name: long }
  attrs:
    deny_message: |
      first line
        second: line

      last
";
    let engine = Engine::new(engine.store().clone(), ak_store::directory::documents::kinds(super::hasher()), SHIPPED);
    apply(&engine, text).await.unwrap();
    engine
}

#[tokio::test]
async fn an_export_changes_nothing_where_it_was_made() {
    let engine = furnished().await;
    let flow = engine.store().snapshot().by::<Flow>("slug", "default-authentication-flow").unwrap().0;
    for selection in [Selection::Everything, Selection::Flow(flow)] {
        let text = export(&engine, &selection).await;
        let plan = engine.plan(&Blueprint::parse("export.yaml", &text).unwrap(), &Options::default()).await;
        let plan = plan.unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert!(!plan.has_changes(), "{plan}\n{text}");
        assert!(plan.warnings.is_empty(), "{plan}");
        assert!(plan.steps.len() >= 6, "{text}");
        assert!(!text.contains(&flow.pk().to_string()), "names, not keys:\n{text}");
    }
}

#[tokio::test]
async fn an_export_makes_the_same_somewhere_else() {
    let there = furnished().await;
    let text = export(&there, &Selection::Everything).await;
    let here = engine().await;
    let mut repo = here.store().backend().begin(Durability::Full).await.unwrap();
    let group = Group::named(here.store().rng().uuid(), "Board \"A\"", here.store().clock().now());
    repo.groups().add(&group).await.unwrap();
    repo.save().await.unwrap();
    let here = Engine::new(here.store().clone(), ak_store::directory::documents::kinds(super::hasher()), []);
    apply(&here, &text).await.unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(export(&here, &Selection::Everything).await, text);
    let snapshot = here.store().snapshot();
    let (_, strange) = snapshot.by::<ak_flows::stages::DenyStage>("name", "strange").unwrap();
    assert_eq!(strange.deny_message, "one\n  two\u{7}\u{2028} # no: comment");
}

#[tokio::test]
async fn a_flow_is_exported_with_what_belongs_to_it_and_no_more() {
    let engine = furnished().await;
    let flow = engine.store().snapshot().by::<Flow>("slug", "default-invalidation-flow").unwrap().0;
    let text = export(&engine, &Selection::Flow(flow)).await;
    let models: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("- model: ")).collect();
    assert_eq!(
        models,
        ["authentik_flows.flow", "authentik_stages_user_logout.userlogoutstage", "authentik_flows.flowstagebinding"]
    );
    assert!(text.contains("designation: \"invalidation\""), "{text}");
}

#[tokio::test]
async fn people_groups_and_tokens_are_entries_too() {
    let engine = furnished().await;
    let text = "
entries:
- { model: authentik_core.group, id: group, identifiers: { name: Crew }, attrs: { attributes: { boat: 1 } } }
- model: authentik_core.user
  id: user
  identifiers: { username: ishmael }
  attrs: { name: Ishmael, password: call me, groups: [!KeyOf group] }
- { model: authentik_core.token, identifiers: { identifier: log }, attrs: { user: !KeyOf user, intent: api, key: a-key-of-thirty-characters-or-more } }
- { model: authentik_policies.policybinding, identifiers: { target: !Find [authentik_flows.flow, [slug, default-invalidation-flow]], order: 0 }, attrs: { user: !KeyOf user } }
";
    apply(&engine, text).await.unwrap();
    let mut repo = engine.store().read().await.unwrap();
    let user = repo.users().find_by_username("ishmael").await.unwrap().unwrap();
    let groups = repo.groups().of_user(user.pk, false).await.unwrap();
    assert_eq!(groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["Crew"]);
    assert!(user.password.is_some());
    drop(repo);
    let again = super::plan(&engine, text).await;
    assert!(!again.has_changes(), "{again}");
    let changed = super::plan(&engine, &text.replace("call me", "queequeg").replace("boat: 1", "boat: 2")).await.to_string();
    assert!(changed.contains("password: (secret)") && changed.contains("{\"boat\":1} -> {\"boat\":2}"), "{changed}");
    assert!(!changed.contains("queequeg"), "{changed}");

    let wrong = text.replace("name: Ishmael", "name: Ishmael, email: nope").replace("username: ishmael", "username: pip");
    let error = apply(&engine, &wrong).await.unwrap_err().to_string();
    assert!(error.contains("test.yaml:7:34: entries[1].attrs.email: "), "{error}");
    let mut repo = engine.store().read().await.unwrap();
    assert!(repo.users().find_by_username("pip").await.unwrap().is_none(), "nothing of it is kept");
    assert_eq!(json!(repo.groups().find_by_name("Crew").await.unwrap().unwrap().attributes), json!({ "boat": 1 }));
}
