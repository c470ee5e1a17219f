//! Planning and applying blueprints.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ak_store::directory::documents;
use ak_store::directory::password::PasswordHasher;
use ak_store::model::{Key, Pk, RecordKinds, Store, Unit, WriteError};
use ak_store::records::{Durability, Event};
use serde_json::{Map, Value, json};
use tokio::io::AsyncReadExt as _;

use super::base::Base;
use super::document::Blueprint;
use super::error::{BlueprintError, Place, Problem};
use super::instance::BlueprintInstance;
use super::report::{Action, Report, Step};
use super::run::Run;
use super::shipped::SHIPPED;
use super::yaml::MAX_BYTES;
use crate::binding::FlowStageBinding;
use crate::flow::{Designation, Flow};

/// A blueprint that comes with the product.
#[derive(Debug, Clone, Copy)]
pub struct Shipped {
    /// Its path: `default/flow-default-authentication-flow.yaml`.
    pub path: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// Plans and applies blueprints.
#[derive(Clone)]
pub struct Engine {
    pub(super) store: Arc<Store>,
    pub(super) records: RecordKinds,
    pub(super) shipped: Arc<[Shipped]>,
    /// The folder that paths of blueprints are below.
    pub(super) folder: Option<PathBuf>,
}

/// How a blueprint is applied.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Values beside the blueprint's own context, which they replace.
    pub context: Map<String, Value>,
    /// Keep what was changed here since the last time, which is remembered under this name. `None`: what the blueprint says
    /// holds.
    pub keep_under: Option<String>,
    /// Who applies it: every change is an event of theirs. `None`: no events.
    pub author: Option<Author>,
}

/// Who applies a blueprint.
#[derive(Debug, Clone, Default)]
pub struct Author {
    /// Key, user name and e-mail address, as events have them; empty for the product itself.
    pub user: Map<String, Value>,
    /// The account.
    pub user_pk: Option<i64>,
    /// Where the call came from.
    pub client_ip: Option<IpAddr>,
}

impl Engine {
    /// An engine that knows the blueprints that come with the product.
    pub fn new(store: Arc<Store>, records: RecordKinds, shipped: impl Into<Arc<[Shipped]>>) -> Self {
        Self { store, records, shipped: shipped.into(), folder: None }
    }

    /// An engine for all that this room knows.
    pub fn standard(store: Arc<Store>, hasher: PasswordHasher) -> Self {
        let records = documents::kinds(hasher);
        Self::new(store, records, SHIPPED)
    }

    /// With blueprints of another room, applied after those that are known already.
    #[must_use]
    pub fn with_shipped(mut self, more: &[Shipped]) -> Self {
        self.shipped = self.shipped.iter().chain(more).copied().collect();
        self
    }

    /// With a folder of blueprints.
    #[must_use]
    pub fn with_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// The objects and the records.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The sorts of records that blueprints can speak of.
    pub fn records(&self) -> &RecordKinds {
        &self.records
    }

    /// The blueprints that come with the product.
    pub fn shipped(&self) -> &[Shipped] {
        &self.shipped
    }

    /// The folder of blueprints.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// What applying the blueprint would do. Nothing is kept.
    ///
    /// # Errors
    /// What applying it would be refused for.
    pub async fn plan(&self, blueprint: &Blueprint, options: &Options) -> Result<Report, BlueprintError> {
        let mut unit = self.store.begin(Durability::Full).await?;
        self.apply_in(&mut unit, blueprint, options).await
    }

    /// Applies the blueprint: all of it, or nothing.
    ///
    /// # Errors
    /// Where something in it is wrong, with its place; nothing is kept then.
    pub async fn apply(&self, blueprint: &Blueprint, options: &Options) -> Result<Report, BlueprintError> {
        let mut unit = self.store.begin(Durability::Full).await?;
        let report = self.apply_in(&mut unit, blueprint, options).await?;
        unit.save().await.map_err(|error| at_whole(&blueprint.file, error))?;
        Ok(report)
    }

