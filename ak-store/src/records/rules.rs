//! What every backend does in the same way, so that a program cannot tell one from another.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Group, ObjectRow};
use crate::clock::from_micros;
use crate::error::{Result, StoreError};

/// The form in which texts are compared without regard to case: the lower case of every letter by itself, and the final
/// sigma as the common one, so that a part of a word folds like the word. It happens here and not in a database, because
/// each engine (and each of its collations) has an idea of its own.
pub(crate) fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }).collect()
}

/// The words of a search, in the form in which texts are compared.
pub(crate) fn words(search: Option<&str>) -> Vec<String> {
    search.unwrap_or_default().split_whitespace().map(fold).collect()
}

/// The user principal name: the attribute `upn`, where it is a text that says something.
pub(crate) fn upn(attributes: &Map<String, Value>) -> Option<&str> {
    attributes.get("upn").and_then(Value::as_str).filter(|upn| !upn.is_empty())
}

/// Refuses a user name that is empty or has more than 150 characters.
pub(crate) fn check_username(username: &str) -> Result<()> {
    match username.chars().count() {
        1..=150 => Ok(()),
        n => Err(StoreError::Invalid(format!("a user name has 1 to 150 characters, not {n}"))),
    }
}

/// The parents of a group, each once, in order; a group that names itself is refused.
pub(crate) fn parents(group: &Group) -> Result<BTreeSet<Uuid>> {
    let parents: BTreeSet<Uuid> = group.parents.iter().copied().collect();
    if parents.contains(&group.pk) { Err(cycle()) } else { Ok(parents) }
}

/// A group would stand above itself.
pub(crate) fn cycle() -> StoreError {
    StoreError::Invalid("a group cannot be a parent of itself, directly or through others".into())
}

/// A moment as it is kept: to the microsecond.
pub(crate) fn kept(moment: DateTime<Utc>) -> DateTime<Utc> {
    from_micros(moment.timestamp_micros())
}

/// What is noted for a task whose worker was lost in its last try.
pub(crate) const LEASE_ENDED: &str = "the worker's lease ended in the last try";

/// A write through a view for reading.
pub(crate) fn read_only() -> StoreError {
    StoreError::Invalid("this view is for reading only".into())
}

/// Refuses texts with null characters, which PostgreSQL cannot keep.
pub(crate) fn plain<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<()> {
    if texts.into_iter().any(|text| text.contains('\0')) { Err(null_character()) } else { Ok(()) }
}

/// Refuses the rows of a commit of objects where a key comes twice, or a text cannot be kept.
pub(crate) fn check_rows(rows: &[ObjectRow]) -> Result<()> {
    let mut keys = BTreeSet::new();
    for row in rows {
        if !keys.insert(row.pk) {
            return Err(StoreError::Invalid(format!("the object {} is in one commit twice", row.pk)));
        }
        let refs = row.refs.iter().flat_map(|edge| [&edge.field, &edge.to]);
        let unique = row.unique.iter().flat_map(|unique| [&unique.field, &unique.value]);
        plain([&row.kind].into_iter().chain(&row.managed).chain(refs).chain(unique).map(String::as_str))?;
    }
    Ok(())
}

/// A text that not every backend can keep.
pub(crate) fn null_character() -> StoreError {
    StoreError::Invalid("Null characters are not allowed.".into())
}

/// A write or a save after a write that failed.
pub(crate) fn failed_before() -> StoreError {
    StoreError::Invalid("a write of this transaction failed before: it can only be dropped".into())
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn a_part_of_a_word_folds_like_the_word() {
        assert_eq!(fold("ÄÖÜ ÉÀ"), "äöü éà");
        assert_eq!(fold("ΟΔΥΣΣΕΥΣ"), fold("οδυσσευς"));
        assert!(fold("ΟΔΥΣΣΕΥΣ").contains(&fold("ΔΥΣ")));
    }
}
