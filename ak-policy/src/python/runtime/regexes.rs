//! `re`, in linear time.

use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use rhai::Dynamic;

use super::arguments::Args;
use super::errors::{Res, raise, type_error, unsupported};
use super::value::{Py, list, text, tuple, type_name, view, wrap};
use super::{Cx, limits};
use crate::pattern::{self, Flags};

const IGNORE_CASE: i64 = 2;
const MULTI_LINE: i64 = 8;
const DOT_ALL: i64 = 16;

/// The value of a flag of `re`.
pub(crate) fn flag(path: &str) -> Option<i64> {
    Some(match path {
        "re.IGNORECASE" | "re.I" => IGNORE_CASE,
        "re.MULTILINE" | "re.M" => MULTI_LINE,
        "re.DOTALL" | "re.S" => DOT_ALL,
        "re.UNICODE" | "re.U" => 32,
        _ => return None,
    })
}

/// A compiled pattern.
#[derive(Clone)]
pub(crate) struct Pattern(Arc<Compiled>);

struct Compiled {
    source: String,
    regex: Regex,
    /// The whole text has to match.
    full: Regex,
    /// The beginning has to match.
    start: Regex,
    end_of_text: bool,
    ascii_only: bool,
}

/// A match.
#[derive(Clone)]
pub(crate) struct Found(Arc<Groups>);

struct Groups {
    names: Vec<Option<String>>,
    /// Content, and first and last position in characters.
    groups: Vec<Option<(String, usize, usize)>>,
}

fn compile(source: &str, flags: i64) -> Res<Pattern> {
    if flags & !(IGNORE_CASE | MULTI_LINE | DOT_ALL | 32) != 0 {
        return Err(unsupported("this flag of a regular expression"));
    }
    let flags =
        Flags { ignore_case: flags & IGNORE_CASE != 0, multi_line: flags & MULTI_LINE != 0, dot_all: flags & DOT_ALL != 0 };
    let rewritten = pattern::translate(source, flags.multi_line)
        .map_err(|reason| unsupported(format!("the regular expression {source:?}: {reason}")))?;
    if flags.ignore_case && !source.is_ascii() {
        return Err(unsupported("a regular expression without case beyond ASCII"));
    }
    let build = |text: &str| {
        RegexBuilder::new(text)
            .case_insensitive(flags.ignore_case)
            .multi_line(flags.multi_line)
            .dot_matches_new_line(flags.dot_all)
            .size_limit(1 << 20)
            .nest_limit(64)
            .build()
            .map_err(|error| unsupported(format!("the regular expression {source:?}: {error}")))
    };
    Ok(Pattern(Arc::new(Compiled {
        source: source.to_owned(),
        regex: build(&rewritten.text)?,
        full: build(&format!(r"\A(?:{})\z", rewritten.text))?,
        start: build(&format!(r"\A(?:{})", rewritten.text))?,
        end_of_text: rewritten.end_of_text,
        ascii_only: rewritten.ascii_only || flags.ignore_case,
    })))
}

fn text_of(value: &Dynamic) -> Res<String> {
    match view(value) {
        Py::Str(content) => Ok(content.to_string()),
        _ => Err(type_error(format!("expected string or bytes-like object, got '{}'", type_name(value)))),
    }
}

fn pattern_of(value: &Dynamic, flags: Option<i64>) -> Res<Pattern> {
    match view(value) {
        Py::Pattern(pattern) if flags.is_none() => Ok(pattern),
        Py::Str(source) => compile(&source, flags.unwrap_or(0)),
        _ => Err(type_error("first argument must be string or compiled pattern")),
    }
}

impl Pattern {
    pub(crate) fn source(&self) -> &str {
        &self.0.source
    }

    /// Whether both engines agree on this text.
    fn admits(&self, subject: &str) -> Res<()> {
        if self.0.end_of_text && subject.ends_with('\n') {
            return Err(unsupported("`$` with a text that ends in a line feed"));
        }
        if self.0.ascii_only && !subject.is_ascii() {
            return Err(unsupported("`\\b` or a pattern without case with a text beyond ASCII"));
        }
        Ok(())
    }

    fn run(&self, kind: &str, subject: &str) -> Res {
        self.admits(subject)?;
        let regex = match kind {
            "search" => &self.0.regex,
            "match" => &self.0.start,
            _ => &self.0.full,
        };
        Ok(regex.captures(subject).map_or(Dynamic::UNIT, |captures| self.found(subject, &captures)))
    }

    fn found(&self, subject: &str, captures: &regex::Captures<'_>) -> Dynamic {
        let groups = captures.iter().map(|group| {
            group.map(|group| {
                let start = subject.get(..group.start()).map_or(0, |before| before.chars().count());
                (group.as_str().to_owned(), start, start + group.as_str().chars().count())
            })
        });
        let names = self.0.regex.capture_names().map(|name| name.map(str::to_owned)).collect();
        wrap(Py::Found(Found(Arc::new(Groups { names, groups: groups.collect() }))))
    }

