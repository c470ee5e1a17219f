//! Accounts and groups, as scripts see them: views, not copies. What is secret of them is not there.

use std::sync::Arc;

use ak_store::directory::Person;
use ak_store::model::{Ref, user_uid};
use ak_store::records::Group;
use rhai::{Array, Dynamic, Map};
use serde_json::Value;

use super::request::ObjectView;
use super::run::Run;
use super::table::Table;
use super::time::Moment;
use super::value::{Wrong, to_map, to_object};
use crate::application::ApplicationEntitlement;
use crate::policy::PolicyEffect;
use crate::services::Conditions;

/// An account; of nobody when nobody has signed in.
#[derive(Debug, Clone)]
pub(crate) struct User(pub Option<Arc<Person>>);

/// A group.
#[derive(Debug, Clone)]
pub(crate) struct GroupView(pub Arc<Group>);

/// The groups of an account, or some of them.
#[derive(Debug, Clone)]
pub(crate) struct Groups {
    person: Option<Arc<Person>>,
    inherited: bool,
    filters: Arc<Vec<(bool, Conditions)>>,
}

impl User {
    fn read<T>(&self, of: impl FnOnce(&Person) -> T, otherwise: T) -> T {
        self.0.as_deref().map_or(otherwise, of)
    }

    fn text(&self, of: impl FnOnce(&Person) -> &str) -> String {
        self.read(|p| of(p).to_owned(), String::new())
    }

    fn pk(&self) -> Option<i64> {
        self.0.as_ref().map(|p| p.user.pk)
    }

    fn entitlements(&self, application: &ObjectView) -> Result<Array, Wrong> {
        let run = Run::current()?;
        let Some(person) = &self.0 else { return Ok(Array::new()) };
        let held = ApplicationEntitlement::of(&run.request().snapshot, person, Ref::new(application.0));
        let held = held.map_err(|failure| Wrong::from(failure.to_string()))?;
        Ok(held.into_iter().map(|(at, _)| Dynamic::from(ObjectView(at.pk()))).collect())
    }

    fn groups(&self, inherited: bool) -> Groups {
        Groups { person: self.0.clone(), inherited, filters: Arc::default() }
    }

    fn attributes(&self) -> Result<Map, Wrong> {
        let Some(person) = &self.0 else { return Ok(Map::new()) };
        let run = Run::current()?;
        let state = run.state();
        Ok(to_map(state.attributes.get(&person.user.pk).unwrap_or(&person.user.attributes)))
    }

    fn set_attributes(&self, attributes: &Map) -> Result<(), Wrong> {
        let Some(pk) = self.pk() else {
            // The engine also writes back what was only looked at.
            return if attributes.is_empty() { Ok(()) } else { Err("nobody has signed in".into()) };
        };
        let (attributes, run) = (to_object(attributes)?, Run::current()?);
        run.state().attributes.insert(pk, attributes);
        Ok(())
    }

    fn save(&self) -> Result<(), Wrong> {
        let Some(user) = self.pk() else { return Err("nobody has signed in".into()) };
        let run = Run::current()?;
        let changed = run.state().attributes.get(&user).cloned();
        match changed {
            Some(attributes) => run.effect(PolicyEffect::SetAttributes { user, attributes }),
            None => Ok(()),
        }
    }
}

impl Groups {
    /// The groups, with the memberships that the script has begun and ended.
    fn list(&self) -> Vec<Arc<Group>> {
        let Some(person) = &self.person else { return Vec::new() };
        let own = person.groups.iter().filter(|g| self.inherited || person.direct.contains(&g.pk));
        let mut groups: Vec<Arc<Group>> = Vec::new();
        let run = Run::current().ok();
        let state = run.as_ref().map(|run| run.state());
        let pk = person.user.pk;
        let removed = |group: &Group| state.as_ref().is_some_and(|s| s.removed.contains(&(pk, group.pk)));
        groups.extend(own.filter(|g| !removed(g) && self.keeps(g)).cloned().map(Arc::new));
        let added = state.iter().flat_map(|s| &s.added).filter(|(user, group)| *user == pk && self.keeps(group));
        for (_, group) in added {
            if !groups.iter().any(|g| g.pk == group.pk) {
                groups.push(group.clone());
            }
        }
        groups
    }

    fn keeps(&self, group: &Group) -> bool {
        self.filters.iter().all(|(wanted, conditions)| group_meets(group, conditions) == Some(*wanted))
    }

