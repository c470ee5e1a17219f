//! The token endpoint (RFC 6749, section 3.2): what a client asks for.

use super::client::Credentials;
use super::error::{Code, ProtocolError};
use super::params::Params;
use super::provider::{GrantType, OAuth2Provider};
use super::scope;

/// By what tokens are asked for.
#[derive(Clone, PartialEq, Eq)]
pub enum TokenRequest {
    /// By a code (section 4.1.3).
    Code {
        /// The code.
        code: String,
        /// The address that it was asked for with.
        redirect_uri: Option<String>,
        /// What proves that the one who asked for it redeems it (RFC 7636, section 4.5).
        verifier: Option<String>,
    },
    /// By a refresh token (section 6).
    Refresh {
        /// The token.
        token: String,
        /// Fewer scopes than it is good for.
        scopes: Option<Vec<String>>,
    },
    /// As the client itself (section 4.4).
    Client {
        /// By which name: that of the client's credentials, or that of a password (section 4.3).
        grant: GrantType,
        /// The scopes asked for.
        scopes: Option<Vec<String>>,
        /// The account as which it acts, and an app password of that; without one, an account of the client's own.
        account: Option<(String, String)>,
    },
}

impl std::fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.grant().as_str())
    }
}

impl TokenRequest {
    /// Reads a request of a client that is known.
    pub fn parse(params: &Params, provider: &OAuth2Provider) -> Result<Self, ProtocolError> {
        let wrong = |description| ProtocolError::new(Code::InvalidRequest, description);
        params.check_single().map_err(|_| wrong("A parameter is there more than once."))?;
        let needed = |name: &str| params.get(name).map(str::to_owned);
        let scopes = params.get("scope").map(scope::parse).transpose();
        let scopes = scopes.map_err(|_| ProtocolError::new(Code::InvalidScope, "The scope is malformed."))?;
        let request = match params.get("grant_type").ok_or(wrong("There is no grant type."))? {
            "authorization_code" => Self::Code {
                code: needed("code").ok_or(wrong("There is no code."))?,
                redirect_uri: needed("redirect_uri"),
                verifier: needed("code_verifier"),
            },
            "refresh_token" => {
                Self::Refresh { token: needed("refresh_token").ok_or(wrong("There is no refresh token."))?, scopes }
            }
            name @ ("client_credentials" | "password") => {
                let grant = if name == "password" { GrantType::Password } else { GrantType::ClientCredentials };
                let account = match (needed("username"), needed("password")) {
                    (Some(username), Some(password)) => Some((username, password)),
                    (None, None) if grant == GrantType::ClientCredentials => None,
                    _ => return Err(wrong("A user name comes with a password.")),
                };
                Self::Client { grant, scopes, account }
            }
            _ => return Err(ProtocolError::new(Code::UnsupportedGrantType, "The grant type is not supported.")),
        };
        // The password of an account is but another way to write the client's credentials.
        let same = request.grant() == GrantType::Password && provider.allows(GrantType::ClientCredentials);
        if !same && !provider.allows(request.grant()) {
            return Err(ProtocolError::new(Code::UnauthorizedClient, "The client may not ask for tokens in this way."));
        }
        Ok(request)
    }

    /// By what tokens are asked for.
    pub fn grant(&self) -> GrantType {
        match self {
            Self::Code { .. } => GrantType::AuthorizationCode,
            Self::Refresh { .. } => GrantType::RefreshToken,
            Self::Client { grant, .. } => *grant,
        }
    }

    /// The same, where an account proves itself instead of the client: beside no secret at all, or in the place of the client's. `None`:
    /// nothing but the client's own secret would do.
    #[must_use]
    pub fn by_account(self, credentials: &Credentials) -> Option<Self> {
        match self {
            Self::Client { account: Some(_), .. } if !credentials.has_secret() => Some(self),
            Self::Client { grant, scopes, account: None } => {
                Some(Self::Client { grant, scopes, account: Some(credentials.account()?) })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth2::provider::tests::provider;

    fn parse(body: &str) -> Result<TokenRequest, ProtocolError> {
        TokenRequest::parse(&Params::parse(body).unwrap(), &provider("https://a.example/cb"))
    }

    #[test]
    fn requests_are_read_and_what_is_none_is_told() {
        assert!(matches!(parse("grant_type=authorization_code&code=x"), Ok(TokenRequest::Code { .. })));
        assert!(matches!(parse("grant_type=refresh_token&refresh_token=x&scope=a+b"), Ok(TokenRequest::Refresh { .. })));
        assert!(matches!(parse("grant_type=client_credentials"), Ok(TokenRequest::Client { .. })));
        for (body, code) in [
            ("", Code::InvalidRequest),
            ("grant_type=", Code::InvalidRequest),
            ("grant_type=password&username=a", Code::InvalidRequest),
            ("grant_type=password", Code::InvalidRequest),
            ("grant_type=implicit", Code::UnsupportedGrantType),
            ("grant_type=authorization_code", Code::InvalidRequest),
            ("grant_type=authorization_code&code=x&code=y", Code::InvalidRequest),
            ("grant_type=authorization_code&grant_type=refresh_token&code=x", Code::InvalidRequest),
            ("grant_type=refresh_token", Code::InvalidRequest),
            ("grant_type=client_credentials&username=a", Code::InvalidRequest),
            ("grant_type=client_credentials&scope=%22", Code::InvalidScope),
        ] {
            assert_eq!(parse(body).unwrap_err().code, code, "{body}");
        }
        let mut only_codes = provider("https://a.example/cb");
        only_codes.grant_types = vec![GrantType::AuthorizationCode];
        for body in ["grant_type=client_credentials", "grant_type=password&username=a&password=b"] {
            let refused = TokenRequest::parse(&Params::parse(body).unwrap(), &only_codes);
            assert_eq!(refused.unwrap_err().code, Code::UnauthorizedClient, "{body}");
        }
        let by_password = OAuth2Provider { grant_types: vec![GrantType::Password], ..only_codes };
        let parse = |body: &str| TokenRequest::parse(&Params::parse(body).unwrap(), &by_password);
        assert!(parse("grant_type=password&username=a&password=b").is_ok());
        assert_eq!(parse("grant_type=client_credentials").unwrap_err().code, Code::UnauthorizedClient);
    }
}
