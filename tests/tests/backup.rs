//! Copies of the database made, put back and refused, and the secret key changed, as people do it: with the programs.
//!
//! All of it is about the files of SQLite; what there is of it on PostgreSQL stands in `postgres.rs`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ak_tests::program::{Home, Served};
use ak_tests::server::{Client, PASSWORD, SECRET_KEY, TOKEN};
use serde_json::json;
use sqlx::{ConnectOptions as _, Connection as _};

const ME: &str = "/api/v3/core/users/me/";
const STAGES: &str = "/api/v3/stages/dummy/";
const OTHER_KEY: &str = "another-secret-key-another-secret-key-another-secret-key-another";
const THIRD_KEY: &str = "yet-another-secret-key-yet-another-secret-key-yet-another-secret-key";

/// An installation with an administrator who has a password and a key for the API.
fn home() -> Home {
    Home::on_sqlite()
        .with("AUTHENTIK_BOOTSTRAP_PASSWORD", PASSWORD)
        .with("AUTHENTIK_BOOTSTRAP_TOKEN", TOKEN)
        .with("AUTHENTIK_SECRET_KEY", SECRET_KEY)
}

fn admin(served: &Served) -> Client {
    served.client().header("authorization", &format!("Bearer {TOKEN}"))
}

async fn signed_in(served: &Served) -> String {
    let client = served.client();
    let done = client.login("akadmin", PASSWORD).await;
    assert_eq!(done.body["component"], "xak-flow-redirect", "{}", done.text);
    client.cookie_header()
}

async fn me(served: &Served, cookie: &str) -> u16 {
    served.client().header("cookie", cookie).get(ME).await.status
}

async fn make_stage(served: &Served, name: &str) -> u16 {
    admin(served).post(STAGES, &json!({ "name": name })).await.status
}

async fn stages(served: &Served) -> Vec<String> {
    let reply = admin(served).get(&format!("{STAGES}?page_size=1000")).await;
    let results = reply.body["results"].as_array().unwrap_or_else(|| panic!("{}", reply.text));
    results.iter().map(|stage| stage["name"].as_str().expect("a name").to_owned()).collect()
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path as text").to_owned()
}