    /// All matches as Python finds them: an empty one may follow another at once.
    fn each<'t>(&self, subject: &'t str, mut visit: impl FnMut(regex::Captures<'t>) -> Res<bool>) -> Res<()> {
        self.admits(subject)?;
        let mut at = 0;
        let mut last_empty = None;
        let mut count = 0;
        while at <= subject.len() {
            let Some(captures) = self.0.regex.captures_at(subject, at) else { break };
            let Some(whole) = captures.get(0) else { break };
            if whole.is_empty() && last_empty == Some(whole.start()) {
                // After an empty match the next has to go on.
                at = subject.get(at..).and_then(|rest| rest.chars().next()).map_or(subject.len() + 1, |c| at + c.len_utf8());
                last_empty = None;
                continue;
            }
            limits::count(count)?;
            count += 1;
            if whole.is_empty() && self.0.source.contains(['|', '?']) {
                // Python would now look for another match at the same place that is not empty.
                return Err(unsupported("a search for all matches, where one is empty and another way to match is offered"));
            }
            at = whole.end();
            last_empty = whole.is_empty().then_some(whole.end());
            if !visit(captures)? {
                break;
            }
        }
        Ok(())
    }

    fn substitute(&self, cx: &Cx<'_>, replacement: &Dynamic, subject: &str, most: i64) -> Res<(String, i64)> {
        let _ = cx;
        let template = parse_template(&text_of(replacement)?, &self.0.regex)?;
        let mut out = String::new();
        let (mut last, mut count) = (0, 0);
        self.each(subject, |captures| {
            if let Some(whole) = captures.get(0) {
                out.push_str(subject.get(last..whole.start()).unwrap_or_default());
                for part in &template {
                    match part {
                        Part::Text(text) => out.push_str(text),
                        Part::Group(group) => out.push_str(captures.get(*group).map_or("", |group| group.as_str())),
                    }
                }
                last = whole.end();
            }
            limits::bytes(out.len())?;
            count += 1;
            Ok(most <= 0 || count < most)
        })?;
        out.push_str(subject.get(last..).unwrap_or_default());
        Ok((out, count))
    }
}

enum Part {
    Text(String),
    Group(usize),
}

/// The replacement of `sub`, with its escapes.
fn parse_template(template: &str, regex: &Regex) -> Res<Vec<Part>> {
    let mut parts = vec![];
    let mut chars = template.chars().peekable();
    let mut plain = String::new();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        let group = match chars.next() {
            Some('n') => {
                plain.push('\n');
                continue;
            }
            Some('t') => {
                plain.push('\t');
                continue;
            }
            Some('\\') => {
                plain.push('\\');
                continue;
            }
            Some(digit @ '1'..='9') if !chars.peek().is_some_and(char::is_ascii_digit) => {
                digit.to_digit(10).and_then(|digit| usize::try_from(digit).ok())
            }
            Some('g') if chars.next_if_eq(&'<').is_some() => {
                let name: String = chars.by_ref().take_while(|c| *c != '>').collect();
                name.parse().ok().or_else(|| regex.capture_names().position(|known| known == Some(&name)))
            }
            _ => return Err(unsupported("this escape in a replacement")),
        };
        match group.filter(|group| *group < regex.captures_len()) {
            Some(group) => {
                parts.push(Part::Text(std::mem::take(&mut plain)));
                parts.push(Part::Group(group));
            }
            None => return Err(raise("re.error", "invalid group reference")),
        }
    }
    parts.push(Part::Text(plain));
    Ok(parts)
}

/// A function of the module. `None`: there is none of that name.
pub(crate) fn function(cx: &Cx<'_>, path: &str, args: &mut Args) -> Option<Res> {
    Some(match path {
        "re.escape" => args.required(0, "pattern").and_then(|value| text_of(&value)).map(|content| text(escaped(&content))),
        "regex_match" => (|| {
            let value = args.required(0, "value")?;
            let pattern = pattern_of(&args.required(1, "regex")?, None)?;
            Ok((!pattern.run("search", &text_of(&value)?)?.is_unit()).into())
        })(),
        "regex_replace" => (|| {
            let value = args.required(0, "value")?;
            let pattern = pattern_of(&args.required(1, "regex")?, None)?;
            let replacement = args.required(2, "repl")?;
            Ok(text(pattern.substitute(cx, &replacement, &text_of(&value)?, 0)?.0))
        })(),
        _ => {
            let name = path.strip_prefix("re.")?;
            if !matches!(name, "compile" | "search" | "match" | "fullmatch" | "findall" | "finditer" | "sub" | "subn" | "split") {
                return None;
            }
            (|| {
                let source = args.required(0, "pattern")?;
                let at = match name {
                    "compile" => 1,
                    "sub" | "subn" => 4,
                    "split" => 3,
                    _ => 2,
                };
                let flags = args.integer(at, "flags")?;
                let pattern = pattern_of(&source, flags)?;
                if name == "compile" {
                    return Ok(wrap(Py::Pattern(pattern)));
                }
                let shifted = args.rest();
                let keywords = args.pairs().into_iter().flat_map(|(key, value)| [text(key), value]).collect();
                let mut inner = Args::new(name, shifted, keywords);
                let result = method(cx, &pattern, name, &mut inner)?.ok_or_else(|| unsupported(path))?;
                inner.finish()?;
                Ok(result)
            })()
        }
    })
}

