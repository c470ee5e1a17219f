//! Differences, for people.

use serde_json::Value;

/// How two values differ, line by line: `-` was expected, `+` is there.
pub(super) fn diff(what: &str, wanted: &Value, got: &Value) -> String {
    let (wanted, got) = (pretty(wanted), pretty(got));
    let (wanted, got): (Vec<&str>, Vec<&str>) = (lines(&wanted), lines(&got));
    let mut text = format!("{what}: - expected, + got");
    for (mark, line) in edits(&wanted, &got) {
        text.push_str(&format!("\n  {mark} {line}"));
    }
    text
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

/// Without the commas at the ends: the last line of a list would differ from the same line in a longer one.
fn lines(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.trim_end_matches(',')).collect()
}

/// Turns one list of lines into another one, keeping what they share: of two lines that differ, the one that returns sooner on the
/// other side waits for it.
fn edits<'a>(mut from: &[&'a str], mut to: &[&'a str]) -> Vec<(char, &'a str)> {
    let mut edits = Vec::new();
    while let (Some((a, rest)), Some((b, others))) = (from.split_first(), to.split_first()) {
        let gap = |line: &str, lines: &[&str]| lines.iter().position(|other| *other == line).unwrap_or(usize::MAX);
        if a == b {
            edits.push((' ', *a));
            (from, to) = (rest, others);
        } else if gap(a, others) < gap(b, rest) {
            edits.push(('+', *b));
            to = others;
        } else {
            edits.push(('-', *a));
            from = rest;
        }
    }
    edits.extend(from.iter().map(|line| ('-', *line)));
    edits.extend(to.iter().map(|line| ('+', *line)));
    edits
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::diff;

    #[test]
    fn what_is_the_same_stays_and_the_rest_is_marked() {
        let text = diff("messages", &json!(["a", "b", "c"]), &json!(["a", "x", "c", "d"]));
        let marks: Vec<&str> = text.lines().skip(1).map(|line| line.split('"').next().unwrap_or("").trim_end()).collect();
        assert_eq!(marks, ["    [", "", "  -", "  +", "", "  +", "    ]"], "{text}");
    }
}
