//! The backend that keeps everything in memory: for tests, and for programs that embed the product and keep nothing.
//!
//! The state is one value made of persistent maps. A transaction takes the writers' turn and works on a copy, which costs
//! nothing until it is changed; [`Repository::save`] publishes the copy, dropping it forgets it. A view for reading is the
//! state that was published last, and stays as it is.

mod consents;
mod decision_traces;
mod events;
mod grants;
mod groups;
mod objects;
mod password_history;
mod reputation;
mod roles;
mod sessions;
mod settings;
mod state;
mod tasks;
mod tokens;
mod users;

use std::cmp::Ordering;
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use tokio::sync::{Mutex, OwnedMutexGuard};

use self::state::State;
use crate::error::Result;
use crate::records::{
    Backend, By, Consents, DecisionTraces, Durability, Events, Grants, Groups, Objects, Page, PasswordHistories, Repository,
    Reputations, Roles, Sessions, Settings, Tasks, Tokens, Users, rules,
};

/// Keeps everything in memory. Clones are handles on the same data.
#[derive(Clone, Default)]
pub struct MemoryBackend {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    published: ArcSwap<State>,
    /// The writers' turn: fair, so that none waits for ever.
    writer: Arc<Mutex<()>>,
}

impl MemoryBackend {
    /// An empty backend.
    pub fn new() -> Self {
        Self::default()
    }

    fn view(&self, turn: Option<OwnedMutexGuard<()>>) -> Box<dyn Repository> {
        let state = State::clone(&self.shared.published.load());
        Box::new(Tx { state, shared: self.shared.clone(), turn, failed: false })
    }
}

impl std::fmt::Debug for MemoryBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryBackend").finish_non_exhaustive()
    }
}

#[async_trait]
impl Backend for MemoryBackend {
    async fn begin(&self, _: Durability) -> Result<Box<dyn Repository>> {
        let turn = self.shared.writer.clone().lock_owned().await;
        Ok(self.view(Some(turn)))
    }

    async fn read(&self) -> Result<Box<dyn Repository>> {
        Ok(self.view(None))
    }

    async fn migrate(&self) -> Result<()> {
        Ok(())
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }

    fn name(&self) -> &'static str {
        "memory"
    }
}

/// A transaction, or (without a turn) a view for reading.
struct Tx {
    state: State,
    shared: Arc<Shared>,
    turn: Option<OwnedMutexGuard<()>>,
    failed: bool,
}

impl Tx {
    /// Every change goes through here: it is refused in a view, and an error leaves the transaction only to be dropped.
    fn write<T>(&mut self, change: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        if self.turn.is_none() {
            return Err(rules::read_only());
        }
        if self.failed {
            return Err(rules::failed_before());
        }
        change(&mut self.state).inspect_err(|_| self.failed = true)
    }
}

#[async_trait]
impl Repository for Tx {
    fn users(&mut self) -> &mut dyn Users {
        self
    }

    fn groups(&mut self) -> &mut dyn Groups {
        self
    }

    fn roles(&mut self) -> &mut dyn Roles {
        self
    }

    fn sessions(&mut self) -> &mut dyn Sessions {
        self
    }

    fn tokens(&mut self) -> &mut dyn Tokens {
        self
    }

    fn consents(&mut self) -> &mut dyn Consents {
        self
    }

    fn grants(&mut self) -> &mut dyn Grants {
        self
    }

    fn decision_traces(&mut self) -> &mut dyn DecisionTraces {
        self
    }

    fn password_histories(&mut self) -> &mut dyn PasswordHistories {
        self
    }

    fn reputations(&mut self) -> &mut dyn Reputations {
        self
    }

    fn events(&mut self) -> &mut dyn Events {
        self
    }

    fn tasks(&mut self) -> &mut dyn Tasks {
        self
    }

    fn settings(&mut self) -> &mut dyn Settings {
        self
    }

    fn objects(&mut self) -> &mut dyn Objects {
        self
    }

    async fn save(self: Box<Self>) -> Result<()> {
        if self.failed {
            return Err(rules::failed_before());
        }
        if self.turn.is_some() {
            self.shared.published.store(Arc::new(self.state));
        }
        Ok(())
    }
}

/// The part of `rows` that `page` asks for.
fn page<T>(rows: impl Iterator<Item = T>, page: Page) -> Vec<T> {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    rows.skip(number(page.offset)).take(number(page.limit)).collect()
}

/// Sorts rows by an order of the list; the order in which they came decides between equal ones.
fn sort<T, F: Copy>(rows: &mut [&Arc<T>], order: &[By<F>], compare: impl Fn(&T, &T, F) -> Ordering) {
    rows.sort_by(|a, b| {
        let by = order.iter().map(|by| {
            let ordering = compare(a, b, by.field);
            if by.descending { ordering.reverse() } else { ordering }
        });
        by.fold(Ordering::Equal, Ordering::then)
    });
}

/// The order of values that may be absent: those that are come last.
fn absent_last<T: Ord>(a: &Option<T>, b: &Option<T>) -> Ordering {
    b.is_some().cmp(&a.is_some()).then_with(|| a.cmp(b))
}

/// How many rows, as the traits count.
fn total(rows: impl Iterator) -> u64 {
    rows.count() as u64
}
