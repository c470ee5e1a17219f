//! The functions that scripts call, by subject.

mod http;
mod net;
mod note;
mod people;
mod policy;
mod text;

pub(crate) use http::{RequestError, Requests};
pub(super) use note::Logger;
pub(super) use people::{look_up_group, look_up_user};
pub(super) use policy::PolicyResult;
pub(super) use text::pattern;

use super::table::Table;

/// Registers all of them.
pub(super) fn register(table: &mut Table) {
    text::register(table);
    net::register(table);
    http::register(table);
    people::register(table);
    policy::register(table);
    note::register(table);
}
