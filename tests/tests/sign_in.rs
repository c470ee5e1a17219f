//! Signing in and out over a real socket.

use ak_tests::contract::contract;
use ak_tests::server::{LOGIN, PASSWORD, Server};
use serde_json::json;

#[tokio::test]
async fn a_person_signs_in_through_the_executor_and_is_known_afterwards() {
    let server = Server::start().await;
    let client = server.client();
    let first = client.get(&format!("{LOGIN}?query=next%3D%252Fif%252Fuser%252F")).await;
    contract().assert_valid("ChallengeTypes", &first.body);
    assert_eq!(first.body["component"], "ak-stage-identification");
    assert!(first.cookies().is_empty(), "looking at a flow begins no session");
    let second = client
        .answer(&format!("{LOGIN}?query="), &json!({ "component": "ak-stage-identification", "uid_field": "akadmin" }))
        .await;
    contract().assert_valid("ChallengeTypes", &second.body);
    assert_eq!(second.body["component"], "ak-stage-password");
    let third =
        client.answer(&format!("{LOGIN}?query="), &json!({ "component": "ak-stage-password", "password": PASSWORD })).await;
    contract().assert_valid("ChallengeTypes", &third.body);
    assert_eq!(third.body["component"], "xak-flow-redirect");
    let me = client.get("/api/v3/core/users/me/").await;
    contract().assert_exact("SessionUser", &me.body);
    assert_eq!(me.body["user"]["username"], "akadmin");
}

#[tokio::test]
async fn a_person_signs_in_by_plain_forms() {
    let server = Server::start().await;
    let client = server.client();
    let page = client.follow("/").await;
    assert_eq!(page.status, 200);
    let page = client.submit(&page, &[("uid_field", "akadmin")]).await;
    assert_eq!(page.status, 303, "{}", page.text);
    let page = client.follow(page.location()).await;
    let done = client.submit(&page, &[("password", PASSWORD)]).await;
    assert_eq!((done.status, done.location()), (303, "/"), "{}", done.text);
    let page = client.follow("/").await;
    assert!(page.text.contains("akadmin"), "{}", page.text);
}

#[tokio::test]
async fn after_signing_out_the_saved_cookie_is_worth_nothing() {
    let server = Server::start().await;
    let client = server.signed_in("akadmin").await;
    let saved = client.cookie_header();
    assert_eq!(client.get("/api/v3/core/users/me/").await.status, 200);
    let out = client.follow("/flows/-/default/invalidation/").await;
    assert_eq!(out.status, 200);
    let replayed = server.client().header("cookie", &saved).get("/api/v3/core/users/me/").await;
    assert_eq!(replayed.status, 403, "{}", replayed.text);
}
