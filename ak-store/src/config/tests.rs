use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use proptest::prelude::*;

use super::{LogFormat, LogLevel, Postgresql, Secret, Settings, SslMode, load, load_from, load_or_create_secret_key};
use crate::clock::SeededRng;

const KEY: &str = "a-secret-key-that-nobody-shall-see-0123456789-abcdefgh";

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn from_env(pairs: &[(&str, &str)]) -> Settings {
    load_from(env(pairs), None).unwrap().settings
}

fn error(pairs: &[(&str, &str)]) -> String {
    let message = load_from(env(pairs), None).unwrap_err().to_string();
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

fn from_yaml(text: &str) -> Result<super::Loaded, String> {
    load_from([], Some((Path::new("ak.yaml"), text))).map_err(|e| e.to_string())
}

#[test]
fn nothing_given_means_the_defaults() {
    let loaded = load_from([], None).unwrap();
    assert_eq!(loaded.settings, Settings::default());
    assert_eq!(loaded.warnings, [""; 0]);
    let settings = loaded.settings;
    assert_eq!(settings.listen.http.to_string(), "0.0.0.0:9000");
    assert_eq!(settings.listen.https.unwrap().to_string(), "0.0.0.0:9443");
    assert_eq!(settings.listen.metrics.unwrap().to_string(), "0.0.0.0:9300");
    assert_eq!(settings.listen.trusted_proxy_cidrs.len(), 6);
    assert_eq!(settings.data_dir(), Path::new("./data"));
}

#[test]
fn the_environment_stands_over_the_file() {
    let yaml =
        "log_level: debug\nlog_format: json\nlisten:\n  http: 8000\n  https: off\n  trusted_proxy_cidrs: [10.1.2.3/8, '::1']\n";
    let environment = env(&[("AUTHENTIK_LOG_LEVEL", "WARN"), ("AUTHENTIK_LISTEN__METRICS", "none"), ("HOME", "/root")]);
    let loaded = load_from(environment, Some((Path::new("ak.yaml"), yaml))).unwrap();
    let settings = loaded.settings;
    assert_eq!((settings.log_level, settings.log_format), (LogLevel::Warning, LogFormat::Json));
    assert_eq!(settings.listen.http.to_string(), "0.0.0.0:8000");
    assert_eq!((settings.listen.https, settings.listen.metrics), (None, None));
    let networks: Vec<String> = settings.listen.trusted_proxy_cidrs.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "::1/128"]);
    assert_eq!((loaded.warnings, loaded.file.as_deref()), (vec![], Some(Path::new("ak.yaml"))));
}

#[test]
fn addresses_come_in_several_forms() {
    for (text, address) in [
        ("127.0.0.1:80", "127.0.0.1:80"),
        (":9000", "0.0.0.0:9000"),
        ("9001", "0.0.0.0:9001"),
        (" [::]:9000 ", "[::]:9000"),
        ("localhost:0", "127.0.0.1:0"),
    ] {
        assert_eq!(from_env(&[("AUTHENTIK_LISTEN__HTTP", text)]).listen.http.to_string(), address);
    }
    for text in ["abc", "", "none", "1.2.3.4", "70000", ":", "::1:9000x", "1.2.3.4:x", "-1"] {
        let message = error(&[("AUTHENTIK_LISTEN__HTTP", text)]);
        assert!(message.starts_with(&format!("AUTHENTIK_LISTEN__HTTP: \"{text}\" is not a")), "{message}");
    }
}

#[test]
fn lists_stand_between_commas_or_are_lists() {
    let hosts = from_env(&[("AUTHENTIK_OUTBOUND__SCRIPT_HOSTS", " a.example.org,, *.b.org:8443 ,")]).outbound;
    assert_eq!((hosts.script_hosts, hosts.private_hosts), (vec!["a.example.org".to_owned(), "*.b.org:8443".into()], vec![]));
    let loaded = from_yaml("outbound:\n  private_hosts: [10.1.2.3, '[::1]:80']\n").unwrap();
    assert_eq!(loaded.settings.outbound.private_hosts, ["10.1.2.3", "[::1]:80"]);
    assert!(from_yaml("outbound:\n  private_hosts: [[a]]\n").unwrap_err().contains("must be a single value"));
}

