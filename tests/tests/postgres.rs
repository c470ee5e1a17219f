//! What only a database on a server can do to a product: be far away, be shared, disappear, and refuse.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ak_store::conformance::cluster::{Cluster, Database, Setup, USER, programs};
use ak_store::model::Store;
use ak_store::records::TokenIntent;
use ak_tests::database::Place;
use ak_tests::program::{Home, Served};
use ak_tests::proxy::Proxy;
use ak_tests::server::{Client, PASSWORD, SECRET_KEY, Server, Start, TOKEN};
use serde_json::json;

const STAGES: &str = "/api/v3/stages/deny/";
/// Far more than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// A second is aimed at; a busy machine may take longer.
const SOON: Duration = Duration::from_secs(10);

fn place() -> Arc<Place> {
    Arc::new(Place::on_server("ak.sqlite", Cluster::shared().database()))
}

async fn two_servers() -> (Server, Server) {
    let one = Start::new().on(&place()).start().await;
    let two = Start::new().on(&one.place).start().await;
    (one, two)
}

async fn within<T>(limit: Duration, what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(limit, wait).await.unwrap_or_else(|_| panic!("not within {} s: {what}", limit.as_secs()))
}

/// Waits until a store has this revision, without asking for anything.
async fn reached(store: &Store, revision: u64) {
    let mut watch = store.watch();
    let seen = watch.wait_for(|seen| *seen >= revision).await;
    assert!(seen.is_ok(), "the store is there");
}

/// Tries again and again until `there`; each try is a request, and nothing else is waited for.
async fn until(what: &str, mut there: impl AsyncFnMut() -> bool) {
    within(PATIENCE, what, async { while !there().await {} }).await;
}

// --- several nodes ----------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_change_on_one_node_is_told_to_the_other() {
    // The clock of these servers stands still, so that requests do not look for changes: only what is told can be known.
    let (one, two) = two_servers().await;
    until("both are told", async || {
        two.client().get("/-/health/live/").await;
        one.store.is_told() && two.store.is_told()
    })
    .await;
    for (here, there) in [(&one, &two), (&two, &one), (&one, &two)] {
        let name = here.store.rng().hex_id();
        let begun = Instant::now();
        let stage = here.make("stages/deny", &json!({ "name": name })).await;
        within(SOON, "the other node knows", reached(&there.store, here.store.snapshot().revision())).await;
        println!("told after {} ms", begun.elapsed().as_millis());
        let key = stage["pk"].as_str().unwrap();
        assert_eq!(there.admin().get(&format!("{STAGES}{key}/")).await.body["name"], json!(name));
        assert_eq!(there.admin().delete(&format!("{STAGES}{key}/")).await.status, 204);
        within(SOON, "the deletion is known too", reached(&here.store, there.store.snapshot().revision())).await;
        assert_eq!(here.admin().get(&format!("{STAGES}{key}/")).await.status, 404);
    }
}

async fn make_stage(served: &Served, name: &str) -> String {
    let reply = admin(&served.url).post(STAGES, &json!({ "name": name })).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    reply.body["pk"].as_str().unwrap().to_owned()
}

fn admin(url: &str) -> Client {
    Client::new(url).header("authorization", &format!("Bearer {TOKEN}"))
}

/// A program's folder with this database, reached over this port.
fn home(database: Database, port: u16) -> Home {
    Home::at(Place::on_server("data/ak.sqlite", database))
        .with("AUTHENTIK_POSTGRESQL__PORT", &port.to_string())
        .with("AUTHENTIK_BOOTSTRAP_PASSWORD", PASSWORD)
        .with("AUTHENTIK_BOOTSTRAP_TOKEN", TOKEN)
}

