//! Copies of a database file: made while it is in use ([`back_up`]), and put in its place ([`restore`]).
//!
//! Both write beside their target and give the finished file its name at the end: what has the name is complete.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::fs;

use super::error::{at, meaning};
use super::migrations::newest;
use crate::clock::Rng;
use crate::error::{Result, StoreError};
use crate::keyring::{Keyring, SETTING};

/// How long a copy waits for its turn with those who write.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a program that holds a database is given to let go of it.
const LETTING_GO: Duration = Duration::from_secs(2);
/// Tables by which a database is known to be one of ours.
const TABLES: [&str; 4] = ["schema_version", "setting", "object", "session"];

/// Writes a consistent copy of the database at `database` to `to`, while others may go on writing; how many bytes it has.
/// The copy can be read by its owner only, and is there whole or not at all.
///
/// # Errors
/// [`StoreError::Invalid`] where there is nothing to copy, or where there is a file at `to` and `overwrite` is false.
pub async fn back_up(database: &Path, to: &Path, overwrite: bool, rng: &dyn Rng) -> Result<u64> {
    if !exists(database).await? {
        return refuse(format!("there is no database at {}", database.display()));
    }
    if is_part_of(to, database).await? {
        return refuse(format!("{} is the database itself", to.display()));
    }
    if exists(to).await? {
        if !fs::metadata(to).await.is_ok_and(|found| found.is_file()) {
            return refuse(format!("{} is there already, and is no file", to.display()));
        }
        if !overwrite {
            return refuse(format!("{} is there already (--force overwrites it)", to.display()));
        }
    }
    let draft = Draft::beside(to, rng).await?;
    let text = draft.path.to_str().ok_or_else(|| invalid(format!("{} cannot be written as text", to.display())))?;
    let mut connection = open(database, PATIENCE).await?;
    let copied = sqlx::query("VACUUM INTO $1").bind(text).execute(&mut connection).await.map_err(meaning);
    close(connection).await;
    copied.map_err(|error| at(format_args!("{} cannot be copied to {}", database.display(), to.display()), error))?;
    let mut connection = open(&draft.path, PATIENCE).await?;
    let sound = is_sound(&mut connection, "PRAGMA quick_check").await;
    close(connection).await;
    sound.map_err(|why| StoreError::Corrupt(format!("the copy of {} is damaged: {why}", database.display())))?;
    let bytes = draft.sync().await?;
    draft.place(to, overwrite).await?;
    Ok(bytes)
}

/// What was put in a database's place.
#[derive(Debug)]
pub struct Restored {
    /// Where the database that was there before is now.
    pub kept: Option<PathBuf>,
    /// The version of the restored database's shape; a later start brings it to that of this program.
    pub version: i64,
    /// The data key, wrapped by a secret key.
    keyring: Option<Value>,
}

