//! The settings that there are. Their documentation, names and defaults make the reference ([`Settings::reference`]) and drive the
//! loader: a new setting is one field here.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret_key::{SECRET_KEY_FILE, load_or_create_secret_key, load_secret_key};
use super::{ConfigError, Secret, definitions, values};
use crate::clock::Rng;

// Documentation of the fields is shown to people: full sentences, without links into the code.
// `x-key` names a setting whose name is not its path; `x-secret` marks what is never shown; `x-literal` what `file://` may not fill.

/// What the installation says about this process before it starts.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Settings {
    /// The key that protects secrets in the database: at least 50 characters, the same on every node. Where it is not given, one is
    /// made at the first start and kept in the file `secret_key` beside the database.
    #[serde(deserialize_with = "values::secret_key")]
    #[schemars(extend("x-secret" = true))]
    pub secret_key: Option<Secret>,
    /// How much is logged: `trace`, `debug`, `info`, `warning` (or `warn`) or `error`.
    #[serde(deserialize_with = "values::log_level")]
    pub log_level: LogLevel,
    /// How log lines look: `text` or `json`.
    #[serde(deserialize_with = "values::log_format")]
    pub log_format: LogFormat,
    /// The address people use for this installation, as `https://id.example.org`: links that the programs print begin with it.
    #[serde(deserialize_with = "values::base_url")]
    pub base_url: Option<String>,
    /// The domain of the session cookie, as `example.org`, where several host names below it share sessions. Without it the cookie
    /// belongs to the exact host.
    #[serde(deserialize_with = "values::domain")]
    pub cookie_domain: Option<String>,
    /// The folder of blueprints: the worker applies every YAML file in it, at the start and when one changes. Where it does not
    /// exist at the start, there are none.
    #[serde(deserialize_with = "values::path")]
    pub blueprints_dir: PathBuf,
    /// The embedded database.
    pub sqlite: Sqlite,
    /// The database on a server, in the place of the embedded one.
    pub postgresql: Postgresql,
    /// Where the server listens.
    pub listen: Listen,
    /// What is noted of what happens.
    pub events: EventSettings,
    /// How sign-ins are counted.
    pub reputation: ReputationSettings,
    /// Requests to other machines.
    pub outbound: Outbound,
    /// What the first administrator is made of, at the first start.
    pub bootstrap: Bootstrap,
}

/// The embedded database.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Sqlite {
    /// The database file. Its folder, made where it is missing, holds the other files that the server writes.
    #[serde(deserialize_with = "values::path")]
    pub path: PathBuf,
}

/// A database on a server.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Postgresql {
    /// The PostgreSQL server (12 or newer): a host name, an address, or the folder of its socket. Where it is given, everything is
    /// kept there and not in SQLite.
    #[serde(deserialize_with = "values::optional_text")]
    pub host: Option<String>,
    /// The server's port.
    #[serde(deserialize_with = "values::port")]
    pub port: u16,
    /// The database, which must exist. Its tables are made at the first start.
    #[serde(deserialize_with = "values::some_text")]
    pub name: String,
    /// The role that owns the tables.
    #[serde(deserialize_with = "values::some_text")]
    pub user: String,
    /// The role's password.
    #[serde(deserialize_with = "values::secret")]
    #[schemars(extend("x-secret" = true))]
    pub password: Option<Secret>,
    /// How the way to the server is protected: `disable`, `allow` or `prefer` (TLS where the server offers it), `require` (TLS, but the
    /// server's certificate is checked only where `SSLROOTCERT` is given), `verify-ca` or `verify-full` (the certificate and the
    /// host name are checked).
    #[serde(deserialize_with = "values::ssl_mode")]
    pub sslmode: SslMode,
    /// The authority that vouches for the server, besides those that everybody knows: a PEM file, or its text.
    #[serde(deserialize_with = "values::optional_text")]
    pub sslrootcert: Option<String>,
    /// The certificate that is shown to the server: a PEM file, or its text.
    #[serde(deserialize_with = "values::optional_text")]
    pub sslcert: Option<String>,
    /// The key of that certificate: a PEM file, or its text.
    #[serde(deserialize_with = "values::secret")]
    #[schemars(extend("x-secret" = true))]
    pub sslkey: Option<Secret>,
    /// `true` where a pooler in transaction mode (PgBouncer, say) stands before the server: no statement stays prepared, and changes
    /// made by other nodes are looked for once a second instead of being told.
    #[serde(deserialize_with = "values::flag")]
    pub disable_server_side_cursors: bool,
    /// How many connections are open at the most, from 2 on. One more listens for changes made by other nodes.
    #[serde(deserialize_with = "values::connections")]
    pub connections: usize,
    /// For how many seconds a start waits for a server that does not answer yet.
    #[serde(deserialize_with = "values::seconds")]
    pub wait: u64,
}

