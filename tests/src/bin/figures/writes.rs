//! Objects made and changed over the API, one after another.

use std::time::{Duration, Instant};

use ak_tests::program::{Home, Served};
use ak_tests::server::TOKEN;
use serde_json::{Value, json};

use crate::Scale;
use crate::engines::Engine;
use crate::processes::{start, with_secrets};
use crate::table::row;

/// Where the objects are.
const PATH: &str = "/api/v3/stages/dummy/";

pub(crate) async fn writes(scale: &Scale) {
    for engine in Engine::ALL {
        let (_, served) = start(&with_secrets(Home::at(engine.place()))).await;
        let (created, patched) = create_and_patch(&served, scale.requests).await;
        served.stop().await;
        let a_second = |took: Duration| scale.requests as f64 / took.as_secs_f64();
        let what = format!("objects created; patched over the API, one after another, {}, synced to disk", engine.name());
        row(&what, format!("{:.0}; {:.0} a second", a_second(created), a_second(patched)), "");
    }
}

/// How long it takes to make so many objects, and to change each.
async fn create_and_patch(served: &Served, times: usize) -> (Duration, Duration) {
    let client = served.client().header("authorization", &format!("Bearer {TOKEN}"));
    let body = |n: usize, throw: bool| json!({ "name": format!("stage-{n}"), "throw_error": throw });
    // The connection, and what the first request of all prepares.
    assert_eq!(client.post(PATH, &body(times, false)).await.status, 201);
    let mut keys: Vec<Value> = Vec::new();
    let begun = Instant::now();
    for n in 0..times {
        let mut made = client.post(PATH, &body(n, false)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        keys.push(made.body["pk"].take());
    }
    let created = begun.elapsed();
    let begun = Instant::now();
    for key in &keys {
        let changed = client.patch(&format!("{PATH}{}/", key.as_str().expect("a key")), &json!({ "throw_error": true })).await;
        assert_eq!(changed.body["throw_error"], true, "{}", changed.text);
    }
    (created, begun.elapsed())
}
