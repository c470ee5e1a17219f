//! Groups as documents.

use std::collections::BTreeSet;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Identifiers, TAKEN, check_roles, does_not_exist, only, role_keys, uuid};
use crate::directory::Role;
use crate::model::{Change, Errors, Input, Pk, RecordKind, RecordRef, Ref, Unit, WriteError};
use crate::records::{Group, GroupFilter, Page, Repository, User};

/// A group as a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GroupDocument {
    /// Unique name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Whether members may do everything.
    #[serde(default)]
    pub is_superuser: bool,
    /// The groups that this one is part of.
    #[serde(default)]
    pub parents: Vec<RecordRef<Group>>,
    /// The direct members.
    #[serde(default)]
    pub users: Vec<RecordRef<User>>,
    /// The roles that it has been given itself; members have them.
    #[serde(default)]
    pub roles: Vec<Ref<dyn Role>>,
    /// Free data, inherited by members.
    #[serde(default)]
    pub attributes: Map<String, Value>,
}

/// Groups.
pub struct GroupKind {
    input: Input<GroupDocument>,
}

impl Default for GroupKind {
    fn default() -> Self {
        Self::new()
    }
}

impl GroupKind {
    /// Groups.
    pub fn new() -> Self {
        Self { input: Input::new() }
    }

    async fn read(repo: &mut dyn Repository, group: &Group) -> Result<GroupDocument, WriteError> {
        let members = repo.groups().members(group.pk, Page::ALL).await?;
        let roles = repo.roles().of_groups(&[group.pk]).await?;
        Ok(GroupDocument {
            roles: roles.into_iter().map(|(_, role)| Ref::new(Pk::of_uuid(role))).collect(),
            name: group.name.clone(),
            is_superuser: group.is_superuser,
            parents: group.parents.iter().map(|pk| RecordRef::new(*pk)).collect(),
            users: members.iter().map(|user| RecordRef::new(user.pk)).collect(),
            attributes: group.attributes.clone(),
        })
    }

    /// What is wrong with a document, seen together with other records.
    async fn check(repo: &mut dyn Repository, old: Option<&Group>, new: &GroupDocument) -> Result<Errors, WriteError> {
        let mut errors = Errors::default();
        let namesake = repo.groups().find_by_name(&new.name).await?;
        if namesake.is_some_and(|found| old.is_none_or(|old| old.pk != found.pk)) {
            errors.at(&["name"], TAKEN, "unique");
        }
        let users: Vec<i64> = new.users.iter().map(|user| user.key()).collect();
        let there = repo.users().lookup_many(&users).await?;
        for missing in users.iter().filter(|pk| !there.contains_key(pk)) {
            errors.at(&["users"], does_not_exist(missing), "does_not_exist");
        }
        let mut above: Vec<Uuid> = new.parents.iter().map(|parent| parent.key()).collect();
        let there = repo.groups().lookup_many(&above).await?;
        for missing in above.iter().filter(|pk| !there.contains_key(pk)) {
            errors.at(&["parents"], does_not_exist(missing), "does_not_exist");
        }
        // Upward from the new parents, a layer at a time: the group itself must not stand there.
        let mut seen = BTreeSet::new();
        while let Some(old) = old.filter(|_| !above.is_empty()) {
            if above.contains(&old.pk) {
                errors.at(&["parents"], "Cannot set group as parent of itself.", "invalid");
                break;
            }
            seen.extend(above.iter().copied());
            let layer = repo.groups().lookup_many(&above).await?;
            let next: BTreeSet<Uuid> = layer.values().flat_map(|group| group.parents.iter().copied()).collect();
            above = next.difference(&seen).copied().collect();
        }
        Ok(errors)
    }
}

/// Older clients know one parent.
fn with_parents(input: &Map<String, Value>) -> Value {
    let mut input = input.clone();
    if let (Some(parent), false) = (input.remove("parent"), input.contains_key("parents")) {
        let parents = if parent.is_null() { Vec::new() } else { vec![parent] };
        input.insert("parents".into(), parents.into());
    }
    Value::Object(input)
}

async fn found(repo: &mut dyn Repository, pk: &Value) -> Result<Option<Group>, WriteError> {
    match uuid(pk) {
        Some(pk) => Ok(repo.groups().lookup(pk).await?),
        None => Ok(None),
    }
}

