//! Whatever the input: no panic, and what is translated compiles.

use ak_policy::python::translate;
use proptest::prelude::*;

use super::community::policies;
use super::stubs::engine;

const PIECES: &[&str] = &[
    "x",
    "y",
    "user",
    "request",
    "1",
    "2.5",
    "'a'",
    "f'{x}'",
    "None",
    "True",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ":",
    ",",
    ".",
    " = ",
    " == ",
    " + ",
    " not ",
    " in ",
    " is ",
    " if ",
    " else ",
    " for ",
    " and ",
    " or ",
    "\n",
    "\n    ",
    "return ",
    "if x:\n    ",
    "for x in y:\n    ",
    "lambda x: ",
    "len(",
    "sorted(",
    ".name",
    ".get(",
    "[0]",
    "[1:]",
    "*",
    "**",
    " := ",
    "try:\n    ",
    "except Exception as e:\n    ",
    "import re\n",
    "any(",
    "-",
    "~",
    "yield ",
    "\\",
    "#",
    "'''",
    "\"",
    "\u{e9}",
    "\r",
    "\x0c",
    "while x:\n    ",
    "break",
    "continue",
    "del x[0]",
    "x += 1",
    "assert ",
    "raise ",
    "with ",
    "def f(): ",
    "@",
];

fn check(source: &str) {
    if let Ok(translation) = translate(source) {
        let engine = engine("2026-11-18T08:00:00Z");
        engine.compile(&translation.rhai).unwrap_or_else(|error| panic!("{error}\n{source}\n--- is\n{}", translation.rhai));
        assert_eq!(translation.lines.len(), translation.rhai.lines().count(), "{source}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_of_python(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..24)) {
        check(&pieces.concat());
    }

    #[test]
    fn mutilated_policies(at in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>(), piece in prop::sample::select(PIECES), length in 0_usize..6) {
        let policies = policies();
        let letters: Vec<char> = at.get(&policies).chars().collect();
        let cut = cut.index(letters.len());
        let mutilated: String = letters[..cut].iter().copied().chain(piece.chars()).chain(letters[(cut + length).min(letters.len())..].iter().copied()).collect();
        check(&mutilated);
    }

    #[test]
    fn any_text(text in "\\PC{0,60}") {
        check(&text);
    }
}

#[test]
fn expressions_at_the_limit_of_depth_compile() {
    for (open, close) in [
        ("[", "]"),
        ("len(", ")"),
        ("not (", ")"),
        ("{'a': ", "}"),
        ("(1 if x else ", ")"),
        ("[y for y in ", "]"),
        ("sorted(", ", key=lambda x: x)"),
        ("(x and ", ")"),
        ("(1 < ", " < 2)"),
        ("f'{", "}'"),
    ] {
        let mut translated = 0;
        for depth in 1..40 {
            let source =
                format!("x = 1\nif x:\n    for y in [1]:\n        return {}x{}", open.repeat(depth), close.repeat(depth));
            translated = if translate(&source).is_ok() { depth } else { translated };
            check(&source);
            // And it runs on the stack of a thread.
            if translated == depth {
                let ours = super::stubs::ours(&super::stubs::Case::new(&source)).expect("translated");
                assert!(ours["failed"].is_null(), "{ours}");
            }
        }
        assert!(open == "f'{" || translated >= 10, "{open} {translated}");
    }
}
