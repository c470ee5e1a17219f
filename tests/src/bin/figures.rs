//! Figures: what the product costs, as one Markdown table.
//!
//! ```sh
//! cargo build --release -p ak-bins && cargo run --release -p ak-tests --bin figures
//! ```
//!
//! The server is the real program in a process of its own; what is measured inside says so. Times are medians, and worth
//! something only beside other figures of the same run. It takes about three minutes, most of them idle.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ak_bins::{Wiring, open_store};
use ak_flows::stages::DummyStage;
use ak_flows::{
    Authentication, Client as Browser, Cx, DeniedAction, Designation, Flow, FlowStageBinding, InvalidResponseAction, Layout,
    Reply, Stage, StageError, StageShown, Step, StoreDirectory, World, advance, plan,
};
use ak_policy::Context;
use ak_store::config::load_from;
use ak_store::directory::password::{Cost, PasswordHasher};
use ak_store::memory::MemoryBackend;
use ak_store::model::{Kind, Meta, Ref, Registry, Roles, Row, Store, StoreOptions};
use ak_store::{SystemClock, SystemRng};
use ak_tests::program::{Home, Running, Served, programs};
use ak_tests::server::{PASSWORD, SECRET_KEY};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const OBJECTS: usize = 10_000;
const LOGINS: usize = 1_000;
const LOGIN_PAGE: &str = "/if/flow/default-authentication-flow/";

/// One line of the table.
fn row(what: &str, figure: impl std::fmt::Display, aim: &str) {
    println!("| {what} | {figure} | {aim} |");
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn us(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1e6)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::main]
async fn main() {
    ak_tests::install_crypto_provider();
    println!("| what | figure | aim |\n|---|---|---|");
    size();
    starts().await;
    logins().await;
    pages().await;
    machine().await;
    objects().await;
    idle().await;
}

fn size() {
    for program in ["ak", "ak-server"] {
        let bytes = std::fs::metadata(programs().join(program)).expect("a program").len();
        row(&format!("size of `{program}`"), format!("{:.1} MB", bytes as f64 / 1e6), "");
    }
}

// --- processes ------------------------------------------------------------------------------------------------------------

/// CPU time of a process, all threads, also ended ones.
fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("its figures");
    let fields: Vec<&str> = stat.rsplit(") ").next().expect("fields").split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().expect("user time") + fields[12].parse::<u64>().expect("system time");
    // Linux counts in hundredths of a second for everybody.
    Duration::from_millis(ticks * 10)
}

/// A line of `/proc/<pid>/status`, as a number.
fn status(path: &Path, name: &str) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn resident(program: &Running) -> String {
    let kib = status(Path::new(&format!("/proc/{}/status", program.pid())), "VmRSS");
    format!("{:.1} MB", kib as f64 * 1024.0 / 1e6)
}

/// How often its threads went to sleep by themselves.
fn switches(pid: u32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("its threads");
    threads.flatten().map(|thread| status(&thread.path().join("status"), "voluntary_ctxt_switches")).sum()
}

fn home() -> Home {
    Home::new().with("AUTHENTIK_SECRET_KEY", SECRET_KEY).with("AUTHENTIK_BOOTSTRAP_PASSWORD", PASSWORD)
}

/// From the start of the process to its first 200.
async fn start(home: &Home) -> (Duration, Served) {
    let begun = Instant::now();
    let mut program = home.start(&["server"]);
    let url = Served::url_of(&program.line("listening on").await).expect("an address");
    let address = url.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
    stream.write_all(b"GET /-/health/ready/ HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("asked");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.expect("an answer");
    let took = begun.elapsed();
    assert_eq!(&answer, b"HTTP/1.1 200");
    (took, Served { url, program })
}

async fn starts() {
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        let home = Home::new();
        let (took, served) = start(&home).await;
        cold.push(took);
        served.stop().await;
        let (took, served) = start(&home).await;
        warm.push(took);
        served.stop().await;
    }
    row("first start in an empty folder, until ready", ms(median(cold)), "300 ms");
    row("later start, until ready", ms(median(warm)), "300 ms");
}