#[test]
fn what_is_counted_is_counted_for_a_while() {
    assert_eq!(from_env(&[("AUTHENTIK_REPUTATION__EXPIRY", "3600")]).reputation.expiry, 3600);
    for wrong in ["0", "-1", "a day", "99999999999"] {
        let message = error(&[("AUTHENTIK_REPUTATION__EXPIRY", wrong)]);
        assert!(message.contains("is not a number of seconds from 1 to 315360000"), "{message}");
    }
}

#[test]
fn a_malformed_setting_is_named_as_it_was_written() {
    assert_eq!(
        error(&[("AUTHENTIK_Listen__Http", "abc")]),
        "AUTHENTIK_Listen__Http: \"abc\" is not an address such as 0.0.0.0:9000, [::]:9000 or :9000"
    );
    assert_eq!(
        from_yaml("listen:\n  http: abc\n").unwrap_err(),
        "listen.http in ak.yaml: \"abc\" is not an address such as 0.0.0.0:9000, [::]:9000 or :9000"
    );
    assert!(error(&[("AUTHENTIK_LOG_LEVEL", "lo\nud\u{1b}")]).starts_with("AUTHENTIK_LOG_LEVEL: \"lo\\nud\\u{1b}\" is not"));
    assert!(error(&[("AUTHENTIK_LOG_FORMAT", "xml")]).contains("(text, json)"));
    assert!(error(&[("AUTHENTIK_LISTEN__TRUSTED_PROXY_CIDRS", "10.0.0.0/8,nonsense")]).contains("networks"));
    assert!(error(&[("AUTHENTIK_BASE_URL", "https://id.example.org/sub")]).contains("without a path"));
    assert!(error(&[("AUTHENTIK_BASE_URL", "ftp://id.example.org")]).contains("AUTHENTIK_BASE_URL"));
    assert!(error(&[("AUTHENTIK_COOKIE_DOMAIN", "https://example.org")]).contains("is not a domain"));
    assert!(error(&[("AUTHENTIK_BOOTSTRAP_EMAIL", "nobody")]).contains("is not an e-mail address"));
    assert!(error(&[("AUTHENTIK_SQLITE__PATH", "")]).contains("is not a path"));
    assert!(error(&[("AUTHENTIK_LOG_LEVEL", "info"), ("AUTHENTIK_Log_Level", "info")]).contains("is the same setting as"));
    assert!(from_yaml("log_level: [info]").unwrap_err().starts_with("log_level in ak.yaml: the value must be"));
    assert!(from_yaml("listen__http: 1\nlisten: {http: 2}").unwrap_err().contains("is the same setting as"));
}

#[test]
fn names_that_nobody_knows_make_one_warning() {
    let pairs = [
        ("AUTHENTIK_SERVER_PORT", "tcp://10.0.0.1:80"),
        ("AUTHENTIK_LISTEN", "x"),
        ("AUTHENTIK_ODD\nNAME", "x"),
        ("AUTHENTIK_EMAIL__PASSWORD", "hidden"),
        ("AUTHENTIK_DISABLE_UPDATE_CHECK", "true"),
        ("AUTHENTIK_REDIS__HOST", "redis"),
        ("AUTHENTIK_POSTGRESQL__CONN_MAX_AGE", "60"),
    ];
    let loaded = load_from(env(&pairs), Some((Path::new("ak.yaml"), "lisen: {http: 1}\n"))).unwrap();
    assert_eq!(
        loaded.warnings,
        ["unknown settings: lisen.http in ak.yaml, AUTHENTIK_LISTEN (a group of settings, not a value), AUTHENTIK_ODD\\nNAME, \
          AUTHENTIK_SERVER_PORT; settings known but not used by this version yet: AUTHENTIK_DISABLE_UPDATE_CHECK, \
          AUTHENTIK_EMAIL__PASSWORD, AUTHENTIK_POSTGRESQL__CONN_MAX_AGE, AUTHENTIK_REDIS__HOST"]
    );
    let many: Vec<_> = (0..1000).map(|i| (format!("AUTHENTIK_UNKNOWN_{i}"), String::new())).collect();
    let warnings = load_from(many, None).unwrap().warnings;
    assert!(warnings.len() == 1 && warnings[0].ends_with(" and 950 more"));
}

