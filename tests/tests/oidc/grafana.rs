//! Scenario S18: Grafana, with the settings that people give it.

use ak_tests::server::{PASSWORD, Server};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::kit::Back;

/// A client written to the settings of `examples/grafana.yaml`, which reads no discovery document and checks no ID token: it asks
/// for the person with the access token.
#[tokio::test]
async fn roles_come_from_groups_and_signing_out_goes_by_the_end_session_address() {
    let server = Server::start().await;
    let text = include_str!("../../examples/grafana.yaml");
    let instance = json!({ "name": "Grafana", "path": "", "content": text });
    let instance = server.make("managed/blueprints", &instance).await;
    let applied = format!("/api/v3/managed/blueprints/{}/apply/", instance["pk"].as_str().unwrap());
    let applied = server.admin().post(&applied, &json!({})).await;
    assert_eq!(applied.body["status"], "successful", "{}", applied.text);
    let (ada, _) = (server.user("ada").await, server.user("bob").await);
    server.group("Grafana Admins", &[&ada]).await;
    for (name, role) in [("ada", "Admin"), ("bob", "Viewer")] {
        let browser = server.client();
        let state = "of-grafana";
        let asked = format!(
            "/application/o/authorize/?access_type=online&client_id=grafana&redirect_uri={}&response_type=code&scope={}&state={state}",
            "https%3A%2F%2Fgrafana.example.org%2Flogin%2Fgeneric_oauth", "openid+profile+email",
        );
        let page = browser.follow(&asked).await;
        let page = browser.submit(&page, &[("uid_field", name)]).await;
        let page = browser.follow(page.location()).await;
        let reply = browser.submit(&page, &[("password", PASSWORD)]).await;
        let back = Back::of(&browser.get(reply.location()).await);
        assert_eq!(
            (back.address.as_str(), &back.params["state"]),
            ("https://grafana.example.org/login/generic_oauth", &json!(state))
        );
        let basic = STANDARD.encode("grafana:change-me-change-me-change-me-change-me");
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", back.params["code"].as_str().unwrap()),
            ("redirect_uri", "https://grafana.example.org/login/generic_oauth"),
        ];
        let client = server.client().header("authorization", &format!("Basic {basic}"));
        let tokens = client.form("/application/o/token/", &fields).await;
        let bearer = format!("Bearer {}", tokens.body["access_token"].as_str().unwrap_or_else(|| panic!("{}", tokens.text)));
        let told = server.client().header("authorization", &bearer).get("/application/o/userinfo/").await.body;
        let groups = told["groups"].as_array().unwrap();
        let own = if groups.contains(&json!("Grafana Admins")) { "Admin" } else { "Viewer" };
        assert_eq!(
            (own, &told["preferred_username"], &told["email"]),
            (role, &json!(name), &json!(format!("{name}@example.com")))
        );
        let out = browser.get("/application/o/grafana/end-session/").await;
        assert!(out.status == 200 && out.text.contains("Grafana"), "{}", out.text);
        let again = browser.get(&format!("{asked}&prompt=none")).await;
        assert_eq!(Back::of(&again).error(), "login_required");
    }
}
