//! `ak policy test`, as people run it: over the policies that come as examples, and over what is wrong with them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ak_tests::program::{Ended, Home};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ak-policy/examples/policies").canonicalize().expect("the examples")
}

fn names(ending: &str) -> BTreeSet<String> {
    let files = examples().read_dir().expect("the folder").map(|entry| entry.expect("an entry").file_name());
    files.filter_map(|name| name.to_str().and_then(|name| name.strip_suffix(ending)).map(str::to_owned)).collect()
}

/// A home with a copy of the example that a file belongs to, in which that file was changed.
fn copy(home: &Home, file: &str, from: &str, to: &str) {
    let folder = home.path().join("policies");
    std::fs::create_dir(&folder).expect("a folder");
    for entry in examples().read_dir().expect("the folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        if name.split('.').next() != file.split('.').next() {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a text");
        let text = if name == file { replaced(&text, from, to) } else { text };
        std::fs::write(folder.join(name), text).expect("written");
    }
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in {text}");
    text.replacen(from, to, 1)
}

async fn run(home: &Home, more: &[&str]) -> Ended {
    home.run(&[&["policy", "test", "policies"], more].concat()).await
}

#[tokio::test]
async fn the_examples_decide_as_their_cases_say_in_both_languages() {
    let (rhai, python) = (names(".rhai"), names(".py"));
    assert!(rhai.len() >= 15, "{rhai:?}");
    assert_eq!(rhai, python);
    assert_eq!(rhai, names(".cases.yaml"));
    let home = Home::new();
    let ended = home.run(&["policy", "test", examples().to_str().expect("a path")]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ok = ended.out.lines().filter(|line| line.starts_with("ok ")).count();
    assert_eq!(ok, rhai.len() + python.len(), "{ended:?}");
    assert!(ended.out.lines().last().is_some_and(|line| line.ends_with(" cases, 0 failed")), "{ended:?}");
    // Nothing was made: no database, no folder.
    assert_eq!(home.path().read_dir().expect("the folder").count(), 0);
}

#[tokio::test]
async fn a_broken_expectation_is_shown_as_a_difference() {
    let home = Home::new();
    copy(&home, "invitation_groups.cases.yaml", "ada: [movies, music]", "ada: [movies, games]");
    let ended = run(&home, &["--junit", "report.xml"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for file in ["invitation_groups.rhai", "invitation_groups.py"] {
        assert!(
            ended.out.contains(&format!("no  policies/{file}: 1 of 4 cases\n    both groups of the invitation\n")),
            "{ended:?}"
        );
    }
    assert!(ended.out.contains("changes: - expected, + got"), "{ended:?}");
    assert!(ended.out.contains("  -       \"games\"\n          +       \"music\"\n"), "{}", ended.out);
    let xml = std::fs::read_to_string(home.path().join("report.xml")).expect("the report");
    assert!(xml.contains("failures=\"2\" errors=\"0\">\n"), "{xml}");
    assert!(xml.contains("<failure message=\"changes: - expected, + got\">"), "{xml}");
}

#[tokio::test]
async fn a_decision_that_is_not_the_expected_one_is_explained() {
    let home = Home::new();
    copy(&home, "vpn_for_admins.cases.yaml", "    result: false\n", "    result: true\n");
    let ended = run(&home, &[]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains("result: expected true, got false"), "{ended:?}");
    assert!(ended.out.contains("says: Connect to the VPN first"), "{ended:?}");
    assert!(ended.out.contains("warning: an administrator outside of the VPN"), "{ended:?}");
}

#[tokio::test]
async fn an_error_is_not_taken_for_a_refusal() {
    let home = Home::new();
    copy(&home, "email_domain.py", "request.user.email", "request.context[\"email\"]");
    let ended = run(&home, &[]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains("result: expected false, but the policy failed: ") && ended.out.contains("(line 1"), "{ended:?}");
}

#[tokio::test]
async fn a_broken_file_is_named_with_the_place() {
    let table = [
        ("admins_only.rhai", "return user", "return usr", "usr", "line 2"),
        ("business_hours.py", "import datetime", "import os", "`os`", "line 1"),
        ("weekdays.cases.yaml", "cases:", "casses:", "casses", "line 1"),
        ("avatar.cases.yaml", "result: true", "result: maybe", "", "line 6"),
        ("avatar.cases.yaml", "attributes: {", "colour: {", "colour", "line 2"),
        ("business_hours.cases.yaml", "Europe/Berlin", "Europe/Bonn", "there is no time zone Europe/Bonn", ""),
        ("weekdays.cases.yaml", "2026-11-21", "2026-11-31", "2026-11-31 is not a moment", ""),
        ("unique_email.cases.yaml", "user: bob", "user: bab", "there is no account bab", ""),
        ("of_age.cases.yaml", "result: true", "messages: []", "expects neither `result` nor `error`", ""),
        ("no_robots.py", "if http_request is None:\n    return False\n", "let a = 1;\n", "", ""),
    ];
    for (file, from, to, what, place) in table {
        let home = Home::new();
        copy(&home, file, from, to);
        let ended = run(&home, &["--junit", "report.xml"]).await;
        assert_eq!(ended.code, Some(2), "{file}: {ended:?}");
        let broken = ended.out.split("!!  policies/").nth(1).unwrap_or_default();
        assert!(broken.starts_with(file.split('.').next().expect("a name")), "{file}: {ended:?}");
        assert!(broken.contains(what) && broken.contains(place), "{file}: {ended:?}");
        let xml = std::fs::read_to_string(home.path().join("report.xml")).expect("the report");
        assert!(xml.contains("<error message="), "{xml}");
    }
}

#[tokio::test]
async fn what_nothing_is_said_of_is_told() {
    let home = Home::new();
    let folder = home.path().join("policies");
    std::fs::create_dir_all(folder.join("deeper")).expect("folders");
    assert_eq!(run(&home, &[]).await.code, Some(2));
    std::fs::write(folder.join("deeper/alone.rhai"), "true").expect("written");
    let ended = run(&home, &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.out.contains("??  policies/deeper/alone.rhai: no cases") && ended.out.contains("1 policies without cases"),
        "{ended:?}"
    );
    std::fs::write(folder.join("lonely.cases.yaml"), "cases: [{ name: a, result: true }]").expect("written");
    let ended = run(&home, &[]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.out.contains("!!  policies/lonely.cases.yaml"), "{ended:?}");
    std::fs::write(folder.join("lonely.rhai"), b"\xff").expect("written");
    assert!(run(&home, &[]).await.out.contains("!!  policies/lonely.rhai"));
    let ended = home.run(&["policy", "test", "nowhere"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("nowhere"), "{ended:?}");
}

#[tokio::test]
async fn lines_that_no_case_reaches_are_told() {
    let home = Home::new();
    let folder = home.path().join("policies");
    std::fs::create_dir(&folder).expect("a folder");
    let cases = "cases: [{ name: active, user: { username: ada }, result: true }]";
    let files = [
        ("a.rhai", "// Who is active.\nif user.is_active {\n    return true;\n}\nak_message(\"no\");\nfalse\n"),
        ("b.py", "# Who is active.\nif user.is_active:\n    return True\nak_message(\"no\")\nreturn False\n"),
        ("a.cases.yaml", cases),
        ("b.cases.yaml", cases),
    ];
    for (name, text) in files {
        std::fs::write(folder.join(name), text).expect("written");
    }
    let ended = run(&home, &["--coverage"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("ok  policies/a.rhai: 1 cases; 2 of 4 lines reached, not 5, 6\n"), "{ended:?}");
    assert!(ended.out.contains("ok  policies/b.py: 1 cases; 2 of 4 lines reached, not 4, 5\n"), "{ended:?}");
    std::fs::write(folder.join("a.cases.yaml"), format!("{}, {{ name: nobody, result: false }}]", cases.trim_end_matches(']')))
        .expect("written");
    let ended = run(&home, &["--coverage"]).await;
    assert!(ended.out.contains("ok  policies/a.rhai: 2 cases; 4 of 4 lines reached\n"), "{ended:?}");
    assert!(!run(&home, &[]).await.out.contains("reached"));
}