/// Where the server listens.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Listen {
    /// Address for HTTP: `127.0.0.1:9000`, `[::]:9000` (IPv6), `:9000` or `9000` (every IPv4 address).
    #[serde(deserialize_with = "values::address")]
    pub http: SocketAddr,
    /// Address for HTTPS, in the same forms; empty or `none` for no HTTPS.
    #[serde(deserialize_with = "values::optional_address")]
    pub https: Option<SocketAddr>,
    /// Address for metrics, in the same forms; empty or `none` for no metrics.
    #[serde(deserialize_with = "values::optional_address")]
    pub metrics: Option<SocketAddr>,
    /// Networks of the reverse proxies whose `X-Forwarded-*` headers are believed, separated by commas or as a YAML list; empty
    /// for none.
    #[serde(deserialize_with = "values::networks")]
    #[schemars(with = "Vec<String>")]
    pub trusted_proxy_cidrs: Vec<IpNet>,
}

/// What is noted of what happens.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EventSettings {
    /// What is looked up about addresses.
    pub context_processors: ContextProcessors,
}

/// What is looked up about addresses.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ContextProcessors {
    /// The database that knows where addresses are (MaxMind's format: GeoLite2-City, say); empty for none. A file that is not there
    /// yet, or is replaced, is read within about a minute.
    #[serde(deserialize_with = "values::optional_path")]
    pub geoip: Option<PathBuf>,
    /// The database that knows to which autonomous systems addresses belong (GeoLite2-ASN, say); empty for none.
    #[serde(deserialize_with = "values::optional_path")]
    pub asn: Option<PathBuf>,
}

/// How sign-ins are counted.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ReputationSettings {
    /// For how many seconds it counts how sign-ins under a name from an address have gone, since the last one.
    #[serde(deserialize_with = "values::lasting")]
    pub expiry: u64,
}

/// Requests that the product makes to other machines.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Outbound {
    /// Authorities that vouch for other machines, besides those that everybody knows: a PEM file, or its text.
    #[serde(deserialize_with = "values::optional_text")]
    pub extra_ca: Option<String>,
    /// Hosts in private networks that may be called although nobody configured the address itself, separated by commas or as a YAML
    /// list: `10.1.2.3`, `intranet.example.org:8443`.
    #[serde(deserialize_with = "values::list")]
    pub private_hosts: Vec<String>,
    /// Hosts that expressions may call, in the same forms, or `*.example.org` for every name below; those that are named whole may be in
    /// private networks. Empty for none.
    #[serde(deserialize_with = "values::list")]
    pub script_hosts: Vec<String>,
}

/// What the first administrator is made of, at the first start. Later starts ignore it.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Bootstrap {
    /// Password of `akadmin` at the first start.
    #[serde(deserialize_with = "values::secret")]
    #[schemars(extend("x-key" = "bootstrap_password", "x-secret" = true, "x-literal" = true))]
    pub password: Option<Secret>,
    /// Hash of the password of `akadmin` at the first start, instead of the password: any form that accounts can be imported with.
    #[serde(deserialize_with = "values::password_hash")]
    #[schemars(extend("x-key" = "bootstrap_password_hash", "x-secret" = true, "x-literal" = true))]
    pub password_hash: Option<Secret>,
    /// Key of an API token of `akadmin` that is made at the first start.
    #[serde(deserialize_with = "values::secret")]
    #[schemars(extend("x-key" = "bootstrap_token", "x-secret" = true, "x-literal" = true))]
    pub token: Option<Secret>,
    /// E-mail address of `akadmin` at the first start.
    #[serde(deserialize_with = "values::email")]
    #[schemars(extend("x-key" = "bootstrap_email", "x-literal" = true))]
    pub email: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            secret_key: None,
            log_level: LogLevel::Info,
            log_format: LogFormat::Text,
            base_url: None,
            cookie_domain: None,
            blueprints_dir: PathBuf::from("/blueprints"),
            sqlite: Sqlite::default(),
            postgresql: Postgresql::default(),
            listen: Listen::default(),
            events: EventSettings::default(),
            reputation: ReputationSettings::default(),
            outbound: Outbound::default(),
            bootstrap: Bootstrap::default(),
        }
    }
}

