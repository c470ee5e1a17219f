//! The fuzz targets on a corpus of their own and some thousand mutations of it: the long runs are `tests/fuzz`.

use std::time::{Duration, Instant};

use ak_tests::fuzz::forward_auth::{FORWARD_AUTH_CORPUS, forward_auth};
use ak_tests::fuzz::scripts::{Evaluator, PYTHON_CORPUS, SCRIPT_CORPUS, translator};
use ak_tests::fuzz::{BLUEPRINT_CORPUS, Blueprints, CONFIG_CORPUS, EXECUTOR_CORPUS, Executor, config_yaml};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

/// One change of an input.
#[derive(Debug, Clone)]
enum Change {
    Replace(Index, u8),
    Insert(Index, String),
    Remove(Index, u8),
    Repeat(Index, u8),
    Splice(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let token = prop_oneof![
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("\"".to_owned()),
        Just("\n".to_owned()),
        Just(":".to_owned()),
        Just("\\u0000".to_owned()),
        Just("\\ud800".to_owned()),
        Just("null".to_owned()),
        Just("1e999".to_owned()),
        Just("\"component\":".to_owned()),
        Just("\"password\":".to_owned()),
        Just("&a *a".to_owned()),
        Just("- ".to_owned()),
        Just("!Context ".to_owned()),
        Just("!Enumerate [[1, 2], SEQ, ".to_owned()),
        Just("!Value 0".to_owned()),
        Just("!Format [\"%s\", ".to_owned()),
        Just("<<: ".to_owned()),
        Just("user.".to_owned()),
        Just("request.context".to_owned()),
        Just("\n    ".to_owned()),
        Just("while True:\n    ".to_owned()),
        Just("loop { ".to_owned()),
        Just(" for x in ".to_owned()),
        Just("(((((((((((((((((".to_owned()),
        Just(" * 10 ** 9".to_owned()),
        Just("'%999999999d' % ".to_owned()),
        Just("|x| ".to_owned()),
        Just("return ".to_owned()),
        Just(" == ".to_owned()),
        "\\PC{0,8}",
    ];
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        (any::<Index>(), token).prop_map(|(at, text)| Change::Insert(at, text)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, length)| Change::Remove(at, length)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, length)| Change::Repeat(at, length)),
        (any::<Index>(), any::<Index>()).prop_map(|(at, other)| Change::Splice(at, other)),
    ]
}

fn mutated(corpus: &[&str], seed: Index, changes: &[Change]) -> Vec<u8> {
    let mut data = corpus[seed.index(corpus.len())].as_bytes().to_vec();
    for change in changes {
        let span = |at: &Index, length: u8| {
            let from = at.index(data.len() + 1);
            from..data.len().min(from + usize::from(length))
        };
        match change {
            Change::Replace(at, byte) if !data.is_empty() => {
                let at = at.index(data.len());
                data[at] = *byte;
            }
            Change::Replace(..) => {}
            Change::Insert(at, text) => {
                let at = at.index(data.len() + 1);
                data.splice(at..at, text.bytes());
            }
            Change::Remove(at, length) => drop(data.drain(span(at, *length))),
            Change::Repeat(at, length) => {
                let part = data[span(at, *length)].to_vec();
                data.extend(part);
            }
            Change::Splice(at, other) => {
                data.truncate(at.index(data.len() + 1));
                data.extend(corpus[other.index(corpus.len())].bytes());
            }
        }
    }
    data
}

fn try_mutations(corpus: &'static [&'static str], cases: u32, target: impl Fn(&[u8])) {
    corpus.iter().for_each(|seed| target(seed.as_bytes()));
    let begun = Instant::now();
    loop {
        let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
        let inputs = (any::<Index>(), prop::collection::vec(change(), 1..6));
        let tried = runner.run(&inputs, |(seed, changes)| {
            target(&mutated(corpus, seed, &changes));
            Ok(())
        });
        tried.unwrap_or_else(|error| panic!("{error}"));
        if begun.elapsed() >= longer() {
            return;
        }
    }
}

/// How long a target is tried at the least: `AK_FUZZ_SECONDS`.
fn longer() -> Duration {
    let seconds = std::env::var("AK_FUZZ_SECONDS").map(|seconds| seconds.parse().expect("a number of seconds"));
    Duration::from_secs(seconds.unwrap_or(0))
}

#[test]
fn no_answer_to_the_executor_breaks_the_flow_or_signs_in_without_the_password() {
    let executor = Executor::new();
    try_mutations(EXECUTOR_CORPUS, 3_000, |data| executor.run(data));
}

#[test]
fn no_settings_file_breaks_the_loader() {
    try_mutations(CONFIG_CORPUS, 1_000, config_yaml);
}

#[test]
fn no_blueprint_breaks_the_loader_and_no_plan_writes() {
    let blueprints = Blueprints::new();
    let texts = BLUEPRINT_CORPUS.iter().filter(|text| blueprints.run(text.as_bytes()).is_none());
    assert!(texts.count() >= 5, "some of the corpus can be planned");
    try_mutations(BLUEPRINT_CORPUS, 3_000, |data| drop(blueprints.run(data)));
}

#[test]
fn no_expression_breaks_the_translator() {
    try_mutations(PYTHON_CORPUS, 3_000, translator);
}

#[test]
fn no_expression_breaks_the_evaluator_or_is_remembered_wrongly() {
    let evaluator = Evaluator::new();
    let answered = SCRIPT_CORPUS.iter().filter(|text| evaluator.run(text.as_bytes()));
    assert!(answered.count() >= SCRIPT_CORPUS.len() / 2, "most of the corpus gives an answer");
    try_mutations(SCRIPT_CORPUS, 2_000, |data| {
        evaluator.run(data);
    });
}

#[test]
fn no_header_and_no_wish_leads_a_browser_elsewhere() {
    try_mutations(FORWARD_AUTH_CORPUS, 5_000, forward_auth);
}
