//! A blueprint as it is written: its name, its context, its entries.

use ak_store::model::Errors;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::error::{BlueprintError, Place, Problem};
use super::yaml::{self, Content, Node};

/// A blueprint, read but not yet applied.
#[derive(Debug, Clone)]
pub struct Blueprint {
    /// The file, or what else messages should call it.
    pub file: String,
    /// What it calls itself, or else its file.
    pub name: String,
    /// Its labels (`blueprints.goauthentik.io/…`).
    pub labels: Map<String, Value>,
    /// The SHA-512 of its text… shortened to what tells two versions apart: SHA-256, in hexadecimal digits.
    pub hash: String,
    /// Whether `!File` and `!Env` may be used: it comes from somebody who may read the machine's files anyway.
    pub is_trusted: bool,
    pub(super) context: Vec<(String, Node)>,
    pub(super) entries: Vec<Entry>,
    /// What is strange, but no reason not to apply it.
    pub(super) oddities: Vec<Problem>,
}

/// One object or record that a blueprint speaks of.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Where it stands in the structure: `entries[3]`.
    pub(super) path: String,
    pub(super) place: Place,
    pub(super) id: Option<String>,
    pub(super) model: Node,
    pub(super) state: Option<Node>,
    pub(super) conditions: Vec<Node>,
    pub(super) identifiers: Option<Node>,
    pub(super) attrs: Option<Node>,
    pub(super) permissions: Option<Node>,
}

/// What should be true of an entry's object afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Desired {
    /// It is there and has the attributes.
    Present,
    /// It is there; one that was there already stays as it is.
    Created,
    /// It is there, and was not before.
    MustCreated,
    /// It is not there.
    Absent,
}

impl Desired {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "present" => Self::Present,
            "created" => Self::Created,
            "must_created" => Self::MustCreated,
            "absent" => Self::Absent,
            _ => return None,
        })
    }
}

impl Blueprint {
    /// Reads a blueprint. `file` is what messages call it.
    ///
    /// # Errors
    /// With every problem's place in the text.
    pub fn parse(file: &str, text: &str) -> Result<Self, BlueprintError> {
        let root = yaml::parse(file, text)?;
        let mut reader = Reader { file, problems: Vec::new(), oddities: Vec::new() };
        let hash = hex::encode(Sha256::digest(text.as_bytes()));
        let blueprint = reader.blueprint(&root, hash);
        if reader.problems.is_empty() {
            Ok(Self { oddities: reader.oddities, ..blueprint })
        } else {
            Err(BlueprintError::Wrong(reader.problems))
        }
    }

    /// The same, with leave to use `!File` and `!Env`.
    #[must_use]
    pub fn trusted(mut self) -> Self {
        self.is_trusted = true;
        self
    }

    /// A label's text.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).and_then(Value::as_str)
    }

    /// Whether it is meant to be applied without being asked for: not an example.
    pub fn is_instantiated(&self) -> bool {
        match self.labels.get("blueprints.goauthentik.io/instantiate") {
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            Some(Value::Bool(flag)) => *flag,
            _ => true,
        }
    }

    /// The names of the models that it speaks of, as far as they are written out.
    pub fn models(&self) -> Vec<String> {
        let mut models: Vec<String> = self.entries.iter().filter_map(|e| e.model.text().map(str::to_owned)).collect();
        models.sort_unstable();
        models.dedup();
        models
    }
}

impl Entry {
    /// The place of an attribute, as near as it can be told.
    pub(super) fn place_of(&self, path: &[String]) -> (Place, String) {
        for (name, node) in [("attrs", &self.attrs), ("identifiers", &self.identifiers)] {
            let found = node.as_ref().and_then(|node| Some((node, node.get(path.first()?)?)));
            if let Some((_, mut node)) = found {
                let mut written = format!("{}.{name}.{}", self.path, path.first().map_or("", String::as_str));
                for step in path.iter().skip(1) {
                    let next = match &node.content {
                        Content::Map(_) => node.get(step),
                        Content::List(items) => step.parse::<usize>().ok().and_then(|i| items.get(i)),
                        Content::Scalar(_) => None,
                    };
                    let Some(next) = next.filter(|_| node.tag.is_none()) else { break };
                    written = format!("{written}.{step}");
                    node = next;
                }
                return (node.place, written);
            }
        }
        let place = self.attrs.as_ref().or(self.identifiers.as_ref()).map_or(self.place, |node| node.place);
        // A field that is missing has no place of its own.
        let field = if path.is_empty() { String::new() } else { format!(".attrs.{}", path.join(".")) };
        (if path.is_empty() { self.place } else { place }, format!("{}{field}", self.path))
    }

    /// The problems of this entry's object as problems of the file.
    pub(super) fn problems(&self, file: &str, errors: &Errors) -> Vec<Problem> {
        let problem = |found: &ak_store::model::Problem| {
            let (place, path) = self.place_of(&found.path);
            Problem { file: file.to_owned(), place, path, message: found.message.clone() }
        };
        errors.iter().map(problem).collect()
    }
}

