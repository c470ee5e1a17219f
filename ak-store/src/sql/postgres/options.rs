//! What a connection to PostgreSQL is made with, and why there is none.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// How the way to the server is protected. Names and meaning are those of libpq's `sslmode`, with one difference:
/// certificates are always checked together with the host name, because an authority that everybody knows is trusted too, and
/// it certifies anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// Not at all.
    Disable,
    /// By TLS where the server offers it; who the server is, is not checked.
    Prefer,
    /// By TLS; who the server is, is not checked.
    Require,
    /// By TLS, and the server's certificate is checked.
    Verify,
}

/// A certificate or a key.
#[derive(Clone, PartialEq, Eq)]
pub enum Pem {
    /// In this file.
    File(PathBuf),
    /// This text.
    Text(String),
}

impl std::fmt::Debug for Pem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Text(_) => f.write_str("Text"),
        }
    }
}

/// How a database on a server is reached.
#[derive(Clone)]
pub struct PostgresOptions {
    /// The server's host name or address, or the folder of its socket (a path that begins with a slash).
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The role.
    pub user: String,
    /// The role's password.
    pub password: Option<String>,
    /// How the way to the server is protected.
    pub tls: Tls,
    /// The authority that vouches for the server, besides those that everybody knows.
    pub root: Option<Pem>,
    /// The certificate that this side shows.
    pub certificate: Option<Pem>,
    /// The key of that certificate.
    pub key: Option<Pem>,
    /// How many connections are open at the most (one more listens); at least two.
    pub connections: usize,
    /// A pooler in transaction mode stands between: nothing is prepared by name, and nobody listens.
    pub pooler: bool,
    /// For how long opening waits for a server that does not answer yet.
    pub wait: Duration,
}

impl std::fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port, database, user, tls, .. } = self;
        write!(f, "PostgresOptions({user} at {host}:{port}/{database}, {tls:?})")
    }
}

impl PostgresOptions {
    /// The database `authentik` of the role `authentik` on this host, at the usual port, with TLS where the server offers it,
    /// ten connections, and a minute of patience at the start.
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: 5432,
            database: "authentik".into(),
            user: "authentik".into(),
            password: None,
            tls: Tls::Prefer,
            root: None,
            certificate: None,
            key: None,
            connections: 10,
            pooler: false,
            wait: Duration::from_mins(1),
        }
    }

    /// Where the server is, for people.
    pub(super) fn place(&self) -> String {
        let Self { host, port, .. } = self;
        if self.is_socket() { format!("PostgreSQL at {host} (port {port})") } else { format!("PostgreSQL at {host}:{port}") }
    }

    fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }

    /// What the driver is given, with the files read.
    pub(super) async fn connect_options(&self) -> Result<PgConnectOptions, OpenError> {
        let verified = self.root.is_some() && self.tls == Tls::Require;
        let mode = match self.tls {
            // A socket is a file of this machine: there is nobody between.
            _ if self.is_socket() => PgSslMode::Disable,
            Tls::Disable => PgSslMode::Disable,
            Tls::Prefer => PgSslMode::Prefer,
            Tls::Require if !verified => PgSslMode::Require,
            Tls::Require | Tls::Verify => PgSslMode::VerifyFull,
        };
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(&self.host)
            .port(self.port)
            .database(&self.database)
            .username(&self.user)
            .password(self.password.as_deref().unwrap_or_default())
            .ssl_mode(mode)
            .application_name("ak")
            .statement_cache_capacity(256)
            // A pooler refuses parameters that it does not know.
            .extra_float_digits(None)
            .disable_statement_logging();
        if let Some(pem) = read(self.root.as_ref(), OpenPart::Root).await? {
            options = options.ssl_root_cert_from_pem(pem);
        }
        if let Some(pem) = read(self.certificate.as_ref(), OpenPart::Certificate).await? {
            options = options.ssl_client_cert_from_pem(pem);
        }
        if let Some(pem) = read(self.key.as_ref(), OpenPart::Key).await? {
            options = options.ssl_client_key_from_pem(pem);
        }
        Ok(options)
    }
}

async fn read(pem: Option<&Pem>, part: OpenPart) -> Result<Option<Vec<u8>>, OpenError> {
    let unreadable = |path: &Path, error| OpenError { part, why: format!("{} cannot be read: {error}", path.display()) };
    let text = match pem {
        None => return Ok(None),
        Some(Pem::Text(text)) => text.clone().into_bytes(),
        Some(Pem::File(path)) => tokio::fs::read(path).await.map_err(|error| unreadable(path, error))?,
    };
    if !text.starts_with(b"-----BEGIN") && !text.windows(11).any(|part| part == b"\n-----BEGIN") {
        return Err(OpenError { part, why: "it is not in the PEM form (-----BEGIN …)".into() });
    }
    Ok(Some(text))
}

/// What of [`PostgresOptions`] is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenPart {
    /// The host, the port, or what is there.
    Host,
    /// The database.
    Database,
    /// The role.
    User,
    /// The password.
    Password,
    /// How the way to the server is protected.
    Tls,
    /// The authority.
    Root,
    /// This side's certificate.
    Certificate,
    /// The certificate's key.
    Key,
}

/// Why a database cannot be used. One line, without a password.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{why}")]
pub struct OpenError {
    /// What to change.
    pub part: OpenPart,
    /// Why.
    pub why: String,
}

/// What a failure to connect means: whether it may pass by itself, and what is to blame.
pub(super) fn failure(options: &PostgresOptions, error: &sqlx::Error) -> (bool, OpenError) {
    use std::io::ErrorKind;
    let place = options.place();
    let PostgresOptions { database, user, .. } = options;
    let said = error.to_string().replace(['\n', '\r'], " ");
    let (later, part, why) = match error {
        // A handshake that fails is told as data that is not valid.
        sqlx::Error::Io(io) if io.kind() == ErrorKind::InvalidData => {
            (false, OpenPart::Tls, format!("{place} cannot be trusted: {io}"))
        }
        sqlx::Error::Io(io) => (true, OpenPart::Host, format!("{place} does not answer: {io}")),
        sqlx::Error::Tls(why) => (false, OpenPart::Tls, format!("{place}: {why}")),
        sqlx::Error::Configuration(why) => (false, OpenPart::Key, format!("the certificate and its key cannot be used: {why}")),
        sqlx::Error::Database(told) => match told.code().unwrap_or_default().as_ref() {
            "57P03" | "53300" => (true, OpenPart::Host, format!("{place} takes no connection yet: {}", told.message())),
            "28P01" => (false, OpenPart::Password, format!("{place} refuses the password of the role \"{user}\"")),
            "28000" => (false, OpenPart::User, format!("{place} refuses the role \"{user}\": {}", told.message())),
            "3D000" => {
                let hint =
                    format!("create it: CREATE DATABASE \"{database}\" OWNER \"{user}\" ENCODING 'UTF8' TEMPLATE template0");
                (false, OpenPart::Database, format!("{place} has no database \"{database}\"; {hint}"))
            }
            "42501" => (false, OpenPart::User, format!("{place} refuses the role \"{user}\": {}", told.message())),
            _ => (false, OpenPart::Host, format!("{place}: {}", told.message())),
        },
        // Somebody who stands before the server and hangs up while it starts is understood as saying nonsense.
        _ => (true, OpenPart::Host, format!("{place} does not speak as PostgreSQL does: {said}")),
    };
    (later, OpenError { part, why: why.replace(['\n', '\r'], " ") })
}
