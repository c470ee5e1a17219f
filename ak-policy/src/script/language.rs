//! In which language a script is written, and what it is in the engine's.

use rhai::AST;

use super::check::problems;
use super::document::{Name, Unusable};
use super::engine::machine;
use crate::policy::Failure;

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

/// Reads a script in which these variables are known.
pub(super) fn read(source: &str, names: &[Name]) -> (Language, Result<AST, Unusable>) {
    if Language::said(source) == Some(Language::Python) {
        let problem = Failure { line: Some(1), column: Some(1), ..Failure::new("Expressions in Python cannot be used yet.") };
        return (Language::Python, Err(Unusable { problems: vec![problem], kept: false }));
    }
    (Language::Rhai, rhai(source, names).map_err(|problems| Unusable { problems, kept: false }))
}

/// Reads a script as the engine's own language, in which nothing may be unknown.
fn rhai(source: &str, names: &[Name]) -> Result<AST, Vec<Failure>> {
    let machine = machine();
    let ast = machine.compile(source, names.iter().map(|name| name.name)).map_err(|failure| vec![failure])?;
    let problems = problems(machine, &ast);
    if problems.is_empty() { Ok(ast) } else { Err(problems) }
}
