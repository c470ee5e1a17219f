//! What happens.
//!
//! A [`Flow`] is an order of stages; [`plan()`] says which of them a person goes through, [`advance`] takes her through them. Both are
//! functions over data: a [`Plan`] and an [`Answer`] in, a [`Turn`] out, whose [`Effect`]s are done by the [`Runner`] together with keeping the
//! plan. The machine knows no stage by name and no HTTP, so that pages, the JSON executor, LDAP binds and tests share it.
//!
//! # How to add a stage
//! See [`stages`].

mod account;
pub mod avatar;
mod binding;
pub mod blueprint;
mod brand;
mod challenge;
mod diagram;
mod directory;
mod effect;
mod finale;
mod flow;
mod history;
pub mod initial_setup;
mod keeping;
mod machine;
pub mod next;
mod plan;
mod planner;
mod runner;
mod setup;
mod stage;
pub mod stages;

pub use account::{Changes, attribute_path};
pub use binding::{FlowStageBinding, InvalidResponseAction};
pub use brand::Brand;
pub use challenge::{Challenge, ErrorDetail, ResponseErrors};
pub use diagram::diagram;
pub use directory::{Directory, PasswordCheck, StoreDirectory};
pub use effect::{Effect, Login, Proof};
pub use finale::{Finale, Finales, Seed};
pub use flow::{Authentication, DeniedAction, Designation, Flow, Layout};
pub use history::{Passed, is_secret, shown as shown_context};
pub use machine::{Reply, Turn, advance};
pub use plan::{Plan, PlanStep};
pub use planner::{Refusal, plan};
pub use runner::{CookieChange, Input, Outcome, Page, ReputationOptions, RunError, Runner, RunnerOptions, Visit, session_id};
pub use setup::{Bootstrap, SELF_SIGNED, SetupError, is_set_up, set_up};
pub use stage::{Answer, Client, Cx, STAGE_FIELDS, Stage, StageError, StageShown, Step, World};

use ak_store::model::Registry;

/// Registers the kinds of this room.
#[must_use]
pub fn kinds(registry: Registry) -> Registry {
    registry
        .with::<ak_store::certificate::CertificateKeyPair>()
        .with::<Flow>()
        .with::<FlowStageBinding>()
        .with::<Brand>()
        .with::<blueprint::BlueprintInstance>()
        .with::<stages::ConsentStage>()
        .with::<stages::DenyStage>()
        .with::<stages::DummyStage>()
        .with::<stages::IdentificationStage>()
        .with::<stages::PasswordStage>()
        .with::<stages::Prompt>()
        .with::<stages::PromptStage>()
        .with::<stages::RedirectStage>()
        .with::<stages::UserLoginStage>()
        .with::<stages::UserLogoutStage>()
        .with::<stages::UserWriteStage>()
        .family::<dyn Stage>("stages/all", STAGE_FIELDS)
}
