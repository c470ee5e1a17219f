//! Applying a blueprint's entries, one after the other, inside of one transaction.

use std::collections::HashMap;
use std::sync::Arc;

use ak_store::model::{Change, Pk, Unit, WriteError};
use futures::future::BoxFuture;
use serde_json::{Map, Value};

use super::base::{Applied, Base};
use super::document::{Blueprint, Desired, Entry};
use super::engine::Engine;
use super::error::{BlueprintError, Problem};
use super::find::{Model, document, find};
use super::report::{Action, FieldChange, Report, Step};
use super::tags::{Evaluator, Known, Stop, Worked};

/// The model by which a blueprint asks for another one.
const META_APPLY: &str = "authentik_blueprints.metaapplyblueprint";

/// One run: a blueprint, and those that it asks for.
pub(super) struct Run<'a, 'u, 's> {
    pub(super) engine: &'a Engine,
    pub(super) unit: &'u mut Unit<'s>,
    pub(super) report: Report,
    pub(super) values: u64,
    /// The blueprints that are being applied, by hash: one that asks for itself is a mistake.
    pub(super) under_way: Vec<String>,
    /// Which entry made or changed which object.
    pub(super) touched: Vec<(Pk, String, Arc<Entry>)>,
}

/// What is worked out of an entry before anything is done.
struct Wish {
    model: String,
    identifiers: Map<String, Value>,
    attrs: Map<String, Value>,
}

