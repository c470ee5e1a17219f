//! From bindings to a decision.

use std::sync::Arc;
use std::time::Duration;

use ak_store::directory::Person;
use ak_store::model::{Pk, Ref};

use crate::binding::{EngineMode, PolicyBinding, PolicyTarget};
use crate::decision::{Decision, Outcome, Subject, Trace};
use crate::policy::{Failure, Policy, Verdict};
use crate::pool::{self, Busy};
use crate::request::Request;

/// Whether `request` may have `target`.
///
/// Without an enabled binding everybody may. An error yields the binding's failure result, which is not turned round. Something
/// that guards but cannot be read lets nobody through.
///
/// Bindings to accounts and groups are decided at once; policies run on the engine's own threads, one after the other, each seeing
/// what those before it changed. When too many decisions wait for a thread, no policy can decide.
pub async fn decide(target: Pk, request: &Request) -> Decision {
    let decision = decide_many([target], request).await.pop();
    decision.map_or_else(|| Decision::broken(target, "nothing was decided"), |(_, decision)| decision)
}

/// The same for many targets, in their order, at the price of one wait for a thread. No decision sees what another one changed; the
/// time-outs of all bindings count from the beginning.
pub async fn decide_many(targets: impl IntoIterator<Item = Pk>, request: &Request) -> Vec<(Pk, Decision)> {
    let mut decided: Vec<(Pk, Option<Decision>)> = Vec::new();
    let mut waiting: Vec<Case> = Vec::new();
    for target in targets {
        let now = match bindings(target, request) {
            Err(decision) => Some(*decision),
            Ok(questions) if questions.iter().any(|question| question.limit(request).is_some()) => {
                waiting.push(Case { target, questions, at: decided.len() });
                None
            }
            Ok(questions) => Some(judge_target(target, request, &questions, Some(Duration::ZERO))),
        };
        decided.push((target, now));
    }
    if !waiting.is_empty() {
        for (at, decision) in ask_policies(waiting, request).await {
            if let Some(place) = decided.get_mut(at) {
                place.1 = Some(decision);
            }
        }
    }
    let broken = |target| Decision::broken(target, "nothing was decided");
    decided.into_iter().map(|(target, decision)| (target, decision.unwrap_or_else(|| broken(target)))).collect()
}

/// What is to be asked of policies, and where its decision belongs.
#[derive(Clone)]
struct Case {
    target: Pk,
    questions: Vec<Question>,
    at: usize,
}

/// Decides cases on a thread of policies; without one, none of their policies can decide.
async fn ask_policies(cases: Vec<Case>, request: &Request) -> Vec<(usize, Decision)> {
    let patience = patience(cases.iter().flat_map(|case| &case.questions), request);
    on_a_thread(request, patience, move |request, waited| {
        let decide = |case: &Case| (case.at, judge_target(case.target, request, &case.questions, waited()));
        cases.iter().map(decide).collect()
    })
    .await
}

/// Whether every one of `policies` lets the request through; nothing asked, everybody may. For what lists its policies itself, as the
/// validation of a form does: an error refuses. Each has `limit` to decide.
pub async fn decide_all(policies: &[Ref<dyn Policy>], limit: Duration, request: &Request) -> Decision {
    let questions: Vec<Question> =
        (0..).zip(policies).map(|(order, policy)| Question::Policy { order, policy: *policy, limit }).collect();
    if questions.is_empty() {
        return Decision::open();
    }
    on_a_thread(request, limit, move |request, waited| judge(EngineMode::All, request.clone(), &questions, waited())).await
}

/// How long it is worth while to wait for a thread: longer than that no policy could be asked any more.
fn patience<'a>(questions: impl Iterator<Item = &'a Question>, request: &Request) -> Duration {
    questions.filter_map(|question| question.limit(request)).max().unwrap_or_default()
}