/// `re.escape`.
fn escaped(content: &str) -> String {
    let mut out = String::new();
    for c in content.chars() {
        if "()[]{}?*+-|^$\\.&~# \t\n\r\x0b\x0c".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// What one match gives in `findall`.
fn in_list(captures: &regex::Captures<'_>) -> Dynamic {
    let group = |at: usize| text(captures.get(at).map_or("", |group| group.as_str()));
    match captures.len() {
        1 => group(0),
        2 => group(1),
        several => tuple((1..several).map(group).collect()),
    }
}

/// A method of a pattern.
pub(crate) fn method(cx: &Cx<'_>, pattern: &Pattern, name: &str, args: &mut Args) -> Res<Option<Dynamic>> {
    let at = if matches!(name, "sub" | "subn") { 1 } else { 0 };
    if !matches!(name, "search" | "match" | "fullmatch" | "findall" | "finditer" | "sub" | "subn" | "split") {
        return Ok(None);
    }
    let subject = text_of(&args.required(at, "string")?)?;
    Ok(Some(match name {
        "search" | "match" | "fullmatch" => pattern.run(name, &subject)?,
        "findall" | "finditer" => {
            let mut all = Vec::new();
            pattern.each(&subject, |captures| {
                all.push(if name == "findall" { in_list(&captures) } else { pattern.found(&subject, &captures) });
                Ok(true)
            })?;
            list(all)
        }
        "sub" | "subn" => {
            let replacement = args.required(0, "repl")?;
            let most = args.integer(2, "count")?.unwrap_or(0);
            let (out, count) = pattern.substitute(cx, &replacement, &subject, most)?;
            if name == "sub" { text(out) } else { tuple(vec![text(out), count.into()]) }
        }
        _ => {
            let most = args.integer(1, "maxsplit")?.unwrap_or(0);
            let mut parts = Vec::new();
            let (mut last, mut count) = (0, 0);
            pattern.each(&subject, |captures| {
                if let Some(whole) = captures.get(0) {
                    parts.push(text(subject.get(last..whole.start()).unwrap_or_default()));
                    parts.extend(
                        (1..captures.len()).map(|at| captures.get(at).map_or(Dynamic::UNIT, |group| text(group.as_str()))),
                    );
                    last = whole.end();
                }
                count += 1;
                Ok(most <= 0 || count < most)
            })?;
            parts.push(text(subject.get(last..).unwrap_or_default()));
            list(parts)
        }
    }))
}

impl Found {
    fn position(&self, key: &Dynamic) -> Res<usize> {
        let found = match view(key) {
            Py::Int(at) => usize::try_from(at).ok().filter(|at| *at < self.0.groups.len()),
            Py::Str(name) => self.0.names.iter().position(|known| known.as_deref() == Some(name.as_str())),
            _ => None,
        };
        found.ok_or_else(|| raise("IndexError", "no such group"))
    }

    pub(crate) fn group(&self, key: &Dynamic) -> Res {
        let at = self.position(key)?;
        Ok(self.at(at))
    }

    fn at(&self, at: usize) -> Dynamic {
        self.0.groups.get(at).cloned().flatten().map_or(Dynamic::UNIT, |(content, ..)| text(content))
    }

    pub(crate) fn method(&self, _cx: &Cx<'_>, name: &str, args: &mut Args) -> Res<Option<Dynamic>> {
        let zero = Dynamic::from_int(0);
        Ok(Some(match name {
            "group" => {
                let keys = args.rest();
                match keys.as_slice() {
                    [] => self.group(&zero)?,
                    [one] => self.group(one)?,
                    several => tuple(several.iter().map(|key| self.group(key)).collect::<Res<_>>()?),
                }
            }
            "groups" => {
                let default = args.optional(0, "default").unwrap_or_default();
                tuple(
                    (1..self.0.groups.len())
                        .map(|at| self.at(at))
                        .map(|value| if value.is_unit() { default.clone() } else { value })
                        .collect(),
                )
            }
            "groupdict" => {
                let named = self.0.names.iter().enumerate().filter_map(|(at, name)| Some((text(name.clone()?), self.at(at))));
                super::value::dict(named)?
            }
            "start" | "end" | "span" => {
                let at = self.position(&args.optional(0, "group").unwrap_or(zero))?;
                let (start, end) =
                    self.0.groups.get(at).cloned().flatten().map_or((-1, -1), |(_, start, end)| {
                        (i64::try_from(start).unwrap_or(-1), i64::try_from(end).unwrap_or(-1))
                    });
                match name {
                    "start" => start.into(),
                    "end" => end.into(),
                    _ => tuple(vec![start.into(), end.into()]),
                }
            }
            _ => return Ok(None),
        }))
    }
}
