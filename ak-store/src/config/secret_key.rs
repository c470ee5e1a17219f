//! The secret key of an installation that was not given one.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::error::ConfigError;
use super::gather::read_small;
use super::values::{SECRET_KEY_CHARS, Secret};
use crate::clock::Rng;

/// Name of the file that keeps the secret key, in the data folder.
pub const SECRET_KEY_FILE: &str = "secret_key";

/// Bytes of entropy: 64 characters.
const BYTES: usize = 48;

/// The secret key kept in `dir`; at the first call it is made, and the folder with it.
///
/// The file can be read by its owner only, appears complete or not at all, and is never replaced: of several processes that start at
/// once, one makes the key and all use it.
pub fn load_or_create_secret_key(dir: &Path, rng: &dyn Rng) -> Result<Secret, ConfigError> {
    let path = dir.join(SECRET_KEY_FILE);
    if let Some(key) = read(&path)? {
        return Ok(key);
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| ConfigError::file(dir, e))?;
    create(dir, &path, rng).map_err(|e| ConfigError::file(&path, e))?;
    read(&path)?.ok_or_else(|| ConfigError::file(&path, "the file vanished"))
}

/// The secret key kept in `dir`, if there is one.
pub(super) fn load_secret_key(dir: &Path) -> Result<Option<Secret>, ConfigError> {
    read(&dir.join(SECRET_KEY_FILE))
}

fn read(path: &Path) -> Result<Option<Secret>, ConfigError> {
    let Some(text) = read_small(path).map_err(|e| ConfigError::file(path, e))? else { return Ok(None) };
    let key = text.trim();
    if key.chars().count() < SECRET_KEY_CHARS {
        return Err(ConfigError::file(path, format!("a secret key has at least {SECRET_KEY_CHARS} characters")));
    }
    Ok(Some(Secret::new(key)))
}

fn create(dir: &Path, path: &Path, rng: &dyn Rng) -> std::io::Result<()> {
    let draft = dir.join(format!(".{SECRET_KEY_FILE}.{}", rng.token(9)));
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = writeln!(file, "{}", Secret::new(rng.token(BYTES)).expose()).and_then(|()| file.sync_all());
    let placed = written.and_then(|()| place(&draft, path));
    std::fs::remove_file(&draft).or_else(not_found_is_fine)?;
    placed?;
    std::fs::File::open(dir)?.sync_all()
}

/// Gives the complete file its name, unless there is one of that name: linking fails then, where renaming would replace it.
fn place(draft: &Path, path: &Path) -> std::io::Result<()> {
    match std::fs::hard_link(draft, path) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        // Some file systems know no links.
        Err(_) if !path.exists() => std::fs::rename(draft, path),
        other => other,
    }
}

fn not_found_is_fine(e: std::io::Error) -> std::io::Result<()> {
    if e.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(e) }
}
