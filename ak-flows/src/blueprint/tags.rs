//! What a value of a blueprint is once its tags are worked out.

use std::collections::HashMap;

use ak_store::model::{RecordKinds, Unit, WriteError};
use futures::future::BoxFuture;
use serde_json::{Map, Value};
use tokio::io::AsyncReadExt as _;

use super::document::Blueprint;
use super::error::{BlueprintError, Place, Problem};
use super::find::{Model, document, find};
use super::python::{equal, format, text, truth};
use super::yaml::{Content, Node};

/// How many values may be worked out for one blueprint: loops in loops end somewhere. A value that a tag makes counts for all that
/// is in it, and a long text for several, since copies of copies grow faster than what is written.
const MAX_STEPS: u64 = 1_000_000;
/// Bytes of text that count as one value.
const BYTES_OF_A_STEP: usize = 64;
/// A file that `!File` names and that is longer than this is refused.
const MAX_FILE: u64 = 1 << 20;
/// How deep values may be worked out inside of each other, contexts included.
const MAX_DEPTH: usize = 64;

/// What an id of a blueprint stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Known {
    /// The key of its object or record.
    Key(Value),
    /// Its object was deleted here on purpose, and stays so.
    LeftOut,
}

/// Why a value has none.
pub(super) enum Stop {
    /// Something is wrong.
    Failed(BlueprintError),
    /// It needs an entry that is left out: the entry's id.
    LeftOut(String),
}

impl From<BlueprintError> for Stop {
    fn from(error: BlueprintError) -> Self {
        Self::Failed(error)
    }
}

pub(super) type Worked<T> = Result<T, Stop>;

/// Works out values of one blueprint.
pub(super) struct Evaluator<'a, 'u, 's> {
    pub(super) blueprint: &'a Blueprint,
    pub(super) unit: &'u mut Unit<'s>,
    pub(super) records: &'a RecordKinds,
    pub(super) ids: &'a HashMap<String, Known>,
    /// Values that the one who applies it gives beside the blueprint's own.
    pub(super) context: &'a Map<String, Value>,
    /// The items of the loops that the value stands in, outermost first.
    pub(super) loops: Vec<(Value, Value)>,
    pub(super) path: Vec<String>,
    pub(super) steps: &'u mut u64,
    pub(super) depth: usize,
}

