//! Requests to other machines.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rhai::{Dynamic, EvalAltResult, Map, Position};
use serde_json::Value;
use url::Url;

use crate::outbound::{Answer, Call, OutboundError, Trust};
use crate::script::request::Headers;
use crate::script::run::Run;
use crate::script::table::Table;
use crate::script::value::{Wrong, to_dynamic, to_json};

/// How many bytes an answer may have: what a text of a script holds.
const SIZE: usize = 128 << 10;

/// Makes requests for scripts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Requests;

/// An answer, as scripts see it.
#[derive(Debug, Clone)]
pub(crate) struct Reply(Arc<Answer>);

/// Why a request was not answered, or why its answer is none: what a script can catch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestError {
    /// What Python calls it.
    pub(crate) class: &'static str,
    /// What went wrong.
    pub(crate) message: String,
}

fn thrown(class: &'static str, message: impl Into<String>) -> Wrong {
    let error = RequestError { class, message: message.into() };
    EvalAltResult::ErrorRuntime(Dynamic::from(error), Position::NONE).into()
}

/// What is said of a request besides its address.
struct Options {
    url: Url,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    time: Option<Duration>,
    follow: bool,
}

fn text_of(name: &str, value: &Dynamic) -> Result<String, Wrong> {
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(text.to_string());
    }
    match to_json(value)? {
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(format!("{name} is a text or a number").into()),
    }
}

/// The names and values of a map; those of value `()` are left out, lists give one pair an entry.
fn pairs(name: &str, value: &Dynamic) -> Result<Vec<(String, String)>, Wrong> {
    let Ok(map) = value.as_map_ref() else { return Err(format!("{name} is a map").into()) };
    let mut pairs = Vec::new();
    for (key, value) in map.iter().filter(|(_, value)| !value.is_unit()) {
        match value.as_array_ref() {
            Ok(all) => {
                for one in all.iter() {
                    pairs.push((key.to_string(), text_of(key, one)?));
                }
            }
            Err(_) => pairs.push((key.to_string(), text_of(key, value)?)),
        }
    }
    Ok(pairs)
}

impl Options {
    fn of(method: &str, url: &str, map: &Map) -> Result<Self, Wrong> {
        let url = Url::parse(url).map_err(|error| thrown("InvalidURL", format!("{url}: {error}")))?;
        let mut options = Self { url, headers: Vec::new(), body: Vec::new(), time: None, follow: method != "HEAD" };
        for (name, value) in map.iter().filter(|(_, value)| !value.is_unit()) {
            options.set(name, value)?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &Dynamic) -> Result<(), Wrong> {
        match name {
            "params" => drop(self.url.query_pairs_mut().extend_pairs(pairs(name, value)?)),
            // What is said of headers stands over what follows from the content.
            "headers" => self.headers.extend(pairs(name, value)?),
            "json" => self.send("application/json", to_json(value)?.to_string().into_bytes())?,
            "data" => match value.as_immutable_string_ref() {
                Ok(text) => self.send("", text.as_bytes().to_vec())?,
                Err(_) => {
                    let mut form = url::form_urlencoded::Serializer::new(String::new());
                    form.extend_pairs(pairs(name, value)?);
                    self.send("application/x-www-form-urlencoded", form.finish().into_bytes())?;
                }
            },
            "auth" => {
                let both = value.as_array_ref().map_err(|_| "auth is a list of user name and password")?;
                let [user, password] = both.as_slice() else { return Err("auth is a list of user name and password".into()) };
                let both = format!("{}:{}", text_of(name, user)?, text_of(name, password)?);
                self.headers.push(("Authorization".into(), format!("Basic {}", BASE64_STANDARD.encode(both))));
            }
            "timeout" => {
                let seconds = value.as_float().or_else(|_| value.as_int().map(|seconds| seconds as f64));
                let time = seconds.ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                self.time = Some(time.ok_or("timeout is a number of seconds")?);
            }
            "allow_redirects" => self.follow = value.as_bool().map_err(|_| "allow_redirects is true or false")?,
            other => return Err(format!("a request has no option {other}").into()),
        }
        Ok(())
    }

    fn send(&mut self, kind: &str, body: Vec<u8>) -> Result<(), Wrong> {
        if !self.body.is_empty() {
            return Err("a request sends json or data".into());
        }
        self.body = body;
        if !kind.is_empty() {
            // The last one of a name counts.
            self.headers.insert(0, ("Content-Type".into(), kind.into()));
        }
        Ok(())
    }
}

fn request(method: &str, url: &str, map: &Map) -> Result<Reply, Wrong> {
    let run = Run::current()?;
    let options = Options::of(method, url, map)?;
    if run.request().trial {
        return Err("a trial makes no requests".into());
    }
    let outbound = run.request().services.outbound.clone();
    let call = Call {
        method: method.to_owned(),
        url: options.url,
        headers: options.headers,
        body: options.body,
        trust: Trust::Script,
        // The time of the script ends all of it.
        time: options.time.unwrap_or(Duration::MAX),
        size: SIZE,
        follow: options.follow,
    };
    let answer = run.wait(outbound.call(call))?.map_err(|error| match error {
        OutboundError::Refused(why) => thrown("ConnectionError", why),
        OutboundError::Failed(why) => thrown("ConnectionError", why),
        error @ OutboundError::TimedOut(_) => thrown("Timeout", error.to_string()),
        error @ OutboundError::TooLarge(_) => thrown("RequestException", error.to_string()),
    })?;
    Ok(Reply(Arc::new(answer)))
}

impl Reply {
    /// The content as a text, in the encoding that its header names; without one it is UTF-8, and of texts that are not JSON Latin 1,
    /// as HTTP once had it.
    fn text(&self) -> Result<String, Wrong> {
        let kind = self.0.header("content-type").unwrap_or_default().to_ascii_lowercase();
        let named = kind.split(';').find_map(|part| part.trim().strip_prefix("charset=")).map(|name| name.trim_matches('"'));
        match named.unwrap_or(if kind.starts_with("text/") { "latin-1" } else { "utf-8" }) {
            "utf-8" | "utf8" | "us-ascii" | "ascii" => Ok(String::from_utf8_lossy(&self.0.body).into_owned()),
            "iso-8859-1" | "latin-1" | "latin1" => Ok(self.0.body.iter().copied().map(char::from).collect()),
            other => Err(format!("an answer in the encoding {other} cannot be read").into()),
        }
    }

