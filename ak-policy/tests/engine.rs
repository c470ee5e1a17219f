//! Who may: what the engine makes of bindings, with policies of a program of its own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy takes only functions marked as tests for tests, not what they share"
)]

mod kit;

use std::sync::Arc;

use ak_policy::{Decision, Failure, Outcome, Policy, Request, Services, Subject, Verdict, decide};
use ak_store::directory::Person;
use ak_store::memory::MemoryBackend;
use ak_store::model::{Change, Kind, Meta, Pk, Registry, Roles, Row, Snapshot, Store, StoreOptions, WriteError};
use ak_store::records::{Durability, Group, NewUser};
use ak_store::{ManualClock, SeededRng};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use kit::{Door, Nothing};

/// A policy that says `yes`, `no` or something that it cannot decide.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Says {
    name: String,
    says: String,
    #[serde(default)]
    messages: Vec<String>,
}

impl Kind for Says {
    const META: Meta = Meta::new("test.says", "test/says", "Says", "Says");
    type Shown = Nothing;

    fn shown(&self, _: &Row<'_>) -> Nothing {
        Nothing {}
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Policy>(|s| s);
    }
}

impl Policy for Says {
    fn name(&self) -> &str {
        &self.name
    }

    fn evaluate(&self, _: &Arc<Request>, _: std::time::Duration) -> Result<Verdict, Failure> {
        match self.says.as_str() {
            "yes" | "no" => Ok(Verdict { messages: self.messages.clone(), ..Verdict::plain(self.says == "yes") }),
            other => Err(other.into()),
        }
    }
}

struct House {
    store: Arc<Store>,
    any: Pk,
    all: Pk,
}

/// A house with two doors: one where any binding is enough, and one where all must let through.
async fn house() -> House {
    let registry = ak_policy::kinds(Registry::new()).with::<Says>().with::<Door>().build().unwrap();
    let clock = Arc::new(ManualClock::new(ak_store::clock::from_micros(0)));
    let (backend, rng) = (Arc::new(MemoryBackend::new()), Arc::new(SeededRng::new(1)));
    let secret_key = "a secret key for tests".to_owned();
    let store = Store::open(StoreOptions { backend, registry, secret_key, clock, rng }).await.unwrap();
    let nowhere = Pk::of_int(1, 1);
    let mut house = House { store, any: nowhere, all: nowhere };
    house.any = house.make("test.door", json!({ "name": "any" })).await.unwrap();
    house.all = house.make("test.door", json!({ "name": "all", "mode": "all" })).await.unwrap();
    house
}

impl House {
    async fn make(&self, model: &str, fields: Value) -> Result<Pk, WriteError> {
        self.store.write(|draft| draft.put(model, None, &fields, Change::Create)).await
    }

    /// Binds something to a door; `fields` say what and how.
    async fn bind(&self, door: Pk, fields: Value) -> Result<Pk, WriteError> {
        let mut all = json!({ "target": door.value(), "order": self.store.snapshot().len() });
        all.as_object_mut().unwrap().extend(fields.as_object().cloned().unwrap());
        self.make("authentik_policies.policybinding", all).await
    }

    /// Binds a new policy that says this to a door.
    async fn says(&self, door: Pk, says: &str, fields: Value) -> Pk {
        let name = format!("policy {}", self.store.snapshot().len());
        let fields_of_policy = json!({ "name": name, "says": says, "messages": [format!("told {says}")] });
        let policy = self.make("test.says", fields_of_policy).await.unwrap();
        let mut all = json!({ "policy": policy.value() });
        all.as_object_mut().unwrap().extend(fields.as_object().cloned().unwrap());
        self.bind(door, all).await.unwrap()
    }

    /// Binds such policies to both doors of a new house, and asks them: any, all.
    async fn asked(policies: &[(&str, Value)]) -> (Decision, Decision) {
        let house = house().await;
        for (says, fields) in policies {
            house.says(house.any, says, fields.clone()).await;
            house.says(house.all, says, fields.clone()).await;
        }
        (house.decide(house.any, None).await, house.decide(house.all, None).await)
    }

