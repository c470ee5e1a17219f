//! In which protocol.
//!
//! One folder a protocol, each with both roles, provider and source: parse, decide, answer over plain types, with the transport outside.
//! No protocol is built yet; this room stands so that what is above it already goes through it.

use ak_store::model::Registry;

/// Registers the kinds of this room.
#[must_use]
pub fn kinds(registry: Registry) -> Registry {
    registry
}
