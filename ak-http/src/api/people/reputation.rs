//! `policies/reputation/scores/`: how those who try to sign in have done. Made by sign-ins only; superusers see and forget them.

use ak_store::records::{Repository, Reputation, ReputationFilter, ReputationOrder};
use async_trait::async_trait;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::kept::Kept;
use super::params::Params;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;

/// How those who try to sign in have done.
pub(super) struct Scores;

/// A score as the contract shows it (`Reputation`), with what is known of its address.
fn shown(app: &App, score: &Reputation) -> Value {
    let geo = &app.runner.services().geo;
    json!({
        "pk": score.pk,
        "identifier": score.identifier,
        "ip": score.ip,
        "ip_geo_data": geo.place(score.ip).ok().flatten().map_or_else(|| json!({}), |place| json!(place)),
        "ip_asn_data": geo.system(score.ip).ok().flatten().map_or_else(|| json!({}), |system| json!(system)),
        "score": score.score,
        "updated": score.updated,
    })
}

fn field(name: &str) -> Option<ReputationOrder> {
    Some(match name {
        "pk" | "reputation_uuid" => ReputationOrder::Pk,
        "identifier" => ReputationOrder::Identifier,
        "ip" => ReputationOrder::Ip,
        "score" => ReputationOrder::Score,
        "updated" => ReputationOrder::Updated,
        _ => return None,
    })
}

#[async_trait]
impl Kept for Scores {
    type Record = Reputation;

    const MODEL: &'static str = "authentik_policies_reputation.reputation";
    const PATH: &'static str = "/policies/reputation/scores/";
    const NAME: &'static str = "Reputation Score";

    fn admit(caller: Caller) -> Result<Caller, ApiError> {
        caller.superuser()
    }

    fn owner(_: &Reputation) -> Option<i64> {
        None
    }

    async fn find(_: &App, repo: &mut dyn Repository, name: &str) -> Result<Option<Reputation>, ApiError> {
        let Ok(pk) = Uuid::parse_str(name) else { return Ok(None) };
        Ok(repo.reputations().lookup(pk).await?)
    }

    async fn list(
        _: &App,
        repo: &mut dyn Repository,
        _: Option<i64>,
        params: &mut Params,
    ) -> Result<(u64, Vec<Reputation>), ApiError> {
        let filter = ReputationFilter {
            search: params.search(),
            identifier: params.text("identifier"),
            identifiers: params.texts("identifier_in").iter().flat_map(|names| names.split(',')).map(str::to_owned).collect(),
            ip: params.address("ip"),
            score: params.number("score"),
            order: params.order(field, &[ReputationOrder::Identifier]),
        };
        params.done()?;
        let count = repo.reputations().count(&filter).await?;
        Ok((count, repo.reputations().list(&filter, params.page(count)?).await?))
    }

    async fn shown(app: &App, _: &mut dyn Repository, _: &Caller, scores: &[Reputation]) -> Result<Vec<Value>, ApiError> {
        Ok(scores.iter().map(|score| shown(app, score)).collect())
    }

    /// What was held against somebody is forgotten.
    async fn delete(repo: &mut dyn Repository, score: &Reputation) -> Result<(), ApiError> {
        repo.reputations().delete(score.pk).await?;
        Ok(())
    }

    fn label(score: &Reputation) -> (Value, String) {
        (score.pk.to_string().into(), score.identifier.clone())
    }
}
