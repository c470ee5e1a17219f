//! What was acknowledged is there, whatever happens to the process.
//!
//! Clients write without pause while the server is killed with SIGKILL, again and again. `AK_KILLS` says how often (10 by default);
//! `AK_KILLS=200 cargo test -p ak-tests --test durability -- --nocapture` is the long run. A kill leaves the operating system
//! standing, so this is no test of power cuts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ak_store::{Rng, SystemRng};
use ak_tests::database::on_postgres;
use ak_tests::program::{Home, Served};
use ak_tests::server::{Client, LOGIN, PASSWORD, TOKEN};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::sync::watch;

const STAGES: &str = "/api/v3/stages/deny/";
const FLOWS: &str = "/api/v3/flows/instances/";
const BINDINGS: &str = "/api/v3/flows/bindings/";
const ME: &str = "/api/v3/core/users/me/";

/// What the server said that it keeps.
#[derive(Default, Clone)]
struct Acknowledged {
    /// Stages by key, with their names.
    stages: BTreeMap<String, String>,
    /// Stages that were deleted.
    deleted: BTreeSet<String>,
    /// Flows by slug, with their titles.
    flows: BTreeMap<String, String>,
    /// Bindings by key, with the keys of their flow and stage.
    bindings: BTreeMap<String, (String, String)>,
    /// Cookies of people who signed in.
    sessions: Vec<String>,
}

impl Acknowledged {
    fn count(&self) -> usize {
        self.stages.len() + 2 * self.deleted.len() + self.flows.len() + self.bindings.len() + self.sessions.len()
    }
}

/// The book of acknowledgements, and how many there are.
#[derive(Clone)]
struct Book {
    kept: Arc<Mutex<Acknowledged>>,
    count: watch::Sender<usize>,
}

impl Book {
    fn note(&self, write: impl FnOnce(&mut Acknowledged)) {
        write(&mut self.kept.lock().expect("the book"));
        self.count.send_modify(|count| *count += 1);
    }

    fn read(&self) -> Acknowledged {
        self.kept.lock().expect("the book").clone()
    }
}

fn rng() -> &'static dyn Rng {
    &SystemRng
}

/// A text that belongs to a name, long enough to be torn.
fn text_of(name: &str) -> String {
    name.repeat(100)
}

/// What a client of a server that dies gets: nothing, or an answer.
async fn send(client: &reqwest::RequestBuilder) -> Option<(u16, Value)> {
    let response = client.try_clone()?.send().await.ok()?;
    let status = response.status().as_u16();
    // Half an answer acknowledges nothing.
    let text = response.text().await.ok()?;
    Some((status, serde_json::from_str(&text).unwrap_or_default()))
}

struct Writer {
    http: reqwest::Client,
    url: String,
    book: Book,
}

impl Writer {
    fn new(url: &str, book: &Book) -> Self {
        let http = reqwest::Client::builder().cookie_store(true).redirect(reqwest::redirect::Policy::none());
        Self { http: http.build().expect("a client"), url: url.to_owned(), book: book.clone() }
    }

    async fn create(&self, path: &str, body: &Value) -> Option<Value> {
        let (status, body) = send(&self.http.post(format!("{}{path}", self.url)).bearer_auth(TOKEN).json(body)).await?;
        assert_eq!(status, 201, "{path}: {body}");
        Some(body)
    }

    async fn stage(&self) -> Option<String> {
        let name = format!("deny-{}", rng().hex_id());
        let made = self.create(STAGES, &json!({ "name": name, "deny_message": text_of(&name) })).await?;
        let pk = made["pk"].as_str().expect("a key").to_owned();
        self.book.note(|kept| _ = kept.stages.insert(pk.clone(), name));
        Some(pk)
    }

