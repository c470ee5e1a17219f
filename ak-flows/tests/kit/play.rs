//! Flows played: what a person does, and what she gets to see, a line each.

use ak_flows::{
    Answer, Challenge, Client, CookieChange, Effect, Flow, Input, Login, Outcome, Page, Plan, Reply, RunError, Seed, Turn, Visit,
    advance, plan, session_id,
};
use ak_policy::{Context, PolicyEffect};
use ak_store::Clock as _;
use ak_store::records::{Durability, Session};
use chrono::Duration;
use serde_json::Value;

use super::House;

/// An answer with these fields; `component` among them says what it answers.
pub(crate) fn answer(fields: &Value) -> Answer {
    let mut fields = fields.as_object().cloned().unwrap();
    let component = fields.remove("component").and_then(|c| c.as_str().map(str::to_owned));
    Answer { component, fields }
}

/// A challenge in a line: `password`, `password [password: Invalid password]`, `access-denied: No.`
fn challenge_line(challenge: &Challenge) -> String {
    let mut line = challenge.component.trim_start_matches("ak-stage-").to_owned();
    if let Some(message) = challenge.fields.get("error_message").and_then(Value::as_str) {
        line += &format!(": {message}");
    }
    for (field, errors) in &challenge.errors.0 {
        line += &format!(" [{field}: {}]", errors[0].string);
    }
    line
}

/// What a person gets to see, in a line.
pub(crate) fn line(page: &Page) -> String {
    match page {
        Page::Challenge(challenge, _) => challenge_line(challenge),
        Page::Redirect(to) => format!("-> {to}"),
    }
}

fn turn_line(turn: &Turn) -> String {
    match &turn.reply {
        Reply::Challenge(challenge) => challenge_line(challenge),
        Reply::Done(to) => format!("-> {to}"),
    }
}

impl House {
    /// Plays a flow on the machine alone: a line for the beginning and one for each answer. Effects stand behind their line.
    pub(crate) async fn machine(&self, slug: &str, user: Option<i64>, from: Context, answers: &[Value]) -> Vec<String> {
        let person = match user {
            Some(pk) => Some(self.person(pk).await),
            None => None,
        };
        let (snapshot, client) = (self.store.snapshot(), Client::default());
        let world = self.world(&snapshot, &client, person.as_ref());
        let (at, flow) = snapshot.by::<Flow>("slug", slug).unwrap();
        let pending = match from.pending_user {
            Some(pk) => Some(self.person(pk).await),
            None => person.clone(),
        };
        let mut lines = Vec::new();
        let mut now: Option<Plan> = match plan(&world, at, flow, from, pending.as_ref(), None, &mut Vec::new()).await {
            Ok(plan) => Some(plan),
            Err(refusal) => {
                let turn = Turn::refused(flow, refusal, None, person.as_ref(), None);
                return vec![turn_line(&turn)];
            }
        };
        for given in std::iter::once(None).chain(answers.iter().map(Some)) {
            let Some(plan) = now.take() else { break };
            // What a session keeps is what the next turn goes on with.
            let plan = Plan::read(&plan.value()).unwrap();
            let given = given.map(answer);
            let turn = match advance(&world, flow, plan, given.as_ref()).await {
                Ok(turn) => turn,
                Err(error) => return vec![format!("error: {error}")],
            };
            lines.push(turn_line(&turn));
            lines.extend(turn.effects.iter().map(effect_line));
            now = turn.plan;
        }
        lines
    }
}

fn effect_line(effect: &Effect) -> String {
    match effect {
        Effect::Login(Login { user, method, duration, .. }) => {
            let user = if *user < 0 { "the new one".into() } else { user.to_string() };
            let lasts = duration.map_or(String::new(), |d| format!(" for {} s", d.num_seconds()));
            format!("* login of {user} by {method}{lasts}")
        }
        Effect::Logout => "* logout".into(),
        Effect::Policy { effect: PolicyEffect::Event { action, .. }, .. } => format!("* event {action}"),
        Effect::Policy { effect, .. } => format!("* {}", serde_json::to_value(effect).unwrap()),
        Effect::UpgradePassword { user, .. } => format!("* stronger hash for {user}"),
        Effect::CreateUser { user, .. } => format!("* new account {}", user.username),
        Effect::UpdateUser { user, changes, .. } => format!("* account {user}: {}", changes.names().join(", ")),
        Effect::Consent(consent) => format!("* consent of {} to {:?}", consent.user, consent.permissions),
        Effect::Grant(grant) => format!("* {} for {}", grant.kind.as_str(), grant.user),
        Effect::AtEnd { task, .. } => format!("* {} at the end", task.name),
        Effect::FinishSetup => "* set-up is over".into(),
        Effect::Denied(denial) => format!("* {} denied", denial.what),
        Effect::Event { action, .. } => format!("* event {action}"),
    }
}

