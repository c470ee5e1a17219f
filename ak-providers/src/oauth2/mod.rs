//! OAuth 2.0 (RFC 6749) and OpenID Connect.
//!
//! The protocol is parse → decide → answer over plain types; nothing here knows HTTP.

pub mod asked;
pub mod authorize;
pub mod backchannel;
pub mod claims;
pub mod client;
pub mod discovery;
pub mod error;
pub mod finish;
pub mod issue;
pub mod jwt;
pub mod logout;
pub mod params;
pub mod pkce;
pub mod provider;
pub mod redirect_uri;
pub mod scope;
mod scope_mapping;
pub mod token;

pub use provider::{OAuth2Client, OAuth2Provider};
pub use scope_mapping::{ScopeMapping, ScopeNames};