    async fn decide(&self, door: Pk, person: Option<&Person>) -> Decision {
        let services = Arc::new(Services::of(&self.store));
        let request = Request::new(Snapshot::clone(&self.store.snapshot()), services).of(person);
        decide(door, &request).await
    }

    async fn person(&self, name: &str, groups: &[Uuid]) -> Person {
        let mut repo = self.store.backend().begin(Durability::Full).await.unwrap();
        let new = NewUser::internal(self.store.rng().uuid(), name);
        let user = repo.users().add(new, self.store.clock().now()).await.unwrap();
        for group in groups {
            repo.groups().add_member(*group, user.pk).await.unwrap();
        }
        let person = Person::of(&mut *repo, user).await.unwrap();
        repo.save().await.unwrap();
        person
    }

    async fn group(&self, name: &str, parents: &[Uuid]) -> Uuid {
        let pk = self.store.rng().uuid();
        let group = Group { parents: parents.to_vec(), ..Group::named(pk, name, self.store.clock().now()) };
        let mut repo = self.store.backend().begin(Durability::Full).await.unwrap();
        repo.groups().add(&group).await.unwrap();
        repo.save().await.unwrap();
        pk
    }

    /// Makes an object unreadable, as a newer version of the program might have left it.
    async fn spoil(&self, pk: Pk) {
        let mut repo = self.store.backend().begin(Durability::Full).await.unwrap();
        let base = repo.objects().lock_revision().await.unwrap();
        let mut rows = repo.objects().all().await.unwrap();
        rows.retain(|row| row.pk == pk.uuid());
        rows[0].version = 999;
        repo.objects().commit(base, &rows).await.unwrap();
        repo.save().await.unwrap();
        self.store.refresh().await.unwrap();
    }
}

fn plain() -> Value {
    json!({})
}

#[tokio::test]
async fn a_door_without_an_enabled_binding_is_open() {
    let house = house().await;
    assert_eq!(house.decide(house.any, None).await, Decision::open());
    house.says(house.any, "no", json!({ "enabled": false })).await;
    house.says(house.any, "error", json!({ "enabled": false })).await;
    assert_eq!(house.decide(house.any, None).await, Decision::open());
}

#[tokio::test]
async fn one_or_all_must_let_through() {
    for (says, any, all) in [(["yes", "yes"], true, true), (["yes", "no"], true, false), (["no", "no"], false, false)] {
        let (of_any, of_all) = House::asked(&says.map(|s| (s, plain()))).await;
        assert_eq!((of_any.passing, of_all.passing), (any, all), "{says:?}");
        assert!(!of_any.undecided && !of_all.undecided);
    }
}

#[tokio::test]
async fn negate_turns_an_answer_round_and_keeps_its_messages() {
    let (decision, _) = House::asked(&[("yes", json!({ "negate": true }))]).await;
    assert_eq!((decision.passing, decision.messages), (false, vec!["told yes".to_owned()]));
    let (decision, _) = House::asked(&[("no", json!({ "negate": true }))]).await;
    assert!(decision.passing);
}

#[tokio::test]
async fn an_error_is_the_failure_result_and_never_turned_round() {
    for negate in [false, true] {
        for failure_result in [false, true] {
            let fields = json!({ "negate": negate, "failure_result": failure_result });
            let (any, all) = House::asked(&[("broken pipe", fields)]).await;
            assert_eq!((any.passing, all.passing), (failure_result, failure_result), "negate {negate}");
            assert_eq!((any.undecided, all.undecided), (!failure_result, !failure_result));
            assert_eq!(any.trace[0].outcome, Outcome::Failed("broken pipe".into()));
            assert!(any.messages.is_empty());
        }
    }
}

#[tokio::test]
async fn undecided_is_exactly_a_no_that_an_error_could_have_changed() {
    for (says, any, all) in [
        (vec!["no", "error"], true, false),
        (vec!["yes", "error"], false, true),
        (vec!["error", "error"], true, true),
        (vec!["yes", "no", "error"], false, false),
        (vec!["no"], false, false),
        (vec!["yes"], false, false),
    ] {
        let policies: Vec<(&str, Value)> = says.iter().map(|s| (*s, plain())).collect();
        let (of_any, of_all) = House::asked(&policies).await;
        assert_eq!((of_any.undecided, of_all.undecided), (any, all), "{says:?}");
        assert!([of_any, of_all].iter().all(|decision| !decision.undecided || !decision.passing));
    }
}