/// How long it takes until a second process shows what the first one was asked to make.
async fn seen_by_another_process(home: &Home) {
    let (one, two) = (home.serve().await, home.serve().await);
    for n in 0..3 {
        let key = make_stage(&one, &format!("stage-{n}")).await;
        let begun = Instant::now();
        let client = admin(&two.url);
        let there = async { while client.get(&format!("{STAGES}{key}/")).await.status != 200 {} };
        within(SOON, "the other process shows it", there).await;
        println!("seen after {} ms", begun.elapsed().as_millis());
    }
    assert_eq!((one.stop().await.code, two.stop().await.code), (Some(0), Some(0)));
}

#[tokio::test]
async fn a_change_made_by_one_process_is_seen_by_another() {
    let cluster = Cluster::shared();
    seen_by_another_process(&home(cluster.empty_database(), cluster.port)).await;
}

#[tokio::test]
async fn behind_a_pooler_in_transaction_mode_everything_works_and_changes_are_seen() {
    let cluster = Cluster::start(&Setup { pooler: true, ..Setup::default() });
    let port = cluster.pooler_port.unwrap();
    let told = home(cluster.empty_database(), port).with("AUTHENTIK_POSTGRESQL__DISABLE_SERVER_SIDE_CURSORS", "true");
    seen_by_another_process(&told).await;
    // Sign-ins share what few connections the pooler has.
    let served = told.serve().await;
    let clients: Vec<Client> = (0..10).map(|_| served.client()).collect();
    let done = futures::future::join_all(clients.iter().map(|client| client.login("akadmin", PASSWORD))).await;
    assert!(done.iter().all(|reply| reply.body["component"] == "xak-flow-redirect"), "{done:?}");
    let ended = served.stop().await;
    assert!(!ended.err.contains("ERROR") && !ended.err.contains("WARN"), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hundred_who_spend_a_recovery_key_on_two_nodes_one_wins() {
    let (one, two) = two_servers().await;
    let ada = one.user("ada").await;
    let key = one.key(ada.pk, TokenIntent::Recovery, Some(chrono::Duration::minutes(30))).await;
    let path = format!("/recovery/use-token/{key}/");
    let csrf = one.client().get(&path).await.hidden("csrf");
    let fields = [("csrf", csrf.as_str())];
    let clients: Vec<Client> = (0..100).flat_map(|_| [one.client(), two.client()]).collect();
    let replies = futures::future::join_all(clients.iter().map(|client| client.form(&path, &fields))).await;
    let won = replies.iter().filter(|reply| reply.location() == "/if/user/").count();
    let statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    assert_eq!(won, 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 303 | 404 | 503)), "{statuses:?}");
    assert_eq!((one.rows().await.0, one.events("login").await.len()), (1, 1));
}

// --- a database that goes away ------------------------------------------------------------------------------------------------

/// What a client that writes without pause has seen.
#[derive(Default)]
struct Seen {
    acknowledged: BTreeSet<String>,
    refused: u32,
}

/// Creates a stage; the answer must be one of two.
async fn write(client: &Client, name: &str, seen: &mut Seen) -> bool {
    let reply = client.post(STAGES, &json!({ "name": name })).await;
    if reply.status == 201 {
        seen.acknowledged.insert(name.to_owned());
        return true;
    }
    assert_eq!((reply.status, reply.header("retry-after")), (503, "1"), "{}", reply.text);
    // Cut off in the middle, or not reached at all: two words for the same moment.
    let code = reply.body["code"].as_str().unwrap();
    assert!(matches!(code, "busy" | "unavailable"), "{}", reply.text);
    assert!(reply.body["detail"].as_str().unwrap().to_lowercase().contains("try again"), "{}", reply.text);
    seen.refused += 1;
    false
}

