//! Settings: what the installation says about this process before it starts.
//!
//! Three places are read, each over the one before it:
//!
//! 1. the defaults of [`Settings`];
//! 2. one YAML file: the one that `AUTHENTIK_CONFIG` names, which must then exist; otherwise `./ak.yaml`, otherwise
//!    `/etc/authentik/config.yml`, whichever is there first; none is fine;
//! 3. the environment: a setting's name in capitals after `AUTHENTIK_`, with two underscores where the YAML file goes one level
//!    down (`listen: {http: …}` is `AUTHENTIK_LISTEN__HTTP`). Case does not matter after the prefix.
//!
//! A value may say where to find it instead: `env://NAME?default` is the environment variable `NAME`, `file:///path?default` the
//! content of a file without the white space around it. The default is taken where the variable or the file does not exist;
//! without one that is an error.
//!
//! Names that nobody knows are gathered in one warning. A malformed value of a known setting is an error that names the setting as
//! it was written. Neither ever shows a secret, or a value that came out of a file or another variable.

mod definitions;
mod error;
mod gather;
mod secret_key;
mod settings;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

pub use error::ConfigError;
pub use secret_key::{SECRET_KEY_FILE, load_or_create_secret_key};
pub use settings::{
    Bootstrap, ContextProcessors, EventSettings, Listen, LogFormat, LogLevel, Outbound, Postgresql, ReputationSettings, Settings,
    Sqlite, SslMode,
};
pub use values::Secret;

use self::definitions::Definition;
use self::gather::{Gathered, Given};

/// Where a YAML file is looked for when `AUTHENTIK_CONFIG` names none.
pub const FILES: [&str; 2] = ["./ak.yaml", "/etc/authentik/config.yml"];

/// Settings, and what is to be said about them.
#[derive(Debug)]
pub struct Loaded {
    /// The settings in force.
    pub settings: Settings,
    /// Lines for the log, without secrets.
    pub warnings: Vec<String>,
    /// The YAML file that was read.
    pub file: Option<PathBuf>,
}

/// The environment of this process, for [`load`]. What is not Unicode is kept with replacement characters.
pub fn process_environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
}

/// Reads the settings from `environment` and from the YAML file that it or [`FILES`] names.
/// Reads files: for the start of a program.
pub fn load(environment: impl IntoIterator<Item = (String, String)>) -> Result<Loaded, ConfigError> {
    let environment: BTreeMap<String, String> = environment.into_iter().collect();
    let candidates = FILES.map(PathBuf::from);
    let file = gather::find_file(environment.get("AUTHENTIK_CONFIG").map(String::as_str), &candidates)?;
    load_from(environment, file.as_ref().map(|(path, text)| (path.as_path(), text.as_str())))
}

/// Reads the settings from `environment` and from the text of a YAML file of that path.
pub fn load_from(
    environment: impl IntoIterator<Item = (String, String)>,
    file: Option<(&Path, &str)>,
) -> Result<Loaded, ConfigError> {
    let environment: BTreeMap<String, String> = environment.into_iter().collect();
    let mut gathered = Gathered::default();
    if let Some((path, text)) = file {
        gathered.add_yaml(path, text)?;
    }
    gathered.add_environment(&environment)?;
    let definitions = definitions::all();
    let mut tree = Value::Object(Map::new());
    let mut used = BTreeMap::new();
    for definition in &definitions {
        if let Some(given) = gathered.take(&definition.key)? {
            let given = given.resolve(definition, &environment)?;
            definition.put(&mut tree, given.value.clone());
            used.insert(definition.path.join("."), (definition, given));
        }
    }
    let settings = serde_path_to_error::deserialize::<_, Settings>(tree).map_err(|e| {
        let name = e.path().to_string();
        match used.get(&name) {
            Some((definition, given)) => malformed(definition, given, &e.inner().to_string()),
            None => ConfigError::setting(name, e.inner().to_string()),
        }
    })?;
    if let Some(((_, password), (_, hash))) = used.get("bootstrap.password").zip(used.get("bootstrap.password_hash"))
        && settings.bootstrap.password.is_some()
        && settings.bootstrap.password_hash.is_some()
    {
        return Err(ConfigError::setting(&hash.name, format!("cannot be given together with {}", password.name)));
    }
    let no_host = without_a_host(&settings, used.iter().map(|(path, (_, given))| (path, given.name.as_str())));
    let warnings = gathered.warning(&definitions).into_iter().chain(no_host).collect();
    Ok(Loaded { settings, warnings, file: file.map(|(path, _)| path.to_owned()) })
}

/// A secret that a command is given as `name`: itself, or where it is (`env://NAME`, `file:///path`), so that it need not stand in
/// the list of processes.
///
/// # Errors
/// Where it leads to nothing, or is empty.
pub fn secret_argument(
    name: &str,
    text: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Secret, ConfigError> {
    let found = gather::follow(text, &environment.into_iter().collect()).unwrap_or_else(|| Ok(text.to_owned()));
    match found.map_err(|why| ConfigError::setting(name, why))? {
        empty if empty.is_empty() => Err(ConfigError::setting(name, "is empty")),
        secret => Ok(Secret::new(secret)),
    }
}

/// Somebody who says how to reach a PostgreSQL server, but not where it is, must not get an SQLite database without a word.
fn without_a_host<'a>(settings: &Settings, used: impl Iterator<Item = (&'a String, &'a str)>) -> Option<String> {
    let names: Vec<&str> = used.filter(|(path, _)| path.starts_with("postgresql.")).map(|(_, name)| name).collect();
    if names.is_empty() || settings.postgresql.host.is_some() {
        return None;
    }
    let names = error::printable(&names.join(", "));
    Some(format!("SQLite is used: there is no AUTHENTIK_POSTGRESQL__HOST beside {names}"))
}

fn malformed(definition: &Definition, given: &Given, message: &str) -> ConfigError {
    let shown = match &given.value {
        _ if definition.secret || given.indirect => None,
        Value::String(text) => Some(error::quoted(text)),
        Value::Number(_) | Value::Bool(_) => Some(given.value.to_string()),
        _ => None,
    };
    match shown {
        Some(shown) => ConfigError::setting(&given.name, format!("{shown} {message}")),
        None => ConfigError::setting(&given.name, format!("the value {message}")),
    }
}
