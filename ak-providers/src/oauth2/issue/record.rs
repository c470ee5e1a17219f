//! What is kept with what a client was given.

use std::net::IpAddr;

use ak_store::StoreError;
use ak_store::records::Grant;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::oauth2::claims::Login;
use crate::oauth2::pkce::Challenge;

/// With a code.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CodeData {
    /// The address that it was asked for with.
    pub redirect_uri: String,
    /// Where the browser has asked: tokens name the issuer by it, wherever the client redeems its code.
    pub base: String,
    /// What the ID token repeats.
    pub nonce: Option<String>,
    /// What is to be proven.
    pub challenge: Option<Challenge>,
    /// Claims that are asked for one by one.
    #[serde(default)]
    pub claims: Map<String, Value>,
    /// The browser's address.
    #[serde(default)]
    pub ip: Option<IpAddr>,
}

/// With a refresh token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RefreshData {
    /// Where the browser has asked.
    pub base: String,
    /// How the person has signed in.
    pub login: Login,
    /// The name by which the client got to know her last.
    #[serde(default)]
    pub subject: Option<String>,
    /// Claims that are asked for one by one.
    #[serde(default)]
    pub claims: Map<String, Value>,
    /// The browser's address: policies decide by it also when the application's server comes alone.
    #[serde(default)]
    pub ip: Option<IpAddr>,
}

/// With an access token.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AccessData {
    /// The claims of the ID token beside it.
    pub id_token: Map<String, Value>,
    /// For whom it is, where that is not the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<Value>,
}

/// Reads what is kept with a grant.
pub(super) fn read<T: DeserializeOwned>(grant: &Grant) -> Result<T, StoreError> {
    serde_json::from_value(grant.data.clone()).map_err(|error| StoreError::Corrupt(format!("a grant cannot be read: {error}")))
}
