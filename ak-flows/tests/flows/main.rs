//! What authentik's planner and executor are known to do, each fact a test; where ours differs, the test shows ours.
//!
//! Facts without a test, since their subject does not exist yet: the planner's cache; flow tokens
//! that restore a plan; outposts (`require_outpost` refuses everybody, which is tested); in-memory stages that other rooms put into a plan (consent,
//! sources); `requires_flow_executor`'s direct answer; `flow_plan` in the request of a policy; names of URLs as `next`.
//! Facts of the HTTP shell (`/flows/-/default/…`, cancel, configure, the inspector, `query`, the redirect behind every answer) are tested there.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy takes only functions marked as tests for tests, not what they share"
)]

mod asking;
mod consents;
mod ending;
mod finales;
mod guessing;
#[path = "../kit/mod.rs"]
mod kit;
mod looking;
mod never;
mod once;
mod people;
mod planning;
mod prompts;
mod setting_up;
mod signing;
mod writing;
