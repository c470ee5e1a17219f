//! From settings to a running product.

use std::sync::Arc;
use std::time::Duration;

use ak_flows::blueprint::Engine;
use ak_flows::{Bootstrap, ReputationOptions, Runner, RunnerOptions, SetupError, StoreDirectory, set_up};
use ak_http::pages::Renderer;
use ak_http::server::{Addresses, Bound, ServeError, bind};
use ak_http::{App, AppParts, HttpOptions};
use ak_policy::dns::{Dns, NoDns, SystemDns};
use ak_policy::geo::{GeoFiles, MaxMind};
use ak_policy::outbound::{HostPattern, HttpOutbound, Outbound as Calls, OutboundOptions};
use ak_policy::{Services, Tz};
use ak_store::config::{
    self, ConfigError, ContextProcessors, Loaded, LogFormat, Outbound, Postgresql, Secret, Settings, SslMode,
};
use ak_store::directory::history::{FORGET_PASSWORDS, ForgetPasswords};
use ak_store::directory::password::{Cost, PasswordHasher};
use ak_store::model::{Registry, Store, StoreOptions};
use ak_store::records::Backend;
use ak_store::sql::{OpenError, OpenPart, Pem, PostgresBackend, PostgresOptions, SqliteBackend, Tls};
use ak_store::tasks::Worker;
use ak_store::{Clock, Rng, StoreError, SystemClock, SystemRng};

/// Why a program does not start. One line, which names the setting where one is to blame.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What a setting leads to cannot be used: the database, say.
    #[error("{setting}: {why}")]
    Setting {
        /// The setting to look at.
        setting: &'static str,
        /// What it is, and why it cannot be used.
        why: String,
    },
    /// There is no such time zone.
    #[error("TZ: {0}")]
    Zone(String),
    /// The storage failed later on.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The first start failed.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The sockets cannot be opened, or a listener failed.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The kinds contradict each other, or a template does not compile: a mistake in the program.
    #[error("{0}")]
    Program(String),
}

/// What a product is made with besides its settings: the parts that tests and embedding programs replace.
#[derive(Clone)]
pub struct Wiring {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    /// How much work a new password hash takes.
    pub password_cost: Cost,
    /// Before this has passed, no wrong password is answered.
    pub password_floor: Duration,
    /// The kinds.
    pub registry: Arc<Registry>,
    /// The time zone in which expressions see dates.
    pub zone: Tz,
    /// What expressions resolve names with.
    pub dns: Arc<dyn Dns>,
}

impl Wiring {
    /// What the programs are made with.
    pub fn standard() -> Result<Self, StartError> {
        Ok(Self {
            clock: Arc::new(SystemClock),
            rng: Arc::new(SystemRng),
            password_cost: Cost::default(),
            password_floor: StoreDirectory::FLOOR,
            registry: registry()?,
            zone: zone(config::process_environment())?,
            dns: system_dns(),
        })
    }
}

/// The time zone that an environment names (`TZ`); UTC where it names none.
pub fn zone(environment: impl IntoIterator<Item = (String, String)>) -> Result<Tz, StartError> {
    let named = environment.into_iter().find(|(name, value)| name == "TZ" && !value.is_empty());
    named.map_or(Ok(Tz::UTC), |(_, name)| ak_policy::zone(&name).map_err(StartError::Zone))
}

/// The servers for names that the machine asks. Where it does not say which, no name is looked up.
pub fn system_dns() -> Arc<dyn Dns> {
    match SystemDns::new() {
        Ok(dns) => Arc::new(dns),
        Err(why) => {
            tracing::warn!("no names are looked up: {why}");
            Arc::new(NoDns)
        }
    }
}

/// Every kind of the product.
pub fn registry() -> Result<Arc<Registry>, StartError> {
    ak_http::kinds(Registry::new()).build().map_err(StartError::Program)
}

/// Reads the settings of this process.
pub fn load_settings() -> Result<Loaded, StartError> {
    Ok(config::load(config::process_environment())?)
}

