//! Variants of real policies: renamed, re-indented, re-quoted, wrapped. None changes what is decided.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use super::community::{policies, situations};
use super::stubs::{Case, cpython, ours};

#[derive(Debug, Clone, Copy)]
enum Change {
    Rename(u8),
    Indent(u8),
    Quotes,
    If,
    Brackets,
    Comments,
    Try,
}

/// The variables that the policies make.
const VARIABLES: &[&str] = &[
    "now",
    "blocked_ips",
    "allowed",
    "net",
    "geo",
    "domain",
    "email",
    "data",
    "wanted",
    "names",
    "avatar",
    "username",
    "age",
    "agent",
    "roles",
    "digest",
    "until",
];

fn apply(source: &str, change: Change) -> String {
    match change {
        Change::Rename(seed) => VARIABLES.iter().enumerate().fold(source.to_owned(), |source, (at, name)| {
            let new = ["this", "fn_", "_x", "let", "größe", "Value", "py_list", "v_a", "switch"][(usize::from(seed) + at) % 9];
            rename(&source, name, &format!("{new}{at}"))
        }),
        Change::Indent(by) => indented(source, usize::from(by)),
        Change::Quotes => {
            if source.contains('\'') {
                source.to_owned()
            } else {
                source.replace("f\"", "f'").replace('"', "'")
            }
        }
        Change::If => format!("if True:\n{}", shifted(source)),
        Change::Brackets => source
            .lines()
            .map(|line| {
                let body = line.trim_start();
                match body.strip_prefix("return ") {
                    Some(value) if balanced(value) && !value.is_empty() => {
                        format!("{}return ({value})\n", &line[..line.len() - body.len()])
                    }
                    _ => format!("{line}\n"),
                }
            })
            .collect(),
        Change::Comments => source
            .lines()
            .map(|line| if balanced(line) { format!("{line}  # a note\n\n") } else { format!("{line}\n") })
            .collect(),
        Change::Try => format!("try:\n{}\nexcept ZeroDivisionError:\n    return 'never'", shifted(source)),
    }
}

/// Blocks by other steps; lines within brackets stand where they stand.
fn indented(source: &str, by: usize) -> String {
    let mut widths = vec![0];
    let mut open = 0;
    let mut out = String::new();
    for line in source.lines() {
        let body = line.trim_start_matches(' ');
        let width = line.len() - body.len();
        if open == 0 && !body.is_empty() {
            while widths.last().is_some_and(|last| *last > width) {
                widths.pop();
            }
            if widths.last() != Some(&width) {
                widths.push(width);
            }
            out.push_str(&" ".repeat((widths.len() - 1) * by));
        }
        let count = |set: [char; 3]| i32::try_from(body.chars().filter(|c| set.contains(c)).count()).unwrap();
        open += count(['(', '[', '{']) - count([')', ']', '}']);
        out.push_str(body);
        out.push('\n');
    }
    out
}

fn shifted(source: &str) -> String {
    source.lines().map(|line| format!("    {line}\n")).collect()
}

/// Whether a line closes what it opens.
fn balanced(line: &str) -> bool {
    let count = |set: [char; 3]| line.chars().filter(|c| set.contains(c)).count();
    count(['(', '[', '{']) == count([')', ']', '}']) && !line.trim_end().ends_with(',') && !line.contains('#')
}

/// Renames a variable, not attributes, keywords or texts.
fn rename(source: &str, old: &str, new: &str) -> String {
    let mut out = String::new();
    let mut rest = source;
    let mut quote = None;
    while let Some(c) = rest.chars().next() {
        let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if word.is_empty() {
            match (quote, c) {
                (None, '"' | '\'') => quote = Some(c),
                (Some(open), c) if open == c => quote = None,
                _ => {}
            }
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        // Braces in an f-string hold code.
        let code = quote.is_none() || (out.ends_with('{') && rest[word.len()..].starts_with('}'));
        let attribute = out.ends_with('.');
        let keyword = out.ends_with('(') && rest[word.len()..].starts_with('=') && !rest[word.len()..].starts_with("==");
        out.push_str(if word == old && code && !attribute && !keyword { new } else { &word });
        rest = &rest[word.len()..];
    }
    out
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        any::<u8>().prop_map(Change::Rename),
        (1_u8..8).prop_map(Change::Indent),
        Just(Change::Quotes),
        Just(Change::If),
        Just(Change::Brackets),
        Just(Change::Comments),
        Just(Change::Try),
    ]
}

#[test]
fn two_hundred_variants_change_neither_success_nor_decision() {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let policies = policies();
    let mut cases = Vec::new();
    let mut originals = Vec::new();
    for at in 0..200 {
        let policy = policies[at % policies.len()];
        let changes = prop::collection::vec(change(), 1..5).new_tree(&mut runner).unwrap().current();
        let mut source = changes.iter().fold(policy.to_owned(), |source, change| apply(&source, *change));
        if source.lines().count() < 2 && source == policy {
            source = apply(&source, Change::If);
        }
        for (variant, original) in situations(&source).into_iter().zip(situations(policy)) {
            cases.push(variant);
            originals.push(original);
        }
    }
    let changed = cases.iter().zip(&originals).filter(|(variant, original)| variant.source != original.source).count();
    assert!(changed > 500, "only {changed} of {} are variants", cases.len());
    let expected: Vec<Value> = cpython(&originals);
    for ((case, original), expected) in cases.iter().zip(&originals).zip(expected) {
        let Case { source, .. } = case;
        let ours = ours(case).unwrap_or_else(|flags| panic!("flagged: {flags}\n{source}\n--- from\n{}", original.source));
        assert_eq!(ours, expected, "{source}\n--- from\n{}", original.source);
    }
}
