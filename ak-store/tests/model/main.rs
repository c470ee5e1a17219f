//! The model of objects, from the side of a program that brings kinds of its own: the same tests on every backend.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy takes only functions marked as tests for tests, not what they share"
)]
#![allow(clippy::duplicate_mod, reason = "the suite is there once for each backend")]

mod memory;
mod postgres;
mod sqlite;

/// Keeps what a storage is made of until the thread of the test ends, so that no test has to carry it around.
fn keep(what: impl std::any::Any) {
    thread_local!(static KEPT: std::cell::RefCell<Vec<Box<dyn std::any::Any>>> = const { std::cell::RefCell::new(Vec::new()) });
    KEPT.with_borrow_mut(|kept| kept.push(Box::new(what)));
}
