//! The programs as people run them: started, asked, stopped, and started wrongly.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ak_store::directory::password::is_hash;
use ak_store::records::{Durability, Session, SessionFilter};
use ak_tests::database::on_postgres;
use ak_tests::program::{Home, Served};
use ak_tests::server::{Client, PASSWORD, Reply, SECRET_KEY, TOKEN};
use chrono::{Duration, Utc};
use serde_json::json;

const ME: &str = "/api/v3/core/users/me/";

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap_or_else(|e| panic!("{}: {e}", path.display())).permissions().mode() & 0o777
}

fn with_password() -> Home {
    Home::new().with("AUTHENTIK_BOOTSTRAP_PASSWORD", PASSWORD)
}

async fn signed_in(served: &Served, username: &str, password: &str) -> Client {
    let client = served.client();
    let done = client.login(username, password).await;
    assert_eq!(done.body["component"], "xak-flow-redirect", "{}", done.text);
    client
}

/// What the bearer of this key gets to see of the flows.
async fn flows(served: &Served, key: &str) -> Reply {
    served.client().header("authorization", &format!("Bearer {key}")).get("/api/v3/flows/instances/").await
}

// --- starting and stopping ------------------------------------------------------------------------------------------------

#[tokio::test]
async fn the_first_start_in_an_empty_folder_makes_everything_for_its_owner_only() {
    let home = Home::new();
    let served = home.serve().await;
    let data = home.path().join("data");
    assert_eq!(mode(&data), 0o700);
    for entry in data.read_dir().expect("the folder") {
        let path = entry.expect("an entry").path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    assert_eq!(home.database().is_file(), !on_postgres());
    let key = std::fs::read_to_string(data.join("secret_key")).expect("the secret key");
    assert!(key.trim().len() >= 50);
    let log = served.program.log();
    let line = log.lines().find(|line| line.contains("initial setup")).unwrap_or_else(|| panic!("no set-up in {log}"));
    let (_, path) = line.split_once("/if/flow/initial-setup/").expect("the address");
    let path = format!("/if/flow/initial-setup/{}", path.split(['"', ' ']).next().unwrap_or_default());
    assert!(path.contains("?code="), "{line}");
    // It is good also for who comes from far away.
    let page = served.client().header("x-forwarded-for", "203.0.113.7").get(&path).await;
    assert!(page.text.contains("name=\"password_repeat\""), "{}", page.text);
    let flow = served.client().get("/if/flow/default-authentication-flow/").await;
    assert_eq!(flow.status, 200, "the default objects are there");
    let log = served.program.log();
    let ended = served.stop().await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(!log.contains(key.trim()), "the secret key is not logged");
}

#[tokio::test]
async fn a_second_start_keeps_the_secret_key_and_the_sessions() {
    let home = with_password();
    let served = home.serve().await;
    let cookie = signed_in(&served, "akadmin", PASSWORD).await.cookie_header();
    let key = std::fs::read(home.path().join("data/secret_key")).expect("the secret key");
    assert_eq!(served.stop().await.code, Some(0));
    let served = home.serve().await;
    let me = served.client().header("cookie", &cookie).get(ME).await;
    assert_eq!(me.body["user"]["username"], "akadmin", "{}", me.text);
    assert_eq!(std::fs::read(home.path().join("data/secret_key")).expect("the secret key"), key);
    assert_eq!(served.stop().await.code, Some(0));
}

#[tokio::test]
async fn every_program_ends_well_when_it_is_asked_to() {
    let home = Home::new();
    for (program, arguments) in [("ak", &["server"][..]), ("ak-server", &[])] {
        let served = Served::of(home.start_program(program, arguments)).await;
        assert_eq!(served.stop().await.code, Some(0), "{program}");
    }
    for (program, arguments) in [("ak", &["worker"][..]), ("ak-worker", &[])] {
        let mut worker = home.start_program(program, arguments);
        worker.line("completed").await;
        assert_eq!(worker.stop().await.code, Some(0), "{program}");
    }
}

#[tokio::test]
async fn a_server_is_healthy_while_it_is_ready() {
    let home = Home::new();
    let served = home.serve().await;
    let port = served.url.rsplit(':').next().expect("a port").to_owned();
    let asking = home.clone().with("AUTHENTIK_LISTEN__HTTP", &format!("0.0.0.0:{port}"));
    assert_eq!(asking.run(&["healthcheck"]).await.code, Some(0));
    served.stop().await;
    let refused = asking.run(&["healthcheck"]).await;
    assert!(refused.refusal().contains(&format!("127.0.0.1:{port}")), "{refused:?}");
}

// --- started wrongly ------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_port_in_use_is_named_with_its_setting() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    for setting in ["AUTHENTIK_LISTEN__HTTP", "AUTHENTIK_LISTEN__HTTPS", "AUTHENTIK_LISTEN__METRICS"] {
        let home = Home::new();
        assert!(home.run(&["migrate"]).await.succeeded());
        let ended = home.with(setting, &address).run(&["server"]).await;
        let line = ended.refusal();
        assert!(line.starts_with(&format!("{setting}: ")) && line.contains(&address), "{line}");
    }
}

