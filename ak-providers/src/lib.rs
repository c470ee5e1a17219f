//! In which protocol.
//!
//! One folder a protocol, each with both roles, provider and source: parse, decide, answer over plain types, with the transport outside.

pub mod oauth2;
pub mod provider;

use ak_policy::{MAPPING_FIELDS, PropertyMapping};
use ak_store::model::Registry;

/// Registers the kinds of this room.
#[must_use]
pub fn kinds(registry: Registry) -> Registry {
    registry.with::<oauth2::ScopeMapping>().family::<dyn PropertyMapping>("propertymappings/all", MAPPING_FIELDS)
}