    /// Applies the blueprint in a transaction that the caller saves. After an error the transaction can only be dropped.
    pub async fn apply_in(
        &self,
        unit: &mut Unit<'_>,
        blueprint: &Blueprint,
        options: &Options,
    ) -> Result<Report, BlueprintError> {
        let before = match &options.keep_under {
            Some(name) => Some((name, Base::load(unit.records(), name).await?)),
            None => None,
        };
        let mut base = before.as_ref().map(|(_, base)| base.clone());
        let report = Report { name: blueprint.name.clone(), ..Report::default() };
        let mut run = Run { engine: self, unit, report, values: 0, under_way: Vec::new(), touched: Vec::new() };
        run.blueprint(blueprint, &options.context, base.as_mut()).await?;
        let problems = run.unit.problems().await.map_err(|error| at_whole(&blueprint.file, error))?;
        if !problems.is_empty() {
            return Err(BlueprintError::Wrong(
                problems.iter().flat_map(|(pk, errors)| run.attributed(blueprint, *pk, errors)).collect(),
            ));
        }
        run.warn_of_empty_flows(blueprint);
        let Run { unit, report, .. } = run;
        if let Some(author) = &options.author {
            for event in report.steps.iter().filter_map(|step| self.event(step, author)) {
                unit.records().events().add(&event).await?;
            }
        }
        if let (Some((name, before)), Some(base)) = (before, base)
            && base != before
        {
            base.save(unit.records(), name).await?;
        }
        Ok(report)
    }

    /// The event that tells of a change.
    fn event(&self, step: &Step, author: &Author) -> Option<Event> {
        let action = match step.action {
            Action::Create => "model_created",
            Action::Update => "model_updated",
            Action::Delete => "model_deleted",
            Action::Unchanged | Action::LeftOut => return None,
        };
        let (app, model_name) = step.model.split_once('.')?;
        let model = json!({ "app": app, "model_name": model_name, "pk": step.pk, "name": step.name });
        let now = self.store.clock().now();
        Some(Event {
            pk: self.store.rng().uuid(),
            action: action.into(),
            app: "authentik.blueprints".into(),
            user: author.user.clone(),
            user_pk: author.user_pk,
            context: [("model".to_owned(), model), ("blueprint".to_owned(), json!(step.file))].into_iter().collect(),
            client_ip: author.client_ip,
            created: now,
            expires: now + Event::AGE,
        })
    }

    /// The blueprint that another one asks for by name or path, and the name under which what it made is remembered.
    pub(super) async fn named(
        &self,
        unit: &mut Unit<'_>,
        by: &Map<String, Value>,
    ) -> Result<Option<(Blueprint, Option<String>)>, BlueprintError> {
        let text = |name: &str| by.get(name).and_then(Value::as_str);
        let (name, path) = (text("name"), text("path"));
        if name.is_none() && path.is_none() {
            return Ok(None);
        }
        let fits =
            |is_name: &str, is_path: &str| name.is_none_or(|name| name == is_name) && path.is_none_or(|path| path == is_path);
        let instance = unit.snapshot().all::<BlueprintInstance>().find(|(_, instance)| fits(&instance.name, &instance.path));
        if let Some(instance) = instance.map(|(_, instance)| instance.clone()) {
            let keep = self.shipped_at(&instance.path).map(|shipped| shipped.path.to_owned());
            return Ok(Some((self.of_instance(&instance).await?, keep)));
        }
        for shipped in self.shipped.iter() {
            let blueprint = Blueprint::parse(shipped.path, shipped.text)?;
            if fits(&blueprint.name, shipped.path) {
                return Ok(Some((blueprint, Some(shipped.path.to_owned()))));
            }
        }
        Ok(None)
    }

    /// The shipped blueprint at a path.
    pub fn shipped_at(&self, path: &str) -> Option<Shipped> {
        self.shipped.iter().find(|shipped| shipped.path == path).copied()
    }

    /// The blueprint of an instance: its own text, a shipped one, or a file below the folder.
    pub async fn of_instance(&self, instance: &BlueprintInstance) -> Result<Blueprint, BlueprintError> {
        if !instance.content.is_empty() {
            return Blueprint::parse(&instance.name, &instance.content);
        }
        match self.shipped_at(&instance.path) {
            Some(shipped) => Blueprint::parse(shipped.path, shipped.text),
            None => self.file(&instance.path).await,
        }
    }