#[tokio::test]
async fn a_database_file_that_cannot_be_used_is_named_with_its_setting() {
    let home = Home::on_sqlite();
    std::fs::create_dir(home.path().join("folder")).expect("a folder");
    let text = "This is a letter, and not a database at all. ".repeat(100);
    std::fs::write(home.path().join("letter"), text).expect("a file");
    let secret = home.with("AUTHENTIK_SECRET_KEY", SECRET_KEY);
    for path in ["folder", "letter", "letter/ak.sqlite"] {
        let ended = secret.clone().with("AUTHENTIK_SQLITE__PATH", path).run(&["server"]).await;
        let line = ended.refusal();
        assert!(line.starts_with(&format!("AUTHENTIK_SQLITE__PATH: the database {path}")), "{line}");
        assert_eq!(line.matches(path).count(), 1, "{line}");
    }
}

#[tokio::test]
async fn a_database_of_a_newer_release_is_left_alone() {
    let home = Home::new();
    assert!(home.run(&["migrate"]).await.succeeded());
    home.place().sql("INSERT INTO schema_version (version, name) VALUES (9999, 'from the future')").await;
    let ended = home.run(&["server"]).await;
    let line = ended.refusal();
    let setting = if on_postgres() { "AUTHENTIK_POSTGRESQL__NAME: " } else { "AUTHENTIK_SQLITE__PATH: " };
    assert!(line.starts_with(setting) && line.contains("9999") && line.contains("newer release"), "{line}");
}

