//! One row per tag, one per place that a tag may stand in; every row in every place.

use ak_flows::blueprint::{BlueprintInstance, Engine};
use serde_json::{Value, json};

use super::{apply, engine, flow, plan};

/// A tag in YAML's flow style, and what it is worth. `{text}` stands for a text that the place asks for.
struct Row {
    name: &'static str,
    yaml: &'static str,
    /// `None`: the text that the place asked for.
    worth: Option<Value>,
}

const fn text(name: &'static str, yaml: &'static str) -> Row {
    Row { name, yaml, worth: None }
}

fn value(name: &'static str, yaml: &'static str, worth: Value) -> Row {
    Row { name, yaml, worth: Some(worth) }
}

/// The key of the flow `first`, which every file begins with.
fn key_of_first() -> Value {
    json!("11111111-2222-4333-8444-555555555555")
}

fn rows() -> Vec<Row> {
    vec![
        text("plain", "{text}"),
        text("quoted", "'{text}'"),
        text("env default", "!Env [AK_TEST_NOT_SET, {text}]"),
        text("context", "!Context the_text"),
        text("context default", "!Context [nothing, {text}]"),
        text("context dotted", "!Context deep.list.1"),
        text("context dotted default", "!Context [deep.list.7, {text}]"),
        text("context of a tag", "!Context made"),
        text("format", "!Format ['%s%s', '', {text}]"),
        text("format of tags", "!Format ['%s', !Context the_text]"),
        text("if yes", "!If [true, {text}, other]"),
        text("if no", "!If [false, other, {text}]"),
        text("if of a condition", "!If [!Condition [AND, 1, yes], {text}, other]"),
        text("if lazily", "!If [true, {text}, !KeyOf nobody]"),
        text("enumerate", "!AtIndex [!Enumerate [[{text}], SEQ, !Value 0], 0]"),
        text("enumerate a mapping", "!AtIndex [!Enumerate [{{ {text}: 1 }}, SEQ, !Index 0], 0]"),
        text("enumerate outer", "!AtIndex [!AtIndex [!Enumerate [[{text}], SEQ, !Enumerate [[a, b], SEQ, !Value 1]], 0], 1]"),
        text("enumerate to a mapping", "!AtIndex [!Enumerate [[{text}], MAP, [!Format ['k%d', !Index 0], !Value 0]], k0]"),
        text("enumerate to merged mappings", "!AtIndex [!Enumerate [[{text}], MAP, {{ k: !Value 0 }}], k]"),
        text("at index", "!AtIndex [[x, {text}], 1]"),
        text("at index from the end", "!AtIndex [[x, {text}], -1]"),
        text("at index default", "!AtIndex [[], 0, {text}]"),
        text("at key", "!AtIndex [{{ a: {text} }}, a]"),
        text("parse json", "!AtIndex [!ParseJSON '[\"{text}\"]', 0]"),
        text("find object", "!AtIndex [!FindObject [authentik_blueprints.blueprintinstance, [name, '{text}']], name, {text}]"),
        value("key of", "!KeyOf first", key_of_first()),
        value("find", "!Find [authentik_flows.flow, [slug, first]]", key_of_first()),
        value("find by two", "!Find [authentik_flows.flow, [slug, !Context first], [name, First]]", key_of_first()),
        value("condition", "!Condition [XOR, true, false, !Context deep]", json!(false)),
        value("condition eq", "!Condition [EQ, a, a]", json!(true)),
        value("condition nand", "!Condition [NAND, a, '']", json!(true)),
        value("condition nor", "!Condition [NOR, 0, '']", json!(true)),
        value("condition xnor", "!Condition [XNOR, 1, 1]", json!(true)),
        value("condition neq", "!Condition [NEQ, 1, 1.0]", json!(false)),
        value("condition or", "!Condition [OR, 0, x]", json!(true)),
        value("if alone", "!If [!Context the_text]", json!(true)),
        value("find object whole", "!AtIndex [!FindObject [authentik_flows.flow, [slug, first]], pk]", key_of_first()),
        value(
            "find nothing but",
            "!If [!Condition [EQ, !Find [authentik_flows.flow, [slug, none]], null], nothing, x]",
            json!("nothing"),
        ),
        value("parse json value", "!ParseJSON '{{\"a\": [1, true, null]}}'", json!({ "a": [1, true, null] })),
        value("enumerate pairs", "!Enumerate [{{ a: 1, b: 2 }}, MAP, [!Value 0, !Index 0]]", json!({ "1": "a", "2": "b" })),
    ]
}

/// A place: the file with `{tag}` in it, the text that it asks for, and what must be there afterwards.
struct Place {
    name: &'static str,
    file: &'static str,
    text: &'static str,
    texts_only: bool,
    seen: fn(&Engine) -> Option<Value>,
}

fn instance_context(engine: &Engine) -> Option<Value> {
    let snapshot = engine.store().snapshot();
    let (_, instance) = snapshot.by::<BlueprintInstance>("name", "kept")?;
    Some(Value::Object(instance.context.clone()))
}

const INSTANCE: &str =
    "- model: authentik_blueprints.blueprintinstance\n  identifiers: { name: kept }\n  attrs:\n    path: some/file.yaml\n";

