//! One evaluation of a script: what it may see, how long it may take, and what it has done so far.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ak_store::directory::Person;
use ak_store::records::Group;
use chrono_tz::Tz;
use rhai::{EvalAltResult, Position};
use serde_json::{Map, Value};

use super::uses::Uses;
use super::value::Wrong;
use crate::context::Context;
use crate::policy::{Changes, LogLine, PolicyEffect};
use crate::request::Request;

/// How many lines a script logs, and messages it gives, at the most.
const LINES: usize = 100;

/// Characters of a line, a message or an error at the most.
const LINE: usize = 2_000;

/// Bytes that a script changes, or notes as events, at the most.
const KEPT: usize = 256 << 10;

/// What an entry counts beside its content, in bytes.
const ENTRY: usize = 32;

/// One evaluation of a script.
#[derive(Debug)]
pub(crate) struct Run {
    /// Private, so that nothing reads more of it than the account without [`Run::request`].
    request: Arc<Request>,
    /// Whether more was read than the account that asks.
    read_more: AtomicBool,
    uses: Arc<Uses>,
    /// Reading of the monotonic clock, in microseconds, at which the time is over.
    deadline: u64,
    /// How many policies called each other to come here.
    pub(crate) depth: usize,
    state: Mutex<State>,
}

/// What a script has done so far.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) messages: Vec<String>,
    pub(crate) log: Vec<LogLine>,
    pub(crate) changes: Changes,
    /// How much of [`KEPT`] is used up.
    kept: usize,
    /// What flows have gathered, from the first change on.
    pub(crate) context: Option<Context>,
    /// The attributes of accounts that the script has changed.
    pub(crate) attributes: BTreeMap<i64, Map<String, Value>>,
    /// Memberships that the script has begun.
    pub(crate) added: Vec<(i64, Arc<Group>)>,
    /// Memberships that the script has ended.
    pub(crate) removed: Vec<(i64, uuid::Uuid)>,
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Run>>> = const { RefCell::new(None) };
}

/// Puts back what was current before.
struct Restore(Option<Arc<Run>>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(|current| *current = self.0.take());
    }
}

impl Run {
    /// An evaluation of a script that uses this, which ends within `limit` from now.
    pub(crate) fn new(request: Arc<Request>, limit: Duration, uses: Arc<Uses>) -> Arc<Self> {
        let now = request.services.clock.monotonic_micros();
        let limit = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
        let (deadline, depth) = match Self::current() {
            // What a script calls ends no later than the script.
            Ok(outer) => (now.saturating_add(limit).min(outer.deadline), outer.depth + 1),
            Err(_) => (now.saturating_add(limit), 0),
        };
        Arc::new(Self { request, read_more: AtomicBool::new(false), uses, deadline, depth, state: Mutex::default() })
    }

    /// All that is asked. What the script does from now on may depend on all of it.
    pub(crate) fn request(&self) -> &Arc<Request> {
        self.read_more.store(true, Ordering::Relaxed);
        &self.request
    }

    /// Who asks.
    pub(crate) fn person(&self) -> Option<&Arc<Person>> {
        self.request.person.as_ref()
    }

    /// The time zone in which dates are seen.
    pub(crate) fn zone(&self) -> Tz {
        self.request.services.zone
    }

    /// The id of the installation.
    pub(crate) fn install_id(&self) -> &str {
        &self.request.services.install_id
    }

    /// Whether the script uses the variable of that name.
    pub(crate) fn uses(&self, name: &str) -> bool {
        self.uses.has(name)
    }

    /// Whether what the script has given until now depends on nothing but itself and who asks, with the zone and the installation.
    pub(crate) fn is_lasting(&self) -> bool {
        self.uses.only_own_functions() && !self.read_more.load(Ordering::Relaxed)
    }

    /// The evaluation that goes on on this thread.
    pub(crate) fn current() -> Result<Arc<Self>, Wrong> {
        CURRENT.with_borrow(Clone::clone).ok_or_else(|| "there is no request to ask about".into())
    }

    /// Does something as this evaluation.
    pub(crate) fn enter<T>(self: &Arc<Self>, act: impl FnOnce() -> T) -> T {
        let _restore = Restore(CURRENT.replace(Some(self.clone())));
        act()
    }

