//! Lists of objects: filters, search, ordering and paging, as the contract's collections have them.

use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::errors::Errors;
use super::field::{Field, ReferenceTo, Shape};
use super::kind::KindInfo;
use super::object::Object;
use super::pk::{Key, Pk, Space};
use super::snapshot::Snapshot;

/// What a client asks of a list.
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// Conditions by name: `slug`, `name__icontains`, `target__slug`; a name may come several times. Unknown ones are ignored.
    pub filters: Vec<(String, String)>,
    /// Words that must all be found in the kind's searched fields.
    pub search: String,
    /// Fields to sort by, `-` in front for descending.
    pub ordering: Vec<String>,
    /// Which page, from 1.
    pub page: u64,
    /// Rows a page.
    pub page_size: u64,
}

impl ListQuery {
    /// Rows a page where nothing is asked for.
    pub const DEFAULT_PAGE_SIZE: u64 = 20;
    /// Rows a page at the most.
    pub const MAX_PAGE_SIZE: u64 = 100;

    /// Reads the parameters of a URL.
    pub fn parse(parameters: impl IntoIterator<Item = (String, String)>) -> Result<Self, BadQuery> {
        let mut query = Self {
            filters: Vec::new(),
            search: String::new(),
            ordering: Vec::new(),
            page: 1,
            page_size: Self::DEFAULT_PAGE_SIZE,
        };
        for (name, value) in parameters {
            match name.as_str() {
                "search" => {
                    query.search =
                        value.chars().take(256).collect::<String>().split_whitespace().take(16).collect::<Vec<_>>().join(" ")
                }
                "ordering" => query.ordering = value.split(',').filter(|f| !f.is_empty()).map(str::to_owned).collect(),
                "page" => query.page = value.parse().ok().filter(|p| *p > 0).ok_or(BadQuery::Page)?,
                // As clients are used to: a size that is no size is the default.
                "page_size" => {
                    query.page_size =
                        value.parse().ok().filter(|s| *s > 0).unwrap_or(Self::DEFAULT_PAGE_SIZE).min(Self::MAX_PAGE_SIZE);
                }
                _ => query.filters.push((name, value)),
            }
        }
        // Every further one costs a look at every object.
        query.filters.truncate(64);
        query.ordering.truncate(16);
        Ok(query)
    }
}

/// Why a list cannot be given.
#[derive(Debug)]
pub enum BadQuery {
    /// There is no such page.
    Page,
    /// A condition has a value of the wrong type.
    Filter(Errors),
}

/// A page of a list.
#[derive(Debug)]
pub struct Found {
    /// The rows of the page.
    pub objects: Vec<Arc<Object>>,
    /// How many rows there are on all pages.
    pub count: u64,
}

impl Snapshot {
    /// The page of the objects of `kinds` that `query` asks for. All kinds are searched and sorted by the fields of the first.
    pub fn list(&self, kinds: &[&KindInfo], query: &ListQuery) -> Result<Found, BadQuery> {
        self.list_where(kinds, query, |_| true)
    }

    /// The same of those objects only that `keep` lets through; the others are not counted either. `keep` is asked in the order
    /// of the list, and only about what the query asks for.
    pub fn list_where(
        &self,
        kinds: &[&KindInfo],
        query: &ListQuery,
        mut keep: impl FnMut(&Object) -> bool,
    ) -> Result<Found, BadQuery> {
        let Some(first) = kinds.first() else { return Ok(Found { objects: Vec::new(), count: 0 }) };
        let conditions = kinds.iter().map(|info| self.conditions(info, query)).collect::<Result<Vec<_>, _>>()?;
        let words: Vec<String> = query.search.split_whitespace().map(str::to_lowercase).collect();
        let order: Vec<&str> = if query.ordering.is_empty() {
            first.meta.order.to_vec()
        } else {
            query.ordering.iter().map(String::as_str).collect()
        };
        let order: Vec<&str> =
            order.into_iter().filter(|name| first.field(name.trim_start_matches('-')).is_none_or(|f| !f.secret)).collect();
        let mut rows = Vec::new();
        for (info, conditions) in kinds.iter().zip(&conditions) {
            for pk in self.keys(info.index) {
                let Some(object) = self.object(pk) else { continue };
                let document = object.body().map(|b| b.document()).unwrap_or_default();
                let asked = conditions.iter().all(|c| c.holds(self, pk, &document));
                if asked && self.is_found(info, &document, &words) {
                    rows.push((sort_keys(&order, pk, &document), object.clone()));
                }
            }
        }
        rows.sort_by(|(a, x), (b, y)| compare(a, b, &order).then_with(|| x.pk.cmp(&y.pk)));
        rows.retain(|(_, object)| keep(object));
        let count = rows.len() as u64;
        let start = (query.page - 1).saturating_mul(query.page_size);
        if query.page > 1 && start >= count {
            return Err(BadQuery::Page);
        }
        let page = rows.into_iter().skip(usize::try_from(start).unwrap_or(usize::MAX));
        let objects = page.take(usize::try_from(query.page_size).unwrap_or(0)).map(|(_, object)| object).collect();
        Ok(Found { objects, count })
    }

