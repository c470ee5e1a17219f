//! People: their passwords, and what follows from their groups.

pub mod keys;
pub mod password;
mod person;

pub use person::Person;
