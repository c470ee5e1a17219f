//! Browser sessions in memory.

use std::cmp::Reverse;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::state::{Hash, State};
use super::tasks::new_task;
use super::{Tx, page, total};
use crate::error::{Result, StoreError};
use crate::records::rules::{kept, plain};
use crate::records::{CLEAN_BATCH, NewTask, Page, Session, SessionFilter, Sessions};

impl State {
    fn filtered_sessions<'a>(&'a self, filter: &'a SessionFilter) -> impl Iterator<Item = &'a Arc<Session>> {
        self.sessions.values().filter(|session| {
            filter.user.is_none_or(|user| session.user == Some(user))
                && filter.valid_at.is_none_or(|moment| session.expires > moment)
                && (!filter.signed_in || session.user.is_some())
                && filter.last_ip.is_none_or(|ip| session.last_ip == Some(ip))
                && filter.last_user_agent.as_ref().is_none_or(|agent| session.last_user_agent == *agent)
        })
    }

    /// Removes the sessions that `gone` says, and asks for what waits for their end; how many.
    pub(super) fn remove_sessions(&mut self, mut gone: impl FnMut(&Session) -> bool) -> u64 {
        let ended: Vec<Hash> = self.sessions.values().filter(|session| gone(session)).map(|session| session.id).collect();
        ended.iter().filter(|id| self.remove_session(id)).count() as u64
    }

    fn remove_session(&mut self, id: &Hash) -> bool {
        if self.sessions.remove(id).is_none() {
            return false;
        }
        for key in self.waiting_for(id) {
            if let Some(task) = self.session_tasks.remove(&key) {
                self.put_task(new_task(NewTask::clone(&task), task.run_at));
            }
        }
        true
    }

    /// The keys of what waits for the end of a session.
    fn waiting_for(&self, id: &Hash) -> Vec<(Hash, String)> {
        let all = self.session_tasks.range((*id, String::new())..);
        all.map(|(key, _)| key.clone()).take_while(|(session, _)| session == id).collect()
    }
}

#[async_trait]
impl Sessions for Tx {
    async fn lookup(&mut self, id: &Hash, now: DateTime<Utc>) -> Result<Option<Session>> {
        Ok(self.state.sessions.get(id).filter(|session| session.expires > now).map(|session| Session::clone(session)))
    }

    async fn find_by_half(&mut self, half: &[u8; 16], now: DateTime<Utc>) -> Result<Option<Session>> {
        let found = self.state.sessions.values().find(|session| session.id.starts_with(half) && session.expires > now);
        Ok(found.map(|session| Session::clone(session)))
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

    async fn at_end(&mut self, id: &Hash, subject: &str, task: &NewTask) -> Result<()> {
        self.write(|state| {
            plain([subject, task.name.as_str()])?;
            let task = NewTask { run_at: kept(task.run_at), ..task.clone() };
            state.session_tasks.insert((*id, subject.to_owned()), Arc::new(task));
            Ok(())
        })
    }

    async fn succeed(&mut self, from: &Hash, to: &Hash) -> Result<()> {
        self.write(|state| {
            for key in state.waiting_for(from) {
                if let Some(task) = state.session_tasks.remove(&key) {
                    state.session_tasks.insert((*to, key.1), task);
                }
            }
            Ok(())
        })
    }

    async fn delete(&mut self, id: &Hash) -> Result<bool> {
        self.write(|state| Ok(state.remove_session(id)))
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
