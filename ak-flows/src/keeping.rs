//! Keeping what a turn has changed: sessions, events and accounts, in one transaction with the plan.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ak_policy::{Denial, PolicyEffect};
use ak_store::directory::accounts;
use ak_store::records::{
    Durability, Event, Grant, NewTask, NewUser, Repository, Reputation, ScoreChange, Session, User, UserField,
};
use ak_store::{Result as StoreResult, StoreError};
use chrono::{DateTime, Duration, Utc};
use serde_json::{Map, Value, json};

use crate::account::Changes;
use crate::effect::{Effect, Login, Proof};
use crate::history::Passed;
use crate::initial_setup;
use crate::plan::Plan;
use crate::runner::{CookieChange, Runner, Visit, session_id};

/// Ends of sessions, accounts and new forms of passwords must survive a power cut; the rest may be lost in one.
pub(crate) fn durability(effects: &[Effect]) -> Durability {
    let lasting = |effect: &Effect| match effect {
        Effect::UpgradePassword { .. }
        | Effect::Logout
        | Effect::CreateUser { .. }
        | Effect::UpdateUser { .. }
        | Effect::Consent(_)
        | Effect::FinishSetup => true,
        Effect::Login(login) => login.terminate_others,
        Effect::Policy { effect, .. } => !matches!(effect, PolicyEffect::Event { .. }),
        Effect::Denied(_) | Effect::Event { .. } | Effect::Grant(_) | Effect::AtEnd { .. } => false,
    };
    if effects.iter().any(lasting) { Durability::Full } else { Durability::Relaxed }
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Why nothing of a turn is kept.
#[derive(Debug)]
pub(crate) enum Unkept {
    /// The session was changed meanwhile: by another answer to the same turn.
    Lost,
    /// What the turn relied on does not hold any more: the flow is over, and this is what the person is told.
    Refused(&'static str),
    /// The storage failed.
    Store(StoreError),
}

impl From<StoreError> for Unkept {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Taken("username") => Self::Refused(TAKEN),
            StoreError::Missing(_) => Self::Refused(CHANGED),
            error => Self::Store(error),
        }
    }
}

const CHANGED: &str = "Your account has changed meanwhile. Please sign in again.";
const TAKEN: &str = "Somebody else has taken this user name meanwhile. Please start again with another one.";
const SET_UP: &str = "This installation has been set up meanwhile. Please sign in.";

type Kept<T> = Result<T, Unkept>;

/// The keeping of one turn, in one transaction.
pub(crate) struct Keeping<'a> {
    runner: &'a Runner,
    repo: &'a mut dyn Repository,
    visit: &'a Visit,
    session: Option<Session>,
    cookie: CookieChange,
    /// The accounts that were made: the keys that the turn gave them, and their real ones.
    made: BTreeMap<i64, i64>,
    /// The stages that were passed.
    passed: Vec<Passed>,
    /// The flow has just begun.
    fresh: bool,
}

impl<'a> Keeping<'a> {
    pub(crate) fn new(runner: &'a Runner, repo: &'a mut dyn Repository, visit: &'a Visit) -> Self {
        let session = visit.session.clone();
        let (cookie, made, passed) = (CookieChange::Keep, BTreeMap::new(), Vec::new());
        Self { runner, repo, visit, session, cookie, made, passed, fresh: false }
    }

    /// In a turn in which these stages were passed; `fresh`: of a flow that has just begun.
    pub(crate) fn having_passed(self, passed: Vec<Passed>, fresh: bool) -> Self {
        Self { passed, fresh, ..self }
    }

    /// The browser's session now, and what becomes of its cookie.
    pub(crate) fn into_session(self) -> (Option<Session>, CookieChange) {
        (self.session, self.cookie)
    }

    /// Keeps a turn.
    pub(crate) async fn turn(&mut self, plan: Option<&Plan>, effects: &[Effect]) -> Kept<()> {
        let risky = |effect: &Effect| matches!(effect, Effect::CreateUser { .. } | Effect::FinishSetup);
        if effects.iter().any(risky) {
            // Of two answers to one turn the second must find that out here, and not at what the first has made.
            self.check_turn().await?;
        }
        for effect in effects {
            match effect {
                Effect::FinishSetup => self.finish_setup().await?,
                Effect::CreateUser { user, groups } => self.create(user, groups).await?,
                _ => {}
            }
        }
        let plan = plan.map(|plan| self.with_real_keys(plan).value());
        self.plan(plan.as_ref()).await?;
        self.effects(effects, plan.as_ref()).await
    }

    async fn check_turn(&mut self) -> Kept<()> {
        let Some(session) = &self.session else { return Ok(()) };
        let now = self.runner.store().clock().now();
        let found = self.repo.sessions().lookup(&session.id, now).await?;
        if found.is_some_and(|found| found.turn == session.turn) { Ok(()) } else { Err(Unkept::Lost) }
    }

