//! Programs of others as children of a test: installed from their registries into a folder of the test's own, spoken to by lines of
//! JSON.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// How long an installation or an answer may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// A program that runs. It ends with the test.
pub struct Party {
    _child: Child,
    tell: ChildStdin,
    told: Lines<BufReader<ChildStdout>>,
    _folder: tempfile::TempDir,
}

/// The folder of the programs' sources.
fn source(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("parties").join(name)
}

async fn run(command: &mut Command, what: &str) {
    let done = tokio::time::timeout(PATIENCE, command.stdin(Stdio::null()).kill_on_drop(true).output()).await;
    let done = done.unwrap_or_else(|_| panic!("{what} takes too long")).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(done.status.success(), "{what}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A Python of its own, with these packages of PyPI (`name==version`), in a folder.
pub async fn python(folder: &Path, packages: &[&str]) -> PathBuf {
    let place = folder.join("python");
    run(Command::new("python3").args(["-m", "venv"]).arg(&place), "python3 -m venv (Debian package python3-venv)").await;
    let python = place.join("bin/python");
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--no-cache-dir", "--disable-pip-version-check"]).args(packages);
    run(&mut install, "pip install (is PyPI reachable?)").await;
    python
}

impl Party {
    /// A Python program of `tests/parties`, with these packages of PyPI (`name==version`).
    pub async fn python(script: &str, packages: &[&str], arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut program = Command::new(python(folder.path(), packages).await);
        program.arg(source(script)).args(arguments);
        Self::start(program, folder)
    }

    /// A JavaScript module of `tests/parties`, with these packages of npm (`name@version`).
    pub async fn node(script: &str, packages: &[&str], arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut install = Command::new("npm");
        install
            .args(["install", "--silent", "--no-update-notifier", "--no-audit", "--no-fund", "--ignore-scripts"])
            .args(packages);
        install.arg("--cache").arg(folder.path().join("cache")).arg("--prefix").arg(folder.path());
        run(&mut install, "npm install (Debian package npm; is the registry reachable?)").await;
        // Modules look for packages beside their own file.
        std::fs::copy(source(script), folder.path().join(script)).expect("the program is there");
        let mut program = Command::new("node");
        program.arg(folder.path().join(script)).args(arguments);
        Self::start(program, folder)
    }

    fn start(mut program: Command, folder: tempfile::TempDir) -> Self {
        let program = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        let mut child = program.spawn().expect("the program starts");
        let tell = child.stdin.take().expect("a pipe");
        let told = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { _child: child, tell, told, _folder: folder }
    }

    /// What it answers.
    pub async fn ask(&mut self, question: &Value) -> Value {
        self.tell.write_all(format!("{question}\n").as_bytes()).await.expect("it listens");
        let line = tokio::time::timeout(PATIENCE, self.told.next_line()).await.expect("it answers in time");
        let line = line.expect("a line").unwrap_or_else(|| panic!("it ended at {question}"));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}