#[test]
fn a_postgresql_server_is_taken_from_the_environment_and_from_a_file() {
    let given = from_env(&[
        ("AUTHENTIK_POSTGRESQL__HOST", "db.example.org"),
        ("AUTHENTIK_POSTGRESQL__PORT", "6432"),
        ("AUTHENTIK_POSTGRESQL__NAME", "identity"),
        ("AUTHENTIK_POSTGRESQL__USER", "keeper"),
        ("AUTHENTIK_POSTGRESQL__PASSWORD", "p w"),
        ("AUTHENTIK_POSTGRESQL__SSLMODE", "Verify-Full"),
        ("AUTHENTIK_POSTGRESQL__SSLROOTCERT", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"),
        ("AUTHENTIK_POSTGRESQL__DISABLE_SERVER_SIDE_CURSORS", "true"),
        ("AUTHENTIK_POSTGRESQL__CONNECTIONS", "4"),
        ("AUTHENTIK_POSTGRESQL__WAIT", "0"),
    ])
    .postgresql;
    assert_eq!((given.host.as_deref(), given.port, given.sslmode), (Some("db.example.org"), 6432, SslMode::VerifyFull));
    assert_eq!((given.name.as_str(), given.user.as_str(), given.password), ("identity", "keeper", Some(Secret::new("p w"))));
    assert_eq!((given.disable_server_side_cursors, given.connections, given.wait), (true, 4, 0));
    assert_eq!(given.sslrootcert.unwrap().lines().count(), 3);

    let given = from_yaml("postgresql:\n  host: /run/postgresql\n").unwrap().settings.postgresql;
    let expected = Postgresql { host: Some("/run/postgresql".into()), ..Postgresql::default() };
    assert_eq!((&given, given.port, given.name.as_str()), (&expected, 5432, "authentik"));

    for (name, value, part) in [
        ("PORT", "0", "\"0\" is not a port"),
        ("SSLMODE", "yes", "\"yes\" is not a mode of TLS"),
        ("CONNECTIONS", "1", "\"1\" is not a number from 2"),
        ("WAIT", "soon", "\"soon\" is not a number of seconds"),
        ("NAME", "", "must not be empty"),
        ("HOST", "d\nb", "holds control characters"),
        ("DISABLE_SERVER_SIDE_CURSORS", "maybe", "\"maybe\" is neither true nor false"),
    ] {
        let name = format!("AUTHENTIK_POSTGRESQL__{name}");
        let message = error(&[(&name, value)]);
        assert!(message.starts_with(&format!("{name}: ")) && message.contains(part), "{message}");
    }
}

#[test]
fn a_postgresql_server_without_a_host_is_not_passed_over_in_silence() {
    let loaded =
        load_from(env(&[("AUTHENTIK_POSTGRESQL__HOST", ""), ("AUTHENTIK_POSTGRESQL__PASSWORD", "hidden")]), None).unwrap();
    assert_eq!(loaded.settings.postgresql.host, None);
    let [warning] = loaded.warnings.as_slice() else { panic!("{:?}", loaded.warnings) };
    assert!(warning.starts_with("SQLite is used: ") && warning.contains("AUTHENTIK_POSTGRESQL__PASSWORD"), "{warning}");
    assert!(!warning.contains("hidden"));
    let there = [("AUTHENTIK_POSTGRESQL__HOST", "db"), ("AUTHENTIK_POSTGRESQL__PASSWORD", "hidden")];
    assert_eq!(load_from(env(&there), None).unwrap().warnings, [""; 0]);
}

#[test]
fn secrets_are_taken_and_never_shown() {
    let pairs = [
        ("AUTHENTIK_SECRET_KEY", KEY),
        ("AUTHENTIK_BOOTSTRAP_PASSWORD", " pass word "),
        ("AUTHENTIK_BOOTSTRAP_TOKEN", "tooooken"),
        ("AUTHENTIK_BOOTSTRAP_EMAIL", "admin@example.org"),
    ];
    let settings = from_env(&pairs);
    assert_eq!(settings.secret_key.as_ref().unwrap().expose(), KEY);
    assert_eq!(settings.bootstrap.password, Some(Secret::new(" pass word ")));
    assert_eq!(settings.bootstrap.email.as_deref(), Some("admin@example.org"));
    let shown = format!("{settings:?}");
    assert!(!shown.contains(KEY) && !shown.contains("pass word") && !shown.contains("tooooken"), "{shown}");

    for short in ["", "2short"] {
        let message = error(&[("AUTHENTIK_SECRET_KEY", short)]);
        assert_eq!(message, "AUTHENTIK_SECRET_KEY: the value must have at least 50 characters");
    }
    let message = error(&[("AUTHENTIK_BOOTSTRAP_PASSWORD_HASH", "pbkdf2_sha256$hidden")]);
    assert_eq!(message, "AUTHENTIK_BOOTSTRAP_PASSWORD_HASH: the value is not a password hash of a known form");
    assert!(from_yaml("bootstrap_password: 123456").unwrap_err().ends_with("must be text; put it in quotation marks"));
}

#[test]
fn bootstrap_takes_a_password_or_its_hash() {
    let hash = "pbkdf2_sha256$1200$3ov4fwciWvVJTR1tPb4Y4O$LF0ap6r85kOFrf++/RH3Z+5gGL+xQ2DQC/1Di3ZoLSk=";
    let both = [("AUTHENTIK_BOOTSTRAP_PASSWORD", "x"), ("AUTHENTIK_BOOTSTRAP_PASSWORD_HASH", hash)];
    assert_eq!(error(&both), "AUTHENTIK_BOOTSTRAP_PASSWORD_HASH: cannot be given together with AUTHENTIK_BOOTSTRAP_PASSWORD");
    let one_empty = [("AUTHENTIK_BOOTSTRAP_PASSWORD", ""), ("AUTHENTIK_BOOTSTRAP_PASSWORD_HASH", hash)];
    assert_eq!(from_env(&one_empty).bootstrap.password_hash, Some(Secret::new(hash)));
    let message = error(&[("AUTHENTIK_BOOTSTRAP_PASSWORD", "file:///run/secrets/password")]);
    assert!(message.starts_with("AUTHENTIK_BOOTSTRAP_PASSWORD: cannot be read from a file"), "{message}");
}

#[test]
fn a_value_may_say_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    #[expect(clippy::disallowed_methods, reason = "a test's own file")]
    std::fs::write(&file, format!("\n{KEY}\n")).unwrap();
    let (there, missing) = (format!("file://{}", file.display()), format!("file://{}/none", dir.path().display()));

    let settings = from_env(&[
        ("AUTHENTIK_SECRET_KEY", &there),
        ("AUTHENTIK_LISTEN__HTTP", "env://PORT?1"),
        ("AUTHENTIK_LISTEN__HTTPS", "env://NO_PORT?9444"),
        ("AUTHENTIK_LISTEN__METRICS", &format!("{missing}?")),
        ("AUTHENTIK_BOOTSTRAP_PASSWORD", "env://ADMIN"),
        ("PORT", "8000"),
        ("ADMIN", "admin password"),
    ]);
    assert_eq!(settings.secret_key.unwrap().expose(), KEY);
    assert_eq!((settings.listen.http.port(), settings.listen.https.unwrap().port()), (8000, 9444));
    assert_eq!(settings.listen.metrics, None);
    assert_eq!(settings.bootstrap.password.unwrap().expose(), "admin password");

    assert_eq!(error(&[("AUTHENTIK_SECRET_KEY", &missing)]), "AUTHENTIK_SECRET_KEY: the file that it names does not exist");
    assert!(error(&[("AUTHENTIK_LOG_LEVEL", "env://NOTHING")]).contains("AUTHENTIK_LOG_LEVEL: the environment variable"));
    assert!(error(&[("AUTHENTIK_SECRET_KEY", "file:///")]).contains("cannot be read"));
    // What a file holds may be secret, whatever the setting is.
    let message = error(&[("AUTHENTIK_LOG_LEVEL", &there)]);
    assert!(message.starts_with("AUTHENTIK_LOG_LEVEL: the value is not a log level"), "{message}");
}

