//! Credentials in requests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Credentials in a request.
#[derive(PartialEq, Eq)]
pub(super) enum Credentials {
    /// A token (RFC 6750, section 2.1), or one in the place of a password.
    Token(String),
    /// The name of an account, and an app password (RFC 7617).
    Account(String, String),
}

/// The name that says that the password is a token.
const TOKEN_USER: &str = "goauthentik.io/token";

impl Credentials {
    /// Reads the value of an `Authorization` header. `None`: they are none that are known here.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let (scheme, value) = header.split_once(' ')?;
        let value = value.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self::Token(value.to_owned()));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
        let (name, password) = text.split_once(':')?;
        Some(match name {
            TOKEN_USER => Self::Token(password.to_owned()),
            name => Self::Account(name.to_owned(), password.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_tokens_or_accounts() {
        let account = |name: &str, password: &str| Some(Credentials::Account(name.into(), password.into()));
        let token = |text: &str| Some(Credentials::Token(text.into()));
        for (header, expected) in [
            ("Bearer abc", token("abc")),
            ("bearer  abc ", token("abc")),
            ("Basic YWRhOnBhOnNz", account("ada", "pa:ss")),
            ("BASIC Z29hdXRoZW50aWsuaW8vdG9rZW46YWJj", token("abc")),
            ("Basic YWRh", None),
            ("Basic %%%", None),
            ("Basic /w==", None),
            ("Digest x", None),
            ("Bearer", None),
        ] {
            assert!(Credentials::parse(header) == expected, "{header}");
        }
    }
}
