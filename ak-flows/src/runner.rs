//! Runs flows for a browser or a client with a session: finds the plan, advances it, and keeps what came of it, all or nothing.

use std::sync::Arc;

use ak_policy::{Context, Decision, Request, Services};
use ak_store::directory::Person;
use ak_store::model::{Ref, Snapshot, Store};
use ak_store::records::{Durability, Event, Repository, Session};
use ak_store::{Result as StoreResult, StoreError};
use chrono::Duration;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::brand::Brand;
use crate::challenge::{ACCESS_DENIED, Challenge};
use crate::directory::Directory;
use crate::effect::{Effect, Login};
use crate::finale::{Finales, Seed};
use crate::flow::Flow;
use crate::history::Passed;
use crate::initial_setup::{self, Gate, INITIAL_SETUP};
use crate::keeping::{Keeping, LOGIN_FAILED, Unkept, durability, object};
use crate::machine::{Reply, Turn, advance};
use crate::next;
use crate::plan::Plan;
use crate::planner::{self, Refusal};
use crate::stage::{Answer, Client, StageError, World};

/// The longest address that is kept to go to when a flow is done, in bytes.
const MAX_NEXT: usize = 8192;

/// The longest name that is suggested, in characters.
const MAX_HINT: usize = 254;

/// No answer is given sooner: longer than looking an account up takes, and too short to be noticed.
const LOOK_UP: std::time::Duration = std::time::Duration::from_millis(25);

/// What can be set about running flows.
#[derive(Debug, Clone)]
pub struct RunnerOptions {
    /// How long a session lasts in which nobody has signed in.
    pub anonymous_age: Duration,
    /// How long a session that ends with the browser lasts on the server, should the browser never end.
    pub browser_age: Duration,
    /// How long events are kept.
    pub event_age: Duration,
    /// How sign-ins are counted.
    pub reputation: ReputationOptions,
}

/// How sign-ins are counted for and against names and addresses.
#[derive(Debug, Clone)]
pub struct ReputationOptions {
    /// No score is lower: zero or negative.
    pub lower: i64,
    /// No score is higher: zero or positive.
    pub upper: i64,
    /// How long a score counts after it last changed.
    pub age: Duration,
}

impl Default for ReputationOptions {
    fn default() -> Self {
        Self { lower: -5, upper: 5, age: Duration::days(1) }
    }
}

impl Default for RunnerOptions {
    fn default() -> Self {
        Self {
            anonymous_age: Duration::hours(4),
            browser_age: Duration::days(14),
            event_age: Event::AGE,
            reputation: ReputationOptions::default(),
        }
    }
}

/// Runs flows.
#[derive(Clone)]
pub struct Runner {
    store: Arc<Store>,
    directory: Arc<dyn Directory>,
    options: RunnerOptions,
    services: Arc<Services>,
    finales: Finales,
}

/// Who comes, and with what.
#[derive(Debug, Clone, Default)]
pub struct Visit {
    /// The session that came with the request, if it is valid.
    pub session: Option<Session>,
    /// Who has signed in in it.
    pub person: Option<Person>,
    /// Where the request comes from.
    pub client: Client,
    /// Id of the request.
    pub request_id: String,
}

/// What a person does.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// Her answer; `None` to see where she stands.
    pub answer: Option<Answer>,
    /// The turn that her page was made for, if it says so: an answer to another turn changes nothing.
    pub turn: Option<i64>,
    /// Where she wants to go when the flow is done.
    pub next: Option<String>,
    /// The code that came with the address: the initial set-up may ask for it.
    pub code: Option<String>,
    /// The name by which she may sign in, for a flow that has just begun.
    pub login_hint: Option<String>,
}

/// What comes of it.
#[derive(Debug)]
pub struct Outcome {
    /// What she gets to see.
    pub page: Page,
    /// What the browser's cookie becomes.
    pub cookie: CookieChange,
    /// The turn that an answer to it belongs to.
    pub turn: i64,
    /// The key of the session that it belongs to, for tying forms to it; `None` without a session.
    pub session: Option<[u8; 32]>,
    /// Whether an answer was taken.
    pub taken: bool,
    /// Why she was refused, if she was.
    pub refusal: Option<Refusal>,
    /// Whether what she answered was wrong in a way that is noted (a wrong password, say).
    pub failed: bool,
}

