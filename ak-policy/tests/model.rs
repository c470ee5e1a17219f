//! The engine against a model of it, over random trees of bindings.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod kit;

use ak_policy::{Decision, Outcome, decide};
use ak_store::directory::Person;
use ak_store::model::Pk;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use uuid::Uuid;

use kit::House;

/// What a binding asks, and what comes of it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Asks {
    /// A policy that says yes or no, and a message.
    Policy(bool),
    /// A policy that cannot decide.
    Error,
    /// A policy whose time is over before it begins.
    Late,
    /// A policy that adds its place to what the flow has gathered, and says whether it was the first to do so.
    Counts,
    /// A group that the person is in, through a parent or not at all; there is one of each.
    Group(usize),
    /// Ada herself, or somebody else.
    User(bool),
}

#[derive(Debug, Clone)]
struct Binding {
    asks: Asks,
    order: i32,
    enabled: bool,
    negate: bool,
    failure_result: bool,
}

#[derive(Debug, Clone)]
struct Tree {
    bindings: Vec<Binding>,
    all: bool,
    signed_in: bool,
}

fn asks() -> impl Strategy<Value = Asks> {
    prop_oneof![
        3 => any::<bool>().prop_map(Asks::Policy),
        2 => Just(Asks::Error),
        1 => Just(Asks::Late),
        1 => Just(Asks::Counts),
        2 => (0..3_usize).prop_map(Asks::Group),
        1 => any::<bool>().prop_map(Asks::User),
    ]
}

fn tree() -> impl Strategy<Value = Tree> {
    let binding = (asks(), -3..3_i32, prop::bool::weighted(0.8), any::<bool>(), prop::bool::weighted(0.25))
        .prop_map(|(asks, order, enabled, negate, failure_result)| Binding { asks, order, enabled, negate, failure_result });
    (prop::collection::vec(binding, 0..7), any::<bool>(), prop::bool::weighted(0.8)).prop_map(|(bindings, all, signed_in)| Tree {
        bindings,
        all,
        signed_in,
    })
}

/// What the model says of one binding: what counts, and whether an error stood in.
#[derive(Debug, PartialEq)]
struct Says {
    place: usize,
    passing: bool,
    failed: bool,
}

#[derive(Debug, PartialEq)]
struct Expected {
    passing: bool,
    undecided: bool,
    says: Vec<Says>,
    messages: Vec<String>,
    seen: Option<usize>,
    events: usize,
}

/// What should come of a tree whose bindings have these keys.
fn model(tree: &Tree, keys: &[Pk]) -> Expected {
    let mut places: Vec<usize> = (0..tree.bindings.len()).filter(|at| tree.bindings[*at].enabled).collect();
    places.sort_by_key(|at| (tree.bindings[*at].order, keys[*at]));
    let mut expected =
        Expected { passing: true, undecided: false, says: Vec::new(), messages: Vec::new(), seen: None, events: 0 };
    for place in places {
        let binding = &tree.bindings[place];
        // `None`: it could not decide.
        let answer = match binding.asks {
            Asks::Policy(yes) => {
                expected.messages.push(format!("told {place}"));
                Some(yes != binding.negate)
            }
            Asks::Counts => {
                let first = expected.seen.is_none();
                expected.seen = Some(place);
                Some(first != binding.negate)
            }
            Asks::Error | Asks::Late => None,
            // Somebody who has not signed in is nobody's member, and nobody's stranger.
            Asks::Group(number) => Some(tree.signed_in && (number < 2) != binding.negate),
            Asks::User(herself) => Some(tree.signed_in && herself != binding.negate),
        };
        expected.events += usize::from(answer.is_none());
        expected.says.push(Says { place, passing: answer.unwrap_or(binding.failure_result), failed: answer.is_none() });
    }
    let says = &expected.says;
    let unknown = |say: &Says| say.failed && !say.passing;
    let combined = |of: &dyn Fn(&Says) -> bool| if tree.all { says.iter().all(of) } else { says.iter().any(of) };
    expected.passing = says.is_empty() || combined(&|say| say.passing);
    // It could have been a yes, had every error been one.
    expected.undecided = !expected.passing && combined(&|say| say.passing || unknown(say));
    expected
}

