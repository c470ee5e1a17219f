//! `core/users/`: accounts.

use std::collections::{BTreeMap, BTreeSet};

use ak_policy::partial_group;
use ak_store::directory::Role;
use ak_store::model::{Key, Pk, Ref, Snapshot, user_uid};
use ak_store::records::{Group, Repository, TokenFilter, User, UserFilter, UserOrder, UserType};
use async_trait::async_trait;
use axum::Json;
use axum::extract::{RawQuery, State};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::params::{Params, no_choice};
use super::records::Collection;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;

/// Accounts.
pub(super) struct Users;

/// What an answer holds besides the accounts themselves.
#[derive(Clone, Copy)]
pub(in crate::api) struct Include {
    groups: bool,
    roles: bool,
}

impl Include {
    pub(in crate::api) const ALL: Self = Self { groups: true, roles: true };

    fn of(params: &mut Params) -> Self {
        Self { groups: params.flag("include_groups").unwrap_or(true), roles: params.flag("include_roles").unwrap_or(true) }
    }
}

/// Accounts as the contract shows them (`User`), in the order given.
pub(in crate::api) async fn shown(
    app: &App,
    repo: &mut dyn Repository,
    users: &[User],
    include: Include,
) -> Result<Vec<Value>, ApiError> {
    let keys: Vec<i64> = users.iter().map(|user| user.pk).collect();
    let mut groups: BTreeMap<i64, Vec<Group>> = BTreeMap::new();
    for (user, group) in repo.groups().of_users(&keys).await? {
        groups.entry(user).or_default().push(group);
    }
    let mut roles: BTreeMap<i64, Vec<Uuid>> = BTreeMap::new();
    for (user, role) in repo.roles().of_users(&keys).await? {
        roles.entry(user).or_default().push(role);
    }
    let superusers: BTreeSet<i64> = repo.users().superusers(&keys).await?;
    let snapshot = app.store().snapshot();
    let one = |user: &User| {
        let groups = groups.remove(&user.pk).unwrap_or_default();
        let roles = roles.remove(&user.pk).unwrap_or_default();
        json!({
            "pk": user.pk,
            "username": user.username,
            "name": user.name,
            "is_active": user.is_active,
            "last_login": user.last_login,
            "date_joined": user.date_joined,
            "is_superuser": superusers.contains(&user.pk),
            "groups": groups.iter().map(|group| group.pk).collect::<Vec<_>>(),
            "groups_obj": include.groups.then(|| groups.iter().map(partial_group).collect::<Vec<_>>()),
            "roles": roles,
            "roles_obj": include.roles.then(|| shown_roles(&snapshot, &roles)),
            "email": user.email,
            "avatar": ak_flows::avatar::of(user),
            "attributes": user.attributes,
            "uid": user_uid(user.pk, app.store().install_id()),
            "path": user.path,
            "type": user.r#type.as_str(),
            "uuid": user.uuid,
            "password_change_date": user.password_change_date,
            "last_updated": user.last_updated,
        })
    };
    Ok(users.iter().map(one).collect())
}

/// Roles as the contract shows them, by name.
pub(super) fn shown_roles<'a>(snapshot: &Snapshot, roles: impl IntoIterator<Item = &'a Uuid>) -> Vec<Value> {
    let found = roles.into_iter().filter_map(|pk| Some((snapshot.get(Ref::<dyn Role>::new(Pk::of_uuid(*pk)))?.name(), *pk)));
    let mut found: Vec<(&str, Uuid)> = found.collect();
    found.sort_unstable();
    found.into_iter().map(|(name, pk)| json!({ "pk": pk, "name": name })).collect()
}

/// The groups with these names; a name that no group has is told.
async fn groups_by_name(repo: &mut dyn Repository, params: &mut Params) -> Result<Vec<Uuid>, ApiError> {
    let mut found = Vec::new();
    for name in params.texts("groups_by_name") {
        match repo.groups().find_by_name(&name).await? {
            Some(group) => found.push(group.pk),
            None => params.refuse("groups_by_name", no_choice(&name)),
        }
    }
    Ok(found)
}

/// The groups with these keys; a key that no group has is told.
async fn groups_by_pk(repo: &mut dyn Repository, params: &mut Params) -> Result<Vec<Uuid>, ApiError> {
    let keys = params.uuids("groups_by_pk");
    let there = repo.groups().lookup_many(&keys).await?;
    for missing in keys.iter().filter(|pk| !there.contains_key(pk)) {
        params.refuse("groups_by_pk", no_choice(&missing.to_string()));
    }
    Ok(keys)
}

fn roles_by_name(snapshot: &Snapshot, params: &mut Params) -> Vec<Uuid> {
    let mut found = Vec::new();
    for name in params.texts("roles_by_name") {
        match snapshot.by::<ak_policy::Role>("name", &name) {
            Some((role, _)) => found.push(role.pk().uuid()),
            None => params.refuse("roles_by_name", no_choice(&name)),
        }
    }
    found
}

