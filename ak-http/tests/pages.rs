//! Every page, drawn once with ordinary and once with hostile values, and held against the rules of the pages.
//!
//! The pages are also left in `target/pages/`, to be looked at in a browser.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic, and so may what only tests call")]

mod samples;

use std::collections::BTreeSet;

use ak_http::pages::{Assets, BrandView, FlowForm, Page, RenderError, Renderer};
use regex::Regex;
use serde_json::json;

use crate::samples::{HOSTILE, Sample, hostile, ordinary};

/// HTML and CSS of one page, together.
const LIMIT: usize = 30 * 1024;

fn each(check: impl Fn(&Sample)) {
    ordinary().iter().chain(&hostile()).for_each(check);
}

fn find<'a>(html: &'a str, pattern: &str) -> Vec<&'a str> {
    let pattern = Regex::new(pattern).unwrap();
    pattern.captures_iter(html).map(|found| found.get(1).unwrap().as_str()).collect()
}

#[test]
fn pages_are_small() {
    let css = Assets::get(Assets::css_path()).unwrap().1.len();
    for Sample { name, html } in ordinary() {
        assert!(html.len() + css < LIMIT, "{name}: {} + {css}", html.len());
    }
}

#[test]
fn nothing_is_inline() {
    let inline = Regex::new(r"\s(on[a-z]+|style)=").unwrap();
    let script = Regex::new("<script[^>]*>[^<]").unwrap();
    each(|Sample { name, html }| {
        let tags = find(html, "(<[a-z][^>]*>)");
        for tag in tags {
            assert!(!inline.is_match(tag), "{name}: {tag}");
        }
        assert!(!html.contains("<style"), "{name}");
        assert!(find(html, "(<script[^>]*>)").iter().all(|tag| tag.contains(r#"type="module" src="/static/"#)), "{name}");
        assert!(!script.is_match(html), "{name}");
    });
}

#[test]
fn hostile_values_stay_text() {
    for Sample { name, html } in hostile() {
        assert!(!html.contains("<script>"), "{name}");
        assert!(!html.contains("<b>"), "{name}");
        assert!(html.contains("&lt;script&gt;") || name.starts_with("redirect"), "{name} shows the value");
        for url in find(&html, r#"\s(?:href|src|action|srcset)="([^"]*)""#) {
            assert!(!url.to_lowercase().contains("script:") && !url.is_empty(), "{name}: {url}");
        }
        assert!(!html.contains("url=javascript"), "{name}");
    }
    assert!(HOSTILE.contains("<script>"));
}

#[test]
fn a_form_posts_to_web_addresses_only() {
    let brand = BrandView::default();
    let form = FlowForm { action: "javascript:alert(1)", ..FlowForm::default() };
    let challenge = json!({"component": "ak-stage-dummy"});
    let error = Renderer::new().unwrap().flow_page(&Page::new(&brand), &challenge, &form).unwrap_err();
    assert!(matches!(error, RenderError::Action(_)));
}

#[test]
fn every_label_has_its_input_and_every_input_its_label() {
    each(|Sample { name, html }| {
        let ids: BTreeSet<&str> = find(html, r#"<(?:input|select|textarea)[^>]*\sid="([^"]+)""#).into_iter().collect();
        let labels: BTreeSet<&str> = find(html, r#"<label for="([^"]+)""#).into_iter().collect();
        assert_eq!(ids, labels, "{name}");
        for input in find(html, "(<(?:input|select|textarea)[^>]*>)") {
            let named = input.contains(" id=") || input.contains(r#"type="hidden""#) || input.contains(r#"aria-hidden="true""#);
            assert!(named, "{name}: {input}");
        }
    });
}

#[test]
fn references_lead_somewhere_and_identifiers_are_unique() {
    each(|Sample { name, html }| {
        let ids = find(html, r#"\sid="([^"]+)""#);
        let unique: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len(), "{name}: {ids:?}");
        let described = find(html, r#"aria-(?:describedby|labelledby)="([^"]+)""#);
        let links = find(html, r##"href="#([^"]+)""##);
        for target in described.into_iter().flat_map(|list| list.split(' ')).chain(links) {
            assert!(unique.contains(target), "{name}: nothing is called {target}");
        }
    });
}

#[test]
fn each_page_has_its_landmarks_and_one_heading() {
    each(|Sample { name, html }| {
        for (tag, count) in [("<h1", 1), ("<main", 1), ("<header", 1), ("class=\"skip\"", 1), ("autofocus", 0)] {
            let found = html.matches(tag).count();
            assert!(if count == 0 { found <= 1 } else { found == count }, "{name}: {found} times {tag}");
        }
        assert!(html.starts_with("<!doctype html>\n<html lang=\"en\""), "{name}: {html}");
    });
}

#[test]
fn errors_are_summed_up_and_stand_beside_their_field() {
    let samples = ordinary();
    let html = &samples.iter().find(|sample| sample.name == "password-error").unwrap().html;
    assert!(html.contains(r#"role="alert" tabindex="-1" autofocus"#));
    assert!(html.contains(r##"<a href="#field-password">Invalid password</a>"##));
    assert!(html.contains(r#"aria-invalid="true" aria-describedby="field-password-error""#));
    assert!(html.contains("<title>Error: "));
}

#[test]
fn forms_carry_what_the_server_checks() {
    for Sample { name, html } in ordinary() {
        // What is submitted by itself goes to an application, which must not learn what we check.
        if !html.contains("<form") || matches!(name.as_str(), "recovery" | "autosubmit") {
            continue;
        }
        assert!(html.contains(r#"name="csrf" value="token""#) && html.contains(r#"name="turn" value="7""#), "{name}");
        assert!(
            html.contains(r#"name="component" value=""#) && html.contains(r#"<form method="post" action="/if/flow/"#),
            "{name}"
        );
    }
}

#[test]
fn an_embedding_program_brings_its_own_page() {
    let template = r#"{% extends "flow.html" %}{% block fields %}{% import "macros.html" as ui %}
        {{ ui.field(view, "badge", challenge.ask) }}{% endblock %}"#;
    let renderer = Renderer::new().unwrap().with_template("x-badge", template).unwrap();
    let brand = BrandView::default();
    let challenge =
        json!({"component": "x-badge", "ask": "Badge <number>", "response_errors": {"badge": [{"string": "No", "code": "x"}]}});
    let form = FlowForm { action: "/x/", ..FlowForm::default() };
    let html = renderer.flow_page(&Page::new(&brand), &challenge, &form).unwrap();
    assert!(html.contains(r#"<label for="field-badge">Badge &lt;number&gt;</label>"#));
    assert!(html.contains(r##"<a href="#field-badge">No</a>"##));
    assert!(matches!(Renderer::new().unwrap().with_template("x", "{% if %}"), Err(RenderError::Template(_))));
}

#[test]
fn pages_can_be_looked_at() {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../target").into(), std::path::PathBuf::from);
    let folder = target.join("pages");
    std::fs::create_dir_all(&folder).unwrap();
    for asset in Assets::all() {
        write(&folder.join(asset.path.trim_start_matches("/static/")), asset.bytes);
    }
    write(&folder.join("brand.css"), ak_http::pages::brand_css(Some("#FD4B2D"), Some("#18181b")).as_bytes());
    write(&folder.join("background.svg"), samples::BACKGROUND.as_bytes());
    for Sample { name, html } in ordinary() {
        write(&folder.join(format!("{name}.html")), html.replace("\"/static/", "\"").as_bytes());
    }
}

fn write(path: &std::path::Path, bytes: &[u8]) {
    use std::io::Write;
    std::fs::File::create(path).unwrap().write_all(bytes).unwrap();
}
