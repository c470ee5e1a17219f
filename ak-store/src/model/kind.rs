//! A kind: a sort of object that an administrator can create.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::errors::Errors;
use super::field::{Field, OnDelete, compile, reference_at};
use super::object::Object;
use super::pk::{Space, Target};
use super::snapshot::Row;
use crate::clock::Rng;

/// Anything that a kind's value can be looked at as.
pub type Anything = dyn Any + Send + Sync;

/// How objects of a kind are addressed in URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// By their key.
    Pk,
    /// By the value of this unique field.
    Field(&'static str),
}

/// What is fixed about a kind.
#[derive(Debug, Clone)]
pub struct Meta {
    /// Model name: `authentik_flows.flow`.
    pub model: &'static str,
    /// Path of the collection below `/api/v3/`, without slashes at the ends.
    pub path: &'static str,
    /// For people, one.
    pub name: &'static str,
    /// For people, several.
    pub plural: &'static str,
    /// One sentence for the list of kinds that can be created.
    pub description: &'static str,
    /// Name of the form in the administration interface.
    pub component: &'static str,
    /// How objects are addressed.
    pub address: Address,
    /// Where keys come from.
    pub space: Space,
    /// Name of the key in answers.
    pub pk_name: &'static str,
    /// Further names by which the key can be filtered.
    pub pk_filters: &'static [&'static str],
    /// The name by which the objects that it refers to know it in filters, where that is not its model's.
    pub related: &'static str,
    /// Filters by what is tied to the object through others: the filter's name, the model of the objects that tie, and the field
    /// of theirs that names what is tied (`pk`: they themselves).
    pub through: &'static [(&'static str, &'static str, &'static str)],
    /// Names of the values of [`Kind::facts`] that lists can be filtered by.
    pub fact_filters: &'static [&'static str],
    /// The field that names the object for people.
    pub label: &'static str,
    /// Sets of fields whose values no two objects share.
    pub unique: &'static [&'static [&'static str]],
    /// Fields that a search looks into; `stage__name` is the name of what `stage` refers to.
    pub search: &'static [&'static str],
    /// Fields that a list is sorted by, `-` in front for descending.
    pub order: &'static [&'static str],
    /// Whether clients may say by `managed` under which name an object is kept by a product or a blueprint.
    pub takes_managed: bool,
    /// Version of the document's shape.
    pub version: u32,
}

impl Meta {
    /// A kind addressed by a random UUID called `pk`, with a unique `name` that is searched and sorted by.
    pub const fn new(model: &'static str, path: &'static str, name: &'static str, plural: &'static str) -> Self {
        Self {
            model,
            path,
            name,
            plural,
            description: "",
            component: "",
            address: Address::Pk,
            space: Space::Uuid,
            pk_name: "pk",
            pk_filters: &[],
            related: "",
            through: &[],
            fact_filters: &[],
            label: "name",
            unique: &[&["name"]],
            search: &["name"],
            order: &["name"],
            takes_managed: false,
            version: 1,
        }
    }

    /// The part of the model name before the dot.
    pub fn app(&self) -> &'static str {
        self.model.split_once('.').map_or("", |(app, _)| app)
    }

    /// The part of the model name behind the dot.
    pub fn model_name(&self) -> &'static str {
        self.model.split_once('.').map_or(self.model, |(_, model)| model)
    }
}

/// What answers say about the kind of an object, for families of kinds.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ModelShown {
    component: &'static str,
    verbose_name: &'static str,
    verbose_name_plural: &'static str,
    meta_model_name: &'static str,
}

impl ModelShown {
    /// Of the kind of this object.
    pub fn of(row: &Row<'_>) -> Self {
        let meta = row.info().map(|info| &info.meta);
        Self {
            component: meta.map_or("", |m| m.component),
            verbose_name: meta.map_or("", |m| m.name),
            verbose_name_plural: meta.map_or("", |m| m.plural),
            meta_model_name: meta.map_or("", |m| m.model),
        }
    }
}

/// What a new object can be filled with.
pub struct Fill<'a> {
    /// The present moment.
    pub now: DateTime<Utc>,
    /// Randomness.
    pub rng: &'a dyn Rng,
}

