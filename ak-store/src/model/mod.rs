//! Objects: configuration as typed documents.
//!
//! A [`Kind`] is one file: a struct with its fields, and the behaviour that gives it meaning. A [`Registry`] knows the kinds, a
//! [`Snapshot`] holds all objects typed and immutable, a [`Store`] makes the next snapshot out of a [`Draft`].
//!
//! # How to add a kind
//! 1. A struct with `Serialize`, `Deserialize` and `JsonSchema`; limits and marks by `#[schemars(...)]` (see [`Kind`]), references
//!    as [`Ref`], [`RecordRef`], in `Option` or `Vec` as the contract has them.
//! 2. `impl Kind` with its [`Meta`], its read-only fields (`Shown`) and its roles.
//! 3. One line `.with::<MyKind>()` in its crate's `kinds` function.

mod draft;
mod errors;
mod field;
mod following;
mod input;
mod kind;
mod list;
mod object;
mod pk;
mod record_kind;
mod registry;
mod secret;
mod snapshot;
mod span;
mod store;

pub use draft::{Change, Draft};
pub use errors::{Errors, NON_FIELD_ERRORS, Problem};
pub use field::{Demand, Edge, Field, OnDelete, Reference, ReferenceTo, Shape, normalise};
pub use input::Input;
pub use kind::{Address, Anything, Body, Fill, Kind, KindInfo, Meta, ModelShown, Roles};
pub use list::{BadQuery, Found, ListQuery};
pub use object::{Object, State};
pub use pk::{Key, Pk, Record, RecordRef, Ref, Space, Target};
pub use record_kind::{RecordKind, RecordKinds};
pub use registry::{Family, Registry};
pub use secret::Secret;
pub use snapshot::{Broken, People, Row, Snapshot, user_uid};
pub use span::{BadSpan, Span};
pub use store::{Store, StoreOptions, Unit, WriteError};
