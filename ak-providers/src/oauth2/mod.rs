//! OAuth 2.0 and OpenID Connect.

mod scope_mapping;

pub use scope_mapping::{ScopeMapping, ScopeNames};
