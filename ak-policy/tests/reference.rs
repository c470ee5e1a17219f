//! The reference of everything that scripts can call.

use ak_policy::script::{Names as _, PolicyNames, VALUE_NAMES, reference};

#[test]
fn every_function_is_described() {
    let reference = reference(&[("policies", PolicyNames::NAMES), ("values", &VALUE_NAMES)]);
    let functions = reference.json["functions"].as_array().unwrap();
    assert!(functions.len() > 200, "{}", functions.len());
    let silent: Vec<&str> =
        functions.iter().filter(|f| f["doc"].as_str().unwrap().is_empty()).map(|f| f["signature"].as_str().unwrap()).collect();
    assert_eq!(silent, [""; 0]);
    for name in [
        "ak_message",
        "ak_user_by",
        "regex_match",
        "all_groups",
        "username",
        "ak_call_policy",
        "resolve_dns",
        "reverse_dns",
        "raise_for_status",
        "status_code",
        "starts_with",
    ] {
        assert!(functions.iter().any(|f| f["name"] == name), "{name}");
        assert!(reference.markdown.contains(name), "{name}");
    }
    for sort in ["policies", "values"] {
        assert!(reference.json["variables"][sort].as_array().unwrap().iter().any(|v| v["name"] == "ak_client_ip"));
        assert!(reference.json["variables"][sort].as_array().unwrap().iter().any(|v| v["name"] == "requests"));
        assert!(reference.markdown.contains(&format!("## Variables of {sort}")));
    }
}