fn roles_by_pk(snapshot: &Snapshot, params: &mut Params) -> Vec<Uuid> {
    let keys = params.uuids("roles_by_pk");
    for missing in keys.iter().filter(|pk| shown_roles(snapshot, [*pk]).is_empty()) {
        params.refuse("roles_by_pk", no_choice(&missing.to_string()));
    }
    keys
}

async fn filter(app: &App, repo: &mut dyn Repository, params: &mut Params) -> Result<UserFilter, ApiError> {
    let snapshot = app.store().snapshot();
    let groups = [groups_by_name(repo, params).await?, groups_by_pk(repo, params).await?];
    let roles = [roles_by_name(&snapshot, params), roles_by_pk(&snapshot, params)];
    Ok(UserFilter {
        search: params.search(),
        username: params.text("username"),
        name: params.text("name"),
        email: params.text("email"),
        uuid: params.uuid("uuid"),
        is_active: params.flag("is_active"),
        is_superuser: params.flag("is_superuser"),
        types: params.choices("type", UserType::parse),
        path: params.text("path"),
        path_prefix: params.text("path_startswith"),
        date_joined: params.moments("date_joined"),
        last_login: params.moments("last_login"),
        has_signed_in: params.flag("last_login__isnull").map(|never| !never),
        last_updated: params.moments("last_updated"),
        groups: groups.into_iter().filter(|set| !set.is_empty()).collect(),
        roles: roles.into_iter().filter(|set| !set.is_empty()).collect(),
        attributes: params.attributes(),
        order: params.order(field, &[UserOrder::Username]),
    })
}

fn field(name: &str) -> Option<UserOrder> {
    Some(match name {
        "pk" | "id" => UserOrder::Pk,
        "username" => UserOrder::Username,
        "name" => UserOrder::Name,
        "email" => UserOrder::Email,
        "is_active" => UserOrder::IsActive,
        "type" => UserOrder::Type,
        "path" => UserOrder::Path,
        "uuid" => UserOrder::Uuid,
        "date_joined" => UserOrder::DateJoined,
        "last_login" => UserOrder::LastLogin,
        "last_updated" => UserOrder::LastUpdated,
        _ => return None,
    })
}

#[async_trait]
impl Collection for Users {
    const MODEL: &'static str = "authentik_core.user";
    const PATH: &'static str = "/core/users/";
    const NAME: &'static str = "User";

    async fn find(repo: &mut dyn Repository, _: &Caller, name: &str) -> Result<Option<Value>, ApiError> {
        let Ok(pk) = name.parse::<i64>() else { return Ok(None) };
        Ok(repo.users().lookup(pk).await?.map(|user| user.pk.into()))
    }

    async fn list(app: &App, _: &Caller, params: &mut Params) -> Result<(u64, Vec<Value>), ApiError> {
        let mut repo = app.store().read().await?;
        let filter = filter(app, &mut *repo, params).await?;
        let include = Include::of(params);
        params.done()?;
        let count = repo.users().count(&filter).await?;
        let users = repo.users().list(&filter, params.page(count)?).await?;
        Ok((count, shown(app, &mut *repo, &users, include).await?))
    }

    async fn show(app: &App, pk: &Value, params: &mut Params) -> Result<Option<Value>, ApiError> {
        let include = Include::of(params);
        params.done()?;
        let mut repo = app.store().read().await?;
        let Some(user) = repo.users().lookup(pk.as_i64().unwrap_or_default()).await? else { return Ok(None) };
        Ok(shown(app, &mut *repo, &[user], include).await?.pop())
    }

    fn prepare(_: &App, _: &Caller, _: Option<&Map<String, Value>>, input: &mut Map<String, Value>) -> Result<(), ApiError> {
        // The API has a place of its own for passwords, which tells of them.
        input.remove("password");
        Ok(())
    }

    fn label(document: &Map<String, Value>) -> String {
        document.get("username").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn key(pk: &Value) -> Option<Key> {
        pk.as_i64().map(Key::User)
    }

    async fn users(repo: &mut dyn Repository, pk: &Value) -> Result<Vec<Value>, ApiError> {
        let filter = TokenFilter { user: pk.as_i64(), ..TokenFilter::default() };
        let tokens = repo.tokens().list(&filter, ak_store::records::Page::ALL).await?;
        let one = |token: &ak_store::records::Token| {
            json!({
                "app": "authentik_core", "model_name": "token", "pk": token.pk.to_string(), "name": token.identifier,
                "action": "cascade",
            })
        };
        Ok(tokens.iter().map(one).collect())
    }
}

/// `GET …/paths/`: the folders that accounts are in. With `search`, those whose name has that part.
pub(super) async fn paths(State(app): State<App>, caller: Caller, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    caller.superuser()?;
    let part = Params::of(query.as_deref())?.search().unwrap_or_default();
    let mut paths = app.store().read().await?.users().paths().await?;
    paths.retain(|path| path.contains(&part));
    Ok(Json(json!({ "paths": paths })))
}