/// A sort of object. The struct that implements it is the document: its fields with their defaults, limits and documentation.
///
/// Fields are described by `serde` and `schemars` attributes. Marks of our own, by `#[schemars(extend("…" = …))]`:
/// `x-secret` (kept sealed; never shown, nor in events), `x-redact` (kept sealed; shown to clients, not in events), `x-on-delete` (`"cascade"`, `"set_null"`), `x-hidden` (not shown by
/// the collection), `x-later`
/// (its behaviour is still to come: anything but the default is refused), `x-read-only` (the product keeps it: inputs do not change it).
pub trait Kind: Serialize + DeserializeOwned + JsonSchema + Send + Sync + Sized + 'static {
    /// What is fixed about it.
    const META: Meta;

    /// The read-only fields of an answer, besides the document's own.
    type Shown: Serialize + JsonSchema;

    /// The read-only fields of this object.
    fn shown(&self, row: &Row<'_>) -> Self::Shown;

    /// The roles that objects of this kind play.
    fn roles(_is: &mut Roles<Self>) {}

    /// Fills what a new object brings with itself (a client id, say).
    fn fill(&mut self, _fill: &Fill<'_>) {}

    /// What must hold across fields and objects. Runs whenever the object, or one that it refers to, changes.
    fn check(&self, _row: &Row<'_>, _errors: &mut Errors) {}

    /// What does not work about it although it can be kept, at the fields: whoever saves it is told.
    fn remarks(&self, _row: &Row<'_>, _remarks: &mut Errors) {}

    /// Values that lists can be filtered by although they are no fields of the document.
    fn facts(&self) -> Map<String, Value> {
        Map::new()
    }

    /// Brings a document of the older version `from` to the present one.
    fn upgrade(_from: u32, _document: &mut Map<String, Value>) {}
}

/// A typed document behind one type.
pub trait Body: Send + Sync + 'static {
    /// The document as something that can be looked at as its own type.
    fn any(&self) -> &Anything;
    /// The document as JSON, secrets included.
    fn document(&self) -> Map<String, Value>;
    /// See [`Kind::check`].
    fn check(&self, row: &Row<'_>, errors: &mut Errors);
    /// See [`Kind::remarks`].
    fn remarks(&self, row: &Row<'_>) -> Errors;
    /// See [`Kind::shown`].
    fn shown(&self, row: &Row<'_>) -> Map<String, Value>;
    /// See [`Kind::facts`].
    fn facts(&self) -> Map<String, Value>;
}

impl<K: Kind> Body for K {
    fn any(&self) -> &Anything {
        self
    }

    fn document(&self) -> Map<String, Value> {
        object(self)
    }

    fn check(&self, row: &Row<'_>, errors: &mut Errors) {
        Kind::check(self, row, errors);
    }

    fn remarks(&self, row: &Row<'_>) -> Errors {
        let mut remarks = Errors::default();
        Kind::remarks(self, row, &mut remarks);
        remarks
    }

    fn shown(&self, row: &Row<'_>) -> Map<String, Value> {
        object(&Kind::shown(self, row))
    }

    fn facts(&self) -> Map<String, Value> {
        Kind::facts(self)
    }
}

pub(super) fn object(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(map)) => map,
        Ok(Value::Null) => Map::new(),
        // A struct of serializable fields always becomes an object; registration has tried it with the schema.
        Ok(_) | Err(_) => Map::new(),
    }
}

trait Cast<T: ?Sized>: Send + Sync {
    fn cast<'a>(&self, any: &'a Anything) -> Option<&'a T>;
}

struct Caster<K, T: ?Sized>(fn(&K) -> &T);

impl<K: 'static, T: ?Sized> Cast<T> for Caster<K, T> {
    fn cast<'a>(&self, any: &'a Anything) -> Option<&'a T> {
        any.downcast_ref::<K>().map(self.0)
    }
}

type Casts = HashMap<TypeId, Box<Anything>>;

/// Collects the roles of a kind.
pub struct Roles<K> {
    names: Vec<&'static str>,
    casts: Casts,
    kind: std::marker::PhantomData<fn(K)>,
}

impl<K: Kind> Roles<K> {
    fn new() -> Self {
        let mut roles = Self { names: Vec::new(), casts: HashMap::new(), kind: std::marker::PhantomData };
        roles.cast::<K>(|k| k);
        roles
    }

    /// Says that every object of the kind is a `T`, and how to look at it as one.
    pub fn a<T: ?Sized + Target>(&mut self, cast: fn(&K) -> &T) -> &mut Self {
        self.names.push(T::NAME);
        self.cast::<T>(cast);
        self
    }

    fn cast<T: ?Sized + 'static>(&mut self, cast: fn(&K) -> &T) {
        let cast: Box<dyn Cast<T>> = Box::new(Caster(cast));
        self.casts.insert(TypeId::of::<T>(), Box::new(cast));
    }
}