/// Writes until `enough` in a row have ended as `good` says.
async fn write_until(clients: &[Client], seen: &mut [Seen], good: bool, enough: u32, n: &mut u32) {
    for (client, seen) in clients.iter().zip(seen) {
        let mut in_a_row = 0;
        let all = async {
            while in_a_row < enough {
                *n += 1;
                in_a_row = if write(client, &format!("stage-{n}"), seen).await == good { in_a_row + 1 } else { 0 };
            }
        };
        within(PATIENCE, "the server answers as it should", all).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_disappears_is_said_to_be_busy_and_nothing_acknowledged_is_lost() {
    let place = place();
    let proxy = Proxy::to(Cluster::shared().port, true).await;
    let server = Start::new().on(&place).with("AUTHENTIK_POSTGRESQL__PORT", &proxy.port.to_string()).start().await;
    let cookie = server.signed_in("akadmin").await.cookie_header();
    let clients = [server.admin(), server.admin()];
    let mut seen = [Seen::default(), Seen::default()];
    let mut n = 0;
    for _ in 0..2 {
        write_until(&clients, &mut seen, true, 10, &mut n).await;
        // In the middle of a write.
        let name = format!("cut-{n}");
        tokio::join!(write(&clients[0], &name, &mut seen[0]), async { proxy.cut() });
        write_until(&clients, &mut seen, false, 10, &mut n).await;
        assert_eq!(server.client().get("/-/health/ready/").await.status, 503);
        assert_eq!(server.client().get("/-/health/live/").await.status, 200);
        // Who has signed in is not thrown out: nobody knows.
        let page = server.client().header("cookie", &cookie).get("/if/user/").await;
        assert_eq!(page.status, 503, "{}", page.text);
        proxy.heal();
        write_until(&clients, &mut seen, true, 10, &mut n).await;
        assert_eq!(server.client().get("/-/health/ready/").await.status, 200);
        let page = server.client().header("cookie", &cookie).get("/if/user/").await;
        assert_eq!(page.status, 200, "{}", page.text);
    }
    // It is told again of what others do, although it never was restarted.
    let other = Start::new().on(&place).start().await;
    other.make("stages/deny", &json!({ "name": "elsewhere" })).await;
    within(SOON, "it hears again", reached(&server.store, other.store.snapshot().revision())).await;
    let acknowledged: BTreeSet<&String> = seen.iter().flat_map(|seen| &seen.acknowledged).collect();
    assert!(acknowledged.len() >= 40 && seen.iter().all(|seen| seen.refused >= 20));
    for name in acknowledged {
        let found = other.admin().get(&format!("{STAGES}?name={name}")).await;
        assert_eq!(found.body["pagination"]["count"], 1, "{name} was acknowledged");
    }
}

// --- copies and keys ------------------------------------------------------------------------------------------------------------

/// Runs one of PostgreSQL's own programs on a database.
async fn tool(program: &str, database: &str, port: u16, arguments: &[&str]) {
    let mut command = tokio::process::Command::new(programs().join(program));
    command.args(["--host=127.0.0.1", "--username", USER, "--port", &port.to_string(), "--dbname", database]).args(arguments);
    let ended = command.env("PGPASSWORD", ak_store::conformance::cluster::PASSWORD).output().await.unwrap();
    assert!(ended.status.success(), "{program}: {}", String::from_utf8_lossy(&ended.stderr));
}

#[tokio::test]
async fn a_dump_that_was_restored_keeps_sessions_with_the_same_secret_key() {
    let cluster = Cluster::shared();
    let (first, second) = (cluster.empty_database(), cluster.empty_database());
    let names = (first.name.clone(), second.name.clone());
    let home_of = |database| home(database, cluster.port).with("AUTHENTIK_SECRET_KEY", SECRET_KEY);
    let (from, to) = (home_of(first), home_of(second));
    let served = from.serve().await;
    let client = served.client();
    client.login("akadmin", PASSWORD).await;
    let cookie = client.cookie_header();
    let file = from.path().join("ak.dump").display().to_string();
    tool("pg_dump", &names.0, cluster.port, &["--format=custom", "--file", &file]).await;
    make_stage(&served, "after the copy").await;
    assert_eq!(served.stop().await.code, Some(0));
    tool("pg_restore", &names.1, cluster.port, &["--clean", "--if-exists", "--single-transaction", &file]).await;
    let served = to.serve().await;
    let me = served.client().header("cookie", &cookie).get("/api/v3/core/users/me/").await;
    assert_eq!(me.body["user"]["username"], "akadmin", "{}", me.text);
    assert_eq!(admin(&served.url).get(STAGES).await.body["pagination"]["count"], 0);
    make_stage(&served, "and it goes on").await;
    assert_eq!(served.stop().await.code, Some(0));
}

#[tokio::test]
async fn the_secret_key_is_changed_and_copies_are_left_to_the_servers_own_tools() {
    let cluster = Cluster::shared();
    let old = home(cluster.empty_database(), cluster.port).with("AUTHENTIK_SECRET_KEY", SECRET_KEY);
    assert!(old.run(&["migrate"]).await.succeeded());
    let new = old.clone().with("AUTHENTIK_SECRET_KEY", &SECRET_KEY.replace("test", "tset"));
    assert!(new.run(&["migrate"]).await.refusal().contains("(AUTHENTIK_SECRET_KEY) is not the one"));
    let done = new.run(&["secret", "rotate", "--from", SECRET_KEY]).await;
    assert!(done.succeeded(), "{done:?}");
    assert!(new.run(&["migrate"]).await.succeeded());
    assert!(old.run(&["migrate"]).await.refusal().contains("(AUTHENTIK_SECRET_KEY) is not the one"));
    // A copy of a file that nobody uses would be no backup.
    assert!(new.run(&["backup", "copy.sqlite"]).await.refusal().contains("PostgreSQL has pg_dump for it"));
    assert!(new.run(&["restore", "copy.sqlite"]).await.refusal().contains("PostgreSQL has pg_restore for it"));
}

// --- starting -----------------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_start_that_cannot_succeed_is_refused_in_one_line() {
    let cluster = Cluster::shared();
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port().to_string()
    };
    let letters = { tempfile::NamedTempFile::new().unwrap() };
    std::fs::write(letters.path(), "no certificate").unwrap();
    let letters = letters.path().display().to_string();
    let role = format!("no_such_role_{}", std::process::id());
    for (name, value, begin) in [
        (
            "PASSWORD",
            "wrong-password",
            format!("AUTHENTIK_POSTGRESQL__PASSWORD: PostgreSQL at 127.0.0.1:{} refuses", cluster.port),
        ),
        ("PASSWORD", "", "AUTHENTIK_POSTGRESQL__PASSWORD: ".to_owned()),
        // The server does not tell strangers which roles there are.
        ("USER", &role, "AUTHENTIK_POSTGRESQL__PASSWORD: ".to_owned()),
        ("NAME", "missing", "AUTHENTIK_POSTGRESQL__NAME: ".to_owned()),
        ("PORT", &closed, format!("AUTHENTIK_POSTGRESQL__HOST: PostgreSQL at 127.0.0.1:{closed} does not answer: ")),
        ("HOST", "/no/such/folder", "AUTHENTIK_POSTGRESQL__HOST: PostgreSQL at /no/such/folder".to_owned()),
        ("HOST", "nowhere.invalid", "AUTHENTIK_POSTGRESQL__HOST: PostgreSQL at nowhere.invalid".to_owned()),
        ("SSLMODE", "verify-full", "AUTHENTIK_POSTGRESQL__SSLMODE: ".to_owned()),
        ("SSLROOTCERT", "/no/such/file.pem", "AUTHENTIK_POSTGRESQL__SSLROOTCERT: /no/such/file.pem cannot be read".to_owned()),
        ("SSLCERT", &letters, "AUTHENTIK_POSTGRESQL__SSLCERT: ".to_owned()),
    ] {
        let home = home(cluster.empty_database(), cluster.port).with("AUTHENTIK_POSTGRESQL__WAIT", "0");
        let ended = home.with(&format!("AUTHENTIK_POSTGRESQL__{name}"), value).run(&["server"]).await;
        let line = ended.refusal();
        assert!(line.starts_with(&begin), "{name}={value}: {line}");
        assert!(!line.contains("wrong-password"), "{line}");
    }
    let missing =
        home(cluster.empty_database(), cluster.port).with("AUTHENTIK_POSTGRESQL__NAME", "missing").run(&["migrate"]).await;
    assert!(missing.refusal().contains(&format!("CREATE DATABASE \"missing\" OWNER \"{USER}\"")), "{missing:?}");
}

