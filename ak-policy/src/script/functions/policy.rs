//! Asking another policy.

use std::sync::Arc;

use rhai::{Array, Map};

use crate::policy::Policy;
use crate::script::run::Run;
use crate::script::table::Table;
use crate::script::value::{Wrong, texts, to_object};

/// What another policy said.
#[derive(Debug, Clone)]
pub(crate) struct PolicyResult {
    /// Whether it lets through.
    pub passing: bool,
    messages: Vec<String>,
}

/// How many policies may ask each other at the most.
const DEPTH: usize = 4;

fn call(name: &str, more: &Map) -> Result<PolicyResult, Wrong> {
    let run = Run::current()?;
    if run.depth >= DEPTH {
        return Err("policies ask each other too deep".into());
    }
    let snapshot = &run.request().snapshot;
    let found = snapshot.registry().kinds().iter().flat_map(|info| snapshot.keys(info.index)).find_map(|pk| {
        let policy = snapshot.view::<dyn Policy>(snapshot.object(pk)?)?;
        (policy.name() == name).then_some(policy)
    });
    let Some(policy) = found else { return Err(format!("there is no policy {name}").into()) };
    let mut request = run.request().as_ref().clone();
    request.context = run.with_context(Clone::clone);
    request.context.values.extend(to_object(more)?);
    let answer = policy.evaluate(&Arc::new(request), run.remaining());
    match answer {
        Ok(verdict) => Ok(PolicyResult { passing: verdict.passing, messages: verdict.messages }),
        Err(failure) => Err(format!("the policy {name} failed: {failure}").into()),
    }
}

/// Registers it.
pub(super) fn register(table: &mut Table) {
    table
        .kind::<PolicyResult>("PolicyResult", "What another policy said. In a condition: whether it lets through.")
        .getter("PolicyResult.passing: bool", "Whether it lets through.", |r: &mut PolicyResult| r.passing)
        .getter("PolicyResult.messages: Array", "What it tells the person.", |r: &mut PolicyResult| -> Array {
            texts(r.messages.iter().cloned())
        })
        .function(
            "ak_call_policy(name: String) -> PolicyResult",
            "Asks another policy. What it changes is not kept.",
            |name: &str| call(name, &Map::new()),
        )
        .function(
            "ak_call_policy(name: String, context: Map) -> PolicyResult",
            "The same, with more in its context.",
            |name: &str, more: Map| call(name, &more),
        );
}