    pub(super) fn exists(&self) -> bool {
        !self.list().is_empty()
    }

    fn narrowed(&self, wanted: bool, conditions: &Map) -> Result<Self, Wrong> {
        let conditions = conditions_of(conditions)?;
        if let Some(name) = conditions.keys().find(|name| !is_group_field(name)) {
            return Err(format!("groups have no field {name}").into());
        }
        let mut filters = Vec::clone(&self.filters);
        filters.push((wanted, conditions));
        Ok(Self { filters: Arc::new(filters), ..self.clone() })
    }

    fn owner(&self) -> Result<i64, Wrong> {
        let direct = !self.inherited && self.filters.is_empty();
        let person = self.person.as_ref().filter(|_| direct);
        person.map(|p| p.user.pk).ok_or_else(|| "memberships are changed through user.groups of an account".into())
    }

    fn add(&self, group: &GroupView) -> Result<(), Wrong> {
        let (user, run) = (self.owner()?, Run::current()?);
        run.effect(PolicyEffect::AddToGroup { user, group: group.0.pk })?;
        let mut state = run.state();
        state.removed.retain(|gone| *gone != (user, group.0.pk));
        state.added.push((user, group.0.clone()));
        Ok(())
    }

    fn remove(&self, group: &GroupView) -> Result<(), Wrong> {
        let (user, run) = (self.owner()?, Run::current()?);
        run.effect(PolicyEffect::RemoveFromGroup { user, group: group.0.pk })?;
        let mut state = run.state();
        state.added.retain(|(of, added)| (*of, added.pk) != (user, group.0.pk));
        state.removed.push((user, group.0.pk));
        Ok(())
    }

    fn values(&self, field: &str) -> Result<Array, Wrong> {
        let value = |group: &Arc<Group>| match field {
            "name" => Ok(Dynamic::from(group.name.clone())),
            "pk" => Ok(group.pk.to_string().into()),
            other => Err(format!("groups have no field {other}").into()),
        };
        self.list().iter().map(value).collect()
    }
}

impl IntoIterator for Groups {
    type Item = GroupView;
    type IntoIter = std::iter::Map<std::vec::IntoIter<Arc<Group>>, fn(Arc<Group>) -> GroupView>;

    fn into_iter(self) -> Self::IntoIter {
        self.list().into_iter().map(GroupView)
    }
}

/// A script's conditions, `#{ name: "Admins" }`, for a lookup.
pub(super) fn conditions_of(map: &Map) -> Result<Conditions, Wrong> {
    Ok(to_object(map)?.into_iter().collect())
}

fn is_group_field(name: &str) -> bool {
    let field = name.split("__").next().unwrap_or(name);
    ["name", "pk", "group_uuid", "is_superuser", "attributes"].contains(&field)
}

/// Whether a group meets all conditions; `None` where one names a field or a comparison that does not exist.
pub(crate) fn group_meets(group: &Group, conditions: &Conditions) -> Option<bool> {
    let mut all = true;
    for (name, value) in conditions {
        let (field, how) = name.split_once("__").unwrap_or((name, "exact"));
        all &= match field {
            "name" => compares(&group.name, how, value)?,
            "pk" | "group_uuid" => compares(&group.pk.to_string(), how, value)?,
            "is_superuser" if how == "exact" => value.as_bool() == Some(group.is_superuser),
            "attributes" => {
                let found = how.split("__").try_fold(None, |at: Option<&Value>, name| {
                    let next = at.map_or_else(|| group.attributes.get(name), |at| at.get(name));
                    next.map(Some)
                });
                found.flatten() == Some(value)
            }
            _ => return None,
        };
    }
    Some(all)
}

/// Django's comparisons of texts.
fn compares(text: &str, how: &str, value: &Value) -> Option<bool> {
    if how == "in" {
        return Some(value.as_array()?.iter().any(|v| v.as_str() == Some(text)));
    }
    let Some(wanted) = value.as_str() else { return Some(false) };
    let (folded, wanted_folded) = (|| text.to_lowercase(), || wanted.to_lowercase());
    Some(match how {
        "exact" => text == wanted,
        "iexact" => folded() == wanted_folded(),
        "contains" => text.contains(wanted),
        "icontains" => folded().contains(&wanted_folded()),
        "startswith" => text.starts_with(wanted),
        "istartswith" => folded().starts_with(&wanted_folded()),
        "endswith" => text.ends_with(wanted),
        "iendswith" => folded().ends_with(&wanted_folded()),
        _ => return None,
    })
}

