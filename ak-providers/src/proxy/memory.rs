//! What was found out about cookies and credentials, for a moment.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ak_store::model::Pk;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::keeper::Verdict;

/// What was found out about a proof.
#[derive(Clone)]
pub(super) struct Known {
    /// Who may pass by it.
    pub(super) verdict: Verdict,
    /// At which revision of the configuration.
    pub(super) revision: u64,
    /// When it was last looked for, in microseconds of the monotonic clock.
    pub(super) looked: u64,
    /// When policies were last asked.
    pub(super) decided: u64,
    /// About a request from where.
    pub(super) ip: Option<IpAddr>,
    /// The claims that were found by it.
    pub(super) claims: Arc<Map<String, Value>>,
    /// When they end.
    pub(super) expires: DateTime<Utc>,
}

/// A digest of a proof: neither cookies nor credentials are kept.
pub(super) type PlaceOf = [u8; 32];

/// How many parts it has, each with a lock of its own.
const PARTS: usize = 16;
/// How much a part holds at the most.
const MOST: usize = 4096;
/// How long something is held that nobody asks for, in microseconds.
const IDLE: u64 = 60_000_000;

/// What was found out lately.
pub(super) struct Memory {
    parts: [Mutex<HashMap<PlaceOf, Known>>; PARTS],
}

impl Default for Memory {
    fn default() -> Self {
        Self { parts: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl Memory {
    /// Where what is known of a proof stands.
    pub(super) fn place(provider: Pk, is_session: bool, text: &str) -> PlaceOf {
        let mut hash = Sha256::new();
        hash.update(provider.uuid().as_bytes());
        hash.update([u8::from(is_session)]);
        hash.update(text.as_bytes());
        hash.finalize().into()
    }

    fn part(&self, place: &PlaceOf) -> Option<MutexGuard<'_, HashMap<PlaceOf, Known>>> {
        let [first, ..] = place;
        let part = self.parts.get(usize::from(*first) % PARTS)?;
        Some(part.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is known of a proof.
    pub(super) fn get(&self, place: &PlaceOf) -> Option<Known> {
        self.part(place)?.get(place).cloned()
    }

    /// Keeps what was found out at `ticks`.
    pub(super) fn keep(&self, place: PlaceOf, known: Known, ticks: u64) {
        let Some(mut part) = self.part(&place) else { return };
        if part.len() >= MOST {
            part.retain(|_, known| ticks.saturating_sub(known.looked) < IDLE);
        }
        if part.len() >= MOST {
            part.clear();
        }
        part.insert(place, known);
    }

    /// Forgets what was known of a proof.
    pub(super) fn forget(&self, place: &PlaceOf) {
        if let Some(mut part) = self.part(place) {
            part.remove(place);
        }
    }
}
