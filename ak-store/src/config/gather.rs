//! What was given, under which name, before anybody asks what it means.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::ConfigError;
use super::definitions::Definition;
use super::error::printable;

const PREFIX: &str = "AUTHENTIK_";
/// Files of settings and of secrets are small; whoever names `/dev/zero` shall not fill the memory.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// Names listed in the warning.
const MAX_LISTED: usize = 50;

/// Settings of authentik that this version accepts without a use for them: whole groups by their first word, or single names.
const NOT_USED_YET: &[&str] = &[
    "avatars",
    "cache",
    "cert_discovery_dir",
    "debug",
    "default_token_length",
    "default_user_change_email",
    "default_user_change_name",
    "default_user_change_username",
    "disable_startup_analytics",
    "disable_update_check",
    "email",
    "error_reporting",
    "events",
    "footer_links",
    "gdpr_compliance",
    "host",
    "host_browser",
    "impersonation",
    "insecure",
    "ldap",
    "listen__debug",
    "listen__debug_py",
    "listen__ldap",
    "listen__ldaps",
    "listen__radius",
    "outposts",
    "postgresql",
    "redis",
    "reputation",
    "sessions",
    "session_storage",
    "sources",
    "storage",
    "tenants",
    "throttle",
    "token",
    "web",
    "worker",
];

/// A value that somebody gave.
#[derive(Debug, Clone)]
pub(super) struct Given {
    /// The name as it was written.
    pub(super) name: String,
    pub(super) value: Value,
    /// Whether the value was found where what was written pointed to.
    pub(super) indirect: bool,
}

/// Everything that was given, by key.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    by_key: BTreeMap<String, Vec<Given>>,
}

impl Gathered {
    /// Adds the leaves of a YAML document.
    pub(super) fn add_yaml(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let file = path.display().to_string();
        match read_yaml(path, text)? {
            Value::Null => Ok(()),
            tree @ Value::Object(_) => {
                self.add_tree("", "", &file, tree);
                Ok(())
            }
            _ => Err(ConfigError::file(path, "the file must hold settings as `name: value`")),
        }
    }

    fn add_tree(&mut self, key: &str, name: &str, file: &str, tree: Value) {
        match tree {
            Value::Object(fields) => {
                for (field, value) in fields {
                    let folded = field.to_lowercase();
                    let key = if key.is_empty() { folded } else { format!("{key}__{folded}") };
                    let name = if name.is_empty() { field } else { format!("{name}.{field}") };
                    self.add_tree(&key, &name, file, value);
                }
            }
            // `name:` with nothing behind it.
            Value::Null => {}
            value => {
                let given = Given { name: format!("{name} in {file}"), value, indirect: false };
                self.by_key.entry(key.to_owned()).or_default().push(given);
            }
        }
    }

    /// Adds the settings in the environment, each over what the file says about it.
    pub(super) fn add_environment(&mut self, environment: &BTreeMap<String, String>) -> Result<(), ConfigError> {
        let mut seen = BTreeMap::new();
        for (name, value) in environment {
            let Some(key) = name.strip_prefix(PREFIX).map(str::to_lowercase).filter(|key| key != "config") else { continue };
            if let Some(first) = seen.insert(key.clone(), name) {
                return Err(ConfigError::setting(name, format!("is the same setting as {}", printable(first))));
            }
            let given = Given { name: name.clone(), value: Value::String(value.clone()), indirect: false };
            self.by_key.insert(key, vec![given]);
        }
        Ok(())
    }

    /// Takes what was given for a setting.
    pub(super) fn take(&mut self, key: &str) -> Result<Option<Given>, ConfigError> {
        let mut all = self.by_key.remove(key).unwrap_or_default().into_iter();
        match (all.next(), all.next()) {
            (Some(first), Some(second)) => {
                Err(ConfigError::setting(&second.name, format!("is the same setting as {}", printable(&first.name))))
            }
            (first, _) => Ok(first),
        }
    }

