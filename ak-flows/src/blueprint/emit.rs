//! Writing YAML with tags, as people would.

use std::fmt::Write;

use serde_json::Value;

use super::export::Exported;

/// A value that is going to be written.
pub(super) enum Emit {
    Plain(Value),
    List(Vec<Emit>),
    Map(Vec<(String, Emit)>),
    /// The key of the object or record that has these values.
    Find(String, Vec<(String, Emit)>),
}

impl Emit {
    pub(super) fn plain(value: Value) -> Self {
        Self::Plain(value)
    }

    /// On one line.
    fn flow(&self, out: &mut String) {
        match self {
            Self::Plain(value) => flow_value(value, out),
            Self::List(items) => joined(out, "[", "]", items, |item, out| item.flow(out)),
            Self::Map(entries) => joined(out, "{ ", " }", entries, |(name, value), out| {
                quoted(name, out);
                out.push_str(": ");
                value.flow(out);
            }),
            Self::Find(model, fields) => {
                out.push_str("!Find [");
                out.push_str(model);
                for (name, value) in fields {
                    out.push_str(", [");
                    out.push_str(&key(name));
                    out.push_str(", ");
                    value.flow(out);
                    out.push(']');
                }
                out.push(']');
            }
        }
    }

    /// Behind a key: long texts as blocks, lists of references line by line.
    fn block(&self, indent: usize, out: &mut String) {
        match self {
            Self::Plain(Value::String(text)) if fits_block(text) => {
                let chomp = if text.ends_with('\n') { "" } else { "-" };
                let _ = write!(out, " |{chomp}");
                for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
                    out.push('\n');
                    if !line.is_empty() {
                        out.push_str(&" ".repeat(indent));
                        out.push_str(line);
                    }
                }
                out.push('\n');
            }
            Self::List(items) if items.iter().any(|item| !matches!(item, Self::Plain(_))) => {
                out.push('\n');
                for item in items {
                    out.push_str(&" ".repeat(indent));
                    out.push_str("- ");
                    item.flow(out);
                    out.push('\n');
                }
            }
            other => {
                out.push(' ');
                other.flow(out);
                out.push('\n');
            }
        }
    }
}

/// The whole file.
pub(super) fn write(name: &str, entries: &[Exported]) -> String {
    let mut out = String::from("version: 1\nmetadata:\n  name: ");
    quoted(name, &mut out);
    out.push_str("\nentries:");
    out.push_str(if entries.is_empty() { " []\n" } else { "\n" });
    for entry in entries {
        let _ = writeln!(out, "  - model: {}", entry.model);
        mapping("identifiers", &entry.identifiers, &mut out);
        if !entry.attrs.is_empty() {
            mapping("attrs", &entry.attrs, &mut out);
        }
    }
    out
}

fn mapping(name: &str, entries: &[(String, Emit)], out: &mut String) {
    let _ = writeln!(out, "    {name}:");
    for (name, value) in entries {
        let _ = write!(out, "      {}:", key(name));
        value.block(8, out);
    }
}

/// A key that needs no quotes stands without.
fn key(name: &str) -> String {
    let is_plain =
        name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    // `on`, `no`, `y` and the like are something else.
    if is_plain && name.len() > 3 || name == "pk" {
        return name.to_owned();
    }
    let mut out = String::new();
    quoted(name, &mut out);
    out
}

fn flow_value(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => quoted(text, out),
        Value::Array(items) => joined(out, "[", "]", items, flow_value),
        Value::Object(map) => {
            let entries: Vec<_> = map.iter().collect();
            joined(out, "{ ", " }", &entries, |(name, value), out| {
                quoted(name, out);
                out.push_str(": ");
                flow_value(value, out);
            });
        }
        // A float without a dot or with a bare exponent would be read as a text.
        Value::Number(n) if n.is_f64() => out.push_str(&float(n.as_f64().unwrap_or_default())),
        other => out.push_str(&other.to_string()),
    }
}

fn float(n: f64) -> String {
    let text = format!("{n:?}");
    match text.split_once('e') {
        None => text,
        Some((mantissa, exponent)) => {
            let dot = if mantissa.contains('.') { "" } else { ".0" };
            let sign = if exponent.starts_with('-') { "" } else { "+" };
            format!("{mantissa}{dot}e{sign}{exponent}")
        }
    }
}

fn joined<T>(out: &mut String, open: &str, close: &str, items: &[T], each: impl Fn(&T, &mut String)) {
    if items.is_empty() {
        out.push_str(open.trim());
        out.push_str(close.trim());
        return;
    }
    out.push_str(open);
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        each(item, out);
    }
    out.push_str(close);
}

fn fits_block(text: &str) -> bool {
    let has_lines = text.trim_end_matches('\n').contains('\n');
    let ends_once = !text.ends_with("\n\n");
    let begins = !text.starts_with([' ', '\n', '\t']);
    has_lines && ends_once && begins && text.chars().all(|c| c == '\n' || c == '\t' || is_printable(c))
}

/// What may stand in YAML as it is (YAML 1.2.2, section 5.1), without the line breaks that some readers know.
fn is_printable(c: char) -> bool {
    let breaks = matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}');
    !breaks && matches!(c, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_printable(c) => out.push(c),
            c => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
        }
    }
    out.push('"');
}
