//! What the fuzz targets do with their input: one function each, that panics when something is wrong.
//!
//! `tests/fuzz` runs them under cargo-fuzz, `tests/tests/fuzz.rs` with a corpus of its own in every test run.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ak_flows::blueprint::Engine;
use ak_flows::{CookieChange, Input, Page, Runner, RunnerOptions, StoreDirectory, Visit, session_id, set_up};
use ak_store::config::load_from;
use ak_store::directory::password::{Cost, PasswordHasher};
use ak_store::memory::MemoryBackend;
use ak_store::model::{Registry, Store, StoreOptions};
use ak_store::records::Durability;
use ak_store::{ManualClock, SystemRng};
use tokio::runtime::Runtime;

use crate::server::{PASSWORD, SECRET_KEY, Server};

/// How many answers of one input are taken.
const ANSWERS: usize = 8;

/// Bodies of the JSON executor against a real flow: the default one for signing in, in memory.
pub struct Executor {
    runtime: Runtime,
    store: Arc<Store>,
    runner: Runner,
}

impl Default for Executor {
    fn default() -> Self {
        Self::new()
    }
}

impl Executor {
    /// A new installation with an administrator `akadmin` with [`PASSWORD`].
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let clock = Arc::new(ManualClock::new("2026-11-01T12:00:00Z".parse().expect("a date")));
        let store = runtime.block_on(async {
            let options = StoreOptions {
                backend: Arc::new(MemoryBackend::new()),
                registry: ak_http::kinds(Registry::new()).build().expect("the kinds fit together"),
                secret_key: SECRET_KEY.to_owned(),
                clock,
                rng: Arc::new(SystemRng),
            };
            Store::open(options).await.expect("a store in memory")
        });
        let hasher = PasswordHasher::new(Cost::cheap_for_tests());
        runtime
            .block_on(set_up(&Engine::standard(store.clone(), hasher.clone()), &hasher, &Server::bootstrap()))
            .expect("the first start");
        let directory = Arc::new(StoreDirectory::new(store.clone(), hasher, Duration::ZERO));
        let runner = Runner::new(store.clone(), directory, RunnerOptions::default());
        Self { runtime, store, runner }
    }

    /// Takes every line of `data` as the body of an answer, one after another in one session.
    ///
    /// # Panics
    /// When the flow fails, or somebody is signed in who did not say the password.
    pub fn run(&self, data: &[u8]) {
        self.runtime.block_on(async {
            let mut visit = Visit { request_id: "fuzz".to_owned(), ..Visit::default() };
            let mut knows_password = false;
            for body in data.split(|byte| *byte == b'\n').take(ANSWERS) {
                let Ok(answer) = ak_http::parse_answer(body) else { continue };
                knows_password |= answer.fields.values().any(|value| value == PASSWORD);
                let input = Input { answer: Some(answer), ..Input::default() };
                let run = self.runner.run(&visit, "default-authentication-flow", input).await;
                let outcome = run.unwrap_or_else(|error| panic!("the flow fails: {error}"));
                let signed_in = matches!(outcome.cookie, CookieChange::Set { user: Some(_), .. });
                assert!(!signed_in || knows_password, "somebody is signed in who did not say the password");
                assert_eq!(signed_in, matches!(outcome.page, Page::Redirect(_)), "{outcome:?}");
                self.keep_session(&mut visit, &outcome.cookie).await;
                if signed_in {
                    break;
                }
            }
            self.forget(&visit).await;
        });
    }

    /// What a browser does with its cookie.
    async fn keep_session(&self, visit: &mut Visit, change: &CookieChange) {
        let id = match change {
            CookieChange::Set { key, .. } => Some(session_id(key)),
            CookieChange::Keep => visit.session.as_ref().map(|session| session.id),
            CookieChange::Clear => None,
        };
        visit.session = match id {
            Some(id) => {
                let mut repo = self.store.read().await.expect("a view");
                repo.sessions().lookup(&id, self.store.clock().now()).await.expect("an answer")
            }
            None => None,
        };
    }

    /// A fuzzer comes by millions of times: nothing stays.
    async fn forget(&self, visit: &Visit) {
        let mut repo = self.store.backend().begin(Durability::Relaxed).await.expect("a transaction");
        if let Some(session) = &visit.session {
            repo.sessions().delete(&session.id).await.expect("an answer");
        }
        let later = self.store.clock().now() + chrono::Duration::days(10_000);
        repo.events().delete_expired(later).await.expect("an answer");
        repo.save().await.expect("saved");
    }
}

/// The text of a settings file: settings, or an error in one line.
///
/// # Panics
/// When an error has several lines or repeats a secret.
pub fn config_yaml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match load_from([], Some((Path::new("ak.yaml"), text))) {
        Ok(loaded) => {
            let shown = format!("{:?}", loaded.settings);
            let key = loaded.settings.secret_key.as_ref().map(|key| key.expose().to_owned());
            assert!(key.is_none_or(|key| !shown.contains(&key)), "the settings show the secret key");
            loaded.warnings.iter().for_each(|warning| assert!(!warning.contains('\n'), "{warning:?}"));
        }
        Err(error) => {
            let line = error.to_string();
            assert!(!line.contains('\n') && line.len() < 4096, "{line:?}");
        }
    }
}

/// Inputs to begin with, for [`Executor::run`].
pub const EXECUTOR_CORPUS: &[&str] = &[
    "{}",
    "[]",
    "{\"component\":\"ak-stage-identification\",\"uid_field\":\"akadmin\"}",
    "{\"component\":\"ak-stage-identification\",\"uid_field\":\"nobody\"}\n{\"component\":\"ak-stage-password\",\"password\":\"wrong\"}",
    "{\"component\":\"ak-stage-identification\",\"uid_field\":\"akadmin\"}\n{\"component\":\"ak-stage-password\",\"password\":\"wrong\"}",
    "{\"uid_field\":\"akadmin\"}\n{\"password\":\"correct horse battery staple\"}",
    "{\"component\":null,\"uid_field\":null}\n{\"component\":1}",
    "{\"uid_field\":\"\\u0000\"}\n{\"uid_field\":[{}]}\n{\"uid_field\":\"root@example.com\"}\n{\"password\":{}}",
    "{\"component\":\"ak-stage-user-login\",\"remember_me\":true}\n{\"component\":\"ak-stage-password\",\"password\":\"x\"}",
];

/// Inputs to begin with, for [`config_yaml`].
pub const CONFIG_CORPUS: &[&str] = &[
    "",
    "secret_key: 0123456789012345678901234567890123456789012345678901234567890123\nlog_level: debug\n",
    "listen:\n  http: 127.0.0.1:9000\n  https: none\n  trusted_proxy_cidrs: [10.0.0.0/8, \"::1/128\"]\n",
    "bootstrap: {}\nbootstrap_password: one\nbootstrap_password_hash: two\n",
    "postgresql: {host: db}\n",
    "sqlite: {path: 1}\nunknown: {deeper: {still: [1, 2, {}]}}\n",
    "a: &a [*a]\n",
    "base_url: https://id.example.org\ncookie_domain: .example.org\nlog_format: json\nsecret_key: env://NAME?default\n",
];
