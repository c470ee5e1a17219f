//! Decisions that are remembered, and those that never are.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod kit;

use std::sync::Arc;

use ak_policy::{Context, Decision, HttpRequest, Request, Services, decide};
use ak_store::directory::Person;
use ak_store::model::{Change, Pk, Snapshot};
use ak_store::records::{Durability, Group, User};
use chrono::Duration;
use proptest::prelude::*;
use serde_json::{Value, json};

use kit::House;

/// What depends on nothing but who asks.
const LASTING: &[&str] = &[
    "// rhai\nuser.username == \"ada\"",
    "// rhai\nuser.groups.filter(#{ name: \"Admins\" }).exists()",
    "// rhai\nuser.all_groups().exists()",
    "// rhai\nuser.attributes.contains(\"vip\")",
    "// rhai\nrequest.user.group_attributes().contains(\"floor\")",
    "// rhai\nak_message(\"no\"); ak_is_group_member(user, #{ name: \"Admins\" })",
    "// rhai\nuser.is_superuser || user.is_active && user.email.ends_with(\"@example.org\")",
    "# python\nreturn user.groups.filter(name=\"Admins\").exists()",
    "# python\nreturn request.user.username in ['ada', 'bob']",
    "# python\nreturn ak_is_group_member(request.user, name='Staff')",
    "# python\nreturn user.attributes.get('vip', False)",
    "# python\nimport re\nreturn re.match(r'a', user.username) is not None",
];

/// What depends on more.
const PASSING: &[&str] = &[
    "// rhai\nnow().hour < 13",
    "// rhai\nutcnow().hour < 13",
    "// rhai\ncontext.now.hour < 13",
    "// rhai\nrequest.context.contains(\"vip\")",
    "// rhai\n\"vip\" in context",
    "// rhai\ncontext.get(\"ip\") == \"192.0.2.7\"",
    "// rhai\nak_client_ip in ip_network(\"192.0.2.0/29\")",
    "// rhai\nhttp_request.path == \"/one\"",
    "// rhai\nrequest.http_request.META.REMOTE_ADDR == \"192.0.2.7\"",
    "// rhai\nak_is_sso_flow",
    "// rhai\nrequest.obj.name == \"x\"",
    "// rhai\n!request.debug",
    "// rhai\nak_user_by(#{ username: \"bob\" }) != ()",
    "// rhai\nak_group_by(#{ name: \"Admins\" }) != ()",
    "// rhai\nak_logger.info(\"seen\"); true",
    "// rhai\nuser.date_joined <= now()",
    "// rhai\ncontext.seen = 1; true",
    "// rhai\nak_create_event(\"seen\"); true",
    "// rhai\nlet none = 0; 1 / none == 1",
    "# python\nimport datetime\nreturn datetime.datetime.now().hour < 13",
    "# python\nreturn request.context.get('ip') != '192.0.2.7'",
    "# python\nreturn str(ak_client_ip) == '192.0.2.7'",
    "# python\nreturn 'vip' in context",
    "# python\nreturn http_request.path == '/one'",
];

/// What may be asked, besides who asks.
#[derive(Debug, Clone)]
struct Around {
    hours: i64,
    address: u8,
    vip: bool,
    path: bool,
}

fn around() -> impl Strategy<Value = Around> {
    (0_i64..3, 5_u8..10, any::<bool>(), any::<bool>()).prop_map(|(hours, address, vip, path)| Around {
        hours,
        address,
        vip,
        path,
    })
}

fn request(house: &House, services: &Arc<Services>, person: Option<&Person>, around: &Around) -> Request {
    let mut context = Context::default();
    if around.vip {
        context.set("vip", true);
        context.set("is_sso", true);
    }
    let http = HttpRequest { path: if around.path { "/one" } else { "/other" }.into(), ..HttpRequest::default() };
    let whole = Request::new(Snapshot::clone(&house.store.snapshot()), services.clone()).of(person);
    let client_ip = format!("192.0.2.{}", around.address).parse().ok();
    Request { context, client_ip, http: Some(Arc::new(http)), now: whole.now + Duration::hours(around.hours), ..whole }
}

/// What is told of a decision, but how long it took.
fn told(decision: &Decision) -> Value {
    let mut told = serde_json::to_value(decision).unwrap();
    for trace in told["trace"].as_array_mut().unwrap() {
        trace.as_object_mut().unwrap().remove("micros");
    }
    told
}

/// People: nobody, a member of a team below the staff, and an administrator.
async fn people(house: &House) -> Vec<Option<Person>> {
    let staff = house.group("Staff", &[]).await;
    let team = house.group("Team", &[staff]).await;
    let admins = house.group("Admins", &[]).await;
    let (ada, bob) = (house.person("ada", &[team]).await, house.person("bob", &[admins, staff]).await);
    vec![None, Some(ada), Some(bob)]
}

async fn doors(house: &House, expressions: &[&str]) -> Vec<Pk> {
    let mut doors = Vec::new();
    for expression in expressions {
        doors.push(house.expression(expression, json!({})).await);
    }
    doors
}

