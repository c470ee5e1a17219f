//! Blueprints that an installation keeps applied.

use ak_store::model::{Kind, Meta, Ref, Row, Unit, WriteError};
use ak_store::records::Durability;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::document::Blueprint;
use super::engine::{Author, Engine, Options, at_whole};
use super::error::BlueprintError;
use super::report::Report;

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

/// How an apply of an instance ended.
pub(super) struct Outcome {
    status: BlueprintStatus,
    error: String,
    /// What is known of the blueprint, where it could be read.
    read: Option<(String, Vec<String>, Map<String, Value>)>,
    has_changes: bool,
}

impl Outcome {
    pub(super) fn applied(blueprint: &Blueprint, report: &Report) -> Self {
        let status = if report.warnings.is_empty() { BlueprintStatus::Successful } else { BlueprintStatus::Warning };
        let error = report.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let mut metadata = Map::new();
        metadata.insert("name".into(), json!(blueprint.name));
        metadata.insert("labels".into(), Value::Object(blueprint.labels.clone()));
        let read = Some((blueprint.hash.clone(), blueprint.models(), metadata));
        Self { status, error, read, has_changes: report.has_changes() }
    }

    pub(super) fn failed(error: &BlueprintError) -> Self {
        Self { status: BlueprintStatus::Error, error: error.to_string(), read: None, has_changes: false }
    }

    pub(super) fn orphaned() -> Self {
        let error = "the file is gone; what it made stays".to_owned();
        Self { status: BlueprintStatus::Orphaned, error, read: None, has_changes: false }
    }

    /// Writes it down at the instance. Where nothing is new, nothing is written.
    pub(super) fn note_in(&self, unit: &mut Unit<'_>, at: Ref<BlueprintInstance>, now: DateTime<Utc>) -> Result<(), WriteError> {
        unit.write(|draft| {
            let Some(instance) = draft.snapshot().get(at) else { return Ok(()) };
            let mut new = BlueprintInstance { status: self.status, last_error: self.error.clone(), ..instance.clone() };
            if let Some((hash, models, metadata)) = &self.read {
                (new.last_applied_hash, new.managed_models, new.metadata) = (hash.clone(), models.clone(), metadata.clone());
            }
            let is_news = self.has_changes
                || (new.status, &new.last_error, &new.last_applied_hash)
                    != (instance.status, &instance.last_error, &instance.last_applied_hash);
            if is_news {
                new.last_applied = now;
                draft.set(at, &new)?;
            }
            Ok(())
        })
    }
}

impl Engine {
    /// Applies an instance, and notes at it how that ended.
    ///
    /// # Errors
    /// What was wrong; it is noted at the instance too.
    pub async fn apply_instance(&self, at: Ref<BlueprintInstance>, author: &Author) -> Result<Report, BlueprintError> {
        let instance = self.store.snapshot().get(at).cloned();
        let instance = instance.ok_or(ak_store::StoreError::Missing("blueprint instance"))?;
        let applied = self.try_instance(at, &instance, author).await;
        if let Err(error @ BlueprintError::Wrong(_)) = &applied {
            let now = self.store.clock().now();
            let mut unit = self.store.begin(Durability::Full).await?;
            let noted = Outcome::failed(error).note_in(&mut unit, at, now);
            noted.map_err(|error| at_whole(&instance.name, error))?;
            unit.save().await.map_err(|error| at_whole(&instance.name, error))?;
        }
        applied
    }

    async fn try_instance(
        &self,
        at: Ref<BlueprintInstance>,
        instance: &BlueprintInstance,
        author: &Author,
    ) -> Result<Report, BlueprintError> {
        let blueprint = self.of_instance(instance).await?;
        let keep_under = self.shipped_at(&instance.path).map(|shipped| shipped.path.to_owned());
        let options = Options { context: instance.context.clone(), keep_under, author: Some(author.clone()) };
        let mut unit = self.store.begin(Durability::Full).await?;
        let report = self.apply_in(&mut unit, &blueprint, &options).await?;
        let noted = Outcome::applied(&blueprint, &report).note_in(&mut unit, at, self.store.clock().now());
        noted.map_err(|error| at_whole(&blueprint.file, error))?;
        unit.save().await.map_err(|error| at_whole(&blueprint.file, error))?;
        Ok(report)
    }

    /// Notes an outcome at the instance of a path, if there is one.
    pub(super) async fn note(&self, path: &str, outcome: &Outcome) -> Result<(), BlueprintError> {
        let mut unit = self.store.begin(Durability::Full).await?;
        let found = unit.snapshot().all::<BlueprintInstance>().find(|(_, instance)| instance.path == path).map(|(at, _)| at);
        let Some(at) = found else { return Ok(()) };
        outcome.note_in(&mut unit, at, self.store.clock().now()).map_err(|error| at_whole(path, error))?;
        unit.save().await.map_err(|error| at_whole(path, error))
    }
}