/// Does what asks policies on a thread of theirs, for which it waits no longer than `patience`. It learns how long it has waited by
/// now; `None`: there is no thread, and policies cannot be asked.
async fn on_a_thread<T: Send + 'static>(
    request: &Request,
    patience: Duration,
    act: impl Fn(&Request, &dyn Fn() -> Option<Duration>) -> T + Send + Sync + 'static,
) -> T {
    let asked = request.services.clock.monotonic_micros();
    let act = Arc::new(act);
    let (whole, job) = (request.clone(), act.clone());
    let job = move || {
        let clock = whole.services.clock.clone();
        job(&whole, &|| Some(Duration::from_micros(clock.monotonic_micros().saturating_sub(asked))))
    };
    match pool::run(patience, job).await {
        Ok(done) => done,
        Err(busy) => {
            tracing::warn!(%busy, "policies were not asked");
            let waited = (busy == Busy::Late).then_some(Duration::MAX);
            act(request, &|| waited)
        }
    }
}

/// One thing that is asked, at its place.
#[derive(Clone, Copy)]
enum Question {
    /// What a binding says.
    Binding { order: i32, at: Ref<PolicyBinding> },
    /// A policy alone, which has this long to decide.
    Policy { order: i32, policy: Ref<dyn Policy>, limit: Duration },
}

impl Question {
    fn place(self) -> (i32, Pk) {
        match self {
            Self::Binding { order, at } => (order, at.pk()),
            Self::Policy { order, policy, .. } => (order, policy.pk()),
        }
    }

    /// How long a policy that it asks has to decide.
    fn limit(self, request: &Request) -> Option<Duration> {
        match self {
            Self::Binding { at, .. } => request.snapshot.get(at).filter(|b| b.policy.is_some()).map(PolicyBinding::limit),
            Self::Policy { limit, .. } => Some(limit),
        }
    }

    fn ask(self, request: &Arc<Request>, waited: Option<Duration>) -> Asked {
        match self {
            Self::Policy { policy, limit, .. } => ask_policy(policy, limit, request, waited),
            Self::Binding { at, .. } => match request.snapshot.get(at) {
                Some(binding) => {
                    let asked = ask(binding, request, waited);
                    Asked { negate: binding.negate, failure_result: binding.failure_result, ..asked }
                }
                None => Asked::of(Subject::Unknown(at.pk().to_string()), Err(Failure::new("the binding cannot be read"))),
            },
        }
    }
}

/// The enabled bindings of a target, in order; or the decision, where there is nothing to ask.
fn bindings(target: Pk, request: &Request) -> Result<Vec<Question>, Box<Decision>> {
    let snapshot = &request.snapshot;
    if snapshot.get::<dyn PolicyTarget>(Ref::new(target)).is_none() {
        return Err(Box::new(Decision::broken(target, "what is guarded cannot be read")));
    }
    let mut bindings = Vec::new();
    for found in snapshot.referring::<PolicyBinding>(Ref::<dyn PolicyTarget>::new(target)) {
        match found {
            Ok((at, binding)) if binding.enabled => bindings.push(Question::Binding { order: binding.order, at }),
            Ok(_) => {}
            Err(broken) => return Err(Box::new(Decision::broken(broken.pk, &broken.problem))),
        }
    }
    if bindings.is_empty() {
        return Err(Box::new(Decision::open()));
    }
    bindings.sort_by_key(|question| question.place());
    Ok(bindings)
}

/// Asks about a target. `waited` is how long it has waited for a thread; `None`: it got none.
fn judge_target(target: Pk, request: &Request, questions: &[Question], waited: Option<Duration>) -> Decision {
    match request.snapshot.get::<dyn PolicyTarget>(Ref::new(target)).map(PolicyTarget::engine_mode) {
        Some(mode) => judge(mode, Request { object: Some(target), ..request.clone() }, questions, waited),
        None => Decision::broken(target, "what is guarded cannot be read"),
    }
}

