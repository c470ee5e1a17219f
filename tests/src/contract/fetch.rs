//! Where the contract's text comes from.

use std::path::Path;
use std::process::{Command, Stdio};

/// The npm package that publishes the contract; `tests/run` reads the same file.
const PACKAGE: &str = include_str!("../../contract.version");

/// The variable with which `tests/run` names the document that it has fetched.
const VARIABLE: &str = "AK_CONTRACT_SCHEMA";

/// The document named by the environment, else a fresh copy of the published one.
pub(super) fn text() -> Result<String, String> {
    match std::env::var_os(VARIABLE) {
        Some(path) => read(Path::new(&path)).map_err(|error| format!("{VARIABLE} names a document that cannot be read: {error}")),
        None => fetch(PACKAGE.trim()),
    }
}

fn fetch(package: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    run(
        Command::new("npm")
            .args(["pack", "--silent", "--no-update-notifier", package])
            // Nothing of a test stays on the machine, npm's cache included.
            .arg("--cache")
            .arg(folder.path().join("cache")),
        folder.path(),
        "Debian package npm",
    )?;
    let archive = (folder.path().read_dir().map_err(|error| error.to_string())?)
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "tgz"))
        .ok_or_else(|| format!("`npm pack {package}` left no archive"))?;
    run(Command::new("tar").arg("-xzf").arg(archive).arg("package/schema.yml"), folder.path(), "Debian package tar")?;
    read(&folder.path().join("package/schema.yml"))
}

fn run(command: &mut Command, folder: &Path, origin: &str) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{name}` failed: {status} (is the npm registry reachable?)")),
        Err(error) => Err(format!("`{name}` ({origin}) did not start: {error}")),
    }
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_does_not_exist_is_named() {
        // No address behind this name: the answer is the same with and without a network.
        let error = fetch("./no-such-package.tgz").unwrap_err();
        assert!(error.contains("`npm` failed"), "{error}");
    }

    #[test]
    fn a_missing_program_is_named_with_its_package() {
        let error = run(&mut Command::new("ak-no-such-program"), Path::new("."), "Debian package nothing").unwrap_err();
        assert!(error.starts_with("`ak-no-such-program` (Debian package nothing) did not start"), "{error}");
    }

    #[test]
    fn a_missing_document_is_named() {
        assert!(read(Path::new("/no/such/schema.yml")).unwrap_err().starts_with("/no/such/schema.yml: "));
    }
}
