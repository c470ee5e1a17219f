//! YAML as blueprints use it: a tree of values in which every one knows its tag and its place.
//!
//! Plain scalars mean what they mean in YAML 1.1 as Python reads it, since that is what people's files were written for: `yes`
//! and `off` are booleans, `010` is eight. (Sexagesimal numbers and dates stay texts: nobody means them.) Aliases share what they
//! refer to, so a file that would grow without bounds is refused before it does.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span, Tag};
use serde_json::{Map, Number, Value};

use super::error::{BlueprintError, Place};

/// A file longer than this is refused.
pub(super) const MAX_BYTES: usize = 4 << 20;
/// Values in a file with all aliases written out.
const MAX_NODES: u64 = 200_000;
/// How deep values may stand in each other.
const MAX_DEPTH: usize = 64;

/// A value in a file.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    /// The local tag without its exclamation mark: `KeyOf`.
    pub(super) tag: Option<Arc<str>>,
    pub(super) content: Content,
    /// How many values there are in it, itself included.
    size: u64,
    depth: usize,
}

/// What a value is. Below a local tag a scalar is its text.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Scalar(Value),
    List(Arc<[Node]>),
    Map(Arc<[(Arc<str>, Node)]>),
}

impl Node {
    /// The value at a key of a mapping.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|(name, _)| **name == *key).map(|(_, node)| node),
            _ => None,
        }
    }

    /// The entries of a list.
    pub(super) fn items(&self) -> Option<&[Node]> {
        match &self.content {
            Content::List(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a mapping.
    pub(super) fn entries(&self) -> Option<&[(Arc<str>, Node)]> {
        match &self.content {
            Content::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The text of an untagged scalar that is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The value, where there is no tag in it.
    pub(super) fn plain(&self) -> Option<Value> {
        if self.tag.is_some() {
            return None;
        }
        match &self.content {
            Content::Scalar(value) => Some(value.clone()),
            Content::List(items) => items.iter().map(Node::plain).collect::<Option<Vec<_>>>().map(Value::Array),
            Content::Map(entries) => {
                let entries = entries.iter().map(|(key, node)| Some((key.to_string(), node.plain()?)));
                entries.collect::<Option<Map<_, _>>>().map(Value::Object)
            }
        }
    }

    /// What the value is, for people.
    pub(super) fn what(&self) -> &'static str {
        match &self.content {
            Content::Scalar(Value::Null) => "nothing",
            Content::Scalar(Value::String(_)) => "a text",
            Content::Scalar(Value::Bool(_)) => "a boolean",
            Content::Scalar(_) => "a number",
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
        }
    }

    fn scalar(place: Place, tag: Option<Arc<str>>, value: Value) -> Self {
        Self { place, tag, content: Content::Scalar(value), size: 1, depth: 1 }
    }
}

/// Reads the one document of a file.
pub(super) fn parse(file: &str, text: &str) -> Result<Node, BlueprintError> {
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; at the most {MAX_BYTES} are read", text.len());
        return Err(BlueprintError::one(file, Place { line: 1, column: 1 }, "", message));
    }
    let mut options = Options::default();
    options.set_emit_comments(false);
    let parser = Parser::new_from_str_with_options(text.trim_start_matches('\u{feff}'), options);
    Reader { file, parser, anchors: HashMap::new() }.document()
}

struct Reader<'a> {
    file: &'a str,
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    anchors: HashMap<usize, Node>,
}

type Read<T> = Result<T, BlueprintError>;

impl<'a> Reader<'a> {
    fn document(mut self) -> Read<Node> {
        let mut root = None;
        loop {
            let (event, place) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(..) if root.is_some() => {
                    return Err(self.wrong(place, "a blueprint is one document, and here begins a second"));
                }
                Event::DocumentStart(..) => {
                    let (event, place) = self.next()?;
                    root = Some(self.node(event, place, 0)?);
                }
                Event::StreamEnd => break,
                _ => return Err(self.wrong(place, "this cannot stand outside of a document")),
            }
        }
        root.ok_or_else(|| self.wrong(Place { line: 1, column: 1 }, "the file is empty"))
    }

    fn next(&mut self) -> Read<(Event<'a>, Place)> {
        match self.parser.next() {
            Some(Ok((event, span))) => Ok((event, place(&span))),
            Some(Err(error)) => {
                let at = error.marker();
                Err(self.wrong(Place { line: at.line(), column: at.col() + 1 }, error.info()))
            }
            None => Err(self.wrong(Place::default(), "the file ends too early")),
        }
    }

    fn wrong(&self, place: Place, message: impl Into<String>) -> BlueprintError {
        BlueprintError::one(self.file, place, "", message)
    }

    fn node(&mut self, event: Event<'a>, place: Place, depth: usize) -> Read<Node> {
        if depth >= MAX_DEPTH {
            return Err(self.wrong(place, format!("values stand more than {MAX_DEPTH} deep in each other")));
        }
        let (anchor, node) = match event {
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned();
                return node.ok_or_else(|| self.wrong(place, "the alias stands inside of what it refers to"));
            }
            Event::Scalar(text, style, anchor, tag) => (anchor, self.scalar(&text, style, tag.as_deref(), place)?),
            Event::SequenceStart(_, anchor, tag) => (anchor, self.list(tag.as_deref(), place, depth)?),
            Event::MappingStart(_, anchor, tag) => (anchor, self.map(tag.as_deref(), place, depth)?),
            _ => return Err(self.wrong(place, "a value is missing")),
        };
        if node.size > MAX_NODES {
            return Err(self.wrong(place, format!("with its aliases written out, this holds more than {MAX_NODES} values")));
        }
        if node.depth + depth > MAX_DEPTH {
            return Err(self.wrong(place, format!("values stand more than {MAX_DEPTH} deep in each other")));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn scalar(&self, text: &str, style: ScalarStyle, tag: Option<&Tag>, place: Place) -> Read<Node> {
        let value = match tag.map(tag_name) {
            Some(TagName::Local(name)) => return Ok(Node::scalar(place, Some(name.into()), Value::from(text))),
            Some(TagName::Core("str")) => Value::from(text),
            Some(TagName::Core(core @ ("bool" | "int" | "float" | "null"))) => {
                let value = plain_value(text);
                let fits = match core {
                    "bool" => value.is_boolean(),
                    "null" => value.is_null(),
                    _ => value.is_number(),
                };
                if !fits {
                    return Err(self.wrong(place, format!("`{text}` is no !!{core}")));
                }
                value
            }
            Some(TagName::Core(other) | TagName::Foreign(other)) => {
                return Err(self.wrong(place, format!("the tag {other} is not known")));
            }
            // `! 5` asks for the plainest reading: a text.
            Some(TagName::NonSpecific) => Value::from(text),
            None if style == ScalarStyle::Plain => plain_value(text),
            None => Value::from(text),
        };
        Ok(Node::scalar(place, None, value))
    }

    fn collection_tag(&self, tag: Option<&Tag>, place: Place, core: &str) -> Read<Option<Arc<str>>> {
        match tag.map(tag_name) {
            None | Some(TagName::NonSpecific) => Ok(None),
            Some(TagName::Local(name)) => Ok(Some(name.into())),
            Some(TagName::Core(name)) if name == core => Ok(None),
            Some(TagName::Core(other) | TagName::Foreign(other)) => {
                Err(self.wrong(place, format!("the tag {other} cannot stand here")))
            }
        }
    }

    fn list(&mut self, tag: Option<&Tag>, place: Place, depth: usize) -> Read<Node> {
        let tag = self.collection_tag(tag, place, "seq")?;
        let (mut items, mut size, mut deepest) = (Vec::new(), 1u64, 0);
        loop {
            let (event, at) = self.next()?;
            if event == Event::SequenceEnd {
                break;
            }
            let item = self.node(event, at, depth + 1)?;
            size = size.saturating_add(item.size);
            deepest = deepest.max(item.depth);
            items.push(item);
        }
        Ok(Node { place, tag, content: Content::List(items.into()), size, depth: deepest + 1 })
    }

    fn map(&mut self, tag: Option<&Tag>, place: Place, depth: usize) -> Read<Node> {
        let tag = self.collection_tag(tag, place, "map")?;
        let (mut own, mut merged, mut size, mut deepest) = (Vec::new(), Vec::new(), 1u64, 0);
        let mut names = HashSet::new();
        loop {
            let (event, at) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = self.node(event, at, depth + 1)?;
            let (event, value_at) = self.next()?;
            let value = self.node(event, value_at, depth + 1)?;
            size = size.saturating_add(value.size).saturating_add(1);
            deepest = deepest.max(value.depth);
            if is_merge {
                merged.extend(self.merged(value)?);
                continue;
            }
            let name = self.key(&key)?;
            if !names.insert(name.clone()) {
                return Err(self.wrong(at, format!("the key {name} stands here a second time")));
            }
            own.push((name, value));
        }
        // What is merged in stands behind what is written out; of two that are merged in, the first counts.
        for (name, value) in merged {
            if names.insert(name.clone()) {
                own.push((name, value));
            }
        }
        Ok(Node { place, tag, content: Content::Map(own.into()), size, depth: deepest + 1 })
    }

    fn merged(&self, value: Node) -> Read<Vec<(Arc<str>, Node)>> {
        let wrong = |node: &Node| {
            self.wrong(node.place, format!("`<<` takes a mapping or a list of mappings, and this is {}", node.what()))
        };
        match &value.content {
            Content::Map(entries) => Ok(entries.to_vec()),
            Content::List(items) => {
                let mut all = Vec::new();
                for item in items.iter() {
                    all.extend(item.entries().ok_or_else(|| wrong(item))?.iter().cloned());
                }
                Ok(all)
            }
            Content::Scalar(_) => Err(wrong(&value)),
        }
    }

    fn key(&self, node: &Node) -> Read<Arc<str>> {
        match (&node.tag, &node.content) {
            (None, Content::Scalar(Value::String(text))) => Ok(text.as_str().into()),
            (None, Content::Scalar(value @ (Value::Number(_) | Value::Bool(_)))) => Ok(value.to_string().into()),
            _ => Err(self.wrong(node.place, "a key must be a plain text")),
        }
    }
}

fn place(span: &Span) -> Place {
    // Where a value has a tag, that is where people see it begin.
    let start = span.tag_start().unwrap_or(span.start);
    Place { line: start.line(), column: start.col() + 1 }
}

enum TagName<'a> {
    Local(&'a str),
    Core(&'a str),
    NonSpecific,
    Foreign(&'a str),
}

fn tag_name(tag: &Tag) -> TagName<'_> {
    match tag.core_suffix() {
        Some(core) => TagName::Core(core),
        None if tag.handle() == "!" && !tag.suffix().is_empty() => TagName::Local(tag.suffix()),
        None if tag.handle().is_empty() && tag.suffix() == "!" => TagName::NonSpecific,
        None if tag.handle() == "!" => TagName::NonSpecific,
        None => TagName::Foreign(tag.suffix()),
    }
}

/// What a plain scalar means.
fn plain_value(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Value::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::from(text), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if let Some(n) = integer(unsigned) {
        let n = if text.starts_with('-') { n.checked_neg()? } else { n };
        return Some(n.into());
    }
    // PyYAML asks for a dot, and for a sign of the exponent.
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(m, e)| (m, Some(e)));
    let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit() || c == '_');
    let (whole, fraction) = mantissa.split_once('.')?;
    let has_digits = mantissa.chars().any(|c| c.is_ascii_digit());
    let fits = exponent.is_none_or(|e| e.strip_prefix(['-', '+']).is_some_and(|d| !d.is_empty() && digits(d)));
    if !(has_digits && digits(whole) && digits(fraction) && fits) {
        return None;
    }
    let plain = text.replace('_', "");
    plain.parse::<f64>().ok().and_then(Number::from_f64)
}

fn integer(text: &str) -> Option<i64> {
    let text = text.replace('_', "");
    let (digits, base) = match text.strip_prefix('0') {
        None => (text.as_str(), 10),
        Some("") => return Some(0),
        Some(rest) => match (rest.strip_prefix(['x', 'X']), rest.strip_prefix(['b', 'B'])) {
            (Some(digits), _) => (digits, 16),
            (_, Some(digits)) => (digits, 2),
            (None, None) => (rest, 8),
        },
    };
    // A second sign is no digit, although the standard library would take it.
    if digits.starts_with(['-', '+']) { None } else { i64::from_str_radix(digits, base).ok() }
}
