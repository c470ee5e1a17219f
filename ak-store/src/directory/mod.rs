//! People: their passwords, what follows from their groups, and how documents describe them.

pub mod accounts;
pub mod documents;
pub mod history;
pub mod keys;
pub mod password;
mod person;
mod role;

pub use person::{Person, merge_attributes};
pub use role::Role;