    /// Whether the time of the evaluation on this thread is over.
    pub(crate) fn is_late() -> bool {
        CURRENT.with_borrow(|run| run.as_ref().is_some_and(|run| run.remaining().is_zero()))
    }

    pub(crate) fn remaining(&self) -> Duration {
        let now = self.request.services.clock.monotonic_micros();
        Duration::from_micros(self.deadline.saturating_sub(now))
    }

    /// What was done so far. Never held while anything else runs.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something asynchronous as long as there is time. That the time is over no script can catch.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> Result<T, Wrong> {
        let over = |why: String| Wrong::from(EvalAltResult::ErrorTerminated(why.into(), Position::NONE));
        crate::pool::wait(self.remaining(), future).map_err(over)
    }

    pub(crate) fn log(&self, level: &'static str, event: String) {
        let timestamp = self.request.services.clock.now();
        let mut state = self.state();
        if state.log.len() < LINES {
            state.log.push(LogLine { level, event: shortened(event), timestamp });
        }
    }

    pub(crate) fn message(&self, message: String) {
        let mut state = self.state();
        if state.messages.len() < LINES {
            state.messages.push(shortened(message));
        }
    }

    /// Notes something that is to happen when the decision is kept.
    pub(crate) fn effect(&self, effect: PolicyEffect) -> Result<(), Wrong> {
        match &effect {
            PolicyEffect::Event { action, context } => self.keep(action.len() + weight_of(context))?,
            PolicyEffect::SetAttributes { attributes, .. } => self.keep(weight_of(attributes))?,
            PolicyEffect::AddToGroup { .. } | PolicyEffect::RemoveFromGroup { .. } | PolicyEffect::ExpirePassword { .. } => {}
        }
        let mut state = self.state();
        if state.changes.effects.len() >= LINES {
            return Err("the script makes too much happen".into());
        }
        state.changes.effects.push(effect);
        Ok(())
    }

    /// Takes so many bytes off what the script may keep beyond its end.
    pub(crate) fn keep(&self, bytes: usize) -> Result<(), Wrong> {
        let mut state = self.state();
        state.kept = state.kept.saturating_add(bytes);
        if state.kept > KEPT { Err("the script keeps too much".into()) } else { Ok(()) }
    }

    /// What flows have gathered, with what the script has changed of it.
    pub(crate) fn with_context<T>(&self, read: impl FnOnce(&Context) -> T) -> T {
        let state = self.state();
        read(state.context.as_ref().unwrap_or(&self.request().context))
    }

    /// Changes what flows have gathered, for the rest of the script and for whoever keeps the decision.
    pub(crate) fn change_context(&self, name: &str, value: Option<Value>) -> Result<(), Wrong> {
        self.keep(ENTRY + name.len() + value.as_ref().map_or(0, weight))?;
        let mut state = self.state();
        let context = state.context.get_or_insert_with(|| self.request().context.clone());
        match value {
            Some(value) => {
                context.values.insert(name.to_owned(), value.clone());
                state.changes.removed.retain(|removed| removed != name);
                state.changes.context.insert(name.to_owned(), value);
            }
            None => {
                context.values.remove(name);
                state.changes.context.remove(name);
                state.changes.removed.push(name.to_owned());
            }
        }
        Ok(())
    }

    /// Changes which account is being identified.
    pub(crate) fn change_pending_user(&self, user: Option<i64>) {
        let mut state = self.state();
        let context = state.context.get_or_insert_with(|| self.request().context.clone());
        context.pending_user = user;
        state.changes.pending_user = Some(user);
    }
}

/// A text that people read, cut off where it is too long for that.
pub(super) fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(LINE) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// About how many bytes a value takes.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => ENTRY,
        Value::String(text) => ENTRY + text.len(),
        Value::Array(entries) => entries.iter().map(weight).sum::<usize>() + ENTRY,
        Value::Object(map) => ENTRY + weight_of(map),
    }
}

fn weight_of(map: &Map<String, Value>) -> usize {
    map.iter().map(|(name, value)| name.len() + weight(value)).sum()
}