#[tokio::test]
async fn the_secret_key_must_be_long_and_the_right_one() {
    let home = Home::new();
    let ended = home.clone().with("AUTHENTIK_SECRET_KEY", "too-short-to-be-a-key").run(&["server"]).await;
    assert!(ended.refusal().starts_with("AUTHENTIK_SECRET_KEY: "), "{ended:?}");
    assert!(!ended.err.contains("too-short-to-be-a-key"));
    let first = home.clone().with("AUTHENTIK_SECRET_KEY", SECRET_KEY);
    assert!(first.run(&["migrate"]).await.succeeded());
    let other = SECRET_KEY.replace("test", "tset");
    let ended = home.with("AUTHENTIK_SECRET_KEY", &other).run(&["server"]).await;
    assert!(ended.refusal().contains("(AUTHENTIK_SECRET_KEY) is not the one"), "{ended:?}");
    assert!(!ended.err.contains(&other));
    assert_eq!(first.serve().await.stop().await.code, Some(0), "the right key is as good as before");
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused_in_one_line() {
    let refused = [
        (
            &[("AUTHENTIK_BOOTSTRAP_PASSWORD", "seven-sleepers"), ("AUTHENTIK_BOOTSTRAP_PASSWORD_HASH", "!unusable")][..],
            "AUTHENTIK_BOOTSTRAP_PASSWORD_HASH: ",
        ),
        (&[("TZ", "Mars/Olympus")], "TZ: there is no time zone Mars/Olympus"),
        (&[("AUTHENTIK_LISTEN__HTTP", "nowhere")], "AUTHENTIK_LISTEN__HTTP: \"nowhere\" is not an address"),
        (&[("AUTHENTIK_LOG_LEVEL", "loud")], "AUTHENTIK_LOG_LEVEL: \"loud\" is not a log level"),
        (&[("AUTHENTIK_POSTGRESQL__SSLMODE", "perhaps")], "AUTHENTIK_POSTGRESQL__SSLMODE: \"perhaps\" is not a mode of TLS"),
        (&[("AUTHENTIK_OUTBOUND__EXTRA_CA", "./no.pem")], "AUTHENTIK_OUTBOUND__EXTRA_CA: ./no.pem cannot be read"),
        (&[("AUTHENTIK_OUTBOUND__PRIVATE_HOSTS", "a.b, *.c")], "AUTHENTIK_OUTBOUND__PRIVATE_HOSTS: *.c is more than one host"),
        (&[("AUTHENTIK_OUTBOUND__SCRIPT_HOSTS", "http://a.b/")], "AUTHENTIK_OUTBOUND__SCRIPT_HOSTS: http://a.b/ is not a host"),
        (&[("AUTHENTIK_CONFIG", "./missing.yaml")], "AUTHENTIK_CONFIG: the file that it names does not exist"),
    ];
    for (settings, begin) in refused {
        let home = settings.iter().fold(Home::new(), |home, (name, value)| home.with(name, value));
        let ended = home.run(&["server"]).await;
        assert!(ended.refusal().starts_with(begin), "{begin}: {ended:?}");
        assert!(!ended.err.contains("seven-sleepers"));
        assert!(!home.database().exists(), "nothing was made: {begin}");
    }
    let hash = Home::new().run(&["hash_password", "one"]).await.out;
    let both = Home::new().with("AUTHENTIK_BOOTSTRAP_PASSWORD", "one").with("AUTHENTIK_BOOTSTRAP_PASSWORD_HASH", hash.trim());
    let ended = both.run(&["server"]).await;
    let line = ended.refusal();
    assert!(line.starts_with("AUTHENTIK_BOOTSTRAP_PASSWORD_HASH: cannot be given together"), "{line}");
    assert!(!line.contains(hash.trim()));
}

#[tokio::test]
async fn settings_that_nobody_knows_are_one_warning() {
    let home = Home::new().with("AUTHENTIK_NO_SUCH_THING", "1").with("AUTHENTIK_SERVER_PORT", "tcp://10.0.0.1:9000");
    let ended = home.run(&["migrate"]).await;
    assert_eq!(ended.code, Some(0));
    let warnings: Vec<&str> = ended.err.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{}", ended.err);
    assert!(warnings[0].contains("AUTHENTIK_NO_SUCH_THING, AUTHENTIK_SERVER_PORT"), "{}", ended.err);
}

#[tokio::test]
async fn a_database_of_addresses_that_cannot_be_used_is_one_line_and_no_reason_not_to_start() {
    let about = |ended: &str| -> Vec<String> {
        ended.lines().filter(|line| line.contains("CONTEXT_PROCESSORS") || line.contains("mmdb")).map(str::to_owned).collect()
    };
    let missing = Home::new().with("AUTHENTIK_EVENTS__CONTEXT_PROCESSORS__ASN", "./missing.mmdb").serve().await.stop().await;
    let said = about(&missing.err);
    assert_eq!((missing.code, said.len()), (Some(0), 1), "{said:?}");
    assert!(said[0].contains("WARN") && said[0].contains("CONTEXT_PROCESSORS__ASN: ./missing.mmdb cannot be read: "), "{said:?}");
    // Those at the usual places need not be there.
    assert_eq!(about(&Home::new().serve().await.stop().await.err), [""; 0]);
}

// --- the log --------------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn the_log_has_the_level_and_the_form_that_were_asked_for() {
    let quiet = Home::new().with("AUTHENTIK_LOG_LEVEL", "error");
    let ended = quiet.run(&["migrate"]).await;
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));

    let json = Home::new().with("AUTHENTIK_LOG_FORMAT", "json");
    let ended = json.serve().await.stop().await;
    let lines: Vec<serde_json::Value> =
        ended.err.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect();
    let listening = lines.iter().find(|line| line["message"].as_str().is_some_and(|m| m.starts_with("listening on")));
    assert_eq!(listening.expect("the line")["level"], "INFO");
    assert!(lines.iter().any(|line| line["task"] == "clean_expired" && line["message"] == "completed"), "{}", ended.err);
}

