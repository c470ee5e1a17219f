//! What `used_by` says becomes of an object is what becomes of it.

use std::collections::BTreeSet;

use ak_store::model::{Edge, Field, Key, Pk, ReferenceTo, Shape};
use ak_store::records::Durability;

use super::*;

/// The paths of the fields that refer to objects.
fn references(fields: &[Field], base: &str, out: &mut BTreeSet<String>) {
    for field in fields {
        let path = if field.name.is_empty() { base.to_owned() } else { format!("{base}.{}", field.name) };
        match (&field.reference, &field.shape) {
            (Some(reference), _) if matches!(reference.to, ReferenceTo::Object(..)) => drop(out.insert(path)),
            (None, Shape::List(entry)) => references(std::slice::from_ref(entry), &path, out),
            (None, Shape::Nested(fields)) => references(fields, &path, out),
            _ => {}
        }
    }
}

/// What a deletion of `target` makes of the reference that `user` holds at `edge`, in words of the contract. Nothing is kept of it.
async fn effect(server: &Server, user: Pk, edge: &Edge, target: Pk) -> &'static str {
    let mut unit = server.store.begin(Durability::Relaxed).await.unwrap();
    unit.write(|draft| {
        assert!(draft.delete(target)?, "it is there");
        let Some(left) = draft.snapshot().object(user) else { return Ok("cascade") };
        if left.edges.iter().any(|e| e.field == edge.field && e.to == edge.to) {
            return Ok("left_dangling");
        }
        let document = left.body().expect("a document").document();
        let value = edge.field.split('.').fold(Value::Object(document), |at, name| at[name].clone());
        Ok(if value.is_null() { "set_null" } else { "cascade_many" })
    })
    .unwrap()
}

#[tokio::test]
async fn used_by_tells_of_every_reference_what_deleting_does() {
    let server = Server::start().await;
    let admin = server.admin();
    let mut missing = BTreeSet::new();
    for kind in server.store.snapshot().registry().kinds().iter().filter(|k| !PEOPLE.contains(&k.meta.path)) {
        references(&kind.fields, kind.meta.path, &mut missing);
    }
    let all = missing.len();
    for sample in samples(&server).await {
        for input in [&sample.one, &sample.two] {
            let made = server.make(sample.path, input).await;
            let snapshot = server.store.snapshot();
            let space = snapshot.registry().by_path(sample.path).unwrap().meta.space;
            let user = Pk::from_value(pk(&made), space).unwrap();
            for edge in &snapshot.object(user).unwrap().edges {
                let Key::Object(target) = edge.to else { continue };
                missing.remove(&format!("{}.{}", sample.path, edge.field));
                let object = snapshot.object(target).unwrap();
                let info = snapshot.kind_of(object).unwrap();
                let shown = Value::Object(snapshot.render(object, &Default::default()));
                let address = key_text(shown.get("slug").unwrap_or(pk(&shown)));
                let used = admin.get(&format!("/api/v3/{}/{address}/used_by/", info.meta.path)).await;
                let entries = used.body.as_array().unwrap().iter();
                let told =
                    entries.filter(|e| e["pk"] == key_text(pk(&made)) || e["pk"] == made["slug"]).map(|e| e["action"].clone());
                let done = effect(&server, user, edge, target).await;
                assert_eq!(told.collect::<Vec<_>>(), [json!(done)], "{}.{}: {}", sample.path, edge.field, used.text);
            }
        }
    }
    // There is no policy of the product yet.
    missing.remove("policies/bindings.policy");
    missing.remove("stages/prompt/stages.validation_policies");
    assert!(all > 15 && missing.is_empty(), "no sample refers by {missing:?}");
}
