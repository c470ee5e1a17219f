//! Changes of accounts with what follows from them: whoever changes an account (the API, a blueprint, a flow, the command line)
//! does it by these.

use chrono::{DateTime, Utc};

use crate::error::Result;
use crate::records::{Repository, User};

/// Sets the password's hash (`None`: no password can be used any more) and ends the sessions of the account, all but `except`: who
/// knew the old password is signed in no longer. How many sessions ended.
pub async fn set_password(
    repo: &mut dyn Repository,
    user: i64,
    hash: Option<&str>,
    now: DateTime<Utc>,
    except: Option<&[u8; 32]>,
) -> Result<u64> {
    repo.users().set_password(user, hash, now).await?;
    repo.sessions().delete_of_user(user, except).await
}

/// Keeps a changed account (as [`crate::records::Users::update`]); one that is not active any more loses its sessions. How many
/// sessions ended.
pub async fn update(repo: &mut dyn Repository, user: &User, now: DateTime<Utc>) -> Result<u64> {
    repo.users().update(user, now).await?;
    if user.is_active { Ok(0) } else { repo.sessions().delete_of_user(user.pk, None).await }
}