impl<'a, 's> Run<'a, '_, 's> {
    /// Applies all entries. With a `base`, what was changed here since the last time stays.
    pub(super) fn blueprint<'f>(
        &'f mut self,
        blueprint: &'f Blueprint,
        context: &'f Map<String, Value>,
        mut base: Option<&'f mut Base>,
    ) -> BoxFuture<'f, Result<(), BlueprintError>> {
        Box::pin(async move {
            self.report.warnings.extend(blueprint.oddities.iter().cloned());
            self.under_way.push(blueprint.hash.clone());
            let mut ids = HashMap::new();
            for entry in &blueprint.entries {
                let known = match self.entry(blueprint, entry, &ids, context, base.as_deref_mut()).await {
                    Ok(known) => known,
                    Err(Stop::Failed(error)) => return Err(error),
                    Err(Stop::LeftOut(id)) => {
                        let name = format!("which needs {id}");
                        self.step(
                            blueprint,
                            entry,
                            entry.model.text().unwrap_or_default(),
                            Value::Null,
                            name,
                            Action::LeftOut,
                            Vec::new(),
                        );
                        Some(Known::LeftOut)
                    }
                };
                if let (Some(id), Some(known)) = (&entry.id, known) {
                    ids.insert(id.clone(), known);
                }
            }
            self.under_way.pop();
            Ok(())
        })
    }

    async fn entry(
        &mut self,
        blueprint: &Blueprint,
        entry: &Entry,
        ids: &HashMap<String, Known>,
        context: &Map<String, Value>,
        base: Option<&mut Base>,
    ) -> Worked<Option<Known>> {
        let mut values = Evaluator {
            blueprint,
            unit: self.unit,
            records: &self.engine.records,
            ids,
            context,
            loops: Vec::new(),
            path: vec![entry.path.clone()],
            steps: &mut self.values,
            depth: 0,
        };
        let Some((desired, wish)) = values.wish(entry).await? else { return Ok(None) };
        if wish.model == META_APPLY {
            return self.other(blueprint, entry, &wish.attrs, context).await.map(|()| None);
        }
        let Some(model) = Model::of(self.unit.snapshot(), &self.engine.records, &wish.model) else {
            return failed(blueprint, entry, "model", entry.model.place, format!("the model {} is not known", wish.model));
        };
        if let Some(permissions) = &entry.permissions {
            let message = "permissions of single objects are not known to this version";
            return failed(blueprint, entry, "permissions", permissions.place, message);
        }
        let key = Base::key(&wish.model, entry.id.as_deref(), &wish.identifiers);
        let applied = base.as_ref().and_then(|base| base.get(&key)).cloned();
        let found = self.existing(blueprint, entry, &model, &wish, applied.as_ref()).await?;
        match (found, desired) {
            (None, Desired::Absent) => Ok(None),
            (Some(pk), Desired::Absent) => {
                self.delete(blueprint, entry, &model, &wish, pk).await?;
                Ok(None)
            }
            (Some(_), Desired::MustCreated) => {
                failed(blueprint, entry, "state", entry.place, "there is one already, and must_created wants to be the first")
            }
            (Some(pk), Desired::Created) => {
                let name = self.name(&model, &pk, &wish).await;
                self.step(blueprint, entry, &wish.model, pk.clone(), name, Action::Unchanged, Vec::new());
                Ok(Some(Known::Key(pk)))
            }
            (None, _) if applied.is_some() && !is_managed(&wish) => {
                let name = self.label(&wish.identifiers);
                self.step(blueprint, entry, &wish.model, Value::Null, name, Action::LeftOut, Vec::new());
                Ok(Some(Known::LeftOut))
            }
            (found, _) => self.put(blueprint, entry, &model, wish, found, (key, applied), base).await.map(Some),
        }
    }

    /// The object that the entry means: the one that was made of it the last time, or one with its identifiers.
    async fn existing(
        &mut self,
        blueprint: &Blueprint,
        entry: &Entry,
        model: &Model<'_>,
        wish: &Wish,
        applied: Option<&Applied>,
    ) -> Worked<Option<Value>> {
        if let Some(applied) = applied {
            let document = document(self.unit, model, &applied.pk).await.map_err(|e| refused(blueprint, entry, e))?;
            if document.is_some() {
                return Ok(Some(applied.pk.clone()));
            }
        }
        if wish.identifiers.is_empty() {
            return failed(blueprint, entry, "identifiers", entry.place, "an entry says by which values its object is known");
        }
        find(self.unit, model, &wish.identifiers).await.map_err(|e| refused(blueprint, entry, e))
    }

    async fn delete(&mut self, blueprint: &Blueprint, entry: &Entry, model: &Model<'_>, wish: &Wish, pk: Value) -> Worked<()> {
        let name = self.name(model, &pk, wish).await;
        let deleted = match model {
            Model::Object(kind) => {
                let space = self.unit.snapshot().registry().kind(*kind).map(|info| info.meta.space);
                let pk = space.and_then(|space| Pk::from_value(&pk, space));
                self.unit.write(|draft| pk.map_or(Ok(false), |pk| draft.delete(pk)))
            }
            Model::Record(kind) => kind.delete(self.unit, &pk).await,
        };
        deleted.map_err(|e| refused(blueprint, entry, e))?;
        self.step(blueprint, entry, &wish.model, pk, name, Action::Delete, Vec::new());
        Ok(())
    }

    #[allow(clippy::too_many_arguments)]
    async fn put(
        &mut self,
        blueprint: &Blueprint,
        entry: &Entry,
        model: &Model<'_>,
        mut wish: Wish,
        at: Option<Value>,
        (key, applied): (String, Option<Applied>),
        base: Option<&mut Base>,
    ) -> Worked<Known> {
        self.warn_of_unknown(blueprint, entry, model, &wish);
        let before = match &at {
            Some(pk) => self.whole(model, pk).await.map_err(|e| refused(blueprint, entry, e))?,
            None => None,
        };
        let named: Vec<String> = wish.attrs.keys().cloned().collect();
        let kept = match (&before, &base) {
            (Some(before), Some(_)) if !is_managed(&wish) => keep(before, &mut wish.attrs, applied.as_ref()),
            _ => Vec::new(),
        };
        let hidden = match model {
            Model::Record(kind) => kind.hidden_changes(self.unit, at.as_ref(), &wish.attrs).await,
            Model::Object(_) => Ok(Vec::new()),
        };
        let hidden = hidden.map_err(|e| refused(blueprint, entry, e))?;
        let pk = self.store(model, at.as_ref(), &wish).await.map_err(|e| refused(blueprint, entry, e))?;
        let after = self.whole(model, &pk).await.map_err(|e| refused(blueprint, entry, e))?.unwrap_or_default();
        let mut changes = self.changes(model, before.as_ref(), &after);
        changes.extend(hidden.into_iter().map(secret_change));
        for change in &mut changes {
            (change.from, change.to) = (self.named(&change.from), self.named(&change.to));
        }
        let action = match &before {
            None => Action::Create,
            Some(_) if changes.is_empty() => Action::Unchanged,
            Some(_) => Action::Update,
        };
        if let Some(base) = base {
            let fields = named
                .iter()
                .filter_map(|name| Some((name.clone(), self.base_value(model, name, &kept, &after, applied.as_ref())?)));
            base.put(key, Applied { pk: pk.clone(), fields: fields.collect() });
        }
        changes.extend(kept);
        if let Model::Object(kind) = model {
            let space = self.unit.snapshot().registry().kind(*kind).map(|info| info.meta.space);
            let touched = space.and_then(|space| Pk::from_value(&pk, space));
            self.touched.extend(touched.map(|pk| (pk, blueprint.file.clone(), Arc::new(entry.clone()))));
            let remarks = touched.map(|pk| self.unit.snapshot().remarks(pk)).unwrap_or_default();
            self.report.warnings.extend(entry.problems(&blueprint.file, &remarks));
        }
        let name = self.name(model, &pk, &wish).await;
        self.step(blueprint, entry, &wish.model, pk.clone(), name, action, changes);
        Ok(Known::Key(pk))
    }

    async fn store(&mut self, model: &Model<'_>, at: Option<&Value>, wish: &Wish) -> Result<Value, WriteError> {
        let change = if at.is_some() { Change::Patch } else { Change::Create };
        let mut input = wish.attrs.clone();
        if at.is_none() {
            for (name, value) in &wish.identifiers {
                input.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        match model {
            Model::Object(kind) => {
                let snapshot = self.unit.snapshot();
                let info = snapshot.registry().kind(*kind);
                let (name, space) = info.map_or(("", ak_store::model::Space::Uuid), |info| (info.meta.model, info.meta.space));
                // A new object may be given its key.
                let pk = at.or_else(|| input.get("pk")).and_then(|pk| Pk::from_value(pk, space));
                let managed = input.get("managed").map(|managed| managed.as_str().map(str::to_owned));
                let input = Value::Object(input);
                self.unit.write(|draft| {
                    let pk = draft.put(name, pk, &input, change)?;
                    if let Some(managed) = &managed {
                        draft.set_managed(pk, managed.as_deref())?;
                    }
                    Ok(pk.value())
                })
            }
            Model::Record(kind) => kind.put(self.unit, at, &input, change).await,
        }
    }

    /// The document with its secrets, for comparing.
    async fn whole(&mut self, model: &Model<'_>, pk: &Value) -> Result<Option<Map<String, Value>>, WriteError> {
        match model {
            Model::Object(kind) => {
                let snapshot = self.unit.snapshot();
                let space = snapshot.registry().kind(*kind).map(|info| info.meta.space);
                let object = space.and_then(|space| Pk::from_value(pk, space)).and_then(|pk| snapshot.object(pk));
                Ok(object.and_then(|object| {
                    let mut document = object.body()?.document();
                    document.insert("managed".into(), object.managed.as_deref().into());
                    Some(document)
                }))
            }
            Model::Record(_) => document(self.unit, model, pk).await,
        }
    }

    fn changes(
        &mut self,
        model: &Model<'_>,
        before: Option<&Map<String, Value>>,
        after: &Map<String, Value>,
    ) -> Vec<FieldChange> {
        let mut changes = Vec::new();
        for (name, to) in after {
            let from = before.and_then(|before| before.get(name)).unwrap_or(&Value::Null);
            let is_news = if before.is_some() { from != to } else { !is_nothing(to) };
            if is_news {
                let is_secret = self.is_secret(model, name);
                let (from, to) = if is_secret { (Value::Null, Value::Null) } else { (from.clone(), to.clone()) };
                changes.push(FieldChange { field: name.clone(), from, to, is_kept: false, is_secret });
            }
        }
        changes
    }

    fn is_secret(&mut self, model: &Model<'_>, name: &str) -> bool {
        let Model::Object(kind) = model else { return false };
        let info = self.unit.snapshot().registry().kind(*kind);
        info.and_then(|info| info.field(name)).is_some_and(|field| field.secret || field.redact)
    }

    /// What to remember of an attribute: its value as it was kept, or what was remembered before of one that was changed here.
    fn base_value(
        &mut self,
        model: &Model<'_>,
        name: &str,
        kept: &[FieldChange],
        after: &Map<String, Value>,
        applied: Option<&Applied>,
    ) -> Option<Value> {
        if self.is_secret(model, name) {
            return None;
        }
        if kept.iter().any(|change| change.field == name) {
            return Some(applied.and_then(|applied| applied.fields.get(name)).cloned().unwrap_or(Value::Null));
        }
        after.get(name).cloned()
    }

    fn warn_of_unknown(&mut self, blueprint: &Blueprint, entry: &Entry, model: &Model<'_>, wish: &Wish) {
        let Model::Object(kind) = model else { return };
        let Some(info) = self.unit.snapshot().registry().kind(*kind) else { return };
        let is_known = |name: &str| info.field(name).is_some() || matches!(name, "managed" | "pk") || name == info.meta.pk_name;
        let unknown: Vec<&String> = wish.attrs.keys().filter(|name| !is_known(name)).collect();
        for name in unknown {
            let (place, path) = entry.place_of(std::slice::from_ref(name));
            let message = format!("{} has no field {name}; it is left out", wish.model);
            self.report.warnings.push(Problem { file: blueprint.file.clone(), place, path, message });
        }
    }

    /// What people call the object.
    async fn name(&mut self, model: &Model<'_>, pk: &Value, wish: &Wish) -> String {
        let shown = match document(self.unit, model, pk).await {
            Ok(document) => document.unwrap_or_default(),
            Err(_) => Map::new(),
        };
        let names = ["slug", "name", "username", "identifier", "domain", "title"];
        let name = names.iter().find_map(|name| shown.get(*name).and_then(Value::as_str).filter(|name| !name.is_empty()));
        name.map_or_else(|| self.label(&wish.identifiers), str::to_owned)
    }

    /// `slug=enrolment, order=10`, with names in the place of keys.
    fn label(&mut self, identifiers: &Map<String, Value>) -> String {
        let named = identifiers.iter().map(|(name, value)| (name.clone(), self.named(value)));
        label(&named.collect())
    }

    /// A value with the names of objects in the place of their keys: what people can read.
    fn named(&mut self, value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|item| self.named(item)).collect(),
            Value::String(text) => {
                let snapshot = self.unit.snapshot();
                let object = text.parse().ok().and_then(|pk| snapshot.object(Pk::of_uuid(pk)));
                let name = object.and_then(|object| {
                    let info = snapshot.kind_of(object)?;
                    object.body()?.document().get(info.meta.label).filter(|label| label.is_string()).cloned()
                });
                name.unwrap_or_else(|| value.clone())
            }
            other => other.clone(),
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn step(
        &mut self,
        blueprint: &Blueprint,
        entry: &Entry,
        model: &str,
        pk: Value,
        name: String,
        action: Action,
        changes: Vec<FieldChange>,
    ) {
        let (file, model) = (blueprint.file.clone(), model.to_owned());
        self.report.steps.push(Step { file, place: entry.place, model, pk, name, action, changes });
    }

    /// Applies the blueprint that an entry asks for.
    async fn other(
        &mut self,
        blueprint: &Blueprint,
        entry: &Entry,
        attrs: &Map<String, Value>,
        context: &Map<String, Value>,
    ) -> Worked<()> {
        let Some(Value::Object(by)) = attrs.get("identifiers").filter(|by| by.as_object().is_some_and(|by| !by.is_empty()))
        else {
            return failed(
                blueprint,
                entry,
                "attrs.identifiers",
                entry.place,
                "the name or the path of the blueprint to apply first is missing",
            );
        };
        let found = self.engine.named(self.unit, by).await.map_err(Stop::Failed)?;
        let Some((other, key)) = found else {
            let message = format!("there is no blueprint with {}", label(by));
            if attrs.get("required").is_some_and(|required| !super::python::truth(required)) {
                let problem = Problem { file: blueprint.file.clone(), place: entry.place, path: entry.path.clone(), message };
                self.report.warnings.push(problem);
                return Ok(());
            }
            return failed(blueprint, entry, "attrs.identifiers", entry.place, message);
        };
        if self.under_way.contains(&other.hash) {
            let message =
                format!("{} asks for {}, which is being applied already: they lead in a circle", blueprint.name, other.name);
            return failed(blueprint, entry, "attrs.identifiers", entry.place, message);
        }
        match key {
            Some(key) => {
                let before = Base::load(self.unit.records(), &key).await.map_err(|e| Stop::Failed(e.into()))?;
                let mut base = before.clone();
                self.blueprint(&other, context, Some(&mut base)).await?;
                if base != before {
                    base.save(self.unit.records(), &key).await.map_err(|e| Stop::Failed(e.into()))?;
                }
            }
            None => self.blueprint(&other, context, None).await?,
        }
        Ok(())
    }
}

impl Evaluator<'_, '_, '_> {
    /// What an entry wishes for; `None` where its conditions do not hold.
    async fn wish(&mut self, entry: &Entry) -> Worked<Option<(Desired, Wish)>> {
        for (i, condition) in entry.conditions.iter().enumerate() {
            self.path = vec![entry.path.clone(), format!("conditions[{i}]")];
            if !super::python::truth(&self.value(condition).await?) {
                return Ok(None);
            }
        }
        self.path = vec![entry.path.clone(), "model".into()];
        let Value::String(model) = self.value(&entry.model).await? else {
            return self.fail(entry.model.place, "a model is a text like authentik_flows.flow");
        };
        self.path = vec![entry.path.clone(), "state".into()];
        let desired = match &entry.state {
            None => Desired::Present,
            Some(node) => match self.value(node).await?.as_str().and_then(Desired::parse) {
                Some(desired) => desired,
                None => return self.fail(node.place, "a state is present, created, must_created or absent"),
            },
        };
        let identifiers = self.mapping(entry, "identifiers", entry.identifiers.as_ref()).await?;
        // What is going to be deleted needs no attributes.
        let attrs = if desired == Desired::Absent { None } else { entry.attrs.as_ref() };
        let attrs = self.mapping(entry, "attrs", attrs).await?;
        Ok(Some((desired, Wish { model: model.to_lowercase(), identifiers, attrs })))
    }

    async fn mapping(&mut self, entry: &Entry, name: &str, node: Option<&super::yaml::Node>) -> Worked<Map<String, Value>> {
        self.path = vec![entry.path.clone(), name.to_owned()];
        let Some(node) = node else { return Ok(Map::new()) };
        match self.value(node).await? {
            Value::Object(map) => Ok(map),
            Value::Null => Ok(Map::new()),
            _ => self.fail(node.place, format!("{name} are a mapping")),
        }
    }
}

