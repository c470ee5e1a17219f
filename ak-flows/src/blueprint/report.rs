//! What a blueprint does to an installation: the same value is printed by a plan and kept by an apply.

use std::fmt;

use serde_json::Value;

use super::error::{Place, Problem};

/// What happens to one object or record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// It is deleted.
    Delete,
    /// It is as it should be.
    Unchanged,
    /// It was deleted here on purpose, and is not made again.
    LeftOut,
}

/// A field that is changed, or that would be if it had not been changed here.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldChange {
    /// Its name.
    pub field: String,
    /// Its value before.
    pub from: Value,
    /// Its value in the blueprint.
    pub to: Value,
    /// The present value was set here, and stays.
    pub is_kept: bool,
    /// Its values are not for showing.
    pub is_secret: bool,
}

/// One entry of a blueprint and what it does.
#[derive(Debug, Clone)]
pub struct Step {
    /// The file, or what else the blueprint is called.
    pub file: String,
    /// Where the entry stands.
    pub place: Place,
    /// Model name.
    pub model: String,
    /// The key of the object or record, as the API gives it; `Null` where there is none.
    pub pk: Value,
    /// What people call it.
    pub name: String,
    /// What happens to it.
    pub action: Action,
    /// Field by field.
    pub changes: Vec<FieldChange>,
}

/// What a blueprint does.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What the blueprint calls itself.
    pub name: String,
    /// Entry by entry, in the order of applying; those of blueprints that it asks for first included.
    pub steps: Vec<Step>,
    /// What is strange, but no reason to refuse.
    pub warnings: Vec<Problem>,
}

impl Report {
    /// Whether applying it writes anything.
    pub fn has_changes(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.action, Action::Create | Action::Update | Action::Delete))
    }

    fn count(&self, action: Action) -> usize {
        self.steps.iter().filter(|step| step.action == action).count()
    }
}

impl fmt::Display for Report {
    /// A diff for people: `+` is made, `~` is changed, `-` is deleted, `=` stays as it is here.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.name)?;
        for step in &self.steps {
            let kept = step.changes.iter().any(|change| change.is_kept);
            let sign = match step.action {
                Action::Create => '+',
                Action::Update => '~',
                Action::Delete => '-',
                Action::Unchanged if kept => '=',
                Action::Unchanged => continue,
                Action::LeftOut => '=',
            };
            write!(f, "  {sign} {} {}", step.model, step.name)?;
            if step.action == Action::LeftOut {
                write!(f, ", which was deleted here and stays so")?;
            }
            writeln!(f, "  ({}:{})", step.file, step.place.line)?;
            for change in &step.changes {
                write_change(f, step.action, change)?;
            }
        }
        for warning in &self.warnings {
            writeln!(f, "  ! {warning}")?;
        }
        let kept = self.steps.iter().flat_map(|step| &step.changes).filter(|change| change.is_kept).count();
        let (create, update, delete) = (self.count(Action::Create), self.count(Action::Update), self.count(Action::Delete));
        write!(
            f,
            "{create} to create, {update} to change, {delete} to delete, {} as they should be",
            self.count(Action::Unchanged)
        )?;
        if kept > 0 {
            write!(f, ", {kept} values kept that were changed here")?;
        }
        Ok(())
    }
}

fn write_change(f: &mut fmt::Formatter<'_>, action: Action, change: &FieldChange) -> fmt::Result {
    let FieldChange { field, from, to, is_kept, is_secret } = change;
    match (is_secret, is_kept, action) {
        (true, ..) => writeln!(f, "      {field}: (secret)"),
        (_, true, _) => writeln!(f, "      {field}: stays {}; the blueprint has {}", Shown(from), Shown(to)),
        (_, _, Action::Create) => writeln!(f, "      {field}: {}", Shown(to)),
        _ => writeln!(f, "      {field}: {} -> {}", Shown(from), Shown(to)),
    }
}

/// A value on one line, cut where it grows too long to read.
struct Shown<'a>(&'a Value);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 120;
        let text = self.0.to_string();
        f.write_str(&text.chars().take(LONGEST).collect::<String>())?;
        f.write_str(if text.chars().nth(LONGEST).is_some() { "…" } else { "" })
    }
}
