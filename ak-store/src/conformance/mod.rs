//! The suite that every backend must pass: what the traits of [`crate::records`] promise, as tests.
//!
//! A test file says how a fresh database is made, and has every case as a test of its own:
//!
//! ```text
//! async fn fresh() -> Pair { … }
//! ak_store::conformance_suite!(fresh);
//! ```
//!
//! Every case writes through one handle and reads through another, as two processes would. Time is an argument everywhere.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests; they stand in the library so that a backend outside of it can run them"
)]

#[cfg(all(feature = "postgres", unix))]
pub mod cluster;
pub mod consents;
pub mod decision_traces;
pub mod events;
pub mod grants;
pub mod groups;
pub mod objects;
pub mod password_history;
pub mod reputation;
pub mod roles;
pub mod sessions;
pub mod settings;
pub mod tasks;
pub mod tokens;
pub mod transactions;
pub mod users;

use std::any::Any;
use std::sync::Arc;

use chrono::{DateTime, Duration, TimeZone as _, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::records::{Backend, Durability, NewUser, Repository, User};

/// Two handles on one fresh, migrated database.
pub struct Pair {
    /// The handle that cases write through.
    pub one: Arc<dyn Backend>,
    /// The handle that cases read through.
    pub two: Arc<dyn Backend>,
    _keep: Box<dyn Any + Send + Sync>,
}

impl Pair {
    /// Two handles, and what must live as long as they do (a temporary folder).
    pub fn new(one: impl Backend, two: impl Backend, keep: impl Any + Send + Sync) -> Self {
        Self { one: Arc::new(one), two: Arc::new(two), _keep: Box::new(keep) }
    }

    async fn write(&self) -> Box<dyn Repository> {
        self.one.begin(Durability::Relaxed).await.unwrap()
    }

    async fn read(&self) -> Box<dyn Repository> {
        self.two.read().await.unwrap()
    }

    /// Accounts with these names, saved.
    async fn users<const N: usize>(&self, names: [&str; N]) -> [User; N] {
        let mut tx = self.write().await;
        let mut users = Vec::new();
        for name in names {
            users.push(tx.users().add(new_user(name), at(0)).await.unwrap());
        }
        tx.save().await.unwrap();
        users.try_into().unwrap()
    }
}

/// A moment, in minutes after an arbitrary one.
fn at(minutes: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2024, 5, 17, 12, 0, 0).unwrap() + Duration::minutes(minutes) + Duration::microseconds(123_456)
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn hash(n: u8) -> [u8; 32] {
    [n; 32]
}

/// A JSON map.
fn map(json: Value) -> Map<String, Value> {
    json.as_object().unwrap().clone()
}

/// An account whose UUID follows from its name.
fn new_user(name: &str) -> NewUser {
    let mut bytes = [0; 16];
    for (place, byte) in name.bytes().enumerate() {
        bytes[place % 16] ^= byte.rotate_left(u32::try_from(place / 16).unwrap());
    }
    NewUser::internal(Uuid::from_bytes(bytes), name)
}

/// The names of accounts, in the order given.
fn names(users: &[User]) -> Vec<&str> {
    users.iter().map(|user| user.username.as_str()).collect()
}

/// Makes every case of the suite a test. Takes the name of an `async fn() -> Pair` beside it.
#[macro_export]
macro_rules! conformance_suite {
    ($fresh:ident) => {
        $crate::conformance_suite! { @ $fresh
            users: absent, add_and_find, update, passwords, names_are_unique, keys_are_never_used_again, fields_and_case,
                filters, orders, wildcards_are_letters, pages, deletion_cascades;
            groups: absent, add_and_find, update, refusals, cycles_are_refused, parents_at_the_same_moment,
                lists, memberships, inheritance, deletion;
            roles: given_and_taken, refusals, deletion;
            sessions: add_and_expire, lists, plans_are_swapped_once, touch, deletion, deletion_in_batches, tasks_at_the_end;
            tokens: add_and_expire, lists, update, refusals, spend, spend_has_one_winner, deletion;
            consents: put_and_find, lists, forgetting, deletion;
            password_history: the_last_are_kept, forgetting;
            reputation: scores_are_bounded, totals, lists, deletion;
            decision_traces: put_and_find, expiry, too_many;
            grants: add_and_find, lists, forgetting, ending, ending_has_one_winner, a_family_has_one_turn, deletion;
            events: add_and_find, lists, expiry;
            tasks: add_and_find, lists, claim_in_order, a_task_has_one_owner, leases_end, retry_and_death, lost_in_the_last_try,
                next_due, claims_are_exclusive, forget_finished;
            settings: put_and_add;
            objects: commit_and_read, stale, refusals, tombstones, since, unique_values, many_rows, counter;
            transactions: dropped_is_undone, saved_is_seen, one_write, looking, views_stay, views_refuse_writes, a_failed_one_is_not_saved,
                migrating_again, moments_to_the_microsecond, null_characters;
        }
    };
    (@ $fresh:ident $($subject:ident: $($case:ident),*;)*) => {
        $(mod $subject {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::conformance::$subject::$case(super::$fresh().await).await;
            })*
        })*
    };
}