    fn conditions<'a>(&'a self, info: &'a KindInfo, query: &'a ListQuery) -> Result<Vec<Condition<'a>>, BadQuery> {
        let mut out: Vec<Condition<'a>> = Vec::new();
        // A condition without a value is none, as in forms that send all their inputs.
        for (name, value) in query.filters.iter().filter(|(_, value)| !value.is_empty()) {
            let Some(mut condition) = self.condition(info, name) else { continue };
            condition.value(value).map_err(|message| BadQuery::Filter(Errors::field(name, message, "invalid")))?;
            // The same name again widens a list of choices; a further condition on a single value it narrows to nothing.
            match out.iter_mut().find(|c| c.name == *name && c.takes_several()) {
                Some(same) => same.values.append(&mut condition.values),
                None => out.push(condition),
            }
        }
        Ok(out)
    }

    fn condition<'a>(&'a self, info: &'a KindInfo, name: &'a str) -> Option<Condition<'a>> {
        let mut parts: Vec<&str> = name.split("__").collect();
        let lookup = match parts.last().copied() {
            Some("exact") => Some(Lookup::Exact),
            Some("iexact") => Some(Lookup::IExact),
            Some("icontains") => Some(Lookup::IContains),
            Some("isnull") => Some(Lookup::IsNull),
            Some("in") => Some(Lookup::In),
            _ => None,
        };
        if lookup.is_some() {
            parts.pop();
        }
        let mut lookup = lookup.unwrap_or(Lookup::Exact);
        let first = parts.first_mut()?;
        for suffix in ["_in", "_by_pk"] {
            if let Some(base) =
                first.strip_suffix(suffix).filter(|base| info.field(base).is_some() && info.field(first).is_none())
            {
                *first = base;
                lookup = Lookup::In;
            }
        }
        let mut path = Vec::new();
        let mut at = Some(info);
        for part in parts {
            let Some(kind) = at else {
                // Beyond a field whose behaviour is still to come there is nothing yet, and nothing is found there.
                path.pop_if(|hop| matches!(hop, Hop::Field(field) if field.later))?;
                path.push(Hop::Nowhere);
                break;
            };
            if part == kind.meta.pk_name || part == "pk" || kind.meta.pk_filters.contains(&part) {
                path.push(Hop::Pk(kind.meta.space));
                at = None;
                continue;
            }
            if kind.meta.fact_filters.contains(&part) {
                path.push(Hop::Fact(part));
                lookup = if lookup == Lookup::Exact { Lookup::In } else { lookup };
                at = None;
                continue;
            }
            if part == "managed" && kind.field(part).is_none() {
                path.push(Hop::Managed);
                at = None;
                continue;
            }
            if let Some((_, model, field)) = kind.meta.through.iter().find(|(name, ..)| *name == part) {
                path.push(Hop::Through(self.registry().by_model(model)?.index, field));
                lookup = if lookup == Lookup::Exact { Lookup::In } else { lookup };
                at = None;
                continue;
            }
            if kind.field(part).is_none() {
                path.push(Hop::Users(self.user_kind(part).filter(|_| lookup == Lookup::IsNull)?));
                at = None;
                continue;
            }
            // A secret that could be searched for could be guessed letter by letter.
            let field = kind.field(part).filter(|f| !f.secret)?;
            path.push(Hop::Field(field));
            at = match field.reference.as_ref().map(|r| &r.to) {
                Some(ReferenceTo::Object(model, _)) => self.registry().by_model(model),
                _ => None,
            };
        }
        Some(Condition { name, path, lookup, values: Vec::new() })
    }

    /// Whether every word is in one of the searched fields. Where nothing is searched, everything is found.
    fn is_found(&self, info: &KindInfo, document: &Map<String, Value>, words: &[String]) -> bool {
        if words.is_empty() || info.meta.search.is_empty() {
            return true;
        }
        let search = info.meta.search.iter();
        let texts: Vec<String> = search.map(|path| text(&self.follow(Some(info), document, path)).to_lowercase()).collect();
        words.iter().all(|word| texts.iter().any(|text| text.contains(word.as_str())))
    }

    /// The value at a path of names joined by `__` that may lead over references, whatever they lead to; of several, their texts.
    fn follow(&self, info: Option<&KindInfo>, document: &Map<String, Value>, path: &str) -> Value {
        let Some((first, rest)) = path.split_once("__") else { return document.get(path).cloned().unwrap_or_default() };
        let field = info.and_then(|info| info.field(first));
        let reference = field.and_then(|field| match &field.shape {
            Shape::List(entry) => entry.reference.as_ref(),
            _ => field.reference.as_ref(),
        });
        let Some(ReferenceTo::Object(_, space)) = reference.map(|reference| &reference.to) else { return Value::Null };
        let at_end = |value: &Value| {
            let target = self.object(Pk::from_value(value, *space)?)?;
            Some(self.follow(self.kind_of(target), &target.body()?.document(), rest))
        };
        match document.get(first) {
            Some(Value::Array(several)) => {
                several.iter().filter_map(at_end).map(|value| text(&value)).collect::<Vec<_>>().join("\n").into()
            }
            value => value.and_then(at_end).unwrap_or_default(),
        }
    }

    /// The kind whose objects the ones that they refer to know by this name.
    fn user_kind(&self, name: &str) -> Option<usize> {
        let known = |kind: &&KindInfo| match kind.meta.related {
            "" => kind.meta.model_name() == name,
            related => related == name,
        };
        self.registry().kinds().iter().find(known).map(|kind| kind.index)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lookup {
    Exact,
    IExact,
    IContains,
    IsNull,
    In,
}

enum Hop<'a> {
    Pk(Space),
    Fact(&'a str),
    Managed,
    /// The objects of a kind that refer to this one.
    Users(usize),
    /// What this field of such objects refers to.
    Through(usize, &'a str),
    Field(&'a Field),
    Nowhere,
}

struct Condition<'a> {
    name: &'a str,
    path: Vec<Hop<'a>>,
    lookup: Lookup,
    values: Vec<String>,
}

impl Condition<'_> {
    /// Whether the contract has an array for it: choices, what is in a list, and the names under which the product keeps its objects.
    fn takes_several(&self) -> bool {
        let is_same = matches!(self.lookup, Lookup::Exact | Lookup::IExact);
        match (self.lookup, self.path.last()) {
            (Lookup::In, _) => true,
            (Lookup::Exact, Some(Hop::Managed)) => true,
            (_, Some(Hop::Field(field))) => is_same && matches!(field.shape, Shape::List(_)),
            _ => false,
        }
    }

    /// Takes a value from outside, if it is of the field's type.
    fn value(&mut self, value: &str) -> Result<(), String> {
        let texts: Vec<&str> = if self.lookup == Lookup::In { value.split(',').collect() } else { vec![value] };
        for text in texts {
            let fits = match (self.lookup, self.path.last()) {
                (Lookup::IsNull, _) => flag(text).is_some(),
                (Lookup::Exact | Lookup::In, Some(Hop::Through(..))) => uuid::Uuid::parse_str(text).is_ok(),
                (Lookup::Exact | Lookup::In, Some(Hop::Pk(space))) => Pk::from_value(&Value::from(text), *space).is_some(),
                (Lookup::Exact | Lookup::In, Some(Hop::Field(field))) => match &field.shape {
                    Shape::Uuid => uuid::Uuid::parse_str(text).is_ok(),
                    Shape::Bool => flag(text).is_some(),
                    Shape::Int { .. } => text.parse::<i64>().is_ok(),
                    Shape::Choice(choices) => choices.iter().any(|c| c.as_str() == Some(text)),
                    _ => true,
                },
                _ => true,
            };
            if !fits {
                let shown: String = text.chars().take(100).collect();
                return Err(match self.path.last() {
                    Some(Hop::Field(Field { shape: Shape::Choice(_), .. })) => {
                        format!("Select a valid choice. {shown} is not one of the available choices.")
                    }
                    Some(Hop::Field(Field { shape: Shape::Int { .. }, .. })) => "Enter a number.".into(),
                    _ => format!("“{shown}” is not a valid value."),
                });
            }
            self.values.push(text.to_owned());
        }
        Ok(())
    }

    fn holds(&self, snapshot: &Snapshot, pk: Pk, document: &Map<String, Value>) -> bool {
        let value = reach(snapshot, pk, document, &self.path);
        let entries = match &value {
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        let any = |test: &dyn Fn(&Value, &str) -> bool| self.values.iter().any(|v| entries.iter().any(|e| test(e, v)));
        match self.lookup {
            // A list without entries leads nowhere either.
            Lookup::IsNull => self.values.iter().any(|v| flag(v) == Some(value.is_null() || entries.is_empty())),
            Lookup::Exact | Lookup::In => any(&same),
            Lookup::IExact => any(&|e, v| text(e).to_lowercase() == v.to_lowercase()),
            Lookup::IContains => any(&|e, v| text(e).to_lowercase().contains(&v.to_lowercase())),
        }
    }
}

fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// Whether a value of a document is what a URL says; UUIDs are the same with and without hyphens.
fn same(value: &Value, asked: &str) -> bool {
    match value {
        Value::String(text) if text == asked => true,
        Value::String(text) => match (uuid::Uuid::parse_str(text), uuid::Uuid::parse_str(asked)) {
            (Ok(a), Ok(b)) => a == b,
            _ => false,
        },
        Value::Bool(value) => flag(asked) == Some(*value),
        Value::Number(n) => asked.parse::<i64>().ok() == n.as_i64(),
        _ => false,
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| if value.is_null() { String::new() } else { value.to_string() }, str::to_owned)
}

/// The value at the end of a path that may lead over references.
fn reach(snapshot: &Snapshot, pk: Pk, document: &Map<String, Value>, path: &[Hop<'_>]) -> Value {
    match path.split_first() {
        None | Some((Hop::Nowhere, _)) => Value::Null,
        Some((Hop::Pk(_), _)) => pk.value(),
        Some((Hop::Fact(name), _)) => {
            let body = snapshot.object(pk).and_then(|o| o.body());
            body.and_then(|b| b.facts().remove(*name)).unwrap_or_default()
        }
        Some((Hop::Managed, _)) => snapshot.object(pk).and_then(|o| o.managed.as_deref()).map_or(Value::Null, Value::from),
        Some((Hop::Through(kind, field), _)) => {
            let ties = snapshot.referrers(Key::Object(pk)).filter(|tie| tie.kind == Some(*kind));
            let value = |tie: &Arc<Object>| match *field {
                "pk" => Some(tie.pk.value()),
                field => tie.body()?.document().remove(field),
            };
            let tied: Vec<Value> = ties.filter_map(value).filter(|value| !value.is_null()).collect();
            if tied.is_empty() { Value::Null } else { Value::Array(tied) }
        }
        Some((Hop::Users(kind), _)) => {
            let used = snapshot.referrers(Key::Object(pk)).any(|user| user.kind == Some(*kind));
            if used { Value::Bool(true) } else { Value::Null }
        }
        Some((Hop::Field(field), rest)) => {
            let value = document.get(&*field.name).cloned().unwrap_or_default();
            if rest.is_empty() {
                return value;
            }
            let Some(ReferenceTo::Object(_, space)) = field.reference.as_ref().map(|r| &r.to) else { return Value::Null };
            let Some(target) = Pk::from_value(&value, *space).and_then(|pk| snapshot.object(pk)) else { return Value::Null };
            let document = target.body().map(|b| b.document()).unwrap_or_default();
            reach(snapshot, target.pk, &document, rest)
        }
    }
}

fn sort_keys(order: &[&str], pk: Pk, document: &Map<String, Value>) -> Vec<Value> {
    let key = |name: &&str| match name.trim_start_matches('-') {
        "pk" => pk.value(),
        name => document.get(name).cloned().unwrap_or_default(),
    };
    order.iter().map(key).collect()
}

fn compare(a: &[Value], b: &[Value], order: &[&str]) -> Ordering {
    for ((a, b), name) in a.iter().zip(b).zip(order) {
        let ordering = match (a, b) {
            (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal),
            (Value::String(a), Value::String(b)) => a.cmp(b),
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Null, Value::Null) => Ordering::Equal,
            (Value::Null, _) => Ordering::Greater,
            (_, Value::Null) => Ordering::Less,
            _ => Ordering::Equal,
        };
        let ordering = if name.starts_with('-') { ordering.reverse() } else { ordering };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    Ordering::Equal
}
