//! Which client speaks, and whether it is that client (RFC 6749, section 2.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use super::error::{Code, ProtocolError};
use super::params::Params;
use super::provider::{ClientType, OAuth2Provider};

/// What a client says of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Its name.
    pub client_id: String,
    /// What it says is its secret, in the ways in which that can be meant.
    secrets: Vec<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// Nobody knows which client speaks, or it is not that client.
pub const INVALID_CLIENT: ProtocolError =
    ProtocolError::new(Code::InvalidClient, "The client is not known, or its secret is wrong.");

impl Credentials {
    /// What a request says: in the header `Authorization: Basic`, or in the body. Both at once are refused (section 2.3).
    pub fn parse(authorization: Option<&str>, params: &Params) -> Result<Self, ProtocolError> {
        params.check_single().map_err(|_| ProtocolError::new(Code::InvalidRequest, "A parameter is there more than once."))?;
        let basic =
            authorization.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
        let Some((_, encoded)) = basic else {
            let client_id = params.get("client_id").ok_or(INVALID_CLIENT)?.to_owned();
            let secrets = params.get("client_secret").map(str::to_owned).into_iter().collect();
            return Ok(Self { client_id, secrets });
        };
        let plain = STANDARD.decode(encoded.trim()).ok().and_then(|plain| String::from_utf8(plain).ok()).ok_or(INVALID_CLIENT)?;
        let (id, secret) = plain.split_once(':').ok_or(INVALID_CLIENT)?;
        if params.has("client_secret") {
            return Err(ProtocolError::new(Code::InvalidRequest, "The client is named in two ways."));
        }
        let client_id = decoded(id);
        if params.get("client_id").is_some_and(|other| other != client_id && other != id) {
            return Err(ProtocolError::new(Code::InvalidRequest, "Two clients are named."));
        }
        // Both parts are form-encoded, but many clients send them as they are.
        let mut secrets = vec![decoded(secret), secret.to_owned()];
        secrets.dedup();
        Ok(Self { client_id, secrets })
    }

    /// Whether the client is who it says. A public one has nothing to prove it with; a confidential one without a secret never can.
    pub fn prove(&self, provider: Option<&OAuth2Provider>) -> Result<(), ProtocolError> {
        let secret = provider.map_or("", |provider| provider.client_secret.reveal());
        // Digests have one length, so that the time tells nothing of the secret's; nor whether there is such a client.
        let digest = |text: &str| Sha256::digest(text.as_bytes());
        let right = self.secrets.iter().fold(0, |right, given| right | digest(given).ct_eq(&digest(secret)).unwrap_u8()) == 1;
        match provider.map(|provider| provider.client_type) {
            Some(ClientType::Public) => Ok(()),
            Some(ClientType::Confidential) if right && !secret.is_empty() => Ok(()),
            _ => Err(INVALID_CLIENT),
        }
    }

    /// Whether it says a secret at all.
    pub fn has_secret(&self) -> bool {
        self.secrets.iter().any(|secret| !secret.is_empty())
    }

    /// The account that stands in the place of a secret, as programs write it that can send nothing else: `base64(username:password)`.
    pub fn account(&self) -> Option<(String, String)> {
        let account = |secret: &String| {
            let plain = String::from_utf8(STANDARD.decode(secret).ok()?).ok()?;
            let (username, password) = plain.split_once(':')?;
            (!username.is_empty() && !password.is_empty()).then(|| (username.to_owned(), password.to_owned()))
        };
        self.secrets.iter().find_map(account)
    }
}

fn decoded(text: &str) -> String {
    let pair = format!("x={text}");
    // A text with a separator in it was not encoded.
    if text.contains(['&', '=']) {
        return text.to_owned();
    }
    url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth2::provider::tests::provider;

    fn parse(authorization: Option<&str>, body: &str) -> Result<Credentials, ProtocolError> {
        Credentials::parse(authorization, &Params::parse(body).unwrap())
    }

    fn basic(plain: &str) -> String {
        format!("Basic {}", STANDARD.encode(plain))
    }

    #[test]
    fn a_client_proves_itself_in_the_header_or_in_the_body() {
        let provider = provider("https://a.example/cb");
        for (authorization, body) in [
            (Some(basic("client:a secret/+%")), ""),
            (Some(basic("client:a+secret%2F%2B%25")), "client_id=client"),
            (None, "client_id=client&client_secret=a+secret%2F%2B%25"),
        ] {
            let credentials = parse(authorization.as_deref(), body).unwrap();
            assert_eq!(credentials.client_id, "client");
            assert_eq!(credentials.prove(Some(&provider)), Ok(()), "{authorization:?} {body}");
            assert_eq!(credentials.prove(None), Err(INVALID_CLIENT));
        }
    }

    #[test]
    fn everything_else_proves_nothing() {
        let confidential = provider("https://a.example/cb");
        for (authorization, body) in [
            (None, "client_id=client"),
            (None, "client_id=client&client_secret=wrong"),
            (None, "client_id=client&client_secret="),
            (Some(basic("client:")), ""),
            (Some(basic("client:wrong")), ""),
            (Some(format!("Bearer {}", STANDARD.encode("client:a secret/+%"))), "client_id=client"),
        ] {
            let credentials = parse(authorization.as_deref(), body).unwrap();
            assert_eq!(credentials.prove(Some(&confidential)), Err(INVALID_CLIENT), "{authorization:?} {body}");
        }
        let both = parse(Some(&basic("client:a secret/+%")), "client_secret=a+secret");
        assert_eq!(both.unwrap_err().code, Code::InvalidRequest);
        let two = parse(Some(&basic("client:a secret/+%")), "client_id=other");
        assert_eq!(two.unwrap_err().code, Code::InvalidRequest);
        for nothing in [None, Some("Basic %%%"), Some("Basic Y2xpZW50"), Some("Basic")] {
            assert_eq!(parse(nothing, ""), Err(INVALID_CLIENT), "{nothing:?}");
        }
        let mut empty = provider("https://a.example/cb");
        empty.client_secret = ak_store::model::Secret::default();
        assert_eq!(parse(Some(&basic("client:")), "").unwrap().prove(Some(&empty)), Err(INVALID_CLIENT));
        let public = OAuth2Provider { client_type: ClientType::Public, ..empty };
        assert_eq!(parse(None, "client_id=client").unwrap().prove(Some(&public)), Ok(()));
    }
}
