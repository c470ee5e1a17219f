//! From bindings to a decision.

use std::borrow::Cow;
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
    let mut cases: Vec<Case> = Vec::new();
    for target in targets {
        let now = match bindings(target, request) {
            Err(decision) => Some(*decision),
            Ok(questions) => {
                cases.push(Case { target, questions, at: decided.len() });
                None
            }
        };
        decided.push((target, now));
    }
    let request = &*recall(&mut cases, request);
    let (waiting, known): (Vec<Case>, Vec<Case>) = cases.into_iter().partition(Case::asks_policy);
    let judged = |case: &Case| (case.at, judge_target(case.target, request, &case.questions, Some(Duration::ZERO)));
    let mut answers: Vec<(usize, Decision)> = known.iter().map(judged).collect();
    if !waiting.is_empty() {
        answers.extend(ask_policies(waiting, request).await);
    }
    for (at, decision) in answers {
        if let Some(place) = decided.get_mut(at) {
            place.1 = Some(decision);
        }
    }
    let broken = |target| Decision::broken(target, "nothing was decided");
    decided.into_iter().map(|(target, decision)| (target, decision.unwrap_or_else(|| broken(target)))).collect()
}

/// What is to be asked about a target, and where its decision belongs.
#[derive(Clone)]
struct Case {
    target: Pk,
    questions: Vec<Question>,
    at: usize,
}

impl Case {
    /// Whether a policy has to be asked: one that has not said before what it says now.
    fn asks_policy(&self) -> bool {
        self.questions.iter().any(|question| question.known.is_none() && question.policy.is_some())
    }
}

/// Remembers what policies have said to the same person before; the request of her as she is known. A trial begins anew.
fn recall<'r>(cases: &mut [Case], request: &'r Request) -> Cow<'r, Request> {
    let questions = || cases.iter().flat_map(|case| &case.questions);
    if request.trial || !questions().any(|question| question.policy.is_some()) {
        return Cow::Borrowed(request);
    }
    let known = request.services.decisions.about(request);
    for question in cases.iter_mut().flat_map(|case| &mut case.questions) {
        let policy = question.policy.and_then(|(policy, _)| request.snapshot.object(policy.pk()));
        question.known = policy.and_then(|policy| known.verdict(policy));
    }
    Cow::Owned(Request { person: known.person().cloned(), ..request.clone() })
}

/// Decides cases on a thread of policies; without one, none of their policies can decide.
async fn ask_policies(cases: Vec<Case>, request: &Request) -> Vec<(usize, Decision)> {
    let patience = patience(cases.iter().flat_map(|case| &case.questions));
    on_a_thread(request, patience, move |request, waited| {
        let decide = |case: &Case| (case.at, judge_target(case.target, request, &case.questions, waited()));
        cases.iter().map(decide).collect()
    })
    .await
}

/// Whether every one of `policies` lets the request through; nothing asked, everybody may. For what lists its policies itself, as the
/// validation of a form does: an error refuses. Each has `limit` to decide.
pub async fn decide_all(policies: &[Ref<dyn Policy>], limit: Duration, request: &Request) -> Decision {
    let question = |(order, policy): (i32, &Ref<dyn Policy>)| Question {
        order,
        at: policy.pk(),
        binding: None,
        policy: Some((*policy, limit)),
        known: None,
    };
    let questions: Vec<Question> = (0..).zip(policies).map(question).collect();
    if questions.is_empty() {
        return Decision::open();
    }
    on_a_thread(request, limit, move |request, waited| judge(EngineMode::All, request.clone(), &questions, waited())).await
}

