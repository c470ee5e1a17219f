//! Proved: what the tests of the whole product share.
//!
//! - [`contract`] checks an answer against the published API contract.
//! - [`database`] says where products under test keep their data: SQLite or PostgreSQL.
//! - [`browser`] drives a real Chromium.
//! - [`fuzz`] is what the fuzz targets do with their input.
//! - [`party`] runs clients that others have written.
//! - [`proxy`] is a network that can fail.
//! - [`reverse_proxy`] starts Caddy and nginx in front of an application that says what it sees.
//! - [`server`] starts the product inside a test, [`program`] as a process of its own.

pub mod browser;
pub mod contract;
pub mod database;
pub mod fuzz;
mod making;
pub mod party;
pub mod program;
pub mod proxy;
pub mod reverse_proxy;
pub mod server;

/// Gives rustls its provider of cryptography. Every client and server of a test needs one, also for plain HTTP, and may ask
/// for it any number of times.
pub fn install_crypto_provider() {
    // An error says that there is one already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
