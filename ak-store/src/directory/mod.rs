//! People: their passwords, and what follows from their groups.

mod person;

pub use person::Person;
