//! OAuth 2.0 (RFC 6749) and OpenID Connect.
//!
//! The protocol is parse → decide → answer over plain types; nothing here knows HTTP.

pub mod authorize;
pub mod error;
pub mod params;
pub mod pkce;
pub mod provider;
pub mod redirect_uri;
pub mod scope;
mod scope_mapping;

pub use provider::OAuth2Provider;
pub use scope_mapping::{ScopeMapping, ScopeNames};
