//! Wired together.
//!
//! The programs are small: they read the settings, open the backend that the settings name, and hand it to the rooms. This library is
//! what they share, and what tests start the product with.

pub mod commands;
mod start;

pub use start::{
    Product, StartError, Wiring, load_settings, log_to_stderr, open_backend, open_store, registry, system_dns, until_stopped,
    work_until, worker, zone,
};
