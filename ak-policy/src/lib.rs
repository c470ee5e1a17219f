//! Who may.
//!
//! A [`PolicyBinding`] ties a policy, an account or a group to something that is guarded (a [`PolicyTarget`]: a flow, a stage in
//! a flow, an application). [`decide`] gives a [`Decision`]: the result, the messages, and the trace of every binding that led to it.
//! An error in a policy never lets anybody through.
//!
//! # How to add a policy
//! 1. A kind (see `ak_store::model`) that implements [`Policy`] and plays the role `dyn Policy`, as those in [`mod@kinds`]; its `Shown` is (or
//!    flattens) [`PolicyShown`].
//! 2. One line `.with::<MyPolicy>()` in [`kinds`], or in your own program's registry.
//!
//! # How to add a function for expressions
//! One line in the table of its subject below `script/functions`, or, for a room above this one, in a table of its own that is given
//! to [`script::install`]. Its documentation stands in that line; [`script::reference`] prints all of it.
//! What it reads of the request beyond who asks it gets by `Run::request`, and by nothing else: decisions that read more are not
//! remembered (see [`DecisionCache`]). Scripts that call functions of rooms above this one never are.
//!
//! # How to explain a denial
//! Whoever refuses somebody because of a [`Decision`] shows a reference (the id of the request), and keeps a [`Denial`] under it:
//! `denial.keep(reference, repo, now)`. [`Denial::find`] gives it back with a text for administrators, which `ak policy explain` prints. A
//! policy that was given what nobody may read again (a typed password) may have logged it: [`Decision::forget`] comes first.
//!
//! # How to test a policy
//! - In `cargo test`, with the feature `testing`: a `testing::Scene` says who asks, of what and when, and `ask(expression)` gives the
//!   [`Decision`], whose text (`{decision}`) explains it. For other kinds of policies `House::object` and `House::ask_policy`.
//! - As a file: `x.rhai` or `x.py`, with `x.cases.yaml` beside it (`testing::suite` has the format), run by `ak policy test DIR`. A policy that
//!   others will want to copy goes to `examples/policies`, in both languages.

mod application;
mod binding;
mod cache;
mod context;
mod decision;
mod denial;
pub mod dns;
mod engine;
mod explain;
mod forget;
pub mod geo;
pub mod kinds;
mod mapping;
pub mod outbound;
mod pattern;
mod permission;
mod policy;
mod pool;
pub mod python;
mod request;
mod role;
pub mod script;
mod services;
#[cfg(feature = "testing")]
pub mod testing;

pub use application::{Application, ApplicationEntitlement, LaunchUrl, Provider};
pub use binding::{EngineMode, POLICY_FIELDS, PolicyBinding, PolicyShown, PolicyTarget, partial_group, partial_user};
pub use cache::DecisionCache;
pub use chrono_tz::Tz;
pub use context::Context;
pub use decision::{Decision, Outcome, Subject, Trace};
pub use denial::{Denial, Kept};
pub use engine::{decide, decide_all, decide_many};
pub use kinds::kinds;
pub use mapping::{MAPPING_FIELDS, PropertyMapping, PropertyMappingShown};
pub use permission::{Permission, Permissions, SYSTEM};
pub use policy::{Changes, Failure, LogLine, Policy, PolicyEffect, Verdict};
pub use pool::wait;
pub use request::{HttpRequest, Request};
pub use role::{ObjectGrant, Role};
pub use services::{Conditions, Located, PastLookup, PeopleLookup, Services, zone};
