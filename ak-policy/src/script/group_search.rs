//! Searches among groups, as scripts ask for them.

use std::sync::Arc;

use ak_store::records::Group;
use rhai::{Array, Dynamic, Map};
use serde_json::Value;

use super::functions::look_up_group;
use super::people::{GroupView, conditions_of};
use super::run::Run;
use super::table::Table;
use super::value::Wrong;
use crate::services::Conditions;

/// What groups are searched by. One of these names few enough to look each of them up.
const BY: [&str; 2] = ["name", "pk"];

/// All groups.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupSearch;

/// Why groups cannot be searched by a method with these conditions; `None` where they can.
pub(super) fn misused<'a>(method: &str, conditions: impl Iterator<Item = &'a str>) -> Option<String> {
    let known = |name: &str| BY.contains(&name.strip_suffix("__in").unwrap_or(name));
    let mut unknown = conditions.filter(|name| !known(name));
    match (method, unknown.next()) {
        ("filter", None) => None,
        ("filter", Some(name)) => {
            Some(format!("Groups cannot be searched by {name}; they can by name, pk, name__in and pk__in."))
        }
        (method, _) => Some(format!("The search for groups has no {method}; it has filter.")),
    }
}

/// The groups that meet all conditions, one for each value that is listed.
fn found(conditions: &Map) -> Result<Array, Wrong> {
    let conditions = conditions_of(conditions)?;
    if let Some(problem) = misused("filter", conditions.keys().map(String::as_str)) {
        return Err(problem.into());
    }
    let listed = BY.iter().find_map(|name| conditions.get_key_value(&format!("{name}__in")).map(|found| (*name, found)));
    let Some((name, (list, values))) = listed else { return Ok(one(&conditions)?.map(view).into_iter().collect()) };
    let values = values.as_array().ok_or_else(|| format!("{list} takes a list"))?;
    let mut groups: Vec<Arc<Group>> = Vec::new();
    for value in values {
        let mut wanted = conditions.clone();
        wanted.remove(list);
        // Both the list and a value of its own: the value is one of the list, or there is none.
        if wanted.insert(name.to_owned(), value.clone()).is_some_and(|own: Value| own != *value) {
            continue;
        }
        groups.extend(one(&wanted)?.filter(|group| groups.iter().all(|other| other.pk != group.pk)));
    }
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(groups.into_iter().map(view).collect())
}

fn one(conditions: &Conditions) -> Result<Option<Arc<Group>>, Wrong> {
    look_up_group(&*Run::current()?, conditions)
}

fn view(group: Arc<Group>) -> Dynamic {
    Dynamic::from(GroupView(group))
}

/// Registers searches.
pub(super) fn register(table: &mut Table) {
    table.kind::<GroupSearch>("GroupSearch", "A search among all groups.").function(
        "filter(groups: GroupSearch, conditions: Map) -> Array",
        "The groups that meet all conditions: `ak_objects(\"Group\").filter(#{name__in: [\"staff\", \"guests\"]})`. Groups are searched by `name`, `pk`, `name__in` and `pk__in`.",
        |_: &mut GroupSearch, conditions: Map| found(&conditions),
    );
}
