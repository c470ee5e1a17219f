//! A PostgreSQL cluster of the tests' own, and a database for each test.
//!
//! It is started when the first test of a process asks for it, from the programs of the Debian package `postgresql`, and ends
//! with the process, however that ends. A database is a copy of one that has all tables, which takes some hundredths of a
//! second.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Once, OnceLock};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::sync::mpsc;

use crate::records::Backend as _;
use crate::sql::{PostgresBackend, PostgresOptions};

/// The superuser of a test cluster.
pub const USER: &str = "ak";
/// The superuser's password.
pub const PASSWORD: &str = "a password for tests";
/// A database with all tables, which others are copies of.
const TEMPLATE: &str = "with_tables";

/// A cluster that runs. Dropped, it ends, and its files are removed.
pub struct Cluster {
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// The pooler's port on 127.0.0.1, where one was asked for.
    pub pooler_port: Option<u16>,
    child: Child,
    orders: Orders,
    count: AtomicU64,
    template: Once,
}

/// What the cluster is to do.
#[derive(Debug)]
enum Order {
    /// A statement outside of any transaction.
    Statement(String),
    /// The database that others are copies of.
    Template,
}

type Done = std::sync::mpsc::Sender<()>;
type Orders = mpsc::UnboundedSender<(Order, Option<Done>)>;

/// What a cluster is started with besides the defaults.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Settings of the server.
    pub settings: Vec<(String, String)>,
    /// Certificate and key (PEM), where it shall speak TLS.
    pub tls: Option<(String, String)>,
    /// Whether PgBouncer (Debian package `pgbouncer`) stands before it, in transaction mode.
    pub pooler: bool,
}

/// A database. Dropped, it is removed, with whoever is connected to it.
pub struct Database {
    /// The port of its cluster on 127.0.0.1.
    pub port: u16,
    /// Its name.
    pub name: String,
    orders: Orders,
}

/// The folder of PostgreSQL's programs: the newest version that is there.
///
/// # Panics
/// When there is none.
pub fn programs() -> PathBuf {
    let version = |folder: &PathBuf| folder.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path());
    let newest = versions.filter(|folder| folder.join("bin/initdb").exists()).max_by_key(version);
    newest.expect("PostgreSQL is installed (Debian package postgresql)").join("bin")
}

/// The ids of the user `postgres`: the server refuses to run as root.
fn unprivileged() -> Option<(u32, u32)> {
    #[expect(clippy::disallowed_methods, reason = "a test's start, on a thread that may wait")]
    let (status, users) = (std::fs::read_to_string("/proc/self/status").ok()?, std::fs::read_to_string("/etc/passwd").ok()?);
    let mine = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1)?.parse::<u32>().ok());
    if mine != Some(0) {
        return None;
    }
    let fields: Vec<&str> = users.lines().find(|line| line.starts_with("postgres:"))?.split(':').collect();
    Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