#[test]
fn the_file_that_is_named_must_exist() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("settings.yml");
    let asked = |path: &Path| load(env(&[("AUTHENTIK_CONFIG", &path.display().to_string())]));
    assert!(asked(&file).unwrap_err().to_string().starts_with("AUTHENTIK_CONFIG: "));
    #[expect(clippy::disallowed_methods, reason = "a test's own file")]
    std::fs::write(&file, "# only a remark\nlog_level: trace\n").unwrap();
    let loaded = asked(&file).unwrap();
    assert_eq!((loaded.settings.log_level, loaded.warnings), (LogLevel::Trace, vec![]));
}

#[test]
fn a_file_that_is_no_yaml_is_refused_without_showing_it() {
    for text in [
        "secret_key: 'hidden-value",
        "secret_key: hidden-value: x: {",
        "- hidden-value",
        "hidden-value",
        "a: &a [hidden-value]\na: 2",
        "\tsecret_key: hidden-value",
        "secret_key: !!binary hidden-value",
    ] {
        let message = from_yaml(text).map(|loaded| format!("{:?}", loaded.settings)).unwrap_err();
        assert!(message.contains("ak.yaml") && !message.contains("hidden"), "{message}");
    }
    for empty in ["", "\n# remark\n", "---\n", "listen:\n", "~"] {
        assert_eq!(from_yaml(empty).unwrap().settings, Settings::default(), "{empty:?}");
    }
}

