//! Property mappings: scripts that say how an account looks elsewhere.

use ak_store::model::{ModelShown, Row, Target};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;

use crate::request::Request;
use crate::script::{Evaluation, Extra};

/// The role of scripts that say how an account looks elsewhere.
#[async_trait]
pub trait PropertyMapping: Send + Sync {
    /// Its name, for administrators.
    fn name(&self) -> &str;

    /// What it gives for the request's person. `extra` is what its kind adds.
    async fn evaluate(&self, request: &Request, extra: Extra) -> Evaluation;
}

impl Target for dyn PropertyMapping {
    const NAME: &'static str = "authentik_core.propertymapping";
}

/// The read-only fields that all property mappings share.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PropertyMappingShown {
    managed: Option<String>,
    #[serde(flatten)]
    model: ModelShown,
}

/// The fields that all property mappings share in answers.
pub const MAPPING_FIELDS: &[&str] =
    &["pk", "managed", "name", "expression", "component", "verbose_name", "verbose_name_plural", "meta_model_name"];

impl PropertyMappingShown {
    /// The shared fields of one property mapping.
    pub fn of(row: &Row<'_>) -> Self {
        Self { managed: row.object.managed.as_deref().map(str::to_owned), model: ModelShown::of(row) }
    }
}
