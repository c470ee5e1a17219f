//! What came of a run, for people.

use std::fmt::{Display, Formatter, Result};
use std::path::PathBuf;

use crate::decision::Decision;
use crate::script::coverage::Lines;

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// Every policy, and every file of cases without one.
    pub scripts: Vec<Tested>,
}

/// A policy.
#[derive(Debug)]
pub struct Tested {
    /// Its file.
    pub path: PathBuf,
    /// What came of it.
    pub outcome: Outcome,
    /// Which of its lines its cases reached, where that was asked for.
    pub lines: Option<Covered>,
}

/// Which lines of a policy were reached, counted from 1: those on which a statement begins, except in functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Covered {
    /// How many there are.
    pub all: usize,
    /// Those that were not reached.
    pub missed: Vec<i64>,
}

impl Covered {
    /// Of a script that begins after so many lines of its file.
    pub(super) fn of(lines: &Lines, before: i64) -> Self {
        let missed = lines.all.difference(&lines.reached).map(|line| line + before);
        Self { all: lines.all.len(), missed: missed.collect() }
    }
}

impl Display for Covered {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} of {} lines reached", self.all - self.missed.len(), self.all)?;
        let missed: Vec<String> = self.missed.iter().map(ToString::to_string).collect();
        if missed.is_empty() { Ok(()) } else { write!(f, ", not {}", missed.join(", ")) }
    }
}

/// What came of a policy.
#[derive(Debug)]
pub enum Outcome {
    /// It ran through its cases: by name, with what was not as expected.
    Ran(Vec<(String, Option<Failed>)>),
    /// There are no cases for it.
    Untested,
    /// It, or its file of cases, cannot be used: why.
    Broken(String),
}

/// A case that did not come out as expected.
#[derive(Debug)]
pub struct Failed {
    /// What differs.
    pub differences: Vec<String>,
    /// The decision.
    pub decision: Decision,
}

impl Report {
    /// How many files cannot be used. A run over nothing proves nothing: it counts as one.
    pub fn broken(&self) -> usize {
        let broken = self.scripts.iter().filter(|script| matches!(script.outcome, Outcome::Broken(_))).count();
        if self.scripts.is_empty() { 1 } else { broken }
    }

    /// How many cases did not come out as expected.
    pub fn failed(&self) -> usize {
        self.cases().filter(|(_, failed)| failed.is_some()).count()
    }

    /// All cases that ran.
    pub fn cases(&self) -> impl Iterator<Item = &(String, Option<Failed>)> {
        self.scripts.iter().flat_map(|script| match &script.outcome {
            Outcome::Ran(cases) => cases.as_slice(),
            Outcome::Untested | Outcome::Broken(_) => &[],
        })
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.scripts.iter().try_for_each(|script| write!(f, "{script}"))?;
        if self.scripts.is_empty() {
            writeln!(f, "There are no policies (.rhai, .py).")?;
        }
        let (all, failed) = (self.cases().count(), self.failed());
        let untested = self.scripts.iter().filter(|script| matches!(script.outcome, Outcome::Untested)).count();
        write!(f, "{all} cases, {failed} failed")?;
        let mut more = |count: usize, what: &str| if count > 0 { write!(f, "; {count} {what}") } else { Ok(()) };
        more(self.scripts.len().min(self.broken()), "files broken")?;
        more(untested, "policies without cases")
    }
}

impl Display for Tested {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let path = self.path.display();
        match &self.outcome {
            Outcome::Untested => writeln!(f, "??  {path}: no cases"),
            Outcome::Broken(problem) => writeln!(f, "!!  {path}\n{}", indented(problem)),
            Outcome::Ran(cases) => {
                let failed = cases.iter().filter(|(_, failed)| failed.is_some()).count();
                match failed {
                    0 => write!(f, "ok  {path}: {} cases", cases.len())?,
                    failed => write!(f, "no  {path}: {failed} of {} cases", cases.len())?,
                }
                self.lines.iter().try_for_each(|lines| write!(f, "; {lines}"))?;
                writeln!(f)?;
                let wrong = cases.iter().filter_map(|(name, failed)| failed.as_ref().map(|failed| (name, failed)));
                wrong
                    .into_iter()
                    .try_for_each(|(name, failed)| writeln!(f, "    {name}\n{}", indented(&indented(&failed.to_string()))))
            }
        }
    }
}

impl Display for Failed {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.differences.iter().try_for_each(|difference| writeln!(f, "{difference}"))?;
        write!(f, "the decision: {}", self.decision)
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
