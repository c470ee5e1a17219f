//! Blueprints that want too much: each is refused in words, soon, and in little memory.

use std::time::{Duration, Instant};

use ak_flows::blueprint::{Blueprint, load};
use ak_tests::fuzz::Blueprints;

/// How long one of them may take at the most, on a machine that does other things too.
const SOON: Duration = Duration::from_secs(20);

/// An entry whose identifier is `value`.
fn entry(context: &str, value: &str) -> String {
    format!("{context}\nentries:\n- model: authentik_stages_dummy.dummystage\n  identifiers:\n    name: {value}\n")
}

/// `inner` with `before` and `after` around it, so many times.
fn around(before: &str, times: usize, inner: &str, after: &str) -> String {
    format!("{}{inner}{}", before.repeat(times), after.repeat(times))
}

/// Ten names, each for a list of ten of the one before.
fn billion_laughs() -> String {
    let mut text = "a0: &a0 lol\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    format!("{text}entries: []\n")
}

/// The same by `<<`, which copies keys.
fn merging_laughs() -> String {
    let keys = (0..500).map(|n| format!("k{n}: v")).collect::<Vec<_>>().join(", ");
    let mut text = format!("m0: &m0 {{{keys}}}\n");
    for level in 1..8 {
        let aliases = vec![format!("*m{}", level - 1); 20].join(", ");
        text.push_str(&format!("m{level}: &m{level} {{x{level}: [{aliases}], <<: [{aliases}]}}\n"));
    }
    format!("{text}entries: []\n")
}

/// The same by the items of loops: what a loop gives is copied a hundred times by the next one.
fn loop_laughs() -> String {
    let body = format!("[{}]", vec!["!Value 0"; 100].join(", "));
    let mut value = "x".to_owned();
    for _ in 0..12 {
        value = format!("!Enumerate [[{value}], SEQ, {body}]");
    }
    entry("", &value)
}

/// The same by the values of the context.
fn context_laughs() -> String {
    let mut context = "context:\n  c0: x\n".to_owned();
    for level in 1..10 {
        let values = vec![format!("!Context c{}", level - 1); 20].join(", ");
        context.push_str(&format!("  c{level}: [{values}]\n"));
    }
    entry(&context, "!Format [\"%s\", !Context c9]")
}