#[tokio::test]
async fn the_trace_tells_every_binding_in_order() {
    let house = house().await;
    let last = house.says(house.any, "no", json!({ "order": 20 })).await;
    let first = house.says(house.any, "yes", json!({ "order": -1, "negate": true })).await;
    let ada = house.person("ada", &[]).await;
    let middle = house.bind(house.any, json!({ "user": ada.user.pk, "order": 10 })).await.unwrap();
    let decision = house.decide(house.any, Some(&ada)).await;
    let told: Vec<(String, i32, bool, bool)> =
        decision.trace.iter().map(|t| (t.binding.clone(), t.order, t.negate, t.passing)).collect();
    assert_eq!(
        told,
        [(first.to_string(), -1, true, false), (middle.to_string(), 10, false, true), (last.to_string(), 20, false, false)]
    );
    assert!(matches!(&decision.trace[0].subject, Subject::Policy(name) if name.starts_with("policy ")));
    assert_eq!(decision.trace[1].subject, Subject::User(ada.user.pk));
    assert_eq!(decision.messages, ["told yes", "told no"]);
    let shown = serde_json::to_value(&decision).unwrap();
    assert_eq!(shown["trace"][2]["outcome"], "answered");
}

#[tokio::test]
async fn a_binding_to_an_account_lets_that_account_through() {
    let house = house().await;
    let (ada, bob) = (house.person("ada", &[]).await, house.person("bob", &[]).await);
    house.bind(house.any, json!({ "user": ada.user.pk })).await.unwrap();
    house.bind(house.all, json!({ "user": ada.user.pk, "negate": true })).await.unwrap();
    let may = async |door, who| house.decide(door, Some(who)).await.passing;
    assert_eq!([may(house.any, &ada).await, may(house.any, &bob).await], [true, false]);
    assert_eq!([may(house.all, &ada).await, may(house.all, &bob).await], [false, true]);
}

#[tokio::test]
async fn a_binding_to_a_group_lets_members_through_inherited_ones_too() {
    let house = house().await;
    let staff = house.group("staff", &[]).await;
    let engineers = house.group("engineers", &[staff]).await;
    let (ada, bob) = (house.person("ada", &[engineers]).await, house.person("bob", &[]).await);
    house.bind(house.any, json!({ "group": staff })).await.unwrap();
    assert!(house.decide(house.any, Some(&ada)).await.passing);
    let refused = house.decide(house.any, Some(&bob)).await;
    assert_eq!((refused.passing, refused.undecided, &refused.trace[0].subject), (false, false, &Subject::Group(staff)));
    // Not the other way round: who is in the parent is not in the child.
    let eve = house.person("eve", &[staff]).await;
    house.bind(house.all, json!({ "group": engineers })).await.unwrap();
    assert!(house.decide(house.all, Some(&ada)).await.passing);
    assert!(!house.decide(house.all, Some(&eve)).await.passing);
}

#[tokio::test]
async fn nobody_never_passes_a_binding_to_people() {
    let house = house().await;
    let (ada, staff) = (house.person("ada", &[]).await, house.group("staff", &[]).await);
    for (negate, failure_result) in [(false, false), (true, false), (false, true), (true, true)] {
        let how = json!({ "negate": negate, "failure_result": failure_result });
        for (subject, key) in [("user", json!(ada.user.pk)), ("group", json!(staff))] {
            let mut fields = how.clone();
            fields[subject] = key;
            house.bind(house.any, fields).await.unwrap();
        }
    }
    let decision = house.decide(house.any, None).await;
    assert_eq!((decision.passing, decision.undecided, decision.trace.len()), (false, false, 8));
    assert!(decision.trace.iter().all(|t| !t.passing && t.outcome == Outcome::Answered));
}

#[tokio::test]
async fn a_broken_binding_lets_nobody_through() {
    let house = house().await;
    let ada = house.person("ada", &[]).await;
    house.says(house.any, "yes", plain()).await;
    let broken = house.says(house.any, "yes", json!({ "enabled": false, "failure_result": true })).await;
    house.spoil(broken).await;
    let decision = house.decide(house.any, Some(&ada)).await;
    assert_eq!((decision.passing, decision.undecided), (false, true));
    assert_eq!(decision.trace[0].binding, broken.to_string());
}

