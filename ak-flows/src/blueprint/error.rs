//! What is wrong with a blueprint, and where.

use std::fmt;

use ak_store::StoreError;

/// A place in a file, counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// One problem of a blueprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, or what else the blueprint is called.
    pub file: String,
    /// Where in it.
    pub place: Place,
    /// Where in its structure: `entries[3].attrs.name`; empty for the file as such.
    pub path: String,
    /// What is wrong, for people.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { line, column } = self.place;
        write!(f, "{}:{line}:{column}: ", self.file)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Why a blueprint was not applied. Nothing of it was kept.
#[derive(Debug, thiserror::Error)]
pub enum BlueprintError {
    /// What is written in it is wrong.
    #[error("{}", lines(.0))]
    Wrong(Vec<Problem>),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BlueprintError {
    /// A single problem.
    pub(super) fn one(file: &str, place: Place, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Wrong(vec![Problem { file: file.to_owned(), place, path: path.into(), message: message.into() }])
    }

    /// The problems, if it is the blueprint that is wrong.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Wrong(problems) => problems,
            Self::Store(_) => &[],
        }
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