fn places() -> Vec<Place> {
    let of_instance = |name, file, seen| Place { name, file, text: "words", texts_only: false, seen };
    let of_flow = |name, file, text, seen| Place { name, file, text, texts_only: true, seen };
    vec![
        of_instance("an attribute's mapping", "    context: { it: {tag} }\n", |e| instance_context(e)?.get("it").cloned()),
        of_instance("a list", "    context: { it: [a, {tag}] }\n", |e| instance_context(e)?.pointer("/it/1").cloned()),
        of_instance("a mapping in a list", "    context: { it: [{ deep: {tag} }] }\n", |e| {
            instance_context(e)?.pointer("/it/0/deep").cloned()
        }),
        of_instance("a branch", "    context: { it: !If [1, {tag}, 0] }\n", |e| instance_context(e)?.get("it").cloned()),
        of_instance("a loop", "    context: { it: !Enumerate [[1], SEQ, [{tag}]] }\n", |e| {
            instance_context(e)?.pointer("/it/0/0").cloned()
        }),
        of_instance("a default", "    context: { it: !Context [nothing, {tag}] }\n", |e| instance_context(e)?.get("it").cloned()),
        of_instance("an argument of a condition", "    context: { it: !Condition [EQ, {tag}, {tag}] }\n", |e| {
            (instance_context(e)?.get("it")? == true).then(|| json!("same"))
        }),
        of_flow(
            "an attribute",
            "- model: authentik_flows.flow\n  identifiers: { slug: second }\n  attrs: { name: N, title: {tag}, designation: enrollment }\n",
            "words",
            |e| flow(e, "second")?.get("title").cloned(),
        ),
        of_flow(
            "an identifier",
            "- model: authentik_flows.flow\n  identifiers: { slug: {tag} }\n  attrs: { name: N, title: T, designation: enrollment }\n",
            "words",
            |e| flow(e, "words")?.get("slug").cloned(),
        ),
        of_flow(
            "the model",
            "- model: {tag}\n  identifiers: { slug: second }\n  attrs: { name: N, title: T, designation: enrollment }\n",
            "authentik_flows.flow",
            |e| flow(e, "second").map(|_| json!("authentik_flows.flow")),
        ),
        of_flow("the state", "- model: authentik_flows.flow\n  state: {tag}\n  identifiers: { slug: gone }\n", "absent", |e| {
            flow(e, "gone").is_none().then(|| json!("absent"))
        }),
        of_flow(
            "a condition",
            "- model: authentik_flows.flow\n  conditions: [!Condition [EQ, {tag}, words]]\n  identifiers: { slug: second }\n  attrs: { name: N, title: T, designation: enrollment }\n",
            "words",
            |e| flow(e, "second").map(|_| json!("words")),
        ),
        of_flow(
            "an argument of a search",
            "- model: authentik_flows.flow\n  identifiers: { slug: second }\n  attrs: { name: N, title: !AtIndex [!FindObject [authentik_flows.flow, [slug, {tag}]], slug], designation: enrollment }\n",
            "first",
            |e| flow(e, "second")?.get("title").cloned(),
        ),
    ]
}

fn file(place: &Place, row: &Row) -> String {
    let tag = row.yaml.replace("{text}", place.text).replace("{{", "{").replace("}}", "}");
    let entry = if place.texts_only { place.file.to_owned() } else { format!("{INSTANCE}{}", place.file) };
    let first = "- model: authentik_flows.flow\n  id: first\n  identifiers: { slug: first }\n  attrs: { pk: 11111111-2222-4333-8444-555555555555, name: First, title: T, designation: enrollment }\n\
                 - model: authentik_flows.flow\n  identifiers: { slug: gone }\n  attrs: { name: Gone, title: T, designation: enrollment }\n";
    let context = format!(
        "context:\n  the_text: {text}\n  first: first\n  deep: {{ list: [0, {text}] }}\n  made: !Format ['%s', {text}]\n",
        text = place.text
    );
    format!("version: 1\nmetadata: {{ name: rows }}\n{context}entries:\n{first}{}", entry.replace("{tag}", &tag))
}

#[tokio::test]
async fn every_tag_means_what_it_should_in_every_place() {
    let mut wrong = Vec::new();
    let mut tried = 0;
    for place in places() {
        for row in rows().into_iter().filter(|row| !place.texts_only || row.worth.is_none()) {
            tried += 1;
            let text = file(&place, &row);
            let engine = engine().await;
            if let Err(error) = apply(&engine, &text).await {
                wrong.push(format!("{} as {}: {error}", row.name, place.name));
                continue;
            }
            let is_comparison = place.name == "an argument of a condition";
            let worth = if is_comparison { json!("same") } else { row.worth.clone().unwrap_or_else(|| json!(place.text)) };
            let seen = (place.seen)(&engine);
            if seen.as_ref() != Some(&worth) {
                wrong.push(format!("{} as {}: {seen:?}, not {worth}", row.name, place.name));
            }
            // The entry that deletes has nothing left to delete, and nothing else changes either.
            let again = plan(&engine, &text).await;
            if again.has_changes() && place.name != "the state" {
                wrong.push(format!("{} as {}: a second plan is not empty:\n{again}", row.name, place.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(tried > 400, "{tried}");
}

#[tokio::test]
async fn a_file_and_a_variable_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("title.txt");
    tokio::fs::write(&path, "from the file").await.unwrap();
    let attrs = format!("name: !Env CARGO_PKG_NAME, title: !File '{}', designation: enrollment", path.display());
    let text = format!("entries:\n{}", super::flow_entry("second", &attrs));
    let engine = engine().await;
    apply(&engine, &text).await.unwrap();
    let made = flow(&engine, "second").unwrap();
    assert_eq!((&made["name"], &made["title"]), (&json!("ak-flows"), &json!("from the file")));

    // What comes over the network may use neither.
    let untrusted = ak_flows::blueprint::Blueprint::parse("upload", &text).unwrap();
    let error = engine.plan(&untrusted, &Default::default()).await.unwrap_err();
    assert!(error.to_string().contains("!Env works only in blueprints on the server's disk"), "{error}");
}
