//! Parameters as they come in: `application/x-www-form-urlencoded`, in a query or in a body (RFC 6749, section 3 and appendix B).

/// The parameters of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

/// Why parameters are not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadParams {
    /// There is too much of them.
    #[error("the request is too long")]
    TooLong,
    /// A parameter that may be there once is there twice.
    #[error("a parameter is there more than once")]
    Duplicate,
}

/// The longest request that is looked at, in bytes.
pub const MAX_PARAMS: usize = 16 * 1024;

/// Parameters that may be there several times (RFC 8707, section 2; RFC 8693, section 2.1). Nothing is read from them.
const SEVERAL: [&str; 2] = ["resource", "audience"];

impl Params {
    /// Reads parameters. Bytes that are no UTF-8 become replacement characters, which nothing that is compared contains.
    pub fn parse(encoded: &str) -> Result<Self, BadParams> {
        if encoded.len() > MAX_PARAMS {
            return Err(BadParams::TooLong);
        }
        Ok(Self(url::form_urlencoded::parse(encoded.as_bytes()).into_owned().collect()))
    }

    /// Whether every parameter is there once at the most.
    pub fn check_single(&self) -> Result<(), BadParams> {
        let mut seen = std::collections::BTreeSet::new();
        let mut single = self.0.iter().map(|(name, _)| name.as_str()).filter(|name| !SEVERAL.contains(name));
        if single.all(|name| seen.insert(name)) { Ok(()) } else { Err(BadParams::Duplicate) }
    }

    /// The value of a parameter. One without a value is not there (RFC 6749, section 3.1), one that comes twice neither.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (Some(value), None) if !value.is_empty() => Some(value),
            _ => None,
        }
    }

    /// Whether a parameter is there, with a value or without.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(found, _)| found == name)
    }

    /// The same without a parameter.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        Self(self.0.iter().filter(|(found, _)| found != name).cloned().collect())
    }

    /// The same with one more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The form in which they stand in a query.
    pub fn encode(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}