struct Reader<'a> {
    file: &'a str,
    problems: Vec<Problem>,
    oddities: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&self, place: Place, path: &str, message: impl Into<String>) -> Problem {
        Problem { file: self.file.to_owned(), place, path: path.to_owned(), message: message.into() }
    }

    fn wrong(&mut self, place: Place, path: &str, message: impl Into<String>) {
        let problem = self.problem(place, path, message);
        self.problems.push(problem);
    }

    fn unknown(&mut self, node: &Node, known: &[&str], path: &str) {
        for (name, value) in node.entries().unwrap_or_default() {
            if !known.contains(&&**name) {
                let message = format!("`{name}` is not known here, and left out (known: {})", known.join(", "));
                let path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
                let problem = self.problem(value.place, &path, message);
                self.oddities.push(problem);
            }
        }
    }

    fn blueprint(&mut self, root: &Node, hash: String) -> Blueprint {
        let mut blueprint = Blueprint {
            file: self.file.to_owned(),
            name: self.file.to_owned(),
            labels: Map::new(),
            hash,
            is_trusted: false,
            context: Vec::new(),
            entries: Vec::new(),
            oddities: Vec::new(),
        };
        if root.entries().is_none() {
            self.wrong(root.place, "", format!("a blueprint is a mapping, and this is {}", root.what()));
            return blueprint;
        }
        self.unknown(root, &["version", "metadata", "context", "entries"], "");
        match root.get("version") {
            None => {}
            Some(node) if node.plain() == Some(Value::from(1)) => {}
            Some(node) => self.wrong(node.place, "version", "only version 1 of blueprints is known"),
        }
        if let Some(node) = root.get("metadata") {
            self.metadata(node, &mut blueprint);
        }
        match root.get("context").map(|node| (node, node.entries())) {
            None => {}
            Some((_, Some(entries))) => {
                blueprint.context = entries.iter().map(|(name, node)| (name.to_string(), node.clone())).collect();
            }
            Some((node, None)) if matches!(node.content, Content::Scalar(Value::Null)) => {}
            Some((node, None)) => {
                self.wrong(node.place, "context", format!("the context is a mapping, and this is {}", node.what()))
            }
        }
        match root.get("entries") {
            Some(node) => self.entries(node, &mut blueprint.entries),
            None => self.wrong(root.place, "entries", "a blueprint has entries"),
        }
        blueprint
    }

    fn metadata(&mut self, node: &Node, blueprint: &mut Blueprint) {
        self.unknown(node, &["name", "labels"], "metadata");
        match node.get("name").map(|name| (name, name.plain())) {
            None => {}
            Some((_, Some(Value::String(name)))) => blueprint.name = name,
            Some((name, _)) => {
                self.wrong(name.place, "metadata.name", format!("the name is a text, and this is {}", name.what()))
            }
        }
        match node.get("labels").map(|labels| (labels, labels.plain())) {
            None | Some((_, Some(Value::Null))) => {}
            Some((_, Some(Value::Object(labels)))) => blueprint.labels = labels,
            Some((labels, _)) => self.wrong(labels.place, "metadata.labels", "labels are a mapping of texts without tags"),
        }
    }

    /// A list of entries, or a mapping of such lists, which are applied one after the other.
    fn entries(&mut self, node: &Node, into: &mut Vec<Entry>) {
        match &node.content {
            Content::List(items) => {
                for (i, item) in items.iter().enumerate() {
                    into.extend(self.entry(item, format!("entries[{i}]")));
                }
            }
            Content::Map(lists) => {
                for (name, list) in lists.iter() {
                    let Some(items) = list.items() else {
                        self.wrong(
                            list.place,
                            &format!("entries.{name}"),
                            format!("this is a list of entries, and here stands {}", list.what()),
                        );
                        continue;
                    };
                    for (i, item) in items.iter().enumerate() {
                        into.extend(self.entry(item, format!("entries.{name}[{i}]")));
                    }
                }
            }
            Content::Scalar(Value::Null) => {}
            Content::Scalar(_) => self.wrong(node.place, "entries", format!("entries are a list, and this is {}", node.what())),
        }
    }

    fn entry(&mut self, node: &Node, path: String) -> Option<Entry> {
        if node.entries().is_none() {
            self.wrong(node.place, &path, format!("an entry is a mapping, and this is {}", node.what()));
            return None;
        }
        self.unknown(node, &["model", "id", "state", "conditions", "identifiers", "attrs", "permissions"], &path);
        let Some(model) = node.get("model").cloned() else {
            self.wrong(node.place, &path, "an entry names its model");
            return None;
        };
        let given = |name: &str| {
            node.get(name).filter(|node| !matches!((&node.tag, &node.content), (None, Content::Scalar(Value::Null)))).cloned()
        };
        let id = match given("id").map(|id| (id.place, id.plain())) {
            None => None,
            Some((_, Some(Value::String(id)))) => Some(id),
            Some((_, Some(Value::Number(id)))) => Some(id.to_string()),
            Some((place, _)) => {
                self.wrong(place, &format!("{path}.id"), "an id is a plain text");
                None
            }
        };
        let conditions = match given("conditions") {
            None => Vec::new(),
            Some(node) => match node.items() {
                Some(items) if node.tag.is_none() => items.to_vec(),
                _ => {
                    self.wrong(
                        node.place,
                        &format!("{path}.conditions"),
                        format!("conditions are a list, and this is {}", node.what()),
                    );
                    Vec::new()
                }
            },
        };
        let (identifiers, attrs) = (given("identifiers"), given("attrs"));
        Some(Entry {
            path,
            place: node.place,
            id,
            model,
            state: given("state"),
            conditions,
            identifiers,
            attrs,
            permissions: given("permissions"),
        })
    }
}
