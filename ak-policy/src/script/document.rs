//! A script as a field of a document.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use ak_store::model::Errors;
use rhai::{Dynamic, Scope};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::engine::Machine;
use super::language::{Code, Language, Unusable, read};
use super::run::{Run, State};
use crate::policy::Failure;
use crate::request::Request;

/// A variable that scripts find.
#[derive(Debug, Clone, Copy)]
pub struct Name {
    /// What it is called.
    pub name: &'static str,
    /// The type of its value.
    pub kind: &'static str,
    /// What it is.
    pub doc: &'static str,
}

/// Which variables the scripts of a field find.
pub trait Names: Send + Sync + 'static {
    /// All of them.
    const NAMES: &'static [Name];
}

/// The variables of expression policies.
#[derive(Debug, Clone, Copy)]
pub struct PolicyNames;

impl Names for PolicyNames {
    const NAMES: &'static [Name] = &[
        Name { name: "request", kind: "Request", doc: "What is asked." },
        Name { name: "user", kind: "User", doc: "Who asks: the same as `request.user`." },
        Name { name: "context", kind: "Context", doc: "What the flow has gathered: the same as `request.context`." },
        Name { name: "http_request", kind: "HttpRequest", doc: "The HTTP request; `()` without one." },
        Name { name: "ak_client_ip", kind: "IpAddress", doc: "Where the request came from; `()` if that is not known." },
        Name { name: "ak_is_sso_flow", kind: "bool", doc: "Whether the person comes from a source." },
        Name { name: "requests", kind: "Requests", doc: "Makes HTTP requests, to hosts that the installation has listed." },
        Name { name: "ak_logger", kind: "Logger", doc: "Writes log lines, which are shown with the decision." },
    ];
}

/// A script as a field of a document: the text as the client wrote it, and what became of it.
///
/// Reading a document never fails for its script: one that cannot be used is kept with the reason, and whatever asks it is refused.
/// [`Script::check`], from the kind's own `check`, refuses it when it is saved.
pub struct Script<N = PolicyNames> {
    source: Arc<str>,
    language: Language,
    code: Result<Arc<Code>, Arc<Unusable>>,
    names: PhantomData<fn() -> N>,
}

impl<N> Clone for Script<N> {
    fn clone(&self) -> Self {
        Self { source: self.source.clone(), language: self.language, code: self.code.clone(), names: PhantomData }
    }
}

impl<N> PartialEq for Script<N> {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl<N> fmt::Debug for Script<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("source", &self.source).field("language", &self.language).finish_non_exhaustive()
    }
}

impl<N: Names> Script<N> {
    /// Reads a script.
    pub fn new(source: impl Into<Arc<str>>) -> Self {
        let source = source.into();
        let (language, code) = read(&source, N::NAMES);
        Self { source, language, code: code.map(Arc::new).map_err(Arc::from), names: PhantomData }
    }

    /// The text as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The language that it is written in.
    pub fn language(&self) -> Language {
        self.language
    }

    /// Why it cannot be used, and where; nothing if it can.
    pub fn problems(&self) -> &[Failure] {
        self.code.as_ref().err().map_or(&[], |unusable| &unusable.problems)
    }

    /// What a script in Python was translated to.
    pub fn translation(&self) -> Option<&str> {
        self.code.as_ref().ok()?.translation.as_ref().map(|translation| translation.rhai.as_str())
    }

    /// Refuses a script that cannot be used, with line and column, at this path of the document. Python that is sound but not covered is
    /// none: it is kept, and [`Script::remark`] tells of it.
    pub fn check(&self, path: &[&str], errors: &mut Errors) {
        if !self.is_kept() {
            self.tell(path, "", errors);
        }
    }

    /// Tells what of a script that is kept is not covered, with line and column, at this path of the document. Whatever asks it is refused.
    pub fn remark(&self, path: &[&str], remarks: &mut Errors) {
        if self.is_kept() {
            self.tell(path, "This expression needs to be worked over, and refuses until then: ", remarks);
        }
    }

    fn is_kept(&self) -> bool {
        self.code.as_ref().is_err_and(|unusable| unusable.kept)
    }

    fn tell(&self, path: &[&str], before: &str, errors: &mut Errors) {
        for problem in self.problems() {
            errors.at(path, format!("{before}{problem}"), "invalid");
        }
    }

    /// Runs the script. `fill` puts the variables of its field into the scope.
    pub(crate) fn run(&self, request: &Arc<Request>, limit: Duration, fill: impl FnOnce(&Run, &mut Scope<'_>)) -> Ran {
        let code = match &self.code {
            Ok(code) => code,
            Err(unusable) => return Ran { value: Err(first(&unusable.problems)), state: State::default(), lasting: false },
        };
        let run = Run::new(request.clone(), limit, code.uses.clone());
        let mut scope = Scope::with_capacity(N::NAMES.len() + 8);
        fill(&run, &mut scope);
        let value = Machine::evaluate(&run, code, &mut scope);
        drop(scope);
        let state = std::mem::take(&mut *run.state());
        Ran { value, state, lasting: run.is_lasting() }
    }
}

/// What came of running a script.
pub(crate) struct Ran {
    pub(crate) value: Result<Dynamic, Failure>,
    pub(crate) state: State,
    /// Whether it depends on nothing but the script and who asks.
    pub(crate) lasting: bool,
}

fn first(problems: &[Failure]) -> Failure {
    let first = problems.first().cloned();
    let failure = first.unwrap_or_else(|| Failure::new("the script cannot be used"));
    Failure { message: format!("the script cannot be used: {}", failure.message), ..failure }
}

impl<N: Names> Serialize for Script<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

impl<'de, N: Names> Deserialize<'de> for Script<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl<N> JsonSchema for Script<N> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Script".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }
}