    async fn finish_setup(&mut self) -> Kept<()> {
        if initial_setup::finish(self.repo, &**self.runner.store().rng()).await? { Ok(()) } else { Err(Unkept::Refused(SET_UP)) }
    }

    fn with_real_keys<'p>(&self, plan: &'p Plan) -> Cow<'p, Plan> {
        match plan.context.pending_user.and_then(|pk| self.made.get(&pk)) {
            Some(pk) => {
                let mut plan = plan.clone();
                plan.context.pending_user = Some(*pk);
                Cow::Owned(plan)
            }
            None => Cow::Borrowed(plan),
        }
    }

    fn real(&self, user: i64) -> i64 {
        self.made.get(&user).copied().unwrap_or(user)
    }

    /// Keeps the plan. A session is begun only for a plan.
    async fn plan(&mut self, plan: Option<&Value>) -> Kept<()> {
        match &mut self.session {
            Some(session) => {
                Passed::note(&mut session.data, &self.passed, self.fresh);
                if !self.repo.sessions().swap_plan(&session.id, session.turn, plan, &session.data).await? {
                    return Err(Unkept::Lost);
                }
                session.turn += 1;
                session.plan = plan.cloned();
                Ok(())
            }
            None if plan.is_none() => Ok(()),
            None => {
                let age = self.runner.options().anonymous_age;
                let mut data = json!({});
                Passed::note(&mut data, &self.passed, true);
                Ok(self.open(None, plan, data, age, None).await?)
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
        let now = self.runner.store().clock().now();
        let session = Session {
            id: [0; 32],
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
        self.put(session, max_age).await
    }

    /// Keeps a session under a new key.
    async fn put(&mut self, session: Session, max_age: Option<Duration>) -> StoreResult<()> {
        let key = self.runner.store().rng().token(32);
        let session = Session { id: session_id(&key), ..session };
        self.repo.sessions().add(&session).await?;
        self.cookie = CookieChange::Set { key, user: session.user, max_age };
        self.session = Some(session);
        Ok(())
    }

    /// What is to happen besides what [`Keeping::turn`] did before.
    pub(crate) async fn effects(&mut self, effects: &[Effect], plan: Option<&Value>) -> Kept<()> {
        for effect in effects {
            match effect {
                Effect::CreateUser { .. } | Effect::FinishSetup => {}
                Effect::Login(login) => {
                    self.login(login, plan).await?;
                    self.score(Some(login.user), "", 1).await?;
                }
                Effect::Logout => {
                    if let Some(session) = self.session.take() {
                        self.repo.sessions().delete(&session.id).await?;
                    }
                    self.cookie = CookieChange::Clear;
                }
                Effect::UpgradePassword { user, old, new } => {
                    // Changed meanwhile, the newer password stands.
                    self.repo.users().upgrade_password(*user, old.reveal(), new.reveal()).await?;
                }
                Effect::UpdateUser { user, proof, changes, now } => self.update(*user, proof.as_ref(), changes, *now).await?,
                Effect::Consent(consent) => {
                    let user = self.real(consent.user);
                    self.repo.consents().put(&ak_store::records::NewConsent { user, ..consent.clone() }).await?;
                }
                Effect::Grant(grant) => self.grant(grant).await?,
                Effect::AtEnd { subject, task } => self.at_end(subject, task).await?,
                Effect::Event { action, user, context } => self.note(action, *user, context).await?,
                Effect::Policy { user, effect } => self.policy(*user, effect).await?,
                Effect::Denied(denial) => self.denied(denial).await?,
            }
        }
        Ok(())
    }

    /// Gives a client something, in the browser's session: without one, nobody knows who would be signed out of it.
    async fn grant(&mut self, grant: &Grant) -> Kept<()> {
        let session = self.session.as_ref().map(|session| session.id).ok_or(Unkept::Refused(CHANGED))?;
        let grant = Grant { user: self.real(grant.user), session: Some(session), ..grant.clone() };
        self.repo.grants().add(&grant).await?;
        Ok(())
    }

    async fn at_end(&mut self, subject: &str, task: &NewTask) -> Kept<()> {
        let session = self.session.as_ref().map(|session| session.id).ok_or(Unkept::Refused(CHANGED))?;
        let mut task = task.clone();
        if let Value::Object(args) = &mut task.args {
            args.insert("sid".into(), hex::encode(session).into());
        }
        Ok(self.repo.sessions().at_end(&session, subject, &task).await?)
    }

    /// A session takes the place of another one of the same account: what belongs to the old one goes on in it.
    async fn succeed(&mut self, from: &[u8; 32]) -> StoreResult<()> {
        let Some(to) = self.session.as_ref().map(|session| session.id) else { return Ok(()) };
        self.repo.sessions().succeed(from, &to).await?;
        self.repo.grants().move_session(from, &to).await?;
        Ok(())
    }

    /// Does what a policy made happen. What it was about may be gone meanwhile; then there is nothing to do.
    pub(crate) async fn policy(&mut self, asked_about: Option<i64>, effect: &PolicyEffect) -> StoreResult<()> {
        let now = self.runner.store().clock().now();
        match effect {
            PolicyEffect::Event { action, context } => {
                let about = asked_about.map(|user| self.real(user));
                self.event(action, about, context.clone()).await
            }
            PolicyEffect::AddToGroup { user, group } => {
                let user = self.real(*user);
                let both = self.repo.users().lookup(user).await?.is_some() && self.repo.groups().lookup(*group).await?.is_some();
                if both { self.repo.groups().add_member(*group, user).await } else { Ok(()) }
            }
            PolicyEffect::RemoveFromGroup { user, group } => {
                let user = self.real(*user);
                self.repo.groups().remove_member(*group, user).await.map(|_| ())
            }
            PolicyEffect::ExpirePassword { user } => {
                let user = self.real(*user);
                let snapshot = self.runner.store().snapshot();
                match self.repo.users().lookup(user).await? {
                    Some(_) => accounts::replace_password(self.repo, &snapshot, user, None, now).await,
                    None => Ok(()),
                }
            }
            PolicyEffect::SetAttributes { user, attributes } => {
                let user = self.real(*user);
                let Some(found) = self.repo.users().lookup(user).await? else { return Ok(()) };
                self.repo.users().update(&User { attributes: attributes.clone(), ..found }, now).await
            }
        }
    }

    async fn create(&mut self, user: &User, groups: &[uuid::Uuid]) -> Kept<()> {
        let user = user.clone();
        if self.is_taken(&user.username, None).await? {
            return Err(Unkept::Refused(TAKEN));
        }
        let (key, now) = (user.pk, user.date_joined);
        let new = NewUser {
            uuid: user.uuid,
            username: user.username,
            name: user.name,
            email: user.email,
            is_active: user.is_active,
            r#type: user.r#type,
            path: user.path,
            attributes: user.attributes,
            password: user.password,
        };
        let pk = self.repo.users().add(new, now).await?.pk;
        self.made.insert(key, pk);
        self.join(pk, groups).await
    }

    /// Whether somebody else has this user name, without regard to case: signing in does not look at case either, and two accounts that
    /// are found by one name keep each other out.
    async fn is_taken(&mut self, name: &str, own: Option<i64>) -> StoreResult<bool> {
        let found = self.repo.users().find_by_field(UserField::Username, name, true).await?;
        Ok(found.iter().any(|user| Some(user.pk) != own))
    }

    async fn join(&mut self, user: i64, groups: &[uuid::Uuid]) -> Kept<()> {
        for group in groups {
            self.repo.groups().add_member(*group, user).await?;
        }
        Ok(())
    }

    async fn update(&mut self, user: i64, proof: Option<&Proof>, changes: &Changes, now: DateTime<Utc>) -> Kept<()> {
        let user = self.real(user);
        let mut user = self.repo.users().lookup(user).await?.ok_or(Unkept::Refused(CHANGED))?;
        self.check_proof(&user, proof).await?;
        let named = user.username.clone();
        changes.apply(&mut user);
        if user.username != named && self.is_taken(&user.username, Some(user.pk)).await? {
            return Err(Unkept::Refused(TAKEN));
        }
        self.repo.users().update(&user, now).await?;
        self.join(user.pk, &changes.groups).await?;
        if let Some(password) = &changes.password {
            let snapshot = self.runner.store().snapshot();
            accounts::replace_password(self.repo, &snapshot, user.pk, Some(password.reveal()), now).await?;
            self.end_sessions(user.pk, now).await?;
        }
        Ok(())
    }

    /// Ends the account's sessions. If the browser's is one, it goes on under a new key.
    async fn end_sessions(&mut self, user: i64, now: DateTime<Utc>) -> StoreResult<()> {
        match self.session.take() {
            Some(own) if own.user == Some(user) => {
                let stays = own.data.get(STAYS) == Some(&Value::Bool(true));
                let max_age = stays.then(|| own.expires - now);
                let old = own.id;
                self.put(own, max_age).await?;
                self.succeed(&old).await?;
            }
            other => self.session = other,
        }
        let own = self.session.as_ref().filter(|own| own.user == Some(user)).map(|own| own.id);
        self.repo.sessions().delete_of_user(user, own.as_ref()).await.map(|_| ())
    }

    async fn check_proof(&mut self, user: &User, proof: Option<&Proof>) -> Kept<()> {
        let token = match proof {
            Some(Proof::AppPassword(pk, _)) => self.repo.tokens().lookup(*pk).await?,
            _ => None,
        };
        let now = self.runner.store().clock().now();
        if proof.is_none_or(|proof| proof.holds(user, token.as_ref(), now)) { Ok(()) } else { Err(Unkept::Refused(CHANGED)) }
    }

    /// A new session under a new key takes the place of the old one, so that a key known from before is worth nothing.
    ///
    /// The account may have been deactivated or deleted since the stage looked, or what proved it may not hold any more: then nobody
    /// signs in.
    pub(crate) async fn login(&mut self, login: &Login, plan: Option<&Value>) -> Kept<()> {
        let now = self.runner.store().clock().now();
        let user = self.real(login.user);
        let user = self.repo.users().lookup(user).await?.filter(|u| u.is_active);
        let user = user.ok_or(Unkept::Refused(CHANGED))?;
        self.check_proof(&user, login.proof.as_ref()).await?;
        let mut data = json!({ "auth_method": login.method, "login_at": now, STAYS: login.duration.is_some() });
        let old = self.session.take();
        match &old {
            Some(old) => Passed::carry(&old.data, &mut data),
            None => Passed::note(&mut data, &self.passed, true),
        }
        self.repo.users().touch_login(user.pk, now).await?;
        let age = login.duration.unwrap_or(self.runner.options().browser_age);
        self.open(Some(user.pk), plan, data, age, login.duration).await?;
        if let Some(old) = old {
            // Who signs in again stays signed in to her applications; somebody else signs out of hers.
            if old.user == Some(user.pk) {
                self.succeed(&old.id).await?;
            }
            self.repo.sessions().delete(&old.id).await?;
        }
        if login.terminate_others {
            let own = self.session.as_ref().map(|session| session.id);
            self.repo.sessions().delete_of_user(user.pk, own.as_ref()).await?;
        }
        Ok(())
    }

    /// Keeps why somebody was refused.
    pub(crate) async fn denied(&mut self, denial: &Denial) -> StoreResult<()> {
        let now = self.runner.store().clock().now();
        denial.keep(&self.visit.request_id, self.repo, now).await
    }

    /// Notes what happened. A sign-in that failed is held against the name and the address.
    pub(crate) async fn note(&mut self, action: &str, user: Option<i64>, context: &Map<String, Value>) -> StoreResult<()> {
        if action == LOGIN_FAILED {
            let typed = context.get("username").and_then(Value::as_str).unwrap_or_default();
            self.score(user, typed, -1).await?;
        }
        self.event(action, user, context.clone()).await
    }

    /// Changes the reputation of the account's user name, or of what was typed, and of the address.
    async fn score(&mut self, user: Option<i64>, typed: &str, amount: i64) -> StoreResult<()> {
        let now = self.runner.store().clock().now();
        let user = user.map(|pk| self.real(pk));
        let account = match user {
            Some(pk) => self.repo.users().lookup(pk).await?,
            None => None,
        };
        let name = account.as_ref().map_or(typed, |account| account.username.as_str());
        let limits = &self.runner.options().reputation;
        let change = ScoreChange {
            pk: self.runner.store().rng().uuid(),
            identifier: Reputation::identifier_of(name),
            ip: self.visit.client.ip.unwrap_or(Reputation::NO_ADDRESS),
            amount,
            lower: limits.lower,
            upper: limits.upper,
            expires: now + limits.age,
        };
        self.repo.reputations().change(&change, now).await?;
        Ok(())
    }

    pub(crate) async fn event(&mut self, action: &str, user: Option<i64>, context: Map<String, Value>) -> StoreResult<()> {
        let now = self.runner.store().clock().now();
        let user = user.map(|pk| self.real(pk));
        let account = match user {
            Some(pk) => self.repo.users().lookup(pk).await?,
            None => None,
        };
        let who = account.map(|u| object(json!({ "pk": u.pk, "username": u.username, "email": u.email }))).unwrap_or_default();
        let mut event = Event {
            pk: self.runner.store().rng().uuid(),
            action: action.to_owned(),
            app: Event::app_of(action).to_owned(),
            user: who,
            user_pk: user,
            context,
            client_ip: self.visit.client.ip,
            created: now,
            expires: now + self.runner.options().event_age,
        };
        self.runner.services().locate(&mut event);
        self.repo.events().add(&event).await
    }
}

/// The event of a sign-in that failed.
pub(crate) const LOGIN_FAILED: &str = "login_failed";

/// In a session's data: whether its cookie outlives the browser.
const STAYS: &str = "stays";
