//! `ak create_admin_group`.

use ak_store::model::Store;
use ak_store::records::{Durability, Group, Repository, User};

use super::{CommandError, say, user};

const ADMINS: &str = "authentik Admins";

pub(super) async fn create_admin(store: &Store, username: &str) -> Result<(), CommandError> {
    let mut repo = store.backend().begin(Durability::Full).await?;
    let user = user::find(&mut *repo, username).await?;
    join_admins(store, &mut *repo, &user).await?;
    repo.save().await?;
    say(&format!("{username} is an administrator."));
    Ok(())
}

/// Adds an account to the group of administrators, which is created, or made one of administrators again, where needed.
pub(super) async fn join_admins(store: &Store, repo: &mut dyn Repository, user: &User) -> Result<(), CommandError> {
    let now = store.clock().now();
    let group = match repo.groups().find_by_name(ADMINS).await? {
        Some(group) if group.is_superuser => group,
        Some(group) => {
            let group = Group { is_superuser: true, ..group };
            repo.groups().update(&group, now).await?;
            group
        }
        None => {
            let group = Group { is_superuser: true, ..Group::named(store.rng().uuid(), ADMINS, now) };
            repo.groups().add(&group).await?;
            group
        }
    };
    repo.groups().add_member(group.pk, user.pk).await?;
    Ok(())
}
