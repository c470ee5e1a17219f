//! `ak secret …`.

use ak_store::SystemRng;
use ak_store::config::{Settings, load_or_create_secret_key, process_environment, secret_argument};
use ak_store::rotation::{Rotation, is_secret_key, rotate as rotate_in};

use super::{CommandError, say};
use crate::start::{StartError, open_backend};

pub(super) async fn rotate(settings: &Settings, from: &str) -> Result<(), CommandError> {
    let from = secret_argument("--from", from, process_environment()).map_err(StartError::from)?;
    let configured = settings.existing_secret_key().map_err(StartError::from)?;
    let refused = |why: &str| Err(CommandError::Refused(why.into()));
    let nothing = "the database is empty: nothing was ever written with a secret key";
    if settings.postgresql.host.is_none() && !settings.sqlite.path.exists() {
        return Err(CommandError::Refused(format!("there is no database at {}", settings.sqlite.path.display())));
    }
    let backend = open_backend(settings).await?;
    backend.migrate().await?;
    let wrong = "--from: this is not the secret key that the database was written with (and neither is the configured one); \
                 nothing was changed";
    let to = match configured {
        Some(key) => key,
        // A new key is made only for who knows the old one.
        None => match is_secret_key(&*backend, from.expose()).await? {
            None => return refused(nothing),
            Some(false) => return refused(wrong),
            Some(true) => load_or_create_secret_key(settings.data_dir(), &SystemRng).map_err(StartError::from)?,
        },
    };
    match rotate_in(&*backend, from.expose(), to.expose(), &SystemRng).await? {
        Rotation::Done => {
            say("The database has the configured secret key now. Start server and worker anew.");
            say(
                "Everybody is signed out by that: the old key signed the cookies. Passwords and keys for the API stay as they are.",
            );
        }
        Rotation::AlreadyDone => say("The database has the configured secret key already; nothing was changed."),
        Rotation::WrongKey => return refused(wrong),
        Rotation::Nothing => return refused(nothing),
    }
    Ok(())
}
