//! The machine that runs flows: a plan and an answer in, a new plan and a reply out. It knows no stage by name, and no HTTP.

use std::collections::BTreeMap;

use ak_policy::Context;
use ak_store::directory::Person;
use ak_store::model::{Pk, Ref};
use serde_json::{Map, Value, json};

use crate::binding::{FlowStageBinding, InvalidResponseAction};
use crate::challenge::{ACCESS_DENIED, Challenge, ResponseErrors};
use crate::effect::Effect;
use crate::flow::{DeniedAction, Designation, Flow};
use crate::history::Passed;
use crate::next;
use crate::plan::Plan;
use crate::planner::{self, Refusal, check_policies, check_still};
use crate::stage::{Answer, Cx, Stage, StageError, Step, World};

/// What the person gets to see.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// A challenge. With no plan beside it, it is the end.
    Challenge(Challenge),
    /// On to this address: relative, unless an administrator's configuration says otherwise.
    Done(String),
}

/// A step of the machine.
#[derive(Debug)]
pub struct Turn {
    /// Where the person now stands; `None` when the flow has ended.
    pub plan: Option<Plan>,
    /// What she gets to see.
    pub reply: Reply,
    /// What is to happen, if this turn is kept.
    pub effects: Vec<Effect>,
    /// Why she was refused, if she was.
    pub refusal: Option<Refusal>,
    /// The stages that are behind her since the last turn.
    pub passed: Vec<Passed>,
    /// Whether her answer was put to a stage: it was an answer to what she was asked.
    pub heard: bool,
}

impl Turn {
    /// A challenge that stands before the plan's first stage.
    pub(crate) fn asking(plan: Plan, challenge: Challenge) -> Self {
        Self {
            plan: Some(plan),
            reply: Reply::Challenge(challenge),
            heard: true,
            ..Self::end(Reply::Done(String::new()), Vec::new())
        }
    }

    fn end(reply: Reply, effects: Vec<Effect>) -> Self {
        Self { plan: None, reply, effects, refusal: None, passed: Vec::new(), heard: false }
    }

    /// The end of a flow that was refused, as the flow says that refusals end. `next` is where the person wanted to go.
    /// `person` or `typed` is whom the page names.
    pub fn refused(flow: &Flow, refusal: Refusal, next: Option<&str>, person: Option<&Person>, typed: Option<&str>) -> Self {
        let next = next.and_then(next::relative);
        // Where people are asked to sign in for, they would be sent back to the same refusal, and never read why.
        let comes_back = flow.designation == Designation::Authentication;
        let to = match (refusal.already_done, flow.denied_action, next) {
            (true, _, next) => Some(next.unwrap_or_else(|| ROOT.to_owned())),
            (false, DeniedAction::MessageContinue, Some(_)) if comes_back => None,
            (false, DeniedAction::MessageContinue | DeniedAction::Continue, Some(next)) => Some(next),
            (false, DeniedAction::Continue, None) => Some(ROOT.to_owned()),
            (false, DeniedAction::Message, _) | (false, DeniedAction::MessageContinue, None) => None,
        };
        let reply = match to {
            Some(to) => Reply::Done(to),
            None => Reply::Challenge(denied(person, typed, refusal.messages.first().map(String::as_str))),
        };
        Self { refusal: Some(refusal.about(person)), ..Self::end(reply, Vec::new()) }
    }
}

/// Where a flow ends that was begun without a goal.
const ROOT: &str = "/";

/// Goes on with a plan: shows its first challenge, or takes an answer to it and goes on as far as it gets.
///
/// The flow's policies are asked again first. An answer to another challenge than the one shown changes nothing: the one shown
/// is shown again.
pub async fn advance(world: &World<'_>, flow: &Flow, plan: Plan, answer: Option<&Answer>) -> Result<Turn, StageError> {
    let mut run = Run {
        world,
        flow,
        plan,
        effects: Vec::new(),
        written: BTreeMap::new(),
        restarted: false,
        passed: Vec::new(),
        heard: false,
    };
    let turn = go_on(&mut run, answer).await?;
    Ok(Turn { passed: run.passed, heard: run.heard, ..turn })
}

