//! What the browser takes back to the client.

use serde::{Deserialize, Serialize};

use crate::oauth2::error::ProtocolError;

/// Where an answer stands (OAuth 2.0 Multiple Response Type Encoding Practices, section 2.1; OAuth 2.0 Form Post Response Mode).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the query of the address.
    Query,
    /// Behind its `#`.
    Fragment,
    /// In a form that the browser sends there.
    FormPost,
}

impl ResponseMode {
    /// All modes.
    pub const ALL: [Self; 3] = [Self::Query, Self::Fragment, Self::FormPost];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Fragment => "fragment",
            Self::FormPost => "form_post",
        }
    }

    /// The mode of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name)
    }
}

/// Where and how an answer goes back, once the client and its address are known to be right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnAddress {
    /// The client's address.
    pub redirect_uri: String,
    /// Where in it the answer stands.
    pub mode: ResponseMode,
    /// What the client wants back as it is.
    pub state: Option<String>,
}

/// An answer, ready for the browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// On to this address.
    Redirect(String),
    /// A form with these fields, to this address.
    Form {
        /// The address.
        url: String,
        /// Names and values.
        fields: Vec<(String, String)>,
    },
}

impl ReturnAddress {
    /// An answer with these parameters, the state, and who gives it (RFC 9207).
    pub fn answer(&self, params: &[(&str, &str)], issuer: &str) -> Answer {
        let state = self.state.as_deref().map(|state| ("state", state));
        let all = params.iter().copied().chain(state).chain([("iss", issuer)]);
        if self.mode == ResponseMode::FormPost {
            let fields = all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            return Answer::Form { url: self.redirect_uri.clone(), fields };
        }
        let encoded = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(all).finish();
        // The address stays letter by letter what was registered: it is not parsed and written anew.
        let glue = match self.mode {
            ResponseMode::Fragment => "#",
            _ if !self.redirect_uri.contains('?') => "?",
            _ if self.redirect_uri.ends_with(['?', '&']) => "",
            _ => "&",
        };
        Answer::Redirect(format!("{}{glue}{encoded}", self.redirect_uri))
    }

    /// Whether this address is that of an answer, and leads nowhere else.
    pub fn is_answer(&self, to: &str) -> bool {
        let rest = to.strip_prefix(&self.redirect_uri);
        rest.is_some_and(|rest| rest.starts_with(['?', '&', '#']) || self.redirect_uri.ends_with(['?', '&']))
    }

    /// An answer that tells what went wrong (RFC 6749, section 4.1.2.1).
    pub fn error(&self, error: &ProtocolError, issuer: &str) -> Answer {
        self.answer(&[("error", error.code.as_str()), ("error_description", error.description)], issuer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(uri: &str, mode: ResponseMode) -> String {
        let address = ReturnAddress { redirect_uri: uri.to_owned(), mode, state: Some("a b&c=#ü".to_owned()) };
        assert!(!address.is_answer("https://elsewhere.example/") && !address.is_answer(&format!("{uri}/more?x")));
        match address.answer(&[("code", "x")], "https://id.example/") {
            Answer::Redirect(to) => {
                assert!(address.is_answer(&to), "{to}");
                to
            }
            Answer::Form { url, fields } => format!("{url} {fields:?}"),
        }
    }

    #[test]
    fn answers_stand_where_they_were_asked_for() {
        let rest = "code=x&state=a+b%26c%3D%23%C3%BC&iss=https%3A%2F%2Fid.example%2F";
        assert_eq!(back("https://a.example/cb", ResponseMode::Query), format!("https://a.example/cb?{rest}"));
        assert_eq!(back("https://a.example/cb?d=e", ResponseMode::Query), format!("https://a.example/cb?d=e&{rest}"));
        assert_eq!(back("app.x:///cb", ResponseMode::Fragment), format!("app.x:///cb#{rest}"));
        let form = back("https://a.example/cb", ResponseMode::FormPost);
        assert!(form.starts_with("https://a.example/cb [(\"code\", \"x\"), (\"state\", \"a b&c=#ü\")"), "{form}");
    }
}