#[tokio::test]
async fn the_log_never_holds_what_lets_somebody_in() {
    let home = with_password().with("AUTHENTIK_BOOTSTRAP_TOKEN", TOKEN).with("AUTHENTIK_SECRET_KEY", SECRET_KEY);
    let home = home.with("AUTHENTIK_LOG_LEVEL", "trace");
    let served = home.serve().await;
    let client = signed_in(&served, "akadmin", PASSWORD).await;
    let wrong = "a-wrong-password-somebody-typed";
    served.client().login("akadmin", wrong).await;
    // By forms, with the hidden token of the page.
    let form = served.client();
    let page = form.get("/if/flow/default-authentication-flow/").await;
    let hidden = page.hidden("csrf");
    let page = form.submit(&page, &[("uid_field", "akadmin")]).await;
    let page = form.follow(page.location()).await;
    form.submit(&page, &[("password", PASSWORD)]).await;
    assert_eq!(flows(&served, TOKEN).await.status, 200);
    assert_eq!(flows(&served, "a-key-that-nobody-made").await.status, 403);
    let (link, key) = recovery(&home).await;
    for path in [link.clone(), format!("/recovery/use-token/?token={key}")] {
        assert_eq!(served.client().get(&path).await.status, 200);
    }
    spend(&served.client(), &link).await;
    assert_eq!(served.client().get(&link).await.status, 404);
    let made = home.run(&["token", "create", "second"]).await;
    let set = home.run_with(&["user", "set-password", "akadmin"], "a whole new password\n").await;
    let cookies = [client.cookie_header(), form.cookie_header()];
    let log = format!("{}\n{}\n{}", served.stop().await.err, made.err, set.err);
    assert!(log.contains("looked for tasks") && log.contains("/api/v3/flows/executor/"), "the log holds everything else: {log}");
    let cookies = cookies.iter().flat_map(|c| c.split("; ")).map(|c| c.split_once('=').expect("a cookie").1);
    let secrets =
        [PASSWORD, wrong, TOKEN, SECRET_KEY, "a-key-that-nobody-made", &key, &hidden, made.out.trim(), "a whole new password"];
    for secret in secrets.into_iter().chain(cookies) {
        assert!(secret.len() > 10 && !log.contains(secret), "{secret} is in the log: {log}");
    }
}

// --- the command line -----------------------------------------------------------------------------------------------------

/// Makes a recovery key; the path of its link, and the key.
async fn recovery(home: &Home) -> (String, String) {
    let ended = home.run(&["create_recovery_key", "10", "akadmin"]).await;
    assert!(ended.succeeded(), "{ended:?}");
    let link = ended.out.lines().find(|line| line.starts_with("http")).expect("a link");
    let path = format!("/{}", link.splitn(4, '/').nth(3).expect("a path"));
    let key = path.trim_end_matches('/').rsplit('/').next().expect("a key").to_owned();
    (path, key)
}

async fn spend(client: &Client, link: &str) -> Reply {
    let page = client.get(link).await;
    assert_eq!(page.status, 200, "{}", page.text);
    client.form(link, &[("csrf", &page.hidden("csrf"))]).await
}

