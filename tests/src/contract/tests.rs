//! The published contract, with right answers and wrong ones.

use serde_json::{Value, json};

use super::{Contract, Mode, contract};

fn identification() -> Value {
    json!({
        "component": "ak-stage-identification",
        "flow_info": { "title": "Welcome", "background": "/bg.svg", "background_themed_urls": null, "cancel_url": "/cancel", "layout": "stacked" },
        "flow_designation": "authentication",
        "password_fields": false,
        "primary_action": "Log in",
        "show_source_labels": false,
        "user_fields": ["username", "email"],
        "captcha_stage": null,
    })
}

fn with(pointer: &str, value: Value) -> Value {
    let mut answer = identification();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    answer.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(name.to_owned(), value);
    answer
}

fn without(name: &str) -> Value {
    let mut answer = identification();
    answer.as_object_mut().unwrap().remove(name).unwrap();
    answer
}

#[track_caller]
fn refused(schema: &str, value: &Value, expected: &[&str]) {
    let error = contract().validate(schema, value).unwrap_err();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{error}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.contains(expected), "`{line}` should say `{expected}`");
    }
}

#[test]
fn a_right_challenge_passes() {
    contract().assert_exact("ChallengeTypes", &identification());
    contract().assert_exact("IdentificationChallenge", &identification());
}

#[test]
fn a_missing_property_is_named() {
    refused("ChallengeTypes", &without("primary_action"), &["\"primary_action\" is a required property"]);
    refused("ChallengeTypes", &without("component"), &["\"component\" is a required property"]);
}

#[test]
fn a_wrong_type_is_named_with_its_place() {
    refused(
        "ChallengeTypes",
        &with("/password_fields", json!("no")),
        &["at /password_fields: \"no\" is not of type \"boolean\""],
    );
    refused("ChallengeTypes", &with("/user_fields", json!([3])), &["at /user_fields/0: 3 is not of type \"string\""]);
    refused("ChallengeTypes", &with("/primary_action", json!(null)), &["at /primary_action: null is not of type \"string\""]);
    refused("ChallengeTypes", &with("/captcha_stage", json!(true)), &["at /captcha_stage: true is not of type \"object\""]);
    refused("ChallengeTypes", &json!([]), &["[] is not of type \"object\""]);
}

#[test]
fn every_disagreement_is_reported_at_once() {
    let mut answer = with("/password_fields", json!("no"));
    answer["primary_action"] = json!(1);
    refused("ChallengeTypes", &answer, &["at /password_fields", "at /primary_action"]);
}

#[test]
fn an_unknown_component_is_refused() {
    refused("ChallengeTypes", &with("/component", json!("ak-stage-dance")), &["at /component: \"ak-stage-dance\" is not one of"]);
}

#[test]
fn a_wrong_enum_value_is_refused() {
    refused("ChallengeTypes", &with("/flow_designation", json!("dance")), &["at /flow_designation: \"dance\" is not one of"]);
}

#[test]
fn formats_count() {
    let app = |launch: &str| json!({ "name": "a", "slug": "a", "meta_launch_url": launch });
    contract().assert_valid("ApplicationRequest", &app("https://a.example/"));
    contract().assert_valid("ApplicationRequest", &app(""));
    refused("ApplicationRequest", &app("not a link"), &["is not a \"uri\""]);
}

#[test]
fn an_unknown_property_is_reported_only_by_the_exact_check() {
    let answer = with("/flow_info/colour", json!("red"));
    contract().assert_valid("ChallengeTypes", &answer);
    let error = contract().validate_exact("ChallengeTypes", &answer).unwrap_err();
    assert!(error.contains("at /flow_info") && error.contains("colour"), "{error}");
}

#[test]
#[should_panic(expected = "\"primary_action\" is a required property")]
fn an_assertion_says_what_is_wrong() {
    contract().assert_valid("ChallengeTypes", &without("primary_action"));
}

#[test]
fn an_unknown_schema_is_an_error() {
    assert_eq!(contract().validate("Dance", &json!({})).unwrap_err(), "Dance: the contract has no schema Dance");
}

#[test]
fn an_operation_knows_its_parameters_and_answers() {
    let list = contract().operation("GET", "/core/users/").unwrap();
    assert_eq!(list.id, "core_users_list");
    assert_eq!(list.success(), Some("PaginatedUserList"));
    assert_eq!(list.response(403), Some("GenericError"));
    // One of its own and one that the contract shares between all lists.
    assert!(list.query().any(|name| name == "username") && list.query().any(|name| name == "page_size"));

    let create = contract().operation("post", "/api/v3/core/users/").unwrap();
    assert_eq!((create.request.as_deref(), create.response(201)), (Some("UserRequest"), Some("User")));

    let delete = contract().operation("DELETE", "/core/users/{id}/").unwrap();
    assert_eq!((delete.success(), delete.answers.get(&204)), (None, Some(&None)));
    assert!(delete.parameters.iter().any(|parameter| parameter.name == "id" && parameter.place == "path" && parameter.required));

    assert!(contract().operation("GET", "/core/dances/").is_none());
    assert!(contract().operation("TRACE", "/core/users/").is_none());
}

#[test]
fn an_answer_without_a_name_of_its_own_is_checked_too() {
    let check = |status, value: &Value| contract().validate_answer("GET", "/admin/apps/", status, Mode::Exact, value);
    assert_eq!(check(200, &json!([{ "name": "ak_core", "label": "Core" }])), Ok(()));
    assert!(check(200, &json!([{ "name": 3, "label": "Core" }])).unwrap_err().starts_with("admin_apps_list 200 at /0/name: 3"));
    assert!(check(418, &json!([])).is_err());
    let gone = |value: &Value| contract().validate_answer("DELETE", "/core/users/{id}/", 204, Mode::Exact, value);
    assert_eq!(gone(&Value::Null), Ok(()));
    assert!(gone(&json!({})).is_err());
}

#[test]
fn every_operation_can_be_looked_up() {
    let operations: Vec<_> = contract().operations().collect();
    assert!(operations.len() > 1_000, "{}", operations.len());
    for (method, path) in operations {
        assert!(contract().operation(method, path).is_some_and(|found| !found.answers.is_empty()), "{method} {path}");
    }
}

#[test]
fn every_schema_compiles() {
    for name in contract().schema_names() {
        for mode in [Mode::Valid, Mode::Exact] {
            if let Err(error) = super::schema::compile(&contract().schemas, &super::schema::reference(name), mode) {
                panic!("{name}: {error}");
            }
        }
    }
}

#[test]
fn no_schema_extends_another_in_place() {
    fn walk(name: &str, schema: &Value) {
        match schema {
            Value::Object(object) => {
                if let Some(parts) = object.get("allOf") {
                    let wraps_one = parts.as_array().is_some_and(|parts| parts.len() == 1) && !object.contains_key("properties");
                    assert!(wraps_one, "{name} extends a schema: the exact check must learn `unevaluatedProperties`");
                }
                object.values().for_each(|value| walk(name, value));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(name, value)),
            _ => {}
        }
    }
    contract().schemas.iter().for_each(|(name, schema)| walk(name, schema));
}

#[test]
fn a_document_without_schemas_is_no_contract() {
    assert!(Contract::parse("openapi: 3.0.3").is_err());
    assert!(Contract::parse("[").is_err());
}
