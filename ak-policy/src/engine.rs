//! From bindings to a decision.

use std::time::Duration;

use ak_store::directory::Person;
use ak_store::model::{Pk, Ref, Snapshot};

use crate::binding::{EngineMode, Policy, PolicyBinding, PolicyError, PolicyTarget, Request, Verdict};
use crate::decision::{Decision, Outcome, Subject, Trace};

/// Whether `request` may have `target`.
///
/// Without an enabled binding everybody may. An error yields the binding's failure result, which is not turned round. Something
/// that guards but cannot be read lets nobody through.
pub fn decide(target: Pk, request: &Request<'_>) -> Decision {
    let snapshot = request.snapshot;
    let Some(guarded) = snapshot.get::<dyn PolicyTarget>(Ref::new(target)) else {
        return Decision::broken(target, "what is guarded cannot be read");
    };
    let mut bindings = Vec::new();
    for found in snapshot.referring::<PolicyBinding>(Ref::<dyn PolicyTarget>::new(target)) {
        match found {
            Ok((at, binding)) if binding.enabled => bindings.push((binding.order, at, binding)),
            Ok(_) => {}
            Err(broken) => return Decision::broken(broken.pk, &broken.problem),
        }
    }
    if bindings.is_empty() {
        return Decision::open();
    }
    bindings.sort_by_key(|(order, at, _)| (*order, at.pk()));
    let mut decision = Decision { trace: Vec::with_capacity(bindings.len()), ..Decision::open() };
    for (order, at, binding) in bindings {
        let (subject, answer) = ask(snapshot, binding, request);
        let (passing, outcome) = match answer {
            Ok(Some(verdict)) => {
                decision.messages.extend(verdict.messages);
                (verdict.passing != binding.negate, Outcome::Answered)
            }
            // Somebody who has not signed in is neither a member nor a non-member: a binding to people does not let her
            // through, turned round or not.
            Ok(None) => (false, Outcome::Answered),
            Err(PolicyError(problem)) => (binding.failure_result, Outcome::Failed(problem)),
        };
        decision.trace.push(Trace { binding: at.pk().to_string(), order, subject, negate: binding.negate, outcome, passing });
    }
    combine(&mut decision, guarded.engine_mode());
    decision
}

/// Whether every one of `policies` lets the request through; nothing asked, everybody may. For what lists its policies itself, as the
/// validation of a form does: an error refuses. Each has `limit` to decide.
pub fn decide_all(policies: &[Ref<dyn Policy>], limit: Duration, request: &Request<'_>) -> Decision {
    let mut decision = Decision::open();
    for (order, policy) in (0..).zip(policies) {
        let (subject, answer) = match request.snapshot.get::<dyn Policy>(*policy) {
            Some(found) => (Subject::Policy(found.name().to_owned()), found.evaluate(request, limit)),
            None => (Subject::Unknown(policy.pk().to_string()), Err(PolicyError("the policy cannot be read".into()))),
        };
        let (passing, outcome) = match answer {
            Ok(verdict) => {
                decision.messages.extend(verdict.messages);
                (verdict.passing, Outcome::Answered)
            }
            Err(PolicyError(problem)) => (false, Outcome::Failed(problem)),
        };
        decision.trace.push(Trace { binding: policy.pk().to_string(), order, subject, negate: false, outcome, passing });
    }
    combine(&mut decision, EngineMode::All);
    decision
}

type Answer = Result<Option<Verdict>, PolicyError>;

/// `None`: the question makes no sense for somebody who has not signed in.
fn ask(snapshot: &Snapshot, binding: &PolicyBinding, request: &Request<'_>) -> (Subject, Answer) {
    let member =
        |is: &dyn Fn(&Person) -> bool| Ok(request.person.map(|person| Verdict { passing: is(person), messages: Vec::new() }));
    let limit = Duration::from_secs(u64::try_from(binding.timeout).unwrap_or(0));
    if let Some(policy) = binding.policy {
        match snapshot.get::<dyn Policy>(policy) {
            Some(policy) => (Subject::Policy(policy.name().to_owned()), policy.evaluate(request, limit).map(Some)),
            None => (Subject::Unknown(policy.pk().to_string()), Err(PolicyError("the policy cannot be read".into()))),
        }
    } else if let Some(group) = binding.group {
        (Subject::Group(group.key()), member(&|person| person.is_in(group.key())))
    } else if let Some(user) = binding.user {
        (Subject::User(user.key()), member(&|person| person.user.pk == user.key()))
    } else {
        (Subject::Unknown(String::new()), Err(PolicyError("the binding names nobody".into())))
    }
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
