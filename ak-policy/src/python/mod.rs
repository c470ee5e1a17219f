//! Python expressions, as people bring them: a translator into Rhai, and what the translation needs at run time.
//!
//! [`translate`] takes the body of an expression and gives Rhai, or says for every construct that it does not cover where it stands
//! and why. It never guesses: what cannot be kept exactly is flagged when translating, or ends the evaluation with an error
//! that no `except` of the script can catch.
//!
//! # What the translation expects of its engine
//! - [`register`] has been called on it; its functions begin with `py_`.
//! - Expressions may be [`EXPRESSION_DEPTH`] deep (`set_max_expr_depths`).
//! - Names such as `request` and `user` ([`Translation::names`]) are variables of the scope, and functions such as
//!   `ak_message` are registered natively. Keyword arguments arrive as one object map behind the positional ones.
//! - Objects are custom types with shared content and property getters, setters, indexers and methods of the usual
//!   registration. `x.a` calls the getter `a`; `x["a"]` the indexer; `x.f(1, b=2)` the function `f(x, 1, #{b: 2})`.
//!   A missing getter is Python's `AttributeError`, and a missing key one that the indexer reports by giving `()`
//!   after [`Host::contains`] has denied it; see [`Host`].
//! - An array from a getter behaves as a list, and as a query set where a method of one is called on it
//!   (`filter`, `exists`, `values_list`, …). What a script changes in an array or object map is written back through the setter
//!   or indexer that it came from; without one the change is an error.
//! - Addresses are `std::net::IpAddr` and `ipnet::IpNet`.
//!
//! The result of a translated script is plain: lists and tuples are arrays, dictionaries object maps. A policy asks [`truth`]
//! of it, as Python would.

mod alike;
mod runtime;
mod source;
mod translate;

pub(crate) use alike::{alike, parses};
pub(crate) use runtime::kept;
pub use runtime::{Host, error_text, register, truth};
pub use translate::{Flag, Translation, translate};

/// How deep the expressions of a translation may be; the engine has to allow it.
pub const EXPRESSION_DEPTH: usize = 256;
