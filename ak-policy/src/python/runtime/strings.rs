//! Methods of texts and bytes.

use std::sync::Arc;

use rhai::Dynamic;

use super::arguments::Args;
use super::errors::{Res, raise, type_error, unsupported, value_error};
use super::value::{Py, list, text, tuple, type_name, view, wrap};
use super::{Cx, limits};

/// What Python takes for white space in texts.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

fn text_of(value: &Dynamic) -> Res<String> {
    match view(value) {
        Py::Str(content) => Ok(content.to_string()),
        _ => Err(type_error(format!("must be str, not {}", type_name(value)))),
    }
}

fn texts(items: impl Iterator<Item = String>) -> Dynamic {
    list(items.map(text).collect())
}

/// The texts of an argument that is one, or a tuple of several.
fn affixes(value: &Dynamic) -> Res<Vec<String>> {
    match view(value) {
        Py::Tuple(items) => items.lock().iter().map(text_of).collect(),
        _ => Ok(vec![text_of(value)?]),
    }
}

/// A method of a text.
pub(crate) fn method(cx: &Cx<'_>, content: &str, name: &str, args: &mut Args) -> Res<Option<Dynamic>> {
    let result = match name {
        "lower" => text(lower(content)?),
        "upper" => text(content.to_uppercase()),
        "casefold" if content.is_ascii() => text(content.to_ascii_lowercase()),
        "title" | "capitalize" | "swapcase" | "casefold" if !content.is_ascii() => {
            return Err(unsupported(format!("`{name}` beyond ASCII")));
        }
        "title" => text(title(content)),
        "capitalize" => text(
            content
                .chars()
                .enumerate()
                .map(|(at, c)| if at == 0 { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
                .collect::<String>(),
        ),
        "swapcase" => text(
            content
                .chars()
                .map(|c| if c.is_ascii_uppercase() { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() })
                .collect::<String>(),
        ),
        "strip" | "lstrip" | "rstrip" => strip(content, name, args.optional(0, "chars"))?,
        "startswith" | "endswith" => {
            let affixes = affixes(&args.required(0, "prefix")?)?;
            if args.optional(1, "start").is_some() {
                return Err(unsupported(format!("`{name}` with a start")));
            }
            affixes
                .iter()
                .any(
                    |affix| {
                        if name == "startswith" { content.starts_with(affix.as_str()) } else { content.ends_with(affix.as_str()) }
                    },
                )
                .into()
        }
        "removeprefix" => {
            let affix = text_of(&args.required(0, "prefix")?)?;
            text(content.strip_prefix(affix.as_str()).unwrap_or(content))
        }
        "removesuffix" => {
            let affix = text_of(&args.required(0, "suffix")?)?;
            text(content.strip_suffix(affix.as_str()).unwrap_or(content))
        }
        "split" | "rsplit" => split(content, name == "rsplit", args)?,
        "splitlines" => splitlines(content, args.flag(0, "keepends")?),
        "partition" | "rpartition" => {
            let sep = text_of(&args.required(0, "sep")?)?;
            if sep.is_empty() {
                return Err(value_error("empty separator"));
            }
            let found = if name == "partition" { content.split_once(sep.as_str()) } else { content.rsplit_once(sep.as_str()) };
            let (before, middle, after) = match found {
                Some((before, after)) => (before, sep.as_str(), after),
                None if name == "partition" => (content, "", ""),
                None => ("", "", content),
            };
            tuple(vec![text(before), text(middle), text(after)])
        }
        "join" => {
            let mut out = String::new();
            for (at, item) in super::iterate::collect(cx, &args.required(0, "iterable")?)?.iter().enumerate() {
                let Py::Str(item) = view(item) else {
                    return Err(type_error(format!("sequence item {at}: expected str instance, {} found", type_name(item))));
                };
                if at > 0 {
                    out.push_str(content);
                }
                out.push_str(&item);
                limits::bytes(out.len())?;
            }
            text(out)
        }
        "replace" => {
            let (old, new) = (text_of(&args.required(0, "old")?)?, text_of(&args.required(1, "new")?)?);
            let count = args.integer(2, "count")?.unwrap_or(-1);
            let places = content.matches(old.as_str()).count();
            limits::bytes(content.len().saturating_add(places.saturating_mul(new.len())))?;
            match usize::try_from(count) {
                Ok(count) => text(content.replacen(old.as_str(), &new, count)),
                Err(_) => text(content.replace(old.as_str(), &new)),
            }
        }
        "count" => {
            let part = text_of(&args.required(0, "sub")?)?;
            let count = if part.is_empty() { content.chars().count() + 1 } else { content.matches(part.as_str()).count() };
            integer(count)
        }
        "find" | "rfind" | "index" | "rindex" => {
            let part = text_of(&args.required(0, "sub")?)?;
            let found = if name.starts_with('r') { content.rfind(part.as_str()) } else { content.find(part.as_str()) };
            match found.and_then(|at| content.get(..at)) {
                Some(before) => integer(before.chars().count()),
                None if name.ends_with("index") => return Err(value_error("substring not found")),
                None => Dynamic::from_int(-1),
            }
        }
        "isdigit" | "isnumeric" | "isdecimal" | "isalpha" | "isalnum" | "islower" | "isupper" | "isspace" | "isascii"
        | "isidentifier" | "istitle" => classified(content, name)?.into(),
        "zfill" => {
            let width = args.integer(0, "width")?.unwrap_or(0);
            let missing = usize::try_from(width).unwrap_or(0).saturating_sub(content.chars().count());
            limits::bytes(missing)?;
            let (sign, digits) = if content.starts_with(['+', '-']) { content.split_at(1) } else { ("", content) };
            text(format!("{sign}{}{digits}", "0".repeat(missing)))
        }
        "ljust" | "rjust" | "center" => {
            let width = usize::try_from(args.integer(0, "width")?.unwrap_or(0)).unwrap_or(0);
            let fill = args.optional(1, "fillchar").map_or_else(|| Ok(" ".to_owned()), |fill| text_of(&fill))?;
            if fill.chars().count() != 1 {
                return Err(type_error("The fill character must be exactly one character long"));
            }
            let missing = width.saturating_sub(content.chars().count());
            limits::bytes(missing.saturating_mul(fill.len()))?;
            let left = match name {
                "ljust" => 0,
                "rjust" => missing,
                _ => missing / 2 + (missing & width & 1),
            };
            text(format!("{}{content}{}", fill.repeat(left), fill.repeat(missing - left)))
        }
        "encode" => encode(content, args)?,
        "format" => text(format(cx, content, args)?),
        "expandtabs" | "translate" | "maketrans" | "format_map" => return Err(unsupported(format!("`{name}` of a text"))),
        _ => return Ok(None),
    };
    Ok(Some(result))
}

pub(crate) fn integer(value: usize) -> Dynamic {
    Dynamic::from_int(i64::try_from(value).unwrap_or(i64::MAX))
}

/// Final sigma and other contexts are the same in both languages, as both follow Unicode.
fn lower(content: &str) -> Res<String> {
    Ok(content.to_lowercase())
}

fn title(content: &str) -> String {
    let mut inside = false;
    let letters = content.chars().map(|c| {
        let shown = if inside { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() };
        inside = c.is_ascii_alphabetic();
        shown
    });
    letters.collect()
}

fn strip(content: &str, name: &str, chars: Option<Dynamic>) -> Res {
    let set: Option<Vec<char>> = match chars {
        Some(chars) if !chars.is_unit() => Some(text_of(&chars)?.chars().collect()),
        _ => None,
    };
    let test = |c: char| set.as_ref().map_or_else(|| is_space(c), |set| set.contains(&c));
    let mut rest = content;
    if name != "rstrip" {
        rest = rest.trim_start_matches(test);
    }
    if name != "lstrip" {
        rest = rest.trim_end_matches(test);
    }
    Ok(text(rest))
}

fn split(content: &str, from_right: bool, args: &mut Args) -> Res {
    let sep = args.optional(0, "sep").filter(|sep| !sep.is_unit());
    let most = usize::try_from(args.integer(1, "maxsplit")?.unwrap_or(-1)).unwrap_or(usize::MAX);
    let mut parts: Vec<String> = Vec::new();
    match sep {
        Some(sep) => {
            let sep = text_of(&sep)?;
            if sep.is_empty() {
                return Err(value_error("empty separator"));
            }
            let pieces = most.saturating_add(1);
            if from_right {
                parts.extend(content.rsplitn(pieces, sep.as_str()).map(str::to_owned));
                parts.reverse();
            } else {
                parts.extend(content.splitn(pieces, sep.as_str()).map(str::to_owned));
            }
        }
        None if from_right => {
            let mut rest = content.trim_end_matches(is_space);
            while !rest.is_empty() {
                if parts.len() == most {
                    parts.push(rest.to_owned());
                    break;
                }
                let at = rest.char_indices().rev().find(|(_, c)| is_space(*c)).map_or(0, |(at, c)| at + c.len_utf8());
                let (before, word) = rest.split_at(at);
                parts.push(word.to_owned());
                rest = before.trim_end_matches(is_space);
            }
            parts.reverse();
        }
        None => {
            let mut rest = content.trim_start_matches(is_space);
            while !rest.is_empty() {
                if parts.len() == most {
                    parts.push(rest.to_owned());
                    break;
                }
                let (word, after) = rest.split_at(rest.find(is_space).unwrap_or(rest.len()));
                parts.push(word.to_owned());
                rest = after.trim_start_matches(is_space);
            }
        }
    }
    limits::count(parts.len())?;
    Ok(texts(parts.into_iter()))
}

fn splitlines(content: &str, keep: bool) -> Dynamic {
    let mut lines = Vec::new();
    let mut rest = content;
    while !rest.is_empty() {
        let (end, after) = match rest.char_indices().find(|(_, c)| crate::python::source::is_line_end(*c)) {
            Some((at, '\r')) if rest.get(at..).is_some_and(|rest| rest.starts_with("\r\n")) => (at, at + 2),
            Some((at, c)) => (at, at + c.len_utf8()),
            None => (rest.len(), rest.len()),
        };
        lines.push(rest.get(..if keep { after } else { end }).unwrap_or_default().to_owned());
        rest = rest.get(after..).unwrap_or_default();
    }
    texts(lines.into_iter())
}

fn classified(content: &str, name: &str) -> Res<bool> {
    if name == "isascii" {
        return Ok(content.is_ascii());
    }
    if !content.is_ascii() && name != "isspace" {
        return Err(unsupported(format!("`{name}` beyond ASCII")));
    }
    let each = |test: fn(char) -> bool| !content.is_empty() && content.chars().all(test);
    Ok(match name {
        "isdigit" | "isnumeric" | "isdecimal" => each(|c| c.is_ascii_digit()),
        "isalpha" => each(|c| c.is_ascii_alphabetic()),
        "isalnum" => each(|c| c.is_ascii_alphanumeric()),
        "isspace" => each(is_space),
        "islower" => content.chars().any(|c| c.is_ascii_lowercase()) && !content.chars().any(|c| c.is_ascii_uppercase()),
        "isupper" => content.chars().any(|c| c.is_ascii_uppercase()) && !content.chars().any(|c| c.is_ascii_lowercase()),
        "isidentifier" => !content.starts_with(|c: char| c.is_ascii_digit()) && each(|c| c.is_ascii_alphanumeric() || c == '_'),
        _ => return Err(unsupported(format!("`{name}`"))),
    })
}

fn encode(content: &str, args: &mut Args) -> Res {
    let encoding = args.optional(0, "encoding").map_or_else(|| Ok("utf-8".to_owned()), |name| text_of(&name))?;
    let errors = args.optional(1, "errors").map_or_else(|| Ok("strict".to_owned()), |name| text_of(&name))?;
    let bytes: Vec<u8> = match (encoding.to_ascii_lowercase().replace('_', "-").as_str(), errors.as_str()) {
        ("utf-8" | "utf8", _) => content.bytes().collect(),
        ("ascii" | "us-ascii", "strict") if !content.is_ascii() => {
            return Err(raise("UnicodeEncodeError", "'ascii' codec can't encode characters"));
        }
        ("ascii" | "us-ascii", "strict") => content.bytes().collect(),
        ("ascii" | "us-ascii", "ignore") => content.chars().filter(char::is_ascii).map(|c| c as u8).collect(),
        ("ascii" | "us-ascii", "replace") => content.chars().map(|c| if c.is_ascii() { c as u8 } else { b'?' }).collect(),
        _ => return Err(unsupported("this encoding")),
    };
    Ok(wrap(Py::Bytes(bytes.into())))
}

/// `template.format(…)`, with positions and names, attributes left out.
fn format(cx: &Cx<'_>, template: &str, args: &mut Args) -> Res<String> {
    let mut out = String::new();
    let mut rest = template;
    let mut next = 0_usize;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        limits::bytes(out.len())?;
        if let Some(after) = after.strip_prefix("{{") {
            out.push('{');
            rest = after;
        } else if let Some(after) = after.strip_prefix("}}") {
            out.push('}');
            rest = after;
        } else if let Some(after) = after.strip_prefix('{') {
            let end = after.find(['}', '{']).ok_or_else(|| value_error("expected '}' before end of string"))?;
            let (field, tail) = after.split_at(end);
            let Some(tail) = tail.strip_prefix('}') else { return Err(unsupported("nested fields in `format`")) };
            rest = tail;
            let (selector, spec) = field.split_once(':').unwrap_or((field, ""));
            let (selector, conversion) = selector.split_once('!').unwrap_or((selector, ""));
            if selector.contains(['.', '[']) {
                return Err(unsupported("attributes and items in `format`"));
            }
            let value = if selector.is_empty() {
                next += 1;
                args.at(next - 1)
            } else if let Ok(at) = selector.parse::<usize>() {
                args.at(at)
            } else {
                args.named(selector)
            };
            let value = match value {
                Some(value) => value,
                None if selector.is_empty() || selector.parse::<usize>().is_ok() => {
                    return Err(raise("IndexError", "Replacement index out of range for positional args tuple"));
                }
                None => return Err(super::errors::raise_with("KeyError", vec![text(selector)])),
            };
            out.push_str(&converted(cx, &value, conversion, spec)?);
        } else {
            return Err(value_error("Single '}' encountered in format string"));
        }
    }
    out.push_str(rest);
    args.use_all();
    Ok(out)
}

/// `format(value, spec)` after a conversion `s` or `r`.
pub(crate) fn converted(cx: &Cx<'_>, value: &Dynamic, conversion: &str, spec: &str) -> Res<String> {
    let value = match conversion {
        "s" => text(super::objects::str(cx, value)?),
        "r" => text(super::show::repr(value)?),
        "" => value.clone(),
        _ => return Err(unsupported("this conversion")),
    };
    if spec.is_empty() { super::objects::str(cx, &value) } else { super::show::format(&value, spec) }
}

/// A method of bytes.
pub(crate) fn bytes_method(content: &Arc<[u8]>, name: &str, args: &mut Args) -> Res<Option<Dynamic>> {
    Ok(Some(match name {
        "decode" => {
            let encoding = args.optional(0, "encoding").map_or_else(|| Ok("utf-8".to_owned()), |name| text_of(&name))?;
            let errors = args.optional(1, "errors").map_or_else(|| Ok("strict".to_owned()), |name| text_of(&name))?;
            if !matches!(encoding.to_ascii_lowercase().as_str(), "utf-8" | "utf8" | "utf_8") || errors != "strict" {
                return Err(unsupported("this encoding"));
            }
            match std::str::from_utf8(content) {
                Ok(content) => text(content),
                Err(_) => return Err(raise("UnicodeDecodeError", "'utf-8' codec can't decode bytes")),
            }
        }
        "hex" => text(hex::encode(content)),
        "startswith" | "endswith" => match view(&args.required(0, "prefix")?) {
            Py::Bytes(affix) if name == "startswith" => content.starts_with(&affix).into(),
            Py::Bytes(affix) => content.ends_with(&affix).into(),
            _ => return Err(unsupported("this argument")),
        },
        _ => return Ok(None),
    }))
}