#[test]
fn aliases_do_not_explode() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..12 {
        let alias = format!("*a{},", i - 1).repeat(9);
        text.push_str(&format!("a{i}: &a{i} [{alias}]\n"));
    }
    assert!(from_yaml(&text).unwrap_err().starts_with("ak.yaml: "));
    assert!(from_yaml(&"[".repeat(100_000)).is_err());
}

#[test]
fn the_reference_names_every_setting() {
    let reference = Settings::reference();
    for line in [
        "| `AUTHENTIK_LISTEN__HTTP` | `0.0.0.0:9000` | Address for HTTP:",
        "| `AUTHENTIK_LISTEN__HTTPS` | `0.0.0.0:9443` |",
        "| `AUTHENTIK_LISTEN__METRICS` | `0.0.0.0:9300` |",
        "| `AUTHENTIK_LISTEN__TRUSTED_PROXY_CIDRS` | `127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fe80::/10,::1/128` |",
        "| `AUTHENTIK_SECRET_KEY` |  | The key that protects",
        "| `AUTHENTIK_LOG_LEVEL` | `info` |",
        "| `AUTHENTIK_LOG_FORMAT` | `text` |",
        "| `AUTHENTIK_SQLITE__PATH` | `./data/ak.sqlite` |",
        "| `AUTHENTIK_POSTGRESQL__HOST` |  | The PostgreSQL server",
        "| `AUTHENTIK_POSTGRESQL__PORT` | `5432` |",
        "| `AUTHENTIK_POSTGRESQL__NAME` | `authentik` |",
        "| `AUTHENTIK_POSTGRESQL__USER` | `authentik` |",
        "| `AUTHENTIK_POSTGRESQL__PASSWORD` |  |",
        "| `AUTHENTIK_POSTGRESQL__SSLMODE` | `prefer` |",
        "| `AUTHENTIK_POSTGRESQL__SSLROOTCERT` |  |",
        "| `AUTHENTIK_POSTGRESQL__SSLCERT` |  |",
        "| `AUTHENTIK_POSTGRESQL__SSLKEY` |  |",
        "| `AUTHENTIK_POSTGRESQL__DISABLE_SERVER_SIDE_CURSORS` | `false` |",
        "| `AUTHENTIK_POSTGRESQL__CONNECTIONS` | `10` |",
        "| `AUTHENTIK_POSTGRESQL__WAIT` | `60` |",
        "| `AUTHENTIK_BOOTSTRAP_PASSWORD` |  | Password of",
        "| `AUTHENTIK_BOOTSTRAP_PASSWORD_HASH` |  |",
        "| `AUTHENTIK_BOOTSTRAP_TOKEN` |  |",
        "| `AUTHENTIK_BOOTSTRAP_EMAIL` |  |",
        "| `AUTHENTIK_BASE_URL` |  |",
        "| `AUTHENTIK_BLUEPRINTS_DIR` | `/blueprints` |",
        "| `AUTHENTIK_COOKIE_DOMAIN` |  |",
    ] {
        assert!(reference.contains(line), "{line}\n{reference}");
    }
    assert_eq!(reference.lines().count(), 2 + 33, "{reference}");
    assert!(reference.lines().skip(2).all(|line| line.trim_end_matches(" |").ends_with('.')), "a meaning for each: {reference}");
}

