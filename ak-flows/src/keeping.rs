//! Keeping what a turn has changed: sessions, events and accounts, in one transaction with the plan.

use ak_store::records::{Durability, Event, Repository, Session};
use ak_store::{Result as StoreResult, StoreError};
use chrono::Duration;
use serde_json::{Map, Value, json};

use crate::effect::{Effect, Login, Proof};
use crate::history::Passed;
use crate::runner::{CookieChange, Runner, Visit, session_id};

/// Ends of sessions and new forms of passwords must survive a power cut; the rest may be lost in one.
pub(crate) fn durability(effects: &[Effect]) -> Durability {
    let lasting = |effect: &Effect| match effect {
        Effect::UpgradePassword { .. } | Effect::Logout => true,
        Effect::Login(login) => login.terminate_others,
        Effect::Event { .. } => false,
    };
    if effects.iter().any(lasting) { Durability::Full } else { Durability::Relaxed }
}

/// Whether everybody who is about to sign in still may: the account is active, and what proved it holds.
pub(crate) async fn proof_holds(repo: &mut dyn Repository, effects: &[Effect]) -> StoreResult<bool> {
    for effect in effects {
        let Effect::Login(login) = effect else { continue };
        let Some(user) = repo.users().lookup(login.user).await?.filter(|u| u.is_active) else { return Ok(false) };
        let token = match &login.proof {
            Some(Proof::AppPassword(pk)) => repo.tokens().lookup(*pk).await?.is_some(),
            _ => false,
        };
        if !login.proof.as_ref().is_none_or(|proof| proof.holds(&user, |_| token)) {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The keeping of one turn, in one transaction.
pub(crate) struct Keeping<'a> {
    pub(crate) runner: &'a Runner,
    pub(crate) repo: &'a mut dyn Repository,
    pub(crate) visit: &'a Visit,
    pub(crate) session: Option<Session>,
    pub(crate) cookie: CookieChange,
    /// The stages that were passed.
    pub(crate) passed: Vec<Passed>,
    /// The flow has just begun.
    pub(crate) fresh: bool,
}

impl<'a> Keeping<'a> {
    /// Nothing has been kept yet.
    pub(crate) fn new(runner: &'a Runner, repo: &'a mut dyn Repository, visit: &'a Visit) -> Self {
        let session = visit.session.clone();
        Self { runner, repo, visit, session, cookie: CookieChange::Keep, passed: Vec::new(), fresh: false }
    }

    /// Keeps the plan; false if the session was changed meanwhile. A session is begun only for a plan.
    pub(crate) async fn plan(&mut self, plan: Option<&Value>) -> StoreResult<bool> {
        match &mut self.session {
            Some(session) => {
                Passed::note(&mut session.data, &self.passed, self.fresh);
                let kept = self.repo.sessions().swap_plan(&session.id, session.turn, plan, &session.data).await?;
                session.turn += 1;
                session.plan = plan.cloned();
                Ok(kept)
            }
            None if plan.is_none() => Ok(true),
            None => {
                let age = self.runner.options().anonymous_age;
                let mut data = json!({});
                Passed::note(&mut data, &self.passed, true);
                self.open(None, plan, data, age, None).await?;
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
        let now = self.runner.store().clock().now();
        let key = self.runner.store().rng().token(32);
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

    pub(crate) async fn effects(&mut self, effects: Vec<Effect>, plan: Option<&Value>) -> StoreResult<()> {
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
                    self.repo.users().upgrade_password(user, old.reveal(), new.reveal()).await?;
                }
                Effect::Event { action, user, context } => self.event(action, user, context).await?,
            }
        }
        Ok(())
    }

    /// A new session under a new key takes the place of the old one, so that a key known from before is worth nothing.
    pub(crate) async fn login(&mut self, login: &Login, plan: Option<&Value>) -> StoreResult<()> {
        let now = self.runner.store().clock().now();
        // The account may have been deactivated or deleted since the stage looked.
        let user =
            self.repo.users().lookup(login.user).await?.filter(|u| u.is_active).ok_or(StoreError::Missing("active account"))?;
        let mut data = json!({ "auth_method": login.method, "login_at": now });
        match self.session.take() {
            Some(old) => {
                self.repo.sessions().delete(&old.id).await?;
                Passed::carry(&old.data, &mut data);
            }
            None => Passed::note(&mut data, &self.passed, true),
        }
        if login.terminate_others {
            self.repo.sessions().delete_of_user(user.pk, None).await?;
        }
        self.repo.users().touch_login(user.pk, now).await?;
        let age = login.duration.unwrap_or(self.runner.options().browser_age);
        self.open(Some(user.pk), plan, data, age, login.duration).await
    }

    pub(crate) async fn event(&mut self, action: &str, user: Option<i64>, context: Map<String, Value>) -> StoreResult<()> {
        let now = self.runner.store().clock().now();
        let account = match user {
            Some(pk) => self.repo.users().lookup(pk).await?,
            None => None,
        };
        let who = account.map(|u| object(json!({ "pk": u.pk, "username": u.username, "email": u.email }))).unwrap_or_default();
        let event = Event {
            pk: self.runner.store().rng().uuid(),
            action: action.to_owned(),
            app: "ak.flows".to_owned(),
            user: who,
            user_pk: user,
            context,
            client_ip: self.visit.client.ip,
            created: now,
            expires: now + self.runner.options().event_age,
        };
        self.repo.events().add(&event).await
    }
}
