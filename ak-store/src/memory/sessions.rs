//! Browser sessions in memory.

use std::cmp::Reverse;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::state::{Hash, State};
use super::{Tx, page, total};
use crate::error::{Result, StoreError};
use crate::records::rules::{kept, plain};
use crate::records::{CLEAN_BATCH, Page, Session, SessionFilter, Sessions};

impl State {
    fn filtered_sessions<'a>(&'a self, filter: &'a SessionFilter) -> impl Iterator<Item = &'a Arc<Session>> {
        self.sessions.values().filter(|session| {
            filter.user.is_none_or(|user| session.user == Some(user))
                && filter.valid_at.is_none_or(|moment| session.expires > moment)
        })
    }

    /// Removes the sessions that `gone` says; how many.
    fn remove_sessions(&mut self, mut gone: impl FnMut(&Session) -> bool) -> u64 {
        let before = self.sessions.len();
        self.sessions.retain(|_, session| !gone(session));
        (before - self.sessions.len()) as u64
    }
}

#[async_trait]
impl Sessions for Tx {
    async fn lookup(&mut self, id: &Hash, now: DateTime<Utc>) -> Result<Option<Session>> {
        Ok(self.state.sessions.get(id).filter(|session| session.expires > now).map(|session| Session::clone(session)))
    }

    async fn list(&mut self, filter: &SessionFilter, part: Page) -> Result<Vec<Session>> {
        let mut found: Vec<_> = self.state.filtered_sessions(filter).collect();
        found.sort_by_key(|session| (Reverse(session.last_used), session.id));
        Ok(page(found.into_iter().map(|session| Session::clone(session)), part))
    }

    async fn count(&mut self, filter: &SessionFilter) -> Result<u64> {
        Ok(total(self.state.filtered_sessions(filter)))
    }

    async fn add(&mut self, session: &Session) -> Result<()> {
        self.write(|state| {
            plain([session.last_user_agent.as_str()])?;
            if state.sessions.contains_key(&session.id) {
                return Err(StoreError::Taken("id"));
            }
            if session.user.is_some_and(|user| !state.users.contains_key(&user)) {
                return Err(StoreError::Missing("user"));
            }
            let new = Session {
                created: kept(session.created),
                last_used: kept(session.last_used),
                expires: kept(session.expires),
                ..session.clone()
            };
            state.sessions.insert(new.id, Arc::new(new));
            Ok(())
        })
    }

    async fn swap_plan(&mut self, id: &Hash, turn: i64, plan: Option<&Value>, data: &Value) -> Result<bool> {
        self.write(|state| {
            let Some(session) = state.sessions.get_mut(id).filter(|session| session.turn == turn) else {
                return Ok(false);
            };
            let session = Arc::make_mut(session);
            session.plan = plan.cloned();
            session.data = data.clone();
            session.turn += 1;
            Ok(true)
        })
    }

    async fn touch(&mut self, id: &Hash, now: DateTime<Utc>, ip: Option<IpAddr>, user_agent: &str) -> Result<()> {
        self.write(|state| {
            plain([user_agent])?;
            let session = state.sessions.get_mut(id).map(Arc::make_mut).ok_or(StoreError::Missing("session"))?;
            session.last_used = kept(now);
            session.last_ip = ip;
            session.last_user_agent = user_agent.into();
            Ok(())
        })
    }

    async fn delete(&mut self, id: &Hash) -> Result<bool> {
        self.write(|state| Ok(state.sessions.remove(id).is_some()))
    }

    async fn delete_of_user(&mut self, user: i64, except: Option<&Hash>) -> Result<u64> {
        self.write(|state| Ok(state.remove_sessions(|session| session.user == Some(user) && Some(&session.id) != except)))
    }

    async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<u64> {
        self.write(|state| {
            Ok({
                let mut left = CLEAN_BATCH;
                state.remove_sessions(|session| {
                    let ended = left > 0 && session.expires <= now;
                    left -= u64::from(ended);
                    ended
                })
            })
        })
    }
}
