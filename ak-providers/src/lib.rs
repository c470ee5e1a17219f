//! In which protocol.
//!
//! One folder a protocol, each with both roles, provider and source: parse, decide, answer over plain types, with the transport outside.
//! Of OAuth 2.0 there are the scope mappings; no protocol is spoken yet.

pub mod oauth2;

use ak_policy::{MAPPING_FIELDS, PropertyMapping};
use ak_store::model::Registry;

/// Registers the kinds of this room.
#[must_use]
pub fn kinds(registry: Registry) -> Registry {
    registry.with::<oauth2::ScopeMapping>().family::<dyn PropertyMapping>("propertymappings/all", MAPPING_FIELDS)
}