    /// A blueprint in the folder.
    async fn file(&self, path: &str) -> Result<Blueprint, BlueprintError> {
        let whole = |message: String| BlueprintError::one(path, Place { line: 1, column: 1 }, "", message);
        let folder = self.folder.as_deref().ok_or_else(|| whole("there is no folder of blueprints".into()))?;
        if Path::new(path).components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
            return Err(whole("a path leads into the folder of blueprints, and nowhere else".into()));
        }
        Ok(load(&folder.join(path), path).await?.trusted())
    }
}

/// Reads a file. `name` is what messages call it.
pub async fn load(file: &Path, name: &str) -> Result<Blueprint, BlueprintError> {
    let whole = |message: String| BlueprintError::one(name, Place { line: 1, column: 1 }, "", message);
    let opened = tokio::fs::File::open(file).await.map_err(|e| whole(e.to_string()))?;
    let length = opened.metadata().await.map_err(|e| whole(e.to_string()))?.len();
    // Before it is read: it may not fit into memory. What is no file may not end, and does not say so.
    let mut bytes = Vec::new();
    if length <= MAX_BYTES as u64 {
        opened.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).await.map_err(|e| whole(e.to_string()))?;
    }
    if length.max(bytes.len() as u64) > MAX_BYTES as u64 {
        return Err(whole(format!("the file is too large: at the most {MAX_BYTES} bytes are read")));
    }
    let text = String::from_utf8(bytes).map_err(|e| {
        let valid = e.as_bytes().iter().take(e.utf8_error().valid_up_to());
        let line = 1 + valid.filter(|byte| **byte == b'\n').count();
        BlueprintError::one(name, Place { line, column: 1 }, "", "the file is not UTF-8")
    })?;
    Blueprint::parse(name, &text)
}

/// An error of the store that belongs to no entry.
pub(super) fn at_whole(file: &str, error: WriteError) -> BlueprintError {
    match error {
        WriteError::Store(error) => error.into(),
        WriteError::Invalid(errors) => BlueprintError::one(file, Place { line: 1, column: 1 }, "", errors.to_string()),
    }
}

impl Run<'_, '_, '_> {
    /// The problems of an object at the entry that made or changed it.
    fn attributed(&mut self, blueprint: &Blueprint, pk: Pk, errors: &ak_store::model::Errors) -> Vec<Problem> {
        if let Some((_, file, entry)) = self.touched.iter().rev().find(|(touched, ..)| *touched == pk) {
            return entry.problems(file, errors);
        }
        // An object that the blueprint does not speak of, but that cannot stand beside it.
        let snapshot = self.unit.snapshot();
        let model = snapshot.object(pk).map(|object| object.model.to_string()).unwrap_or_default();
        let referred = |touched: &Pk| snapshot.referrers(Key::Object(*touched)).any(|object| object.pk == pk);
        let by = self.touched.iter().rev().find(|(touched, ..)| referred(touched));
        let (file, place, path) = by
            .map_or((blueprint.file.clone(), Place { line: 1, column: 1 }, String::new()), |(_, file, entry)| {
                (file.clone(), entry.place, entry.path.clone())
            });
        vec![Problem { file, place, path, message: format!("{model} {pk} would be broken: {errors}") }]
    }

    /// A flow for signing in without stages lets nobody in.
    fn warn_of_empty_flows(&mut self, blueprint: &Blueprint) {
        let touched = std::mem::take(&mut self.touched);
        let deleted_any = self.report.steps.iter().any(|step| step.action == Action::Delete);
        let snapshot = self.unit.snapshot();
        let mut warnings = Vec::new();
        for (flow, fields) in snapshot.all::<Flow>().filter(|(_, flow)| flow.designation == Designation::Authentication) {
            let made_by = touched.iter().rev().find(|(pk, ..)| *pk == flow.pk());
            if (made_by.is_none() && !deleted_any) || snapshot.referring::<FlowStageBinding>(flow).next().is_some() {
                continue;
            }
            let whole = || (blueprint.file.clone(), Place { line: 1, column: 1 }, String::new());
            let (file, place, path) =
                made_by.map_or_else(whole, |(_, file, entry)| (file.clone(), entry.place, entry.path.clone()));
            let message = format!("the flow {} is for signing in and has no stages: nobody gets in by it", fields.slug);
            warnings.push(Problem { file, place, path, message });
        }
        self.report.warnings.extend(warnings);
    }
}
