//! Blueprints against a store in memory.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy takes only functions marked as tests for tests, not what they share"
)]

mod exporting;
mod keeping;
mod states;
mod tags;
mod wrong;

use std::sync::Arc;

use ak_flows::Flow;
use ak_flows::blueprint::{Blueprint, BlueprintError, Engine, Options, Report, Shipped};
use ak_store::directory::password::{Cost, Limits, PasswordHasher};
use ak_store::memory::MemoryBackend;
use ak_store::model::{RecordKinds, Registry, Store, StoreOptions};
use ak_store::{ManualClock, SeededRng};
use serde_json::{Map, Value};

/// An engine over an empty store.
async fn engine() -> Engine {
    engine_with(&[]).await
}

async fn engine_with(shipped: &[Shipped]) -> Engine {
    let registry = ak_flows::kinds(ak_policy::kinds(Registry::new())).build().unwrap();
    let options = StoreOptions {
        backend: Arc::new(MemoryBackend::new()),
        registry,
        secret_key: "a secret key for tests".to_owned(),
        clock: Arc::new(ManualClock::new(ak_store::clock::from_micros(1_800_000_000_000_000))),
        rng: Arc::new(SeededRng::new(1)),
    };
    Engine::new(Store::open(options).await.unwrap(), RecordKinds::new(), shipped)
}

fn hasher() -> PasswordHasher {
    PasswordHasher::with_limits(Cost::cheap_for_tests(), Limits::default(), Arc::new(SeededRng::new(2)))
}

fn read(text: &str) -> Result<Blueprint, BlueprintError> {
    Blueprint::parse("test.yaml", text).map(Blueprint::trusted)
}

async fn apply(engine: &Engine, text: &str) -> Result<Report, BlueprintError> {
    engine.apply(&read(text)?, &Options::default()).await
}

async fn plan(engine: &Engine, text: &str) -> Report {
    engine.plan(&read(text).unwrap(), &Options::default()).await.unwrap()
}

/// The document of the flow with this slug.
fn flow(engine: &Engine, slug: &str) -> Option<Map<String, Value>> {
    let snapshot = engine.store().snapshot();
    let (_, flow) = snapshot.by::<Flow>("slug", slug)?;
    match serde_json::to_value(flow).unwrap() {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

/// An entry for a flow with attributes in flow style.
fn flow_entry(slug: &str, attrs: &str) -> String {
    format!("- model: authentik_flows.flow\n  identifiers: {{ slug: {slug} }}\n  attrs: {{ {attrs} }}\n")
}

const REST: &str = "name: N, title: T, designation: enrollment";
