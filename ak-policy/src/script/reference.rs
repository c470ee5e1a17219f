//! The reference of everything that scripts can call, made from what is registered.

use rhai::Engine;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::document::Name;

/// The reference, for people and for editors.
#[derive(Debug, Clone)]
pub struct Reference {
    /// In Markdown.
    pub markdown: String,
    /// As JSON: `variables`, those of each sort of script by its name, and `functions`.
    pub json: Value,
}

/// A function that scripts can call.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) signature: String,
    #[serde(default)]
    doc_comments: Vec<String>,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    functions: Vec<Function>,
}

/// What sort of entry it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Sort {
    Function,
    Property,
    Index,
    Operator,
}

/// An entry of the reference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Entry {
    sort: Sort,
    name: String,
    signature: String,
    doc: String,
}

/// Every function that an engine has.
pub(super) fn functions(engine: &Engine) -> Vec<Function> {
    // The engine writes this text itself; one that cannot be read leaves every function unknown, and every test red.
    let text = engine.gen_fn_metadata_to_json(true).unwrap_or_default();
    serde_json::from_str::<Listed>(&text).map(|listed| listed.functions).unwrap_or_default()
}

/// What the language says nothing about, although everybody may call it.
const LANGUAGE: &[(&str, &str)] = &[
    ("append", "Puts something at the end."),
    ("max", "The larger one of two numbers."),
    ("min", "The smaller one of two numbers."),
    ("to_float", "The number as one with a fraction."),
    ("to_int", "The number without its fraction."),
];

fn entry(function: &Function) -> Entry {
    let shown = |name: &str| function.signature.replacen(&function.name, name, 1);
    let (sort, name, signature) = match function.name.split_once('$') {
        Some(("get", property)) => (Sort::Property, property.to_owned(), shown(property)),
        Some(("set", property)) => (Sort::Property, property.to_owned(), format!("{} = value", shown(property))),
        Some(("index", "get$")) => (Sort::Index, "[]".to_owned(), shown("[]")),
        Some(("index", "set$")) => (Sort::Index, "[]=".to_owned(), shown("[]=")),
        _ if function.name.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
            (Sort::Function, function.name.clone(), function.signature.clone())
        }
        _ => (Sort::Operator, function.name.clone(), function.signature.clone()),
    };
    let own = LANGUAGE.iter().find(|(named, _)| *named == name).map(|(_, doc)| (*doc).to_owned());
    let doc = Some(plain(&function.doc_comments)).filter(|doc| !doc.is_empty());
    Entry { sort, name, signature, doc: doc.or(own).unwrap_or_default() }
}

/// Comments without their marks, and without the examples of the language's own functions, which print.
fn plain(comments: &[String]) -> String {
    let lines = comments.iter().flat_map(|comment| comment.lines());
    let lines = lines.map(|line| line.trim_start().trim_start_matches("///").trim_start_matches(' ').trim_end());
    let text: Vec<&str> = lines.take_while(|line| !line.starts_with('#')).collect();
    text.join("\n").trim().to_owned()
}

/// The reference of everything that scripts can use: the variables of each of these sorts of scripts, functions, properties. Operators of the
/// language's own types are left out; everybody knows them.
pub fn reference(sorts: &[(&str, &[Name])]) -> Reference {
    let mut entries: Vec<Entry> = functions(super::engine::machine(super::Language::Rhai).engine()).iter().map(entry).collect();
    entries.retain(|entry| !super::engine::FORBIDDEN.contains(&entry.name.as_str()));
    entries.retain(|entry| entry.sort != Sort::Operator || !entry.doc.is_empty());
    entries.sort();
    entries.dedup();
    let variable = |name: &Name| json!({ "name": name.name, "type": name.kind, "doc": name.doc });
    let variables = sorts.iter().map(|(sort, names)| ((*sort).to_owned(), names.iter().map(variable).collect()));
    let variables: Map<String, Value> = variables.collect();
    let markdown = markdown(sorts, &entries);
    Reference { markdown, json: json!({ "variables": variables, "functions": entries }) }
}

fn markdown(sorts: &[(&str, &[Name])], entries: &[Entry]) -> String {
    let mut out = String::from("# What expressions can use\n");
    for (sort, names) in sorts {
        out.push_str(&format!("\n## Variables of {sort}\n\n"));
        for name in *names {
            out.push_str(&format!("- `{}: {}`: {}\n", name.name, name.kind, name.doc));
        }
    }
    let chapters = [
        (Sort::Function, "Functions and methods"),
        (Sort::Property, "Properties"),
        (Sort::Index, "Fields by name"),
        (Sort::Operator, "Operators"),
    ];
    for (sort, title) in chapters {
        out.push_str(&format!("\n## {title}\n\n"));
        for entry in entries.iter().filter(|entry| entry.sort == sort) {
            out.push_str(&format!("- `{}`: {}\n", entry.signature, entry.doc.replace('\n', " ")));
        }
    }
    out
}