    /// One line about everything that was not taken.
    pub(super) fn warning(&self, definitions: &[Definition]) -> Option<String> {
        let rest = self.by_key.iter().flat_map(|(key, all)| all.iter().map(move |given| (key, &given.name)));
        let (later, unknown): (Vec<_>, Vec<_>) = rest.partition(|(key, _)| is_for_later(key));
        let groups = |key: &str| definitions.iter().any(|d| d.path.len() > 1 && d.path.first().is_some_and(|group| group == key));
        let mut parts = Vec::new();
        if !unknown.is_empty() {
            let names = unknown.iter().map(|(key, name)| {
                let hint = if groups(key) { " (a group of settings, not a value)" } else { "" };
                format!("{}{hint}", printable(name))
            });
            parts.push(format!("unknown settings: {}", listed(names)));
        }
        if !later.is_empty() {
            let names = later.iter().map(|(_, name)| printable(name));
            parts.push(format!("settings known but not used by this version yet: {}", listed(names)));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(MAX_LISTED);
    let mut line = names.take(MAX_LISTED).collect::<Vec<_>>().join(", ");
    if more > 0 {
        line.push_str(&format!(" and {more} more"));
    }
    line
}

fn is_for_later(key: &str) -> bool {
    let group = key.split("__").next().unwrap_or(key);
    NOT_USED_YET.iter().any(|name| *name == group || *name == key)
}

impl Given {
    /// Follows `env://` and `file://`.
    pub(super) fn resolve(self, definition: &Definition, environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let Value::String(text) = &self.value else { return Ok(self) };
        if definition.literal && text.starts_with(FILE) {
            let message = "cannot be read from a file (file://); give the value itself, or env:// and a variable's name";
            return Err(ConfigError::setting(&self.name, message));
        }
        match follow(text, environment) {
            None => Ok(self),
            Some(Ok(value)) => Ok(Self { name: self.name, value: Value::String(value), indirect: true }),
            Some(Err(why)) => Err(ConfigError::setting(&self.name, why)),
        }
    }
}

const FILE: &str = "file://";

/// What `env://` or `file://` leads to, or why to nothing. `None`: the text stands for itself.
pub(super) fn follow(text: &str, environment: &BTreeMap<String, String>) -> Option<Result<String, String>> {
    let (value, default, what) = if let Some(target) = text.strip_prefix("env://") {
        let (name, default) = split_default(target);
        (environment.get(name).cloned(), default, "the environment variable that it names is not set")
    } else if let Some(target) = text.strip_prefix(FILE) {
        let (path, default) = split_default(target);
        let content = match read_small(Path::new(path)) {
            Ok(content) => content,
            Err(error) => return Some(Err(format!("the file that it names cannot be read: {error}"))),
        };
        (content.map(|content| content.trim().to_owned()), default, "the file that it names does not exist")
    } else {
        return None;
    };
    Some(value.or_else(|| default.map(str::to_owned)).ok_or_else(|| what.to_owned()))
}

fn split_default(target: &str) -> (&str, Option<&str>) {
    match target.split_once('?') {
        Some((target, default)) => (target, Some(default)),
        None => (target, None),
    }
}

/// The YAML file to read: the one that was asked for, or the first candidate that exists.
pub(super) fn find_file(asked: Option<&str>, candidates: &[PathBuf]) -> Result<Option<(PathBuf, String)>, ConfigError> {
    let read = |path: &Path| read_small(path).map_err(|e| ConfigError::file(path, e));
    if let Some(asked) = asked.filter(|asked| !asked.is_empty()) {
        return match read(Path::new(asked))? {
            Some(text) => Ok(Some((PathBuf::from(asked), text))),
            None => Err(ConfigError::setting("AUTHENTIK_CONFIG", "the file that it names does not exist")),
        };
    }
    for path in candidates {
        if let Some(text) = read(path)? {
            return Ok(Some((path.clone(), text)));
        }
    }
    Ok(None)
}

/// The text of a file of a sensible size; `None` where there is none.
pub(super) fn read_small(path: &Path) -> std::io::Result<Option<String>> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut text = String::new();
    file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(std::io::Error::other("the file is too large"));
    }
    Ok(Some(text))
}

/// Only the place of an error is told: the parser's own words may quote the file.
fn read_yaml(path: &Path, text: &str) -> Result<Value, ConfigError> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_depth: 16,
            max_nodes: 10_000,
            max_events: 50_000,
            max_anchors: 16,
            max_aliases: 64,
            max_documents: 1,
        },
    };
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_saphyr::from_str_with_options(text, options).map_err(|e| match e.location() {
        Some(at) => ConfigError::file(path, format!("line {}, column {}: not understood as YAML", at.line(), at.column())),
        None => ConfigError::file(path, "not understood as YAML, or too large"),
    })
}
