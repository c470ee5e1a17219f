//! A decision in words, for whoever looks into why somebody was refused.

use std::fmt::{Display, Formatter, Result};

use crate::decision::{Decision, Outcome, Subject, Trace};

/// With `{:#}` every binding is named by its key.
impl Display for Decision {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(if self.passing { "let through" } else { "refused" })?;
        if self.undecided {
            f.write_str(", because of an error")?;
        }
        let bindings = f.alternate();
        self.trace.iter().try_for_each(|trace| if bindings { write!(f, "\n  {trace:#}") } else { write!(f, "\n  {trace}") })
    }
}

impl Display for Trace {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}. {}", self.order, self.subject)?;
        if f.alternate() {
            write!(f, " (binding {})", self.binding)?;
        }
        f.write_str(": ")?;
        match &self.outcome {
            Outcome::Answered if self.negate => write!(f, "{} after negate", yes_or_no(self.passing))?,
            Outcome::Answered => f.write_str(yes_or_no(self.passing))?,
            Outcome::Failed(failure) => write!(f, "failed: {failure}; {} instead", yes_or_no(self.passing))?,
        }
        write!(f, " ({} µs)", self.micros)?;
        self.messages.iter().try_for_each(|message| write!(f, "\n     says: {message}"))?;
        self.log.iter().try_for_each(|line| write!(f, "\n     {}: {}", line.level, line.event))
    }
}

fn yes_or_no(passing: bool) -> &'static str {
    if passing { "yes" } else { "no" }
}

impl Display for Subject {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Policy(name) => write!(f, "the policy {name}"),
            Self::User(pk) => write!(f, "the account {pk}"),
            Self::Group(pk) => write!(f, "the group {pk}"),
            Self::Unknown(what) => write!(f, "something that cannot be read ({what})"),
        }
    }
}
