//! Expressions: scripts that administrators write.
//!
//! A [`Script`] is a field of a document. It is read once, with the document, by the one engine of the process; it runs on the threads
//! of policies, within limits of steps, depth, sizes and time. Objects are given to it as views, not as copies. It reads no files, no
//! environment and no secrets, and what it changes is a value ([`crate::Changes`]) that whoever asked for the decision acts upon.
//!
//! [`reference()`] prints everything that scripts can use, made from what is registered.

mod accounts;
mod check;
mod context;
#[cfg(feature = "testing")]
pub(crate) mod coverage;
mod document;
mod engine;
mod evaluate;
mod functions;
mod group_search;
mod language;
mod people;
mod python;
mod reference;
mod request;
mod run;
mod size;
mod table;
mod time;
mod uses;
mod value;

pub use document::{Name, Names, PolicyNames, Script};
pub use engine::{Modules, install};
pub use evaluate::{Evaluation, Extra, Given, VALUE_NAMES, evaluate_all};
pub use language::Language;
pub use reference::{Reference, reference};
pub use table::Table;
pub use value::{to_dynamic, to_json, truth};

pub(crate) use functions::{RequestError, Requests};
pub(crate) use people::group_meets;
pub(crate) use scope::fill_policy;
pub(crate) use time::Moment;

mod scope;
