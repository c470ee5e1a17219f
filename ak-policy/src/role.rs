//! Roles: what their holders are permitted.

use ak_store::directory;
use ak_store::model::{Errors, Kind, Meta, Roles, Row};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::permission::Permissions;

/// A set of permissions that accounts and groups can be given. Who has been is a matter of records, not of this document.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Role {
    /// Unique name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// What is permitted on all objects of a kind: `authentik_flows.view_flow`.
    #[serde(default)]
    #[schemars(extend("x-hidden" = true))]
    pub permissions: Vec<String>,
    /// What is permitted on single objects.
    #[serde(default)]
    #[schemars(extend("x-hidden" = true))]
    pub object_permissions: Vec<ObjectGrant>,
}

/// Something that is permitted on one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectGrant {
    /// What: `authentik_flows.view_flow`.
    pub permission: String,
    /// The object's key.
    pub object_pk: String,
}

/// The read-only fields of a role: none.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RoleShown {}

impl Kind for Role {
    const META: Meta = Meta::new("authentik_rbac.role", "rbac/roles", "Role", "Roles");

    type Shown = RoleShown;

    fn shown(&self, _: &Row<'_>) -> RoleShown {
        RoleShown {}
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn directory::Role>(|role| role);
    }

    fn check(&self, row: &Row<'_>, errors: &mut Errors) {
        let known = Permissions::of(row.snapshot.registry());
        for name in self.permissions.iter().filter(|name| known.find(name).is_none()) {
            errors.at(&["permissions"], format!("\"{name}\" is not a valid choice."), "invalid_choice");
        }
        for grant in self.object_permissions.iter().filter(|grant| known.find(&grant.permission).is_none()) {
            errors.at(&["object_permissions"], format!("\"{}\" is not a valid choice.", grant.permission), "invalid_choice");
        }
    }
}

impl directory::Role for Role {
    fn name(&self) -> &str {
        &self.name
    }
}