async fn go_on(run: &mut Run<'_>, answer: Option<&Answer>) -> Result<Turn, StageError> {
    let (world, flow) = (run.world, run.flow);
    let at = Ref::new(run.plan.flow_pk());
    let subject = run.subject().await?;
    let still = match check_still(world, flow) {
        Ok(()) => check_policies(world, at, subject.as_ref(), &mut run.plan.context, &mut run.effects).await,
        refused => refused,
    };
    if let Err(refusal) = still {
        return Ok(run.refused(refusal, subject.as_ref()));
    }
    let mut answer = answer.filter(|answer| run.expects(answer));
    if run.plan.bindings != planner::fingerprint(world, at) {
        // The flow was changed since: a stage that was added must not be missing for who had begun before.
        answer = None;
        if let Err(refusal) = run.restart(false, subject.as_ref()).await {
            return Ok(run.refused(refusal, subject.as_ref()));
        }
    }
    loop {
        let waiting = answer.is_some();
        let go = run.turn(&mut answer).await?;
        let answered = waiting && answer.is_none();
        run.heard |= answered;
        match go {
            Go::On => {}
            Go::End(turn) => return Ok(*turn),
            Go::Restart { .. } if run.restarted && !answered => {
                return run.denied("the flow begins again without an end".to_owned(), None).await;
            }
            Go::Restart { keep_context } => {
                run.restarted |= !answered;
                // An answer that was not taken was meant for what is no more.
                answer = None;
                let subject = run.subject().await?;
                if let Err(refusal) = run.restart(keep_context, subject.as_ref()).await {
                    return Ok(run.refused(refusal, subject.as_ref()));
                }
            }
        }
    }
}

enum Go {
    On,
    End(Box<Turn>),
    Restart { keep_context: bool },
}

impl Go {
    fn end(turn: Turn) -> Self {
        Self::End(Box::new(turn))
    }
}

struct Run<'a> {
    world: &'a World<'a>,
    flow: &'a Flow,
    plan: Plan,
    effects: Vec<Effect>,
    /// See [`Cx::written`].
    written: BTreeMap<i64, Person>,
    /// A flow whose first stage refuses at once must not begin again for ever.
    restarted: bool,
    /// See [`Turn::passed`].
    passed: Vec<Passed>,
    heard: bool,
}

/// The plan's memory of the component that was shown last.
const SHOWN: &str = "shown";
/// The plan's memory of the stage that showed it.
const SHOWN_BY: &str = "shown_by";

impl<'a> Run<'a> {
    /// Whether an answer can be one to what was shown last.
    fn expects(&self, answer: &Answer) -> bool {
        match (&answer.component, self.plan.memory.get(SHOWN).and_then(Value::as_str)) {
            (Some(component), Some(shown)) => component == shown,
            (Some(_), None) => !self.plan.entered,
            (None, _) => true,
        }
    }

    /// Whom the flow is about.
    async fn subject(&self) -> Result<Option<Person>, StageError> {
        let Some(pk) = self.plan.context.pending_user.or(self.world.person.map(|person| person.user.pk)) else { return Ok(None) };
        if let Some(person) = self.written.get(&pk) {
            return Ok(Some(person.clone()));
        }
        match (self.plan.context.pending_user, self.world.person) {
            (Some(pk), _) => Ok(self.world.directory.person(pk).await?),
            (None, person) => Ok(person.cloned()),
        }
    }

