//! The sentences of the pages: a table of keys, one file per language in `web/messages/`.

use std::collections::HashMap;
use std::sync::LazyLock;

/// One language.
#[derive(Debug)]
pub(super) struct Messages {
    /// The language of the sentences, for `<html lang>`: what the person asked for is of no use to a screen reader that has to
    /// pronounce English.
    pub(super) lang: &'static str,
    entries: HashMap<&'static str, &'static str>,
}

static ENGLISH: LazyLock<Messages> =
    LazyLock::new(|| Messages { lang: "en", entries: parse(include_str!("../../web/messages/en.ftl")) });

impl Messages {
    /// The table that fits a language tag best. There is only English as yet.
    pub(super) fn for_lang(_lang: &str) -> &'static Messages {
        &ENGLISH
    }

    /// Whether text of this language runs from right to left.
    pub(super) fn dir(&self) -> &'static str {
        if matches!(self.lang, "ar" | "fa" | "he" | "ur") { "rtl" } else { "ltr" }
    }

    /// The sentence of a key, its `{ $name }` filled in; `None` for an unknown key.
    pub(super) fn get(&self, key: &str, arguments: &[(&str, &str)]) -> Option<String> {
        self.entries.get(key).map(|pattern| fill(pattern, arguments))
    }
}

fn parse(text: &'static str) -> HashMap<&'static str, &'static str> {
    let entries = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" = "));
    entries.map(|(key, value)| (key.trim(), value.trim())).collect()
}

/// Goes through the pattern once, so that a value which itself contains `{ $other }` stays text.
fn fill(pattern: &str, arguments: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(pattern.len() + 32);
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once("{ $") {
        out.push_str(before);
        let Some((name, tail)) = after.split_once(" }") else { break };
        out.push_str(arguments.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value));
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_message_and_no_key_is_there_twice() {
        let lines = include_str!("../../web/messages/en.ftl").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        assert_eq!(lines.count(), ENGLISH.entries.len());
    }

    #[test]
    fn values_are_filled_in_once() {
        assert_eq!(fill("a { $x } b { $y }", &[("x", "{ $y }"), ("y", "2")]), "a { $y } b 2");
        assert_eq!(Messages::for_lang("de").get("source", &[("name", "Git")]).unwrap(), "Continue with Git");
        assert!(Messages::for_lang("en").get("no-such-key", &[]).is_none());
    }
}