/// What a person gets to see.
#[derive(Debug, Clone, PartialEq)]
pub enum Page {
    /// A challenge, and whether the flow has ended with it.
    Challenge(Challenge, bool),
    /// On to this address.
    Redirect(String),
}

/// What a browser's cookie becomes.
#[derive(Clone, PartialEq, Eq)]
pub enum CookieChange {
    /// What it was.
    Keep,
    /// A new session.
    Set {
        /// The session's key: only the browser gets it.
        key: String,
        /// The account, once somebody has signed in.
        user: Option<i64>,
        /// How long it is kept; `None`: until the browser is closed.
        max_age: Option<Duration>,
    },
    /// Nothing: the session has ended.
    Clear,
}

impl Page {
    fn of(reply: Reply, ended: bool) -> Self {
        match reply {
            Reply::Challenge(challenge) => Self::Challenge(challenge, ended),
            Reply::Done(to) => Self::Redirect(to),
        }
    }
}

impl Outcome {
    /// A turn that is shown, and forgotten.
    fn shown(turn: Turn) -> Self {
        let page = Page::of(turn.reply, turn.plan.is_none());
        Self { page, cookie: CookieChange::Keep, turn: 0, session: None, taken: false, refusal: turn.refusal, failed: false }
    }
}

impl std::fmt::Debug for CookieChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Keep => f.write_str("Keep"),
            Self::Set { user, max_age, .. } => write!(f, "Set(user {user:?}, {max_age:?})"),
            Self::Clear => f.write_str("Clear"),
        }
    }
}

/// Why a flow cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no such flow.
    #[error("there is no such flow")]
    NoFlow,
    /// A stage failed.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whether an effect may end sessions, for whose end somebody may be waiting.
fn ends_sessions(effect: &Effect) -> bool {
    matches!(effect, Effect::Login(_) | Effect::Logout | Effect::UpdateUser { .. })
}

/// What a flow begins with, the name included by which the person may sign in.
fn hinted(mut seed: Seed, input: &Input) -> Seed {
    let hint = input.login_hint.as_ref().filter(|hint| hint.chars().count() <= MAX_HINT);
    if let (Some(hint), None) = (hint, seed.context.get(Context::PENDING_USER_IDENTIFIER)) {
        seed.context.set(Context::PENDING_USER_IDENTIFIER, hint.as_str());
    }
    seed
}