#[test]
fn the_secret_key_is_made_once_and_for_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("deep/data");
    let first = load_or_create_secret_key(&data, &SeededRng::new(1)).unwrap();
    assert_eq!(first.expose().len(), 64);
    assert_eq!(load_or_create_secret_key(&data, &SeededRng::new(2)).unwrap(), first);
    let mode = std::fs::metadata(data.join("secret_key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 1, "nothing else is left behind");

    #[expect(clippy::disallowed_methods, reason = "a test's own file")]
    std::fs::write(data.join("secret_key"), "damaged").unwrap();
    let message = load_or_create_secret_key(&data, &SeededRng::new(3)).unwrap_err().to_string();
    assert!(message.ends_with("a secret key has at least 50 characters") && !message.contains("damaged"), "{message}");
}

#[test]
fn many_processes_that_start_at_once_share_one_secret_key() {
    let dir = tempfile::tempdir().unwrap();
    let keys: Vec<Secret> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..16)
            .map(|i| (i, dir.path()))
            .map(|(i, dir)| scope.spawn(move || load_or_create_secret_key(dir, &SeededRng::new(i))))
            .collect();
        starts.into_iter().map(|start| start.join().unwrap().unwrap()).collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]));
}

/// Names near the known ones, and anything else.
fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        "AUTHENTIK_(LISTEN|SQLITE|BOOTSTRAP|SECRET|LOG|BASE|COOKIE|POSTGRESQL)_{1,3}(HTTP|PATH|KEY|LEVEL|URL|DOMAIN|HOST|PASSWORD)?",
        "AUTHENTIK_LISTEN__(HTTP|HTTPS|METRICS|TRUSTED_PROXY_CIDRS)",
        "AUTHENTIK_.*",
        ".*",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn no_environment_and_no_file_panics(
        pairs in proptest::collection::vec((names(), prop_oneof![".*", "(env://)?[a-z0-9.:/?,\\[\\]]{0,40}"]), 0..6),
        text in prop_oneof![".*", "([a-z_]{0,12}: ?[\\[\\]{}&*!|>'\"a-z0-9,:~-]{0,12}\n? {0,3}){0,6}"],
    ) {
        if let Err(e) = load_from(pairs, Some((Path::new("ak.yaml"), &text))) {
            prop_assert_eq!(e.to_string().lines().count(), 1);
        }
    }
}