/// Registers accounts and groups.
pub(super) fn register(table: &mut Table) {
    table.kind::<User>("User", "An account; nobody's, with empty fields, where nobody has signed in.");
    users(table);
    table.kind::<GroupView>("Group", "A group.");
    table.kind::<Groups>("Groups", "The groups of an account, or some of them. In a condition: whether there are any.");
    groups(table);
}

fn users(table: &mut Table) {
    table
        .getter("User.username: String", "The name to sign in with.", |u: &mut User| u.text(|p| &p.user.username))
        .getter("User.name: String", "The full name.", |u: &mut User| u.text(|p| &p.user.name))
        .getter("User.email: String", "The e-mail address; may be empty.", |u: &mut User| u.text(|p| &p.user.email))
        .getter("User.path: String", "The folder of the account.", |u: &mut User| u.text(|p| &p.user.path))
        .getter(
            "User.type: String",
            "`internal`, `external`, `service_account` or `internal_service_account`.",
            |u: &mut User| u.text(|p| p.user.r#type.as_str()),
        )
        .getter("User.pk: Integer", "The key of the account; `()` for nobody.", |u: &mut User| {
            u.pk().map_or(Dynamic::UNIT, Into::into)
        })
        .getter("User.uuid: String", "The second key of the account.", |u: &mut User| {
            u.read(|p| p.user.uuid.to_string(), String::new())
        })
        .getter("User.uid: String", "The identifier of the account in protocols.", |u: &mut User| -> Result<String, Wrong> {
            let run = Run::current()?;
            Ok(u.pk().map_or_else(String::new, |pk| user_uid(pk, run.install_id())))
        })
        .getter("User.is_active: bool", "Whether the account may be used.", |u: &mut User| u.read(|p| p.user.is_active, false))
        .getter("User.is_superuser: bool", "Whether the account may do everything.", |u: &mut User| {
            u.read(Person::is_superuser, false)
        })
        .getter("User.is_authenticated: bool", "Whether it is anybody's.", |u: &mut User| u.0.is_some())
        .getter("User.is_anonymous: bool", "Whether it is nobody's.", |u: &mut User| u.0.is_none())
        .getter("User.date_joined: DateTime", "When the account was made.", |u: &mut User| {
            moment(u, |p| Some(p.user.date_joined))
        })
        .getter("User.last_login: DateTime", "When the account last signed in; `()` if never.", |u: &mut User| {
            moment(u, |p| p.user.last_login)
        })
        .getter("User.password_change_date: DateTime", "When the password was last set.", |u: &mut User| {
            moment(u, |p| Some(p.user.password_change_date))
        })
        .getter("User.attributes: Map", "The account's own attributes.", |u: &mut User| u.attributes())
        .setter("User.attributes: Map", "Changes the attributes, for good with `save()`.", |u: &mut User, map: Map| {
            u.set_attributes(&map)
        })
        .function("save(user: User)", "Keeps the attributes that were changed.", |u: &mut User| u.save())
        .function(
            "group_attributes(user: User) -> Map",
            "The attributes of the groups and of the account, merged; the account's win.",
            |u: &mut User| u.read(|p| to_map(&p.attributes()), Map::new()),
        )
        .function(
            "group_attributes(user: User, request: Request) -> Map",
            "The same; the request makes no difference.",
            |u: &mut User, _: super::request::RequestView| u.read(|p| to_map(&p.attributes()), Map::new()),
        )
        .function(
            "app_entitlements(user: User, application: Object) -> Array",
            "What the account may do inside an application: its entitlements, by name.",
            |u: &mut User, application: ObjectView| -> Result<Array, Wrong> { u.entitlements(&application) },
        )
        .function(
            "app_entitlements(user: User, application: ()) -> Array",
            "Nothing: there is no application.",
            |_: &mut User, (): ()| Array::new(),
        )
        .function(
            "has_usable_password(user: User) -> bool",
            "Whether the account can sign in with a password.",
            |u: &mut User| u.read(|p| p.user.password.is_some(), false),
        )
        .getter("User.groups: Groups", "The groups that the account is in directly.", |u: &mut User| u.groups(false))
        .getter("User.ak_groups: Groups", "The same as `groups`.", |u: &mut User| u.groups(false))
        .function(
            "all_groups(user: User) -> Groups",
            "The groups that the account is in, through parents too.",
            |u: &mut User| u.groups(true),
        )
        .function("==(a: User, b: User) -> bool", "Whether both are the same account.", |a: &mut User, b: User| a.pk() == b.pk())
        .function("!=(a: User, b: User) -> bool", "Whether they are different accounts.", |a: &mut User, b: User| {
            a.pk() != b.pk()
        })
        .function("to_string(user: User) -> String", "The name to sign in with.", |u: &mut User| u.text(|p| &p.user.username));
}

fn moment(user: &User, of: impl FnOnce(&Person) -> Option<chrono::DateTime<chrono::Utc>>) -> Result<Dynamic, Wrong> {
    let zone = Run::current()?.zone();
    Ok(user.read(of, None).map_or(Dynamic::UNIT, |at| Dynamic::from(Moment(at.with_timezone(&zone)))))
}

fn groups(table: &mut Table) {
    table
        .getter("Group.name: String", "The name.", |g: &mut GroupView| g.0.name.clone())
        .getter("Group.pk: String", "The key.", |g: &mut GroupView| g.0.pk.to_string())
        .getter("Group.num_pk: Integer", "A number for protocols that want one.", |g: &mut GroupView| g.0.num_pk())
        .getter("Group.is_superuser: bool", "Whether members may do everything.", |g: &mut GroupView| g.0.is_superuser)
        .getter("Group.attributes: Map", "The attributes.", |g: &mut GroupView| to_map(&g.0.attributes))
        .function("==(a: Group, b: Group) -> bool", "Whether both are the same group.", |a: &mut GroupView, b: GroupView| a.0.pk == b.0.pk)
        .function("!=(a: Group, b: Group) -> bool", "Whether they are different groups.", |a: &mut GroupView, b: GroupView| a.0.pk != b.0.pk)
        .function("to_string(group: Group) -> String", "The name.", |g: &mut GroupView| g.0.name.clone())
        .function("all(groups: Groups) -> Groups", "The groups.", |g: &mut Groups| g.clone())
        .function("filter(groups: Groups, conditions: Map) -> Groups", "Those that meet all conditions: `filter(#{name: \"Admins\"})`. Names of fields may end in `__iexact`, `__contains`, `__icontains`, `__startswith`, `__istartswith`, `__endswith`, `__iendswith`, `__in`; attributes are `attributes__name`.", |g: &mut Groups, conditions: Map| g.narrowed(true, &conditions))
        .function("exclude(groups: Groups, conditions: Map) -> Groups", "Those that do not meet all conditions.", |g: &mut Groups, conditions: Map| g.narrowed(false, &conditions))
        .function("exists(groups: Groups) -> bool", "Whether there is any.", |g: &mut Groups| g.exists())
        .function("is_empty(groups: Groups) -> bool", "Whether there is none.", |g: &mut Groups| !g.exists())
        .function("to_array(groups: Groups) -> Array", "The groups as a list.", |g: &mut Groups| -> Array {
            g.clone().into_iter().map(Dynamic::from).collect()
        })
        .function("count(groups: Groups) -> Integer", "How many there are.", |g: &mut Groups| count(g))
        .function("len(groups: Groups) -> Integer", "How many there are.", |g: &mut Groups| count(g))
        .function("first(groups: Groups) -> Group", "The first by name; `()` if there is none.", |g: &mut Groups| {
            g.clone().into_iter().next().map_or(Dynamic::UNIT, Dynamic::from)
        })
        .function("contains(groups: Groups, group: Group) -> bool", "Whether the group is one of them (`group in groups`).", |g: &mut Groups, group: GroupView| g.list().iter().any(|own| own.pk == group.0.pk))
        .function("values_list(groups: Groups, field: String) -> Array", "The `name` or `pk` of each.", |g: &mut Groups, field: &str| g.values(field))
        .function("add(groups: Groups, group: Group)", "Makes the account a member: `user.groups.add(group)`.", |g: &mut Groups, group: GroupView| g.add(&group))
        .function("remove(groups: Groups, group: Group)", "Ends the account's membership.", |g: &mut Groups, group: GroupView| g.remove(&group));
}

fn count(groups: &Groups) -> i64 {
    i64::try_from(groups.list().len()).unwrap_or(i64::MAX)
}

/// Whether the account is in a group that meets the conditions, directly or through parents.
pub(super) fn is_member(user: &User, conditions: &Map) -> Result<bool, Wrong> {
    user.groups(true).narrowed(true, conditions).map(|groups| groups.exists())
}