impl Restored {
    /// Whether this is the secret key that the restored database was written with.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where the database holds no data key.
    pub fn opens_with(&self, secret_key: &str) -> Result<bool> {
        let Some(wrapped) = &self.keyring else { return Ok(true) };
        match Keyring::open(wrapped, secret_key) {
            Ok(_) => Ok(true),
            Err(StoreError::WrongSecretKey) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Puts a copy of the file `from` in the place of the database at `database`. One that is there already is replaced in one step, if
/// `replace` says so, and kept beside it under its name and `.before-restore-<now>`.
///
/// # Errors
/// [`StoreError::Invalid`], before anything is touched, where `from` is no database that this program can read, where there is a
/// database and `replace` is false, and where another program holds it.
pub async fn restore(from: &Path, database: &Path, replace: bool, now: DateTime<Utc>, rng: &dyn Rng) -> Result<Restored> {
    let found = fs::metadata(from).await.map_err(|error| invalid(format!("{}: {error}", from.display())))?;
    if !found.is_file() {
        return refuse(format!("{} is no file", from.display()));
    }
    if is_part_of(from, database).await? {
        return refuse(format!("{} is the database itself", from.display()));
    }
    if fs::metadata(beside(from, "-wal")).await.is_ok_and(|log| log.len() > 0) {
        let why = "has a write-ahead log beside it, without which it is not complete: copies are made by `ak backup`";
        return refuse(format!("{} {why}", from.display()));
    }
    let is_there = exists(database).await?;
    if is_there && !replace {
        let how = "--force puts the backup in its place and keeps it beside";
        return refuse(format!("there is a database at {} already ({how})", database.display()));
    }
    if let Some(folder) = database.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(folder).await.map_err(|error| io(folder, &error))?;
    }
    let draft = Draft::beside(database, rng).await?;
    draft.fill(from).await?;
    let (version, keyring) = inspect(&draft.path).await.map_err(|error| match error {
        StoreError::Invalid(why) => invalid(format!("{}: {why}", from.display())),
        error => at(from.display(), error),
    })?;
    draft.sync().await?;
    let mut kept = None;
    if is_there {
        let holder = hold(database).await?;
        kept = Some(put_aside(database, now).await?);
        draft.place(database, true).await?;
        // Only now may somebody else have the old one.
        if let Some(connection) = holder {
            close(connection).await;
        }
    } else {
        draft.place(database, false).await?;
    }
    Ok(Restored { kept, version, keyring })
}

/// Takes the database for this program alone, with its write-ahead log worked in, so that the one file is all of it. `None`: it is
/// too broken to be taken.
async fn hold(database: &Path) -> Result<Option<SqliteConnection>> {
    let held = |error| match error {
        StoreError::Busy(_) => {
            invalid(format!("a program holds the database {}: stop `ak server` and `ak worker` first", database.display()))
        }
        error => error,
    };
    let taken = async {
        let mut connection = open(database, LETTING_GO).await?;
        // Leaving the write-ahead log is refused while anybody else has the file open, idle or not.
        sqlx::raw_sql("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE").execute(&mut connection).await.map_err(meaning)?;
        Ok(connection)
    };
    match taken.await {
        Ok(connection) => Ok(Some(connection)),
        Err(StoreError::Corrupt(why)) => {
            tracing::warn!("the database {} is broken ({why}): it is put aside as it is", database.display());
            Ok(None)
        }
        Err(error) => Err(held(error)),
    }
}

/// Gives the old database a second name; its own one is taken over by the new one. Logs that a broken one has left go along.
async fn put_aside(database: &Path, now: DateTime<Utc>) -> Result<PathBuf> {
    let kept = beside(database, &format!(".before-restore-{}", now.format("%Y%m%dT%H%M%S%.3fZ")));
    if exists(&kept).await? {
        return refuse(format!("{} is there already", kept.display()));
    }
    for log in ["-wal", "-shm"] {
        let (from, to) = (beside(database, log), beside(&kept, log));
        if exists(&from).await? {
            fs::rename(&from, &to).await.map_err(|error| io(&from, &error))?;
        }
    }
    // A file system without links: there is a moment without a database.
    if fs::hard_link(database, &kept).await.is_err() {
        fs::rename(database, &kept).await.map_err(|error| io(database, &error))?;
    }
    Ok(kept)
}

/// The version of the shape of a complete database file, and its wrapped data key.
async fn inspect(file: &Path) -> Result<(i64, Option<Value>)> {
    let mut connection = open(file, PATIENCE).await?;
    let found = inspect_open(&mut connection).await;
    close(connection).await;
    match found {
        Err(StoreError::Corrupt(_)) => refuse("it is no database, or a damaged one".into()),
        other => other,
    }
}

async fn inspect_open(connection: &mut SqliteConnection) -> Result<(i64, Option<Value>)> {
    // It may have been copied by hand from one that keeps a log; it shall be one file.
    sqlx::raw_sql("PRAGMA journal_mode = DELETE").execute(&mut *connection).await.map_err(meaning)?;
    let tables: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .fetch_all(&mut *connection)
        .await
        .map_err(meaning)?;
    if !TABLES.iter().all(|table| tables.iter().any(|found| found == table)) {
        return refuse("it is a database, but not one of ak".into());
    }
    let version: Option<i64> =
        sqlx::query_scalar("SELECT max(version) FROM schema_version").fetch_one(&mut *connection).await.map_err(meaning)?;
    let (version, known) = (version.unwrap_or(0), newest());
    if !(1..=known).contains(&version) {
        return refuse(format!(
            "its schema has version {version}, but this program knows versions up to {known} only: use the release that wrote it"
        ));
    }
    is_sound(connection, "PRAGMA integrity_check").await.map_err(|why| invalid(format!("it is damaged: {why}")))?;
    let keyring: Option<String> = sqlx::query_scalar("SELECT value FROM setting WHERE name = $1")
        .bind(SETTING)
        .fetch_optional(&mut *connection)
        .await
        .map_err(meaning)?;
    let keyring = keyring.map(|text| serde_json::from_str(&text)).transpose();
    Ok((version, keyring.map_err(|_| invalid("its data key cannot be read".into()))?))
}

/// Whether SQLite finds nothing wrong; else, what.
async fn is_sound(connection: &mut SqliteConnection, check: &'static str) -> Result<(), String> {
    let said: Result<String, _> = sqlx::query_scalar(check).fetch_one(&mut *connection).await;
    match said {
        Ok(ok) if ok == "ok" => Ok(()),
        Ok(why) => Err(why.lines().next().unwrap_or_default().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

async fn open(file: &Path, patience: Duration) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(false).busy_timeout(patience);
    let connection = options.disable_statement_logging().connect().await.map_err(meaning);
    connection.map_err(|error| at(format_args!("the database {}", file.display()), error))
}

/// What can still fail when a connection ends changes nothing about what was done on it.
async fn close(connection: SqliteConnection) {
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "a connection does not end well");
    }
}

/// A file that has not got its name yet. Dropped before, it goes.
struct Draft {
    path: PathBuf,
    placed: bool,
}

impl Draft {
    async fn beside(target: &Path, rng: &dyn Rng) -> Result<Self> {
        let name = target.file_name().ok_or_else(|| invalid(format!("{} is no name of a file", target.display())))?;
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}", rng.token(9)));
        let path = target.with_file_name(hidden);
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options.open(&path).await.map_err(|error| io(target, &error))?;
        Ok(Self { path, placed: false })
    }

    /// Copies a file into it.
    async fn fill(&self, from: &Path) -> Result<()> {
        let mut source = fs::File::open(from).await.map_err(|error| io(from, &error))?;
        let mut draft = fs::OpenOptions::new().write(true).open(&self.path).await.map_err(|error| io(&self.path, &error))?;
        let copied = tokio::io::copy(&mut source, &mut draft).await;
        copied.map_err(|error| io(&self.path, &error))?;
        draft.sync_all().await.map_err(|error| io(&self.path, &error))
    }

    /// Makes sure that it survives a power cut; how many bytes it has.
    async fn sync(&self) -> Result<u64> {
        let synced = async {
            let file = fs::File::open(&self.path).await?;
            file.sync_all().await?;
            Ok(file.metadata().await?.len())
        };
        synced.await.map_err(|error: std::io::Error| io(&self.path, &error))
    }

    /// Gives it its name. Without `replace`, a file that has come there meanwhile stays.
    async fn place(mut self, target: &Path, replace: bool) -> Result<()> {
        let placed = if replace {
            fs::rename(&self.path, target).await
        } else {
            match fs::hard_link(&self.path, target).await {
                Ok(()) => fs::remove_file(&self.path).await,
                // Some file systems know no links.
                Err(_) if !exists(target).await? => fs::rename(&self.path, target).await,
                Err(error) => Err(error),
            }
        };
        placed.map_err(|error| io(target, &error))?;
        self.placed = true;
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let synced = async { fs::File::open(folder).await?.sync_all().await };
        synced.await.map_err(|error| io(folder, &error))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.placed
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!("{} is left behind: {error}", self.path.display());
        }
    }
}

/// `path` with something behind its name.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Whether the file is a database's own, or one of those that SQLite puts beside it.
async fn is_part_of(file: &Path, database: &Path) -> Result<bool> {
    let file = &in_full(file).await;
    for part in ["", "-wal", "-shm", "-journal"].map(|end| beside(database, end)) {
        // It need not be there now.
        if in_full(&part).await == *file {
            return Ok(true);
        }
        if let (Ok(one), Ok(other)) = (fs::metadata(file).await, fs::metadata(&part).await)
            && (one.dev(), one.ino()) == (other.dev(), other.ino())
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The path from the root, as far as there is one.
async fn in_full(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (fs::canonicalize(folder).await, path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// Whether there is something at a path, be it a link that leads nowhere.
async fn exists(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io(path, &error)),
    }
}

fn io(path: &Path, error: &std::io::Error) -> StoreError {
    invalid(format!("{}: {error}", path.display()))
}

fn invalid(message: String) -> StoreError {
    StoreError::Invalid(message)
}

fn refuse<T>(message: String) -> Result<T> {
    Err(invalid(message))
}