    fn json(&self) -> Result<Dynamic, Wrong> {
        let value: Value = serde_json::from_slice(&self.0.body).map_err(|error| thrown("JSONDecodeError", error.to_string()))?;
        Ok(to_dynamic(&value))
    }

    fn check(&self) -> Result<(), Wrong> {
        match self.0.status {
            status @ 400..=499 => Err(thrown("HTTPError", format!("{status} Client Error for url: {}", self.0.url))),
            status @ 500..=599 => Err(thrown("HTTPError", format!("{status} Server Error for url: {}", self.0.url))),
            _ => Ok(()),
        }
    }

    fn headers(&self) -> Headers {
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &self.0.headers {
            // Several of a name are a list.
            all.entry(name.clone()).and_modify(|known| known.extend([", ", value])).or_insert_with(|| value.clone());
        }
        Headers::new(all)
    }
}

const METHODS: [(&str, &str); 7] = [
    ("get", "Asks for what is there"),
    ("head", "Asks whether it is there; redirects are not followed"),
    ("options", "Asks what can be done there"),
    ("post", "Sends something"),
    ("put", "Puts something there"),
    ("patch", "Changes what is there"),
    ("delete", "Deletes what is there"),
];

const OPTIONS: &str = "Options: `params` (a map, for the query), `headers` (a map), `json` (any value) or `data` (a map for a form, or a text), \
`auth` (a list of user name and password), `timeout` (seconds), `allow_redirects`.";

/// Registers them.
pub(super) fn register(table: &mut Table) {
    table.kind::<Requests>(
        "Requests",
        "Makes HTTP requests, to hosts that the installation has listed (`AUTHENTIK_OUTBOUND__SCRIPT_HOSTS`) and no others. They count \
against the time of the script; a trial makes none.",
    );
    for (name, doc) in METHODS {
        let method = name.to_ascii_uppercase();
        let plain = method.clone();
        table.function(
            &format!("{name}(requests: Requests, url: String) -> Response"),
            &format!("{doc}: `requests.{name}(\"https://api.example.org/\")`."),
            move |_: &mut Requests, url: &str| request(&plain, url, &Map::new()),
        );
        table.function(
            &format!("{name}(requests: Requests, url: String, options: Map) -> Response"),
            &format!("{doc}. {OPTIONS}"),
            move |_: &mut Requests, url: &str, options: Map| request(&method, url, &options),
        );
    }
    table
        .kind::<Reply>("Response", "The answer to a request.")
        .getter("Response.status_code: Integer", "The status: `200`, `404`, …", |reply: &mut Reply| i64::from(reply.0.status))
        .getter("Response.ok: bool", "Whether the status is below 400.", |reply: &mut Reply| reply.0.status < 400)
        .getter("Response.url: String", "Where it came from, after redirects.", |reply: &mut Reply| reply.0.url.to_string())
        .getter("Response.text: String", "What was sent, as a text.", |reply: &mut Reply| reply.text())
        .getter("Response.headers: Headers", "The headers.", |reply: &mut Reply| reply.headers())
        .function("json(response: Response) -> Dynamic", "What was sent, read as JSON.", |reply: &mut Reply| reply.json())
        .function(
            "raise_for_status(response: Response)",
            "An error where the status is 400 or more; nothing otherwise.",
            |reply: &mut Reply| reply.check(),
        )
        .kind::<RequestError>("RequestError", "Why there is no answer: what `catch` gets.")
        .getter("RequestError.class: String", "`ConnectionError`, `Timeout`, `HTTPError`, …", |error: &mut RequestError| {
            error.class.to_owned()
        })
        .function("to_string(error: RequestError) -> String", "What went wrong.", |error: &mut RequestError| {
            error.message.clone()
        });
}
