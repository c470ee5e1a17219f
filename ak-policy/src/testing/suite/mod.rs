//! Folders of policies with cases, as `ak policy test DIR` runs them.
//!
//! `wiki.rhai` and `wiki.py` are policies; the cases of both are in `wiki.cases.yaml` beside them:
//!
//! ```yaml
//! given:                     # for all cases; what a case says itself counts instead
//!   zone: Europe/Berlin
//! cases:
//!   - name: staff may by day
//!     user: { username: ada, groups: [staff] }
//!     now: 2026-11-18 10:00
//!     result: true
//!   - name: not by night
//!     user: { username: ada, groups: [staff] }
//!     now: 2026-11-18 23:00
//!     result: false
//!     messages: [Staff only, and by day.]
//! ```
//!
//! | of a case | |
//! |---|---|
//! | `user` | who asks: an account (`username`, `name`, `email`, `groups`, `attributes`, `type`, `path`, `is_active`, `has_password`, `date_joined`, `last_login`), or the name of one of `users`; nobody where it is left out |
//! | `users`, `groups` | what else there is; a group has `name`, `parents`, `attributes`, `is_superuser`, and need not be listed if it is plain |
//! | `request` | `client_ip`, `method`, `url`, `headers` |
//! | `context` | what the flow has gathered; `pending_user` is the name of an account |
//! | `now`, `zone` | the moment, and the server's time zone (UTC) |
//! | `dns` | the addresses of names; of others nothing is known |
//! | `answers` | by address: what requests get (`status`, `headers`, `json` or `text`); others are refused |
//! | `geoip`, `asn` | by address: where it is (`continent`, `country`, `lat`, `long`, `city`), and whose network it is in (`asn`, `as_org`, `network`) |
//! | `result` or `error` | what is expected: `true` or `false`, or a part of the text of the error |
//! | `messages`, `log`, `changes` | what else is expected, exactly (`changes` as [`super::House::changes`] gives them, `log` as `level: text`); what is left out is not compared |
//!
//! Another policy of the folder is asked by the name of its file: `ak_call_policy("wiki")`.

mod case;
mod diff;
mod file;
mod junit;
mod report;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use report::{Covered, Failed, Outcome, Report, Tested};

use case::Case;

use crate::python::alike;
use crate::script::{Language, Script, coverage};

/// How the files of cases end.
const CASES: &str = ".cases.yaml";

/// The files of a folder that matter here, read.
#[derive(Debug, Default)]
pub struct Folder {
    policies: BTreeMap<PathBuf, Result<String, String>>,
    cases: BTreeMap<PathBuf, Result<String, String>>,
}

impl Folder {
    /// Whether a file of this name is a policy or holds cases.
    pub fn wants(path: &Path) -> bool {
        is_cases(path) || is_policy(path)
    }

    /// Adds a file: its path, and its text, or why it cannot be read. Others than those [`Folder::wants`] are passed over.
    pub fn add(&mut self, path: PathBuf, text: Result<String, String>) {
        if is_cases(&path) {
            self.cases.insert(path, text);
        } else if is_policy(&path) {
            self.policies.insert(path, text);
        }
    }

    /// Runs every policy against its cases.
    pub async fn run(&self) -> Report {
        self.run_all().await
    }

    /// The same, and tells which lines of a policy none of its cases reached. Until it is done, all scripts that the process reads note
    /// their lines, and are slower for it: this is for programs that do nothing else.
    pub async fn run_with_coverage(&self) -> Report {
        coverage::begin();
        let report = self.run_all().await;
        coverage::end();
        report
    }

    async fn run_all(&self) -> Report {
        let mut scripts = Vec::new();
        for (path, text) in &self.policies {
            let outcome = self.outcome(path, text).await;
            let lines = text.as_ref().ok().and_then(|text| Some(Covered::of(&coverage::of(kept(text))?, lines_before(text))));
            scripts.push(Tested { path: path.clone(), outcome, lines });
        }
        for (path, text) in &self.cases {
            let alone = !self.policies.keys().any(|policy| cases_of(policy) == *path);
            let problem = match text {
                Err(problem) if alone => problem.clone(),
                _ if alone => "there is no policy beside it (.rhai or .py) that these cases are for".to_owned(),
                _ => continue,
            };
            scripts.push(Tested { path: path.clone(), outcome: Outcome::Broken(problem), lines: None });
        }
        Report { scripts }
    }

    async fn outcome(&self, path: &Path, text: &Result<String, String>) -> Outcome {
        let cases = cases_of(path);
        let read = match (text, self.cases.get(&cases)) {
            (Err(problem), _) => Err(problem.clone()),
            (Ok(_), None) => return Outcome::Untested,
            (Ok(_), Some(Err(problem))) => Err(format!("{}: {problem}", cases.display())),
            (Ok(text), Some(Ok(yaml))) => {
                file::read(yaml).map(|read| (text, read)).map_err(|problem| format!("{}: {problem}", cases.display()))
            }
        };
        match read {
            Ok((text, read)) => self.run_cases(path, text, &read).await.unwrap_or_else(Outcome::Broken),
            Err(problem) => Outcome::Broken(problem),
        }
    }

    async fn run_cases(&self, path: &Path, text: &str, cases: &[Case]) -> Result<Outcome, String> {
        is_of_its_language(path, text)?;
        let others = self.others(path, text);
        let mut done = Vec::with_capacity(cases.len());
        for case in cases {
            done.push((case.name.clone(), case.run(&stem(path), kept(text), &others).await?));
        }
        Ok(Outcome::Ran(done))
    }

    /// The other policies that this one may ask, by name; those in its own language first.
    fn others(&self, path: &Path, text: &str) -> BTreeMap<String, String> {
        let mut others = BTreeMap::new();
        if !text.contains("ak_call_policy") {
            return others;
        }
        let mut ordered: Vec<_> = self.policies.iter().collect();
        ordered.sort_by_key(|(other, _)| other.extension() != path.extension());
        for (other, text) in ordered {
            if let Ok(text) = text
                && stem(other) != stem(path)
            {
                others.entry(stem(other)).or_insert_with(|| text.clone());
            }
        }
        others
    }
}

/// A text as it is kept: fields of the API lose what is blank around them.
fn kept(text: &str) -> &str {
    text.trim()
}

/// How many lines of a text come before what is kept of it.
fn lines_before(text: &str) -> i64 {
    let blank = text.chars().take_while(|letter| letter.is_whitespace());
    blank.filter(|letter| *letter == '\n').fold(0, |lines, _| lines + 1)
}

/// Whether a policy can be read, in the language of its file. Where the policy is kept there is no file, so it must be clear without.
fn is_of_its_language(path: &Path, text: &str) -> Result<(), String> {
    let python = path.extension().is_some_and(|ending| ending == "py");
    let (wanted, mark) = if python { (Language::Python, "# python") } else { (Language::Rhai, "// rhai") };
    let script: Script = Script::new(text);
    if !script.problems().is_empty() {
        let problems: Vec<String> = script.problems().iter().map(ToString::to_string).collect();
        return Err(problems.join("\n"));
    }
    if script.language() == wanted || alike(text) {
        return Ok(());
    }
    Err(format!("this can be read in the other language only; say `{mark}` in the first line to see why"))
}

fn is_cases(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(CASES))
}

fn is_policy(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "rhai" || ending == "py")
}

fn cases_of(policy: &Path) -> PathBuf {
    policy.with_file_name(format!("{}{CASES}", stem(policy)))
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
