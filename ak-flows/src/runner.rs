//! Runs flows for a browser or a client with a session: finds the plan, advances it, and keeps what came of it, all or nothing.

use std::sync::Arc;

use ak_policy::Context;
use ak_store::directory::Person;
use ak_store::model::{Ref, Snapshot, Store};
use ak_store::records::{Durability, Event, Repository, Session};
use ak_store::{Result as StoreResult, StoreError};
use chrono::Duration;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::brand::Brand;
use crate::challenge::Challenge;
use crate::directory::Directory;
use crate::effect::{Effect, Login};
use crate::flow::Flow;
use crate::machine::{Reply, Turn, advance};
use crate::plan::Plan;
use crate::planner::{self, Refusal};
use crate::stage::{Answer, Client, StageError, World};

/// What can be set about running flows.
#[derive(Debug, Clone)]
pub struct RunnerOptions {
    /// How long a session lasts in which nobody has signed in.
    pub anonymous_age: Duration,
    /// How long a session that ends with the browser lasts on the server, should the browser never end.
    pub browser_age: Duration,
    /// How long events are kept.
    pub event_age: Duration,
}

impl Default for RunnerOptions {
    fn default() -> Self {
        Self { anonymous_age: Duration::days(1), browser_age: Duration::days(14), event_age: Duration::days(365) }
    }
}