    /// One stage, as far as it gets. It takes the answer if it is for this stage.
    async fn turn(&mut self, answer: &mut Option<&Answer>) -> Result<Go, StageError> {
        let Some(step) = self.plan.steps.first().cloned() else { return self.finale(answer).await };
        let at = Ref::<FlowStageBinding>::new(Pk::of_uuid(step.binding));
        let binding = self.world.snapshot.get(at);
        let Some((binding, stage)) = binding.and_then(|b| Some((b, self.world.snapshot.get::<dyn Stage>(b.stage)?))) else {
            // The flow was changed meanwhile: what this person has done so far belongs to a flow that is no more.
            return Ok(Go::Restart { keep_context: false });
        };
        if self.plan.entered && self.plan.memory.get(SHOWN_BY).is_some_and(|by| *by != binding.stage.pk().value()) {
            // The stage was replaced by another since its challenge was shown: the answer was not for this one.
            *answer = None;
            self.plan.memory = Map::new();
        }
        if !self.plan.entered {
            if step.re_evaluate {
                let subject = self.subject().await?;
                let (context, effects) = (&mut self.plan.context, &mut self.effects);
                let decision = planner::ask(self.world, at.pk(), subject.as_ref(), context, effects).await;
                if decision.undecided {
                    let reason = planner::undecided(self.world, binding);
                    let refusal = Refusal::by(reason, decision);
                    return Ok(Go::end(self.refused(refusal, subject.as_ref())));
                }
                if !decision.passing {
                    self.leave_step();
                    return Ok(Go::On);
                }
            }
            self.plan.entered = true;
            // A page that was shown without a plan is answered with one that has just been made: the answer is for the first stage
            // that shows what the page showed.
            if answer.is_some() {
                match self.ask(stage, None).await? {
                    Step::Show(challenge) => {
                        self.remember(&challenge);
                        if !answer.is_some_and(|answer| self.expects(answer)) {
                            *answer = None;
                            return Ok(Go::end(self.show(challenge)));
                        }
                    }
                    silent => return self.apply(silent, stage, Some(binding)).await,
                }
            }
        }
        let step = self.ask(stage, answer.take()).await?;
        self.apply(step, stage, Some(binding)).await
    }

    /// What the flow is run for, behind its last stage.
    async fn finale(&mut self, answer: &mut Option<&Answer>) -> Result<Go, StageError> {
        let Some(finale) = &self.plan.finale else { return Ok(Go::end(self.done(None))) };
        let Some(stage) = self.world.finales.find(&finale.stage) else {
            return Err(StageError::Failed(format!("nobody knows how a flow ends that is run for {}", finale.stage)));
        };
        let answer = answer.take().filter(|_| self.plan.entered);
        self.plan.entered = true;
        match self.ask(&*stage, answer).await? {
            Step::Pass => Ok(Go::end(self.done(None))),
            step => self.apply(step, &*stage, None).await,
        }
    }

    async fn ask(&mut self, stage: &dyn Stage, answer: Option<&Answer>) -> Result<Step, StageError> {
        let mut cx = Cx {
            world: self.world,
            flow: self.flow,
            finale: self.plan.finale.as_ref(),
            context: &mut self.plan.context,
            memory: &mut self.plan.memory,
            effects: &mut self.effects,
            written: &mut self.written,
        };
        match answer {
            Some(answer) => stage.respond(&mut cx, answer).await,
            None => stage.enter(&mut cx).await,
        }
    }

