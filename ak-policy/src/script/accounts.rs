//! Searches among accounts, as scripts ask for them: nothing is looked up before an answer is wanted.

use rhai::{Dynamic, Map};

use super::functions::look_up_user;
use super::group_search;
use super::people::{User, conditions_of};
use super::run::Run;
use super::table::Table;
use super::value::Wrong;
use crate::services::{Conditions, is_user_condition};

/// The accounts that meet all of some conditions, and none of others.
#[derive(Debug, Clone, Default)]
pub(crate) struct Accounts {
    with: Conditions,
    without: Vec<Conditions>,
}

/// Why objects of this model cannot be searched for; `None` where they can.
pub(super) fn unsearchable(model: &str) -> Option<String> {
    match model {
        "User" | "Group" => None,
        model if model.ends_with("Device") => {
            Some(format!("{model} objects cannot be searched for: they come with authenticator devices."))
        }
        model => Some(format!("{model} objects cannot be searched for; accounts (User) and groups (Group) can.")),
    }
}

/// Why objects of this model cannot be searched by a method with these conditions; `None` where they can.
pub(super) fn misused<'a>(model: &str, method: &str, mut conditions: impl Iterator<Item = &'a str>) -> Option<String> {
    match method {
        _ if model == "Group" => group_search::misused(method, conditions),
        "filter" | "exclude" => conditions.find_map(unknown),
        "exists" | "first" => None,
        method => Some(format!("The search for accounts has no {method}; it has filter, exclude, exists and first.")),
    }
}

fn unknown(condition: &str) -> Option<String> {
    (!is_user_condition(condition)).then(|| format!("Accounts cannot be searched by {condition}."))
}

impl Accounts {
    fn filtered(&self, conditions: &Map) -> Result<Self, Wrong> {
        let mut with = self.with.clone();
        for (name, value) in checked(conditions)? {
            if let Some(other) = with.insert(name.clone(), value.clone()).filter(|other| *other != value) {
                return Err(format!("{name} cannot be {value} and {other} at once").into());
            }
        }
        Ok(Self { with, without: self.without.clone() })
    }

    fn excluded(&self, conditions: &Map) -> Result<Self, Wrong> {
        let conditions = checked(conditions)?;
        let mut without = self.without.clone();
        without.extend((!conditions.is_empty()).then_some(conditions));
        Ok(Self { with: self.with.clone(), without })
    }

    fn first(&self) -> Result<Option<User>, Wrong> {
        let found = look_up_user(&*Run::current()?, &self.with, &self.without)?;
        Ok(found.map(|person| User(Some(person))))
    }
}

/// All objects of a model.
fn objects(model: &str) -> Result<Dynamic, Wrong> {
    match (unsearchable(model), model) {
        (Some(problem), _) => Err(problem.into()),
        (None, "Group") => Ok(Dynamic::from(group_search::GroupSearch)),
        (None, _) => Ok(Dynamic::from(Accounts::default())),
    }
}

fn checked(conditions: &Map) -> Result<Conditions, Wrong> {
    let conditions = conditions_of(conditions)?;
    match conditions.keys().find_map(|name| unknown(name)) {
        Some(problem) => Err(problem.into()),
        None => Ok(conditions),
    }
}

/// Registers searches.
pub(super) fn register(table: &mut Table) {
    table
        .kind::<Accounts>("Accounts", "A search among all accounts.")
        .function("ak_objects(model: String) -> Accounts", "A search among all accounts, or with `\"Group\"` among all groups: `ak_objects(\"User\").filter(#{email__iexact: email}).exclude(#{pk: user.pk}).exists()`. It is what `User.objects` in Python becomes; other models cannot be searched.", objects)
        .function("filter(accounts: Accounts, conditions: Map) -> Accounts", "Those that meet all conditions; the same conditions as of `ak_user_by`.", |a: &mut Accounts, conditions: Map| a.filtered(&conditions))
        .function("exclude(accounts: Accounts, conditions: Map) -> Accounts", "Those that do not meet all conditions.", |a: &mut Accounts, conditions: Map| a.excluded(&conditions))
        .function("exists(accounts: Accounts) -> bool", "Whether there is any.", |a: &mut Accounts| -> Result<bool, Wrong> { Ok(a.first()?.is_some()) })
        .function("is_empty(accounts: Accounts) -> bool", "Whether there is none.", |a: &mut Accounts| -> Result<bool, Wrong> { Ok(a.first()?.is_none()) })
        .function("first(accounts: Accounts) -> User", "The first by key; `()` if there is none.", |a: &mut Accounts| -> Result<Dynamic, Wrong> {
            Ok(a.first()?.map_or(Dynamic::UNIT, Dynamic::from))
        });
}
