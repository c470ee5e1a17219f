//! What is wrong is told with its place, and changes nothing.

use super::{apply, engine, flow, plan};

/// A file, and the line that tells what is wrong with it.
#[tokio::test]
async fn every_mistake_has_its_place() {
    let ok = super::flow_entry("good", super::REST);
    let table: Vec<(String, &str)> = vec![
        (String::new(), "test.yaml:1:1: the file is empty"),
        ("- a\n".into(), "test.yaml:1:1: a blueprint is a mapping, and this is a list"),
        ("version: 2\nentries: []".into(), "test.yaml:1:10: version: only version 1"),
        ("version: 1".into(), "test.yaml:1:1: entries: a blueprint has entries"),
        ("entries: 5".into(), "test.yaml:1:10: entries: entries are a list, and this is a number"),
        ("entries:\n- 5".into(), "test.yaml:2:3: entries[0]: an entry is a mapping"),
        ("entries:\n- identifiers: {}".into(), "test.yaml:2:3: entries[0]: an entry names its model"),
        ("entries: [\n  a: b".into(), "test.yaml:1:10: unclosed bracket"),
        ("a: 1\na: 2".into(), "test.yaml:2:1: the key a stands here a second time"),
        ("a: *none".into(), "test.yaml:1:4: "),
        ("a: !!set {}".into(), "test.yaml:1:4: the tag"),
        ("a: 1\n---\nb: 2".into(), "here begins a second"),
        ("entries:\n- model: authentik_flows.nothing\n  identifiers: { a: 1 }".into(), "test.yaml:2:10: entries[0].model: the model authentik_flows.nothing is not known"),
        ("entries:\n- model: authentik_flows.flow\n  attrs: { name: a }".into(), "test.yaml:2:3: entries[0].identifiers: an entry says by which values"),
        ("entries:\n- model: authentik_flows.flow\n  identifiers: { nope: a }".into(), "test.yaml:3:24: entries[0].identifiers.nope: authentik_flows.flow has no field nope"),
        (format!("entries:\n{ok}- model: authentik_flows.flow\n  state: there\n  identifiers: {{ slug: a }}"), "test.yaml:6:10: entries[1].state: a state is present"),
        (format!("entries:\n{ok}- model: authentik_flows.flow\n  identifiers: {{ slug: a }}"), "test.yaml:6:16: entries[1].attrs.name: This field is required."),
        (
            format!("entries:\n{ok}- model: authentik_flows.flow\n  identifiers: {{ slug: a }}\n  attrs:\n    name: a\n    title: b\n    designation: nonsense"),
            "test.yaml:10:18: entries[1].attrs.designation: \"nonsense\" is not a valid choice.",
        ),
        (format!("entries:\n{ok}- model: authentik_flows.flow\n  identifiers: {{ slug: 'a b' }}\n  attrs: {{ {} }}", super::REST), "test.yaml:6:24: entries[1].identifiers.slug: "),
        (format!("entries:\n{ok}- model: !KeyOf none\n  identifiers: {{ slug: a }}"), "test.yaml:5:10: entries[1].model: no entry with the id none"),
        (format!("entries:\n{ok}- model: authentik_flows.flow\n  identifiers: {{ slug: a }}\n  attrs:\n    title: [!Format ['%d', x]]"), "test.yaml:8:13: entries[1].attrs.title.0: %d takes a number"),
        (format!("entries:\n{ok}- {{ model: authentik_flows.flowstagebinding, identifiers: {{ order: 1 }}, attrs: {{ target: 11111111-2222-4333-8444-555555555555, stage: 11111111-2222-4333-8444-555555555555 }} }}"), "entries[1].attrs.target: Invalid pk"),
        (format!("entries:\n{ok}  attrs: {{}}"), "the key attrs stands here a second time"),
        (format!("entries:\n{ok}  permissions: [{{ permission: view_flow, user: 1 }}]"), "permissions of single objects"),
        ("entries:\n- model: authentik_flows.flow\n  identifiers: { slug: !Unknown x }".into(), "the tag !Unknown is not known"),
        ("entries:\n- model: authentik_flows.flow\n  identifiers: { slug: !Value 0 }".into(), "a loop that there is not"),
        ("entries:\n- model: authentik_flows.flow\n  identifiers: { slug: !AtIndex [[], 0] }".into(), "there is nothing at 0"),
        ("entries:\n- model: authentik_flows.flow\n  identifiers: { slug: !ParseJSON '{' }".into(), "this is not JSON"),
        ("entries:\n- model: authentik_flows.flow\n  identifiers: { slug: !Condition [MAYBE, 1] }".into(), "MAYBE is none of AND"),
        ("entries:\n- model: authentik_flows.flow\n  identifiers: { slug: !Enumerate [5, SEQ, 1] }".into(), "goes through a list or a mapping"),
        ("entries:\n- model: authentik_flows.flow\n  identifiers: { slug: !Enumerate [[1], BAG, 1] }".into(), "BAG is neither SEQ nor MAP"),
        ("entries:\n- model: authentik_flows.flow\n  identifiers: { slug: !File /nowhere/at/all }".into(), "/nowhere/at/all: No such file"),
        ("entries:\n- model: authentik_flows.flow\n  identifiers: { slug: !Find [nothing.at_all, [a, b]] }".into(), "the model nothing.at_all is not known"),
        ("context: { a: !Context b, b: !Context a }\nentries:\n- model: authentik_flows.flow\n  identifiers: { slug: !Context a }".into(), "deep into each other"),
    ];
    let mut missed = Vec::new();
    for (text, expected) in table {
        let engine = engine().await;
        let revision = engine.store().snapshot().revision();
        let error = match apply(&engine, &text).await {
            Err(error) => error.to_string(),
            Ok(report) => panic!("{text}\nwas applied:\n{report}"),
        };
        if !error.contains(expected) {
            missed.push(format!("{text}\n=> {error}\nand not {expected}"));
        }
        assert!(flow(&engine, "good").is_none(), "{text}: nothing of it is kept");
        assert_eq!(engine.store().snapshot().revision(), revision, "{text}");
    }
    assert!(missed.is_empty(), "{}", missed.join("\n\n"));
}