    /// Does what a stage says that stands in the flow by this binding; by none, it is what the flow is run for.
    async fn apply(&mut self, step: Step, stage: &dyn Stage, binding: Option<&FlowStageBinding>) -> Result<Go, StageError> {
        let restart = match binding.map(|binding| binding.invalid_response_action) {
            None | Some(InvalidResponseAction::Retry) => None,
            Some(InvalidResponseAction::Restart) => Some(false),
            Some(InvalidResponseAction::RestartWithContext) => Some(true),
        };
        if matches!(step, Step::Pass | Step::Deny(_) | Step::Leave(_) | Step::End(_) | Step::Switch { .. }) {
            self.passed.extend(Passed::of(&self.plan));
        }
        match (step, restart) {
            (Step::Show(challenge), _) => Ok(Go::end(self.show(challenge))),
            (Step::Pass, _) => {
                self.plan.history.extend(self.plan.steps.first().map(|s| s.binding));
                self.leave_step();
                Ok(Go::On)
            }
            (Step::Retry(_) | Step::Deny(_), Some(keep_context)) => Ok(Go::Restart { keep_context }),
            (Step::Retry(errors), None) => self.retry(errors, stage).await,
            (Step::Deny(message), None) => {
                let said = message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
                let name = binding.map(|binding| self.world.snapshot.name_of(binding.stage.pk()));
                let name = name.or_else(|| self.plan.finale.as_ref().map(|finale| finale.stage.clone())).unwrap_or_default();
                let reason = format!("the stage {name} refuses{said}");
                Ok(Go::end(self.denied(reason, message).await?))
            }
            (Step::Leave(to), _) => Ok(Go::end(self.done(Some(to)))),
            (Step::End(challenge), _) => Ok(Go::end(Turn::end(Reply::Challenge(challenge), std::mem::take(&mut self.effects)))),
            (Step::Switch { to, keep_context }, _) => Ok(Go::end(self.switch(to, keep_context).await?)),
        }
    }

    async fn retry(&mut self, errors: ResponseErrors, stage: &dyn Stage) -> Result<Go, StageError> {
        match self.ask(stage, None).await? {
            Step::Show(challenge) => Ok(Go::end(self.show(Challenge { errors, ..challenge }))),
            // A stage that asks again must have something to ask.
            _ => Ok(Go::end(self.denied("a stage has nothing to ask again".to_owned(), None).await?)),
        }
    }

    fn leave_step(&mut self) {
        if !self.plan.steps.is_empty() {
            self.plan.steps.remove(0);
        }
        self.plan.memory = Map::new();
        self.plan.entered = false;
    }

    fn remember(&mut self, challenge: &Challenge) {
        self.plan.memory.insert(SHOWN.into(), Value::from(challenge.component.as_str()));
        let binding = self.plan.steps.first().map(|step| Ref::<FlowStageBinding>::new(Pk::of_uuid(step.binding)));
        if let Some(binding) = binding.and_then(|at| self.world.snapshot.get(at)) {
            self.plan.memory.insert(SHOWN_BY.into(), binding.stage.pk().value());
        }
    }

    fn show(&mut self, challenge: Challenge) -> Turn {
        self.remember(&challenge);
        Turn {
            plan: Some(self.plan.clone()),
            reply: Reply::Challenge(challenge),
            effects: std::mem::take(&mut self.effects),
            refusal: None,
            passed: Vec::new(),
            heard: false,
        }
    }

    /// The plan is made anew; refused, the old one is over all the same.
    async fn restart(&mut self, keep_context: bool, subject: Option<&Person>) -> Result<(), Refusal> {
        let finale = self.plan.finale.clone();
        let seed = || finale.as_ref().map(|finale| finale.context.clone()).unwrap_or_default();
        // For what it was begun does not change.
        let anew = self.plan.context.anew;
        let context = if keep_context { std::mem::take(&mut self.plan.context) } else { Context { anew, ..seed() } };
        let subject = if keep_context { subject } else { self.world.person };
        let next = self.plan.next.clone();
        let at = Ref::new(self.plan.flow_pk());
        let plan = planner::plan(self.world, at, self.flow, context, subject, next, &mut self.effects).await?;
        self.plan = Plan { finale, ..plan };
        Ok(())
    }

    fn refused(&mut self, refusal: Refusal, subject: Option<&Person>) -> Turn {
        // Where pages must not tell whether there is an account, this one does not either.
        let typed = shown_user(&self.plan.context);
        let refusal = refusal.about(subject);
        let subject = if typed.is_some() { None } else { subject };
        let turn = Turn::refused(self.flow, refusal, self.plan.next.as_deref(), subject, typed);
        Turn { effects: std::mem::take(&mut self.effects), ..turn }
    }

