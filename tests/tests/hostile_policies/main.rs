//! Hostile policies: whoever signs in through one is refused in time, administrators are told why and where, and nobody else notices.

mod list;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ak_policy::dns::SystemDns;
use ak_store::records::Event;
use ak_tests::contract::contract;
use ak_tests::server::{PASSWORD, Reply, Server, Start};
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::net::{TcpListener, UdpSocket};

use list::{HOSTILE, Hostile, MARKED, REFUSED};

const POLICIES: &str = "/api/v3/policies/expression/";

/// People who sign in at a time.
const LOGINS: usize = 64;

/// What every policy has to decide, in seconds.
const TIMEOUT: u32 = 1;

/// Promised times are asserted with so much slack: the machine has other things to do.
const SLACK: u32 = 10;

/// What the process may grow by in a round, in KiB: what its allocator keeps back for as many threads.
const GROWTH: u64 = 32 << 10;

/// A product with one flow for each hostile policy: it guards the stage that signs people in.
struct House {
    server: Server,
    /// A name server that takes questions and answers none.
    _name_server: UdpSocket,
    /// A machine that takes requests and answers none; `SILENT` in policies.
    silent: TcpListener,
}

impl House {
    async fn open() -> Self {
        let name_server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dns = Arc::new(SystemDns::asking(name_server.local_addr().unwrap()).unwrap());
        let hosts = format!("{},slow.example", silent.local_addr().unwrap());
        let start = Start::new().ticking().dns(dns).with("AUTHENTIK_OUTBOUND__SCRIPT_HOSTS", &hosts);
        let house = Self { server: start.start().await, _name_server: name_server, silent };
        house
            .server
            .make(
                "policies/expression",
                &json!({ "name": "itself", "expression": "// rhai\nak_call_policy(\"itself\").passing" }),
            )
            .await;
        let mut stages = Vec::new();
        for (kind, name) in [("identification", "identification"), ("password", "password"), ("user_login", "login")] {
            let key = house.server.key_of(&format!("stages/{kind}"), &format!("name=default-authentication-{name}")).await;
            stages.push(json!({ "pk": key }));
        }
        let stages: Vec<&Value> = stages.iter().collect();
        for (number, hostile) in HOSTILE.iter().enumerate() {
            house.guarded(number, hostile, &stages).await;
        }
        house
    }

    async fn guarded(&self, number: usize, hostile: &Hostile, stages: &[&Value]) {
        let server = &self.server;
        let flow = server.flow(&slug(number), "authentication", stages).await;
        let login = format!("target={}&stage={}", flow["pk"].as_str().unwrap(), stages[2]["pk"].as_str().unwrap());
        let login = server.key_of("flows/bindings", &login).await;
        let expression = hostile.expression.replace("SILENT", &self.silent.local_addr().unwrap().to_string());
        let policy = json!({ "name": slug(number), "expression": expression });
        let policy = server.make("policies/expression", &policy).await;
        // Turned round, an error still lets nobody through.
        let binding = json!({
            "target": login, "policy": policy["pk"], "order": 0, "timeout": TIMEOUT, "negate": number.is_multiple_of(2),
        });
        server.make("policies/bindings", &binding).await;
    }

    /// Signs in through the flow of a hostile policy: the last answer, and how long everything took.
    async fn sign_in(&self, number: usize, username: &str) -> (Reply, Duration) {
        let client = self.server.client();
        let path = format!("/api/v3/flows/executor/{}/?query=", slug(number));
        let begun = Instant::now();
        client.follow(&path).await;
        client.answer(&path, &json!({ "component": "ak-stage-identification", "uid_field": username })).await;
        let last = client.answer(&path, &json!({ "component": "ak-stage-password", "password": PASSWORD })).await;
        let took = begun.elapsed();
        let me = client.get("/api/v3/core/users/me/").await;
        assert_eq!(me.status, 403, "{}: {}", HOSTILE[number].tries, me.text);
        (last, took)
    }
}

fn slug(number: usize) -> String {
    format!("hostile-{number}")
}

/// What the event of a hostile policy tells.
fn told(event: &Event) -> (String, &Value) {
    let binding = &event.context["binding"];
    (binding["subject"]["policy"].as_str().expect("a policy").to_owned(), &binding["outcome"]["failed"])
}

/// Whether that is an error of this policy, at its place.
#[track_caller]
fn assert_placed(hostile: &Hostile, failed: &Value) {
    let message = failed["message"].as_str().expect("a message");
    assert!(hostile.told.split('|').any(|part| message.contains(part)), "{}: {failed}", hostile.tries);
    assert_eq!(failed["line"], json!(hostile.line), "{}: {failed}", hostile.tries);
    assert!(message.chars().count() <= 2_100, "{}: an error of {} bytes", hostile.tries, message.len());
}

