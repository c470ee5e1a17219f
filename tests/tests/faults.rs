//! Hostile circumstances: a disk that is full, a database that goes away, and far too much of everything.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ak_tests::program::{Home, Served, programs};
use ak_tests::server::{Client, PASSWORD, Reply, TOKEN};
use rustix::process::{Pid, Resource, Rlimit};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const ME: &str = "/api/v3/core/users/me/";
const STAGES: &str = "/api/v3/stages/dummy/";
const BRANDS: &str = "/api/v3/core/brands/";
const LIVE: &str = "/-/health/live/";
const READY: &str = "/-/health/ready/";

/// On SQLite: disks and files are what fails here. How PostgreSQL fails stands in `postgres.rs`.
fn home() -> Home {
    Home::on_sqlite().with("AUTHENTIK_BOOTSTRAP_PASSWORD", PASSWORD).with("AUTHENTIK_BOOTSTRAP_TOKEN", TOKEN)
}

fn admin(served: &Served) -> Client {
    served.client().header("authorization", &format!("Bearer {TOKEN}"))
}

async fn signed_in(served: &Served) -> Client {
    let client = served.client();
    let done = client.login("akadmin", PASSWORD).await;
    assert_eq!(done.body["component"], "xak-flow-redirect", "{}", done.text);
    client
}

/// The names of the brands, and whether each has its whole style sheet.
async fn brands(served: &Served) -> Vec<(String, usize)> {
    let reply = admin(served).get(&format!("{BRANDS}?page_size=1000")).await;
    let results = reply.body["results"].as_array().unwrap_or_else(|| panic!("{} {}", reply.status, reply.text));
    let text = |brand: &Value, field: &str| brand[field].as_str().expect("a text").to_owned();
    results.iter().map(|brand| (text(brand, "domain"), text(brand, "branding_custom_css").len())).collect()
}

const SHEET: usize = 300_000;

/// Makes brands with large style sheets until one is refused; those that were made, and the refusal.
async fn until_refused(served: &Served, from: usize) -> (usize, Reply) {
    let admin = admin(served);
    for number in from..from + 500 {
        let sheet = "x".repeat(SHEET);
        let reply =
            admin.post(BRANDS, &json!({ "domain": format!("brand-{number}.example"), "branding_custom_css": sheet })).await;
        if reply.status != 201 {
            return (number, reply);
        }
    }
    panic!("the disk does not get full");
}

fn assert_unavailable(reply: &Reply, code: &str) {
    assert_eq!(reply.status, 503, "{}", reply.text);
    assert_eq!(reply.body["code"], code, "{}", reply.text);
    assert!(reply.body["detail"].as_str().is_some_and(|detail| detail.contains("storage")), "{}", reply.text);
    assert_eq!(reply.header("retry-after"), "1");
}

/// What has to go on while nothing can be written.
async fn assert_reading_goes_on(served: &Served, session: &Client, made: usize) {
    assert_eq!(served.client().get(LIVE).await.status, 200);
    assert_eq!(served.client().get(READY).await.status, 200);
    assert_eq!(session.get(ME).await.body["user"]["username"], "akadmin");
    assert_eq!(session.clone().header("user-agent", "another program").get(ME).await.status, 200, "its use cannot be noted");
    let page = served.client().get("/if/flow/default-authentication-flow/").await;
    assert_eq!(page.status, 200);
    let kept = brands(served).await;
    for number in 0..made {
        let name = format!("brand-{number}.example");
        assert!(kept.contains(&(name.clone(), SHEET)), "{name} was acknowledged");
    }
    assert_eq!(kept.iter().filter(|(name, _)| name.starts_with("brand-")).count(), made, "nothing is half there");
}

async fn integrity(database: &Path) -> String {
    use sqlx::{ConnectOptions as _, Connection as _};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
    let mut connection = options.connect().await.expect("the database opens");
    let said = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await.expect("an answer");
    connection.close().await.expect("it closes");
    said
}

/// A server whose folder `data` is a file system of eight megabytes that only it sees, and that goes when it ends; and the path by
/// which others see that folder.
async fn on_a_small_disk(home: &Home) -> (Served, PathBuf) {
    let data = home.path().join("data");
    std::fs::create_dir(&data).expect("a folder");
    let script = "mount -t tmpfs -o size=8m,mode=700 none \"$1\" && exec \"$0\" server";
    let (ak, data) = (programs().join("ak"), data.display().to_string());
    let mut arguments = vec!["--mount"];
    if !rustix::process::geteuid().is_root() {
        arguments.extend(["--user", "--map-root-user"]);
    }
    let ak = ak.display().to_string();
    arguments.extend(["/bin/sh", "-c", script, &ak, &data]);
    let served = Served::of(home.start_file(Path::new("unshare"), &arguments)).await;
    let seen = PathBuf::from(format!("/proc/{}/root{data}", served.program.pid()));
    (served, seen)
}