#[tokio::test]
async fn files_that_would_grow_without_bounds_are_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        let before = format!("*a{}, ", i - 1).repeat(10);
        bomb.push_str(&format!("a{i}: &a{i} [{before}]\n"));
    }
    let deep = format!("a: {}{}", "[".repeat(200), "]".repeat(200));
    let long = format!("# {}\nentries: []", "x".repeat(5 << 20));
    let ring = "a: &a [*a]".to_owned();
    let loops = "entries:\n- model: authentik_flows.flow\n  identifiers:\n    slug: ".to_owned()
        + "!Enumerate [[0,1,2,3,4,5,6,7,8,9], SEQ, ".repeat(8).as_str()
        + "x"
        + "]".repeat(8).as_str();
    let wide = "entries:\n- model: authentik_flows.flow\n  identifiers: { slug: !Format ['%999999999d', 1] }".to_owned();
    for (name, text, why) in [
        ("bomb", bomb, "holds more than"),
        ("deep", deep, "deep in each other"),
        ("long", long, "at the most"),
        ("ring", ring, "inside of what it refers to"),
        ("loops", loops, "have to be worked out"),
        ("wide", wide, "a width of more than"),
    ] {
        let error = apply(&engine().await, &text).await.expect_err(name).to_string();
        assert!(error.contains(why), "{name}: {error}");
    }
}

#[tokio::test]
async fn what_is_strange_is_told_and_applied() {
    let engine = engine().await;
    let text = "version: 1\nversoin: 1\nentries:\n- model: authentik_flows.flow\n  atrs: {}\n  identifiers: { slug: it }\n  attrs:\n    name: N\n    title: T\n    designation: authentication\n    colour: red\n";
    let warnings: Vec<String> = plan(&engine, text).await.warnings.iter().map(ToString::to_string).collect();
    let expected = [
        "test.yaml:2:10: versoin: `versoin` is not known here",
        "test.yaml:5:9: entries[0].atrs: `atrs` is not known here",
        "test.yaml:11:13: entries[0].attrs.colour: authentik_flows.flow has no field colour",
        "test.yaml:4:3: entries[0]: the flow it is for signing in and has no stages",
    ];
    assert_eq!(warnings.len(), expected.len(), "{warnings:#?}");
    for (warning, expected) in warnings.iter().zip(expected) {
        assert!(warning.starts_with(expected), "{warning}");
    }
    apply(&engine, text).await.unwrap();
    assert!(flow(&engine, "it").is_some());
}

#[tokio::test]
async fn plain_scalars_mean_what_python_reads() {
    let engine = engine().await;
    let text = "entries:\n- model: authentik_blueprints.blueprintinstance\n  identifiers: { name: it }\n  attrs:\n    path: a\n    context: { a: yes, b: 'yes', c: 010, d: 0x1f, e: 1_000, f: 1.5, g: 1e3, h: ~, i: 0b11, j: -7, k: off, l: 12:30, m: 2026-01-01, n: .5, o: 1e+3, p: 1.0e+3, q: \"\", r: }\n";
    apply(&engine, text).await.unwrap();
    let snapshot = engine.store().snapshot();
    let (_, instance) = snapshot.by::<ak_flows::blueprint::BlueprintInstance>("name", "it").unwrap();
    let expected = serde_json::json!({
        "a": true, "b": "yes", "c": 8, "d": 31, "e": 1000, "f": 1.5, "g": "1e3", "h": null, "i": 3, "j": -7, "k": false,
        "l": "12:30", "m": "2026-01-01", "n": 0.5, "o": "1e+3", "p": 1000.0, "q": "", "r": null
    });
    assert_eq!(serde_json::Value::Object(instance.context.clone()), expected);
}

#[tokio::test]
async fn merged_mappings_stand_behind_what_is_written_out() {
    let engine = engine().await;
    let text = "context:\n  base: &base { name: base, title: base, designation: enrollment }\nentries:\n- model: authentik_flows.flow\n  identifiers: { slug: it }\n  attrs:\n    <<: *base\n    title: own\n";
    apply(&engine, text).await.unwrap();
    let made = flow(&engine, "it").unwrap();
    assert_eq!((made["name"].as_str(), made["title"].as_str()), (Some("base"), Some("own")));
}