#[tokio::test]
async fn only_what_depends_on_who_asks_alone_is_remembered() {
    let house = House::new().await;
    let people = people(&house).await;
    let plain = Around { hours: 0, address: 7, vip: false, path: true };
    for (expressions, lasting) in [(LASTING, true), (PASSING, false)] {
        for expression in expressions {
            let door = house.expression(expression, json!({})).await;
            let services = Arc::new(Services::of(&house.store));
            for person in &people {
                decide(door, &request(&house, &services, person.as_ref(), &plain)).await;
            }
            let expected = if lasting { people.len() } else { 0 };
            assert_eq!(services.decisions.count(), expected, "{expression}");
            services.decisions.clear();
            assert_eq!(services.decisions.count(), 0);
        }
    }
}

#[tokio::test]
async fn whatever_changes_of_a_person_or_a_policy_is_seen_at_once() {
    let house = House::new().await;
    let staff = house.group("Staff", &[]).await;
    let team = house.group("Team", &[staff]).await;
    let ada = house.person("ada", &[team]).await;
    let services = Arc::new(Services::of(&house.store));
    let plain = Around { hours: 0, address: 7, vip: false, path: true };
    let passes = async |door: Pk, person: &Person| {
        // Twice: the second time it is remembered.
        let request = request(&house, &services, Some(person), &plain);
        let (first, second) = (decide(door, &request).await, decide(door, &request).await);
        assert_eq!(told(&first), told(&second));
        second.passing
    };
    let floor = house.expression("// rhai\nuser.group_attributes().contains(\"floor\")", json!({})).await;
    let vip = house.expression("// rhai\nuser.attributes.contains(\"vip\")", json!({})).await;
    let member = house.expression("// rhai\nuser.all_groups().filter(#{ name: \"Staff\" }).exists()", json!({})).await;
    assert!(!passes(floor, &ada).await && !passes(vip, &ada).await && passes(member, &ada).await);

    let now = house.store.clock().now();
    let mut repo = house.store.backend().begin(Durability::Full).await.unwrap();
    let found = repo.groups().lookup(staff).await.unwrap().unwrap();
    let attributes = json!({ "floor": 3 }).as_object().cloned().unwrap();
    repo.groups().update(&Group { attributes, ..found }, now).await.unwrap();
    let attributes = json!({ "vip": 1 }).as_object().cloned().unwrap();
    repo.users().update(&User { attributes, ..ada.user.clone() }, now).await.unwrap();
    let changed = Person::lookup(&mut *repo, ada.user.pk).await.unwrap().unwrap();
    assert!(passes(floor, &changed).await && passes(vip, &changed).await && passes(member, &changed).await);
    repo.groups().remove_member(team, ada.user.pk).await.unwrap();
    let gone = Person::lookup(&mut *repo, ada.user.pk).await.unwrap().unwrap();
    repo.save().await.unwrap();
    assert!(!passes(floor, &gone).await && passes(vip, &gone).await && !passes(member, &gone).await);

    let policy = house.store.snapshot().all::<ak_policy::PolicyBinding>().find(|(_, b)| b.target.pk() == vip).unwrap().1.policy;
    let expression = json!({ "name": "other", "expression": "// rhai\n!user.attributes.contains(\"vip\")" });
    let model = "authentik_policies_expression.expressionpolicy";
    house.store.write(|draft| draft.put(model, Some(policy.unwrap().pk()), &expression, Change::Replace)).await.unwrap();
    assert!(!passes(vip, &gone).await);
}

#[tokio::test]
async fn a_trial_begins_anew_and_leaves_nothing_behind() {
    let house = House::new().await;
    let door = house.expression(LASTING[0], json!({})).await;
    let services = Arc::new(Services::of(&house.store));
    let plain = Around { hours: 0, address: 7, vip: false, path: true };
    decide(door, &Request { trial: true, ..request(&house, &services, None, &plain) }).await;
    assert_eq!(services.decisions.count(), 0);
}

#[test]
fn what_is_remembered_is_what_would_be_decided() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let house = runtime.block_on(House::new());
    let (people, doors) = runtime.block_on(async { (people(&house).await, doors(&house, &[LASTING, PASSING].concat()).await) });
    let remembering = Arc::new(Services::of(&house.store));
    let config = ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() };
    let asked = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), around());
    let tried = proptest::test_runner::TestRunner::new(config).run(&asked, |(who, door, around)| {
        let (person, door) = (who.get(&people).as_ref(), *door.get(&doors));
        let forgetful = Arc::new(Services::of(&house.store));
        let [one, other] = [&remembering, &forgetful].map(|services| request(&house, services, person, &around));
        let (one, other) = runtime.block_on(async { (decide(door, &one).await, decide(door, &other).await) });
        prop_assert_eq!(told(&one), told(&other));
        Ok(())
    });
    tried.unwrap();
    assert!(remembering.decisions.count() > LASTING.len());
}