/// Sends the log to the standard error stream, in the form and from the level on that the settings name.
pub fn log_to_stderr(settings: &Settings) {
    use tracing_subscriber::EnvFilter;
    // Our own rooms at the level asked for; libraries only when something is wrong.
    let level = settings.log_level.as_filter();
    let rooms = ["ak_store", "ak_policy", "ak_flows", "ak_providers", "ak_http", "ak_bins", "ak", "ak_server", "ak_worker"];
    let filter = rooms.iter().fold("warn".to_owned(), |all, room| format!("{all},{room}={level}"));
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(EnvFilter::new(filter));
    // A second call in one process (tests) finds a log there already; that one stays.
    let _ = match settings.log_format {
        LogFormat::Json => log.json().flatten_event(true).try_init(),
        LogFormat::Text => log.with_ansi(false).try_init(),
    };
}

/// Opens the backend that the settings name: PostgreSQL where they name a server, SQLite otherwise.
pub async fn open_backend(settings: &Settings) -> Result<Arc<dyn Backend>, StartError> {
    if let Some(host) = &settings.postgresql.host {
        let backend = PostgresBackend::open(postgres_options(host, &settings.postgresql)).await;
        return Ok(Arc::new(backend.map_err(|error| no_postgres(&error))?));
    }
    let path = &settings.sqlite.path;
    let backend = SqliteBackend::open(path, Default::default()).await;
    Ok(Arc::new(backend.map_err(|error| database(settings, error))?))
}

/// How a text in PEM begins; other texts are names of files.
const PEM: &str = "-----BEGIN";

fn postgres_options(host: &str, settings: &Postgresql) -> PostgresOptions {
    let pem = |text: &str| if text.starts_with(PEM) { Pem::Text(text.to_owned()) } else { Pem::File(text.into()) };
    PostgresOptions {
        host: host.to_owned(),
        port: settings.port,
        database: settings.name.clone(),
        user: settings.user.clone(),
        password: settings.password.as_ref().map(|password| password.expose().to_owned()),
        tls: match settings.sslmode {
            SslMode::Disable => Tls::Disable,
            SslMode::Allow | SslMode::Prefer => Tls::Prefer,
            SslMode::Require => Tls::Require,
            SslMode::VerifyCa | SslMode::VerifyFull => Tls::Verify,
        },
        root: settings.sslrootcert.as_deref().map(pem),
        certificate: settings.sslcert.as_deref().map(pem),
        key: settings.sslkey.as_ref().map(|key| pem(key.expose())),
        connections: settings.connections,
        pooler: settings.disable_server_side_cursors,
        wait: Duration::from_secs(settings.wait),
    }
}

fn no_postgres(error: &OpenError) -> StartError {
    let setting = match error.part {
        OpenPart::Host => "AUTHENTIK_POSTGRESQL__HOST",
        OpenPart::Database => "AUTHENTIK_POSTGRESQL__NAME",
        OpenPart::User => "AUTHENTIK_POSTGRESQL__USER",
        OpenPart::Password => "AUTHENTIK_POSTGRESQL__PASSWORD",
        OpenPart::Tls => "AUTHENTIK_POSTGRESQL__SSLMODE",
        OpenPart::Root => "AUTHENTIK_POSTGRESQL__SSLROOTCERT",
        OpenPart::Certificate => "AUTHENTIK_POSTGRESQL__SSLCERT",
        OpenPart::Key => "AUTHENTIK_POSTGRESQL__SSLKEY",
    };
    StartError::Setting { setting, why: error.why.clone() }
}

/// What the storage says, with the setting that leads to it and the place, unless the storage has named that already.
fn database(settings: &Settings, error: StoreError) -> StartError {
    let (setting, place) = match &settings.postgresql.host {
        Some(host) => ("AUTHENTIK_POSTGRESQL__NAME", format!("PostgreSQL at {host}")),
        None => ("AUTHENTIK_SQLITE__PATH", format!("the database {}", settings.sqlite.path.display())),
    };
    match error {
        StoreError::WrongSecretKey => StartError::Store(error),
        StoreError::Backend(why) | StoreError::Busy(why) | StoreError::Corrupt(why) if why.starts_with(&place) => {
            StartError::Setting { setting, why }
        }
        error => StartError::Setting { setting, why: format!("{place}: {error}") },
    }
}

