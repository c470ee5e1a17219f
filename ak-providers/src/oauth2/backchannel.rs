//! Telling applications that a person has signed out (OpenID Connect Back-Channel Logout).

use ak_store::model::Ref;
use serde::{Deserialize, Serialize};

use super::provider::OAuth2Provider;

/// The name of the task that tells one application.
pub const TASK: &str = "oauth2_backchannel_logout";

/// What the task is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogoutArgs {
    /// The application's provider.
    pub provider: Ref<OAuth2Provider>,
    /// Who issued the tokens.
    pub issuer: String,
    /// Who has signed out.
    pub subject: String,
    /// Of which session.
    #[serde(default)]
    pub sid: String,
}