#[tokio::test]
async fn a_recovery_link_signs_in_once() {
    let home = with_password();
    let served = home.serve().await;
    let (link, _) = recovery(&home).await;
    let (client, late) = (served.client(), served.client());
    // Both see the page; one is faster.
    let seen = late.get(&link).await.hidden("csrf");
    assert_eq!(spend(&client, &link).await.location(), "/if/user/");
    assert_eq!(client.get(ME).await.body["user"]["username"], "akadmin");
    assert_eq!(late.form(&link, &[("csrf", &seen)]).await.status, 404);
    assert_eq!(late.get(&link).await.status, 404);
    assert_eq!(late.get(ME).await.status, 403);
}

#[tokio::test]
async fn accounts_are_made_listed_and_promoted() {
    let home = Home::new();
    let served = home.serve().await;
    let created = home.run_with(&["user", "create", "ada", "--email", "ada@example.com", "--password"], "ada's password\n").await;
    assert!(created.succeeded() && created.out.contains("ada"), "{created:?}");
    assert_eq!(home.run(&["user", "create", "ada"]).await.refusal(), "there is an account ada already");
    let list = home.run(&["user", "list", "ada"]).await.out;
    assert!(list.lines().count() == 1 && list.contains("\tada\t") && list.contains("ada@example.com"), "{list}");
    assert!(home.run(&["user", "list"]).await.out.contains("akadmin"));
    let ada = signed_in(&served, "ada", "ada's password").await;
    assert_eq!(ada.get("/api/v3/flows/instances/").await.status, 403, "not an administrator yet");
    assert!(home.run(&["create_admin_group", "ada"]).await.succeeded());
    assert_eq!(ada.get("/api/v3/flows/instances/").await.status, 200, "the running server knows at once");
    assert_eq!(home.run(&["create_admin_group", "nobody"]).await.refusal(), "there is no account nobody");
}

#[tokio::test]
async fn a_new_password_ends_the_sessions_of_a_running_server() {
    let home = with_password();
    let served = home.serve().await;
    let client = signed_in(&served, "akadmin", PASSWORD).await;
    assert_eq!(client.get(ME).await.status, 200);
    let set = home.run_with(&["user", "set-password", "akadmin"], "the next password\n").await;
    assert!(set.succeeded() && set.out.contains("1 session"), "{set:?}");
    assert_eq!(client.get(ME).await.status, 403, "the old session is refused at once");
    let old = served.client().login("akadmin", PASSWORD).await;
    assert_eq!(old.body["component"], "ak-stage-password", "{}", old.text);
    signed_in(&served, "akadmin", "the next password").await;
}

#[tokio::test]
async fn keys_for_the_api_are_made_listed_and_deleted() {
    let home = Home::new();
    let served = home.serve().await;
    let created = home.run(&["token", "create", "terraform"]).await;
    let key = created.out.trim();
    assert_eq!(flows(&served, key).await.status, 200, "{created:?}");
    let list = home.run(&["token", "list"]).await.out;
    assert!(list.contains("terraform\tapi\t") && !list.contains(key), "{list}");
    assert_eq!(home.run(&["token", "create", "terraform"]).await.refusal(), "there is a key terraform already");
    assert!(home.run(&["token", "delete", "terraform"]).await.succeeded());
    assert_eq!(flows(&served, key).await.status, 403);
    assert_eq!(home.run(&["token", "delete", "terraform"]).await.refusal(), "there is no key terraform");
}

#[tokio::test]
async fn a_printed_hash_is_the_first_administrators_password() {
    let printed = Home::new().run_with(&["hash_password"], "hashed beforehand\n").await;
    let hash = printed.out.trim();
    assert!(is_hash(hash), "{printed:?}");
    let home = Home::new().with("AUTHENTIK_BOOTSTRAP_PASSWORD_HASH", hash);
    let served = home.serve().await;
    signed_in(&served, "akadmin", "hashed beforehand").await;
}

