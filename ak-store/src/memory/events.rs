//! What happened, in memory.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::state::State;
use super::{Tx, page, total};
use crate::error::{Result, StoreError};
use crate::records::rules::kept;
use crate::records::{CLEAN_BATCH, Event, EventFilter, Events, Page};

impl State {
    fn filtered_events<'a>(&'a self, filter: &'a EventFilter) -> impl Iterator<Item = &'a Arc<Event>> {
        self.events.values().rev().filter(|event| {
            filter.action.as_deref().is_none_or(|action| event.action == action)
                && filter.user.is_none_or(|user| event.user_pk == Some(user))
        })
    }
}

#[async_trait]
impl Events for Tx {
    async fn lookup(&mut self, pk: Uuid) -> Result<Option<Event>> {
        let created = self.state.event_times.get(&pk);
        Ok(created.and_then(|created| self.state.events.get(&(*created, pk))).map(|event| Event::clone(event)))
    }

    async fn list(&mut self, filter: &EventFilter, part: Page) -> Result<Vec<Event>> {
        Ok(page(self.state.filtered_events(filter).map(|event| Event::clone(event)), part))
    }

    async fn count(&mut self, filter: &EventFilter) -> Result<u64> {
        Ok(total(self.state.filtered_events(filter)))
    }

    async fn add(&mut self, event: &Event) -> Result<()> {
        self.write(|state| {
            if state.event_times.contains_key(&event.pk) {
                return Err(StoreError::Taken("pk"));
            }
            let event = Event { created: kept(event.created), expires: kept(event.expires), ..event.clone() };
            state.event_times.insert(event.pk, event.created);
            state.events.insert((event.created, event.pk), Arc::new(event));
            Ok(())
        })
    }

    async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<u64> {
        self.write(|state| {
            let ended: Vec<_> = state
                .events
                .iter()
                .filter(|(_, event)| event.expires <= now)
                .map(|(place, _)| *place)
                .take(CLEAN_BATCH as usize)
                .collect();
            for place in &ended {
                state.events.remove(place);
                state.event_times.remove(&place.1);
            }
            Ok(ended.len() as u64)
        })
    }
}
