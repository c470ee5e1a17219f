//! What the fuzz targets do with their input: one function each, that panics when something is wrong.
//!
//! `tests/fuzz` runs them under cargo-fuzz, `tests/tests/fuzz.rs` with a corpus of its own in every test run.

pub mod forward_auth;
pub mod oauth2;
pub mod scripts;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ak_flows::blueprint::{Blueprint, BlueprintError, Engine, Options};
use ak_flows::{CookieChange, Input, Page, Runner, RunnerOptions, StoreDirectory, Visit, session_id, set_up};
use ak_store::config::load_from;
use ak_store::directory::password::{Cost, PasswordHasher};
use ak_store::memory::MemoryBackend;
use ak_store::model::{Registry, Store, StoreOptions};
use ak_store::records::{Durability, EventFilter, GroupFilter, TokenFilter, UserFilter};
use ak_store::{ManualClock, SystemRng};
use tokio::runtime::Runtime;

use crate::server::{PASSWORD, SECRET_KEY, Server};

/// How many answers of one input are taken.
const ANSWERS: usize = 8;

/// A new installation in memory with an administrator `akadmin` with [`PASSWORD`], and what applies blueprints to it.
async fn installation(hasher: &PasswordHasher) -> (Arc<Store>, Engine) {
    let options = StoreOptions {
        backend: Arc::new(MemoryBackend::new()),
        registry: ak_http::kinds(Registry::new()).build().expect("the kinds fit together"),
        secret_key: SECRET_KEY.to_owned(),
        clock: Arc::new(ManualClock::new("2026-11-01T12:00:00Z".parse().expect("a date"))),
        rng: Arc::new(SystemRng),
    };
    let store = Store::open(options).await.expect("a store in memory");
    let engine = ak_http::blueprints(store.clone(), hasher.clone());
    set_up(&engine, hasher, &Server::bootstrap()).await.expect("the first start");
    (store, engine)
}

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
        let hasher = PasswordHasher::new(Cost::cheap_for_tests());
        let (store, _) = runtime.block_on(installation(&hasher));
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

/// Texts of blueprints, planned against a new installation in memory.
pub struct Blueprints {
    runtime: Runtime,
    store: Arc<Store>,
    engine: Engine,
}

impl Default for Blueprints {
    fn default() -> Self {
        Self::new()
    }
}

impl Blueprints {
    /// A new installation with the default objects.
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let (store, engine) = runtime.block_on(installation(&PasswordHasher::new(Cost::cheap_for_tests())));
        Self { runtime, store, engine }
    }

    /// Reads the blueprint and plans it, as one that came by the API and as one that keeps what was changed here; gives what is wrong
    /// with it, if anything is.
    ///
    /// # Panics
    /// When the plan changes something, the storage fails, or a problem has no place in the text.
    pub fn run(&self, data: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(data).ok()?;
        let blueprint = match Blueprint::parse("fuzz.yaml", text) {
            Ok(blueprint) => blueprint,
            Err(error) => return Some(told(&error, text)),
        };
        self.runtime.block_on(async {
            let before = self.everything().await;
            let mut wrong = None;
            for keep_under in [None, Some("fuzz.yaml".to_owned())] {
                match self.engine.plan(&blueprint, &Options { keep_under, ..Options::default() }).await {
                    Ok(_) => {}
                    Err(error) => wrong = Some(told(&error, text)),
                }
            }
            assert_eq!(self.everything().await, before, "a plan changes something");
            wrong
        })
    }

    /// The revision of the objects, and how many records there are.
    async fn everything(&self) -> [u64; 7] {
        let mut repo = self.store.read().await.expect("a view");
        [
            repo.objects().revision().await.expect("a revision"),
            self.store.snapshot().revision(),
            self.store.snapshot().len() as u64,
            repo.users().count(&UserFilter::default()).await.expect("a number"),
            repo.groups().count(&GroupFilter::default()).await.expect("a number"),
            repo.tokens().count(&TokenFilter::default()).await.expect("a number"),
            repo.events().count(&EventFilter::default()).await.expect("a number"),
        ]
    }
}

