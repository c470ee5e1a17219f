//! A house to play flows in: a store in memory, people, flows put together in a few words, and transcripts of what a person sees.

mod build;
mod kinds;
mod play;

use std::sync::Arc;
use std::time::Duration;

use ak_flows::{Client, Directory as _, Finales, Runner, RunnerOptions, StoreDirectory, World};
use ak_policy::Context;
use ak_store::directory::Person;
use ak_store::directory::password::{Cost, Limits, PasswordHasher};
use ak_store::memory::MemoryBackend;
use ak_store::model::{Draft, Errors, Pk, Registry, Store, StoreOptions};
use ak_store::records::{Durability, Event, EventFilter, Group, NewUser, Page, SessionFilter, User};
use ak_store::{Clock, ManualClock, Rng, SeededRng};
use serde_json::{Value, json};

pub(crate) use build::{
    Built, Spec, consent, deny, dummy, identification, login, logout, password, probe, prompt, redirect, reputation, says, write,
};
pub(crate) use kinds::{Probe, Says};
pub(crate) use play::{Browser, line};

/// The moment at which every test begins.
pub(crate) const START: i64 = 1_800_000_000;

/// Ada's password, and Bob's.
pub(crate) const ADAS: &str = "analytical engine";
pub(crate) const BOBS: &str = "builds bridges";

pub(crate) struct House {
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) directory: Arc<StoreDirectory>,
    pub(crate) runner: Runner,
    pub(crate) hasher: PasswordHasher,
    pub(crate) ada: i64,
    pub(crate) bob: i64,
}

/// A house with two accounts: `ada`, a superuser, and `bob`.
pub(crate) async fn house() -> House {
    let clock = Arc::new(ManualClock::new(ak_store::clock::from_micros(START * 1_000_000)));
    let rng: Arc<dyn Rng> = Arc::new(SeededRng::new(1));
    let registry = ak_flows::kinds(ak_policy::kinds(Registry::new())).with::<Says>().with::<Probe>().build().unwrap();
    let backend = Arc::new(MemoryBackend::new());
    let secret_key = "a secret key for tests".to_owned();
    let options = StoreOptions { backend, registry, secret_key, clock: clock.clone(), rng: rng.clone() };
    let store = Store::open(options).await.unwrap();
    let hasher = PasswordHasher::with_limits(Cost::cheap_for_tests(), Limits::default(), rng);
    let directory = Arc::new(StoreDirectory::new(store.clone(), hasher.clone(), Duration::ZERO));
    let finales = Finales::default().with("answer", kinds::Answers);
    let runner = Runner::new(store.clone(), directory.clone(), RunnerOptions::default()).with_finales(finales);
    let mut house = House { store, clock, directory, runner, hasher, ada: 0, bob: 0 };
    house.ada = house.user("ada", ADAS).await;
    house.bob = house.user("bob", BOBS).await;
    let mut repo = house.store.backend().begin(Durability::Full).await.unwrap();
    let admins = Group { is_superuser: true, ..Group::named(house.store.rng().uuid(), "admins", house.clock.now()) };
    repo.groups().add(&admins).await.unwrap();
    repo.groups().add_member(admins.pk, house.ada).await.unwrap();
    repo.save().await.unwrap();
    house
}

impl House {
    /// An account with this user name, an e-mail address made of it, and this password.
    pub(crate) async fn user(&self, name: &str, password: &str) -> i64 {
        let hash = self.hasher.hash(password).await.unwrap();
        let email = format!("{name}@example.com");
        self.add_user(NewUser { email, password: Some(hash), ..NewUser::internal(self.store.rng().uuid(), name) }).await
    }

    pub(crate) async fn add_user(&self, user: NewUser) -> i64 {
        let mut repo = self.store.backend().begin(Durability::Full).await.unwrap();
        let pk = repo.users().add(user, self.clock.now()).await.unwrap().pk;
        repo.save().await.unwrap();
        pk
    }

    /// Changes an account.
    pub(crate) async fn change_user(&self, pk: i64, change: impl FnOnce(&mut User)) {
        let mut repo = self.store.backend().begin(Durability::Full).await.unwrap();
        let mut user = repo.users().lookup(pk).await.unwrap().unwrap();
        change(&mut user);
        repo.users().update(&user, self.clock.now()).await.unwrap();
        repo.save().await.unwrap();
    }

    pub(crate) async fn account(&self, pk: i64) -> User {
        self.store.read().await.unwrap().users().lookup(pk).await.unwrap().unwrap()
    }

    pub(crate) async fn person(&self, pk: i64) -> Person {
        self.directory.person(pk).await.unwrap().unwrap()
    }

    pub(crate) async fn write<T>(&self, apply: impl FnMut(&mut Draft) -> Result<T, Errors> + Send) -> T {
        self.store.write(apply).await.unwrap()
    }

    /// Changes some fields of an object.
    pub(crate) async fn patch(&self, pk: Pk, fields: Value) {
        let snapshot = self.store.snapshot();
        let model = snapshot.object(pk).unwrap().model.clone();
        self.write(|draft| draft.put(&model, Some(pk), &fields, ak_store::model::Change::Patch)).await;
    }

    pub(crate) async fn delete(&self, pk: Pk) {
        assert!(self.write(|draft| draft.delete(pk)).await);
    }

    /// Makes an object unreadable, as a newer version of the program might have left it.
    pub(crate) async fn spoil(&self, pk: Pk) {
        let mut repo = self.store.backend().begin(Durability::Full).await.unwrap();
        let mut rows = repo.objects().all().await.unwrap();
        rows.retain(|row| row.pk == pk.uuid());
        rows[0].version = 999;
        let base = repo.objects().lock_revision().await.unwrap();
        repo.objects().commit(base, &rows).await.unwrap();
        repo.save().await.unwrap();
        self.store.refresh().await.unwrap();
    }

    /// The names of what happened, the oldest first.
    pub(crate) async fn events(&self) -> Vec<String> {
        self.all_events().await.into_iter().map(|event| event.action).collect()
    }

    pub(crate) async fn all_events(&self) -> Vec<Event> {
        let mut events = self.store.read().await.unwrap().events().list(&EventFilter::default(), Page::ALL).await.unwrap();
        events.reverse();
        events
    }

    /// How many sessions there are of an account, or at all.
    pub(crate) async fn sessions(&self, user: Option<i64>) -> u64 {
        let filter = SessionFilter { user, ..SessionFilter::default() };
        self.store.read().await.unwrap().sessions().count(&filter).await.unwrap()
    }

    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser::new(self)
    }

    /// A browser in which this account has signed in.
    pub(crate) async fn browser_of(&self, user: i64) -> Browser<'_> {
        let mut browser = Browser::new(self);
        browser.sign_in(user).await;
        browser
    }

    pub(crate) fn world<'a>(
        &'a self,
        snapshot: &'a ak_store::model::Snapshot,
        client: &'a Client,
        person: Option<&'a Person>,
    ) -> World<'a> {
        let rng = &**self.store.rng();
        let (now, services) = (self.clock.now(), self.runner.services());
        let finales = self.runner.finales();
        World { snapshot, directory: &*self.directory, now, rng, client, person, request_id: "test", services, finales }
    }
}

/// A context with this value.
pub(crate) fn context(name: &str, value: impl Into<Value>) -> Context {
    let mut context = Context::default();
    context.set(name, value);
    context
}

/// The answer of who names an account.
pub(crate) fn uid(name: &str) -> Value {
    json!({ "uid_field": name })
}

/// The answer of who types a password.
pub(crate) fn pw(password: &str) -> Value {
    json!({ "password": password })
}