/// Opens the store on the backend that the settings name, and brings it up to date.
pub async fn open_store(settings: &Settings, wiring: &Wiring) -> Result<(Arc<Store>, Secret), StartError> {
    let secret_key = settings.effective_secret_key(&*wiring.rng)?;
    let backend = open_backend(settings).await?;
    let store = Store::open(StoreOptions {
        backend,
        registry: wiring.registry.clone(),
        secret_key: secret_key.expose().to_owned(),
        clock: wiring.clock.clone(),
        rng: wiring.rng.clone(),
    });
    Ok((store.await.map_err(|error| database(settings, error))?, secret_key))
}

/// A product that is ready to serve.
pub struct Product {
    /// The objects and the records.
    pub store: Arc<Store>,
    /// The application.
    pub app: App,
    /// Makes requests to other machines.
    pub outbound: Arc<dyn Calls>,
    /// Applies blueprints.
    pub blueprints: Engine,
    /// Whether this was the first start.
    pub is_new: bool,
}

impl Product {
    /// Opens the store, makes the default objects at the first start, and puts the application together.
    pub async fn open(settings: &Settings, wiring: &Wiring) -> Result<Self, StartError> {
        let outbound: Arc<dyn Calls> = Arc::new(outbound(&settings.outbound, &wiring.dns).await?);
        let (store, secret_key) = open_store(settings, wiring).await?;
        let geo = Arc::new(geo(&settings.events.context_processors, &wiring.clock));
        let (zone, dns, out) = (wiring.zone, wiring.dns.clone(), outbound.clone());
        let services = Services { zone, dns, geo, outbound: out, ..Services::of(&store) };
        let hasher = PasswordHasher::with_limits(wiring.password_cost, Default::default(), wiring.rng.clone());
        let given = |secret: &Option<Secret>| secret.as_ref().map(|s| s.expose().to_owned());
        let bootstrap = Bootstrap {
            password: given(&settings.bootstrap.password),
            password_hash: given(&settings.bootstrap.password_hash),
            token: given(&settings.bootstrap.token),
            email: settings.bootstrap.email.clone(),
        };
        let blueprints = blueprints(&store, &hasher, settings);
        let is_new = set_up(&blueprints, &hasher, &bootstrap).await?;
        store.follow();
        let directory = Arc::new(StoreDirectory::new(store.clone(), hasher.clone(), wiring.password_floor));
        let app = App::new(AppParts {
            runner: Runner::new(store.clone(), directory, runner_options(settings)).with_services(Arc::new(services)),
            hasher,
            secret_key: secret_key.expose().to_owned(),
            blueprints: blueprints.clone(),
            renderer: Renderer::new().map_err(|e| StartError::Program(e.to_string()))?,
            options: HttpOptions {
                trusted_proxies: settings.listen.trusted_proxy_cidrs.clone(),
                cookie_domain: settings.cookie_domain.clone(),
                base_url: settings.base_url.clone(),
            },
        });
        Ok(Self { store, app, outbound, blueprints, is_new })
    }

    /// Opens the sockets that the settings name.
    pub fn bind(&self, settings: &Settings) -> Result<Bound, StartError> {
        let listen = &settings.listen;
        let addresses = Addresses { http: listen.http, https: listen.https, metrics: listen.metrics };
        Ok(bind(self.app.clone(), &addresses)?)
    }
}

fn runner_options(settings: &Settings) -> RunnerOptions {
    let age = Duration::from_secs(settings.reputation.expiry);
    let usual = ReputationOptions::default();
    let age = chrono::Duration::from_std(age).unwrap_or(usual.age);
    RunnerOptions { reputation: ReputationOptions { age, ..usual }, ..RunnerOptions::default() }
}

/// What knows addresses. A file that cannot be used is one line, and no reason not to start; so is one that is not there, unless nobody
/// has asked for it.
fn geo(settings: &ContextProcessors, clock: &Arc<dyn Clock>) -> MaxMind {
    let files = GeoFiles { places: settings.geoip.clone(), systems: settings.asn.clone() };
    let (geo, errors) = MaxMind::open(files, clock.clone());
    let usual = ContextProcessors::default();
    for error in errors {
        let path = Some(&error.path);
        let (setting, usual) = match path == settings.geoip.as_ref() {
            true => ("AUTHENTIK_EVENTS__CONTEXT_PROCESSORS__GEOIP", &usual.geoip),
            false => ("AUTHENTIK_EVENTS__CONTEXT_PROCESSORS__ASN", &usual.asn),
        };
        if !(error.is_missing && path == usual.as_ref()) {
            tracing::warn!("{setting}: {error}");
        }
    }
    geo
}