/// Signs in `times` times, so many at once.
async fn sign_in(served: &Served, at_once: usize, times: usize) {
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..at_once {
        let url = served.url.clone();
        clients.spawn(async move {
            for _ in 0..times / at_once {
                let done = ak_tests::server::Client::new(&url).login("akadmin", PASSWORD).await;
                assert_eq!(done.body["component"], "xak-flow-redirect", "{}", done.text);
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.expect("the clients sign in");
    }
}

async fn logins() {
    let hasher = PasswordHasher::new(Cost::default());
    let hash = hasher.hash(PASSWORD).await.expect("a hash");
    let own = std::process::id();
    let before = cpu(own);
    for _ in 0..200 {
        assert!(hasher.verify(PASSWORD, &hash).await.expect("a verdict").matches);
    }
    let bare = (cpu(own) - before) / 200;

    let (_, served) = start(&home()).await;
    sign_in(&served, 1, 40).await;
    let before = cpu(served.program.pid());
    // One after another, as the checks above: at once, they would also wait for each other's memory.
    sign_in(&served, 1, 200).await;
    let login = (cpu(served.program.pid()) - before) / 200;
    sign_in(&served, 4, LOGINS).await;
    row("Argon2id check alone, CPU time", ms(bare), "");
    row("full password login over the JSON executor, CPU time of the server", ms(login), "");
    row("a login without its Argon2id check", ms(login.saturating_sub(bare)), "3 ms");
    row("resident memory right after 1,000 logins, four at once", resident(&served.program), "");
    served.stop().await;
}

async fn pages() {
    let (_, served) = start(&home()).await;
    let client = served.client();
    let page = client.get(LOGIN_PAGE).await;
    assert_eq!(page.status, 200);
    let (mut bytes, mut requests) = (page.text.len(), 1);
    let (mut sent_html_css, mut seen) = (page.text.len(), Vec::new());
    for part in page.text.split(['"', '\'']).filter(|part| part.starts_with("/static/") || part.starts_with("/-/brand/")) {
        if seen.contains(&part) {
            continue;
        }
        seen.push(part);
        let file = client.get(part).await;
        assert_eq!(file.status, 200, "{part}");
        (bytes, requests) = (bytes + file.text.len(), requests + 1);
        if part.contains(".css") {
            sent_html_css += file.text.len();
        }
    }
    row("login page, HTML and CSS, uncompressed", format!("{:.1} KB", sent_html_css as f64 / 1e3), "30 KB");
    row("login page with everything that it names", format!("{:.1} KB, {requests} requests", bytes as f64 / 1e3), "");

    const PAGES: u32 = 4_000;
    let before = cpu(served.program.pid());
    let begun = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let client = served.client();
        clients.spawn(async move {
            for _ in 0..PAGES / 4 {
                assert_eq!(client.get(LOGIN_PAGE).await.status, 200);
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.expect("the clients read");
    }
    let took = begun.elapsed();
    let each = (cpu(served.program.pid()) - before) / PAGES;
    let speed = f64::from(PAGES) / took.as_secs_f64();
    row("login pages, four clients on the same machine", format!("{speed:.0} a second, {} CPU time each", us(each)), "");
    served.stop().await;
}

/// Lets the server be idle for so long: what is measured is that nothing happens.
async fn left_alone(time: Duration) {
    drop(tokio::time::timeout(time, std::future::pending::<()>()).await);
}

async fn idle() {
    let (_, mut served) = start(&home().with("AUTHENTIK_LOG_LEVEL", "trace")).await;
    served.program.line("completed").await;
    sign_in(&served, 4, 100).await;
    // The worker looks once more after its first work.
    left_alone(Duration::from_secs(2)).await;
    let count = |served: &Served| served.program.log().matches("looked for tasks").count();
    let pid = served.program.pid();
    let before = (count(&served), cpu(pid), switches(pid));
    left_alone(Duration::from_secs(65)).await;
    let after = (count(&served), cpu(pid), switches(pid));
    row("idle for 65 s: looks for tasks, one query each", after.0 - before.0, "one a minute");
    row("resident memory, idle, default objects", resident(&served.program), "40 MB");
    row("idle for 65 s: CPU time", ms(after.1 - before.1), "");
    row("idle for 65 s: times a thread woke up", after.2 - before.2, "");
    served.stop().await;
}

// --- inside ---------------------------------------------------------------------------------------------------------------

/// A stage that asks nothing and passes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct Silent {
    name: String,
}

impl Kind for Silent {
    const META: Meta = Meta::new("figures.silentstage", "stages/silent", "Silent Stage", "Silent Stages");

    type Shown = StageShown;

    fn shown(&self, row: &Row<'_>) -> StageShown {
        StageShown::of(row)
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Stage>(|s| s);
    }
}

#[async_trait]
impl Stage for Silent {
    async fn enter(&self, _: &mut Cx<'_>) -> Result<Step, StageError> {
        Ok(Step::Pass)
    }

    async fn respond(&self, _: &mut Cx<'_>, _: &ak_flows::Answer) -> Result<Step, StageError> {
        Ok(Step::Pass)
    }
}

async fn memory(registry: Registry) -> Arc<Store> {
    let options = StoreOptions {
        backend: Arc::new(MemoryBackend::new()),
        registry: registry.build().expect("the kinds fit together"),
        secret_key: SECRET_KEY.to_owned(),
        clock: Arc::new(SystemClock),
        rng: Arc::new(SystemRng),
    };
    Store::open(options).await.expect("a store in memory")
}

async fn machine() {
    let store = memory(ak_http::kinds(Registry::new()).with::<Silent>()).await;
    let added = store.write(|draft| {
        let flow = draft.add(&Flow {
            name: "Silence".into(),
            slug: "silence".into(),
            title: "Silence".into(),
            designation: Designation::Authorization,
            background: String::new(),
            policy_engine_mode: Default::default(),
            compatibility_mode: false,
            layout: Layout::Stacked,
            denied_action: DeniedAction::MessageContinue,
            authentication: Authentication::None,
        })?;
        for order in 0..3 {
            let stage = draft.add(&Silent { name: format!("silent-{order}") })?;
            draft.add(&FlowStageBinding {
                target: flow,
                stage: Ref::new(stage.pk()),
                evaluate_on_plan: false,
                re_evaluate_policies: true,
                order,
                policy_engine_mode: Default::default(),
                invalid_response_action: InvalidResponseAction::Retry,
            })?;
        }
        Ok(flow)
    });
    let at = added.await.expect("a flow");
    let hasher = PasswordHasher::new(Cost::cheap_for_tests());
    let directory = StoreDirectory::new(store.clone(), hasher, Duration::ZERO);
    let snapshot = store.snapshot();
    let browser = Browser::default();
    let world = World {
        snapshot: &snapshot,
        directory: &directory,
        now: store.clock().now(),
        rng: &**store.rng(),
        client: &browser,
        person: None,
        request_id: "figures",
    };
    let flow = snapshot.get(at).expect("the flow");
    const TIMES: u32 = 50_000;
    let begun = Instant::now();
    for _ in 0..TIMES {
        let plan = plan(&world, at, flow, Context::default(), None, None).expect("a plan");
        let turn = advance(&world, flow, plan, None).await.expect("a turn");
        assert_eq!(black_box(turn).reply, Reply::Done("/".into()));
    }
    row("plan and three silent stages, inside, in memory", us(begun.elapsed() / TIMES), "20 µs");
}

fn dummy(name: String) -> DummyStage {
    DummyStage { name, throw_error: false }
}

/// One object after another; how long one takes.
async fn create_each(store: &Store) -> Duration {
    let mut times = Vec::new();
    for n in 0..300 {
        let begun = Instant::now();
        store.write(|draft| draft.add(&dummy(format!("one-{n}")))).await.expect("an object");
        times.push(begun.elapsed());
    }
    median(times)
}

async fn objects() {
    let home = home();
    let (_, served) = start(&home).await;
    served.stop().await;
    let environment = [
        ("AUTHENTIK_SQLITE__PATH".to_owned(), home.database().display().to_string()),
        ("AUTHENTIK_SECRET_KEY".to_owned(), SECRET_KEY.to_owned()),
    ];
    let settings = load_from(environment, None).expect("settings").settings;
    let wiring = Wiring::standard().expect("the wiring");
    let many = |draft: &mut ak_store::model::Draft| {
        for n in 0..OBJECTS {
            draft.add(&dummy(format!("dummy-{n}")))?;
        }
        Ok(())
    };

    let (store, _) = open_store(&settings, &wiring).await.expect("a store");
    let begun = Instant::now();
    store.write(many).await.expect("10,000 objects");
    row("10,000 objects in one write, inside, SQLite", ms(begun.elapsed()), "");
    drop(store);
    let mut opens = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        black_box(open_store(&settings, &wiring).await.expect("a store"));
        opens.push(begun.elapsed());
    }
    row("opening a store with 10,000 objects, inside, SQLite", ms(median(opens)), "");
    let (store, _) = open_store(&settings, &wiring).await.expect("a store");
    row("one create among 10,000, inside, SQLite, synced to disk", us(create_each(&store).await), "1 ms");
    drop(store);
    let store = memory(ak_http::kinds(Registry::new())).await;
    store.write(many).await.expect("10,000 objects");
    row("one create among 10,000, inside, in memory", us(create_each(&store).await), "1 ms");

    let snapshot = store.snapshot();
    let (at, _) = snapshot.all::<DummyStage>().nth(OBJECTS / 2).expect("an object");
    const READS: u32 = 5_000_000;
    let begun = Instant::now();
    for _ in 0..READS {
        black_box(snapshot.get(black_box(at)).expect("the object"));
    }
    row("one typed read among 10,000, inside", format!("{:.0} ns", begun.elapsed().as_nanos() as f64 / f64::from(READS)), "");

    let (took, served) = start(&home).await;
    row("later start with 10,000 objects, until ready", ms(took), "");
    row("resident memory, idle, 10,000 objects", resident(&served.program), "60 MB");
    served.stop().await;
}