    /// Stages one after another; every third is deleted again.
    async fn stages(self) -> Option<()> {
        for n in 1_u32.. {
            let pk = self.stage().await?;
            if n.is_multiple_of(3) {
                // Whether it is there any more is unknown until the answer comes.
                let name = self.book.kept.lock().expect("the book").stages.remove(&pk);
                let (status, _) = send(&self.http.delete(format!("{}{STAGES}{pk}/", self.url)).bearer_auth(TOKEN)).await?;
                assert_eq!(status, 204, "{name:?}");
                self.book.note(|kept| _ = kept.deleted.insert(pk));
            }
        }
        None
    }

    /// Flows with a stage each.
    async fn flows(self) -> Option<()> {
        loop {
            let stage = self.stage().await?;
            let slug = format!("flow-{}", rng().hex_id());
            let title = text_of(&slug);
            let body = json!({ "name": slug, "slug": slug, "title": title, "designation": "authorization" });
            let made = self.create(FLOWS, &body).await?;
            let flow = made["pk"].as_str().expect("a key").to_owned();
            self.book.note(|kept| _ = kept.flows.insert(slug, title));
            let made = self.create(BINDINGS, &json!({ "target": flow, "stage": stage, "order": 0 })).await?;
            let pk = made["pk"].as_str().expect("a key").to_owned();
            self.book.note(|kept| _ = kept.bindings.insert(pk, (flow, stage)));
        }
    }

    /// People who sign in.
    async fn sign_ins(self) -> Option<()> {
        loop {
            let writer = Self::new(&self.url, &self.book);
            let path = format!("{}{LOGIN}?query=", self.url);
            for answer in [
                json!({ "component": "ak-stage-identification", "uid_field": "akadmin" }),
                json!({ "component": "ak-stage-password", "password": PASSWORD }),
            ] {
                let response = writer.http.post(&path).json(&answer).send().await.ok()?;
                let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().cloned().collect();
                let cookie = cookies.iter().filter_map(|c| c.to_str().ok()?.split(';').next()).collect::<Vec<_>>().join("; ");
                let body: Value = serde_json::from_str(&response.text().await.ok()?).unwrap_or_default();
                if body["component"] == "xak-flow-redirect" {
                    assert!(cookie.contains("authentik_session="), "{cookie}");
                    self.book.note(|kept| kept.sessions.push(cookie));
                }
            }
        }
    }
}

/// Lets clients write until so many writes more were acknowledged, and then kills the server in the middle of the others.
async fn write_until_killed(served: Served, book: &Book, more: usize, yields: usize) {
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..5 {
        let writer = Writer::new(&served.url, book);
        writers.spawn(async move {
            match n {
                0 | 1 => writer.stages().await,
                2 | 3 => writer.flows().await,
                _ => writer.sign_ins().await,
            }
        });
    }
    let mut count = book.count.subscribe();
    let goal = *count.borrow() + more;
    let reached = tokio::time::timeout(Duration::from_secs(60), count.wait_for(|count| *count >= goal)).await.is_ok();
    // What it gives locks the count, so it must be gone by now: the writers go on counting.
    assert!(reached, "the server takes writes: {}", served.program.log());
    for _ in 0..yields {
        tokio::task::yield_now().await;
    }
    served.program.signal(Signal::KILL);
    let ended = served.program.ended().await;
    assert_eq!(ended.code, None, "killed: {}", ended.err);
    // Each ends with its first request without an answer; what was answered in full before counts.
    while let Some(writer) = writers.join_next().await {
        writer.expect("a writer sees no answer but the right one");
    }
}

/// All objects of a collection, by `key`.
async fn all(client: &Client, path: &str, key: &str) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut page = 1;
    loop {
        let reply = client.get(&format!("{path}?page_size=100&page={page}")).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let results = reply.body["results"].as_array().expect("results");
        found.extend(results.iter().map(|o| (o[key].as_str().expect("a key").to_owned(), o.clone())));
        if reply.body["pagination"]["next"].as_f64() == Some(0.0) {
            return found;
        }
        page += 1;
    }
}

