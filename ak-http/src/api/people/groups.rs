//! `core/groups/`: groups.

use std::collections::{BTreeMap, BTreeSet};

use ak_policy::partial_user;
use ak_store::model::Key;
use ak_store::records::{Group, GroupFilter, GroupOrder, Page, Repository, User};
use async_trait::async_trait;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::params::{Params, no_choice};
use super::records::Collection;
use super::users::shown_roles;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;

/// Groups.
pub(super) struct Groups;

/// What an answer holds besides the groups themselves.
#[derive(Clone, Copy)]
struct Include {
    users: bool,
    children: bool,
    parents: bool,
    inherited_roles: bool,
}

impl Include {
    fn of(params: &mut Params) -> Self {
        Self {
            users: params.flag("include_users").unwrap_or(true),
            children: params.flag("include_children").unwrap_or(false),
            parents: params.flag("include_parents").unwrap_or(false),
            inherited_roles: params.flag("include_inherited_roles").unwrap_or(false),
        }
    }
}

/// A group as it stands beside others (`RelatedGroup`).
fn related(group: &Group) -> Value {
    json!({
        "pk": group.pk, "name": group.name, "is_superuser": group.is_superuser, "attributes": group.attributes,
        "group_uuid": group.pk,
    })
}

/// The roles that members have by the groups above `group`, and not by itself.
pub(super) async fn inherited_roles(repo: &mut dyn Repository, group: &Group) -> Result<BTreeSet<Uuid>, ApiError> {
    let mut above: BTreeSet<Uuid> = BTreeSet::new();
    let mut layer: Vec<Uuid> = group.parents.clone();
    while !layer.is_empty() {
        above.extend(layer.iter().copied());
        let groups = repo.groups().lookup_many(&layer).await?;
        let next: BTreeSet<Uuid> = groups.values().flat_map(|group| group.parents.iter().copied()).collect();
        layer = next.difference(&above).copied().collect();
    }
    let above: Vec<Uuid> = above.into_iter().collect();
    Ok(repo.roles().of_groups(&above).await?.into_iter().map(|(_, role)| role).collect())
}

/// Groups as the contract shows them (`Group`), in the order given.
async fn shown(app: &App, repo: &mut dyn Repository, groups: &[Group], include: Include) -> Result<Vec<Value>, ApiError> {
    let keys: Vec<Uuid> = groups.iter().map(|group| group.pk).collect();
    let children = repo.groups().children(&keys).await?;
    let above: Vec<Uuid> = groups.iter().flat_map(|group| group.parents.iter().copied()).collect();
    let parents = if include.parents { repo.groups().lookup_many(&above).await? } else { BTreeMap::new() };
    let roles = repo.roles().of_groups(&keys).await?;
    let snapshot = app.store().snapshot();
    let mut all = Vec::with_capacity(groups.len());
    for group in groups {
        let members = repo.groups().members(group.pk, Page::ALL).await?;
        let own: Vec<Uuid> = roles.iter().filter(|(of, _)| *of == group.pk).map(|(_, role)| *role).collect();
        let inherited = match include.inherited_roles {
            true => Some(shown_roles(&snapshot, &inherited_roles(repo, group).await?)),
            false => None,
        };
        let below: Vec<&Group> = children.iter().filter(|child| child.parents.contains(&group.pk)).collect();
        let member = |user: &User| partial_user(user, app.store().install_id());
        all.push(json!({
            "pk": group.pk,
            "num_pk": group.num_pk(),
            "name": group.name,
            "is_superuser": group.is_superuser,
            "parents": group.parents,
            "parents_obj": include.parents.then(|| group.parents.iter().filter_map(|pk| parents.get(pk)).map(related).collect::<Vec<_>>()),
            "users": members.iter().map(|user| user.pk).collect::<Vec<_>>(),
            "users_obj": include.users.then(|| members.iter().map(member).collect::<Vec<_>>()),
            "attributes": group.attributes,
            "roles": own,
            "roles_obj": shown_roles(&snapshot, &own),
            "inherited_roles_obj": inherited,
            "children": below.iter().map(|child| child.pk).collect::<Vec<_>>(),
            "children_obj": include.children.then(|| below.iter().map(|child| related(child)).collect::<Vec<_>>()),
        }));
    }
    Ok(all)
}

