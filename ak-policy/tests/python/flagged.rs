//! What is not covered is flagged where it stands.

use ak_policy::python::{Flag, translate};

fn flags(source: &str) -> Vec<Flag> {
    translate(source).map(|translation| panic!("translated: {source}\n{}", translation.rhai)).unwrap_err()
}

#[test]
fn what_is_not_covered_is_flagged_by_place_and_reason() {
    for (source, line, column, reason) in [
        ("import os\nreturn os.environ", 1, 8, "files or the environment"),
        ("x = 1\nreturn requests.get('https://example.org', verify=False)", 2, 44, "`verify` of `requests.get` is not covered"),
        ("return requests.post('https://example.org', {'a': 1})", 1, 8, "everything else by name"),
        ("import requests\nreturn requests.Session()", 2, 8, "`requests.Session` is not covered"),
        ("import requests\nreturn requests", 2, 8, "is covered only where it is called"),
        ("import urllib.request", 1, 8, "are made by `requests`"),
        ("return unknown_name", 1, 8, "not known"),
        ("return user.shoe_size", 1, 13, "attribute `shoe_size`"),
        ("return user.explode()", 1, 13, "method `explode`"),
        ("def f():\n    return 1\nreturn f()", 1, 1, "functions of one's own"),
        ("class A: pass", 1, 1, "classes"),
        ("import re\nreturn re.match(r'(a)\\1', 'aa')", 2, 17, "backreference"),
        ("import re\nif True:\n    return re.search(r'(?=x)', 'x')", 3, 22, "lookahead"),
        ("return 99999999999999999999", 1, 8, "64 bits"),
        ("f = lambda x: x\nreturn f(1)", 1, 5, "lambda"),
        ("return eval('1')", 1, 8, "`eval`"),
        ("with open('x') as f:\n    return 1", 1, 1, "`with`"),
        ("try:\n    x = 1\nfinally:\n    x = 2", 1, 1, "finally"),
        ("g = (x for x in [1])\nreturn g", 1, 5, "generator that is kept"),
        ("return dict(**{'a': 1})", 1, 13, "`**`"),
        ("return max(*[1, 2])", 1, 12, "`*`"),
        ("return 1j", 1, 8, "complex"),
        ("return '\\ud800'", 1, 8, "surrogates"),
        ("return json.loads('1')", 1, 8, "not imported"),
        ("import json\nreturn json", 2, 8, "only where it is called"),
        ("break", 1, 1, "outside"),
        ("async def f(): pass", 1, 1, "functions"),
        ("return getattr(user, 'na' + 'me')", 1, 22, "written out"),
        ("x[1:2] = []\nx = 1", 1, 1, "slice"),
        ("from authentik.core.models import Application", 1, 35, "not covered"),
        ("match 1:\n    case 1: pass", 1, 1, "`match`"),
        ("return 5()", 1, 8, "computed function"),
        ("return user.groups.filter", 1, 20, "only where it is called"),
    ] {
        let flags = flags(source);
        assert!(
            flags.iter().any(|flag| (flag.line, flag.column) == (line, column) && flag.reason.contains(reason)),
            "{source}: {flags:?}"
        );
    }
}

#[test]
fn every_construct_that_is_not_covered_is_listed() {
    let found = flags("import os\nx = unknown\nif x:\n    return other\nreturn user.nose");
    assert_eq!(found.iter().map(|flag| flag.line).collect::<Vec<_>>(), [1, 2, 4, 5], "{found:?}");
}

#[test]
fn what_is_not_python_says_where() {
    let found = flags("x = 1\nreturn (1 +");
    assert!(found.iter().all(|flag| flag.reason.contains("not Python")), "{found:?}");
    assert!(found.iter().any(|flag| flag.line >= 2), "{found:?}");
    assert!(!flags("return 1\n  return 2").is_empty());
    // No body of its own can leave the function.
    for source in ["", "# only a comment"] {
        assert!(!flags(source).is_empty());
    }
}

#[test]
fn depth_and_length_are_refused_in_words() {
    for source in [
        "return ".to_owned() + "(".repeat(10_000).as_str() + "1" + ")".repeat(10_000).as_str(),
        "return ".to_owned() + "-".repeat(30_000).as_str() + "1",
        "return ".to_owned() + "not ".repeat(8_000).as_str() + "1",
        "return ".to_owned() + "[".repeat(15_000).as_str(),
        "return 1".to_owned() + "+1".repeat(15_000).as_str(),
        "return x".to_owned() + ".name".repeat(6_000).as_str(),
        "return ".to_owned() + "lambda: ".repeat(4_000).as_str() + "1",
        "return ".to_owned() + "1 if 1 else ".repeat(2_500).as_str() + "1",
        "return ".to_owned() + "f'{".repeat(150).as_str() + "1" + "}'".repeat(150).as_str(),
        "return x".to_owned() + "[0]".repeat(9_000).as_str(),
        (0..150).map(|depth| " ".repeat(depth) + "if True:\n").collect::<String>() + " ".repeat(150).as_str() + "pass",
    ] {
        let found = flags(&source);
        assert!(
            found.iter().any(|flag| flag.reason.contains("nested too deeply") || flag.reason.contains("not Python")),
            "{:?}",
            found.first()
        );
    }
    let long = flags(&format!("x = '{}'", "a".repeat(40_000)));
    assert!(long[0].reason.contains("bytes long"), "{long:?}");
}

#[test]
fn lines_and_names_are_kept() {
    let translation = translate("x = 1\n\nif user.email:\n    ak_message('hi')\nreturn request.context['ip']").unwrap();
    assert_eq!(translation.names.iter().map(String::as_str).collect::<Vec<_>>(), ["ak_message", "request", "user"]);
    let line = translation.rhai.lines().position(|line| line.contains("ak_message")).unwrap() + 1;
    assert_eq!(translation.python_line(line), Some(4));
    assert_eq!(translation.lines.len(), translation.rhai.lines().count());
    assert!(!translation.yields && translate("yield 1").unwrap().yields);
}
