//! Roles as people have them.

use crate::model::Target;

/// What accounts and groups can be given. What a role permits is the business of the room that has the kind; here it is something that
/// there is or is not.
pub trait Role: Send + Sync {
    /// Its name.
    fn name(&self) -> &str;
}

impl Target for dyn Role {
    const NAME: &'static str = "authentik_rbac.role";
}
