//! What came of a run, for the programs that show test results (JUnit's XML, as Jenkins, GitLab and GitHub's actions read it).

use std::fmt::Write as _;

use super::report::{Outcome, Report, Tested};

impl Report {
    /// The report as JUnit's XML. Nothing is said of durations: the clock of a scene stands still.
    pub fn junit(&self) -> String {
        let count = self.scripts.iter().map(tests).sum::<usize>();
        let broken = self.scripts.iter().filter(|script| matches!(script.outcome, Outcome::Broken(_))).count();
        let suites: String = self.scripts.iter().map(suite).collect();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"{count}\" failures=\"{}\" errors=\"{broken}\">\n{suites}</testsuites>\n",
            self.failed()
        )
    }
}

fn tests(script: &Tested) -> usize {
    match &script.outcome {
        Outcome::Ran(cases) => cases.len(),
        Outcome::Untested | Outcome::Broken(_) => 1,
    }
}

fn suite(script: &Tested) -> String {
    let path = escaped(&script.path.display().to_string());
    let mut cases = String::new();
    let mut case = |name: &str, inside: &str| {
        // Writing to a text cannot fail.
        let _ = writeln!(cases, "    <testcase classname=\"{path}\" name=\"{}\">{inside}</testcase>", escaped(name));
    };
    let (mut failures, mut errors, mut skipped) = (0, 0, 0);
    match &script.outcome {
        Outcome::Ran(ran) => {
            for (name, failed) in ran {
                let inside = failed.as_ref().map(|failed| {
                    failures += 1;
                    let first = failed.differences.first().and_then(|text| text.lines().next()).unwrap_or_default();
                    format!("<failure message=\"{}\">{}</failure>", escaped(first), escaped(&failed.to_string()))
                });
                case(name, &inside.unwrap_or_default());
            }
        }
        Outcome::Untested => {
            skipped = 1;
            case("the policy has cases", "<skipped/>");
        }
        Outcome::Broken(problem) => {
            errors = 1;
            let first = problem.lines().next().unwrap_or_default();
            case("the file can be used", &format!("<error message=\"{}\">{}</error>", escaped(first), escaped(problem)));
        }
    }
    let count = tests(script);
    format!(
        "  <testsuite name=\"{path}\" tests=\"{count}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\">\n{cases}  </testsuite>\n"
    )
}

/// A text in XML 1.0, which has no form at all for most control characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(letter),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}
