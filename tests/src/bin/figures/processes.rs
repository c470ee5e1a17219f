//! Programs in processes of their own: how fast they start and answer, and what they take.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use ak_store::directory::password::{Cost, PasswordHasher};
use ak_tests::program::{Home, Running, Served, programs};
use ak_tests::server::{PASSWORD, SECRET_KEY, TOKEN};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::Scale;
use crate::table::{median, ms, row, thousands, us};

const LOGIN_PAGE: &str = "/if/flow/default-authentication-flow/";

pub(crate) fn size() {
    for program in ["ak", "ak-server"] {
        let bytes = std::fs::metadata(programs().join(program)).expect("a program").len();
        row(&format!("size of `{program}`"), format!("{:.1} MB", bytes as f64 / 1e6), "");
    }
}

/// CPU time of a process, all threads, also ended ones.
pub(crate) fn cpu(pid: u32) -> Duration {
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

pub(crate) fn resident(program: &Running) -> String {
    format!("{:.1} MB", resident_bytes(program.pid()) as f64 / 1e6)
}

/// Resident memory of a process.
pub(crate) fn resident_bytes(pid: u32) -> u64 {
    status(Path::new(&format!("/proc/{pid}/status")), "VmRSS") * 1024
}

/// How often each of its threads went to sleep by itself.
fn switches(pid: u32) -> BTreeMap<OsString, u64> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("its threads");
    let of = |thread: std::fs::DirEntry| (thread.file_name(), status(&thread.path().join("status"), "voluntary_ctxt_switches"));
    threads.flatten().map(of).collect()
}

/// How often threads woke up between the two; what those did that have ended meanwhile is not known any more.
fn woken(before: &BTreeMap<OsString, u64>, after: &BTreeMap<OsString, u64>) -> u64 {
    after.iter().map(|(thread, times)| times.saturating_sub(before.get(thread).copied().unwrap_or(0))).sum()
}

/// An installation of the defaults on SQLite, with an administrator.
pub(crate) fn home() -> Home {
    with_secrets(Home::on_sqlite())
}

/// The same at another place: its administrator has [`PASSWORD`] and [`TOKEN`].
pub(crate) fn with_secrets(home: Home) -> Home {
    home.with("AUTHENTIK_SECRET_KEY", SECRET_KEY)
        .with("AUTHENTIK_BOOTSTRAP_PASSWORD", PASSWORD)
        .with("AUTHENTIK_BOOTSTRAP_TOKEN", TOKEN)
}

/// From the start of the process to its first 200.
pub(crate) async fn start(home: &Home) -> (Duration, Served) {
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

pub(crate) async fn starts() {
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        let home = Home::on_sqlite();
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

pub(crate) async fn logins(scale: &Scale) {
    let times = scale.logins / 5;
    let each = u32::try_from(times).expect("few");
    let hasher = PasswordHasher::new(Cost::default());
    let hash = hasher.hash(PASSWORD).await.expect("a hash");
    let own = std::process::id();
    let before = cpu(own);
    for _ in 0..times {
        assert!(hasher.verify(PASSWORD, &hash).await.expect("a verdict").matches);
    }
    let bare = (cpu(own) - before) / each;

    let (_, served) = start(&home()).await;
    sign_in(&served, 1, times / 5).await;
    let before = cpu(served.program.pid());
    // One after another, as the checks above: at once, they would also wait for each other's memory.
    sign_in(&served, 1, times).await;
    let login = (cpu(served.program.pid()) - before) / each;
    sign_in(&served, 4, scale.logins).await;
    row("Argon2id check alone, CPU time", ms(bare), "");
    row("full password login over the JSON executor, CPU time of the server", ms(login), "");
    row("a login without its Argon2id check", ms(login.saturating_sub(bare)), "3 ms");
    let what = format!("resident memory right after {} logins, four at once", thousands(scale.logins));
    row(&what, resident(&served.program), "");
    served.stop().await;
}

pub(crate) async fn pages(scale: &Scale) {
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

    let pages = u32::try_from(scale.requests * 8).expect("not many");
    let before = cpu(served.program.pid());
    let begun = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let client = served.client();
        clients.spawn(async move {
            for _ in 0..pages / 4 {
                assert_eq!(client.get(LOGIN_PAGE).await.status, 200);
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.expect("the clients read");
    }
    let took = begun.elapsed();
    let each = (cpu(served.program.pid()) - before) / pages;
    let speed = f64::from(pages) / took.as_secs_f64();
    row("login pages, four clients on the same machine", format!("{speed:.0} a second, {} CPU time each", us(each)), "");
    served.stop().await;
}

/// Lets the server be idle for so long: what is measured is that nothing happens.
async fn left_alone(time: Duration) {
    drop(tokio::time::timeout(time, std::future::pending::<()>()).await);
}

pub(crate) async fn idle(scale: &Scale) {
    let (_, mut served) = start(&home().with("AUTHENTIK_LOG_LEVEL", "trace")).await;
    served.program.line("completed").await;
    sign_in(&served, 4, 100).await;
    // The worker looks once more after its first work.
    left_alone(Duration::from_secs(2)).await;
    let count = |served: &Served| served.program.log().matches("looked for tasks").count();
    let pid = served.program.pid();
    let before = (count(&served), cpu(pid), switches(pid));
    left_alone(Duration::from_secs(scale.idle)).await;
    let after = (count(&served), cpu(pid), switches(pid));
    let what = |what: &str| format!("idle for {} s: {what}", scale.idle);
    row(&what("looks for tasks, one query each"), after.0 - before.0, "one a minute");
    row("resident memory, idle, default objects", resident(&served.program), "40 MB");
    row(&what("CPU time"), ms(after.1 - before.1), "");
    row(&what("times a thread woke up"), woken(&before.2, &after.2), "");
    served.stop().await;
}