    /// The end of the flow in a stage: `reason` for administrators, `message` for the person.
    async fn denied(&mut self, reason: String, message: Option<String>) -> Result<Turn, StageError> {
        let subject = self.subject().await?;
        let refusal = Some(Refusal::new(reason).about(subject.as_ref()));
        let is_shown = self.plan.context.pending_user.is_some() && self.plan.context.get(SHOWN_USER).is_none();
        let subject = subject.filter(|_| is_shown);
        let typed = shown_user(&self.plan.context).or_else(|| self.plan.context.text(Context::PENDING_USER_IDENTIFIER));
        let reply = Reply::Challenge(denied(subject.as_ref(), typed, message.as_deref()));
        Ok(Turn { refusal, ..Turn::end(reply, std::mem::take(&mut self.effects)) })
    }

    /// The end of the flow: at `to`, or where the person wanted to go.
    fn done(&mut self, to: Option<String>) -> Turn {
        let decided = self.plan.context.text(Context::REDIRECT).and_then(next::chosen);
        let wanted = || self.plan.next.as_deref().and_then(next::relative);
        let to = to.or(decided).or_else(wanted).unwrap_or_else(|| ROOT.to_owned());
        let signed_out = self.effects.contains(&Effect::Logout);
        if let (Designation::Invalidation, Some(person), false) = (self.flow.designation, self.world.person, signed_out) {
            return self.still_signed_in(person, &to);
        }
        Turn::end(Reply::Done(to), std::mem::take(&mut self.effects))
    }

    /// A flow for signing out that does not sign out must not look as if it did.
    fn still_signed_in(&mut self, person: &Person, to: &str) -> Turn {
        let brand = self.world.brand();
        let message =
            format!("The flow {} is for signing out, but has no user logout stage: the session goes on.", self.flow.slug);
        self.effects.push(Effect::event("configuration_warning", Some(person.user.pk), json!({ "message": message })));
        let challenge = Challenge::new("ak-stage-session-end")
            .about(Some(person), None)
            .with("brand_name", brand.map_or("", |b| &b.branding_title))
            .with("overview_url", ROOT)
            .with("still_signed_in", true)
            .with("application_launch_url", to);
        Turn::end(Reply::Challenge(challenge), std::mem::take(&mut self.effects))
    }

    /// On in another flow: its plan takes the place of this one.
    async fn switch(&mut self, to: Ref<Flow>, keep_context: bool) -> Result<Turn, StageError> {
        let Some(flow) = self.world.snapshot.get(to) else {
            return Err(StageError::Failed(format!("the flow {} cannot be read", to.pk())));
        };
        let subject = self.subject().await?;
        let fresh = || Context { anew: self.plan.context.anew, ..Context::default() };
        let mut context = if keep_context { self.plan.context.clone() } else { fresh() };
        context.set(Context::IS_REDIRECTED, self.flow.slug.as_str());
        let subject = if keep_context { subject.as_ref() } else { self.world.person };
        let next = self.plan.next.clone();
        let finale = self.plan.finale.clone().filter(|_| keep_context);
        let mut effects = std::mem::take(&mut self.effects);
        let planned = planner::plan(self.world, to, flow, context, subject, next.clone(), &mut effects).await;
        Ok(match planned {
            Ok(plan) => Turn {
                plan: Some(Plan { finale, ..plan }),
                ..Turn::end(Reply::Done(format!("/if/flow/{}/", flow.slug)), effects)
            },
            Err(refusal) => {
                let reason = format!("the flow {}, to which this one leads on: {}", flow.slug, refusal.reason);
                Turn { effects, ..Turn::refused(flow, Refusal { reason, ..refusal }, next.as_deref(), subject, None) }
            }
        })
    }
}

/// What a page shows of the account that is being identified, where that must not tell whether there is one.
pub(crate) const SHOWN_USER: &str = "pending_user_shown";

/// The name that pages show for the account that is being identified.
pub(crate) fn shown_user(context: &Context) -> Option<&str> {
    context.text(SHOWN_USER)
}

fn denied(person: Option<&Person>, typed: Option<&str>, message: Option<&str>) -> Challenge {
    Challenge::new(ACCESS_DENIED).about(person, typed).with_some("error_message", message)
}
