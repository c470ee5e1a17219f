//! The blueprints of this room: the managed objects of every installation.

use ak_flows::blueprint::Shipped;

/// In the order in which they are applied.
pub const SHIPPED: &[Shipped] = &[
    Shipped { path: "system/providers-oauth2.yaml", text: include_str!("blueprints/providers-oauth2.yaml") },
    Shipped { path: "system/providers-proxy.yaml", text: include_str!("blueprints/providers-proxy.yaml") },
];
