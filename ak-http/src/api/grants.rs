//! `oauth2/`: what OAuth 2.0 clients were given. Superusers see all of it, everybody else what stands for herself.

use std::collections::BTreeMap;

use ak_policy::Provider as _;
use ak_providers::oauth2::OAuth2Provider;
use ak_providers::oauth2::issue::{AccessData, RefreshData};
use ak_providers::proxy::ProxyProvider;
use ak_store::model::{People, Pk};
use ak_store::records::{Grant, GrantFilter, GrantKind, GrantOrder, Repository, User, Word};
use async_trait::async_trait;
use axum::Router;
use serde_json::{Value, json};

use super::kept::{Kept, routes};
use super::oauth2::provider_at;
use super::people::{Include, Params, shown as shown_users};
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;

/// The collections.
pub(super) fn router() -> Router<App> {
    Router::new().merge(routes::<Codes>()).merge(routes::<AccessTokens>()).merge(routes::<RefreshTokens>())
}

/// A sort of grants.
trait Sort: Send + Sync + 'static {
    const KIND: GrantKind;
    const MODEL: &'static str;
    const PATH: &'static str;
    const NAME: &'static str;
}

macro_rules! sort {
    ($($name:ident: $kind:ident, $model:literal, $path:literal, $shown:literal;)*) => {
        $(struct $name;
        impl Sort for $name {
            const KIND: GrantKind = GrantKind::$kind;
            const MODEL: &'static str = $model;
            const PATH: &'static str = $path;
            const NAME: &'static str = $shown;
        })*
    };
}

sort! {
    Codes: Code, "authentik_providers_oauth2.authorizationcode", "/oauth2/authorization_codes/", "AuthorizationCode";
    AccessTokens: Access, "authentik_providers_oauth2.accesstoken", "/oauth2/access_tokens/", "AccessToken";
    RefreshTokens: Refresh, "authentik_providers_oauth2.refreshtoken", "/oauth2/refresh_tokens/", "RefreshToken";
}

fn field(name: &str) -> Option<GrantOrder> {
    Some(match name {
        "pk" | "id" => GrantOrder::Pk,
        "provider" => GrantOrder::Provider,
        "user" => GrantOrder::User,
        "scope" | "_scope" => GrantOrder::Scope,
        "expires" => GrantOrder::Expires,
        "revoked" => GrantOrder::Revoked,
        _ => return None,
    })
}

#[async_trait]
impl<S: Sort> Kept for S {
    type Record = Grant;

    const MODEL: &'static str = S::MODEL;
    const PATH: &'static str = S::PATH;
    const NAME: &'static str = S::NAME;

    fn owner(grant: &Grant) -> Option<i64> {
        Some(grant.user)
    }

    async fn find(_: &App, repo: &mut dyn Repository, name: &str) -> Result<Option<Grant>, ApiError> {
        let Ok(pk) = name.parse() else { return Ok(None) };
        Ok(repo.grants().lookup(pk).await?.filter(|grant| grant.kind == S::KIND))
    }

    async fn list(
        app: &App,
        repo: &mut dyn Repository,
        own: Option<i64>,
        params: &mut Params,
    ) -> Result<(u64, Vec<Grant>), ApiError> {
        let (provider, user) = (params.number("provider"), params.number("user"));
        params.done()?;
        if own.is_some() && user.is_some() && user != own {
            return Ok((0, Vec::new()));
        }
        let snapshot = app.store().snapshot();
        let search = params.search().map(|search| {
            let clients = snapshot.all::<OAuth2Provider>().map(|(at, provider)| (at.pk(), provider.name()));
            let proxies = snapshot.all::<ProxyProvider>().map(|(at, provider)| (at.pk(), provider.name()));
            Word::all(&search, clients.chain(proxies).map(|(pk, name)| (pk.uuid(), name)))
        });
        let filter = GrantFilter {
            kind: Some(S::KIND),
            // A number that no provider has is found nowhere.
            provider: provider.map(|number| provider_at(number).map(Pk::uuid).unwrap_or_default()),
            user: own.or(user),
            search: search.unwrap_or_default(),
            order: params.order(field, &[GrantOrder::Provider, GrantOrder::Expires]),
        };
        let count = repo.grants().count(&filter).await?;
        Ok((count, repo.grants().list(&filter, params.page(count)?).await?))
    }

    /// `ExpiringBaseGrantModel`, `TokenModel`.
    async fn shown(app: &App, repo: &mut dyn Repository, _: &Caller, grants: &[Grant]) -> Result<Vec<Value>, ApiError> {
        let keys: Vec<i64> = grants.iter().map(|grant| grant.user).collect();
        let users: Vec<User> = repo.users().lookup_many(&keys).await?.into_values().collect();
        let shown = shown_users(app, repo, &users, Include::ALL).await?;
        let users: BTreeMap<i64, Value> = users.iter().map(|user| user.pk).zip(shown).collect();
        let (snapshot, now, people) = (app.store().snapshot(), app.store().clock().now(), People::default());
        // What is given in the moment in which its provider goes is good for nothing, and nobody is told of it.
        let known = |grant: &&Grant| snapshot.object(Pk::of_uuid(grant.provider)).is_some();
        let one = |grant: &Grant| {
            let mut value = json!({
                "pk": grant.pk,
                "provider": snapshot.expand(Pk::of_uuid(grant.provider), &people),
                "user": users.get(&grant.user),
                "is_expired": grant.expires <= now,
                "expires": grant.expires,
                "scope": grant.scope.split_whitespace().collect::<Vec<_>>(),
            });
            if let (Value::Object(map), false) = (&mut value, grant.kind == GrantKind::Code) {
                map.insert("id_token".into(), id_token(grant).into());
                map.insert("revoked".into(), grant.ended.is_some().into());
            }
            value
        };
        Ok(grants.iter().filter(known).map(one).collect())
    }

    async fn delete(repo: &mut dyn Repository, grant: &Grant) -> Result<(), ApiError> {
        repo.grants().delete(grant.pk).await?;
        Ok(())
    }

    fn label(grant: &Grant) -> (Value, String) {
        (grant.pk.into(), format!("{} #{}", S::NAME, grant.pk))
    }
}

/// What a token tells, as a JSON text.
fn id_token(grant: &Grant) -> String {
    let claims = match grant.kind {
        GrantKind::Refresh => serde_json::from_value::<RefreshData>(grant.data.clone()).map(|data| json!(data.login)),
        _ => serde_json::from_value::<AccessData>(grant.data.clone()).map(|data| json!(data.id_token)),
    };
    claims.unwrap_or_default().to_string()
}
