//! Answers of other machines, as a scene has them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;

use super::Broken;
use crate::outbound::{Answer, Call, Outbound, OutboundError};

/// What another machine answers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answering {
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    text: Option<String>,
    json: Option<Value>,
}

fn ok() -> u16 {
    200
}

impl Answering {
    /// This status, with nothing.
    pub fn status(status: u16) -> Self {
        Self { status, headers: BTreeMap::new(), text: None, json: None }
    }

    /// This value as JSON.
    pub fn json(value: impl Into<Value>) -> Self {
        Self { json: Some(value.into()), ..Self::status(200) }
    }

    /// This text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::status(200) }
    }

    /// With this header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.insert(name.to_owned(), value.into());
        self
    }

    fn answer(&self, call: Call) -> Answer {
        let (kind, body) = match (&self.json, &self.text) {
            (Some(value), _) => (Some("application/json"), value.to_string()),
            (None, Some(text)) => (Some("text/plain; charset=utf-8"), text.clone()),
            (None, None) => (None, String::new()),
        };
        let kind = kind.map(|kind| ("content-type".to_owned(), kind.to_owned()));
        let own = self.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
        Answer { url: call.url, status: self.status, headers: kind.into_iter().chain(own).collect(), body: body.into_bytes() }
    }
}

/// Answers as a scene says, by address; of others it knows nothing, and nobody is called.
pub(super) struct GivenOutbound(BTreeMap<String, Answering>);

impl GivenOutbound {
    pub(super) fn new(given: &BTreeMap<String, Answering>) -> Result<Self, Broken> {
        let one = |(url, answer): (&String, &Answering)| {
            let url = url::Url::parse(url).map_err(|error| Broken(format!("{url}: {error}")))?;
            if answer.json.is_some() && answer.text.is_some() {
                return Err(Broken(format!("{url} answers `json` or `text`, and not both")));
            }
            Ok((url.to_string(), answer.clone()))
        };
        given.iter().map(one).collect::<Result<_, _>>().map(Self)
    }
}

#[async_trait]
impl Outbound for GivenOutbound {
    async fn call(&self, call: Call) -> Result<Answer, OutboundError> {
        match self.0.get(call.url.as_str()) {
            Some(answer) => Ok(answer.answer(call)),
            None => Err(OutboundError::Refused(format!("the scene does not say what {} answers", call.url))),
        }
    }
}
