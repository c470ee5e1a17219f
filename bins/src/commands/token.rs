//! `ak token …`.

use ak_store::StoreError;
use ak_store::directory::keys::{NewKey, issue};
use ak_store::model::Store;
use ak_store::records::{Durability, Page, TokenFilter, TokenIntent};
use chrono::Duration;

use super::{CommandError, say, user};

pub(super) async fn create(store: &Store, identifier: &str, username: &str, minutes: Option<u32>) -> Result<(), CommandError> {
    let mut repo = store.backend().begin(Durability::Full).await?;
    let user = user::find(&mut *repo, username).await?;
    let lifetime = minutes.map(|m| Duration::minutes(i64::from(m)));
    let new = NewKey { identifier, user: user.pk, intent: TokenIntent::Api, description: "Made at the command line", lifetime };
    let key = match issue(store, &mut *repo, &new, None).await {
        Err(StoreError::Taken(_)) => return Err(CommandError::Refused(format!("there is a key {identifier} already"))),
        other => other?,
    };
    repo.save().await?;
    say(&key);
    Ok(())
}

pub(super) async fn list(store: &Store) -> Result<(), CommandError> {
    let mut page = Page::first(500);
    loop {
        let tokens = store.read().await?.tokens().list(&TokenFilter::default(), page).await?;
        for token in &tokens {
            let expires = token.expires.map_or_else(|| "never".to_owned(), |at| at.to_rfc3339());
            say(&format!("{}\t{}\tuser {}\texpires {expires}", token.identifier, token.intent.as_str(), token.user));
        }
        if tokens.is_empty() {
            return Ok(());
        }
        page.offset += page.limit;
    }
}

pub(super) async fn delete(store: &Store, identifier: &str) -> Result<(), CommandError> {
    let mut repo = store.backend().begin(Durability::Full).await?;
    let token = repo.tokens().find_by_identifier(identifier).await?;
    let token = token.ok_or_else(|| CommandError::Refused(format!("there is no key {identifier}")))?;
    repo.tokens().delete(token.pk).await?;
    repo.save().await?;
    say(&format!("Deleted {identifier}."));
    Ok(())
}
