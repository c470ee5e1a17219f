//! A house with a door that expressions guard.
#![allow(dead_code, reason = "every test binary uses a part of the kit")]

use std::sync::Arc;

use ak_policy::{Context, Decision, EngineMode, PolicyTarget, Request, Services, decide};
use ak_store::directory::Person;
use ak_store::memory::MemoryBackend;
use ak_store::model::{Change, Kind, Meta, Pk, Registry, Roles, Row, Snapshot, Store, StoreOptions, WriteError};
use ak_store::records::{Durability, Group, NewUser};
use ak_store::{ManualClock, SeededRng};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// Something that is guarded.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Door {
    name: String,
    #[serde(default)]
    mode: EngineMode,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Nothing {}

impl Kind for Door {
    const META: Meta = Meta::new("test.door", "test/doors", "Door", "Doors");
    type Shown = Nothing;

    fn shown(&self, _: &Row<'_>) -> Nothing {
        Nothing {}
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn PolicyTarget>(|s| s);
    }
}

impl PolicyTarget for Door {
    fn engine_mode(&self) -> EngineMode {
        self.mode
    }
}

/// A house in memory, at noon of Tuesday, 2 January 2024 (UTC).
pub(crate) struct House {
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<ManualClock>,
}

impl House {
    pub(crate) async fn new() -> Self {
        let registry = ak_policy::kinds(Registry::new()).with::<Door>().build().unwrap();
        let clock = Arc::new(ManualClock::new("2024-01-02T12:00:00Z".parse().unwrap()));
        let (backend, rng) = (Arc::new(MemoryBackend::new()), Arc::new(SeededRng::new(1)));
        let options = StoreOptions { backend, registry, secret_key: "a secret key for tests".into(), clock: clock.clone(), rng };
        Self { store: Store::open(options).await.unwrap(), clock }
    }

    pub(crate) async fn make(&self, model: &str, fields: Value) -> Result<Pk, WriteError> {
        self.store.write(|draft| draft.put(model, None, &fields, Change::Create)).await
    }

    /// A request of this person.
    pub(crate) fn request(&self, person: Option<&Person>) -> Request {
        Request::new(Snapshot::clone(&self.store.snapshot()), Arc::new(Services::of(&self.store))).of(person)
    }

    /// A new door, guarded by a new policy of this model; `how` are further fields of the binding.
    pub(crate) async fn guarded(&self, model: &str, fields: Value, how: Value) -> Pk {
        let number = self.store.snapshot().len();
        let mut policy = json!({ "name": format!("policy {number}") });
        policy.as_object_mut().unwrap().extend(fields.as_object().cloned().unwrap());
        let policy = self.make(model, policy).await.unwrap();
        let door = self.make("test.door", json!({ "name": format!("door {number}") })).await.unwrap();
        let mut binding = json!({ "policy": policy.value(), "target": door.value(), "order": 0 });
        binding.as_object_mut().unwrap().extend(how.as_object().cloned().unwrap());
        self.make("authentik_policies.policybinding", binding).await.unwrap();
        door
    }

    pub(crate) async fn expression(&self, text: &str, how: Value) -> Pk {
        self.guarded("authentik_policies_expression.expressionpolicy", json!({ "expression": text }), how).await
    }

    /// Asks an expression about a person.
    pub(crate) async fn ask(&self, person: Option<&Person>, text: &str) -> Decision {
        self.ask_in(person, &[], text).await
    }

    /// Asks an expression about a person in a flow that has gathered this.
    pub(crate) async fn ask_in(&self, person: Option<&Person>, gathered: &[(&str, Value)], text: &str) -> Decision {
        let door = self.expression(text, json!({})).await;
        let mut context = Context::default();
        gathered.iter().for_each(|(name, value)| context.set(name, value.clone()));
        let request = self.request(person);
        decide(door, &Request { context, client_ip: "192.0.2.7".parse().ok(), ..request }).await
    }

    /// What is said of an expression that is not saved.
    pub(crate) async fn refusal(&self, text: &str) -> Value {
        let fields = json!({ "name": "refused", "expression": text });
        match self.make("authentik_policies_expression.expressionpolicy", fields).await {
            Err(WriteError::Invalid(errors)) => errors.value(),
            other => panic!("{text}: {other:?}"),
        }
    }

    /// What is said of an expression that is saved although it cannot be used: it refuses everybody.
    pub(crate) async fn remark(&self, text: &str) -> Value {
        let door = self.expression(text, json!({ "name": "kept" })).await;
        let decision = decide(door, &self.request(None)).await;
        assert!(!decision.passing && decision.undecided, "{text}: {decision:?}");
        let snapshot = self.store.snapshot();
        let policy = snapshot.all::<ak_policy::kinds::ExpressionPolicy>().find(|(_, policy)| policy.expression.source() == text);
        let (at, _) = policy.unwrap_or_else(|| panic!("{text} is saved"));
        snapshot.remarks(at.pk()).value()
    }

    pub(crate) async fn person(&self, name: &str, groups: &[Uuid]) -> Person {
        let new = NewUser { email: format!("{name}@example.org"), ..NewUser::internal(self.store.rng().uuid(), name) };
        self.person_of(new, groups).await
    }

    pub(crate) async fn person_of(&self, new: NewUser, groups: &[Uuid]) -> Person {
        let mut repo = self.store.backend().begin(Durability::Full).await.unwrap();
        let user = repo.users().add(new, self.store.clock().now()).await.unwrap();
        for group in groups {
            repo.groups().add_member(*group, user.pk).await.unwrap();
        }
        let person = Person::of(&mut *repo, user).await.unwrap();
        repo.save().await.unwrap();
        person
    }

    pub(crate) async fn group(&self, name: &str, parents: &[Uuid]) -> Uuid {
        let pk = self.store.rng().uuid();
        let group = Group { parents: parents.to_vec(), ..Group::named(pk, name, self.store.clock().now()) };
        let mut repo = self.store.backend().begin(Durability::Full).await.unwrap();
        repo.groups().add(&group).await.unwrap();
        repo.save().await.unwrap();
        pk
    }
}
