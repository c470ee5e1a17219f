//! Texts and lists.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use regex::{Regex, RegexBuilder};
use rhai::{Array, Dynamic};

use crate::script::table::Table;
use crate::script::value::Wrong;

/// How many patterns are kept ready.
const KEPT: usize = 64;

/// How large a pattern becomes at the most, in bytes.
const SIZE: usize = 1 << 20;

static READY: Mutex<VecDeque<(String, Regex)>> = Mutex::new(VecDeque::new());

/// The pattern of Python's regular expressions. What takes more than linear time (look-around, back references) is an error.
pub(in crate::script) fn pattern(text: &str) -> Result<Regex, String> {
    let mut ready = READY.lock().unwrap_or_else(PoisonError::into_inner);
    let at = ready.iter().position(|(known, _)| known == text);
    if let Some(entry) = at.and_then(|at| ready.remove(at)) {
        let regex = entry.1.clone();
        ready.push_front(entry);
        return Ok(regex);
    }
    drop(ready);
    let rewritten = crate::pattern::sought(text)
        .map_err(|reason| format!("the pattern cannot be matched in linear time, or is none: {reason}"))?;
    let regex = RegexBuilder::new(&rewritten).size_limit(SIZE).nest_limit(64).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "the pattern is too large".to_owned(),
        error => error.to_string(),
    })?;
    let mut ready = READY.lock().unwrap_or_else(PoisonError::into_inner);
    ready.push_front((text.to_owned(), regex.clone()));
    ready.truncate(KEPT);
    Ok(regex)
}

/// Python's replacement, `\1` and `\g<name>`, in the form of the engine that is used.
fn replacement(text: &str) -> Result<String, Wrong> {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, letters.peek().copied()) {
            ('$', _) => out.push_str("$$"),
            ('\\', Some(digit)) if digit.is_ascii_digit() => {
                let mut number = String::new();
                while let Some(digit) = letters.next_if(|d| d.is_ascii_digit() && number.len() < 2) {
                    number.push(digit);
                }
                out.push_str(&format!("${{{number}}}"));
            }
            ('\\', Some('g')) => {
                letters.next();
                let name: String = letters.by_ref().skip_while(|c| *c == '<').take_while(|c| *c != '>').collect();
                out.push_str(&format!("${{{name}}}"));
            }
            ('\\', Some(other)) => {
                letters.next();
                out.push(match other {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    '\\' => '\\',
                    other if other.is_ascii_alphabetic() => return Err(format!("\\{other} is no replacement").into()),
                    other => other,
                });
            }
            (other, _) => out.push(other),
        }
    }
    Ok(out)
}

fn matches(value: &str, expression: &str) -> Result<bool, Wrong> {
    Ok(pattern(expression)?.is_match(value))
}

fn replace(value: &str, expression: &str, with: &str) -> Result<String, Wrong> {
    if value.ends_with('\n') && expression.contains('$') {
        return Err("a replacement before the newline at the end cannot be made".into());
    }
    Ok(pattern(expression)?.replace_all(value, replacement(with)?.as_str()).into_owned())
}

/// The entries of a list, those of lists in it in their places.
fn flattened(entries: Array) -> Array {
    let spread = |entry: Dynamic| match entry.is_array() {
        true => flattened(entry.into_array().unwrap_or_default()),
        false => vec![entry],
    };
    entries.into_iter().flat_map(spread).collect()
}

fn slugify(text: &str) -> String {
    let plain: String = text.chars().filter(char::is_ascii).collect::<String>().to_lowercase();
    let kept: String = plain.chars().filter(|c| c.is_alphanumeric() || c.is_whitespace() || "-_".contains(*c)).collect();
    let mut slug = String::with_capacity(kept.len());
    for letter in kept.trim().chars() {
        match letter {
            '-' | ' ' | '\t' | '\n' | '\r' if slug.ends_with('-') => {}
            '-' | ' ' | '\t' | '\n' | '\r' => slug.push('-'),
            other => slug.push(other),
        }
    }
    slug.trim_matches(['-', '_']).to_owned()
}

/// Registers them.
pub(super) fn register(table: &mut Table) {
    table
        .function("regex_match(value: String, pattern: String) -> bool", "Whether the pattern is found anywhere in the text. Look-around and back references are refused: matching takes linear time.", matches)
        .function("regex_replace(value: String, pattern: String, replacement: String) -> String", "The text with every match replaced; `\\1` and `\\g<name>` stand for groups.", replace)
        .function("list_flatten(list: Array) -> Array", "The list with lists in it spread out.", flattened)
        .function("slugify(text: String) -> String", "The text as a slug: lower-case letters, digits, `-` and `_`.", slugify)
        .function("get(map: Map, name: String, default: Dynamic) -> Dynamic", "The value of a name; `default` where there is none.", |map: &mut rhai::Map, name: &str, default: Dynamic| {
            map.get(name).cloned().unwrap_or(default)
        });
}