/// Takes those attributes out whose values were changed here since the last time.
fn keep(before: &Map<String, Value>, attrs: &mut Map<String, Value>, applied: Option<&Applied>) -> Vec<FieldChange> {
    let mut kept = Vec::new();
    attrs.retain(|name, new| {
        let Some(current) = before.get(name) else { return true };
        let changed_here = match applied {
            Some(applied) => applied.fields.get(name).is_some_and(|last| last != current),
            // There was one before the blueprint was ever applied: it is somebody's own.
            None => true,
        };
        if changed_here && current != new {
            let (from, to) = (current.clone(), new.clone());
            kept.push(FieldChange { field: name.clone(), from, to, is_kept: true, is_secret: false });
        }
        !changed_here
    });
    kept
}

fn secret_change(name: &str) -> FieldChange {
    FieldChange { field: name.to_owned(), from: Value::Null, to: Value::Null, is_kept: false, is_secret: true }
}

/// What the product keeps under a name of its own follows the shipped version.
fn is_managed(wish: &Wish) -> bool {
    [&wish.identifiers, &wish.attrs].iter().any(|map| map.get("managed").is_some_and(|managed| !managed.is_null()))
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// `slug=enrolment, order=10`
fn label(identifiers: &Map<String, Value>) -> String {
    identifiers.iter().map(|(name, value)| format!("{name}={}", super::python::text(value))).collect::<Vec<_>>().join(", ")
}

fn failed<T>(
    blueprint: &Blueprint,
    entry: &Entry,
    at: &str,
    place: super::error::Place,
    message: impl Into<String>,
) -> Worked<T> {
    Err(Stop::Failed(BlueprintError::one(&blueprint.file, place, format!("{}.{at}", entry.path), message)))
}

fn refused(blueprint: &Blueprint, entry: &Entry, error: WriteError) -> Stop {
    Stop::Failed(match error {
        WriteError::Store(error) => error.into(),
        WriteError::Invalid(errors) => BlueprintError::Wrong(entry.problems(&blueprint.file, &errors)),
    })
}
