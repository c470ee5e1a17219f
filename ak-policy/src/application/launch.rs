//! Addresses with places for what is known of the person who opens them.

use std::borrow::Cow;

use ak_store::model::user_uid;
use ak_store::records::User;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::Url;

/// Where an application is: a web address, empty for none. `%(username)s` stands for the name of the person who opens it, so do
/// [`LaunchUrl::PLACES`]; `%%` beside one is a `%`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LaunchUrl(String);

impl LaunchUrl {
    /// What an address may hold a place for.
    pub const PLACES: [&'static str; 8] = ["username", "name", "email", "uid", "uuid", "pk", "path", "type"];

    /// The address of what is opened nowhere, as people write it who want an application without a tile.
    const NOWHERE: &'static str = "blank://blank";

    /// Reads an address.
    ///
    /// # Errors
    /// It is no address of the web, or holds a place that nothing is known for. The text is for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let launch = Self(text.to_owned());
        if text.is_empty() {
            return Ok(launch);
        }
        let mut unknown = None;
        let sample = launch.replaced(&mut |name| {
            if !Self::PLACES.contains(&name) {
                unknown = Some(name.to_owned());
            }
            "x".to_owned()
        });
        if let Some(name) = unknown {
            return Err(format!("There is no value for %({name})s. Known are: {}.", Self::PLACES.join(", ")));
        }
        let web = |url: &Url| matches!(url.scheme(), "http" | "https" | "blank") && url.has_host();
        match Url::parse(&sample) {
            Ok(url) if web(&url) => Ok(launch),
            _ => Err("Enter a valid URL.".into()),
        }
    }

    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is something to be opened.
    pub fn leads_somewhere(&self) -> bool {
        !self.0.is_empty() && !self.0.starts_with(Self::NOWHERE)
    }

    /// The address for a person. What is put in is encoded, so that a name cannot become another host or path.
    pub fn made_for(&self, person: Option<&User>, install_id: &str) -> String {
        let Some(user) = person else { return self.0.clone() };
        self.replaced(&mut |name| {
            encoded(&match name {
                "username" => user.username.clone(),
                "name" => user.name.clone(),
                "email" => user.email.clone(),
                "uid" => user_uid(user.pk, install_id),
                "uuid" => user.uuid.to_string(),
                "pk" => user.pk.to_string(),
                "path" => user.path.clone(),
                "type" => user.r#type.as_str().to_owned(),
                _ => String::new(),
            })
        })
    }

    /// The text with something in every place. Without a place it stays what it is, its percent signs included.
    fn replaced(&self, with: &mut dyn FnMut(&str) -> String) -> String {
        let mut out = String::new();
        let mut rest = self.0.as_str();
        let mut any = false;
        while let Some((before, after)) = rest.split_once("%(") {
            let Some((name, after)) = after.split_once(")s") else { break };
            out.push_str(&before.replace("%%", "%"));
            out.push_str(&with(name));
            rest = after;
            any = true;
        }
        if !any {
            return self.0.clone();
        }
        out.push_str(&rest.replace("%%", "%"));
        out
    }
}

/// Everything but the unreserved characters (RFC 3986, section 2.3) percent-encoded.
fn encoded(text: &str) -> String {
    let letter = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(letter).collect()
}

impl Serialize for LaunchUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for LaunchUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for LaunchUrl {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "LaunchUrl".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}