/// The accounts with these user names; a name that nobody has is told.
async fn members_by_username(repo: &mut dyn Repository, params: &mut Params) -> Result<Vec<i64>, ApiError> {
    let mut found = Vec::new();
    for name in params.texts("members_by_username") {
        match repo.users().find_by_username(&name).await? {
            Some(user) => found.push(user.pk),
            None => params.refuse("members_by_username", no_choice(&name)),
        }
    }
    Ok(found)
}

/// The accounts with these keys; a key that nobody has is told.
async fn members_by_pk(repo: &mut dyn Repository, params: &mut Params) -> Result<Vec<i64>, ApiError> {
    let keys = params.numbers("members_by_pk");
    let there = repo.users().lookup_many(&keys).await?;
    for missing in keys.iter().filter(|pk| !there.contains_key(pk)) {
        params.refuse("members_by_pk", no_choice(&missing.to_string()));
    }
    Ok(keys)
}

async fn filter(repo: &mut dyn Repository, params: &mut Params) -> Result<GroupFilter, ApiError> {
    let members = [members_by_username(repo, params).await?, members_by_pk(repo, params).await?];
    Ok(GroupFilter {
        search: params.search(),
        name: params.text("name"),
        is_superuser: params.flag("is_superuser"),
        members: members.into_iter().filter(|set| !set.is_empty()).collect(),
        attributes: params.attributes(),
        order: params.order(field, &[GroupOrder::Name]),
    })
}

fn field(name: &str) -> Option<GroupOrder> {
    Some(match name {
        "pk" | "group_uuid" => GroupOrder::Pk,
        "name" => GroupOrder::Name,
        "is_superuser" => GroupOrder::IsSuperuser,
        "last_updated" => GroupOrder::LastUpdated,
        _ => return None,
    })
}

fn uuid(pk: &Value) -> Option<Uuid> {
    pk.as_str().and_then(|text| Uuid::parse_str(text).ok())
}

#[async_trait]
impl Collection for Groups {
    const MODEL: &'static str = "authentik_core.group";
    const PATH: &'static str = "/core/groups/";
    const NAME: &'static str = "Group";

    async fn find(repo: &mut dyn Repository, _: &Caller, name: &str) -> Result<Option<Value>, ApiError> {
        let Ok(pk) = Uuid::parse_str(name) else { return Ok(None) };
        Ok(repo.groups().lookup(pk).await?.map(|group| group.pk.to_string().into()))
    }

    async fn list(app: &App, _: &Caller, params: &mut Params) -> Result<(u64, Vec<Value>), ApiError> {
        let mut repo = app.store().read().await?;
        let filter = filter(&mut *repo, params).await?;
        let include = Include::of(params);
        params.done()?;
        let count = repo.groups().count(&filter).await?;
        let groups = repo.groups().list(&filter, params.page(count)?).await?;
        Ok((count, shown(app, &mut *repo, &groups, include).await?))
    }

    async fn show(app: &App, pk: &Value, params: &mut Params) -> Result<Option<Value>, ApiError> {
        let include = Include::of(params);
        params.done()?;
        let mut repo = app.store().read().await?;
        let Some(group) = repo.groups().lookup(uuid(pk).unwrap_or_default()).await? else { return Ok(None) };
        Ok(shown(app, &mut *repo, &[group], include).await?.pop())
    }

    fn label(document: &Map<String, Value>) -> String {
        document.get("name").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn key(pk: &Value) -> Option<Key> {
        uuid(pk).map(Key::Group)
    }

    async fn users(repo: &mut dyn Repository, pk: &Value) -> Result<Vec<Value>, ApiError> {
        let children = repo.groups().children(&[uuid(pk).unwrap_or_default()]).await?;
        let one = |group: &Group| {
            json!({
                "app": "authentik_core", "model_name": "group", "pk": group.pk.to_string(), "name": group.name,
                "action": "cascade_many",
            })
        };
        Ok(children.iter().map(one).collect())
    }
}
