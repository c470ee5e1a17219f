//! A statement with its parameters, before any engine sees it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::dialect::{Column, Dialect};
use crate::records::rules::words;
use crate::records::{AttributeIs, By, Moments, Page, Word};

/// A parameter. Each kind may be absent, because some engines want to know the type of a null too.
#[derive(Debug, Clone)]
pub(super) enum Param {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    Uuid(Option<Uuid>),
    Flag(bool),
}

macro_rules! param {
    ($($from:ty => |$value:ident| $to:expr;)*) => {
        $(impl From<$from> for Param {
            fn from($value: $from) -> Self {
                $to
            }
        })*
    };
}

param! {
    i64 => |n| Self::Int(Some(n));
    i32 => |n| Self::Int(Some(n.into()));
    // What is above cannot be there: it is compared with what was stored, and that fitted.
    u64 => |n| Self::Int(Some(i64::try_from(n).unwrap_or(i64::MAX)));
    Option<i64> => |n| Self::Int(n);
    &str => |text| Self::Text(Some(text.into()));
    String => |text| Self::Text(Some(text));
    Option<&str> => |text| Self::Text(text.map(Into::into));
    Option<String> => |text| Self::Text(text);
    &[u8; 32] => |bytes| Self::Bytes(Some(bytes.to_vec()));
    Option<&[u8; 32]> => |bytes| Self::Bytes(bytes.map(|bytes| bytes.to_vec()));
    Uuid => |uuid| Self::Uuid(Some(uuid));
    bool => |flag| Self::Flag(flag);
    DateTime<Utc> => |moment| Self::Int(Some(moment.timestamp_micros()));
    Option<DateTime<Utc>> => |moment| Self::Int(moment.map(|m| m.timestamp_micros()));
    &Value => |json| Self::Text(Some(json.to_string()));
    Option<&Value> => |json| Self::Text(json.map(Value::to_string));
    &Map<String, Value> => |json| Self::Text(serde_json::to_string(json).ok());
    Option<IpAddr> => |ip| Self::Text(ip.map(|ip| ip.to_string()));
}

/// A statement with its parameters, `$1` first.
#[derive(Debug, Clone)]
pub(super) struct Query {
    pub(super) text: Cow<'static, str>,
    pub(super) params: Vec<Param>,
}

impl Query {
    /// A statement that is written in full.
    pub(super) fn new(text: &'static str) -> Self {
        Self { text: Cow::Borrowed(text), params: Vec::new() }
    }

    /// A statement that was put together from parts of this program.
    pub(super) fn made(text: String) -> Self {
        Self { text: Cow::Owned(text), params: Vec::new() }
    }

    /// With the next parameter.
    pub(super) fn bind(mut self, param: impl Into<Param>) -> Self {
        self.params.push(param.into());
        self
    }

    /// Whether a parameter is a text with a null character, which PostgreSQL cannot keep.
    pub(super) fn has_null_character(&self) -> bool {
        self.params.iter().any(|param| matches!(param, Param::Text(Some(text)) if text.contains('\0')))
    }
}

/// The conditions of a list. Only those that are set become part of the statement: an engine that plans a statement before
/// it knows the parameters would find no index for `$1 IS NULL OR …`.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    text: String,
    params: Vec<Param>,
}

impl Conditions {
    /// A condition in which every `#` stands for `value`, where there is one.
    pub(super) fn and(&mut self, condition: &'static str, value: Option<impl Into<Param>>) {
        let Some(value) = value else { return };
        let place = self.place(value);
        self.and_made(&condition.replace('#', &place));
    }

    /// A condition without a value.
    pub(super) fn and_plain(&mut self, condition: &'static str) {
        self.and_made(condition);
    }

    /// A condition in which `#` stands for the list of `values`, where there are any.
    pub(super) fn and_in(&mut self, condition: &'static str, values: impl IntoIterator<Item: Into<Param>>) {
        let places: Vec<String> = values.into_iter().map(|value| self.place(value)).collect();
        if !places.is_empty() {
            self.and_made(&condition.replace('#', &places.join(", ")));
        }
    }

    /// For every word a condition in which `#` stands for a pattern that finds it.
    pub(super) fn and_words(&mut self, condition: &'static str, search: Option<&str>) {
        for word in words(search) {
            self.and(condition, Some(contains(&word)));
        }
    }

