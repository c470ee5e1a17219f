//! The policies that administrators can create: one file each.

mod dummy;
mod expression;
mod password;
mod password_expiry;

pub use dummy::DummyPolicy;
pub use expression::ExpressionPolicy;
pub use password::PasswordPolicy;
pub use password_expiry::PasswordExpiryPolicy;

use ak_store::model::Registry;

use crate::application::Application;
use crate::binding::{POLICY_FIELDS, PolicyBinding};
use crate::policy::Policy;
use crate::role::Role;

/// Registers the kinds of this room.
#[must_use]
pub fn kinds(registry: Registry) -> Registry {
    registry
        .with::<PolicyBinding>()
        .with::<Application>()
        .with::<Role>()
        .with::<ExpressionPolicy>()
        .with::<DummyPolicy>()
        .with::<PasswordPolicy>()
        .with::<PasswordExpiryPolicy>()
        .family::<dyn Policy>("policies/all", POLICY_FIELDS)
}
