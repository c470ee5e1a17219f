//! Looking people up.

use std::sync::Arc;

use ak_store::directory::Person;
use ak_store::records::Group;
use rhai::{Dynamic, Map};

use crate::script::people::{GroupView, User, conditions_of, is_member};
use crate::script::run::Run;
use crate::script::table::Table;
use crate::script::value::Wrong;
use crate::services::Conditions;

/// The first account that meets the conditions, and none of `without`.
pub(in crate::script) fn look_up_user(
    run: &Run,
    conditions: &Conditions,
    without: &[Conditions],
) -> Result<Option<Arc<Person>>, Wrong> {
    let people = run.request().services.people.clone();
    let found = run.wait(people.user(conditions, without))?.map_err(|error| Wrong::from(error.to_string()))?;
    Ok(found.map_err(Wrong::from)?.map(Arc::new))
}

fn user_by(conditions: &Map) -> Result<Dynamic, Wrong> {
    let found = look_up_user(&*Run::current()?, &conditions_of(conditions)?, &[])?;
    Ok(found.map_or(Dynamic::UNIT, |person| Dynamic::from(User(Some(person)))))
}

fn group_by(conditions: &Map) -> Result<Dynamic, Wrong> {
    let found = look_up_group(&*Run::current()?, &conditions_of(conditions)?)?;
    Ok(found.map_or(Dynamic::UNIT, |group| Dynamic::from(GroupView(group))))
}

/// The first group that meets the conditions.
pub(in crate::script) fn look_up_group(run: &Run, conditions: &Conditions) -> Result<Option<Arc<Group>>, Wrong> {
    let people = run.request().services.people.clone();
    let found = run.wait(people.group(conditions))?.map_err(|error| Wrong::from(error.to_string()))?;
    Ok(found.map_err(Wrong::from)?.map(Arc::new))
}

/// Registers them.
pub(super) fn register(table: &mut Table) {
    table
        .function("ak_user_by(conditions: Map) -> User", "The first account that meets all conditions, `ak_user_by(#{username: \"ada\"})`; `()` if there is none. Accounts are found by `pk`, `uuid`, `username`, `email` (each also `__iexact`) or `attributes__upn`; `name`, `is_active`, `type` and `attributes__…` narrow further.", |conditions: Map| user_by(&conditions))
        .function("ak_group_by(conditions: Map) -> Group", "The group of that `name` or `pk`; `()` if there is none.", |conditions: Map| group_by(&conditions))
        .function("ak_is_group_member(user: User, conditions: Map) -> bool", "Whether the account is in a group that meets the conditions, directly or through parents: `ak_is_group_member(request.user, #{name: \"Admins\"})`.", |user: User, conditions: Map| is_member(&user, &conditions));
}
