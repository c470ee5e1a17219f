//! The programs themselves, as children of a test: started in a folder of their own, watched by their log, ended with the test.
//!
//! ```no_run
//! # async fn story() {
//! let home = ak_tests::program::Home::new();
//! let server = home.serve().await;
//! assert!(home.run(&["healthcheck"]).await.succeeded());
//! assert_eq!(server.stop().await.code, Some(0));
//! # }
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::database::Place;
use crate::server::Client;

/// How long anything may take that a program was asked for. Far more than it needs on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The folder of the programs, which are built first, so that a test never runs yesterday's.
///
/// `AK_PROGRAMS` names a folder in which they have been built already.
///
/// # Panics
/// When they cannot be built.
pub fn programs() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        if let Some(folder) = std::env::var_os("AK_PROGRAMS") {
            return folder.into();
        }
        // `target/<profile>/deps/<test>`, or `target/<profile>/<program>`.
        let this = std::env::current_exe().expect("this program has a path");
        let folder = this.parent().expect("it is in a folder");
        let folder = if folder.ends_with("deps") { folder.parent().expect("a profile") } else { folder };
        let mut build = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // With this package beside it the dependencies have the features that they have here, and need no second build.
        build.args(["build", "--quiet", "--locked", "--bins", "-p", "ak-bins", "-p", env!("CARGO_PKG_NAME")]);
        build.arg("--manifest-path").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        build.arg("--target-dir").arg(folder.parent().expect("a target folder"));
        if folder.ends_with("release") {
            build.arg("--release");
        }
        let built = build.stdin(Stdio::null()).output().expect("cargo starts");
        assert!(built.status.success(), "the programs cannot be built: {}", String::from_utf8_lossy(&built.stderr));
        folder.to_owned()
    })
}

/// A folder that programs run in, and the settings that they get. Its files go with the last owner.
#[derive(Clone)]
pub struct Home {
    place: Arc<Place>,
    environment: BTreeMap<String, String>,
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

impl Home {
    /// An empty folder, an empty database in SQLite or PostgreSQL ([`crate::database`]), any free port for HTTP, and every other
    /// setting at its default.
    pub fn new() -> Self {
        Self::at(Place::new(Self::FILE))
    }

    /// The same, always with SQLite: for tests of its files.
    pub fn on_sqlite() -> Self {
        Self::at(Place::on_sqlite(Self::FILE))
    }

    /// Where the database file is by default.
    const FILE: &str = "data/ak.sqlite";

    /// The same, with this folder and database.
    pub fn at(place: Place) -> Self {
        let environment = place.environment().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let home = Self { place: Arc::new(place), environment };
        home.with("AUTHENTIK_LISTEN__HTTP", "127.0.0.1:0")
            .with("AUTHENTIK_LISTEN__HTTPS", "none")
            .with("AUTHENTIK_LISTEN__METRICS", "none")
    }

    /// The same folder with this environment variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// The folder with the database.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.place.file().to_owned()
    }

    /// Starts `ak` with these arguments.
    pub fn start(&self, arguments: &[&str]) -> Running {
        self.start_program("ak", arguments)
    }

    /// Starts a program with these arguments.
    pub fn start_program(&self, program: &str, arguments: &[&str]) -> Running {
        self.start_file(&programs().join(program), arguments)
    }

    /// Starts a program of the system, which may end by starting one of ours.
    pub fn start_file(&self, path: &Path, arguments: &[&str]) -> Running {
        let mut child = Command::new(path)
            .args(arguments)
            .current_dir(self.path())
            // What the test was started with is none of the product's business.
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", path.display()));
        let out = Lines::of(child.stdout.take().expect("a pipe"));
        let log = Lines::of(child.stderr.take().expect("a pipe"));
        Running { child, out, log, _place: self.place.clone() }
    }

    /// Runs `ak` with these arguments to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, "").await
    }

    /// Runs `ak` with these arguments and this standard input to its end.
    pub async fn run_with(&self, arguments: &[&str], input: &str) -> Ended {
        let mut running = self.start(arguments);
        let mut pipe = running.child.stdin.take().expect("a pipe");
        // Who does not want to know has closed it already.
        let _ = pipe.write_all(input.as_bytes()).await;
        drop(pipe);
        running.ended().await
    }

    /// Starts `ak server` and waits until it is ready.
    pub async fn serve(&self) -> Served {
        Served::of(self.start(&["server"])).await
    }
}

/// What a stream of a program has said so far.
struct Lines {
    said: Arc<Mutex<Vec<String>>>,
    count: watch::Receiver<usize>,
    reader: JoinHandle<()>,
}