/// Runs flows.
#[derive(Clone)]
pub struct Runner {
    store: Arc<Store>,
    directory: Arc<dyn Directory>,
    options: RunnerOptions,
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
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// The id under which the session with this key is stored.
pub fn session_id(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

impl Runner {
    /// Runs the flows of `store` for the people of `directory`.
    pub fn new(store: Arc<Store>, directory: Arc<dyn Directory>, options: RunnerOptions) -> Self {
        Self { store, directory, options }
    }

    /// The people.
    pub fn directory(&self) -> &Arc<dyn Directory> {
        &self.directory
    }

    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Shows where the person stands in the flow `slug`, or takes her answer.
    ///
    /// Without a session and without an answer nothing is stored: the first challenge is shown from a plan that is forgotten. Of two answers
    /// to the same turn one is taken; the other gets to see where that led.
    pub async fn run(&self, visit: &Visit, slug: &str, input: Input) -> Result<Outcome, RunError> {
        self.run_with(visit, slug, input, Context::default()).await
    }

    /// The same, beginning the flow with a context that another room has gathered.
    pub async fn run_with(&self, visit: &Visit, slug: &str, input: Input, context: Context) -> Result<Outcome, RunError> {
        let snapshot = self.store.snapshot();
        let (at, flow) = snapshot.by::<Flow>("slug", slug).ok_or(RunError::NoFlow)?;
        if let Some(outcome) = self.attempt(&snapshot, visit, at, flow, &input, context.clone()).await? {
            return Ok(outcome);
        }
        // Somebody was faster with the same session: show where that led.
        let mut visit = visit.clone();
        self.reload(&mut visit).await?;
        let look = Input { answer: None, ..input };
        let outcome = self.attempt(&snapshot, &visit, at, flow, &look, context).await?;
        outcome.ok_or_else(|| StageError::Busy("the session is in use elsewhere".into()).into())
    }

    async fn reload(&self, visit: &mut Visit) -> StoreResult<()> {
        if let Some(session) = visit.session.take() {
            let mut repo = self.store.read().await?;
            visit.session = repo.sessions().lookup(&session.id, self.store.clock().now()).await?;
        }
        visit.person = match visit.session.as_ref().and_then(|s| s.user) {
            Some(pk) => self.directory.person(pk).await?,
            None => None,
        };
        Ok(())
    }

    /// `None`: the session was changed meanwhile, and nothing was kept.
    async fn attempt(
        &self,
        snapshot: &Snapshot,
        visit: &Visit,
        at: Ref<Flow>,
        flow: &Flow,
        input: &Input,
        context: Context,
    ) -> Result<Option<Outcome>, RunError> {
        let world = World {
            snapshot,
            directory: &*self.directory,
            now: self.store.clock().now(),
            rng: &**self.store.rng(),
            client: &visit.client,
            person: visit.person.as_ref(),
            request_id: &visit.request_id,
        };
        let session = visit.session.as_ref();
        let kept = session.and_then(|s| s.plan.as_ref()).and_then(Plan::read);
        let current = kept.as_ref().filter(|plan| plan.flow_pk() == at.pk() && context == Context::default()).cloned();
        let stale = input.turn.is_some_and(|turn| turn != session.map_or(0, |s| s.turn));
        let answer = input.answer.as_ref().filter(|_| !stale);
        let plan = match current {
            Some(mut plan) => {
                if let Some(next) = &input.next {
                    plan.next = Some(next.clone());
                }
                Ok(plan)
            }
            None => self.begin(&world, at, flow, context, input.next.clone()).await?,
        };
        let turn = match plan {
            Ok(plan) => advance(&world, flow, plan, answer).await?,
            Err(refusal) => Turn::refused(flow, refusal, input.next.as_deref(), visit.person.as_ref()),
        };
        if let Some(refusal) = &turn.refusal {
            let decision = refusal.decision.as_ref().and_then(|d| serde_json::to_string(d).ok()).unwrap_or_default();
            tracing::info!(flow = flow.slug, request_id = visit.request_id, reason = refusal.reason, decision, "flow refused");
        }
        self.keep(visit, kept.as_ref(), turn, answer.is_some()).await
    }

    async fn begin(
        &self,
        world: &World<'_>,
        at: Ref<Flow>,
        flow: &Flow,
        context: Context,
        next: Option<String>,
    ) -> StoreResult<Result<Plan, Refusal>> {
        let pending = match context.pending_user {
            Some(pk) => self.directory.person(pk).await?,
            None => None,
        };
        let subject = pending.as_ref().or(world.person);
        Ok(planner::plan(world, at, flow, context, subject, next))
    }

    /// Keeps what a turn has changed: the plan if it still is the one that was read, and the effects with it.
    async fn keep(&self, visit: &Visit, before: Option<&Plan>, turn: Turn, answered: bool) -> Result<Option<Outcome>, RunError> {
        let Turn { plan, reply, effects, refusal } = turn;
        let ended = plan.is_none();
        let page = match reply {
            Reply::Challenge(challenge) => Page::Challenge(challenge, ended),
            Reply::Done(to) => Page::Redirect(to),
        };
        let id = visit.session.as_ref().map(|s| s.id);
        let outcome = |cookie, turn, session| Outcome { page, cookie, turn, session, taken: answered, refusal };
        if visit.session.is_none() && !answered {
            return Ok(Some(outcome(CookieChange::Keep, 0, None)));
        }
        if effects.is_empty() && plan.as_ref() == before && visit.session.is_some() {
            return Ok(Some(outcome(CookieChange::Keep, visit.session.as_ref().map_or(0, |s| s.turn), id)));
        }
        let durability = if effects.iter().any(|e| matches!(e, Effect::UpgradePassword { .. })) {
            Durability::Full
        } else {
            Durability::Relaxed
        };
        let mut repo = self.store.backend().begin(durability).await?;
        let mut keep =
            Keeping { runner: self, repo: &mut *repo, visit, session: visit.session.clone(), cookie: CookieChange::Keep };
        let value = plan.as_ref().map(Plan::value);
        if !keep.plan(value.as_ref()).await? {
            return Ok(None);
        }
        keep.effects(effects, value.as_ref()).await?;
        let Keeping { session, cookie, .. } = keep;
        repo.save().await?;
        Ok(Some(outcome(cookie, session.as_ref().map_or(0, |s| s.turn), session.map(|s| s.id))))
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

    /// Takes the plan out of a session: the flow is given up.
    pub async fn cancel(&self, session: &Session) -> StoreResult<()> {
        let mut repo = self.store.backend().begin(Durability::Relaxed).await?;
        // Lost to another request, there is nothing left to give up.
        repo.sessions().swap_plan(&session.id, session.turn, None, &session.data).await?;
        repo.save().await
    }

    /// Signs an account in without a flow (a recovery key, say): a new session in place of the browser's.
    pub async fn sign_in(&self, repo: &mut dyn Repository, visit: &Visit, login: &Login) -> StoreResult<CookieChange> {
        let mut keep = Keeping { runner: self, repo, visit, session: visit.session.clone(), cookie: CookieChange::Keep };
        keep.event("login", Some(login.user), object(json!({ "auth_method": login.method }))).await?;
        keep.login(login, None).await?;
        Ok(keep.cookie)
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The keeping of one turn, in one transaction.
struct Keeping<'a> {
    runner: &'a Runner,
    repo: &'a mut dyn Repository,
    visit: &'a Visit,
    session: Option<Session>,
    cookie: CookieChange,
}

impl Keeping<'_> {
    /// Keeps the plan; false if the session was changed meanwhile. A session is begun only for a plan.
    async fn plan(&mut self, plan: Option<&Value>) -> StoreResult<bool> {
        match &mut self.session {
            Some(session) => {
                let kept = self.repo.sessions().swap_plan(&session.id, session.turn, plan, &session.data).await?;
                session.turn += 1;
                session.plan = plan.cloned();
                Ok(kept)
            }
            None if plan.is_none() => Ok(true),
            None => {
                let age = self.runner.options.anonymous_age;
                self.open(None, plan, json!({}), age, None).await?;
                Ok(true)
            }
        }
    }

    /// Begins a new session. Its first turn is 1: 0 stands for a page that was shown without a session.
    async fn open(
        &mut self,
        user: Option<i64>,
        plan: Option<&Value>,
        data: Value,
        age: Duration,
        max_age: Option<Duration>,
    ) -> StoreResult<()> {
        let now = self.runner.store.clock().now();
        let key = self.runner.store.rng().token(32);
        let session = Session {
            id: session_id(&key),
            user,
            plan: plan.cloned(),
            turn: 1,
            data,
            created: now,
            last_used: now,
            expires: now + age,
            last_ip: self.visit.client.ip,
            last_user_agent: self.visit.client.user_agent.clone(),
        };
        self.repo.sessions().add(&session).await?;
        self.session = Some(session);
        self.cookie = CookieChange::Set { key, user, max_age };
        Ok(())
    }

    async fn effects(&mut self, effects: Vec<Effect>, plan: Option<&Value>) -> StoreResult<()> {
        for effect in effects {
            match effect {
                Effect::Login(login) => self.login(&login, plan).await?,
                Effect::Logout => {
                    if let Some(session) = self.session.take() {
                        self.repo.sessions().delete(&session.id).await?;
                    }
                    self.cookie = CookieChange::Clear;
                }
                Effect::UpgradePassword { user, old, new } => {
                    // Changed meanwhile, the newer password stands.
                    self.repo.users().upgrade_password(user, &old, &new).await?;
                }
                Effect::Event { action, user, context } => self.event(action, user, context).await?,
            }
        }
        Ok(())
    }

    /// A new session under a new key takes the place of the old one, so that a key known from before is worth nothing.
    async fn login(&mut self, login: &Login, plan: Option<&Value>) -> StoreResult<()> {
        let now = self.runner.store.clock().now();
        // The account may have been deactivated or deleted since the stage looked.
        let user =
            self.repo.users().lookup(login.user).await?.filter(|u| u.is_active).ok_or(StoreError::Missing("active account"))?;
        if let Some(old) = self.session.take() {
            self.repo.sessions().delete(&old.id).await?;
        }
        if login.terminate_others {
            self.repo.sessions().delete_of_user(user.pk, None).await?;
        }
        self.repo.users().touch_login(user.pk, now).await?;
        let age = login.duration.unwrap_or(self.runner.options.browser_age);
        let data = json!({ "auth_method": login.method, "login_at": now });
        self.open(Some(user.pk), plan, data, age, login.duration).await
    }

    async fn event(&mut self, action: &str, user: Option<i64>, context: Map<String, Value>) -> StoreResult<()> {
        let now = self.runner.store.clock().now();
        let account = match user {
            Some(pk) => self.repo.users().lookup(pk).await?,
            None => None,
        };
        let who = account.map(|u| object(json!({ "pk": u.pk, "username": u.username, "email": u.email }))).unwrap_or_default();
        let event = Event {
            pk: self.runner.store.rng().uuid(),
            action: action.to_owned(),
            app: "ak.flows".to_owned(),
            user: who,
            user_pk: user,
            context,
            client_ip: self.visit.client.ip,
            created: now,
            expires: now + self.runner.options.event_age,
        };
        self.repo.events().add(&event).await
    }
}
