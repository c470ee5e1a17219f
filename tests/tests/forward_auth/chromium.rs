//! What people see behind Caddy, in a real Chromium, whose cookies are no model of cookies.

use std::time::Duration;

use ak_tests::browser::{Browser, Look};
use ak_tests::reverse_proxy::{Echo, Program, ReverseProxy, free_port};
use ak_tests::server::PASSWORD;
use serde_json::json;
use thirtyfour::prelude::ElementQueryable;
use thirtyfour::{By, WebElement};

use super::kit::House;

/// Sites behind one Caddy that has no route for our path.
fn caddy(port: u16, ak: &str, application: std::net::SocketAddr) -> String {
    let sites = ["app.test", "wiki.test", "*.corp.test"].map(|host| format!("http://{host}:{port}")).join(", ");
    format!(
        "{{
    admin off
    auto_https off
}}
{sites} {{
    bind 127.0.0.1
    route {{
        forward_auth {ak} {{
            uri /outpost.goauthentik.io/auth/caddy
            copy_headers X-Authentik-Username X-Authentik-Groups X-Authentik-Email X-Authentik-Name X-Authentik-Uid
        }}
        reverse_proxy {application}
    }}
}}
"
    )
}

struct Visitor(Browser);

impl Visitor {
    async fn open() -> Self {
        Self(Browser::open(Look::desktop().resolving("MAP *.test 127.0.0.1")).await)
    }

    async fn see(&self, css: &str) -> WebElement {
        let wait = self.0.query(By::Css(css)).wait(Duration::from_secs(10), Duration::from_millis(40));
        match wait.first().await {
            Ok(element) => element,
            Err(_) => panic!("nothing is {css} at {} in {}", self.url().await, self.text().await),
        }
    }

    async fn url(&self) -> String {
        self.0.current_url().await.unwrap().to_string()
    }

    async fn text(&self) -> String {
        self.0.source().await.unwrap()
    }

    async fn answer(&self, field: &str, text: &str) {
        self.see(&format!("input[name={field}]")).await.send_keys(text).await.unwrap();
        let button = self.see("button[type=submit]").await;
        self.0.leave_by(&button).await.unwrap();
    }

    async fn sign_in(&self, username: &str) {
        self.answer("uid_field", username).await;
        self.answer("password", PASSWORD).await;
    }
}

#[tokio::test]
async fn people_sign_in_once_for_all_applications_and_out_of_them() {
    let (house, application, port) = (House::open().await, Echo::start().await, free_port());
    let at = |host: &str| format!("http://{host}:{port}");
    let (_, app) = house.protect("app", json!({ "external_host": at("app.test") })).await;
    house.protect("wiki", json!({ "external_host": at("wiki.test") })).await;
    let corp = json!({ "mode": "forward_domain", "external_host": at("auth.corp.test"), "cookie_domain": "corp.test" });
    house.protect("corp", corp).await;
    house.server.user("eve").await;
    let staff = house.server.group("staff", &[&house.ada]).await;
    house.server.make("policies/bindings", &json!({ "target": app["pk"], "group": staff.pk, "order": 0 })).await;
    let ak = house.server.url.strip_prefix("http://").unwrap().to_owned();
    let _caddy = ReverseProxy::start(Program::Caddy, &caddy(port, &ak, application.address)).await;

    let ada = Visitor::open().await;
    let link = format!("{}/deep/link?a=b&c=%2F%20d&path=C:\\x|y", at("app.test"));
    ada.0.goto(&link).await.unwrap();
    ada.sign_in("ada").await;
    let shown: url::Url = link.parse().unwrap();
    assert_eq!(ada.url().await, shown.as_str());
    assert!(ada.text().await.contains("staff"), "{}", ada.text().await);
    for host in ["wiki.test", "one.corp.test", "two.corp.test"] {
        let page = format!("{}/page?q=1", at(host));
        ada.0.goto(&page).await.unwrap();
        assert_eq!(ada.url().await, page, "{}", ada.text().await);
        assert!(ada.text().await.contains("ada@example.com"), "{}", ada.text().await);
    }
    ada.0.goto(format!("{}/outpost.goauthentik.io/sign_out", at("app.test"))).await.unwrap();
    assert!(ada.url().await.starts_with(&house.server.url), "{}", ada.url().await);
    house.server.clock.advance(chrono::Duration::milliseconds(999));
    for host in ["app.test", "wiki.test", "two.corp.test"] {
        ada.0.goto(format!("{}/page", at(host))).await.unwrap();
        ada.see("input[name=uid_field]").await;
    }

    let eve = Visitor::open().await;
    eve.0.goto(&link).await.unwrap();
    eve.sign_in("eve").await;
    assert!(eve.url().await.starts_with(&house.server.url), "{}", eve.url().await);
    let text = eve.text().await;
    assert!(text.contains("Access denied") && text.contains("Reference"), "{text}");
    eve.0.goto(format!("{}/page", at("wiki.test"))).await.unwrap();
    assert!(eve.text().await.contains("eve@example.com"), "what nothing is bound to is everybody's");
}
