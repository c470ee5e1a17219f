//! Blueprints that an installation keeps applied.

use ak_store::model::{Kind, Meta, Row};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How the last apply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BlueprintStatus {
    /// Everything is as the blueprint says.
    Successful,
    /// Applied, but something about it is strange.
    Warning,
    /// Not applied.
    Error,
    /// Its file is gone.
    Orphaned,
    /// Not applied yet.
    #[default]
    Unknown,
}

/// A blueprint that is applied, and applied again when it changes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct BlueprintInstance {
    /// What people call it.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The file, below the folder of blueprints or among those that come with the product; empty where there is `content`.
    #[serde(default)]
    pub path: String,
    /// Values that replace those of the blueprint's own context.
    #[serde(default)]
    pub context: Map<String, Value>,
    /// Whether it is applied without being asked for.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The blueprint itself, where it is no file.
    #[serde(default)]
    pub content: String,
    /// When it was last applied, or tried.
    #[serde(default = "never")]
    #[schemars(extend("x-read-only" = true))]
    pub last_applied: DateTime<Utc>,
    /// Which version of it was: a hash of its text, in hexadecimal digits.
    #[serde(default)]
    #[schemars(extend("x-read-only" = true))]
    pub last_applied_hash: String,
    /// How that ended.
    #[serde(default)]
    #[schemars(extend("x-read-only" = true))]
    pub status: BlueprintStatus,
    /// What was wrong, with file and line; empty where nothing was.
    #[serde(default)]
    #[schemars(extend("x-read-only" = true))]
    pub last_error: String,
    /// The models that it speaks of.
    #[serde(default)]
    #[schemars(extend("x-read-only" = true))]
    pub managed_models: Vec<String>,
    /// Its name and labels, as it gives them itself.
    #[serde(default)]
    #[schemars(extend("x-read-only" = true))]
    pub metadata: Map<String, Value>,
}

fn yes() -> bool {
    true
}

fn never() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

/// A blueprint instance has no read-only fields besides its own.
#[derive(Serialize, JsonSchema)]
pub struct BlueprintInstanceShown {}

impl Kind for BlueprintInstance {
    const META: Meta = Meta {
        unique: &[&["name"]],
        search: &["name", "path"],
        ..Meta::new("authentik_blueprints.blueprintinstance", "managed/blueprints", "Blueprint Instance", "Blueprint Instances")
    };
    type Shown = BlueprintInstanceShown;

    fn shown(&self, _: &Row<'_>) -> BlueprintInstanceShown {
        BlueprintInstanceShown {}
    }

    fn check(&self, _: &Row<'_>, errors: &mut ak_store::model::Errors) {
        if self.path.is_empty() && self.content.is_empty() {
            errors.at(&["path"], "A blueprint has either a path or content.", "required");
        }
    }
}

impl BlueprintInstance {
    /// An instance of a file that has not been applied yet.
    pub fn of_file(name: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            path: path.into(),
            context: Map::new(),
            enabled: true,
            content: String::new(),
            last_applied: never(),
            last_applied_hash: String::new(),
            status: BlueprintStatus::Unknown,
            last_error: String::new(),
            managed_models: Vec::new(),
            metadata: Map::new(),
        }
    }
}