type Filler = fn(&Arc<dyn Body>, &Fill<'_>) -> Option<Map<String, Value>>;
type Parse = fn(Map<String, Value>) -> Result<Arc<dyn Body>, Errors>;

/// A registered kind.
pub struct KindInfo {
    /// Its place in the registry.
    pub index: usize,
    /// What is fixed about it.
    pub meta: Meta,
    /// Its fields.
    pub fields: Vec<Field>,
    /// JSON Schema of the document.
    pub schema: Value,
    /// JSON Schema of the read-only fields.
    pub shown_schema: Value,
    /// The names of its roles.
    pub roles: Vec<&'static str>,
    casts: Casts,
    parse: Parse,
    fill: Filler,
    upgrade: fn(u32, &mut Map<String, Value>),
}

impl std::fmt::Debug for KindInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KindInfo({})", self.meta.model)
    }
}

impl KindInfo {
    /// What people call an object of this kind.
    pub fn name_of(&self, object: &Object) -> String {
        let document = object.body().map(|body| body.document()).unwrap_or_default();
        match document.get(self.meta.label) {
            Some(Value::String(name)) => name.clone(),
            Some(other) => format!("{} #{other}", self.meta.name),
            None => format!("{} {}", self.meta.name, object.pk),
        }
    }

    /// Describes the kind `K`. A schema that the reflection does not understand whole is an error: it would lose references.
    pub(super) fn of<K: Kind>(index: usize) -> Result<Self, String> {
        let mut roles = Roles::<K>::new();
        K::roles(&mut roles);
        let schema = schema_of::<K>();
        let fields = compile(&schema).map_err(|problem| format!("{}: {problem}", K::META.model))?;
        for name in K::META.unique.iter().copied().flatten().chain(K::META.search).chain([&K::META.label]) {
            let first = name.split("__").next().unwrap_or(name);
            if !fields.iter().any(|f| *f.name == *first) && first != "pk" {
                return Err(format!("{}: there is no field {name}", K::META.model));
            }
        }
        Ok(Self {
            index,
            meta: K::META,
            fields,
            schema,
            shown_schema: schema_of::<K::Shown>(),
            roles: roles.names,
            casts: roles.casts,
            parse: parse::<K>,
            fill: fill::<K>,
            upgrade: K::upgrade,
        })
    }

    /// Reads a document.
    pub fn parse(&self, document: Map<String, Value>) -> Result<Arc<dyn Body>, Errors> {
        (self.parse)(document)
    }

    pub(super) fn fill(&self, body: &Arc<dyn Body>, fill: &Fill<'_>) -> Option<Map<String, Value>> {
        (self.fill)(body, fill)
    }

    pub(super) fn upgrade(&self, from: u32, document: &mut Map<String, Value>) {
        (self.upgrade)(from, document);
    }

    /// Looks at a document of this kind as a `T`, if it is one.
    pub(super) fn cast<'a, T: ?Sized + 'static>(&self, any: &'a Anything) -> Option<&'a T> {
        self.casts.get(&TypeId::of::<T>())?.downcast_ref::<Box<dyn Cast<T>>>()?.cast(any)
    }

    /// Whether objects of this kind can stand where `name` (a model or a role) is asked for.
    pub fn is_a(&self, name: &str) -> bool {
        self.meta.model == name || self.roles.contains(&name)
    }

    /// What happens to an object of this kind when the target of the reference at an edge's path is deleted.
    pub fn on_delete(&self, path: &str) -> Option<OnDelete> {
        reference_at(&self.fields, path).map(|reference| reference.on_delete)
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| &*f.name == name)
    }
}

pub(super) fn schema_of<T: JsonSchema>() -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|s| {
        s.inline_subschemas = true;
        s.meta_schema = None;
    });
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

fn parse<K: Kind>(document: Map<String, Value>) -> Result<Arc<dyn Body>, Errors> {
    read_document::<K>(document).map(|kind| -> Arc<dyn Body> { Arc::new(kind) })
}

/// Reads a document as its type; what its field types refuse is told at the field.
pub(super) fn read_document<T: DeserializeOwned>(document: Map<String, Value>) -> Result<T, Errors> {
    match serde_path_to_error::deserialize::<_, T>(Value::Object(document)) {
        Ok(read) => Ok(read),
        Err(error) => {
            let path = error.path().to_string();
            let path: Vec<&str> = path.split('.').filter(|p| !p.is_empty() && *p != "?").collect();
            let mut errors = Errors::default();
            errors.at(&path, error.into_inner().to_string(), "invalid");
            Err(errors)
        }
    }
}

fn fill<K: Kind>(body: &Arc<dyn Body>, fill: &Fill<'_>) -> Option<Map<String, Value>> {
    // The document is read once more because `Arc<dyn Body>` cannot be changed in place; only new objects come here.
    let mut kind: K = serde_json::from_value(Value::Object(body.document())).ok()?;
    kind.fill(fill);
    Some(kind.document())
}
