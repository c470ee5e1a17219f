//! Changes of accounts with what follows from them: whoever changes an account (the API, a blueprint, a flow, the command line)
//! does it by these.

use chrono::{DateTime, Utc};

use super::history::remembered;
use crate::error::Result;
use crate::model::Snapshot;
use crate::records::{Repository, User};

/// Replaces the password's hash (`None`: no password can be used any more). The one that was there is remembered if anything compares
/// new passwords with earlier ones; else those that were kept are forgotten.
pub async fn replace_password(
    repo: &mut dyn Repository,
    snapshot: &Snapshot,
    user: i64,
    hash: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    // The present one is compared with where it is.
    match remembered(snapshot).saturating_sub(1) {
        0 => drop(repo.password_histories().trim(user, 0).await?),
        kept => {
            if let Some(old) = repo.users().lookup(user).await?.and_then(|user| user.password) {
                repo.password_histories().add(user, &old, now).await?;
                repo.password_histories().trim(user, kept).await?;
            }
        }
    }
    repo.users().set_password(user, hash, now).await
}

/// Replaces the password's hash ([`replace_password`]) and ends the sessions of the account, all but `except`: who knew the old password
/// is signed in no longer. How many sessions ended.
pub async fn set_password(
    repo: &mut dyn Repository,
    snapshot: &Snapshot,
    user: i64,
    hash: Option<&str>,
    now: DateTime<Utc>,
    except: Option<&[u8; 32]>,
) -> Result<u64> {
    replace_password(repo, snapshot, user, hash, now).await?;
    repo.sessions().delete_of_user(user, except).await
}

/// Keeps a changed account (as [`crate::records::Users::update`]); one that is not active any more loses its sessions. How many
/// sessions ended.
pub async fn update(repo: &mut dyn Repository, user: &User, now: DateTime<Utc>) -> Result<u64> {
    repo.users().update(user, now).await?;
    if user.is_active { Ok(0) } else { repo.sessions().delete_of_user(user.pk, None).await }
}