impl<'a, 's> Evaluator<'a, '_, 's> {
    pub(super) fn fail<T>(&self, place: Place, message: impl Into<String>) -> Worked<T> {
        Err(Stop::Failed(BlueprintError::one(&self.blueprint.file, place, self.path.join("."), message)))
    }

    /// A refusal of the store, told at the place of the tag that asked.
    fn refused<T>(&self, place: Place, error: WriteError) -> Worked<T> {
        match error {
            WriteError::Store(error) => Err(Stop::Failed(error.into())),
            WriteError::Invalid(errors) => {
                let problem =
                    |message: String| Problem { file: self.blueprint.file.clone(), place, path: self.path.join("."), message };
                Err(Stop::Failed(BlueprintError::Wrong(errors.iter().map(|e| problem(e.message.clone())).collect())))
            }
        }
    }

    /// The value of a node.
    pub(super) fn value<'f>(&'f mut self, node: &'f Node) -> BoxFuture<'f, Worked<Value>> {
        Box::pin(async move {
            self.charge(node, 1)?;
            if self.depth >= MAX_DEPTH {
                return self.fail(node.place, format!("values lead more than {MAX_DEPTH} deep into each other"));
            }
            self.depth += 1;
            let value = match &node.tag {
                Some(tag) => self.tagged(tag, node).await,
                None => self.plain(node).await,
            };
            self.depth -= 1;
            let value = value?;
            // The parts of a plain list or mapping have been counted on their own.
            if node.tag.is_some() || value.is_string() {
                self.charge(node, size(&value))?;
            }
            Ok(value)
        })
    }

    /// Counts values that are worked out.
    fn charge(&mut self, node: &Node, values: u64) -> Worked<()> {
        *self.steps = self.steps.saturating_add(values);
        if *self.steps > MAX_STEPS {
            return self.fail(node.place, format!("more than {MAX_STEPS} values have to be worked out"));
        }
        Ok(())
    }

    async fn plain(&mut self, node: &Node) -> Worked<Value> {
        match &node.content {
            Content::Scalar(value) => Ok(value.clone()),
            Content::List(items) => {
                let mut out = Vec::with_capacity(items.len());
                for (i, item) in items.iter().enumerate() {
                    out.push(self.at(i.to_string(), item).await?);
                }
                Ok(Value::Array(out))
            }
            Content::Map(entries) => {
                let mut out = Map::new();
                for (name, item) in entries.iter() {
                    out.insert(name.to_string(), self.at(name.to_string(), item).await?);
                }
                Ok(Value::Object(out))
            }
        }
    }

    async fn at(&mut self, step: String, node: &Node) -> Worked<Value> {
        self.path.push(step);
        let value = self.value(node).await?;
        self.path.pop();
        Ok(value)
    }

    async fn tagged(&mut self, tag: &str, node: &Node) -> Worked<Value> {
        match tag {
            "KeyOf" => self.key_of(node),
            "Env" => self.env(node).await,
            "File" => self.file(node).await,
            "Context" => self.context_value(node).await,
            "Find" => self.find(node, false).await,
            "FindObject" => self.find(node, true).await,
            "Format" => self.format(node).await,
            "If" => self.choice(node).await,
            "Condition" => self.condition(node).await,
            "Enumerate" => self.enumerate(node).await,
            "Index" => Ok(self.of_loop(tag, node)?.0),
            "Value" => Ok(self.of_loop(tag, node)?.1),
            "AtIndex" => self.at_index(node).await,
            "ParseJSON" => self.parse_json(node),
            _ => self.fail(node.place, format!("the tag !{tag} is not known")),
        }
    }

    /// The text of a scalar, or a list's first text and the entry behind it, which is the default.
    fn name_and_default<'n>(&self, tag: &str, node: &'n Node) -> Worked<(&'n str, Option<&'n Node>)> {
        if let Some(name) = node.text() {
            return Ok((name, None));
        }
        match node.items() {
            Some([name]) if name.tag.is_none() && name.text().is_some() => Ok((name.text().unwrap_or_default(), None)),
            Some([name, default]) if name.tag.is_none() && name.text().is_some() => {
                Ok((name.text().unwrap_or_default(), Some(default)))
            }
            _ => self.fail(node.place, format!("!{tag} takes a name, or a list of a name and a default")),
        }
    }

    async fn default_of(&mut self, default: Option<&Node>) -> Worked<Value> {
        match default {
            Some(node) => self.value(node).await,
            None => Ok(Value::Null),
        }
    }

    fn key_of(&mut self, node: &Node) -> Worked<Value> {
        let Some(id) = node.text() else { return self.fail(node.place, "!KeyOf takes the id of an entry") };
        match self.ids.get(id) {
            Some(Known::Key(pk)) => Ok(pk.clone()),
            Some(Known::LeftOut) => Err(Stop::LeftOut(id.to_owned())),
            None => self.fail(node.place, format!("no entry with the id {id} has been applied before this one")),
        }
    }

    async fn env(&mut self, node: &Node) -> Worked<Value> {
        let (name, default) = self.name_and_default("Env", node)?;
        if !self.blueprint.is_trusted {
            return self.fail(node.place, "!Env works only in blueprints on the server's disk and at the command line");
        }
        match std::env::var(name) {
            Ok(value) => Ok(Value::from(value)),
            Err(std::env::VarError::NotPresent) => self.default_of(default).await,
            Err(error) => self.fail(node.place, format!("{name}: {error}")),
        }
    }

    async fn file(&mut self, node: &Node) -> Worked<Value> {
        let (path, default) = self.name_and_default("File", node)?;
        if !self.blueprint.is_trusted {
            return self.fail(node.place, "!File works only in blueprints on the server's disk and at the command line");
        }
        match (read(path).await, default) {
            (Ok(text), _) => Ok(Value::from(text)),
            (Err(error), None) => self.fail(node.place, format!("{path}: {error}")),
            (Err(error), Some(_)) if error.kind() != std::io::ErrorKind::NotFound => {
                self.fail(node.place, format!("{path}: {error}"))
            }
            (Err(_), default) => self.default_of(default).await,
        }
    }

    /// `a.b.0` leads into mappings and lists, unless there is a value of just that name.
    async fn context_value(&mut self, node: &Node) -> Worked<Value> {
        let (name, default) = self.name_and_default("Context", node)?;
        let mut steps = name.split('.');
        let first = steps.next().unwrap_or_default();
        let found = match self.of_context(name).await? {
            Some(whole) => Some(whole),
            None if first == name => None,
            None => self.of_context(first).await?.and_then(|value| steps.try_fold(value, |value, step| step_into(&value, step))),
        };
        match found {
            Some(value) => Ok(value),
            None => self.default_of(default).await,
        }
    }

    async fn of_context(&mut self, name: &str) -> Worked<Option<Value>> {
        if let Some(value) = self.context.get(name) {
            return Ok(Some(value.clone()));
        }
        let blueprint: &'a Blueprint = self.blueprint;
        let Some((_, node)) = blueprint.context.iter().find(|(key, _)| key == name) else { return Ok(None) };
        // A value of the context stands in no loop.
        let loops = std::mem::take(&mut self.loops);
        let value = self.value(node).await;
        self.loops = loops;
        value.map(Some)
    }

    async fn find(&mut self, node: &Node, whole: bool) -> Worked<Value> {
        let tag = if whole { "FindObject" } else { "Find" };
        let Some([model_node, conditions @ ..]) = node.items() else {
            return self.fail(node.place, format!("!{tag} takes a list: the model, then pairs of a field and its value"));
        };
        let name = self.value(model_node).await?;
        let mut fields = Map::new();
        for pair in conditions {
            let Some([field, value]) = pair.items() else {
                return self.fail(pair.place, format!("!{tag} takes pairs of a field and its value"));
            };
            let field = text(&self.value(field).await?);
            let value = self.value(value).await?;
            fields.insert(field, value);
        }
        if fields.is_empty() {
            return self.fail(node.place, format!("!{tag} takes at least one pair of a field and its value"));
        }
        let records: &'a RecordKinds = self.records;
        let model = name.as_str().and_then(|name| Model::of(self.unit.snapshot(), records, name));
        let Some(model) = model else {
            return self.fail(model_node.place, format!("the model {} is not known", text(&name)));
        };
        let found = match find(self.unit, &model, &fields).await {
            Ok(found) => found,
            Err(error) => return self.refused(node.place, error),
        };
        let Some(pk) = found else { return Ok(Value::Null) };
        if !whole {
            return Ok(pk);
        }
        match document(self.unit, &model, &pk).await {
            Ok(document) => Ok(document.map_or(Value::Null, |mut document| {
                document.insert("pk".into(), pk);
                Value::Object(document)
            })),
            Err(error) => self.refused(node.place, error),
        }
    }

    async fn format(&mut self, node: &Node) -> Worked<Value> {
        let Some([pattern, arguments @ ..]) = node.items() else {
            return self.fail(node.place, "!Format takes a list: the format, then its values");
        };
        let pattern = text(&self.value(pattern).await?);
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(self.value(argument).await?);
        }
        match format(&pattern, &values) {
            Ok(text) => Ok(Value::from(text)),
            Err(problem) => self.fail(node.place, problem),
        }
    }

    async fn choice(&mut self, node: &Node) -> Worked<Value> {
        match node.items() {
            Some([condition]) => Ok(Value::Bool(truth(&self.value(condition).await?))),
            Some([condition, yes, no]) => {
                let taken = if truth(&self.value(condition).await?) { yes } else { no };
                self.value(taken).await
            }
            _ => self.fail(node.place, "!If takes a list: a condition, the value if it holds, the value if it does not"),
        }
    }

    async fn condition(&mut self, node: &Node) -> Worked<Value> {
        let Some([mode, arguments @ ..]) = node.items().filter(|items| items.len() > 1) else {
            return self.fail(node.place, "!Condition takes a list: the mode, then at least one value");
        };
        let name = text(&self.value(mode).await?).to_uppercase();
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(self.value(argument).await?);
        }
        let odd = || values.iter().filter(|v| truth(v)).count() % 2 == 1;
        let alike = || values.iter().zip(values.iter().skip(1)).all(|(a, b)| equal(a, b));
        let holds = match name.as_str() {
            "AND" => values.iter().all(truth),
            "NAND" => !values.iter().all(truth),
            "OR" => values.iter().any(truth),
            "NOR" => !values.iter().any(truth),
            "XOR" => odd(),
            "XNOR" => !odd(),
            "EQ" => alike(),
            "NEQ" => !alike(),
            _ => return self.fail(mode.place, format!("{name} is none of AND, NAND, OR, NOR, XOR, XNOR, EQ, NEQ")),
        };
        Ok(Value::Bool(holds))
    }

    async fn enumerate(&mut self, node: &Node) -> Worked<Value> {
        let Some([over, kind, body]) = node.items() else {
            return self
                .fail(node.place, "!Enumerate takes a list: what to go through, SEQ or MAP, and what to make of each item");
        };
        let items: Vec<(Value, Value)> = match self.value(over).await? {
            Value::Array(list) => list.into_iter().enumerate().map(|(i, item)| (Value::from(i), item)).collect(),
            Value::Object(map) => map.into_iter().map(|(key, item)| (Value::from(key), item)).collect(),
            other => {
                return self
                    .fail(over.place, format!("!Enumerate goes through a list or a mapping, and this is `{}`", text(&other)));
            }
        };
        let kind_name = text(&self.value(kind).await?).to_uppercase();
        let (mut list, mut map) = (Vec::new(), Value::Object(Map::new()));
        for item in items {
            self.loops.push(item);
            let made = self.value(body).await?;
            self.loops.pop();
            match kind_name.as_str() {
                "SEQ" => list.push(made),
                "MAP" => self.merge(&mut map, made, body.place)?,
                _ => return self.fail(kind.place, format!("{kind_name} is neither SEQ nor MAP")),
            }
        }
        Ok(if kind_name == "SEQ" { Value::Array(list) } else { map })
    }

    /// Adds what a loop made to its mapping: a pair of key and value, or a mapping.
    fn merge(&self, into: &mut Value, made: Value, place: Place) -> Worked<()> {
        let made = match made {
            Value::Array(pair) => match <[Value; 2]>::try_from(pair) {
                Ok([key, value]) => Value::Object([(text(&key), value)].into_iter().collect()),
                Err(_) => return self.fail(place, "with MAP, an item is a pair of a key and its value"),
            },
            made @ Value::Object(_) => made,
            _ => return self.fail(place, "with MAP, an item is a pair of a key and its value, or a mapping"),
        };
        deep_merge(into, made);
        Ok(())
    }

    fn of_loop(&self, tag: &str, node: &Node) -> Worked<(Value, Value)> {
        let depth = match &node.content {
            Content::Scalar(Value::String(text)) if text.is_empty() => Some(0),
            Content::Scalar(Value::String(text)) => text.trim().parse::<usize>().ok(),
            _ => None,
        };
        let Some(depth) = depth else {
            return self.fail(node.place, format!("!{tag} takes the number of the loop, 0 for the nearest"));
        };
        match self.loops.iter().rev().nth(depth) {
            Some(item) => Ok(item.clone()),
            None => self.fail(node.place, format!("!{tag} {depth} asks for a loop that there is not around it")),
        }
    }

    async fn at_index(&mut self, node: &Node) -> Worked<Value> {
        let (of, index, default) = match node.items() {
            Some([of, index]) => (of, index, None),
            Some([of, index, default]) => (of, index, Some(default)),
            _ => {
                return self
                    .fail(node.place, "!AtIndex takes a list: a list or mapping, the index or key, and perhaps a default");
            }
        };
        let value = self.value(of).await?;
        let step = self.value(index).await?;
        let found = match (&value, &step) {
            (Value::Array(list), Value::Number(n)) => {
                let index = n.as_i64().map(|i| if i < 0 { i + list.len() as i64 } else { i });
                index.and_then(|i| usize::try_from(i).ok()).and_then(|i| list.get(i)).cloned()
            }
            (Value::Object(map), step) => map.get(&text(step)).cloned(),
            (Value::Array(_), _) => return self.fail(index.place, "the index of a list is a number"),
            _ if default.is_none() => return self.fail(of.place, "!AtIndex looks into a list or a mapping, and this is neither"),
            _ => None,
        };
        match (found, default) {
            (Some(value), _) => Ok(value),
            (None, Some(default)) => self.value(default).await,
            (None, None) => self.fail(node.place, format!("there is nothing at {}", text(&step))),
        }
    }

    fn parse_json(&self, node: &Node) -> Worked<Value> {
        let Some(text) = node.text() else { return self.fail(node.place, "!ParseJSON takes a text") };
        match serde_json::from_str(text) {
            Ok(value) => Ok(value),
            Err(error) => self.fail(node.place, format!("this is not JSON: {error}")),
        }
    }
}