impl Default for Sqlite {
    fn default() -> Self {
        Self { path: PathBuf::from("./data/ak.sqlite") }
    }
}

impl Default for Postgresql {
    fn default() -> Self {
        Self {
            host: None,
            port: 5432,
            name: "authentik".into(),
            user: "authentik".into(),
            password: None,
            sslmode: SslMode::Prefer,
            sslrootcert: None,
            sslcert: None,
            sslkey: None,
            disable_server_side_cursors: false,
            connections: 10,
            wait: 60,
        }
    }
}

impl Default for ContextProcessors {
    fn default() -> Self {
        Self { geoip: Some("/geoip/GeoLite2-City.mmdb".into()), asn: Some("/geoip/GeoLite2-ASN.mmdb".into()) }
    }
}

impl Default for ReputationSettings {
    fn default() -> Self {
        Self { expiry: 86_400 }
    }
}

impl Default for Listen {
    fn default() -> Self {
        let every = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let private = ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fe80::/10", "::1/128"];
        Self {
            http: every(9000),
            https: Some(every(9443)),
            metrics: Some(every(9300)),
            trusted_proxy_cidrs: private.iter().filter_map(|network| network.parse().ok()).collect(),
        }
    }
}

impl Settings {
    /// The folder for what the server writes: the one that holds the database file.
    pub fn data_dir(&self) -> &Path {
        self.sqlite.path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// The secret key that was given, or else the one kept in [`Settings::data_dir`]; `None` where there is neither.
    pub fn existing_secret_key(&self) -> Result<Option<Secret>, ConfigError> {
        match &self.secret_key {
            Some(key) => Ok(Some(key.clone())),
            None => load_secret_key(self.data_dir()),
        }
    }

    /// The secret key that was given, or else the one kept in [`Settings::data_dir`], made at the first call
    /// ([`load_or_create_secret_key`]).
    ///
    /// # Errors
    /// Also where there is a database already: a new key would not open it.
    pub fn effective_secret_key(&self, rng: &dyn Rng) -> Result<Secret, ConfigError> {
        if let Some(key) = self.existing_secret_key()? {
            return Ok(key);
        }
        if !std::fs::metadata(&self.sqlite.path).is_ok_and(|found| found.is_file() && found.len() > 0) {
            return load_or_create_secret_key(self.data_dir(), rng);
        }
        // Another process may have made both since.
        let missing = || {
            let file = self.data_dir().join(SECRET_KEY_FILE);
            let message = format!(
                "the secret key is missing, but the database {} was written with one: put it into this file, or set \
                 AUTHENTIK_SECRET_KEY",
                self.sqlite.path.display()
            );
            ConfigError::file(&file, message)
        };
        self.existing_secret_key()?.ok_or_else(missing)
    }

    /// All settings as a Markdown table: name in the environment, default, meaning.
    pub fn reference() -> String {
        definitions::reference()
    }
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Everything.
    Trace,
    /// What helps in finding a fault.
    Debug,
    /// What happens.
    Info,
    /// What may be a fault.
    Warning,
    /// Faults.
    Error,
}

impl LogLevel {
    /// The level's name in filters of `tracing`.
    pub const fn as_filter(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warn",
            Self::Error => "error",
        }
    }
}

/// How the way to a database server is protected, in the words of its own clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SslMode {
    /// Not at all.
    Disable,
    /// By TLS where the server offers it.
    Allow,
    /// By TLS where the server offers it.
    Prefer,
    /// By TLS, whoever the server is; where an authority is given, only if it vouches for the server.
    Require,
    /// By TLS, to a server that somebody vouches for.
    VerifyCa,
    /// By TLS, to a server that somebody vouches for.
    VerifyFull,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
