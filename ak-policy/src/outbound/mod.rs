//! Calls to other machines: the one way in which the product makes HTTP requests of its own.
//!
//! Whoever calls says how far the address is trusted ([`Trust`]). One that an administrator has configured may lead anywhere. Any other
//! must lead into the public network: not to private addresses, not to this machine, not to where clouds tell their secrets; unless the
//! installation names that very host.
//! A name is resolved once, what was found is checked, and that very address is connected to, so that a second answer cannot
//! lead elsewhere. A redirect leads neither from the public network into a private one nor back, nor from HTTPS to HTTP.

#[cfg(feature = "outbound")]
mod client;
mod reach;

use std::time::Duration;

use async_trait::async_trait;
use url::Url;

#[cfg(feature = "outbound")]
pub use client::{HttpOutbound, OutboundOptions};
pub use reach::{HostPattern, Reach};

/// Makes HTTP requests.
#[async_trait]
pub trait Outbound: Send + Sync {
    /// Makes a request and gives the whole answer, whatever its status.
    async fn call(&self, call: Call) -> Result<Answer, OutboundError>;
}

/// How far the address of a request is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// An administrator has configured this very address: it may be a private one.
    Configured,
    /// It came from elsewhere: public addresses only.
    Given,
    /// A script has made it: hosts on the list of the installation only; those that stand there by their whole name may be private.
    Script,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Call {
    /// `GET`, `POST`, …
    pub method: String,
    /// Where to; `http` or `https`.
    pub url: Url,
    /// Headers beside those that every request has.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Vec<u8>,
    /// How far the address is trusted.
    pub trust: Trust,
    /// How long everything may take, redirects included.
    pub time: Duration,
    /// How many bytes the answer may have.
    pub size: usize,
    /// Whether redirects are followed.
    pub follow: bool,
}

impl Call {
    /// A request for what is there, of 10 seconds and 1 MiB at the most.
    pub fn get(url: Url, trust: Trust) -> Self {
        let (time, size) = (Duration::from_secs(10), 1 << 20);
        Self { method: "GET".into(), url, headers: Vec::new(), body: Vec::new(), trust, time, size, follow: true }
    }

    /// With this header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Where it came from, after redirects.
    pub url: Url,
    /// The status.
    pub status: u16,
    /// Headers, the names in lower case.
    pub headers: Vec<(String, String)>,
    /// What was sent.
    pub body: Vec<u8>,
}

impl Answer {
    /// The last header of this name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().rev().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer. The texts are for administrators.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The request is not allowed.
    #[error("{0}")]
    Refused(String),
    /// It was made, and failed.
    #[error("{0}")]
    Failed(String),
    /// The answer is larger than the caller wants.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    /// The time is over.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

/// Makes no requests: for programs that have not said otherwise.
#[derive(Debug, Clone, Copy)]
pub struct NoOutbound;

#[async_trait]
impl Outbound for NoOutbound {
    async fn call(&self, _: Call) -> Result<Answer, OutboundError> {
        Err(OutboundError::Refused("this program makes no requests".into()))
    }
}