/// What a value counts for.
fn size(value: &Value) -> u64 {
    let text = |text: &str| (text.len() / BYTES_OF_A_STEP) as u64;
    match value {
        Value::String(found) => 1 + text(found),
        Value::Array(list) => 1 + list.iter().map(size).sum::<u64>(),
        Value::Object(map) => 1 + map.iter().map(|(key, value)| 1 + text(key) + size(value)).sum::<u64>(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}

/// What is no file may not end, and does not say so beforehand: no more than is taken is read.
async fn read(path: &str) -> std::io::Result<String> {
    let mut text = String::new();
    tokio::fs::File::open(path).await?.take(MAX_FILE + 1).read_to_string(&mut text).await?;
    if text.len() as u64 > MAX_FILE {
        return Err(std::io::Error::other(format!("the file has more than {MAX_FILE} bytes")));
    }
    Ok(text)
}

fn step_into(value: &Value, step: &str) -> Option<Value> {
    match value {
        Value::Object(map) => map.get(step).cloned(),
        Value::Array(list) => step.parse::<usize>().ok().and_then(|i| list.get(i)).cloned(),
        _ => None,
    }
}

fn deep_merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                match into.get_mut(&key) {
                    Some(slot) => deep_merge(slot, value),
                    None => drop(into.insert(key, value)),
                }
            }
        }
        (Value::Array(into), Value::Array(mut from)) => into.append(&mut from),
        (into, from) => *into = from,
    }
}