fn rows() -> Vec<(&'static str, String, &'static str)> {
    let letters = "x".repeat(500_000);
    vec![
        ("aliases of aliases", billion_laughs(), "with its aliases written out, this holds more than"),
        ("merges of merges", merging_laughs(), "with its aliases written out, this holds more than"),
        ("an alias inside of itself", "a: &a [*a]\nentries: []\n".into(), "the alias stands inside of what it refers to"),
        ("deep lists", format!("entries: {}", around("[", 100_000, "", "]")), "recursion limit"),
        ("deep lists that do not end", format!("entries: {}", "[".repeat(1_000_000)), "recursion limit"),
        ("deep mappings", around("{a: ", 10_000, "b", "}"), "recursion limit"),
        ("deep mappings in blocks", (0..2_000).map(|n| format!("{}a:\n", " ".repeat(n))).collect(), "deep"),
        ("deep keys", format!("{}entries: []", "? ".repeat(10_000)), "deep"),
        ("deep tags", entry("", &around("!If [true, ", 10_000, "x", ", y]")), "deep"),
        ("a long number", entry("", &format!("!If [{}, a, 7]", "9".repeat(1_000_000))), ""),
        ("a long float", entry("", &format!("!Format [\"%d\", 1.{}]", "9".repeat(1_000_000))), ""),
        ("a float beyond all", entry("", "!Format [\"%d\", 1.0e+999]"), "%d takes a number"),
        ("a long key", format!("? {}\n: 1\nentries: []\n", "k".repeat(2_000_000)), ""),
        ("a long plain key", format!("{}: 1\nentries: []\n", "k".repeat(2_000_000)), ":"),
        ("a wide number", entry("", "!Format [\"%999999999d\", 1]"), "a width of more than 1000 is refused"),
        ("a precise number", entry("", "!Format [\"%.999999999f\", 1]"), "a width of more than 1000 is refused"),
        (
            "many wide numbers",
            entry("", &format!("!Format [\"{}\"{}]", "%1000d".repeat(50_000), ", 1".repeat(50_000))),
            "the text grows longer than",
        ),
        (
            "long texts in a loop",
            entry("", &format!("!Enumerate [[{}], SEQ, {letters}]", vec!["1"; 100_000].join(","))),
            "values have to be worked out",
        ),
        (
            "long texts in a format",
            entry(&format!("context: {{l: {letters}}}"), &format!("!Format [\"%s%s%s\"{}]", ", !Context l".repeat(3))),
            "the text grows longer than",
        ),
        (
            "loops in loops",
            entry(
                &format!("context: {{l: [{}]}}", vec!["1"; 200].join(",")),
                &around("!Enumerate [!Context l, SEQ, ", 8, "!Index 0", "]"),
            ),
            "values have to be worked out",
        ),
        ("loops over loops", loop_laughs(), "values have to be worked out"),
        ("contexts of contexts", context_laughs(), "values have to be worked out"),
        ("a context in itself", entry("context: {a: !Context a}", "!Context a"), "deep into each other"),
        (
            "contexts in a circle",
            entry("context: {a: [!Context b, !Context b], b: [!Context a, !Context a]}", "!Context a"),
            "deep into each other",
        ),
        ("deep JSON", entry("", &format!("!ParseJSON '{}'", "[".repeat(100_000))), "this is not JSON"),
        ("fifty megabytes", "#".repeat(50 << 20), "the file has 52428800 bytes; at the most"),
        ("two documents", "entries: []\n---\nentries: []\n".into(), "a blueprint is one document"),
        ("many anchors", (0..150_000).map(|n| format!("- &a{n} x\n")).collect(), "a blueprint is a mapping"),
        ("many problems", format!("entries: [{}]", vec!["1"; 150_000].join(",")), "an entry is a mapping"),
    ]
}

#[test]
fn a_blueprint_that_wants_too_much_is_refused_soon() {
    let blueprints = Blueprints::new();
    let mut wrong = Vec::new();
    for (name, text, why) in rows() {
        let begun = Instant::now();
        let told = blueprints.run(text.as_bytes());
        let took = begun.elapsed();
        let fits = told.as_ref().map_or(why.is_empty(), |told| told.contains(why));
        if !fits || took > SOON {
            let told = told.unwrap_or_else(|| "it can be planned".into());
            wrong.push(format!("{name} ({took:?}): {}", told.chars().take(300).collect::<String>()));
        }
        println!("{took:>12?}  {name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The memory of the whole test, with everything that was there at once.
    let status = std::fs::read_to_string("/proc/self/status").expect("the figures of this process");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the peak");
    let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    println!("at the most {} MB", kilobytes >> 10);
    assert!(kilobytes < 1 << 20, "{kilobytes} kB at the most");
}

#[tokio::test]
async fn a_file_that_is_too_long_or_never_ends_is_not_read_to_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let large = folder.path().join("large.yaml");
    // Nothing but a hole: it takes no room.
    std::fs::File::create(&large).and_then(|file| file.set_len(50 << 20)).expect("a file");
    for file in [large.as_path(), std::path::Path::new("/dev/zero")] {
        let error = load(file, "large.yaml").await.expect_err("too large").to_string();
        assert!(error.contains("the file is too large: at the most"), "{error}");
    }
}

#[test]
fn a_large_blueprint_that_is_right_can_be_planned() {
    let mut text = "entries:\n".to_owned();
    for number in 0..2_000 {
        text.push_str(&format!("- model: authentik_stages_dummy.dummystage\n  identifiers: {{name: stage {number}}}\n"));
    }
    let begun = Instant::now();
    assert!(Blueprint::parse("large.yaml", &text).is_ok());
    assert_eq!(Blueprints::new().run(text.as_bytes()), None);
    assert!(begun.elapsed() < SOON * 2, "{:?}", begun.elapsed());
}