/// Asks every question, each seeing what those before it changed.
fn judge(mode: EngineMode, request: Request, questions: &[Question], waited: Option<Duration>) -> Decision {
    let mut request = Arc::new(request);
    let mut decision = Decision { trace: Vec::with_capacity(questions.len()), ..Decision::open() };
    for (index, question) in questions.iter().enumerate() {
        let begun = request.services.clock.monotonic_micros();
        let asked = question.ask(&request, waited);
        let micros = request.services.clock.monotonic_micros().saturating_sub(begun);
        let (passing, outcome, messages, log) = match asked.answer {
            Ok(Some(verdict)) => {
                if !verdict.changes.is_empty() {
                    verdict.changes.apply(&mut Arc::make_mut(&mut request).context);
                    decision.changes.extend(verdict.changes);
                }
                (verdict.passing != asked.negate, Outcome::Answered, verdict.messages, verdict.log)
            }
            // Somebody who has not signed in is neither a member nor a non-member: a binding to people does not let her
            // through, turned round or not.
            Ok(None) => (false, Outcome::Answered, Vec::new(), Vec::new()),
            Err(mut failure) => {
                let log = std::mem::take(&mut failure.log);
                (asked.failure_result, Outcome::Failed(failure), Vec::new(), log)
            }
        };
        decision.messages.extend(messages.iter().cloned());
        let (order, at) = question.place();
        let (binding, subject, negate) = (at.to_string(), asked.subject, asked.negate);
        decision.trace.push(Trace { binding, order, subject, negate, outcome, passing, messages, log, micros });
        decision.note(index, asked.noted);
    }
    combine(&mut decision, mode);
    decision
}

/// What came of asking one question.
struct Asked {
    subject: Subject,
    /// `None`: the question makes no sense for somebody who has not signed in.
    answer: Result<Option<Verdict>, Failure>,
    /// Whether the decision is noted as an event.
    noted: bool,
    /// Whether an answer is turned round.
    negate: bool,
    /// What stands in for an answer.
    failure_result: bool,
}

impl Asked {
    fn of(subject: Subject, answer: Result<Option<Verdict>, Failure>) -> Self {
        Self { subject, answer, noted: false, negate: false, failure_result: false }
    }
}

fn ask(binding: &PolicyBinding, request: &Arc<Request>, waited: Option<Duration>) -> Asked {
    let member = |subject: Subject, is: &dyn Fn(&Person) -> bool| {
        Asked::of(subject, Ok(request.person.as_deref().map(|person| Verdict::plain(is(person)))))
    };
    if let Some(policy) = binding.policy {
        ask_policy(policy, binding.limit(), request, waited)
    } else if let Some(group) = binding.group {
        member(Subject::Group(group.key()), &|person| person.is_in(group.key()))
    } else if let Some(user) = binding.user {
        member(Subject::User(user.key()), &|person| person.user.pk == user.key())
    } else {
        Asked::of(Subject::Unknown(String::new()), Err(Failure::new("the binding names nobody")))
    }
}

fn ask_policy(policy: Ref<dyn Policy>, limit: Duration, request: &Arc<Request>, waited: Option<Duration>) -> Asked {
    let Some(policy) = request.snapshot.get::<dyn Policy>(policy) else {
        return Asked::of(Subject::Unknown(policy.pk().to_string()), Err(Failure::new("the policy cannot be read")));
    };
    let answer = match waited {
        None => Err(Failure::new("too many decisions are waiting")),
        Some(waited) => evaluate(policy, request, limit.saturating_sub(waited)).map(Some),
    };
    Asked { noted: policy.logs_executions(), ..Asked::of(Subject::Policy(policy.name().to_owned()), answer) }
}

/// Asks a policy. Its own crash is a failure like any other.
fn evaluate(policy: &dyn Policy, request: &Arc<Request>, limit: Duration) -> Result<Verdict, Failure> {
    if limit.is_zero() {
        return Err(Failure::new("the time was over before the policy could be asked"));
    }
    let guarded = std::panic::AssertUnwindSafe(|| policy.evaluate(request, limit));
    std::panic::catch_unwind(guarded).unwrap_or_else(|_| Err(Failure::new("the policy crashed")))
}

fn combine(decision: &mut Decision, mode: EngineMode) {
    let failed = |t: &Trace| matches!(t.outcome, Outcome::Failed(_)) && !t.passing;
    let trace = &decision.trace;
    match mode {
        EngineMode::Any => {
            decision.passing = trace.iter().any(|t| t.passing);
            decision.undecided = !decision.passing && trace.iter().any(failed);
        }
        EngineMode::All => {
            decision.passing = trace.iter().all(|t| t.passing);
            decision.undecided = !decision.passing && trace.iter().all(|t| t.passing || failed(t));
        }
    }
}