/// What is in a folder, hidden files included.
fn names(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().expect("a folder");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The files of the database and of what was put aside, with their content.
fn files(home: &Home) -> Vec<(String, Vec<u8>)> {
    let data = home.path().join("data");
    names(&data).into_iter().map(|name| (name.clone(), std::fs::read(data.join(name)).expect("a file"))).collect()
}

async fn sql(file: &Path, statement: &'static str) {
    let mut connection = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .connect()
        .await
        .expect("the database opens");
    sqlx::raw_sql(statement).execute(&mut connection).await.expect("the statement runs");
    connection.close().await.expect("the database closes");
}

/// A home with a database, and a copy of it.
async fn backed_up() -> (Home, PathBuf) {
    let home = home();
    assert!(home.serve().await.stop().await.code == Some(0));
    let copy = home.path().join("copy");
    let made = home.run(&["backup", "copy"]).await;
    assert!(made.succeeded(), "{made:?}");
    (home, copy)
}

// --- backup -----------------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_copy_made_while_a_server_writes_is_consistent_and_keeps_sessions() {
    let home = home();
    let served = home.serve().await;
    let cookie = signed_in(&served).await;
    let (done, client) = (Arc::new(AtomicBool::new(false)), admin(&served));
    let (first, written) = tokio::sync::oneshot::channel();
    let writer = tokio::spawn({
        let done = done.clone();
        async move {
            let mut first = Some(first);
            let mut count = 0;
            while !done.load(Ordering::SeqCst) {
                let reply = client.post(STAGES, &json!({ "name": format!("stage {count}") })).await;
                assert_eq!(reply.status, 201, "{}", reply.text);
                count += 1;
                if count == 20 {
                    first.take().map(|first| first.send(()));
                }
            }
            count
        }
    });
    written.await.expect("twenty are written");
    let copy = home.path().join("copy");
    let made = home.run(&["backup", "copy"]).await;
    done.store(true, Ordering::SeqCst);
    let count: usize = writer.await.expect("the writer ends");
    assert!(made.succeeded() && made.out.contains("AUTHENTIK_SECRET_KEY") && made.err.is_empty(), "{made:?}");
    assert_eq!(copy.metadata().expect("the copy").permissions().mode() & 0o777, 0o600);
    assert_eq!(served.stop().await.code, Some(0));

    let other = self::home();
    let restored = other.run(&["restore", &text(&copy)]).await;
    assert!(restored.succeeded() && restored.out.lines().count() == 1, "{restored:?}");
    assert_eq!(names(&other.path().join("data")), ["ak.sqlite"]);
    assert_eq!(other.database().metadata().expect("the database").permissions().mode() & 0o777, 0o600);
    let served = other.serve().await;
    assert_eq!(me(&served, &cookie).await, 200, "the session goes on in the copy");
    let found = stages(&served).await;
    assert!((20..=count).contains(&found.len()), "{} of {count}", found.len());
    for number in 0..found.len() {
        assert!(found.contains(&format!("stage {number}")), "the copy is of one moment: {found:?}");
    }
    assert_eq!(served.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_backup_overwrites_only_when_told_to_and_never_the_database() {
    let (home, copy) = backed_up().await;
    let first = std::fs::read(&copy).expect("the copy");
    assert_eq!(home.run(&["backup", "copy"]).await.refusal(), "copy is there already (--force overwrites it)");
    assert_eq!(std::fs::read(&copy).expect("the copy"), first);
    assert!(home.run(&["token", "create", "later"]).await.succeeded());
    assert!(home.run(&["backup", "copy", "--force"]).await.succeeded());
    assert_ne!(std::fs::read(&copy).expect("the copy"), first);
    for file in ["data/ak.sqlite", "data/ak.sqlite-wal", "./data/../data/ak.sqlite"] {
        let ended = home.run(&["backup", file, "--force"]).await;
        assert_eq!(ended.refusal(), format!("{file} is the database itself"));
    }
    assert_eq!(home.run(&["backup", "data", "--force"]).await.refusal(), "data is there already, and is no file");
    let nowhere = home.run(&["backup", "no/such/folder/copy"]).await;
    assert!(nowhere.refusal().starts_with("no/such/folder/copy: "), "{nowhere:?}");
    let empty = self::home();
    assert_eq!(empty.run(&["backup", "copy"]).await.refusal(), "there is no database at ./data/ak.sqlite");
    assert_eq!(names(empty.path()), Vec::<String>::new(), "nothing was made");
    assert_eq!(names(home.path()), ["copy", "data"], "nothing is left behind");
}

#[tokio::test]
async fn a_backup_that_does_not_come_to_its_end_leaves_no_file_of_that_name() {
    let (home, _) = backed_up().await;
    // Four kilobytes are not enough for it.
    let limited = "ulimit -f 8; exec \"$0\" backup short";
    let path = ak_tests::program::programs().join("ak");
    let ended = home.start_file(Path::new("/bin/sh"), &["-c", limited, &text(&path)]).ended().await;
    let line = ended.refusal();
    assert!(line.contains("cannot be copied to short"), "{line}");
    assert_eq!(names(home.path()), ["copy", "data"]);
    assert_eq!(home.serve().await.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_backup_does_not_change_the_shape_of_an_old_database() {
    let home = home();
    std::fs::create_dir(home.path().join("data")).expect("a folder");
    sql(&home.database(), include_str!("../../ak-store/tests/fixtures/version-1.sql")).await;
    let before = std::fs::read(home.database()).expect("the database");
    assert!(home.run(&["backup", "copy"]).await.succeeded());
    assert_eq!(std::fs::read(home.database()).expect("the database"), before);
    assert!(home.run(&["restore", "copy", "--force"]).await.succeeded(), "an older version can be restored");
}

// --- restore ----------------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn what_changed_since_the_backup_is_in_the_database_that_was_put_aside() {
    let home = home();
    let served = home.serve().await;
    let cookie = signed_in(&served).await;
    assert_eq!(make_stage(&served, "before").await, 201);
    assert!(home.run(&["backup", "copy"]).await.succeeded());
    assert_eq!(make_stage(&served, "after").await, 201);
    let later = signed_in(&served).await;
    // Killed: what it wrote last is in the log beside the database only.
    served.program.kill().await;

    let refused = home.run(&["restore", "copy"]).await;
    assert!(refused.refusal().starts_with("there is a database at ./data/ak.sqlite already (--force "), "{refused:?}");
    let restored = home.run(&["restore", "copy", "--force"]).await;
    assert!(restored.succeeded() && restored.err.is_empty(), "{restored:?}");
    let data = home.path().join("data");
    let kept = names(&data).into_iter().find(|name| name.starts_with("ak.sqlite.before-restore-")).expect("the old one");
    assert!(restored.out.contains(&kept), "{restored:?}");
    assert_eq!(names(&data), ["ak.sqlite", &kept]);
    let served = home.serve().await;
    assert_eq!((me(&served, &cookie).await, me(&served, &later).await), (200, 403));
    assert_eq!(stages(&served).await, ["before"]);
    assert_eq!(served.stop().await.code, Some(0));

    let back = home.run(&["restore", &format!("data/{kept}"), "--force"]).await;
    assert!(back.succeeded(), "{back:?}");
    let served = home.serve().await;
    assert_eq!(me(&served, &later).await, 200);
    assert_eq!(stages(&served).await, ["after", "before"]);
    assert_eq!(served.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_database_that_a_program_holds_is_not_replaced() {
    let (home, _) = backed_up().await;
    let served = home.serve().await;
    let held = "a program holds the database ./data/ak.sqlite: stop `ak server` and `ak worker` first";
    assert_eq!(home.run(&["restore", "copy", "--force"]).await.refusal(), held);
    assert_eq!(make_stage(&served, "goes on").await, 201);
    assert_eq!(served.stop().await.code, Some(0));
    let mut worker = home.start_program("ak-worker", &[]);
    worker.line("completed").await;
    assert_eq!(home.run(&["restore", "copy", "--force"]).await.refusal(), held);
    assert_eq!(worker.stop().await.code, Some(0));
    let served = home.serve().await;
    assert_eq!(stages(&served).await, ["goes on"]);
    assert_eq!(served.stop().await.code, Some(0));
    assert!(home.run(&["restore", "copy", "--force"]).await.succeeded(), "nobody holds it any more");
}

#[tokio::test]
async fn what_is_no_backup_is_refused_before_anything_is_touched() {
    let (home, copy) = backed_up().await;
    let file = |name: &str| home.path().join(name);
    std::fs::create_dir(file("folder")).expect("a folder");
    std::fs::write(file("empty"), "").expect("a file");
    std::fs::write(file("letter"), "This is a letter, and not a database at all. ".repeat(100)).expect("a file");
    let whole = std::fs::read(&copy).expect("the copy");
    std::fs::write(file("half"), &whole[..whole.len() / 2]).expect("a file");
    let mut damaged = whole.clone();
    let third = damaged.len() / 3;
    damaged[third..third + 8192].fill(0x5a);
    std::fs::write(file("damaged"), damaged).expect("a file");
    sql(&file("stranger"), "CREATE TABLE letter (line TEXT)").await;
    for name in ["newer", "unfinished", "log"] {
        std::fs::copy(&copy, file(name)).expect("a file");
    }
    sql(&file("newer"), "INSERT INTO schema_version (version, name) VALUES (9999, 'from the future')").await;
    sql(&file("unfinished"), "DELETE FROM schema_version").await;
    std::fs::write(file("log-wal"), "frames").expect("a file");
    let before = files(&home);
    let cases = [
        ("missing", "missing: "),
        ("folder", "folder is no file"),
        ("empty", "it is a database, but not one of ak"),
        ("letter", "it is no database, or a damaged one"),
        ("half", "damaged"),
        ("damaged", "damaged"),
        ("stranger", "it is a database, but not one of ak"),
        ("newer", "its schema has version 9999, but this program knows versions up to"),
        ("unfinished", "its schema has version 0"),
        ("log", "log has a write-ahead log beside it"),
        ("data/ak.sqlite", "data/ak.sqlite is the database itself"),
    ];
    for (name, why) in cases {
        let ended = home.run(&["restore", name, "--force"]).await;
        let line = ended.refusal();
        assert!(line.contains(why) && line.contains(name), "{name}: {line}");
        assert!(files(&home) == before, "{name} changed something");
        let empty = self::home();
        let ended = empty.run(&["restore", &text(&file(name))]).await;
        assert_eq!(ended.code, Some(if name == "data/ak.sqlite" { 0 } else { 1 }), "{ended:?}");
        assert!(name == "data/ak.sqlite" || !empty.database().exists(), "{name}");
    }
}

#[tokio::test]
async fn a_broken_database_is_put_aside_as_it_is() {
    let (home, _) = backed_up().await;
    let broken = "Something went over this file. ".repeat(1000);
    std::fs::write(home.database(), &broken).expect("a file");
    let restored = home.run(&["restore", "copy", "--force"]).await;
    assert!(restored.succeeded() && restored.err.contains("is broken"), "{restored:?}");
    let data = home.path().join("data");
    let kept = names(&data).into_iter().find(|name| name.contains(".before-restore-")).expect("the old one");
    assert_eq!(std::fs::read_to_string(data.join(kept)).expect("the old one"), broken);
    let served = home.serve().await;
    signed_in(&served).await;
    assert_eq!(served.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_missing_secret_key_is_not_made_up() {
    let home = Home::on_sqlite().with("AUTHENTIK_BOOTSTRAP_PASSWORD", PASSWORD);
    let served = home.serve().await;
    let cookie = signed_in(&served).await;
    assert!(home.run(&["backup", "copy"]).await.out.contains("data/secret_key"));
    assert_eq!(served.stop().await.code, Some(0));
    let other = Home::on_sqlite();
    let restored = other.run(&["restore", &text(&home.path().join("copy"))]).await;
    assert!(restored.succeeded() && restored.out.contains("Its secret key is missing"), "{restored:?}");
    let refused = other.run(&["server"]).await;
    let line = refused.refusal();
    assert!(line.contains("data/secret_key: the secret key is missing"), "{line}");
    assert_eq!(names(&other.path().join("data")), ["ak.sqlite"], "none was made");
    std::fs::copy(home.path().join("data/secret_key"), other.path().join("data/secret_key")).expect("the key");
    let served = other.serve().await;
    assert_eq!(me(&served, &cookie).await, 200);
    assert_eq!(served.stop().await.code, Some(0));
}

// --- the secret key ---------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_copy_with_another_key_starts_after_a_rotation_and_everybody_signs_in_again() {
    let home = home();
    let served = home.serve().await;
    let cookie = signed_in(&served).await;
    assert!(home.run(&["backup", "copy"]).await.succeeded());
    assert_eq!(served.stop().await.code, Some(0));
    let other = self::home().with("AUTHENTIK_SECRET_KEY", OTHER_KEY);
    let restored = other.run(&["restore", &text(&home.path().join("copy"))]).await;
    assert!(restored.succeeded() && restored.out.contains("another secret key"), "{restored:?}");
    let refused = other.run(&["server"]).await;
    let line = refused.refusal();
    assert!(
        line.contains("(AUTHENTIK_SECRET_KEY) is not the one") && line.contains("ak secret rotate --from <old key>"),
        "{line}"
    );
    assert!(line.contains("without the old key"), "{line}");

    let before = std::fs::read(other.database()).expect("the database");
    let wrong = other.run(&["secret", "rotate", "--from", THIRD_KEY]).await;
    assert!(wrong.refusal().contains("nothing was changed") && !wrong.err.contains(THIRD_KEY), "{wrong:?}");
    assert_eq!(std::fs::read(other.database()).expect("the database"), before);

    let rotated = other.run(&["secret", "rotate", "--from", SECRET_KEY]).await;
    assert!(rotated.succeeded() && rotated.out.contains("Everybody is signed out"), "{rotated:?}");
    let again = other.run(&["secret", "rotate", "--from", SECRET_KEY]).await;
    assert!(again.succeeded() && again.out.contains("already; nothing was changed"), "{again:?}");
    let served = other.serve().await;
    assert_eq!(me(&served, &cookie).await, 403, "the cookie was signed by the old key");
    assert_eq!(admin(&served).get(ME).await.status, 200, "the key for the API is what it was");
    let cookie = signed_in(&served).await;
    assert_eq!(me(&served, &cookie).await, 200);
    assert_eq!(served.stop().await.code, Some(0));
    let old = other.with("AUTHENTIK_SECRET_KEY", SECRET_KEY).run(&["server"]).await;
    assert!(old.refusal().contains("is not the one"), "{old:?}");
}

#[tokio::test]
async fn the_old_key_can_be_read_from_a_file_or_the_environment() {
    let home = Home::on_sqlite();
    assert!(home.run(&["migrate"]).await.succeeded());
    let data = home.path().join("data");
    let old = std::fs::read_to_string(data.join("secret_key")).expect("the key");
    std::fs::rename(data.join("secret_key"), data.join("old_key")).expect("it moves");
    for (from, why) in [
        ("file://data/none", "--from: the file that it names does not exist"),
        ("env://NONE", "--from: the environment variable that it names is not set"),
        ("", "--from: is empty"),
        ("env://WRONG", "nothing was changed"),
    ] {
        let ended = home.clone().with("WRONG", THIRD_KEY).run(&["secret", "rotate", "--from", from]).await;
        assert!(ended.refusal().contains(why), "{ended:?}");
        assert!(!data.join("secret_key").exists(), "no key is made for {from}");
    }
    // Without a configured key a new one is made.
    assert!(home.run(&["secret", "rotate", "--from", "file://data/old_key"]).await.succeeded());
    let new = std::fs::read_to_string(data.join("secret_key")).expect("the new key");
    assert!(new != old && new.trim().len() >= 50);
    assert_eq!(home.serve().await.stop().await.code, Some(0));
    let back = home.clone().with("AUTHENTIK_SECRET_KEY", old.trim()).with("NEW", new.trim());
    assert!(back.run(&["secret", "rotate", "--from", "env://NEW"]).await.succeeded());
    assert_eq!(back.serve().await.stop().await.code, Some(0));

    let empty = Home::on_sqlite();
    let ended = empty.run(&["secret", "rotate", "--from", THIRD_KEY]).await;
    assert_eq!(ended.refusal(), "there is no database at ./data/ak.sqlite");
    assert_eq!(names(empty.path()), Vec::<String>::new());
}

#[tokio::test]
async fn of_two_rotations_at_once_one_wins_and_the_other_says_so() {
    let home = home();
    assert!(home.run(&["migrate"]).await.succeeded());
    let from = ["secret", "rotate", "--from", SECRET_KEY];
    let to = |key: &str| home.clone().with("AUTHENTIK_SECRET_KEY", key);
    let (one, other) = (to(OTHER_KEY), to(THIRD_KEY));
    let (first, second) = tokio::join!(one.run(&from), other.run(&from));
    let (won, lost, late) = if first.succeeded() { (&one, &other, second) } else { (&other, &one, first) };
    assert!(late.refusal().contains("this is not the secret key that the database was written with"), "{late:?}");
    assert!(lost.run(&["migrate"]).await.refusal().contains("is not the one"));
    assert!(won.run(&["user", "list"]).await.succeeded());

    let winner_key = if std::ptr::eq(won, &one) { OTHER_KEY } else { THIRD_KEY };
    let from = ["secret", "rotate", "--from", winner_key];
    let same = to(SECRET_KEY);
    let (first, second) = tokio::join!(same.run(&from), same.run(&from));
    assert!(first.succeeded() && second.succeeded(), "{first:?} {second:?}");
    let said = [first.out, second.out];
    assert_eq!(said.iter().filter(|out| out.contains("nothing was changed")).count(), 1, "{said:?}");
    assert_eq!(said.iter().filter(|out| out.contains("signed out")).count(), 1, "{said:?}");
}
