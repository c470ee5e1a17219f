//! Entitlements: what people may do inside an application, which learns their names.

use ak_store::directory::Person;
use ak_store::model::{Kind, Meta, Ref, Roles, Row, Snapshot};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Application;
use crate::binding::{EngineMode, PolicyBinding, PolicyTarget};
use crate::policy::Failure;

/// Something that people may do inside an application. Who may is said by its bindings to accounts and groups; without any, nobody.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ApplicationEntitlement {
    /// What the application knows it by.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The application.
    pub app: Ref<Application>,
    /// Free data.
    #[serde(default)]
    pub attributes: Map<String, Value>,
}

/// The read-only fields of an entitlement: none but its key.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EntitlementShown {}

impl Kind for ApplicationEntitlement {
    const META: Meta = Meta {
        pk_name: "pbm_uuid",
        unique: &[&["app", "name"]],
        ..Meta::new(
            "authentik_core.applicationentitlement",
            "core/application_entitlements",
            "Application Entitlement",
            "Application Entitlements",
        )
    };

    type Shown = EntitlementShown;

    fn shown(&self, _: &Row<'_>) -> EntitlementShown {
        EntitlementShown {}
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn PolicyTarget>(|s| s);
    }
}

impl PolicyTarget for ApplicationEntitlement {
    fn engine_mode(&self) -> EngineMode {
        EngineMode::Any
    }
}

impl ApplicationEntitlement {
    /// What a person may do inside an application, by name.
    ///
    /// # Errors
    /// A binding cannot be read: nobody knows whom it means.
    pub fn of<'a>(snapshot: &'a Snapshot, person: &Person, app: Ref<Application>) -> Result<Vec<(Ref<Self>, &'a Self)>, Failure> {
        let mut held = Vec::new();
        for found in snapshot.referring::<Self>(app) {
            let (at, entitlement) = found.map_err(|broken| Failure::new(broken.to_string()))?;
            if Self::is_held(snapshot, person, at)? {
                held.push((at, entitlement));
            }
        }
        held.sort_by(|(a, one), (b, other)| (&one.name, a.pk()).cmp(&(&other.name, b.pk())));
        Ok(held)
    }

    fn is_held(snapshot: &Snapshot, person: &Person, at: Ref<Self>) -> Result<bool, Failure> {
        for found in snapshot.referring::<PolicyBinding>(at) {
            let (_, binding) = found.map_err(|broken| Failure::new(broken.to_string()))?;
            let is_meant = match (binding.user, binding.group) {
                (Some(user), _) => Some(person.user.pk == user.key()),
                (None, Some(group)) => Some(person.is_in(group.key())),
                // Policies are asked about what is done, and not about what somebody is.
                (None, None) => None,
            };
            if binding.enabled && is_meant.is_some_and(|is_meant| is_meant != binding.negate) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