/// Makes `new` the direct members instead of `old`.
async fn fill(
    repo: &mut dyn Repository,
    group: Uuid,
    old: &[RecordRef<User>],
    new: &[RecordRef<User>],
) -> Result<(), WriteError> {
    let keys = |users: &[RecordRef<User>]| users.iter().map(|user| user.key()).collect::<BTreeSet<_>>();
    let (old, new) = (keys(old), keys(new));
    for left in old.difference(&new) {
        repo.groups().remove_member(group, *left).await?;
    }
    for joined in new.difference(&old) {
        repo.groups().add_member(group, *joined).await?;
    }
    Ok(())
}

/// Gives the group the roles of `new` instead of `old`.
async fn give(repo: &mut dyn Repository, group: Uuid, old: &BTreeSet<Uuid>, new: &BTreeSet<Uuid>) -> Result<(), WriteError> {
    for taken in old.difference(new) {
        repo.roles().remove_group(*taken, group).await?;
    }
    for given in new.difference(old) {
        repo.roles().add_group(*given, group).await?;
    }
    Ok(())
}

#[async_trait]
impl RecordKind for GroupKind {
    fn model(&self) -> &'static str {
        "authentik_core.group"
    }

    async fn find(&self, repo: &mut dyn Repository, identifiers: &Map<String, Value>) -> Result<Option<Value>, WriteError> {
        let mut given = Identifiers::of(identifiers, &["pk", "group_uuid", "name"]);
        let pk = given.uuid("pk").or(given.uuid("group_uuid"));
        let filter = GroupFilter { name: given.text("name"), ..GroupFilter::default() };
        given.done()?;
        let found = match pk {
            Some(pk) => repo.groups().lookup(pk).await?,
            None => only(repo.groups().list(&filter, Page::first(2)).await?, "group")?,
        };
        Ok(found.map(|group| Value::from(group.pk.to_string())))
    }

    async fn document(&self, repo: &mut dyn Repository, pk: &Value) -> Result<Option<Map<String, Value>>, WriteError> {
        match found(repo, pk).await? {
            Some(group) => Ok(Some(self.input.shown(&Self::read(repo, &group).await?))),
            None => Ok(None),
        }
    }

    async fn put(
        &self,
        unit: &mut Unit<'_>,
        at: Option<&Value>,
        input: &Map<String, Value>,
        change: Change,
    ) -> Result<Value, WriteError> {
        let (fresh, now) = (unit.store().rng().uuid(), unit.store().clock().now());
        let repo = unit.records();
        let old = match at {
            Some(pk) => Some(found(repo, pk).await?.ok_or_else(|| Errors::whole("There is no such group.", "not_found"))?),
            None => None,
        };
        let was = match &old {
            Some(group) => Some(Self::read(repo, group).await?),
            None => None,
        };
        let new = self.input.change(was.as_ref(), &with_parents(input), change)?;
        let mut errors = Self::check(repo, old.as_ref(), &new).await?;
        check_roles(unit.snapshot(), &new.roles, &mut errors);
        errors.ok(())?;
        let repo = unit.records();
        let base = old.clone().unwrap_or_else(|| Group::named(fresh, "", now));
        let parents: BTreeSet<Uuid> = new.parents.iter().map(|parent| parent.key()).collect();
        let group = Group {
            name: new.name,
            is_superuser: new.is_superuser,
            attributes: new.attributes,
            parents: parents.into_iter().collect(),
            ..base
        };
        match &old {
            None => repo.groups().add(&group).await?,
            Some(old) if *old != group => repo.groups().update(&group, now).await?,
            Some(_) => {}
        }
        fill(repo, group.pk, was.as_ref().map_or(&[], |was| &was.users), &new.users).await?;
        let had = was.map(|was| role_keys(&was.roles)).unwrap_or_default();
        give(repo, group.pk, &had, &role_keys(&new.roles)).await?;
        Ok(group.pk.to_string().into())
    }

    async fn delete(&self, unit: &mut Unit<'_>, pk: &Value) -> Result<bool, WriteError> {
        match uuid(pk) {
            Some(pk) => unit.delete_group(pk).await,
            None => Ok(false),
        }
    }
}