#[tokio::test]
async fn the_settings_are_printed_for_somebody_who_stops_reading() {
    let home = Home::new();
    let table = home.run(&["settings"]).await;
    assert!(table.out.starts_with("| Environment | Default | Meaning |"), "{table:?}");
    assert!(table.out.contains("`AUTHENTIK_SECRET_KEY`"));
    // As `ak settings | head -0`.
    let path = ak_tests::program::programs().join("ak");
    let mut child = std::process::Command::new(path)
        .arg("settings")
        .current_dir(home.path())
        .env_clear()
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

#[tokio::test]
async fn what_expressions_can_use_is_printed_for_people_and_for_editors() {
    let home = Home::new();
    let text = home.run(&["policy", "reference"]).await;
    assert!(text.succeeded(), "{text:?}");
    for part in ["## Variables of policies", "`ak_client_ip: IpAddress`", "`prompt_context: Map`", "`regex_match("] {
        assert!(text.out.contains(part), "{part}");
    }
    let json = home.run(&["policy", "reference", "--json"]).await;
    let read: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert!(read["functions"].as_array().is_some_and(|all| all.len() > 200));
    let of_mappings = read["variables"]["scope mappings"].as_array().expect("a list");
    assert!(of_mappings.iter().any(|variable| variable["name"] == "provider"), "{of_mappings:?}");
}

#[tokio::test]
async fn a_python_expression_is_translated_or_told_what_is_not_covered() {
    let home = Home::new();
    let file = |name: &str, text: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let good = file("good.py", "return user.groups.filter(name=\"Admins\").exists()\n");
    let translated = home.run(&["policy", "translate", &good]).await;
    assert!(translated.succeeded() && translated.out.contains("py_call"), "{translated:?}");
    let bad = file("bad.py", "import os\nreturn True\n");
    let flagged = home.run(&["policy", "translate", &bad]).await;
    assert_eq!((flagged.code, flagged.out.as_str()), (Some(2), ""), "{flagged:?}");
    assert!(flagged.err.contains("bad.py:1:8: the import of `os` is not covered"), "{flagged:?}");
    let missing = home.run(&["policy", "translate", "no-such-file.py"]).await;
    assert!(missing.refusal().starts_with("no-such-file.py: "), "{missing:?}");
    assert!(!home.database().exists(), "nothing was made");
}

#[tokio::test]
async fn an_empty_password_is_not_set() {
    let home = with_password();
    assert!(home.run(&["migrate"]).await.out.contains("up to date"));
    assert_eq!(home.run_with(&["user", "set-password", "akadmin"], "\n").await.refusal(), "an empty password is not set");
}

// --- the worker -----------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_worker_beside_a_server_removes_an_expired_session() {
    let home = with_password();
    let mut served = home.serve().await;
    served.program.line("completed").await;
    let backend = home.place().backend().await;
    let long_ago = Utc::now() - Duration::days(3);
    let session = Session {
        id: [7; 32],
        user: None,
        plan: None,
        turn: 1,
        data: json!({}),
        created: long_ago,
        last_used: long_ago,
        expires: long_ago + Duration::days(1),
        last_ip: None,
        last_user_agent: String::new(),
    };
    let mut repo = backend.begin(Durability::Relaxed).await.expect("a transaction");
    repo.sessions().add(&session).await.expect("a session");
    repo.save().await.expect("saved");
    let client = signed_in(&served, "akadmin", PASSWORD).await;
    let mut worker = home.start_program("ak-worker", &[]);
    worker.line("completed").await;
    let mut repo = backend.read().await.expect("a view");
    let left = repo.sessions().list(&SessionFilter::default(), ak_store::records::Page::first(10)).await.expect("sessions");
    assert!(left.iter().all(|s| s.id != [7; 32]), "{left:?}");
    assert_eq!(client.get(ME).await.status, 200, "what is valid stays");
    assert_eq!(worker.stop().await.code, Some(0));
    assert_eq!(served.stop().await.code, Some(0));
}
