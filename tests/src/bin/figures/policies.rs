//! Policies: what a decision costs, and what scripts take.

use std::hint::black_box;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ak_flows::blueprint::Engine;
use ak_flows::set_up;
use ak_policy::kinds::ExpressionPolicy;
use ak_policy::script::{PolicyNames, Script};
use ak_policy::{Context, Policy as _, Request, Services, decide};
use ak_store::directory::Person;
use ak_store::directory::password::{Cost, PasswordHasher};
use ak_store::model::{Change, Pk, Registry, Snapshot, Store};
use ak_store::records::{Durability, Group, NewUser};
use ak_tests::server::Server;
use serde_json::{Value, json};

use crate::Scale;
use crate::objects::memory;
use crate::processes::resident_bytes;
use crate::table::{row, thousands, us};

/// How long a script has; none comes near.
const LIMIT: Duration = Duration::from_secs(30);

/// Groups of the person who is asked about.
const GROUPS: usize = 100;

/// What people guard their applications by, as they write it for authentik.
const ORIGINALS: [(&str, &str); 4] = [
    ("a value of the context", "return request.context.get(\"department\") == \"IT\""),
    (
        "a blocked address",
        "blocked_ips = [\"203.0.113.9\", \"203.0.113.10\"]\nreturn request.context.get(\"ip\") not in blocked_ips",
    ),
    ("a group", "return user.groups.filter(name=\"group 7\").exists()"),
    ("business hours", "import datetime\nnow = datetime.datetime.now()\nreturn 0 <= now.hour < 24"),
];

pub(crate) async fn policies(scale: &Scale) {
    // Values of scripts nest, and are dropped by recursion: their threads have stacks for that, and so has this one.
    let town = Town::new().await;
    one_line(&town, scale);
    default_policies(&town, scale);
    against_cpython(&town, scale);
    application(&town, scale).await;
    compiled(scale);
}

/// An installation in memory with a person in nested groups.
struct Town {
    store: Arc<Store>,
    person: Person,
    services: Arc<Services>,
}

impl Town {
    async fn new() -> Self {
        let store = memory(ak_http::kinds(Registry::new())).await;
        let hasher = PasswordHasher::new(Cost::cheap_for_tests());
        let engine = Engine::standard(store.clone(), hasher.clone());
        set_up(&engine, &hasher, &Server::bootstrap()).await.expect("the first start");
        let person = nested(&store).await;
        let services = Arc::new(Services::of(&store));
        Self { store, person, services }
    }

    fn request(&self) -> Request {
        let mut context = Context::default();
        context.set("department", "IT");
        context.set(Context::PROMPT_DATA, json!({ "email": "ada@example.org", "groups": ["a", "b"] }));
        let request = Request::new(Snapshot::clone(&self.store.snapshot()), self.services.clone()).of(Some(&self.person));
        Request { context, client_ip: "192.0.2.7".parse().ok(), ..request }
    }

    async fn put(&self, model: &'static str, fields: Value) -> Pk {
        self.store.write(|draft| draft.put(model, None, &fields, Change::Create)).await.expect("an object")
    }
}

/// A person in so many groups: two directly, each of the others above another one.
async fn nested(store: &Store) -> Person {
    let now = store.clock().now();
    let mut repo = store.backend().begin(Durability::Relaxed).await.expect("a transaction");
    let user = repo.users().add(NewUser::internal(store.rng().uuid(), "ada"), now).await.expect("an account");
    let mut above: Vec<Group> = Vec::new();
    for n in 0..GROUPS {
        let parents = above.get(n.wrapping_sub(2)).map(|group| group.pk).into_iter().collect();
        let group = Group { parents, ..Group::named(store.rng().uuid(), format!("group {n}"), now) };
        repo.groups().add(&group).await.expect("a group");
        above.push(group);
    }
    for group in above.iter().rev().take(2) {
        repo.groups().add_member(group.pk, user.pk).await.expect("a member");
    }
    let person = Person::of(&mut *repo, user).await.expect("a person");
    assert_eq!(person.groups.len(), GROUPS);
    repo.save().await.expect("saved");
    person
}

fn expression(text: &str) -> ExpressionPolicy {
    let expression = Script::new(text);
    assert!(expression.problems().is_empty(), "{:?}", expression.problems());
    ExpressionPolicy { name: "figures".into(), execution_logging: false, expression }
}

/// How long the policy takes, and what it says.
fn evaluations(policy: &ExpressionPolicy, request: &Arc<Request>, times: u32) -> (Duration, bool) {
    let mut passing = false;
    let begun = Instant::now();
    for _ in 0..times {
        passing = black_box(policy.evaluate(request, LIMIT)).expect("an answer").passing;
    }
    (begun.elapsed() / times, passing)
}

fn one_line(town: &Town, scale: &Scale) {
    let request = Arc::new(town.request());
    for (language, text) in [
        ("Rhai", "// rhai\ncontext.get(\"department\") == \"IT\""),
        ("Python", "# python\nreturn request.context.get(\"department\") == \"IT\""),
    ] {
        let policy = expression(text);
        evaluations(&policy, &request, scale.evaluations / 10);
        let (took, passing) = evaluations(&policy, &request, scale.evaluations);
        assert!(passing);
        row(&format!("one-line expression with context, {language}, inside"), us(took), "3 µs");
    }
}

