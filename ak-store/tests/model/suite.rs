//! The tests, which say nothing of where things are kept.

mod broken;
mod inputs;
mod kinds;
mod lists;
mod references;
mod registration;
mod restarts;
mod together;

use std::sync::Arc;

use ak_store::model::{Change, Errors, Pk, Registry, Store, StoreOptions, WriteError};
use ak_store::records::{Backend, Durability, NewUser, ObjectRow};
use ak_store::{ManualClock, SystemRng};
use serde_json::{Map, Value};

use super::Storage;

const SECRET_KEY: &str = "a secret key for tests";

async fn open_with(backend: Arc<dyn Backend>, registry: Registry) -> Arc<Store> {
    let clock = Arc::new(ManualClock::new(ak_store::clock::from_micros(0)));
    let (registry, secret_key) = (registry.build().unwrap(), SECRET_KEY.to_owned());
    let rng = Arc::new(SystemRng);
    Store::open(StoreOptions { backend, registry, secret_key, clock, rng }).await.unwrap()
}

async fn open(backend: Arc<dyn Backend>) -> Arc<Store> {
    open_with(backend, kinds::all()).await
}

/// A handle on a new storage.
async fn backend() -> Arc<dyn Backend> {
    Storage::new().handle().await
}

async fn store() -> Arc<Store> {
    open(backend().await).await
}

async fn put(store: &Store, model: &str, at: Option<Pk>, fields: Value, change: Change) -> Result<Pk, WriteError> {
    store.write(|draft| draft.put(model, at, &fields, change)).await
}

async fn make(store: &Store, model: &str, fields: Value) -> Pk {
    put(store, model, None, fields, Change::Create).await.unwrap()
}

/// What is wrong with a new object of these fields, as the API tells it.
async fn refused(store: &Store, model: &str, fields: Value) -> Value {
    told(put(store, model, None, fields, Change::Create).await)
}

fn told<T: std::fmt::Debug>(result: Result<T, WriteError>) -> Value {
    match result {
        Err(WriteError::Invalid(errors)) => Errors::value(&errors),
        other => panic!("{other:?}"),
    }
}

fn document(store: &Store, pk: Pk) -> Map<String, Value> {
    store.snapshot().object(pk).unwrap().body().unwrap().document()
}

/// What an object shows to a client.
fn shown(store: &Store, pk: Pk) -> Map<String, Value> {
    let snapshot = store.snapshot();
    snapshot.render(snapshot.object(pk).unwrap(), &Default::default())
}

async fn user(store: &Store, name: &str) -> i64 {
    let mut repo = store.backend().begin(Durability::Full).await.unwrap();
    let new = NewUser::internal(store.rng().uuid(), name);
    let pk = repo.users().add(new, store.clock().now()).await.unwrap().pk;
    repo.save().await.unwrap();
    pk
}

async fn rows(backend: &dyn Backend) -> Vec<ObjectRow> {
    backend.read().await.unwrap().objects().all().await.unwrap()
}

/// Changes stored rows behind the store's back, as another program would.
async fn change_rows(backend: &dyn Backend, change: impl Fn(&mut ObjectRow)) {
    let mut all = rows(backend).await;
    all.iter_mut().for_each(change);
    let mut repo = backend.begin(Durability::Full).await.unwrap();
    let base = repo.objects().lock_revision().await.unwrap();
    repo.objects().commit(base, &all).await.unwrap();
    repo.save().await.unwrap();
}