#[tokio::test]
async fn a_start_waits_for_a_database_that_is_still_starting() {
    let cluster = Cluster::shared();
    let proxy = Proxy::to(cluster.port, false).await;
    let mut program = home(cluster.empty_database(), proxy.port).start(&["server"]);
    let line = program.line("waiting up to 60 s for the database").await;
    assert!(line.contains(&proxy.port.to_string()), "{line}");
    proxy.heal();
    assert_eq!(Served::of(program).await.stop().await.code, Some(0));
}

#[tokio::test]
async fn the_way_to_the_server_is_protected_as_asked() {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let pem = certificate.pem();
    let setup = Setup { tls: Some((pem.clone(), key.serialize_pem())), ..Setup::default() };
    let cluster = Cluster::start(&setup);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &pem).unwrap();
    let file = file.path().display().to_string();
    let start = async |host: &str, mode: &str, root: Option<&str>| {
        let home = home(cluster.empty_database(), cluster.port).with("AUTHENTIK_POSTGRESQL__HOST", host);
        let home = home.with("AUTHENTIK_POSTGRESQL__SSLMODE", mode);
        let home = root.map_or(home.clone(), |root| home.with("AUTHENTIK_POSTGRESQL__SSLROOTCERT", root));
        let ended = home.run(&["migrate"]).await;
        let encrypted = if ended.succeeded() { encrypted(&home, mode).await } else { false };
        (ended, encrypted)
    };
    for (host, mode, root, expected) in [
        ("localhost", "disable", None, Some(false)),
        ("localhost", "prefer", None, Some(true)),
        ("localhost", "require", None, Some(true)),
        ("localhost", "verify-full", Some(file.as_str()), Some(true)),
        ("localhost", "verify-ca", Some(&pem), Some(true)),
        ("localhost", "verify-full", None, None),
        // Another name than the certificate's.
        ("127.0.0.1", "verify-full", Some(&file), None),
        ("127.0.0.1", "verify-ca", Some(&file), None),
        ("127.0.0.1", "require", Some(&file), None),
        ("127.0.0.1", "require", None, Some(true)),
    ] {
        let (ended, encrypted) = start(host, mode, root).await;
        match expected {
            Some(expected) => assert_eq!((ended.code, encrypted), (Some(0), expected), "{host} {mode}: {ended:?}"),
            None => {
                let line = ended.refusal();
                assert!(line.starts_with("AUTHENTIK_POSTGRESQL__SSLMODE: "), "{host} {mode}: {line}");
            }
        }
    }
}

/// Whether the server sees its connections encrypted while a program runs.
async fn encrypted(home: &Home, mode: &str) -> bool {
    use sqlx::Row as _;
    let served = home.serve().await;
    let mut connection = home.place().connect().await;
    let query =
        "SELECT bool_and(s.ssl) AS all_of_them, count(*) AS how_many FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
        WHERE a.application_name = 'ak' AND a.datname = current_database()";
    let row = sqlx::query(query).fetch_one(&mut connection).await.unwrap();
    assert!(row.get::<i64, _>("how_many") > 0, "{mode}: nobody is connected");
    assert_eq!(served.stop().await.code, Some(0));
    row.get("all_of_them")
}
