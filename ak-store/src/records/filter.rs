//! Conditions and orders that several lists share.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::rules::{fold, words};

/// A condition on a moment; every part that is set must hold. What has no moment fulfils none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moments {
    /// Exactly then.
    pub at: Option<DateTime<Utc>>,
    /// Later than that.
    pub after: Option<DateTime<Utc>>,
    /// Earlier than that.
    pub before: Option<DateTime<Utc>>,
}

impl Moments {
    pub(crate) fn hold(&self, moment: Option<DateTime<Utc>>) -> bool {
        let is = |wanted: Option<DateTime<Utc>>, test: fn(&DateTime<Utc>, &DateTime<Utc>) -> bool| {
            wanted.is_none_or(|wanted| moment.is_some_and(|moment| test(&moment, &wanted)))
        };
        is(self.at, DateTime::eq) && is(self.after, DateTime::gt) && is(self.before, DateTime::lt)
    }
}

/// A value in free data: what stands at the end of these names is exactly this.
#[derive(Debug, Clone, PartialEq)]
pub struct AttributeIs {
    /// The names on the way, the outermost first; at least one. One that begins with `$` or `[`, which engines take for a path,
    /// finds nothing.
    pub path: Vec<String>,
    /// The value.
    pub value: Value,
}

impl AttributeIs {
    /// Whether all names can be looked for.
    pub(crate) fn is_plain(&self) -> bool {
        !self.path.is_empty() && !self.path.iter().any(|name| name.starts_with(['$', '[']))
    }

    pub(crate) fn holds(&self, attributes: &Map<String, Value>) -> bool {
        let Some((first, rest)) = self.path.split_first().filter(|_| self.is_plain()) else { return false };
        let found = rest.iter().try_fold(attributes.get(first), |at, name| Some(at?.get(name.as_str()))).flatten();
        found == Some(&self.value)
    }
}

/// A word of a search among records that belong to objects. Objects are not where records are, so whoever asks says which of them
/// the word is found in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The word, in the form in which texts are compared.
    pub(crate) text: String,
    /// The keys of the objects that it is found in.
    pub(crate) objects: Vec<Uuid>,
}

impl Word {
    /// The words of a search, each with those of `objects` (key and name) in whose name it is found, without regard to case.
    pub fn all<'a>(search: &str, objects: impl Iterator<Item = (Uuid, &'a str)>) -> Vec<Self> {
        let objects: Vec<(Uuid, String)> = objects.map(|(pk, name)| (pk, fold(name))).collect();
        let one = |text: String| {
            let found = objects.iter().filter(|(_, name)| name.contains(&text)).map(|(pk, _)| *pk).collect();
            Self { text, objects: found }
        };
        words(Some(search)).into_iter().map(one).collect()
    }

    pub(crate) fn finds(&self, object: Uuid, username: &str) -> bool {
        self.objects.contains(&object) || fold(username).contains(&self.text)
    }
}

/// An order of a list: by a field, upward or downward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct By<T> {
    /// The field.
    pub field: T,
    /// Whether the greatest comes first.
    pub descending: bool,
}

impl<T> By<T> {
    /// Upward.
    pub const fn up(field: T) -> Self {
        Self { field, descending: false }
    }

    /// Downward.
    pub const fn down(field: T) -> Self {
        Self { field, descending: true }
    }
}
