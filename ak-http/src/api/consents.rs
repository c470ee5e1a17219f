//! `core/user_consent/`: what people have agreed that applications get. Superusers see all of it, everybody else her own.

use std::collections::BTreeMap;

use ak_policy::Application;
use ak_store::model::Pk;
use ak_store::records::{Consent, ConsentFilter, ConsentOrder, Repository, User, Word};
use async_trait::async_trait;
use serde_json::{Value, json};

use super::kept::Kept;
use super::people::{Include, Params, shown as shown_users};
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;

/// What people have agreed to.
pub(super) struct Consents;

fn field(name: &str) -> Option<ConsentOrder> {
    Some(match name {
        "pk" | "id" => ConsentOrder::Pk,
        "user" => ConsentOrder::User,
        "application" => ConsentOrder::Application,
        "permissions" => ConsentOrder::Permissions,
        "expires" => ConsentOrder::Expires,
        _ => return None,
    })
}

#[async_trait]
impl Kept for Consents {
    type Record = Consent;

    const MODEL: &'static str = "authentik_core.userconsent";
    const PATH: &'static str = "/core/user_consent/";
    const NAME: &'static str = "UserConsent";

    fn owner(consent: &Consent) -> Option<i64> {
        Some(consent.user)
    }

    async fn find(_: &App, repo: &mut dyn Repository, name: &str) -> Result<Option<Consent>, ApiError> {
        let Ok(pk) = name.parse() else { return Ok(None) };
        Ok(repo.consents().lookup(pk).await?)
    }

    async fn list(
        app: &App,
        repo: &mut dyn Repository,
        own: Option<i64>,
        params: &mut Params,
    ) -> Result<(u64, Vec<Consent>), ApiError> {
        let (application, user) = (params.uuid("application"), params.number("user"));
        params.done()?;
        if own.is_some() && user.is_some() && user != own {
            return Ok((0, Vec::new()));
        }
        let snapshot = app.store().snapshot();
        let names = snapshot.all::<Application>().map(|(at, application)| (at.pk().uuid(), application.name.as_str()));
        let filter = ConsentFilter {
            user: own.or(user),
            application,
            search: params.search().map(|search| Word::all(&search, names)).unwrap_or_default(),
            order: params.order(field, &[ConsentOrder::Application, ConsentOrder::Expires]),
        };
        let count = repo.consents().count(&filter).await?;
        Ok((count, repo.consents().list(&filter, params.page(count)?).await?))
    }

    /// `UserConsent`.
    async fn shown(app: &App, repo: &mut dyn Repository, _: &Caller, consents: &[Consent]) -> Result<Vec<Value>, ApiError> {
        let keys: Vec<i64> = consents.iter().map(|consent| consent.user).collect();
        let users: Vec<User> = repo.users().lookup_many(&keys).await?.into_values().collect();
        let shown = shown_users(app, repo, &users, Include::ALL).await?;
        let users: BTreeMap<i64, Value> = users.iter().map(|user| user.pk).zip(shown).collect();
        let snapshot = app.store().snapshot();
        let applications: Vec<_> =
            consents.iter().filter_map(|consent| snapshot.object(Pk::of_uuid(consent.application)).cloned()).collect();
        let people = app.store().people(&applications).await?;
        // One that is for nothing any more is kept by whoever agreed in the moment in which the application went.
        let known = |consent: &&Consent| snapshot.object(Pk::of_uuid(consent.application)).is_some();
        let one = |consent: &Consent| {
            json!({
                "pk": consent.pk,
                "expires": consent.expires,
                "expiring": consent.expires.is_some(),
                "user": users.get(&consent.user),
                "application": snapshot.expand(Pk::of_uuid(consent.application), &people),
                "permissions": consent.permissions,
            })
        };
        Ok(consents.iter().filter(known).map(one).collect())
    }

    async fn delete(repo: &mut dyn Repository, consent: &Consent) -> Result<(), ApiError> {
        repo.consents().delete(consent.pk).await?;
        Ok(())
    }

    fn label(consent: &Consent) -> (Value, String) {
        (consent.pk.into(), format!("UserConsent #{}", consent.pk))
    }
}
