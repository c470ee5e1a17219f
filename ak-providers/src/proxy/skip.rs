//! Paths that everybody may go to.

use std::borrow::Cow;
use std::fmt;

use regex::{RegexSet, RegexSetBuilder};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::forwarded::Forwarded;
use super::path::plain;

/// Expressions for what everybody may go to, one a line.
#[derive(Clone)]
pub struct SkipPaths {
    text: String,
    set: RegexSet,
}

impl Default for SkipPaths {
    fn default() -> Self {
        Self { text: String::new(), set: RegexSet::empty() }
    }
}

impl fmt::Debug for SkipPaths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SkipPaths({:?})", self.text)
    }
}

impl SkipPaths {
    /// Reads expressions; what is wrong with them is in words for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        for line in &lines {
            regex::Regex::new(line).map_err(|_| format!("{line} is not a regular expression that can be used here."))?;
        }
        let set = RegexSetBuilder::new(&lines).size_limit(1 << 22).build();
        let set = set.map_err(|_| "The regular expressions are too large.".to_owned())?;
        Ok(Self { text: text.to_owned(), set })
    }

    /// Whether everybody may go there. `whole`: the expressions are for whole addresses, without their queries, and not for paths alone.
    ///
    /// A path that the application could read as another one fits nothing: dots, slashes and backslashes in disguise lead around
    /// protection. Nor does one that nobody has told.
    pub fn fits(&self, request: &Forwarded, whole: bool) -> bool {
        if self.set.is_empty() || !request.is_told {
            return false;
        }
        let Some(path) = plain(request.path()) else { return false };
        if whole { self.set.is_match(&format!("{}{path}", request.base())) } else { self.set.is_match(&path) }
    }
}

impl Serialize for SkipPaths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for SkipPaths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for SkipPaths {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SkipPaths".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

#[cfg(test)]
mod tests {
    use super::super::forwarded::Own;
    use super::*;

    fn fits(text: &str, target: &str, whole: bool) -> bool {
        let request = Forwarded::direct(Own { host: "app.example", https: true }, target).unwrap();
        SkipPaths::parse(text).unwrap().fits(&request, whole)
    }

    #[test]
    fn each_line_is_an_expression() {
        let text = "^/public/\n\n  ^/health$ \r\n";
        assert!(fits(text, "/public/a", false) && fits(text, "/health?x", false) && fits(text, "/%70ublic/a", false));
        assert!(!fits(text, "/private/public/", false) && !fits(text, "/healthy", false) && !fits("", "/", false));
        assert!(!fits("^/$", "/?/", false) || fits("^/$", "/", false));
        assert!(SkipPaths::parse("^/a\n(").is_err());
    }

    #[test]
    fn a_path_that_nobody_has_told_fits_nothing() {
        let own = Own { host: "app.example", https: true };
        let request = Forwarded::parse(super::super::forwarded::Asker::Nginx, None, own).unwrap();
        assert!(request.path() == "/" && !SkipPaths::parse(".").unwrap().fits(&request, false));
    }

    #[test]
    fn a_query_opens_nothing() {
        assert!(!fits("/public/", "/admin?/public/", false));
        assert!(!fits("/public/", "/admin?next=https://app.example/public/", true));
        assert!(fits(r"^https://app\.example/public/", "/public/x?y", true));
    }

    #[test]
    fn disguised_paths_fit_nothing() {
        for target in [
            "/public/../admin",
            "/public/./x",
            "/public/%2e%2e/admin",
            "/public/.%2E/admin",
            "/public/%2e%2e%2fadmin",
            "/public/..%5cadmin",
            "/public/..\\admin",
            "/public/..;/admin",
            "/public/..;x=y/admin",
            "/public/%252e%252e/admin",
            "/public//../admin",
            "/public//x",
            "/public/%00",
            "/public/%0a",
            "/public/%ff",
            "/public/%",
            "/public/%2",
            "/public/%zz",
            "/public/%+1",
        ] {
            assert!(!fits("^/public/", target, false), "{target}");
            assert!(!fits("public", target, true), "{target}");
        }
        assert!(fits("^/public/", "/public/..x", false) && fits("^/public/", "/public/%C3%A4", false));
    }
}
