//! What providers of all protocols share.

use ak_flows::Flow;
use ak_policy::{Application, PropertyMapping};
use ak_store::model::{ModelShown, Ref, Row};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The fields that every provider has.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ProviderFields {
    /// Name, for administrators.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Flow by which who has not signed in does so on the way to the application; the brand's where there is none.
    #[serde(default)]
    pub authentication_flow: Option<Ref<Flow>>,
    /// Flow in which the application is let have what it asks for.
    pub authorization_flow: Ref<Flow>,
    /// Flow by which people sign out of the application.
    pub invalidation_flow: Ref<Flow>,
    /// What the application learns about people.
    #[serde(default)]
    pub property_mappings: Vec<Ref<dyn PropertyMapping>>,
}

/// The read-only fields that all providers share.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProviderShown {
    #[serde(flatten)]
    model: ModelShown,
    assigned_application_slug: Option<String>,
    assigned_application_name: Option<String>,
    assigned_backchannel_application_slug: Option<String>,
    assigned_backchannel_application_name: Option<String>,
}

/// The fields that all providers share in answers.
pub const PROVIDER_FIELDS: &[&str] = &[
    "pk",
    "name",
    "authentication_flow",
    "authorization_flow",
    "invalidation_flow",
    "property_mappings",
    "component",
    "assigned_application_slug",
    "assigned_application_name",
    "assigned_backchannel_application_slug",
    "assigned_backchannel_application_name",
    "verbose_name",
    "verbose_name_plural",
    "meta_model_name",
];

impl ProviderShown {
    /// The shared fields of one provider.
    pub fn of(row: &Row<'_>) -> Self {
        let application = Application::of_provider(row.snapshot, row.pk()).map(|(_, application)| application);
        Self {
            model: ModelShown::of(row),
            assigned_application_slug: application.map(|a| a.slug.clone()),
            assigned_application_name: application.map(|a| a.name.clone()),
            // No provider works behind an application yet.
            assigned_backchannel_application_slug: None,
            assigned_backchannel_application_name: None,
        }
    }
}
