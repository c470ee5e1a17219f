//! The initial set-up: while nobody can administer an installation, whoever is at the machine or reads its log sets the administrator's
//! password in the flow `initial-setup`.
//!
//! The flow is open until an administrator has a password for the first time, and never again: a mark in the settings says so, and the turn
//! that writes the password sets it in the same transaction. From elsewhere than the machine itself, the flow asks for a code
//! that stands in the log; only its hash is kept.

use std::collections::BTreeSet;

use ak_policy::Context;
use ak_store::directory::password::is_hash;
use ak_store::model::Store;
use ak_store::records::{Durability, GroupFilter, Page, Repository};
use ak_store::{Result, Rng};
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::challenge::{Challenge, ResponseErrors};
use crate::plan::Plan;
use crate::stage::{Answer, World};
use crate::stages::{FieldType, StagePrompt};

/// The slug of the flow.
pub const INITIAL_SETUP: &str = "initial-setup";

/// The name of the account whose password is set.
pub(crate) const ADMINISTRATOR: &str = "akadmin";

/// The setting that says that the set-up is over.
const DONE: &str = "initial_setup_done";
/// The setting with the hashes of the codes.
const CODES: &str = "initial_setup_codes";
/// In a plan's context: the person has given the code.
const CODE_GIVEN: &str = "goauthentik.io/initial-setup/code-given";
/// How many starts' codes are good: several servers on one database each print one.
const KEPT_CODES: usize = 8;
/// How long a code is good for: a restart gives a new one.
const GOOD_FOR: Duration = Duration::hours(24);
/// How many wrong codes make everybody wait.
const TRIES: u32 = 10;
/// For how long.
const WAIT: Duration = Duration::minutes(10);

/// Whether the set-up is still to be done. Once an administrator has had a password it is not, for ever.
pub async fn is_open(store: &Store) -> Result<bool> {
    let mut repo = store.read().await?;
    if repo.settings().lookup(DONE).await?.is_some() {
        return Ok(false);
    }
    if !has_administrator(&mut *repo).await? {
        return Ok(true);
    }
    drop(repo);
    let mut repo = store.backend().begin(Durability::Full).await?;
    close(&mut *repo, &**store.rng()).await?;
    repo.save().await?;
    Ok(false)
}

/// Says that the set-up is over; whether it was this call that ended it.
pub(crate) async fn close(repo: &mut dyn Repository, rng: &dyn Rng) -> Result<bool> {
    let own = Value::from(rng.uuid().to_string());
    Ok(repo.settings().add_if_absent(DONE, &own).await? == own)
}

/// Ends the set-up in the transaction in which the administrator gets a password; false if it was over before.
pub(crate) async fn finish(repo: &mut dyn Repository, rng: &dyn Rng) -> Result<bool> {
    Ok(!has_administrator(repo).await? && close(repo, rng).await?)
}

/// Whether an active member of a group of superusers has a password.
async fn has_administrator(repo: &mut dyn Repository) -> Result<bool> {
    const SOME: u64 = 500;
    let all = repo.groups().list(&GroupFilter::default(), Page::ALL).await?;
    let mut superusers: BTreeSet<Uuid> = all.iter().filter(|group| group.is_superuser).map(|group| group.pk).collect();
    loop {
        // Who is in a group is in its parents too.
        let below = all.iter().filter(|group| group.parents.iter().any(|parent| superusers.contains(parent)));
        let below: Vec<Uuid> = below.map(|group| group.pk).filter(|pk| !superusers.contains(pk)).collect();
        if below.is_empty() {
            break;
        }
        superusers.extend(below);
    }
    for group in superusers {
        let mut page = Page::first(SOME);
        loop {
            let members = repo.groups().members(group, page).await?;
            if members.iter().any(|user| user.is_active && user.password.as_deref().is_some_and(is_hash)) {
                return Ok(true);
            }
            if members.is_empty() {
                break;
            }
            page.offset += SOME;
        }
    }
    Ok(false)
}

/// The account whose password is set, if it is there.
pub(crate) async fn administrator(store: &Store) -> Result<Option<i64>> {
    let user = store.read().await?.users().find_by_username(ADMINISTRATOR).await?;
    Ok(user.filter(|user| user.is_active).map(|user| user.pk))
}

#[derive(Default, Serialize, Deserialize)]
struct Codes {
    codes: Vec<Code>,
    wrong: u32,
    wait_until: Option<DateTime<Utc>>,
}

/// A code that stands in a log.
#[derive(Serialize, Deserialize)]
struct Code {
    hash: String,
    made: DateTime<Utc>,
}

impl Codes {
    async fn read(repo: &mut dyn Repository) -> Result<Self> {
        let kept = repo.settings().lookup(CODES).await?;
        Ok(kept.and_then(|kept| serde_json::from_value(kept).ok()).unwrap_or_default())
    }

