//! In which protocol.
//!
//! One folder a protocol, each with both roles, provider and source: parse, decide, answer over plain types, with the transport outside.

pub mod oauth2;
pub mod outpost;
pub mod provider;
pub mod proxy;
mod shipped;

use ak_policy::{MAPPING_FIELDS, PropertyMapping, Provider};
use ak_store::model::Registry;

use crate::provider::PROVIDER_FIELDS;

pub use shipped::SHIPPED;

/// Registers the kinds of this room.
#[must_use]
pub fn kinds(registry: Registry) -> Registry {
    registry
        .with::<oauth2::ScopeMapping>()
        .with::<oauth2::OAuth2Provider>()
        .with::<proxy::ProxyProvider>()
        .with::<outpost::Outpost>()
        .family::<dyn PropertyMapping>("propertymappings/all", MAPPING_FIELDS)
        .family::<dyn Provider>("providers/all", PROVIDER_FIELDS)
}
