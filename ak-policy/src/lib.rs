//! Who may.
//!
//! A [`PolicyBinding`] ties a policy, an account or a group to something that is guarded (a [`PolicyTarget`]: a flow, a stage in
//! a flow, an application). [`decide`] gives a [`Decision`]: the result, the messages, and the trace of every binding that led to it.
//! An error in a policy never lets anybody through.
//!
//! # How to add a policy
//! 1. A kind (see `ak_store::model`) that implements [`Policy`] and plays the role `dyn Policy`; its `Shown` is (or flattens) [`PolicyShown`].
//! 2. One line `.with::<MyPolicy>()` in [`kinds`], or in your own program's registry.

mod application;
mod binding;
mod context;
mod decision;
mod engine;
mod permission;
mod role;

pub use application::{Application, LaunchUrl};
pub use binding::{
    EngineMode, POLICY_FIELDS, Policy, PolicyBinding, PolicyError, PolicyShown, PolicyTarget, Request, Verdict, partial_group,
    partial_user,
};
pub use context::Context;
pub use decision::{Decision, Outcome, Subject, Trace};
pub use engine::{decide, decide_all};
pub use permission::{Permission, Permissions, SYSTEM};
pub use role::{ObjectGrant, Role};

use ak_store::model::Registry;

/// Registers the kinds of this room.
#[must_use]
pub fn kinds(registry: Registry) -> Registry {
    registry.with::<PolicyBinding>().with::<Application>().with::<Role>().family::<dyn Policy>("policies/all", POLICY_FIELDS)
}
