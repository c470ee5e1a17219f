//! What is kept.
//!
//! Two kinds of data live here. **Objects** are configuration: few, read by every request, held in memory as an immutable typed
//! [`Snapshot`]. **Records** are people and traffic: many, in tables, behind the traits of [`records`].
//!
//! Without features this crate is the model, the traits and the memory backend; `sqlite` adds the embedded database of one
//! machine, `postgres` a database on a server, for one machine or many.

#[cfg(feature = "certificate")]
pub mod certificate;
pub mod clock;
#[cfg(feature = "config")]
pub mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod directory;
mod error;
mod keyring;
pub mod memory;
pub mod model;
pub mod records;
pub mod rotation;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub mod sql;
pub mod tasks;

pub use clock::{Clock, ManualClock, Rng, SeededRng, SystemClock, SystemRng};
pub use error::{Result, StoreError};
pub use keyring::Keyring;