/// A house with people, and policies to bind.
struct Town {
    house: House,
    ada: Person,
    bob: Person,
    groups: [Uuid; 3],
}

impl Town {
    async fn new() -> Self {
        let house = House::new().await;
        let parent = house.group("parent", &[]).await;
        let own = house.group("own", &[parent]).await;
        let other = house.group("other", &[]).await;
        let (ada, bob) = (house.person("ada", &[own]).await, house.person("bob", &[]).await);
        Self { house, ada, bob, groups: [own, parent, other] }
    }

    /// The expression that is asked, or the person or group.
    fn subject(&self, place: usize, asks: Asks) -> Result<String, Value> {
        Err(match asks {
            Asks::Policy(yes) => return Ok(format!("// rhai\nak_message(\"told {place}\");\n{yes}")),
            Asks::Error => return Ok("// rhai\nlet none = 0;\n1 / none == 1".to_owned()),
            Asks::Late => return Ok("// rhai\ntrue".to_owned()),
            Asks::Counts => return Ok(format!("// rhai\nlet first = !(\"seen\" in context);\ncontext.seen = {place};\nfirst")),
            Asks::Group(number) => json!({ "group": self.groups[number] }),
            Asks::User(herself) => json!({ "user": if herself { self.ada.user.pk } else { self.bob.user.pk } }),
        })
    }

    /// Builds the tree: what is guarded, and the keys of the bindings.
    async fn build(&self, tree: &Tree) -> (Pk, Vec<Pk>) {
        let number = self.house.store.snapshot().len();
        let mode = if tree.all { "all" } else { "any" };
        let door = self.house.make("test.door", json!({ "name": format!("door {number}"), "mode": mode })).await.unwrap();
        let mut keys = Vec::new();
        for (place, binding) in tree.bindings.iter().enumerate() {
            let mut fields = json!({
                "target": door.value(), "order": binding.order, "enabled": binding.enabled, "negate": binding.negate,
                "failure_result": binding.failure_result, "timeout": if binding.asks == Asks::Late { 0 } else { 600 },
            });
            let subject = match self.subject(place, binding.asks) {
                Ok(expression) => {
                    let policy = json!({ "name": format!("policy {number} {place}"), "expression": expression });
                    let policy = self.house.make("authentik_policies_expression.expressionpolicy", policy).await.unwrap();
                    json!({ "policy": policy.value() })
                }
                Err(person) => person,
            };
            fields.as_object_mut().unwrap().extend(subject.as_object().cloned().unwrap());
            keys.push(self.house.make("authentik_policies.policybinding", fields).await.unwrap());
        }
        (door, keys)
    }
}

/// A decision as the model tells it.
fn observed(decision: &Decision, keys: &[Pk]) -> Expected {
    let place = |binding: &str| keys.iter().position(|key| key.to_string() == binding).unwrap();
    let says = decision.trace.iter().map(|trace| Says {
        place: place(&trace.binding),
        passing: trace.passing,
        failed: matches!(trace.outcome, Outcome::Failed(_)),
    });
    Expected {
        passing: decision.passing,
        undecided: decision.undecided,
        says: says.collect(),
        messages: decision.messages.clone(),
        seen: decision.changes.context.get("seen").and_then(Value::as_u64).and_then(|place| usize::try_from(place).ok()),
        events: decision.changes.effects.len(),
    }
}

#[test]
fn decisions_are_those_of_the_model() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let town = runtime.block_on(Town::new());
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() };
    let tried = TestRunner::new(config).run(&tree(), |tree| {
        runtime.block_on(async {
            let (door, keys) = town.build(&tree).await;
            let person = tree.signed_in.then_some(&town.ada);
            // The second time some of it is remembered.
            for _ in 0..2 {
                let decision = decide(door, &town.house.request(person)).await;
                prop_assert_eq!(observed(&decision, &keys), model(&tree, &keys));
            }
            Ok(())
        })
    });
    tried.unwrap();
}