#[tokio::test]
async fn a_full_disk_refuses_writes_in_words_and_nothing_else_until_there_is_room() {
    let home = home();
    let (served, data) = on_a_small_disk(&home).await;
    let session = signed_in(&served).await;
    // What is going to be room again.
    let reserve = data.join("reserve");
    std::fs::write(&reserve, vec![0; 2 << 20]).expect("there is room at first");
    let (made, refused) = until_refused(&served, 0).await;
    assert!(made > 2, "there was room at first");
    assert_unavailable(&refused, "storage_full");
    // Not a byte more, so that small writes fail as well.
    let mut file = std::fs::OpenOptions::new().append(true).open(&reserve).expect("a file");
    let mut rest = vec![0u8; 1 << 20];
    while !rest.is_empty() {
        if std::io::Write::write_all(&mut file, &rest).is_err() {
            rest.truncate(rest.len() / 2);
        }
    }
    drop(file);
    let (same, refused) = until_refused(&served, made).await;
    assert_eq!(same, made);
    assert_unavailable(&refused, "storage_full");
    assert_reading_goes_on(&served, &session, made).await;
    assert_eq!(served.client().get("/if/user/").await.status, 303, "who has not signed in is led to sign in");

    let login = served.client().login("akadmin", PASSWORD).await;
    assert_unavailable(&login, "storage_full");

    std::fs::remove_file(&reserve).expect("it goes");
    assert_eq!(admin(&served).post(STAGES, &json!({ "name": "after" })).await.status, 201);
    signed_in(&served).await;
    assert_eq!(session.get(ME).await.status, 200);
    // SQLite does not find its way through `/proc`, and nobody writes now.
    let copy = home.path().join("copy");
    for end in ["", "-wal"] {
        std::fs::copy(data.join(format!("ak.sqlite{end}")), format!("{}{end}", copy.display())).expect("a copy");
    }
    assert_eq!(integrity(&copy).await, "ok");
    assert_eq!(served.stop().await.code, Some(0));
}

fn limit_files_of(served: &Served, bytes: Option<u64>) {
    let pid = Pid::from_raw(served.program.pid().cast_signed()).expect("a process");
    rustix::process::prlimit(Some(pid), Resource::Fsize, Rlimit { current: bytes, maximum: None }).expect("the limit is set");
}

#[tokio::test]
async fn a_write_that_the_system_refuses_does_not_end_the_server() {
    let home = home();
    let served = home.serve().await;
    let session = signed_in(&served).await;
    assert_eq!(admin(&served).post(STAGES, &json!({ "name": "before" })).await.status, 201);
    limit_files_of(&served, Some(0));
    for _ in 0..3 {
        let refused = admin(&served).post(STAGES, &json!({ "name": "during" })).await;
        assert_unavailable(&refused, "unavailable");
    }
    assert_reading_goes_on(&served, &session, 0).await;
    let login = served.client().login("akadmin", PASSWORD).await;
    assert_unavailable(&login, "unavailable");
    limit_files_of(&served, None);
    assert_eq!(admin(&served).post(STAGES, &json!({ "name": "after" })).await.status, 201);
    signed_in(&served).await;
    let list = admin(&served).get(STAGES).await;
    let names: Vec<_> = list.body["results"].as_array().expect("stages").iter().map(|stage| &stage["name"]).collect();
    assert_eq!(names, ["after", "before"]);
    assert_eq!(served.stop().await.code, Some(0));
    assert_eq!(integrity(&home.database()).await, "ok");
}

#[tokio::test]
async fn a_database_that_goes_away_is_missed_at_once_and_found_again() {
    let home = home();
    let served = home.serve().await;
    let session = signed_in(&served).await;
    let (database, data) = (home.database(), home.path().join("data"));
    let away = home.path().join("away");
    for (from, to) in [(&database, &away), (&data, &away)] {
        std::fs::rename(from, to).expect("it moves");
        assert_eq!(served.client().get(LIVE).await.status, 200);
        assert_eq!(served.client().get(READY).await.status, 503);
        assert_unavailable(&session.get(ME).await, "unavailable");
        assert_unavailable(&admin(&served).post(STAGES, &json!({ "name": "lost" })).await, "unavailable");
        assert_unavailable(&served.client().login("akadmin", PASSWORD).await, "unavailable");
        let page = session.get("/if/user/").await;
        assert!(page.status == 503 && page.text.contains("<html"), "{}", page.text);
        std::fs::rename(to, from).expect("it moves back");
        assert_eq!(served.client().get(READY).await.status, 200);
        assert_eq!(session.get(ME).await.status, 200);
        let name = format!("after {}", from.display());
        assert_eq!(admin(&served).post(STAGES, &json!({ "name": name })).await.status, 201);
    }
    let list = admin(&served).get(STAGES).await;
    assert_eq!(list.body["pagination"]["count"], 2, "{}", list.text);
    assert_eq!(served.stop().await.code, Some(0));
    assert_eq!(integrity(&database).await, "ok");
}