impl Lines {
    fn of(stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let (counted, count) = watch::channel(0);
        let kept = said.clone();
        let reader = tokio::spawn(async move {
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                counted.send_modify(|count| *count += 1);
            }
        });
        Self { said, count, reader }
    }

    fn text(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// The first line that holds `part`; `None` when the stream ends without one.
    async fn find(&mut self, part: &str) -> Option<String> {
        let mut seen = 0;
        loop {
            let found = {
                let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
                let found = said.iter().skip(seen).find(|line| line.contains(part)).cloned();
                seen = said.len();
                found
            };
            if found.is_some() {
                return found;
            }
            if self.count.changed().await.is_err() && self.said.lock().unwrap_or_else(PoisonError::into_inner).len() == seen {
                return None;
            }
        }
    }
}

/// A program that runs. Dropped, it is killed.
pub struct Running {
    child: Child,
    out: Lines,
    log: Lines,
    /// After the child: its folder is there as long as it is.
    _place: Arc<Place>,
}

/// How a program ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Its exit status; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to the standard output.
    pub out: String,
    /// What it wrote to the standard error stream.
    pub err: String,
}

impl Ended {
    /// Whether it ended well.
    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }

    /// The one line with which it refused to start.
    ///
    /// # Panics
    /// When it ended well, or said anything else.
    pub fn refusal(&self) -> &str {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert_eq!(self.err.lines().count(), 1, "one line: {}", self.err);
        assert_eq!(self.out, "");
        let line = self.err.trim_end();
        assert!(!line.starts_with("ak: ") && !line.contains("panicked") && !line.contains("RUST_BACKTRACE"), "{line}");
        line
    }
}

impl Running {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Waits for a line of its log that holds `part`.
    ///
    /// # Panics
    /// When it ends without one, or a minute passes.
    pub async fn line(&mut self, part: &str) -> String {
        match tokio::time::timeout(PATIENCE, self.log.find(part)).await {
            Ok(Some(line)) => line,
            Ok(None) => panic!("it ended without saying {part:?}: {}", self.log()),
            Err(_) => panic!("it does not say {part:?}: {}", self.log()),
        }
    }

    /// Waits for a line of its log that holds `part`, or for the end of its log.
    pub async fn line_or_end(&mut self, part: &str) -> Option<String> {
        tokio::time::timeout(PATIENCE, self.log.find(part)).await.ok().flatten()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        // An error says that it has ended already.
        let _ = rustix::process::kill_process(Pid::from_raw(self.pid().cast_signed()).expect("a process"), signal);
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it goes on for a minute.
    pub async fn ended(mut self) -> Ended {
        let end = async {
            let status = self.child.wait().await.expect("its exit status");
            // Its last words may still be in the pipes.
            let _ = (&mut self.out.reader).await;
            let _ = (&mut self.log.reader).await;
            status
        };
        let Ok(status) = tokio::time::timeout(PATIENCE, end).await else { panic!("it does not end: {}", self.log()) };
        Ended { code: status.code(), out: self.out.text(), err: self.log.text() }
    }

    /// Asks it to end, and waits until it has.
    pub async fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// Ends it at once, as a power cut would; what the system has taken from it stays taken.
    pub async fn kill(self) -> Ended {
        self.signal(Signal::KILL);
        self.ended().await
    }
}

/// A server that is ready.
pub struct Served {
    /// `http://127.0.0.1:<port>`
    pub url: String,
    /// The program.
    pub program: Running,
}

impl Served {
    /// Waits until a server is ready.
    ///
    /// # Panics
    /// When it ends instead.
    pub async fn of(mut program: Running) -> Self {
        let line = program.line("listening on").await;
        let url = Self::url_of(&line).unwrap_or_else(|| panic!("no port in {line}"));
        let served = Self { url, program };
        let ready = tokio::time::timeout(PATIENCE, served.client().get("/-/health/ready/")).await;
        assert_eq!(ready.expect("an answer").status, 200);
        served
    }

    /// The address in the line with which a server says where it listens.
    pub fn url_of(line: &str) -> Option<String> {
        let port = line.split_once("http://localhost:")?.1.split(' ').next()?;
        Some(format!("http://127.0.0.1:{port}"))
    }

    /// A browser without cookies.
    pub fn client(&self) -> Client {
        Client::new(&self.url)
    }

    /// Asks it to end, and waits until it has.
    pub async fn stop(self) -> Ended {
        self.program.stop().await
    }
}
