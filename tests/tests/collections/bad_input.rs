//! Bad input at every collection: a clear refusal at the field, and nothing changed.

use ak_store::model::{Field, Shape};

use super::*;

/// Values that a field of this shape does not take.
fn wrong(field: &Field) -> Vec<Value> {
    let nowhere = "00000000-0000-0000-0000-000000000000";
    let mut values = match (&field.reference, &field.shape) {
        (Some(_), _) => vec![json!("x"), json!([]), json!({}), json!(true), json!(1.5), json!(nowhere)],
        (None, Shape::Text { .. }) => vec![json!([]), json!({}), json!(true), json!("a\u{0}b")],
        (None, Shape::Uuid) => vec![json!("x"), json!(1), json!([])],
        (None, Shape::Bool) => vec![json!("perhaps"), json!([]), json!({}), json!(7)],
        (None, Shape::Int { max, .. }) => {
            let over = max.unwrap_or(i64::MAX).unsigned_abs() + 1;
            vec![json!("x"), json!([]), json!(1.5), json!(over), json!(true)]
        }
        (None, Shape::Choice(_)) => vec![json!("x"), json!(7), json!([]), json!({})],
        (None, Shape::List(_)) => vec![json!("x"), json!({}), json!(7)],
        (None, Shape::Map) => vec![json!("x"), json!([]), json!(7)],
        _ => Vec::new(),
    };
    if !field.nullable {
        values.push(Value::Null);
    }
    values
}

#[tokio::test]
async fn a_value_of_the_wrong_type_is_refused_at_its_field() {
    let server = Server::start().await;
    let admin = server.admin();
    let samples = samples(&server).await;
    let mut tried = 0;
    for sample in samples {
        let made = server.make(sample.path, &sample.one).await;
        let (template, at) = sample.at(&made);
        let snapshot = server.store.snapshot();
        // Collections of people have tests of their own.
        let Some(kind) = snapshot.registry().by_path(sample.path) else { continue };
        // What is read-only is not looked at.
        for field in kind.fields.iter().filter(|f| !f.read_only) {
            for value in wrong(field) {
                let name = &*field.name;
                let reply = admin.patch(&at, &json!({ name: value })).await;
                assert_eq!(reply.status, 400, "{}.{name} = {value}: {}", sample.path, reply.text);
                contract().assert_valid("ValidationError", &reply.body);
                // A second subject of a binding is wrong as such, whoever it is.
                let second = sample.path == "policies/bindings" && !reply.body["non_field_errors"].is_null();
                assert!(!reply.body[name].is_null() || second, "{}.{name} = {value}: {}", sample.path, reply.text);
                tried += 1;
            }
        }
        let now = admin.get(&at).await;
        assert_eq!(now.body, made, "{}: nothing was changed", sample.path);
        exact("GET", &template, &now);
        let required: Vec<&str> = kind.fields.iter().filter(|f| f.required).map(|f| &*f.name).collect();
        let put = admin.put(&at, &json!({})).await;
        assert_eq!(put.status, 400, "{}", sample.path);
        for name in required {
            assert_eq!(put.body[name], json!(["This field is required."]), "{}: {}", sample.path, put.text);
        }
    }
    assert!(tried > 200, "{tried}");
}

#[tokio::test]
async fn what_must_be_unique_is() {
    let server = Server::start().await;
    let admin = server.admin();
    for sample in samples(&server).await {
        let snapshot = server.store.snapshot();
        let Some(kind) = snapshot.registry().by_path(sample.path) else { continue };
        if kind.meta.unique.is_empty() {
            continue;
        }
        server.make(sample.path, &sample.one).await;
        let count = async || admin.get(&sample.list()).await.body["pagination"]["count"].clone();
        let before = count().await;
        let twice = admin.post(&sample.list(), &sample.one).await;
        // Sets with a null are left out: a binding to a person has no policy.
        let null = kind.meta.unique.iter().all(|set| set.iter().any(|name| sample.one.get(*name).is_none_or(Value::is_null)));
        if null {
            assert_eq!(twice.status, 201, "{}: {}", sample.path, twice.text);
            continue;
        }
        assert!(twice.status == 400 && twice.text.contains("unique"), "{}: {}", sample.path, twice.text);
        contract().assert_valid("ValidationError", &twice.body);
        let other = server.make(sample.path, &sample.two).await;
        let (_, at) = sample.at(&other);
        let mut taken = sample.two.clone();
        for name in kind.meta.unique[0] {
            taken[*name] = sample.one[*name].clone();
        }
        assert_eq!(admin.put(&at, &taken).await.status, 400, "{}", sample.path);
        assert_eq!(admin.get(&at).await.body, other, "{}", sample.path);
        assert_eq!(count().await.as_u64(), before.as_u64().map(|n| n + 1), "{}", sample.path);
    }
}

