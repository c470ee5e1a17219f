//! How those who try to sign in have done lately, in memory.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::state::State;
use super::{Tx, page, sort, total};
use crate::error::Result;
use crate::records::rules::{kept, words};
use crate::records::{CLEAN_BATCH, Page, Reputation, ReputationFilter, ReputationOrder, Reputations, ScoreChange};

fn compare(a: &Reputation, b: &Reputation, by: ReputationOrder) -> Ordering {
    match by {
        ReputationOrder::Pk => a.pk.cmp(&b.pk),
        ReputationOrder::Identifier => a.identifier.cmp(&b.identifier),
        ReputationOrder::Ip => a.ip.to_string().cmp(&b.ip.to_string()),
        ReputationOrder::Score => a.score.cmp(&b.score),
        ReputationOrder::Updated => a.updated.cmp(&b.updated),
    }
}

impl State {
    fn filtered_reputations<'a>(&'a self, filter: &'a ReputationFilter) -> impl Iterator<Item = &'a Arc<Reputation>> {
        let wanted = words(filter.search.as_deref());
        self.reputations.values().filter(move |row| {
            let fields = [row.identifier.to_lowercase(), row.ip.to_string(), row.score.to_string()];
            filter.identifier.as_deref().is_none_or(|name| row.identifier == name)
                && (filter.identifiers.is_empty() || filter.identifiers.contains(&row.identifier))
                && filter.ip.is_none_or(|ip| row.ip == ip)
                && filter.score.is_none_or(|score| row.score == score)
                && wanted.iter().all(|word| fields.iter().any(|field| field.contains(word.as_str())))
        })
    }

    /// The scores for this address or for this name, each once.
    fn reputations_meant(&self, ip: Option<IpAddr>, name: Option<&str>) -> impl Iterator<Item = &Arc<Reputation>> {
        let mut places: BTreeSet<(&str, IpAddr)> = BTreeSet::new();
        if let Some(ip) = ip {
            let from = self.reputation_addresses.range((ip, String::new())..).take_while(move |place| place.0 == ip);
            places.extend(from.map(|(ip, name)| (name.as_str(), *ip)));
        }
        if let Some(name) = name {
            let lowest = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
            let from = self.reputation_keys.range((name.to_owned(), lowest)..).take_while(|(place, _)| place.0 == name);
            places.extend(from.map(|((name, ip), _)| (name.as_str(), *ip)));
        }
        let key = |(name, ip): (&str, IpAddr)| self.reputation_keys.get(&(name.to_owned(), ip));
        places.into_iter().filter_map(move |place| self.reputations.get(key(place)?))
    }

    fn remove_reputation(&mut self, pk: Uuid) -> bool {
        let Some(row) = self.reputations.remove(&pk) else { return false };
        self.reputation_keys.remove(&(row.identifier.clone(), row.ip));
        self.reputation_addresses.remove(&(row.ip, row.identifier.clone()));
        true
    }
}

#[async_trait]
impl Reputations for Tx {
    async fn lookup(&mut self, pk: Uuid) -> Result<Option<Reputation>> {
        Ok(self.state.reputations.get(&pk).map(|row| Reputation::clone(row)))
    }

    async fn total(&mut self, ip: Option<IpAddr>, identifier: Option<&str>, now: DateTime<Utc>) -> Result<i64> {
        let rows = self.state.reputations_meant(ip, identifier);
        Ok(rows.filter(|row| row.expires > now).map(|row| row.score).sum())
    }

    async fn list(&mut self, filter: &ReputationFilter, part: Page) -> Result<Vec<Reputation>> {
        let mut found: Vec<&Arc<Reputation>> = self.state.filtered_reputations(filter).collect();
        sort(&mut found, &filter.order, compare);
        Ok(page(found.into_iter().map(|row| Reputation::clone(row)), part))
    }

    async fn count(&mut self, filter: &ReputationFilter) -> Result<u64> {
        Ok(total(self.state.filtered_reputations(filter)))
    }

    async fn change(&mut self, change: &ScoreChange, now: DateTime<Utc>) -> Result<Reputation> {
        self.write(|state| {
            let at = (change.identifier.clone(), change.ip);
            let before = state.reputation_keys.get(&at).and_then(|pk| state.reputations.get(pk));
            let score = before.filter(|row| row.expires > now).map_or(0, |row| row.score);
            let row = Reputation {
                pk: before.map_or(change.pk, |row| row.pk),
                identifier: change.identifier.clone(),
                ip: change.ip,
                score: change.applied(score),
                updated: kept(now),
                expires: kept(change.expires),
            };
            state.reputation_keys.insert(at, row.pk);
            state.reputation_addresses.insert((row.ip, row.identifier.clone()));
            state.reputations.insert(row.pk, Arc::new(row.clone()));
            Ok(row)
        })
    }

    async fn delete(&mut self, pk: Uuid) -> Result<bool> {
        self.write(|state| Ok(state.remove_reputation(pk)))
    }

    async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<u64> {
        self.write(|state| {
            let ended = state.reputations.values().filter(|row| row.expires <= now).map(|row| row.pk);
            let ended: Vec<Uuid> = ended.take(CLEAN_BATCH as usize).collect();
            Ok(total(ended.into_iter().filter(|pk| state.remove_reputation(*pk))))
        })
    }
}
