//! The processes behind a browser, and their end.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions};
use tokio::sync::oneshot;

/// A running chromedriver and everything that it starts: one process group, and the crash handlers that leave it. (Chromium's
/// switch against crash handlers, `--disable-crashpad-for-testing`, makes this version hang.)
pub(super) struct Driver {
    group: Pid,
    port: u16,
    home: PathBuf,
}

impl Driver {
    /// Starts chromedriver on a port that it chooses itself. It wants the same one for both families of addresses, and ends where another
    /// program has just taken it in one of them: then it is started once more.
    ///
    /// # Panics
    /// When it is missing, ends three times, or does not say within half a minute that it listens.
    pub(super) async fn start(home: &Path) -> Self {
        let program = find("chromedriver", "chromium-driver");
        for _ in 0..3 {
            if let Some(driver) = Self::try_start(&program, home).await {
                return driver;
            }
        }
        panic!("{} ended without listening", program.display())
    }

    /// `None`: it has ended without listening.
    #[expect(clippy::zombie_processes, reason = "`drop` reaps the whole group")]
    async fn try_start(program: &Path, home: &Path) -> Option<Self> {
        // Orphans come to this process instead of the machine's first one: the group's end can be waited for, and no zombies
        // are left where the first process does not reap.
        if let Err(error) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
            panic!("cannot adopt orphans: {error}");
        }
        let mut child = Command::new(program)
            .arg("--port=0")
            // Chromium writes caches and key stores there.
            .env("HOME", home)
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_CACHE_HOME")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{} did not start: {error}", program.display()));
        // From here on a panic ends what has been started.
        let mut driver = Self { group: Pid::from_child(&child), port: 0, home: home.to_owned() };
        let announced = child.stdout.take().map(announcement);
        driver.port = match announced {
            Some(port) => match tokio::time::timeout(Duration::from_secs(30), port).await {
                Ok(Ok(port)) => port,
                Ok(Err(_)) => return None,
                Err(_) => panic!("{} does not say that it listens", program.display()),
            },
            None => panic!("{} has no standard output", program.display()),
        };
        Some(driver)
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn process_group(&self) -> u32 {
        self.group.as_raw_nonzero().get().unsigned_abs()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Before the end: what has ended has no command line any more.
        let handlers = naming(&self.home);
        // An error here says that the group is already gone.
        let _ = rustix::process::kill_process_group(self.group, Signal::KILL);
        // Until there is no child left in the group. An orphan becomes ours before its parent can be reaped, so the loop
        // cannot overtake it.
        until_none_is_left(|| rustix::process::waitpgid(self.group, WaitOptions::empty()));
        for handler in handlers {
            let _ = rustix::process::kill_process(handler, Signal::KILL);
            until_none_is_left(|| rustix::process::waitpid(Some(handler), WaitOptions::empty()));
        }
    }
}

/// Reaps until there is nothing to wait for.
fn until_none_is_left<T>(mut wait: impl FnMut() -> Result<T, Errno>) {
    while matches!(wait(), Ok(_) | Err(Errno::INTR)) {}
}

/// The processes whose command line names a folder. It is a browser's own temporary folder, so they are its own.
pub(super) fn naming(folder: &Path) -> Vec<Pid> {
    let folder = folder.as_os_str().as_bytes();
    (std::fs::read_dir("/proc").into_iter().flatten())
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
            let mut line = Vec::new();
            File::open(entry.path().join("cmdline")).ok()?.read_to_end(&mut line).ok()?;
            line.windows(folder.len()).any(|part| part == folder).then_some(pid)
        })
        .collect()
}

/// The port of the line with which chromedriver says that it listens. The thread goes on reading until the end, so that
/// chromedriver never waits for a reader.
fn announcement(output: ChildStdout) -> oneshot::Receiver<u16> {
    let (say, said) = oneshot::channel();
    std::thread::spawn(move || {
        let mut say = Some(say);
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(port) = port(&line)
                && let Some(say) = say.take()
            {
                // Nobody may be waiting any more.
                let _ = say.send(port);
            }
        }
    });
    said
}

/// `ChromeDriver was started successfully on port 40123.`
fn port(line: &str) -> Option<u16> {
    line.split_once("started successfully on port ")?.1.trim_end_matches('.').parse().ok()
}

/// The path of a program.
///
/// # Panics
/// With the name of its Debian package, when it is not on the PATH.
pub(super) fn find(program: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("missing: {program} (Debian package {package})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_the_announcement() {
        assert_eq!(port("ChromeDriver was started successfully on port 40123."), Some(40123));
        assert_eq!(port("Starting ChromeDriver 156.0 on port 0"), None);
    }

    #[test]
    #[should_panic(expected = "missing: ak-no-such-program (Debian package nothing)")]
    fn a_missing_program_is_named_with_its_package() {
        find("ak-no-such-program", "nothing");
    }
}
