//! Translated Python against CPython: the same snippets over the same stub objects give the same results and exceptions.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "the helpers of a test are tests"
)]

mod community;
mod flagged;
mod fuzz;
mod metamorphic;
mod stubs;
mod table;