#[tokio::test]
async fn a_broken_policy_is_an_error_and_a_broken_door_is_shut() {
    let house = house().await;
    let policy = house.make("test.says", json!({ "name": "p", "says": "yes" })).await.unwrap();
    house.bind(house.any, json!({ "policy": policy.value(), "negate": true })).await.unwrap();
    house.spoil(policy).await;
    let decision = house.decide(house.any, None).await;
    assert_eq!((decision.passing, decision.undecided), (false, true));
    assert_eq!(decision.trace[0].subject, Subject::Unknown(policy.to_string()));
    house.spoil(house.all).await;
    assert!(!house.decide(house.all, None).await.passing);
    assert!(!house.decide(Pk::of_uuid(Uuid::from_u128(7 << 100)), None).await.passing, "what is not there is shut");
}

fn refusal(result: Result<Pk, WriteError>) -> Value {
    match result {
        Err(WriteError::Invalid(errors)) => errors.value(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_binding_names_one_subject_that_exists() {
    let house = house().await;
    let ada = house.person("ada", &[]).await;
    let policy = house.make("test.says", json!({ "name": "p", "says": "yes" })).await.unwrap();
    let none = refusal(house.bind(house.any, plain()).await);
    assert_eq!(none, json!({ "non_field_errors": ["One of 'policy', 'group' or 'user' must be set."] }));
    let two = refusal(house.bind(house.any, json!({ "policy": policy.value(), "user": ada.user.pk })).await);
    assert_eq!(two, json!({ "non_field_errors": ["Only one of 'policy', 'group' or 'user' can be set."] }));
    let user = refusal(house.bind(house.any, json!({ "user": 99 })).await);
    assert_eq!(user, json!({ "user": ["Invalid pk \"99\" - object does not exist."] }));
    let (missing, door) = (Uuid::from_u128(1 << 100), house.any);
    let group = refusal(house.bind(door, json!({ "group": missing })).await);
    assert_eq!(group, json!({ "group": [format!("Invalid pk \"{missing}\" - object does not exist.")] }));
    // A door is no policy, and a policy no door.
    let role = refusal(house.bind(door, json!({ "policy": door.value() })).await);
    assert_eq!(role, json!({ "policy": [format!("Invalid pk \"{door}\" - object does not exist.")] }));
    let role = refusal(house.bind(policy, json!({ "policy": policy.value() })).await);
    assert_eq!(role, json!({ "target": [format!("Invalid pk \"{policy}\" - object does not exist.")] }));
}

#[tokio::test]
async fn a_binding_goes_with_its_account_group_policy_or_door() {
    let house = house().await;
    let (ada, staff) = (house.person("ada", &[]).await, house.group("staff", &[]).await);
    let policy = house.make("test.says", json!({ "name": "p", "says": "yes" })).await.unwrap();
    let of_user = house.bind(house.any, json!({ "user": ada.user.pk })).await.unwrap();
    let of_group = house.bind(house.any, json!({ "group": staff })).await.unwrap();
    let of_policy = house.bind(house.any, json!({ "policy": policy.value() })).await.unwrap();
    let of_door = house.bind(house.all, json!({ "group": staff })).await.unwrap();
    let there = |pk: Pk| house.store.snapshot().object(pk).is_some();
    let mut unit = house.store.begin(Durability::Full).await.unwrap();
    assert!(unit.delete_user(ada.user.pk).await.unwrap());
    unit.save().await.unwrap();
    assert_eq!([of_user, of_group, of_policy, of_door].map(there), [false, true, true, true]);
    house.store.write(|draft| draft.delete(policy)).await.unwrap();
    assert_eq!([of_group, of_policy, of_door].map(there), [true, false, true]);
    house.store.write(|draft| draft.delete(house.all)).await.unwrap();
    assert_eq!([of_group, of_door].map(there), [true, false]);
    let mut unit = house.store.begin(Durability::Full).await.unwrap();
    assert!(unit.delete_group(staff).await.unwrap());
    unit.save().await.unwrap();
    assert!(!there(of_group));
}
