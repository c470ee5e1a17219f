//! `ak user …`, `ak hash_password`.

use std::io::{BufRead as _, IsTerminal as _};

use ak_store::directory::accounts;
use ak_store::directory::password::PasswordHasher;
use ak_store::model::Store;
use ak_store::records::{Durability, NewUser, Page, Repository, User, UserFilter};
use ak_store::{Result, StoreError};

use super::{CommandError, group, say, say_error};
use crate::start::Wiring;

/// What an account is created with.
pub(super) struct NewAccount {
    pub(super) username: String,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) superuser: bool,
    pub(super) password: bool,
}

/// The account with this user name.
pub(super) async fn find(repo: &mut dyn Repository, username: &str) -> Result<User, CommandError> {
    let found = repo.users().find_by_username(username).await?;
    found.ok_or_else(|| CommandError::Refused(format!("there is no account {username}")))
}

pub(super) async fn hash(password: Option<String>) -> Result<(), CommandError> {
    let password = given(password)?;
    let hasher = PasswordHasher::new(Wiring::standard()?.password_cost);
    say(&hasher.hash(&password).await?);
    Ok(())
}

pub(super) async fn list(store: &Store, search: Option<String>) -> Result<(), CommandError> {
    let filter = UserFilter { search, ..UserFilter::default() };
    let mut page = Page::first(500);
    loop {
        let users = store.read().await?.users().list(&filter, page).await?;
        for user in &users {
            let state = if user.is_active { "active" } else { "inactive" };
            say(&format!("{}\t{}\t{}\t{}\t{}\t{state}", user.pk, user.username, user.name, user.email, user.r#type.as_str()));
        }
        if users.is_empty() {
            return Ok(());
        }
        page.offset += page.limit;
    }
}

pub(super) async fn create(store: &Store, hasher: &PasswordHasher, account: NewAccount) -> Result<(), CommandError> {
    if account.username.trim().is_empty() || account.username.chars().count() > 150 {
        return Err(CommandError::Refused("a user name has 1 to 150 characters".into()));
    }
    let password = if account.password { Some(hasher.hash(&given(None)?).await?) } else { None };
    let mut repo = store.backend().begin(Durability::Full).await?;
    let new = NewUser {
        name: account.name,
        email: account.email,
        password,
        ..NewUser::internal(store.rng().uuid(), account.username.trim())
    };
    let user = match repo.users().add(new, store.clock().now()).await {
        Err(StoreError::Taken(_)) => {
            return Err(CommandError::Refused(format!("there is an account {} already", account.username)));
        }
        other => other?,
    };
    if account.superuser {
        group::join_admins(store, &mut *repo, &user).await?;
    }
    repo.save().await?;
    say(&format!("Created {} ({}).", user.username, user.pk));
    Ok(())
}

pub(super) async fn set_password(
    store: &Store,
    hasher: &PasswordHasher,
    username: &str,
    password: Option<String>,
) -> Result<(), CommandError> {
    let hash = hasher.hash(&given(password)?).await?;
    let mut repo = store.backend().begin(Durability::Full).await?;
    let user = find(&mut *repo, username).await?;
    let ended = accounts::set_password(&mut *repo, &store.snapshot(), user.pk, Some(&hash), store.clock().now(), None).await?;
    repo.save().await?;
    say(&format!("The password of {username} is set; {ended} sessions ended."));
    Ok(())
}

/// A password that was given, or that is asked for: a line of the standard input.
fn given(password: Option<String>) -> Result<String, CommandError> {
    if let Some(password) = password {
        return Ok(password);
    }
    if std::io::stdin().is_terminal() {
        say_error("password (it is shown while you type): ");
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|e| CommandError::Refused(format!("the standard input: {e}")))?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() { Err(CommandError::Refused("an empty password is not set".into())) } else { Ok(password.to_owned()) }
}