#[tokio::test]
async fn a_database_that_was_replaced_is_not_mixed_with_the_old_one() {
    let home = home();
    let mut served = home.serve().await;
    let session = signed_in(&served).await;
    let database = home.database();
    let (old, unreadable) = (home.path().join("old"), home.path().join("unreadable"));
    std::fs::rename(&database, &old).expect("it moves");
    std::fs::create_dir(&unreadable).expect("a folder");
    for other in [&old, &unreadable] {
        let is_folder = other.is_dir();
        if is_folder {
            std::fs::rename(other, &database).expect("it moves");
        } else {
            std::fs::copy(other, &database).expect("a copy");
        }
        assert_eq!(served.client().get(READY).await.status, 503);
        assert_unavailable(&session.get(ME).await, "unavailable");
        assert_unavailable(&admin(&served).post(STAGES, &json!({ "name": "lost" })).await, "unavailable");
        let line = served.program.line("was replaced by another file").await;
        assert!(line.contains("must be started anew"), "{line}");
        if is_folder {
            std::fs::remove_dir(&database).expect("it goes");
        } else {
            std::fs::remove_file(&database).expect("it goes");
        }
    }
    std::fs::rename(&old, &database).expect("it moves back");
    assert_eq!(session.get(ME).await.status, 200, "the right one is as good as ever");
    assert_eq!(served.stop().await.code, Some(0));
}

const FIFTY_MEGABYTES: usize = 50 << 20;

/// Announces fifty megabytes, sends as much of them as is taken, and reads the answer: how much was sent, and what came.
async fn send_too_much(served: &Served, head: &str) -> (usize, String) {
    let address = served.url.strip_prefix("http://").expect("an address");
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
    let head = format!("POST {head}\r\nHost: localhost\r\nContent-Length: {FIFTY_MEGABYTES}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("the head is taken");
    let (mut reading, mut writing) = stream.into_split();
    let answer = tokio::spawn(async move {
        let mut answer = vec![0; 64 << 10];
        let mut length = 0;
        while let Ok(more) = reading.read(&mut answer[length..]).await
            && more > 0
        {
            length += more;
            let text = String::from_utf8_lossy(&answer[..length]);
            // A page or an object that has come to its end.
            if text.contains("</html>") || text.trim_end().ends_with('}') {
                break;
            }
        }
        String::from_utf8_lossy(&answer[..length]).into_owned()
    });
    let (piece, mut sent) = (vec![b'x'; 64 << 10], 0);
    while sent < FIFTY_MEGABYTES && !answer.is_finished() {
        match tokio::time::timeout(Duration::from_secs(1), writing.write(&piece)).await {
            Ok(Ok(taken)) => sent += taken,
            _ => break,
        }
    }
    let answer = tokio::time::timeout(Duration::from_secs(20), answer).await.expect("an answer").expect("it is read");
    (sent, answer)
}

#[tokio::test]
async fn a_body_of_fifty_megabytes_is_refused_early_and_in_words() {
    let home = home();
    let served = home.serve().await;
    let json = format!("Content-Type: application/json\r\nAuthorization: Bearer {TOKEN}");
    let form = "Content-Type: application/x-www-form-urlencoded";
    let flow = "default-authentication-flow/";
    let cases = [
        (format!("{STAGES} HTTP/1.1\r\n{json}"), "413 ", "too large"),
        (format!("/api/v3/flows/executor/{flow} HTTP/1.1\r\n{json}"), "413 ", "too large"),
        (format!("/if/flow/{flow} HTTP/1.1\r\n{form}"), "413 ", "<html"),
        (format!("{STAGES} HTTP/1.1\r\nContent-Type: application/json"), "403 ", "credentials"),
        (format!("/nowhere/ HTTP/1.1\r\n{form}"), "404 ", "<html"),
    ];
    for (head, status, words) in cases {
        let (sent, answer) = send_too_much(&served, &head).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{head}: {answer:.200}");
        assert!(answer.contains(words), "{head}: {answer}");
        assert!(sent < FIFTY_MEGABYTES / 2, "{head}: {sent} bytes were taken before the answer");
    }
    assert_eq!(admin(&served).get(STAGES).await.body["pagination"]["count"], 0);
    assert_eq!(served.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_settings_file_of_fifty_megabytes_is_refused_in_one_line() {
    let home = Home::new().with("AUTHENTIK_CONFIG", "./large.yaml");
    let line = "log_level: info # and a long comment behind it, again and again\n";
    std::fs::write(home.path().join("large.yaml"), line.repeat(FIFTY_MEGABYTES / line.len())).expect("a file");
    let ended = home.run(&["server"]).await;
    assert_eq!(ended.refusal(), "./large.yaml: the file is too large");
    assert!(!home.database().exists());
    // One that never ends is not read to its end either.
    let endless = Home::new().with("AUTHENTIK_CONFIG", "/dev/zero").run(&["server"]).await;
    assert_eq!(endless.refusal(), "/dev/zero: the file is too large");
}