/// A browser: its cookie, and the turn of the page that it shows.
pub(crate) struct Browser<'a> {
    house: &'a House,
    pub(crate) key: Option<String>,
    pub(crate) turn: i64,
    /// Where the person wants to go.
    pub(crate) next: Option<String>,
    /// The code in the address that she follows.
    pub(crate) code: Option<String>,
    pub(crate) client: Client,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(house: &'a House) -> Self {
        Self { house, key: None, turn: 0, next: None, code: None, client: Client::default() }
    }

    /// With this place to go to in the end.
    pub(crate) fn to(mut self, next: &str) -> Self {
        self.next = Some(next.to_owned());
        self
    }

    /// From this address.
    pub(crate) fn from(mut self, ip: &str) -> Self {
        let ip: std::net::IpAddr = ip.parse().unwrap();
        (self.client.ip, self.client.at_machine) = (Some(ip), ip.is_loopback());
        self
    }

    pub(crate) async fn sign_in(&mut self, user: i64) {
        let login = Login { user, method: "test".into(), proof: None, duration: None, terminate_others: false };
        let visit = self.visit().await;
        let mut repo = self.house.store.backend().begin(Durability::Relaxed).await.unwrap();
        let cookie = self.house.runner.sign_in(&mut *repo, &visit, &login).await.unwrap();
        repo.save().await.unwrap();
        self.take(&cookie);
    }

    pub(crate) async fn session(&self) -> Option<Session> {
        let id = session_id(self.key.as_ref()?);
        let mut repo = self.house.store.read().await.unwrap();
        repo.sessions().lookup(&id, self.house.clock.now()).await.unwrap()
    }

    /// Who has signed in.
    pub(crate) async fn user(&self) -> Option<i64> {
        self.session().await?.user
    }

    /// The request that the browser would send now.
    pub(crate) async fn visit(&self) -> Visit {
        let session = self.session().await;
        let person = match session.as_ref().and_then(|s| s.user) {
            Some(pk) => Some(self.house.person(pk).await),
            None => None,
        };
        Visit { session, person, client: self.client.clone(), request_id: "test".into() }
    }

    pub(crate) fn input(&self, fields: Option<&Value>) -> Input {
        let turn = fields.map(|_| self.turn);
        Input { answer: fields.map(answer), turn, next: self.next.clone(), code: self.code.clone(), login_hint: None }
    }

    pub(crate) fn take(&mut self, cookie: &CookieChange) {
        match cookie {
            CookieChange::Keep => {}
            CookieChange::Set { key, .. } => self.key = Some(key.clone()),
            CookieChange::Clear => self.key = None,
        }
    }

    /// Sends a request, and does with the cookie what the answer says.
    pub(crate) async fn run(&mut self, slug: &str, fields: Option<&Value>) -> Result<Outcome, RunError> {
        self.house.clock.advance(Duration::milliseconds(1));
        let visit = self.visit().await;
        let outcome = self.house.runner.run(&visit, slug, self.input(fields)).await?;
        self.take(&outcome.cookie);
        self.turn = outcome.turn;
        Ok(outcome)
    }

    pub(crate) async fn get(&mut self, slug: &str) -> String {
        match self.run(slug, None).await {
            Ok(outcome) => line(&outcome.page),
            Err(error) => format!("error: {error}"),
        }
    }

    pub(crate) async fn post(&mut self, slug: &str, fields: &Value) -> String {
        match self.run(slug, Some(fields)).await {
            Ok(outcome) => line(&outcome.page),
            Err(error) => format!("error: {error}"),
        }
    }

    /// Opens the flow and gives these answers.
    pub(crate) async fn play(&mut self, slug: &str, answers: &[Value]) -> Vec<String> {
        let mut lines = vec![self.get(slug).await];
        for fields in answers {
            lines.push(self.post(slug, fields).await);
        }
        lines
    }

    /// Opens the flow with what another room has gathered.
    pub(crate) async fn begin_with(&mut self, slug: &str, context: impl Into<Seed>) -> String {
        let visit = self.visit().await;
        let outcome = self.house.runner.run_with(&visit, slug, self.input(None), context).await.unwrap();
        self.take(&outcome.cookie);
        self.turn = outcome.turn;
        line(&outcome.page)
    }
}