#[track_caller]
fn assert_denied(hostile: &Hostile, last: &Reply, took: Duration) {
    assert_eq!(last.body["component"], "ak-stage-access-denied", "{}: {}", hostile.tries, last.text);
    assert!(!last.text.contains("line"), "people are not told what administrators are: {}", last.text);
    assert!(took < Duration::from_secs(TIMEOUT.into()) * SLACK, "{}: {took:?}", hostile.tries);
}

/// Resident memory of this process, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the figures of this process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_hostile_logins_are_refused_in_time_and_nobody_else_notices() {
    let house = Arc::new(House::open().await);
    for n in 0..LOGINS {
        house.server.user(&format!("person-{n}")).await;
    }
    // One after another: every policy gets as far as it can, and its error has a place.
    for (number, hostile) in HOSTILE.iter().enumerate() {
        let (last, took) = house.sign_in(number, "person-0").await;
        let events = house.server.events("policy_exception").await;
        let event =
            events.iter().find(|event| told(event).0 == slug(number)).unwrap_or_else(|| panic!("no event: {}", hostile.tries));
        assert_denied(hostile, &last, took);
        assert_placed(hostile, told(event).1);
    }
    // All at once, twice: what threads and allocators keep for themselves they have after the first time.
    storm(&house).await;
    let before = resident();
    storm(&house).await;
    let after = resident();
    eprintln!("{before} KiB before, {after} KiB after");
    assert!(after < before + GROWTH, "{before} KiB before, {after} KiB after");
}

/// So many people sign in at once while others ask whether the server is alive.
async fn storm(house: &Arc<House>) {
    let before = house.server.rows().await.1;
    let logins: Vec<_> = (0..LOGINS).map(|n| tokio::spawn(sign_in_and_look(house.clone(), n))).collect();
    let mut answers = alive_while(house, || logins.iter().any(|login| !login.is_finished())).await;
    for login in join_all(logins).await {
        login.expect("the login ends as it should");
    }
    answers.sort_unstable();
    let slow = answers[answers.len() * 99 / 100];
    eprintln!("{} answers of /-/health/live/, 99 in 100 within {slow:?}", answers.len());
    assert!(slow < Duration::from_millis(50) * SLACK, "one in a hundred takes {slow:?}");
    let events = house.server.rows().await.1 - before;
    assert_eq!(events, LOGINS as u64, "every one of them is an event");
}

async fn sign_in_and_look(house: Arc<House>, n: usize) {
    let number = n % HOSTILE.len();
    let (last, took) = house.sign_in(number, &format!("person-{n}")).await;
    assert_denied(&HOSTILE[number], &last, took);
}

/// Asks whether the server is alive, again and again, as long as something goes on; how long each answer took.
async fn alive_while(house: &House, goes_on: impl Fn() -> bool) -> Vec<Duration> {
    let (client, mut answers) = (house.server.client(), Vec::new());
    while goes_on() || answers.is_empty() {
        let begun = Instant::now();
        assert_eq!(client.get("/-/health/live/").await.status, 200);
        answers.push(begun.elapsed());
    }
    answers
}

#[tokio::test]
async fn what_reaches_for_more_than_it_may_is_not_even_kept() {
    let server = Server::start().await;
    let admin = server.admin();
    let kept = async || admin.get(POLICIES).await.body["pagination"]["count"].clone();
    let before = kept().await;
    for (expression, reason, place) in REFUSED {
        let reply = admin.post(POLICIES, &json!({ "name": "refused", "expression": expression })).await;
        assert_eq!(reply.status, 400, "{expression}: {}", reply.text);
        contract().assert_valid("ValidationError", &reply.body);
        let told = reply.body["expression"][0].as_str().expect("a reason at the field");
        assert!(told.contains(reason) && told.contains(place), "{expression}: {told}");
    }
    assert_eq!(kept().await, before);
}

#[tokio::test]
async fn python_that_reaches_for_more_than_it_may_is_marked_and_refuses() {
    let server = Server::start().await;
    let admin = server.admin();
    for (number, (expression, reason, place)) in MARKED.iter().enumerate() {
        let policy = server.make("policies/expression", &json!({ "name": slug(number), "expression": expression })).await;
        let warned = server.events("configuration_warning").await;
        let told: Vec<String> = warned.iter().map(|event| event.context["remarks"]["expression"].to_string()).collect();
        assert!(told.iter().any(|told| told.contains(reason) && told.contains(place)), "{expression}: {told:?}");
        let application = server.make("core/applications", &json!({ "name": slug(number), "slug": slug(number) })).await;
        let binding = json!({ "target": application["pk"], "policy": policy["pk"], "order": 0, "negate": true });
        server.make("policies/bindings", &binding).await;
        let may = admin.get(&format!("/api/v3/core/applications/{}/check_access/", slug(number))).await;
        assert_eq!(may.body["passing"], json!(false), "{expression}: {}", may.text);
    }
    assert_eq!(server.events("policy_exception").await.len(), MARKED.len());
}
