//! People: accounts, groups, tokens, who has which role, and how sign-ins have gone.
//!
//! `records` is the one code for collections of records; a file a subject says what is particular about it.

mod groups;
mod members;
mod params;
mod passwords;
mod permissions;
mod records;
mod reputation;
mod roles;
mod service_accounts;
mod sessions;
mod token_keys;
mod tokens;
mod users;

pub(super) use params::Params;
pub(super) use users::{Include, shown};

use axum::Router;
use axum::routing::{get, patch, post};

use super::kept;
use crate::app::App;

/// Everything about people below `/api/v3/`.
pub(super) fn router() -> Router<App> {
    Router::new()
        .merge(records::routes::<users::Users>())
        .merge(records::routes::<groups::Groups>())
        .merge(records::routes::<tokens::Tokens>())
        .merge(sessions::router())
        .merge(kept::routes::<reputation::Scores>())
        .route("/core/users/paths/", get(users::paths))
        .route("/core/users/service_account/", post(service_accounts::create))
        .route("/core/users/{key}/set_password/", post(passwords::set))
        .route("/core/users/{key}/set_password_hash/", post(passwords::set_hash))
        .route("/core/groups/{key}/add_user/", post(members::add_to_group))
        .route("/core/groups/{key}/remove_user/", post(members::remove_from_group))
        .route("/rbac/roles/", get(roles::list).fallback(super::collection::serve))
        .route("/rbac/roles/{key}/add_user/", post(members::give_role))
        .route("/rbac/roles/{key}/remove_user/", post(members::take_role))
        .route("/rbac/permissions/", get(permissions::list))
        .route("/rbac/permissions/{key}/", get(permissions::read))
        .route("/rbac/permissions/roles/", get(roles::object_permissions))
        .route("/rbac/permissions/assigned_by_roles/", get(roles::assigned))
        .route("/rbac/permissions/assigned_by_roles/{key}/assign/", post(roles::assign))
        .route("/rbac/permissions/assigned_by_roles/{key}/unassign/", patch(roles::unassign))
        .route("/core/tokens/{key}/view_key/", get(token_keys::view))
        .route("/core/tokens/{key}/set_key/", post(token_keys::set))
}
