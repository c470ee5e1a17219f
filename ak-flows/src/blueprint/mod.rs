//! Blueprints: an installation's configuration, written down.
//!
//! A blueprint is a YAML file in authentik's format: entries that name a model, by which values its object is known, and what it
//! should be. [`Engine::plan`] tells what it would do, [`Engine::apply`] does it: one candidate write, all of it or nothing.
//! Every problem comes with file, line, column and path.
//!
//! Blueprints that come with the product are applied three-way: what was changed here since the last time stays (see
//! [`Options::keep_under`]).
//!
//! # How to add a tag
//! A line in `tags.rs`' table, its method there, and its row in the table of `tests/blueprint/tags.rs`.

mod base;
mod document;
mod emit;
mod engine;
mod error;
mod export;
mod find;
mod folder;
mod instance;
mod python;
mod report;
mod run;
mod shipped;
mod tags;
mod yaml;

pub use document::Blueprint;
pub use engine::{Author, Engine, Options, Shipped, load};
pub use error::{BlueprintError, Place, Problem};
pub use export::{ExportOptions, Selection};
pub use folder::Available;
pub use instance::{BlueprintInstance, BlueprintStatus};
pub use report::{Action, FieldChange, Report, Step};
pub use shipped::SHIPPED;
