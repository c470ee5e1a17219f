//! In which language a script is written, and what it is in the engine's.

use std::sync::Arc;

use rhai::AST;

use super::check::problems;
use super::document::Name;
use super::engine::machine;
use super::uses::Uses;
use crate::policy::Failure;
use crate::python::{Flag, Translation, alike, parses, translate};

/// The stack on which scripts are read: what nests in them is read by recursion, on whatever thread loads a document.
const STACK: usize = 64 << 20;

/// The language that a script is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// The engine's own.
    Rhai,
    /// Python, translated.
    Python,
}

impl Language {
    /// What the first line says, `// rhai` or `# python`; `None` where it says nothing.
    pub fn said(source: &str) -> Option<Self> {
        let first = source.trim_start().lines().next()?.trim();
        let named = |mark: &str, name: &str| {
            first.strip_prefix(mark).is_some_and(|rest| rest.trim().trim_end_matches(':').eq_ignore_ascii_case(name))
        };
        match () {
            () if named("//", "rhai") => Some(Self::Rhai),
            () if named("#", "python") => Some(Self::Python),
            () => None,
        }
    }
}

/// What became of a script.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) ast: AST,
    /// What it was translated to, where it was.
    pub(super) translation: Option<Translation>,
    /// What it uses.
    pub(super) uses: Arc<Uses>,
}

impl Code {
    pub(super) fn language(&self) -> Language {
        if self.translation.is_some() { Language::Python } else { Language::Rhai }
    }
}

/// Why a script cannot be used.
#[derive(Debug)]
pub(super) struct Unusable {
    /// Why, and where.
    pub(super) problems: Vec<Failure>,
    /// It is sound Python, of which something is not covered: it is kept as it is, for somebody to work over.
    pub(super) kept: bool,
}

impl From<Vec<Failure>> for Unusable {
    fn from(problems: Vec<Failure>) -> Self {
        Self { problems, kept: false }
    }
}

type Read = Result<Code, Unusable>;

/// Reads a script in which these variables are known. What does not say its language is the engine's own if it can be read as such,
/// else Python.
pub(super) fn read(source: &str, names: &'static [Name]) -> (Language, Read) {
    stacker::grow(STACK, || match Language::said(source) {
        Some(Language::Rhai) => (Language::Rhai, rhai(source, names)),
        Some(Language::Python) => (Language::Python, python(source, names)),
        None => find_out(source, names),
    })
}

fn find_out(source: &str, names: &'static [Name]) -> (Language, Read) {
    let own = rhai(source, names);
    if own.is_err() && !parses(source) {
        return (Language::Rhai, own);
    }
    let foreign = python(source, names);
    match (own, foreign) {
        (Ok(_), Ok(_)) if !alike(source) => {
            let problem = "This can be read as Rhai and as Python, and may mean different things. Say which in a first line: `// rhai` or `# python`.";
            (Language::Rhai, Err(vec![Failure { line: Some(1), column: Some(1), ..Failure::new(problem) }].into()))
        }
        (Ok(code), _) => (Language::Rhai, Ok(code)),
        (Err(_), foreign) => (Language::Python, foreign),
    }
}

/// Reads a script as the engine's own language, in which nothing may be unknown.
fn rhai(source: &str, names: &'static [Name]) -> Read {
    let machine = machine(Language::Rhai);
    let ast = machine.compile(source, names.iter().map(|name| name.name)).map_err(|failure| vec![failure])?;
    let problems = problems(machine, &ast).all();
    let uses = Arc::new(Uses::of(&ast, machine, names));
    #[cfg(feature = "testing")]
    let ast = super::coverage::instrument(machine.engine(), ast, source, &Some);
    if problems.is_empty() { Ok(Code { ast, translation: None, uses }) } else { Err(problems.into()) }
}

/// Reads a script as Python. The translation, too, may use nothing that is unknown.
fn python(source: &str, names: &'static [Name]) -> Read {
    let translation = translate(source)
        .map_err(|flags| Unusable { problems: flags.into_iter().map(flagged).collect(), kept: parses(source) })?;
    if translation.yields {
        // Where the expression comes from, what yields is an object that is always true.
        let at = source.lines().position(|line| line.contains("yield")).unwrap_or(0);
        let problem = Failure { line: Some(at + 1), column: Some(1), ..Failure::new("`yield` gives no answer here.") };
        return Err(vec![problem].into());
    }
    let machine = machine(Language::Python);
    let placed = |failure| in_python(source, &translation, failure);
    let ast = machine.compile(&translation.rhai, names.iter().map(|name| name.name)).map_err(|failure| vec![placed(failure)])?;
    let problems = problems(machine, &ast);
    let uses = Arc::new(Uses::of(&ast, machine, names));
    let kept = problems.are_beyond();
    let problems: Vec<Failure> = problems.all().into_iter().map(placed).collect();
    #[cfg(feature = "testing")]
    let ast = super::coverage::instrument(machine.engine(), ast, source, &|line| translation.python_line(line));
    if problems.is_empty() { Ok(Code { ast, translation: Some(translation), uses }) } else { Err(Unusable { problems, kept }) }
}

fn flagged(flag: Flag) -> Failure {
    Failure { line: Some(flag.line), column: Some(flag.column), ..Failure::new(flag.reason) }
}

/// A problem of a translation at its place in the source: where the name stands that it is about, else where the line begins.
fn in_python(source: &str, translation: &Translation, failure: Failure) -> Failure {
    let line = failure.line.and_then(|line| translation.python_line(line));
    let text = line.and_then(|line| source.lines().nth(line.checked_sub(1)?)).unwrap_or_default();
    let about = translation.names.iter().filter(|name| failure.message.contains(name.as_str()));
    let start = about.filter_map(|name| text.find(name.as_str())).min().unwrap_or(text.len() - text.trim_start().len());
    let column = text.get(..start).map_or(1, |before| before.chars().count() + 1);
    Failure { line, column: line.map(|_| column), ..failure }
}
