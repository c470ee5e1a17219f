//! People: their passwords, and what follows from their groups.

pub mod password;
mod person;

pub use person::Person;
