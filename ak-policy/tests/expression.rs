//! Expression policies: what they can use, how far they get, and what becomes of their errors.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy takes only functions marked as tests for tests, not what they share"
)]

mod kit;

use kit::House;
use serde_json::json;

#[tokio::test]
async fn a_binding_asks_an_expression() {
    let house = House::new().await;
    let ada = house.person("ada", &[]).await;
    let decision = house.ask(Some(&ada), r#"return request.user.username == "ada";"#).await;
    assert!(decision.passing, "{decision:?}");
    assert!(!house.ask(None, r#"return request.user.username == "ada";"#).await.passing);
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_place() {
    let house = House::new().await;
    let refused = |text| house.refusal(text);
    assert_eq!(refused("let a = ;").await, json!({ "expression": ["Unexpected ';' (line 1, column 9)"] }));
    assert_eq!(
        refused("let a = 1;\n  missing(a)").await,
        json!({ "expression": ["There is no function missing. (line 2, column 3)"] })
    );
}
