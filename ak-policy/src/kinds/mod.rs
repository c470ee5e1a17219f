//! The policies that administrators can create: one file each.

mod dummy;
mod event_matcher;
mod expression;
mod geoip;
mod password;
mod password_expiry;
mod reputation;
mod unique_password;

pub use dummy::DummyPolicy;
pub use event_matcher::{EventMatcherPolicy, EventQuery};
pub use expression::ExpressionPolicy;
pub use geoip::{Country, GeoIPPolicy};
pub use password::PasswordPolicy;
pub use password_expiry::PasswordExpiryPolicy;
pub use reputation::ReputationPolicy;
pub use unique_password::UniquePasswordPolicy;

use ak_store::model::Registry;

use crate::application::{Application, ApplicationEntitlement};
use crate::binding::{POLICY_FIELDS, PolicyBinding};
use crate::policy::Policy;
use crate::role::Role;

/// Registers the kinds of this room.
#[must_use]
pub fn kinds(registry: Registry) -> Registry {
    registry
        .with::<PolicyBinding>()
        .with::<Application>()
        .with::<ApplicationEntitlement>()
        .with::<Role>()
        .with::<ExpressionPolicy>()
        .with::<DummyPolicy>()
        .with::<EventMatcherPolicy>()
        .with::<GeoIPPolicy>()
        .with::<PasswordPolicy>()
        .with::<PasswordExpiryPolicy>()
        .with::<ReputationPolicy>()
        .with::<UniquePasswordPolicy>()
        .family::<dyn Policy>("policies/all", POLICY_FIELDS)
}
