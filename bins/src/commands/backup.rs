//! `ak backup`, `ak restore`.

use std::path::Path;

use ak_store::config::{SECRET_KEY_FILE, Settings};
use ak_store::sql::copies;
use ak_store::{Clock as _, SystemClock, SystemRng};

use super::{CommandError, say};

pub(super) async fn write(settings: &Settings, file: &Path, overwrite: bool) -> Result<(), CommandError> {
    only_sqlite(settings, "pg_dump")?;
    let bytes = copies::back_up(&settings.sqlite.path, file, overwrite, &SystemRng).await?;
    say(&format!("{} has the whole database ({bytes} bytes).", file.display()));
    let key = match &settings.secret_key {
        Some(_) => "AUTHENTIK_SECRET_KEY".to_owned(),
        None => settings.data_dir().join(SECRET_KEY_FILE).display().to_string(),
    };
    say(&format!("It is of use only with the secret key ({key}), which is not in it."));
    Ok(())
}

/// Refuses where the database is not a file: a copy of a file that nobody uses would be no backup.
fn only_sqlite(settings: &Settings, tool: &str) -> Result<(), CommandError> {
    if settings.postgresql.host.is_none() {
        return Ok(());
    }
    let why = format!("AUTHENTIK_POSTGRESQL__HOST is set, and this command is for SQLite: PostgreSQL has {tool} for it");
    Err(CommandError::Refused(why))
}

pub(super) async fn restore(settings: &Settings, file: &Path, replace: bool) -> Result<(), CommandError> {
    only_sqlite(settings, "pg_restore")?;
    let database = &settings.sqlite.path;
    let restored = copies::restore(file, database, replace, SystemClock.now(), &SystemRng).await?;
    say(&format!("The database {} is restored from {}.", database.display(), file.display()));
    if let Some(kept) = &restored.kept {
        say(&format!("The one that was there before is {}.", kept.display()));
    }
    match settings.existing_secret_key().map_err(crate::StartError::from)? {
        Some(key) if restored.opens_with(key.expose())? => {}
        Some(_) => {
            say("It was written with another secret key than the configured one: set that one, or run `ak secret rotate`.")
        }
        None => say(&format!(
            "Its secret key is missing: set AUTHENTIK_SECRET_KEY, or put it into {}.",
            settings.data_dir().join(SECRET_KEY_FILE).display()
        )),
    }
    Ok(())
}