/// How many acknowledged writes the server does not have; what it has must be whole.
async fn lost(served: &Served, kept: &Acknowledged, sessions: &[String]) -> usize {
    let client = served.client().header("authorization", &format!("Bearer {TOKEN}"));
    let stages = all(&client, STAGES, "pk").await;
    let flows = all(&client, FLOWS, "slug").await;
    let bindings = all(&client, BINDINGS, "pk").await;
    for stage in stages.values() {
        let name = stage["name"].as_str().expect("a name");
        assert_eq!(stage["deny_message"], text_of(name), "half a stage");
    }
    for (slug, flow) in flows.iter().filter(|(slug, _)| slug.starts_with("flow-")) {
        assert_eq!(flow["title"], text_of(slug), "half a flow");
    }
    for binding in bindings.values() {
        let (flow, stage) = (&binding["target"], &binding["stage"]);
        assert!(flows.values().any(|f| f["pk"] == *flow), "a binding without its flow: {binding}");
        assert_eq!(binding["stage_obj"]["pk"], *stage, "a binding without its stage: {binding}");
    }
    let mut lost = 0;
    let mut expect = |there: bool, what: &str| {
        if !there {
            println!("lost: {what}");
            lost += 1;
        }
    };
    for (pk, name) in &kept.stages {
        expect(stages.get(pk).is_some_and(|s| s["name"] == *name), name);
    }
    for pk in &kept.deleted {
        expect(!stages.contains_key(pk), &format!("the deletion of {pk}"));
    }
    for (slug, title) in &kept.flows {
        expect(flows.get(slug).is_some_and(|f| f["title"] == *title), slug);
    }
    for (pk, (flow, stage)) in &kept.bindings {
        expect(bindings.get(pk).is_some_and(|b| b["target"] == **flow && b["stage"] == **stage), pk);
    }
    for cookie in sessions {
        let me = served.client().header("cookie", cookie).get(ME).await;
        expect(me.status == 200, "a session");
    }
    lost
}

#[tokio::test]
async fn what_was_acknowledged_survives_sigkill() {
    let kills: usize = std::env::var("AK_KILLS").map_or(10, |n| n.parse().expect("AK_KILLS is a number"));
    ak_tests::install_crypto_provider();
    let home = Home::new().with("AUTHENTIK_BOOTSTRAP_PASSWORD", PASSWORD).with("AUTHENTIK_BOOTSTRAP_TOKEN", TOKEN);
    // A first start that is killed half-way must not spoil the folder either.
    let mut killed_early = home.start(&["server"]);
    killed_early.line("the database has a new shape").await;
    killed_early.kill().await;

    let book = Book { kept: Arc::default(), count: watch::Sender::new(0) };
    let random = |below: usize| u32::from_le_bytes(rng().bytes()) as usize % below;
    let (mut missing, mut checked) = (0, 0);
    for _ in 0..kills {
        let served = home.serve().await;
        let kept = book.read();
        // The sessions since the last kill: each check costs a request, and those before were checked then.
        missing += lost(&served, &kept, &kept.sessions[checked..]).await;
        checked = kept.sessions.len();
        write_until_killed(served, &book, 1 + random(40), random(300)).await;
    }
    let served = home.serve().await;
    let kept = book.read();
    missing += lost(&served, &kept, &kept.sessions).await;
    assert_eq!(served.stop().await.code, Some(0));
    println!("{kills} kills, {} writes acknowledged, {missing} lost", kept.count());
    // PostgreSQL is another process, which nobody has killed.
    if !on_postgres() {
        assert_eq!(integrity(&home).await, "ok");
    }
    assert!(kept.count() >= kills, "there was something to lose");
    assert_eq!(missing, 0);
}

/// What SQLite says about its file.
async fn integrity(home: &Home) -> String {
    use sqlx::{ConnectOptions as _, Connection as _};
    let mut connection =
        sqlx::sqlite::SqliteConnectOptions::new().filename(home.database()).connect().await.expect("the database opens");
    let said = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await.expect("an answer");
    connection.close().await.expect("it closes");
    said
}