/// The id under which the session with this key is stored.
pub fn session_id(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

impl Runner {
    /// Runs the flows of `store` for the people of `directory`.
    pub fn new(store: Arc<Store>, directory: Arc<dyn Directory>, options: RunnerOptions) -> Self {
        let services = Arc::new(Services::of(&store));
        Self { store, directory, options, services, finales: Finales::default() }
    }

    /// The same with these services for policies.
    #[must_use]
    pub fn with_services(self, services: Arc<Services>) -> Self {
        Self { services, ..self }
    }

    /// The same with these stages for what flows are run for.
    #[must_use]
    pub fn with_finales(self, finales: Finales) -> Self {
        Self { finales, ..self }
    }

    /// The stages that stand in no flow.
    pub fn finales(&self) -> &Finales {
        &self.finales
    }

    /// What policies look things up with.
    pub fn services(&self) -> &Arc<Services> {
        &self.services
    }

    /// The people.
    pub fn directory(&self) -> &Arc<dyn Directory> {
        &self.directory
    }

    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    pub(crate) fn options(&self) -> &RunnerOptions {
        &self.options
    }

    /// Shows where the person stands in the flow `slug`, or takes her answer.
    ///
    /// Without a session and without an answer nothing is stored: the first challenge is shown from a plan that is forgotten (unless the flow
    /// led on into another, or something is to happen). Of two answers
    /// to the same turn one is taken; the other gets to see where that led.
    pub async fn run(&self, visit: &Visit, slug: &str, input: Input) -> Result<Outcome, RunError> {
        self.run_with(visit, slug, input, Seed::default()).await
    }

    /// The same, beginning the flow with what another room has gathered, and for what that wants.
    pub async fn run_with(
        &self,
        visit: &Visit,
        slug: &str,
        mut input: Input,
        seed: impl Into<Seed>,
    ) -> Result<Outcome, RunError> {
        let seed = seed.into();
        let begun = self.store.clock().monotonic_micros();
        // What is kept for a stranger is small, and leads nowhere else.
        input.next = input.next.filter(|next| next.len() <= MAX_NEXT).and_then(|next| next::relative(&next));
        let answered = input.answer.is_some();
        let outcome = self.run_to_end(visit, slug, input, seed).await;
        if answered {
            let failed = outcome.as_ref().is_ok_and(|outcome| outcome.failed);
            self.wait(begun, failed).await;
        }
        let mut outcome = outcome?;
        if let Page::Challenge(challenge, true) = &mut outcome.page
            && challenge.component == ACCESS_DENIED
        {
            // What is kept of the denial is found by it.
            challenge.fields.insert("request_id".into(), visit.request_id.as_str().into());
        }
        Ok(outcome)
    }

    /// Waits until as much time has passed since `begun` as an answer takes at least: an answer that tells of a wrong password long
    /// enough for the slowest check, any other long enough for looking an account up. Then the time tells nothing.
    async fn wait(&self, begun: u64, failed: bool) {
        let floor = self.directory.floor();
        if floor.is_zero() {
            return;
        }
        let least = if failed { floor + floor / 10 } else { LOOK_UP };
        let taken = std::time::Duration::from_micros(self.store.clock().monotonic_micros().saturating_sub(begun));
        tokio::time::sleep(least.saturating_sub(taken)).await;
    }

    async fn run_to_end(&self, visit: &Visit, slug: &str, input: Input, seed: Seed) -> Result<Outcome, RunError> {
        let snapshot = self.store.snapshot();
        let (at, flow) = snapshot.by::<Flow>("slug", slug).ok_or(RunError::NoFlow)?;
        if slug == INITIAL_SETUP && !initial_setup::is_open(&self.store).await? {
            return Err(RunError::NoFlow);
        }
        if let Some(outcome) = self.attempt(&snapshot, visit, at, flow, &input, seed.clone()).await? {
            return Ok(outcome);
        }
        // Somebody was faster with the same session: show where that led.
        let mut visit = visit.clone();
        self.reload(&mut visit).await?;
        let look = Input { answer: None, ..input };
        let outcome = self.attempt(&snapshot, &visit, at, flow, &look, seed).await?;
        outcome.ok_or_else(|| StageError::Busy("the session is in use elsewhere".into()).into())
    }

    async fn reload(&self, visit: &mut Visit) -> StoreResult<()> {
        if let Some(session) = visit.session.take() {
            let mut repo = self.store.look().await?;
            visit.session = repo.sessions().lookup(&session.id, self.store.clock().now()).await?;
        }
        visit.person = match visit.session.as_ref().and_then(|s| s.user) {
            Some(pk) => self.directory.person(pk).await?.filter(|p| p.user.is_active),
            None => None,
        };
        // As everywhere: the session of an account that is not active any more is none.
        if visit.person.is_none() && visit.session.as_ref().is_some_and(|s| s.user.is_some()) {
            visit.session = None;
        }
        Ok(())
    }

    fn world<'a>(&'a self, snapshot: &'a Snapshot, visit: &'a Visit) -> World<'a> {
        World {
            snapshot,
            directory: &*self.directory,
            now: self.store.clock().now(),
            rng: &**self.store.rng(),
            client: &visit.client,
            person: visit.person.as_ref(),
            request_id: &visit.request_id,
            services: &self.services,
            finales: &self.finales,
        }
    }

    /// Puts a plan of the flow `slug` with this context into the session of a visit, without taking a step of it. Without a session
    /// it only tells whether that could be done.
    pub async fn seed(&self, visit: &Visit, slug: &str, context: Context) -> Result<Result<(), Refusal>, RunError> {
        let snapshot = self.store.snapshot();
        let (at, flow) = snapshot.by::<Flow>("slug", slug).ok_or(RunError::NoFlow)?;
        let mut begun = Vec::new();
        let plan = self.begin(&self.world(&snapshot, visit), at, flow, context.into(), None, &mut begun).await?;
        let refusal = plan.as_ref().err().and_then(|refusal| refusal.denial(&flow.slug, &visit.client));
        begun.extend(refusal.map(|denial| Effect::Denied(Box::new(denial))));
        self.note(visit, begun).await?;
        let plan = match plan {
            Ok(plan) => plan,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some(session) = &visit.session else { return Ok(Ok(())) };
        let mut data = session.data.clone();
        Passed::note(&mut data, &[], true);
        let mut repo = self.store.backend().begin(Durability::Relaxed).await?;
        if !repo.sessions().swap_plan(&session.id, session.turn, Some(&plan.value()), &data).await? {
            return Err(StageError::Busy("the session is in use elsewhere".into()).into());
        }
        repo.save().await?;
        Ok(Ok(()))
    }

    /// `None`: the session was changed meanwhile, and nothing was kept.
    async fn attempt(
        &self,
        snapshot: &Snapshot,
        visit: &Visit,
        at: Ref<Flow>,
        flow: &Flow,
        input: &Input,
        seed: Seed,
    ) -> Result<Option<Outcome>, RunError> {
        let world = self.world(snapshot, visit);
        let mut begun = Vec::new();
        let session = visit.session.as_ref();
        let mut given = seed != Seed::default();
        let is_aside = seed.finale.is_some();
        let kept = session.and_then(|s| s.plan.as_ref()).and_then(Plan::read);
        let current = kept.as_ref().filter(|plan| plan.flow_pk() == at.pk() && plan.slug == flow.slug && !given).cloned();
        let stale = input.turn.is_some_and(|turn| turn != session.map_or(0, |s| s.turn));
        let answer = input.answer.as_ref().filter(|_| !stale);
        let fresh = current.is_none();
        let plan = match current {
            Some(mut plan) => {
                if let Some(next) = &input.next {
                    plan.next = Some(next.clone());
                }
                Ok(plan)
            }
            None => self.begin(&world, at, flow, hinted(seed, input), input.next.clone(), &mut begun).await?,
        };
        let mut turn = match plan {
            Ok(mut plan) if initial_setup::is_setup(&plan) => {
                let code = input.code.as_deref();
                match initial_setup::gate(&self.store, &world, &mut plan.context, answer, code).await? {
                    Gate::Open { given: false } => advance(&world, flow, plan, answer).await?,
                    // The answer was the code.
                    Gate::Open { given: true } => {
                        given = true;
                        advance(&world, flow, plan, None).await?
                    }
                    Gate::Asks(challenge) => Turn::asking(plan, challenge),
                }
            }
            Ok(plan) => advance(&world, flow, plan, answer).await?,
            Err(refusal) => Turn::refused(flow, refusal, input.next.as_deref(), visit.person.as_ref(), None),
        };
        turn.effects.splice(..0, begun);
        Effect::drop_repeats(&mut turn.effects);
        if let Some(refusal) = &turn.refusal {
            let decision = refusal.decision.as_ref().and_then(|d| serde_json::to_string(d).ok()).unwrap_or_default();
            tracing::info!(flow = flow.slug, request_id = visit.request_id, reason = refusal.reason, decision, "flow refused");
            // A stage that knows more has said so itself.
            let is_told = turn.effects.iter().any(|effect| matches!(effect, Effect::Denied(_)));
            let denial = refusal.denial(&flow.slug, &visit.client).filter(|_| !is_told);
            turn.effects.extend(denial.map(|denial| Effect::Denied(Box::new(denial))));
        }
        // The first page can be shown again from nothing. What another room or another flow has gathered cannot be gathered again, and
        // what a turn makes happen has to happen.
        let led_on = turn.plan.is_some() && matches!(turn.reply, Reply::Done(_));
        // An answer to something else (to a page of a session that has just become another one, say) is no reason to keep anything:
        // a new session would take the place of the good one in the browser.
        if session.is_none() && !turn.heard && turn.effects.iter().all(Effect::is_note) && !given && !led_on {
            self.note(visit, std::mem::take(&mut turn.effects)).await?;
            return Ok(Some(Outcome::shown(turn)));
        }
        // Where nobody was asked anything, what she was about before goes on: she may have several pages open.
        let ended = turn.plan.is_none() && turn.refusal.is_none() && !turn.effects.iter().any(ends_sessions);
        if let Some(session) = session.filter(|_| is_aside && ended) {
            return self.keep_aside(visit, session, turn).await;
        }
        self.keep(visit, kept.as_ref(), turn, answer.is_some(), fresh).await
    }

    /// Keeps what a flow has made happen that ended where it began, beside the plan of the session. `None`: the session has ended.
    async fn keep_aside(&self, visit: &Visit, session: &Session, turn: Turn) -> Result<Option<Outcome>, RunError> {
        let mut repo = self.store.backend().begin(durability(&turn.effects)).await?;
        if repo.sessions().lookup(&session.id, self.store.clock().now()).await?.is_none() {
            return Ok(None);
        }
        let mut keep = Keeping::new(self, &mut *repo, visit);
        match keep.effects(&turn.effects, None).await {
            Ok(()) => {}
            Err(Unkept::Lost) => return Ok(None),
            Err(Unkept::Refused(why)) => return Err(StageError::Failed(why.to_owned()).into()),
            Err(Unkept::Store(error)) => return Err(error.into()),
        }
        repo.save().await?;
        Ok(Some(Outcome { turn: session.turn, session: Some(session.id), ..Outcome::shown(turn) }))
    }

    async fn begin(
        &self,
        world: &World<'_>,
        at: Ref<Flow>,
        flow: &Flow,
        seed: Seed,
        next: Option<String>,
        effects: &mut Vec<Effect>,
    ) -> StoreResult<Result<Plan, Refusal>> {
        let Seed { mut context, finale } = seed;
        if flow.slug == INITIAL_SETUP {
            context.pending_user = initial_setup::administrator(&self.store).await?;
        }
        let pending = match context.pending_user {
            Some(pk) => self.directory.person(pk).await?,
            None => None,
        };
        let subject = pending.as_ref().or(world.person);
        let plan = planner::plan(world, at, flow, context, subject, next, effects).await;
        Ok(plan.map(|plan| Plan { finale, ..plan }))
    }

    /// Keeps what a turn has changed: the plan if it still is the one that was read, and the effects with it. `None`: it is not.
    async fn keep(
        &self,
        visit: &Visit,
        before: Option<&Plan>,
        turn: Turn,
        answered: bool,
        fresh: bool,
    ) -> Result<Option<Outcome>, RunError> {
        let Turn { plan, reply, mut effects, refusal, passed, heard: _ } = turn;
        let failed = effects.iter().any(|e| matches!(e, Effect::Event { action: LOGIN_FAILED, .. }));
        let mut page = Page::of(reply, plan.is_none());
        if let Some(session) = visit.session.as_ref().filter(|_| effects.is_empty() && plan.as_ref() == before) {
            let (turn, session) = (session.turn, Some(session.id));
            return Ok(Some(Outcome { page, cookie: CookieChange::Keep, turn, session, taken: answered, refusal, failed }));
        }
        let mut kept = self.transact(visit, plan.as_ref(), &effects, passed, fresh).await;
        if let Err(Unkept::Refused(message)) = kept {
            // Nothing of the turn happens, and the flow is over.
            tracing::info!(request_id = visit.request_id, message, "what a flow relied on does not hold any more");
            let slug = plan.as_ref().or(before).map_or("that has ended", |plan| &plan.slug);
            let refusal = Refusal::new(message).about(visit.person.as_ref());
            let denied = refusal.denial(slug, &visit.client).map(|denial| Effect::Denied(Box::new(denial)));
            kept = self.transact(visit, None, denied.as_slice(), Vec::new(), fresh).await;
            let denied = Challenge::new(ACCESS_DENIED).about(None, None).with("error_message", message);
            page = Page::Challenge(denied, true);
        }
        match kept {
            Ok((session, cookie)) => {
                let (turn, session) = session.map_or((0, None), |s| (s.turn, Some(s.id)));
                Ok(Some(Outcome { page, cookie, turn, session, taken: answered, refusal, failed }))
            }
            Err(Unkept::Lost) => {
                // Of several answers to one turn one is kept, but what the others tried is noted all the same: otherwise guesses
                // made at once would leave no trace.
                effects.retain(|e| e.is_note() || matches!(e, Effect::Event { action: LOGIN_FAILED, .. }));
                self.note(visit, effects).await?;
                Ok(None)
            }
            Err(Unkept::Refused(why)) => Err(StageError::Failed(why.to_owned()).into()),
            Err(Unkept::Store(error)) => Err(error.into()),
        }
    }

    async fn transact(
        &self,
        visit: &Visit,
        plan: Option<&Plan>,
        effects: &[Effect],
        passed: Vec<Passed>,
        fresh: bool,
    ) -> Result<(Option<Session>, CookieChange), Unkept> {
        let mut repo = self.store.backend().begin(durability(effects)).await?;
        let mut keep = Keeping::new(self, &mut *repo, visit).having_passed(passed, fresh);
        keep.turn(plan, effects).await?;
        let kept = keep.into_session();
        repo.save().await?;
        if effects.iter().any(ends_sessions) {
            self.store.waker().wake();
        }
        Ok(kept)
    }

    /// Keeps the events of decisions that were made outside flows: what could not decide, what is to be noted of every decision, and what
    /// scripts note. Anything else that policies would change does not happen there, and a trial leaves nothing behind.
    pub async fn note_decisions<'a>(
        &self,
        request: &Request,
        decisions: impl IntoIterator<Item = &'a Decision>,
    ) -> StoreResult<()> {
        if request.trial {
            return Ok(());
        }
        let visit = Visit { client: Client { ip: request.client_ip, ..Client::default() }, ..Visit::default() };
        let user = request.person.as_ref().map(|person| person.user.pk);
        let effects = decisions.into_iter().flat_map(|decision| decision.changes.effects.iter().cloned());
        let effects = effects.map(|effect| Effect::Policy { user, effect }).filter(Effect::is_note);
        self.note(&visit, effects.collect()).await
    }

    /// Keeps notes that belong to no turn.
    async fn note(&self, visit: &Visit, notes: Vec<Effect>) -> StoreResult<()> {
        if notes.is_empty() {
            return Ok(());
        }
        let mut repo = self.store.backend().begin(Durability::Relaxed).await?;
        let mut keep = Keeping::new(self, &mut *repo, visit);
        for note in notes {
            match note {
                Effect::Event { action, user, context } => keep.note(action, user, &context).await?,
                Effect::Policy { user, effect } => keep.policy(user, &effect).await?,
                Effect::Denied(denial) => keep.denied(&denial).await?,
                _ => {}
            }
        }
        repo.save().await
    }

    /// What an executor says about the flow beside every challenge.
    pub fn flow_info(&self, snapshot: &Snapshot, flow: &Flow, host: &str) -> Value {
        let brand = Brand::of_host(snapshot, host).map_or("", |(_, b)| &b.branding_default_flow_background);
        let background = if flow.background.is_empty() { brand } else { &flow.background };
        json!({
            "title": flow.title, "background": background, "background_themed_urls": null,
            "cancel_url": "/flows/-/cancel/", "layout": flow.layout,
        })
    }

    /// Puts the plan that a session had before into the place of the one that it has at `turn`: the flow that was begun since is given up.
    pub async fn give_back(&self, before: &Session, turn: i64) -> StoreResult<()> {
        let mut repo = self.store.backend().begin(Durability::Relaxed).await?;
        // Lost to another request, there is nothing left to give up.
        repo.sessions().swap_plan(&before.id, turn, before.plan.as_ref(), &before.data).await?;
        repo.save().await
    }

    /// Takes the plan out of a session: the flow is given up.
    pub async fn cancel(&self, session: &Session) -> StoreResult<()> {
        let mut repo = self.store.backend().begin(Durability::Relaxed).await?;
        // Lost to another request, there is nothing left to give up.
        repo.sessions().swap_plan(&session.id, session.turn, None, &session.data).await?;
        repo.save().await
    }

    /// Signs an account in without a flow (a recovery key, say): a new session in place of the browser's.
    pub async fn sign_in(&self, repo: &mut dyn Repository, visit: &Visit, login: &Login) -> StoreResult<CookieChange> {
        let mut keep = Keeping::new(self, repo, visit);
        keep.event("login", Some(login.user), object(json!({ "auth_method": login.method }))).await?;
        match keep.login(login, None).await {
            Ok(()) => Ok(keep.into_session().1),
            Err(Unkept::Store(error)) => Err(error),
            Err(Unkept::Lost | Unkept::Refused(_)) => Err(StoreError::Missing("active account")),
        }
    }
}
