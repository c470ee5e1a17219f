//! What administrators see of a flow under way: everything but secrets, and not too much of it.

use ak_flows::{is_secret, shown_context};
use ak_policy::Context;
use serde_json::json;

#[test]
fn secrets_are_not_shown_wherever_they_stand() {
    let mut context = Context { pending_user: Some(7), ..Context::default() };
    context.set(
        "prompt_data",
        json!({ "username": "ada", "password_repeat": "hunter2", "attributes": { "api_key": "hunter2", "pin": "hunter2" } }),
    );
    context.set("auth_proof", json!({ "app_password": "hunter2" }));
    context.set("list", json!([{ "client_secret": "hunter2" }, "seen"]));
    context.set("auth_method", "password");
    let shown = serde_json::to_string(&shown_context(&context)).unwrap();
    assert!(!shown.contains("hunter2"), "{shown}");
    for told in ["ada", "seen", "\"auth_method\":\"password\"", "\"pending_user\":{\"pk\":7}"] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    assert!(is_secret("NewPassword") && is_secret("recovery_token") && !is_secret("username") && !is_secret("shipping"));
}

#[test]
fn what_is_long_is_cut_and_what_is_too_much_is_named() {
    let mut context = Context::default();
    context.set("avatar", "x".repeat(10_000));
    let shown = shown_context(&context);
    assert_eq!(shown["avatar"].as_str().map(|text| text.chars().count()), Some(201));
    for n in 0..50 {
        context.set(&format!("field {n}"), "y".repeat(150));
    }
    let shown = shown_context(&context);
    assert!(shown.len() == 51 && serde_json::to_string(&shown).unwrap().len() < 2048, "{shown:?}");
}