/// The policies of the default flows.
fn default_policies(town: &Town, scale: &Scale) {
    let request = Arc::new(town.request());
    let snapshot = town.store.snapshot();
    let mut slowest = (Duration::ZERO, String::new());
    let mut count = 0;
    for (_, policy) in snapshot.all::<ExpressionPolicy>() {
        count += 1;
        evaluations(policy, &request, scale.evaluations / 20);
        let (took, _) = evaluations(policy, &request, scale.evaluations / 2);
        slowest = slowest.max((took, policy.name.clone()));
    }
    assert!(count > 0, "the default flows have policies");
    let what = format!("slowest of the {count} default expression policies (`{}`), inside", slowest.1);
    row(&what, us(slowest.0), "10 µs");
}

fn against_cpython(town: &Town, scale: &Scale) {
    let request = Arc::new(town.request());
    let sources: Vec<&str> = ORIGINALS.iter().map(|(_, source)| *source).collect();
    let groups: Vec<&String> =
        town.person.groups.iter().filter(|g| town.person.direct.contains(&g.pk)).map(|g| &g.name).collect();
    let asked = json!({
        "sources": sources, "username": town.person.user.username, "groups": groups, "seconds": scale.seconds,
        "context": { "department": "IT", "ip": "192.0.2.7" },
    });
    for ((name, source), theirs) in ORIGINALS.iter().zip(cpython(&asked)) {
        let policy = expression(&format!("# python\n{source}"));
        evaluations(&policy, &request, scale.evaluations / 10);
        let (ours, passing) = evaluations(&policy, &request, scale.evaluations);
        assert_eq!(Value::from(passing), theirs["value"], "{source}");
        let theirs = theirs["nanoseconds"].as_f64().expect("a time");
        let ratio = ours.as_secs_f64() * 1e9 / theirs;
        let what = format!("{name}, Python translated, against CPython on the original (compiled once, plain objects)");
        row(&what, format!("{ratio:.1} times ({}; {:.1} µs)", us(ours), theirs / 1e3), "");
    }
}

fn cpython(asked: &Value) -> Vec<Value> {
    let mut child = Command::new("python3")
        .args(["-I", "-c", include_str!("cpython.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 (Debian package python3) runs");
    child.stdin.take().expect("a pipe").write_all(asked.to_string().as_bytes()).expect("written");
    let output = child.wait_with_output().expect("an end");
    assert!(output.status.success(), "CPython failed");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// An application with 20 bindings: to groups, to accounts, and to policies.
async fn application(town: &Town, scale: &Scale) {
    const STATIC: usize = 12;
    for (policies, what) in [(8, "of them 8 expressions"), (0, "to groups and accounts")] {
        let slug = format!("app-{policies}");
        let application = town.put("authentik_core.application", json!({ "name": slug, "slug": slug })).await;
        for order in 0..20_usize {
            let asks = match order {
                order if order < policies => {
                    let text = format!("// rhai\nuser.all_groups().filter(#{{ name: \"group {order}\" }}).exists()");
                    let fields = json!({ "name": format!("member-{order}"), "expression": text });
                    let policy = town.put("authentik_policies_expression.expressionpolicy", fields).await;
                    json!({ "policy": policy.value() })
                }
                order if order < policies + STATIC / 2 => json!({ "group": town.person.groups[order * 4].pk }),
                order if order < STATIC + policies => json!({ "user": town.person.user.pk }),
                order => json!({ "group": town.person.groups[order * 4].pk }),
            };
            let mut fields = json!({ "target": application.value(), "order": order });
            fields.as_object_mut().expect("an object").extend(asks.as_object().cloned().expect("an object"));
            town.put("authentik_policies.policybinding", fields).await;
        }
        let name = |how: &str| format!("application with 20 bindings, {what}, for a user in {GROUPS} nested groups, {how}");
        decisions(town, application, scale.evaluations / 100, false).await;
        let took = decisions(town, application, scale.evaluations / 10, false).await;
        row(&name("asked before, inside"), us(took), "20 µs");
        if policies > 0 {
            let took = decisions(town, application, scale.evaluations / 100, true).await;
            row(&name("nothing remembered, inside"), us(took), "");
        }
    }
}

/// How long a decision takes, of a person who is read anew as in every request; the reading is not counted.
async fn decisions(town: &Town, target: Pk, times: u32, forgetful: bool) -> Duration {
    let mut took = Duration::ZERO;
    for _ in 0..times.max(1) {
        let request = town.request();
        if forgetful {
            town.services.decisions.clear();
        }
        let begun = Instant::now();
        let decision = decide(target, &request).await;
        took += begun.elapsed();
        assert!(decision.passing && decision.trace.len() == 20);
    }
    took / times.max(1)
}

/// What scripts take that lie ready.
fn compiled(scale: &Scale) {
    for (language, text) in [
        ("Rhai", "// rhai\nuser.groups.filter(#{ name: \"group N\" }).exists() && now().hour < 17"),
        (
            "Python",
            "# python\nimport datetime\nreturn user.groups.filter(name=\"group N\").exists() and datetime.datetime.now().hour < 17",
        ),
    ] {
        let before = resident_bytes(std::process::id());
        let begun = Instant::now();
        let scripts: Vec<Script<PolicyNames>> =
            (0..scale.objects).map(|n| Script::new(text.replace('N', &n.to_string()))).collect();
        let took = begun.elapsed();
        let bytes = resident_bytes(std::process::id()).saturating_sub(before);
        assert!(scripts.iter().all(|script| script.problems().is_empty()));
        let what = format!("{} compiled scripts of one line, {language}: resident memory", thousands(scale.objects));
        let each = bytes as f64 / 1e3 / scale.objects as f64;
        let one = took / u32::try_from(scale.objects).expect("not that many");
        row(&what, format!("{:.1} MB, {each:.1} KB each (compiled in {} each)", bytes as f64 / 1e6, us(one)), "");
        drop(black_box(scripts));
    }
}