/// How long it is worth while to wait for a thread: longer than that no policy could be asked any more.
fn patience<'a>(questions: impl Iterator<Item = &'a Question>) -> Duration {
    questions.filter_map(|question| question.policy.map(|(_, limit)| limit)).max().unwrap_or_default()
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
#[derive(Clone)]
struct Question {
    order: i32,
    at: Pk,
    /// The binding that says so; without one a policy is asked alone.
    binding: Option<Ref<PolicyBinding>>,
    /// The policy that is asked, if one is, and how long it has to decide.
    policy: Option<(Ref<dyn Policy>, Duration)>,
    /// What the policy has said to the same person before.
    known: Option<Arc<Verdict>>,
}

impl Question {
    fn ask(&self, request: &Arc<Request>, waited: Option<Duration>) -> Asked {
        let asked = self.policy.map(|(policy, limit)| match &self.known {
            Some(verdict) => repeat(policy, verdict, request),
            None => ask_policy(policy, limit, request, waited),
        });
        let Some(at) = self.binding else {
            return asked.unwrap_or_else(|| Asked::of(Subject::Unknown(String::new()), Err(Failure::new("nothing is asked"))));
        };
        match request.snapshot.get(at) {
            Some(binding) => {
                let asked = asked.unwrap_or_else(|| ask(binding, request));
                Asked { negate: binding.negate, failure_result: binding.failure_result, ..asked }
            }
            None => Asked::of(Subject::Unknown(at.pk().to_string()), Err(Failure::new("the binding cannot be read"))),
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
            Ok((at, binding)) if binding.enabled => {
                let policy = binding.policy.map(|policy| (policy, binding.limit()));
                bindings.push(Question { order: binding.order, at: at.pk(), binding: Some(at), policy, known: None });
            }
            Ok(_) => {}
            Err(broken) => return Err(Box::new(Decision::broken(broken.pk, &broken.problem))),
        }
    }
    if bindings.is_empty() {
        return Err(Box::new(Decision::open()));
    }
    bindings.sort_by_key(|question| (question.order, question.at));
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
        let (binding, order, subject, negate) = (question.at.to_string(), question.order, asked.subject, asked.negate);
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

    fn by(policy: &dyn Policy, answer: Result<Option<Verdict>, Failure>) -> Self {
        Self { noted: policy.logs_executions(), ..Self::of(Subject::Policy(policy.name().to_owned()), answer) }
    }
}

/// Asks a binding to an account or a group.
fn ask(binding: &PolicyBinding, request: &Request) -> Asked {
    let member = |subject: Subject, is: &dyn Fn(&Person) -> bool| {
        Asked::of(subject, Ok(request.person.as_deref().map(|person| Verdict::plain(is(person)))))
    };
    if let Some(group) = binding.group {
        member(Subject::Group(group.key()), &|person| person.is_in(group.key()))
    } else if let Some(user) = binding.user {
        member(Subject::User(user.key()), &|person| person.user.pk == user.key())
    } else {
        Asked::of(Subject::Unknown(String::new()), Err(Failure::new("the binding names nobody")))
    }
}

/// What a policy said before, once more.
fn repeat(at: Ref<dyn Policy>, verdict: &Verdict, request: &Request) -> Asked {
    match request.snapshot.get::<dyn Policy>(at) {
        Some(policy) => Asked::by(policy, Ok(Some(verdict.clone()))),
        None => unreadable(at),
    }
}

fn ask_policy(at: Ref<dyn Policy>, limit: Duration, request: &Arc<Request>, waited: Option<Duration>) -> Asked {
    let Some(policy) = request.snapshot.get::<dyn Policy>(at) else { return unreadable(at) };
    let answer = match waited {
        None => Err(Failure::new("too many decisions are waiting")),
        Some(waited) => evaluate(policy, request, limit.saturating_sub(waited)),
    };
    if let (Ok(verdict), Some(object)) = (&answer, request.snapshot.object(at.pk()))
        && verdict.lasting
        && !request.trial
    {
        request.services.decisions.about(request).remember(object, verdict);
    }
    Asked::by(policy, answer.map(Some))
}

fn unreadable(policy: Ref<dyn Policy>) -> Asked {
    Asked::of(Subject::Unknown(policy.pk().to_string()), Err(Failure::new("the policy cannot be read")))
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
