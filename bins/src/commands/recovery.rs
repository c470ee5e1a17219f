//! `ak create_recovery_key`.

use ak_store::config::Settings;
use ak_store::directory::keys::{NewKey, issue};
use ak_store::model::Store;
use ak_store::records::{Durability, TokenIntent};
use chrono::Duration;

use super::{CommandError, say, user};

pub(super) async fn create(store: &Store, settings: &Settings, minutes: u32, username: &str) -> Result<(), CommandError> {
    let mut repo = store.backend().begin(Durability::Full).await?;
    let user = user::find(&mut *repo, username).await?;
    if !user.is_active {
        return Err(CommandError::Refused(format!("the account {username} is not active")));
    }
    let identifier = format!("recovery-{}", store.rng().hex_id());
    let new = NewKey {
        identifier: &identifier,
        user: user.pk,
        intent: TokenIntent::Recovery,
        description: "Recovery key made at the command line",
        lifetime: Some(Duration::minutes(i64::from(minutes))),
    };
    let key = issue(store, &mut *repo, &new, None).await?;
    repo.save().await?;
    // Without a base URL the administrator knows better than we do by which name the server is reached.
    let base = settings.base_url.clone().unwrap_or_else(|| format!("http://localhost:{}", settings.listen.http.port()));
    say(&format!("This link signs {username} in once within {minutes} minutes:"));
    say(&format!("{}/recovery/use-token/{key}/", base.trim_end_matches('/')));
    Ok(())
}
