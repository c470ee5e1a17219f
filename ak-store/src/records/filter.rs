//! Conditions and orders that several lists share.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

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
