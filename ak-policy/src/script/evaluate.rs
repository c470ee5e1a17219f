//! Scripts that compute a value: property mappings, and what stands in prompts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ak_store::model::Pk;
use ak_store::records::Group;
use rhai::{Dynamic, Scope};
use serde_json::Value;

use super::document::{Name, Names, Script};
use super::functions::{Logger, Requests};
use super::people::{GroupView, User};
use super::request::{ObjectView, RequestView};
use super::run::{Run, State};
use super::value::{to_dynamic, to_json};
use crate::policy::{Changes, Failure, LogLine};
use crate::pool;
use crate::request::Request;

/// How long a script may take that computes a value.
const LIMIT: Duration = Duration::from_secs(30);

/// What the scripts of a field find besides what every script that computes a value finds, by name.
pub type Extra = BTreeMap<String, Given>;

/// What a script finds by a name.
#[derive(Debug, Clone)]
pub enum Given {
    /// A value.
    Value(Value),
    /// An object of the configuration.
    Object(Pk),
    /// A group.
    Group(Arc<Group>),
}

impl Given {
    fn dynamic(&self) -> Dynamic {
        match self {
            Self::Value(value) => to_dynamic(value),
            Self::Object(pk) => Dynamic::from(ObjectView(*pk)),
            Self::Group(group) => Dynamic::from(GroupView(group.clone())),
        }
    }
}

/// The variables of every script that computes a value. The [`Names`] of a field repeat those that its scripts find, and add its own.
pub const VALUE_NAMES: [Name; 6] = [
    Name { name: "user", kind: "User", doc: "The account that it is about; `()` without one." },
    Name { name: "request", kind: "Request", doc: "What is asked." },
    Name { name: "http_request", kind: "HttpRequest", doc: "The HTTP request; `()` without one." },
    Name { name: "ak_client_ip", kind: "IpAddress", doc: "Where the request came from; `()` if that is not known." },
    Name { name: "requests", kind: "Requests", doc: "Makes HTTP requests, to hosts that the installation has listed." },
    Name { name: "ak_logger", kind: "Logger", doc: "Writes log lines." },
];

/// What came of a script that computes a value.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The value; or why there is none. Whoever needs the value refuses then: it is never left out.
    pub value: Result<Value, Failure>,
    /// What the script logged.
    pub log: Vec<LogLine>,
    /// What it changed. Whoever asked makes the changes, or, in a trial, does not.
    pub changes: Changes,
}

impl<N: Names> Script<N> {
    /// The value that the script computes for a request, on a thread of policies. `extra` is what its field adds; of its names those that
    /// are not given are `()`.
    pub async fn evaluate(&self, request: &Request, extra: Extra) -> Evaluation {
        let mut evaluations = evaluate_all(vec![(self.clone(), extra)], request).await;
        evaluations.pop().unwrap_or_else(|| Evaluation::failed("the script was not asked"))
    }

    fn value(&self, request: &Arc<Request>, extra: &Extra) -> Evaluation {
        let ran = self.run(request, LIMIT, |run, scope| fill::<N>(run, scope, extra));
        let State { log, changes, .. } = ran.state;
        let value = ran.value.and_then(|value| to_json(&value).map_err(Failure::new));
        Evaluation { value, log, changes }
    }
}

impl Evaluation {
    fn failed(why: impl ToString) -> Self {
        Self { value: Err(Failure::new(why.to_string())), log: Vec::new(), changes: Changes::default() }
    }
}

/// The values of scripts for a request, one after the other on one thread of policies, up to the first that fails. Each comes with what
/// its field adds.
pub async fn evaluate_all<N: Names>(scripts: Vec<(Script<N>, Extra)>, request: &Request) -> Vec<Evaluation> {
    let request = Arc::new(request.clone());
    let job = move || {
        let mut all = Vec::with_capacity(scripts.len());
        for (script, extra) in &scripts {
            let evaluation = script.value(&request, extra);
            let failed = evaluation.value.is_err();
            all.push(evaluation);
            if failed {
                break;
            }
        }
        all
    };
    pool::run(LIMIT, job).await.unwrap_or_else(|busy| vec![Evaluation::failed(busy)])
}

/// Puts the names of a field into a scope.
fn fill<N: Names>(run: &Run, scope: &mut Scope<'_>, extra: &Extra) {
    for Name { name, .. } in N::NAMES.iter().filter(|name| run.uses(name.name)) {
        let value = match *name {
            "user" => run.person().map_or(Dynamic::UNIT, |person| Dynamic::from(User(Some(person.clone())))),
            "request" => Dynamic::from(RequestView),
            "http_request" => run.request().http.clone().map_or(Dynamic::UNIT, Dynamic::from),
            "ak_client_ip" => run.request().client_ip.map_or(Dynamic::UNIT, Dynamic::from),
            "requests" => Dynamic::from(Requests),
            "ak_logger" => Dynamic::from(Logger),
            name => extra.get(name).map_or(Dynamic::UNIT, Given::dynamic),
        };
        scope.push_dynamic(*name, value);
    }
}
