//! Property mappings: scripts that say how an account looks elsewhere.

use ak_store::model::{Row, Target};
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
    component: &'static str,
    verbose_name: &'static str,
    verbose_name_plural: &'static str,
    meta_model_name: &'static str,
}

/// The fields that all property mappings share in answers.
pub const MAPPING_FIELDS: &[&str] =
    &["pk", "managed", "name", "expression", "component", "verbose_name", "verbose_name_plural", "meta_model_name"];

impl PropertyMappingShown {
    /// The shared fields of one property mapping.
    pub fn of(row: &Row<'_>) -> Self {
        let meta = row.info().map(|info| &info.meta);
        Self {
            managed: row.object.managed.as_deref().map(str::to_owned),
            component: meta.map_or("", |m| m.component),
            verbose_name: meta.map_or("", |m| m.name),
            verbose_name_plural: meta.map_or("", |m| m.plural),
            meta_model_name: meta.map_or("", |m| m.model),
        }
    }
}