/// The one client for requests to other machines.
pub(crate) async fn outbound(settings: &Outbound, dns: &Arc<dyn Dns>) -> Result<HttpOutbound, StartError> {
    let wrong = |setting, why| StartError::Setting { setting, why };
    let hosts = |setting, texts: &[String]| -> Result<Vec<HostPattern>, StartError> {
        texts.iter().map(|text| text.parse().map_err(|why| wrong(setting, why))).collect()
    };
    let authorities = |why| wrong("AUTHENTIK_OUTBOUND__EXTRA_CA", why);
    let extra_ca = match settings.extra_ca.as_deref() {
        Some(file) if !file.starts_with(PEM) => {
            let read = tokio::fs::read_to_string(file).await;
            Some(read.map_err(|error| authorities(format!("{file} cannot be read: {error}")))?)
        }
        other => other.map(str::to_owned),
    };
    let private = hosts("AUTHENTIK_OUTBOUND__PRIVATE_HOSTS", &settings.private_hosts)?;
    if let Some(name) = private.iter().zip(&settings.private_hosts).find(|(host, _)| !host.is_one()) {
        return Err(wrong("AUTHENTIK_OUTBOUND__PRIVATE_HOSTS", format!("{} is more than one host", name.1)));
    }
    let scripts = hosts("AUTHENTIK_OUTBOUND__SCRIPT_HOSTS", &settings.script_hosts)?;
    HttpOutbound::new(dns.clone(), OutboundOptions { extra_ca, private, scripts }).map_err(authorities)
}

/// What applies blueprints: those that come with the product, and those in the folder that the settings name.
pub(crate) fn blueprints(store: &Arc<Store>, hasher: &PasswordHasher, settings: &Settings) -> Engine {
    ak_http::blueprints(store.clone(), hasher.clone()).with_folder(&settings.blueprints_dir)
}

/// The worker of a store: the same in `ak-worker` and inside `ak-server`.
pub fn worker(store: &Arc<Store>, outbound: Arc<dyn Calls>, name: &str) -> Worker {
    let handlers = ak_http::handlers(store, outbound);
    let worker = Worker::new(store.backend().clone(), handlers, store.clock().clone(), store.rng().clone()).named(name);
    worker.woken_by(store.waker()).every(FORGET_PASSWORDS, chrono::Duration::hours(1), ForgetPasswords::new(store.clone()))
}

/// Works, and keeps the folder of blueprints applied, until `stop` resolves.
pub(crate) async fn keep_working(worker: &Worker, blueprints: &Engine, stop: impl Future<Output = ()>) {
    let (asked, told) = tokio::sync::oneshot::channel::<()>();
    let stopped = async move {
        stop.await;
        drop(asked);
    };
    tokio::join!(work_until(worker, stopped), blueprints.watch_folder(async move { drop(told.await) }));
}

/// How long work under way may take to end when the process is asked to.
const GRACE: Duration = Duration::from_secs(10);

/// Works until `stop` resolves; then lets what is under way end for ten seconds. What takes longer is stopped, and run again by
/// somebody else when its lease ends.
pub async fn work_until(worker: &Worker, stop: impl Future<Output = ()>) {
    let (asked, told) = tokio::sync::oneshot::channel::<()>();
    let work = worker.run(async move { drop(told.await) });
    let deadline = async {
        stop.await;
        drop(asked);
        tokio::time::sleep(GRACE).await;
        tracing::warn!("work under way did not end within {} s: it is left to be run again", GRACE.as_secs());
    };
    tokio::select! {
        () = work => {}
        () = deadline => {}
    }
}

/// Resolves when the process is asked to end: by `SIGTERM`, or from the keyboard. From this call on, not only from the first poll,
/// these signals do nothing else.
pub fn until_stopped() -> impl Future<Output = ()> + Send {
    use tokio::signal::unix::{Signal, SignalKind, signal};
    async fn heard(listening: std::io::Result<Signal>) {
        match listening {
            Ok(mut signal) => drop(signal.recv().await),
            Err(error) => {
                tracing::warn!(%error, "a signal cannot be listened for");
                std::future::pending().await
            }
        }
    }
    let (terminate, keyboard) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        tokio::select! {
            () = heard(terminate) => {}
            () = heard(keyboard) => {}
        }
    }
}