/// Texts that people send by accident or to see what breaks.
const HOSTILE: [&str; 9] = [
    "\u{202e}gnp.exe",
    "A\u{030a}\u{0323}",
    "👩‍👩‍👧‍👦",
    "\u{feff}x\u{200b}",
    "'; DROP TABLE object; --",
    "<script>alert(1)</script>",
    "{{ 7 * 7 }}${7*7}%(name)s",
    "../../../etc/passwd",
    "\u{fffd}\u{10ffff}",
];

#[tokio::test]
async fn hostile_texts_come_back_as_they_were() {
    let server = Server::start().await;
    let admin = server.admin();
    for text in HOSTILE {
        let stage = server.make("stages/dummy", &json!({ "name": text })).await;
        assert_eq!(stage["name"].as_str(), Some(text.trim()));
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("name", text.trim()).finish();
        assert_eq!(admin.get(&format!("/api/v3/stages/dummy/?{query}")).await.body["pagination"]["count"], 1, "{text}");
        let app = json!({ "name": text, "slug": "hostile", "group": text, "meta_description": text, "meta_publisher": text, "meta_icon": text });
        let app = server.make("core/applications", &app).await;
        assert_eq!((app["name"].as_str(), &app["meta_icon_url"]), (Some(text.trim()), &Value::Null));
        let bad = admin.post("/api/v3/core/applications/", &json!({ "name": "x", "slug": text })).await;
        assert!(bad.status == 400 && bad.body["slug"].is_array(), "{text}: {}", bad.text);
        assert_eq!(admin.delete("/api/v3/core/applications/hostile/").await.status, 204);
        let path: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
        refused(&admin.get(&format!("/api/v3/core/applications/{path}/")).await, 404);
    }
    let half = r#"{"name":"\ud800"}"#;
    let reply = admin
        .send(|http, url| http.post(url).header("content-type", "application/json").body(half), "/api/v3/stages/dummy/")
        .await;
    refused(&reply, 400);
}

#[tokio::test]
async fn bodies_and_addresses_without_end_are_refused() {
    let server = Server::start().await;
    let admin = server.admin();
    let deep = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!({ "a": inner }));
    for path in ["core/applications", "flows/instances", "core/brands", "policies/bindings", "crypto/certificatekeypairs"] {
        let large = json!({ "name": "x".repeat(2_000_000) });
        refused(&admin.post(&format!("/api/v3/{path}/"), &large).await, 413);
    }
    refused(
        &admin.post("/api/v3/crypto/certificatekeypairs/generate/", &json!({ "common_name": "x".repeat(2_000_000) })).await,
        413,
    );
    let brand = admin.post("/api/v3/core/brands/", &json!({ "domain": "deep.example", "attributes": deep(100) })).await;
    assert!(brand.status == 400 && brand.body["attributes"].is_array(), "{}", brand.text);
    let many: String = (0..2000).map(|n| format!("name={n}&")).collect();
    assert_eq!(admin.get(&format!("/api/v3/core/applications/?{many}")).await.status, 200);
    let long = admin.get(&format!("/api/v3/core/applications/{}/", "x".repeat(10_000))).await;
    refused(&long, 404);
}

#[tokio::test]
async fn a_binding_binds_one_thing_and_not_to_itself() {
    let server = Server::start().await;
    let admin = server.admin();
    let ada = server.user("ada").await;
    let staff = server.group("staff", &[&ada]).await;
    let app = server.make("core/applications", &json!({ "name": "App", "slug": "app" })).await;
    let (target, path) = (&app["pk"], "/api/v3/policies/bindings/");
    let nowhere = "00000000-0000-0000-0000-000000000000";
    for (field, body) in [
        ("non_field_errors", json!({ "target": target, "order": 0 })),
        ("non_field_errors", json!({ "target": target, "order": 0, "user": ada.pk, "group": staff.pk })),
        ("user", json!({ "target": target, "order": 0, "user": 999_999 })),
        ("group", json!({ "target": target, "order": 0, "group": nowhere })),
        ("policy", json!({ "target": target, "order": 0, "policy": target })),
        ("target", json!({ "target": nowhere, "order": 0, "user": ada.pk })),
        // A stage is not guarded itself; its place in a flow is.
        ("target", json!({ "target": server.key_of("stages/password", "").await, "order": 0, "user": ada.pk })),
        ("order", json!({ "target": target, "order": 2_147_483_648_i64, "user": ada.pk })),
        ("timeout", json!({ "target": target, "order": 0, "timeout": -1, "user": ada.pk })),
    ] {
        let reply = admin.post(path, &body).await;
        assert!(reply.status == 400 && !reply.body[field].is_null(), "{body}: {}", reply.text);
    }
    let bound = admin.get(&format!("{path}?target={}", target.as_str().unwrap())).await;
    assert_eq!(bound.body["pagination"]["count"], 0);
    let two = server.make("core/brands", &json!({ "domain": "two.example" })).await;
    let reply =
        admin.patch(&format!("/api/v3/core/brands/{}/", two["brand_uuid"].as_str().unwrap()), &json!({ "default": true })).await;
    assert!(reply.status == 400 && reply.body["default"].is_array(), "{}", reply.text);
}
