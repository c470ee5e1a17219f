//! From the parsed tree to Rhai.

mod calls;
mod comprehensions;
mod expressions;
mod names;
mod statements;
mod texts;

use std::collections::{BTreeMap, BTreeSet};

use ruff_text_size::{Ranged, TextRange};

use super::source::Source;

/// A construct that is not covered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flag {
    /// The line in the Python source, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// Why, in a sentence for its author.
    pub reason: String,
}

impl Flag {
    pub(super) fn new(line: usize, column: usize, reason: impl Into<String>) -> Self {
        Self { line, column, reason: reason.into() }
    }
}

impl std::fmt::Display for Flag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.reason)
    }
}

/// A translated expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// The script.
    pub rhai: String,
    /// For every line of the script the line of the Python source that it comes from, from 1; 0 where it comes from none.
    pub lines: Vec<usize>,
    /// The variables and functions that the script needs from its surroundings (`request`, `ak_message`, …).
    pub names: BTreeSet<String>,
    /// Whether the body yields: it is a generator, whose result here is the array of all that it yields. A policy of that
    /// form is a mistake of its author (a generator is always true), a mapping with several values is what it is for.
    pub yields: bool,
}

impl Translation {
    /// The line of the Python source that a line of the script comes from.
    pub fn python_line(&self, rhai_line: usize) -> Option<usize> {
        self.lines.get(rhai_line.checked_sub(1)?).copied().filter(|line| *line > 0)
    }
}

/// Translates the body of a Python expression, as authentik would run it.
///
/// # Errors
/// Everything that is not covered, by its place in the source: nothing is translated then.
pub fn translate(source: &str) -> Result<Translation, Vec<Flag>> {
    let source = Source::parse(source)?;
    let mut translator = Translator::new(&source);
    translator.function();
    if translator.flags.is_empty() {
        Ok(Translation { rhai: translator.out, lines: translator.lines, names: translator.names, yields: translator.yields })
    } else {
        translator.flags.sort();
        translator.flags.dedup();
        Err(translator.flags)
    }
}

/// A construct was flagged; the flag is on the list.
#[derive(Debug, Clone, Copy)]
struct Flagged;

type Translated<T = String> = Result<T, Flagged>;

struct Translator<'a> {
    source: &'a Source,
    flags: Vec<Flag>,
    out: String,
    lines: Vec<usize>,
    indent: usize,
    /// What the function assigns, apart from imports.
    locals: BTreeSet<String>,
    /// What the function imports, and what the name stands for.
    imports: BTreeMap<String, String>,
    /// The imports that have been passed.
    imported: BTreeSet<String>,
    /// The names of caught errors: Python forgets them after the handler.
    caught: BTreeSet<String>,
    /// The locals that have a value wherever the statement can be reached.
    assigned: BTreeSet<String>,
    /// The names of the surroundings that the body replaces, but reads before.
    inherited: BTreeSet<String>,
    /// The variables of the comprehensions that are open.
    inner: Vec<String>,
    names: BTreeSet<String>,
    temporaries: usize,
    depth: usize,
    /// The loops that are open; with the variable that `break` has to set, if there is an `else`.
    loops: Vec<Option<String>>,
    /// The caught errors that are being handled.
    handling: Vec<String>,
    yields: bool,
}

impl<'a> Translator<'a> {
    fn new(source: &'a Source) -> Self {
        Self {
            source,
            flags: Vec::new(),
            out: String::new(),
            lines: Vec::new(),
            indent: 0,
            locals: BTreeSet::new(),
            imports: BTreeMap::new(),
            imported: BTreeSet::new(),
            caught: BTreeSet::new(),
            assigned: BTreeSet::new(),
            inherited: BTreeSet::new(),
            inner: Vec::new(),
            names: BTreeSet::new(),
            temporaries: 0,
            depth: 0,
            loops: Vec::new(),
            handling: Vec::new(),
            yields: false,
        }
    }

    fn flag<T>(&mut self, node: &impl Ranged, reason: impl Into<String>) -> Translated<T> {
        self.flag_range(node.range(), reason)
    }

    fn flag_range<T>(&mut self, range: TextRange, reason: impl Into<String>) -> Translated<T> {
        self.flags.push(self.source.flag(range, reason));
        Err(Flagged)
    }

    /// Writes a line that comes from the Python line of `node`.
    fn line(&mut self, node: &impl Ranged, text: &str) {
        let (line, _) = self.source.place(node.range().start());
        self.raw_line(line, text);
    }

    fn raw_line(&mut self, python_line: usize, text: &str) {
        self.out.extend(std::iter::repeat_n("    ", self.indent));
        self.out.push_str(text);
        self.out.push('\n');
        self.lines.push(python_line);
    }

    /// A variable that no Python name can be.
    fn temporary(&mut self, stem: &str) -> String {
        self.temporaries += 1;
        format!("py_{stem}{}", self.temporaries)
    }
}