impl Cluster {
    /// The cluster of this process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&Setup::default()))
    }

    /// Starts one more.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(setup: &Setup) -> Self {
        let mut said = String::new();
        // Somebody else may take a free port before the server does.
        for port in [free_port(), free_port(), free_port()] {
            let pooler_port = setup.pooler.then(free_port);
            match spawn(port, pooler_port, setup) {
                Ok(child) => {
                    let orders = secretary(port);
                    return Self { port, pooler_port, child, orders, count: AtomicU64::new(0), template: Once::new() };
                }
                Err(why) => said = why,
            }
        }
        panic!("PostgreSQL does not start: {said}");
    }

    /// A database with all tables, as [`crate::records::Backend::migrate`] makes them.
    pub fn database(&self) -> Database {
        self.template.call_once(|| self.order(Order::Template));
        self.copy(TEMPLATE)
    }

    /// A database with nothing in it.
    pub fn empty_database(&self) -> Database {
        self.copy("template0")
    }

    fn copy(&self, template: &str) -> Database {
        let name = format!("test_{}", self.count.fetch_add(1, Ordering::Relaxed));
        self.statement(format!("CREATE DATABASE {name} TEMPLATE {template}"));
        Database { port: self.port, name, orders: self.orders.clone() }
    }

    /// Runs a statement as the superuser, in no particular database.
    ///
    /// # Panics
    /// When the statement fails.
    pub fn statement(&self, statement: String) {
        self.order(Order::Statement(statement));
    }

    /// Waits for an order to be done. It is a test's thread that waits, and the work is done on another.
    fn order(&self, order: Order) {
        let shown = format!("{order:?}");
        let (done, wait) = std::sync::mpsc::channel();
        self.orders.send((order, Some(done))).expect("the cluster takes orders");
        wait.recv().unwrap_or_else(|_| panic!("the cluster refuses {shown}"));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The end of its standard input tells it.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, pooler_port: Option<u16>, setup: &Setup) -> Result<Child, String> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", include_str!("cluster.sh"), "cluster"]).arg(programs()).arg(port.to_string());
    command.args(setup.settings.iter().map(|(name, value)| format!("{name}={value}")));
    command.env("PASSWORD", PASSWORD).env("LC_ALL", "C");
    if let Some((certificate, key)) = &setup.tls {
        command.env("TLS_CERTIFICATE", certificate).env("TLS_KEY", key);
    }
    if let Some(port) = pooler_port {
        command.env("POOLER_PORT", port.to_string());
    }
    if let Some((user, group)) = unprivileged() {
        command.uid(user).gid(group).current_dir("/");
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("sh starts");
    let mut line = String::new();
    let out = child.stdout.as_mut().expect("a pipe");
    BufReader::new(out).read_line(&mut line).expect("its words can be read");
    if line.trim() == "ready" {
        return Ok(child);
    }
    let mut said = String::new();
    let _ = child.stderr.as_mut().expect("a pipe").read_to_string(&mut said);
    let _ = child.wait();
    Err(said)
}

/// A thread that hands orders to a cluster one after the other, and goes on when the test that gave one has gone.
fn secretary(port: u16) -> Orders {
    let (orders, mut inbox) = mpsc::unbounded_channel::<(Order, Option<Done>)>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let mut connection = connect(port, "postgres").await;
            while let Some((order, done)) = inbox.recv().await {
                match carry_out(&mut connection, port, order).await {
                    // Whoever waited may have gone.
                    Ok(()) => drop(done.map(|done| done.send(()))),
                    Err(error) => tracing::warn!(%error, "an order to the test cluster"),
                }
            }
        });
    });
    orders
}

async fn carry_out(connection: &mut PgConnection, port: u16, order: Order) -> Result<(), sqlx::Error> {
    match order {
        Order::Statement(statement) => _ = sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?,
        Order::Template => {
            sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {TEMPLATE}"))).execute(connection).await?;
            let backend = PostgresBackend::open(options(port, TEMPLATE)).await.expect("the new database opens");
            backend.migrate().await.expect("it gets its tables");
        }
    }
    Ok(())
}

async fn connect(port: u16, database: &str) -> PgConnection {
    let password = PASSWORD.replace(' ', "%20");
    let url = format!("postgres://{USER}:{password}@127.0.0.1:{port}/{database}?sslmode=disable");
    PgConnection::connect(&url).await.expect("the cluster takes a connection")
}

fn options(port: u16, name: &str) -> PostgresOptions {
    PostgresOptions {
        port,
        database: name.to_owned(),
        user: USER.to_owned(),
        password: Some(PASSWORD.to_owned()),
        ..PostgresOptions::new("127.0.0.1")
    }
}

impl Database {
    /// How it is reached.
    pub fn options(&self) -> PostgresOptions {
        options(self.port, &self.name)
    }

    /// A handle on it.
    ///
    /// # Panics
    /// When it does not open.
    pub async fn open(&self) -> PostgresBackend {
        PostgresBackend::open(self.options()).await.expect("the database opens")
    }

    /// Runs a script in it, as another program would.
    ///
    /// # Panics
    /// When the script fails.
    pub async fn script(&self, text: &str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut connection).await.expect("the script runs");
        let _ = connection.close().await;
    }

    /// A connection to it, as another program would have one.
    ///
    /// # Panics
    /// When there is none.
    pub async fn connect(&self) -> PgConnection {
        connect(self.port, &self.name).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let order = Order::Statement(format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        let _ = self.orders.send((order, None));
    }
}
