//! Real reverse proxies in front of an application that says what it sees.
//!
//! ```no_run
//! # async fn story(configuration: String) {
//! use ak_tests::reverse_proxy::{Echo, Program, ReverseProxy, free_port};
//! let (application, port) = (Echo::start().await, free_port());
//! let caddy = ReverseProxy::start(Program::Caddy, &configuration).await;
//! # }
//! ```
//!
//! Each runs in a folder of its own and ends with its value. A missing program fails the test, with the name of its Debian package.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderMap, Method, Uri};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Which reverse proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Debian's Caddy.
    Caddy,
    /// Debian's nginx.
    Nginx,
}

impl Program {
    fn path(self) -> PathBuf {
        let (name, package) = match self {
            Self::Caddy => ("caddy", "caddy"),
            Self::Nginx => ("nginx", "nginx-light"),
        };
        let folders = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut all = std::env::split_paths(&path).chain(folders).map(|folder| folder.join(name));
        all.find(|program| program.is_file()).unwrap_or_else(|| panic!("{name} is missing (Debian package {package})"))
    }

    /// What it says once its sockets are open.
    fn sign(self) -> &'static str {
        match self {
            Self::Caddy => "serving initial configuration",
            Self::Nginx => "getrlimit(RLIMIT_NOFILE)",
        }
    }
}

/// A running reverse proxy.
pub struct ReverseProxy {
    _child: Child,
    _folder: tempfile::TempDir,
}

impl ReverseProxy {
    /// Starts one with a complete configuration. In nginx's, `FOLDER` stands for where it may write.
    ///
    /// # Panics
    /// When it is missing, or does not start.
    pub async fn start(program: Program, configuration: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("configuration");
        let here = folder.path().display().to_string();
        tokio::fs::write(&file, configuration.replace("FOLDER", &here)).await.expect("the configuration is written");
        let mut command = Command::new(program.path());
        match program {
            Program::Caddy => command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file),
            Program::Nginx => command.args(["-e", "stderr", "-p"]).arg(folder.path()).arg("-c").arg(&file),
        };
        command.env("HOME", folder.path()).env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME");
        let mut child = command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{program:?} does not start: {error}"));
        let mut lines = BufReader::new(child.stderr.take().expect("its standard error")).lines();
        let mut said = String::new();
        let ready = async {
            while let Ok(Some(line)) = lines.next_line().await {
                said.push_str(&line);
                said.push('\n');
                if line.contains(program.sign()) {
                    return true;
                }
            }
            false
        };
        let ready = tokio::time::timeout(Duration::from_secs(30), ready).await.unwrap_or(false);
        assert!(ready, "{program:?} does not start:\n{said}");
        // What it says later is read, so that it never waits for us.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { _child: child, _folder: folder }
    }
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// An application that answers with what it sees: `{"path", "method", "headers"}`, where a header that comes twice has two values.
pub struct Echo {
    /// Where it is.
    pub address: SocketAddr,
    running: tokio::task::JoinHandle<()>,
}

impl Echo {
    /// Starts it on a port of its own.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let running = tokio::spawn(async move {
            axum::serve(listener, axum::Router::new().fallback(echo)).await.expect("it serves");
        });
        Self { address, running }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn echo(method: Method, uri: Uri, headers: HeaderMap) -> Json<Value> {
    let mut seen = serde_json::Map::new();
    for name in headers.keys() {
        let values: Vec<String> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
        seen.insert(name.to_string(), json!(values));
    }
    Json(json!({ "path": uri.to_string(), "method": method.as_str(), "headers": seen }))
}