    /// For every word a condition in which `#` stands for a pattern that finds it, and `@` for the keys of the objects that it is
    /// found in.
    pub(super) fn and_found(&mut self, dialect: &Dialect, condition: &'static str, search: &[Word]) {
        for word in search {
            let pattern = self.place(contains(&word.text));
            let keys = self.place(&keys(&word.objects));
            let found = format!("SELECT key FROM {}", dialect.rows(&[("key", Column::Uuid)]).replace("$1", &keys));
            self.and_made(&condition.replace('#', &pattern).replace('@', &found));
        }
    }

    /// A condition on a moment, which stands in `column`.
    pub(super) fn and_moments(&mut self, column: &str, moments: &Moments) {
        for (operator, moment) in [("=", moments.at), (">", moments.after), ("<", moments.before)] {
            if let Some(moment) = moment {
                let place = self.place(moment);
                self.and_made(&format!("{column} {operator} {place}"));
            }
        }
    }

    /// Conditions on the free data in `column`.
    pub(super) fn and_attributes(&mut self, dialect: &Dialect, column: &str, wanted: &[AttributeIs]) {
        for wanted in wanted {
            if !wanted.is_plain() {
                self.and_made("FALSE");
                continue;
            }
            let mut found = dialect.as_json(column);
            for name in &wanted.path {
                found = format!("{found} -> {}", self.place(name.as_str()));
            }
            let value = self.place(&wanted.value);
            self.and_made(&format!("({found}) = {}", dialect.as_json(&value)));
        }
    }

    /// Takes a parameter; gives the words by which a condition refers to it.
    fn place(&mut self, value: impl Into<Param>) -> String {
        self.params.push(value.into());
        format!("${}", self.params.len())
    }

    /// A condition that was put together from parts of this program.
    fn and_made(&mut self, condition: &str) {
        self.glue();
        self.text.push_str(condition);
    }

    fn glue(&mut self) {
        self.text.push_str(if self.text.is_empty() { " WHERE " } else { " AND " });
    }

    /// The rows of `table` that fulfil the conditions, in order, a page of them.
    pub(super) fn rows(self, table: &str, order: &str, page: Page) -> Query {
        let (limit, offset) = (self.params.len() + 1, self.params.len() + 2);
        let text = format!("SELECT * FROM {table}{} ORDER BY {order} LIMIT ${limit} OFFSET ${offset}", self.text);
        Query { text: text.into(), params: self.params }.bind(page.limit).bind(page.offset)
    }

    /// How many rows of `table` fulfil the conditions, as `total`.
    pub(super) fn total(self, table: &str) -> Query {
        let text = format!("SELECT count(*) AS total FROM {table}{}", self.text);
        Query { text: text.into(), params: self.params }
    }
}

/// Keys as a parameter of [`Dialect::rows`] with the column `key`.
pub(super) fn keys(uuids: &[Uuid]) -> Value {
    uuids.iter().map(|key| json!({ "key": key.simple().to_string() })).collect()
}

/// The text of an order: what `column` says of each field, then `last`, which is unique. What may be absent (`nullable`) comes last;
/// left to themselves, the engines do not agree on that.
pub(super) fn order<T: Copy>(by: &[By<T>], column: impl Fn(T) -> (&'static str, bool), last: &str) -> String {
    let mut text = String::new();
    for By { field, descending } in by {
        let (column, nullable) = column(*field);
        let down = if *descending { " DESC" } else { "" };
        if nullable {
            let _ = write!(text, "{column} IS NULL{down}, ");
        }
        let _ = write!(text, "{column}{down}, ");
    }
    text + last
}

/// A pattern for `LIKE … ESCAPE '\'` that finds `part` anywhere, whatever characters it has.
pub(super) fn contains(part: &str) -> String {
    let mut pattern = String::with_capacity(part.len() + 2);
    pattern.push('%');
    for c in part.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// Names the statements of a subject, and lists them all for the test that prepares them.
macro_rules! statements {
    ($($name:ident = $text:expr;)*) => {
        $(const $name: &str = $text;)*
        /// Every statement of this subject that is written in full.
        #[cfg(test)]
        pub(super) const STATEMENTS: &[&str] = &[$($name),*];
    };
}
pub(super) use statements;