    async fn keep(&self, repo: &mut dyn Repository) -> Result<()> {
        repo.settings().put(CODES, &json!(self)).await
    }

    /// Whether it is one of these, and not too old: logs are kept, and read by others, for long.
    fn knows(&self, hash: &str, now: DateTime<Utc>) -> bool {
        let is_it = |code: &Code| bool::from(code.hash.as_bytes().ct_eq(hash.as_bytes())) & (code.made + GOOD_FOR > now);
        // Every one is compared, so that the time tells nothing.
        self.codes.iter().fold(false, |known, code| known | is_it(code))
    }
}

fn hash(store: &Store, code: &str) -> String {
    store.keyring().lookup_hash(&format!("initial-setup:{code}")).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A new code for the log of a start, if the set-up is still to be done. A fresh start also ends a wait.
pub async fn offer(store: &Store) -> Result<Option<String>> {
    if !is_open(store).await? {
        return Ok(None);
    }
    let code = store.rng().token(16);
    let mut repo = store.backend().begin(Durability::Full).await?;
    let mut codes = Codes::read(&mut *repo).await?;
    codes.codes.push(Code { hash: hash(store, &code), made: store.clock().now() });
    let old = codes.codes.len().saturating_sub(KEPT_CODES);
    codes.codes.drain(..old);
    (codes.wrong, codes.wait_until) = (0, None);
    codes.keep(&mut *repo).await?;
    repo.save().await?;
    Ok(Some(code))
}

/// What is wrong with a code; nothing, if it is one of the log's.
async fn check(store: &Store, code: &str) -> Result<Option<&'static str>> {
    const WAITING: &str = "There were too many wrong codes. Wait ten minutes, or restart the server for a new code.";
    let now = store.clock().now();
    let codes = Codes::read(&mut *store.read().await?).await?;
    // The right code first: a stranger who guesses must not keep others out.
    if codes.knows(&hash(store, code), now) {
        return Ok(None);
    }
    if codes.wait_until.is_some_and(|until| until > now) {
        return Ok(Some(WAITING));
    }
    let mut repo = store.backend().begin(Durability::Relaxed).await?;
    let mut codes = Codes::read(&mut *repo).await?;
    codes.wrong += 1;
    if codes.wrong >= TRIES {
        (codes.wrong, codes.wait_until) = (0, Some(now + WAIT));
    }
    codes.keep(&mut *repo).await?;
    repo.save().await?;
    Ok(Some("This is not the code from the log of the server."))
}

/// Whether a person may go on with the set-up.
pub(crate) enum Gate {
    /// She may; `given` says that it was this turn's answer or address that had the code.
    Open {
        /// Whether the plan has changed by it.
        given: bool,
    },
    /// She has to give the code.
    Asks(Challenge),
}

/// Lets through who is at the machine itself, and who gives the code: in her answer, or with the address.
pub(crate) async fn gate(
    store: &Store,
    world: &World<'_>,
    context: &mut Context,
    answer: Option<&Answer>,
    code: Option<&str>,
) -> Result<Gate> {
    if world.client.at_machine || context.get(CODE_GIVEN).is_some() {
        return Ok(Gate::Open { given: false });
    }
    let typed = match answer.map(|answer| answer.text(CODE)).transpose() {
        Ok(typed) => typed.map(str::trim).filter(|typed| !typed.is_empty()),
        Err(errors) => return Ok(Gate::Asks(question(errors))),
    };
    let errors = match typed.or(code) {
        None if answer.is_some() => ResponseErrors::field(CODE, "This field may not be blank.", "blank"),
        None => ResponseErrors::default(),
        Some(code) => match check(store, code).await? {
            None => {
                context.set(CODE_GIVEN, true);
                return Ok(Gate::Open { given: true });
            }
            Some(problem) => {
                tracing::warn!(client_ip = ?world.client.ip, request_id = world.request_id, "a wrong code for the initial set-up");
                ResponseErrors::field(CODE, problem, "invalid")
            }
        },
    };
    Ok(Gate::Asks(question(errors)))
}

/// The name of the field for the code.
const CODE: &str = "code";

/// The question for the code: a prompt like any other, so that every client can show it.
fn question(errors: ResponseErrors) -> Challenge {
    let text = "You open this page from another machine than the server itself. The server has written an address with a code into its \
                log when it started: open that address, or type the code in here.";
    let text = StagePrompt { initial_value: text.into(), ..StagePrompt::new("setup-code-text", FieldType::Static, "") };
    let code = StagePrompt {
        required: true,
        sub_text: "Look for the line “initial setup”.".into(),
        ..StagePrompt::new(CODE, FieldType::Text, "Code from the log")
    };
    let challenge = Challenge::new("ak-stage-prompt").with("fields", json!([text, code]));
    Challenge { errors, ..challenge }
}

/// Whether a plan is one of the set-up.
pub(crate) fn is_setup(plan: &Plan) -> bool {
    plan.slug == INITIAL_SETUP
}