/// What is wrong with a blueprint, if that is how it should be told.
fn told(error: &BlueprintError, text: &str) -> String {
    assert!(!error.problems().is_empty(), "the storage fails: {error}");
    let lines = 1 + text.bytes().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
    for problem in error.problems() {
        let place = problem.place;
        assert!((1..=lines + 1).contains(&place.line) && place.column >= 1, "{problem} in {lines} lines");
        assert!(!problem.message.is_empty(), "{problem:?}");
    }
    error.to_string()
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

/// Inputs to begin with, for [`Blueprints::run`].
pub const BLUEPRINT_CORPUS: &[&str] = &[
    "version: 1\nmetadata:\n  name: a flow\n  labels: {blueprints.goauthentik.io/instantiate: \"false\"}\nentries:\n\
     - model: authentik_flows.flow\n  id: flow\n  identifiers: {slug: fuzz}\n\
     \x20 attrs: {name: Fuzz, title: Fuzz, designation: authentication}\n\
     - model: authentik_stages_dummy.dummystage\n  id: stage\n  identifiers: {name: fuzz}\n\
     - model: authentik_flows.flowstagebinding\n  identifiers: {target: !KeyOf flow, stage: !KeyOf stage, order: 10}\n",
    "version: 1\nentries:\n- model: authentik_stages_dummy.dummystage\n  state: absent\n  identifiers: {name: nobody}\n\
     - model: authentik_flows.flow\n  state: absent\n  identifiers: {slug: default-authentication-flow}\n",
    "context: {names: [a, b, c], deep: {er: [1, {x: y}]}}\nentries:\n- model: authentik_stages_dummy.dummystage\n\
     \x20 conditions: [!Condition [AND, true, !Context deep.er.0]]\n\
     \x20 identifiers:\n    name: !Format [\"%s-%03d\", !Context [other, !AtIndex [!Context names, -1]], 7]\n\
     \x20 attrs: {throw_error: !If [!Context missing, yes, no]}\n",
    "entries:\n- model: authentik_stages_dummy.dummystage\n  identifiers:\n    name: !Format\n    - \"%s\"\n\
     \x20   - !Enumerate [[1, 2], SEQ, !Enumerate [{a: b}, MAP, [!Index 1, !Value 0]]]\n",
    "entries:\n- model: authentik_policies.policybinding\n  identifiers:\n\
     \x20   target: !Find [authentik_flows.flow, [slug, default-authentication-flow]]\n    order: 0\n\
     \x20   user: !Find [authentik_core.user, [username, akadmin]]\n",
    "entries:\n- model: authentik_core.user\n  state: created\n  identifiers: {username: fuzz}\n\
     \x20 attrs: {name: Fuzz, groups: [!Find [authentik_core.group, [name, authentik Admins]]], password: secret}\n\
     - model: authentik_core.group\n  identifiers: {name: fuzz}\n  attrs: {attributes: !ParseJSON '{\"a\": [1e3]}'}\n\
     - model: authentik_core.token\n  identifiers: {identifier: fuzz}\n  attrs: {intent: api, user: 1}\n",
    "entries:\n- model: authentik_blueprints.metaapplyblueprint\n  attrs:\n    identifiers: {name: Default - Authentication flow}\n\
     \x20   required: false\n",
    "a: &a [&b {c: &d 010}, *b]\nentries: []\n<<: {version: 1, <<: {metadata: {name: 0x1F}}}\n",
    "- !Env [HOME, x]\n- !File /etc/hostname\n- ! 5\n- !!int 0b11\n- !!float 1.5e+3\n",
    "context:\n  a: !Context b\n  b: !Context a\nentries:\n- {model: !Context a, state: !FindObject [authentik_core.group, [name, x]]}\n",
];
