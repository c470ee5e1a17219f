//! Traefik's `forwardAuth` (S15): its requests exactly.

use serde_json::json;

use super::kit::{House, set_cookie};
use super::web::{Web, text};

const PAGE: &str = "https://app.example/deep/link?a=b&c=%2F%20d&e";

#[tokio::test]
async fn a_person_comes_back_to_exactly_the_page_she_asked_for() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    for unrouted in [false, true] {
        let web = Web::new(&house);
        let web = if unrouted { web.unrouted() } else { web };
        let page = web.go(PAGE).await.page();
        assert!(page.text.contains("uid_field"), "{}", page.text);
        let (url, headers) = web.sign_in(&page, "ada").await.app();
        assert_eq!(url, PAGE);
        assert_eq!(text(&headers, "x-authentik-username"), "ada");
        // The next page asks for nothing.
        assert_eq!(web.go("https://app.example/other").await.app().0, "https://app.example/other");
    }
}

#[tokio::test]
async fn the_application_is_told_who_she_is() {
    let house = House::open().await;
    let (provider, _) = house.protect("app", json!({})).await;
    house.server.group("staff", &[&house.ada]).await;
    house.server.group("a|admins", &[&house.ada]).await;
    let web = Web::of(&house, "ada").await;
    let (_, headers) = web.go(PAGE).await.app();
    let url = &house.server.url;
    for (name, value) in [
        ("username", "ada"),
        ("groups", "staff"),
        ("entitlements", ""),
        ("email", "ada@example.com"),
        ("name", ""),
        ("meta-jwks", format!("{url}/application/o/app/jwks/").as_str()),
        ("meta-outpost", "authentik Embedded Outpost"),
        ("meta-provider", "app"),
        ("meta-app", "app"),
    ] {
        assert_eq!(text(&headers, &format!("x-authentik-{name}")), value, "{name}");
    }
    assert!(text(&headers, "x-authentik-meta-version").starts_with("goauthentik.io/outpost/"));
    // The token is one of the provider's: it tells of itself.
    let token = text(&headers, "x-authentik-jwt").to_owned();
    let answer = house.client(&[("authorization", &format!("Bearer {token}"))]).get("/application/o/userinfo/").await;
    assert_eq!(answer.body["sub"], text(&headers, "x-authentik-uid"), "{}", answer.text);
    assert_eq!(provider["client_id"].as_str().map(str::is_empty), Some(false));
}

#[tokio::test]
async fn who_is_led_to_the_application_comes_to_where_it_is() {
    let house = House::open().await;
    let (provider, _) = house.protect("app", json!({ "external_host": "https://app.example/wiki/" })).await;
    let web = Web::of(&house, "ada").await;
    let (url, _) = web.go("https://app.example/outpost.goauthentik.io/start?rd=https://elsewhere.example/").await.app();
    assert_eq!(url, "https://app.example/wiki/");
    let launch = async || house.server.admin().get("/api/v3/core/applications/app/").await.body["launch_url"].clone();
    assert_eq!(launch().await, "https://app.example/wiki/");
    let domain = json!({ "mode": "forward_domain", "cookie_domain": "app.example" });
    house.change(&provider, domain).await;
    assert_eq!(launch().await, "https://app.example/wiki/", "a domain's, too");
}

#[tokio::test]
async fn a_proxy_that_does_not_know_of_tls_is_told_of_it() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    let at = [("x-forwarded-host", "app.example"), ("x-forwarded-proto", "http"), ("x-forwarded-uri", "/a")];
    let reply = house.ask("traefik", &at).await;
    let start = "https://app.example/outpost.goauthentik.io/start?rd=https%3A%2F%2Fapp.example%2Fa";
    assert_eq!((reply.status, reply.location()), (302, start));
}

#[tokio::test]
async fn a_second_application_needs_no_second_sign_in() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    house.protect("wiki", json!({ "external_host": "https://wiki.example:8443" })).await;
    let web = Web::new(&house);
    let page = web.go(PAGE).await.page();
    web.sign_in(&page, "ada").await.app();
    let (url, headers) = web.go("https://wiki.example:8443/start").await.app();
    assert_eq!((url.as_str(), text(&headers, "x-authentik-meta-app")), ("https://wiki.example:8443/start", "wiki"));
}

#[tokio::test]
async fn a_domain_shares_one_session() {
    let house = House::open().await;
    let domain = json!({ "mode": "forward_domain", "external_host": "https://auth.example.com", "cookie_domain": "example.com" });
    house.protect("domain", domain).await;
    house.protect("own", json!({ "external_host": "https://own.example.com" })).await;
    let web = Web::of(&house, "ada").await;
    let (url, headers) = web.go("https://one.example.com/a?b").await.app();
    assert_eq!((url.as_str(), text(&headers, "x-authentik-meta-app")), ("https://one.example.com/a?b", "domain"));
    let (one, two) = ("https://two.deep.example.com/".parse().unwrap(), "https://example.org/".parse().unwrap());
    assert!(web.cookies(&one).contains("authentik_proxy_") && web.cookies(&two).is_empty());
    let reply = house.asked("https://two.deep.example.com/x", &[("cookie", &web.cookies(&one))]).await;
    assert_eq!(reply.status, 200, "no way around for the second host");
    // A host of its own has a provider of its own.
    assert_eq!(text(&web.go("https://own.example.com/").await.app().1, "x-authentik-meta-app"), "own");
    assert_eq!(house.asked("https://evilexample.com/", &[]).await.status, 404);
}

#[tokio::test]
async fn who_may_not_sees_why() {
    let house = House::open().await;
    let (_, application) = house.protect("app", json!({})).await;
    let eve = house.server.user("eve").await;
    let staff = house.server.group("staff", &[&house.ada]).await;
    let binding = json!({ "target": application["pk"], "group": staff.pk, "order": 0 });
    house.server.make("policies/bindings", &binding).await;
    let (_, headers) = Web::of(&house, "ada").await.go(PAGE).await.app();
    assert_eq!(text(&headers, "x-authentik-groups"), "staff");
    let denied = Web::of(&house, &eve.username).await.go(PAGE).await.page();
    assert_eq!(denied.status, 403, "{}", denied.text);
    assert!(denied.text.contains(denied.header("x-authentik-id")), "the reference: {}", denied.text);
}

#[tokio::test]
async fn cookies_are_as_people_know_them() {
    let house = House::open().await;
    let (provider, _) = house.protect("app", json!({})).await;
    let reply = house.asked(PAGE, &[]).await;
    assert_eq!(reply.status, 302);
    let start = "https://app.example/outpost.goauthentik.io/start?rd=https%3A%2F%2Fapp.example%2Fdeep%2Flink%3Fa%3Db%26c%3D%252F%2520d%26e";
    assert_eq!(reply.location(), start);
    let web = Web::of(&house, "ada").await;
    web.go(PAGE).await.app();
    let client = provider["client_id"].as_str().unwrap();
    let name = format!("authentik_proxy_{}=", hex::encode(&<sha2::Sha256 as sha2::Digest>::digest(client)[..4]));
    let at = "https://app.example/".parse().unwrap();
    let session = web.cookies(&at).split("; ").find(|cookie| cookie.starts_with(&name)).map(str::to_owned);
    assert!(session.is_some() && web.cookies(&at).contains("__Host-authentik_proxy_"), "{}", web.cookies(&at));
    let headers = [("host", "app.example"), ("x-forwarded-proto", "https"), ("cookie", session.as_deref().unwrap())];
    let out = house.client(&headers).get("/outpost.goauthentik.io/sign_out").await;
    let cleared = set_cookie(&out, &name).unwrap();
    assert_eq!(cleared, format!("{name}; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0"));
}

#[tokio::test]
async fn what_everybody_may_see_is_let_through_and_tells_of_nobody() {
    let house = House::open().await;
    house.protect("app", json!({ "skip_path_regex": "^/public/\n^/health$" })).await;
    for (path, status) in [("/public/x", 200), ("/health", 200), ("/health/x", 302), ("/", 302), ("/public/%2e%2e/admin", 302)] {
        let uri = [("x-forwarded-host", "app.example"), ("x-forwarded-proto", "https"), ("x-forwarded-uri", path)];
        let reply = house.ask("traefik", &uri).await;
        assert_eq!(reply.status, status, "{path}");
        if status == 200 {
            let told: Vec<_> = ak_providers::proxy::IDENTITY.iter().map(|name| text(&reply.headers, name)).collect();
            assert_eq!(told, vec![""; 12], "every header, so that forged ones are overwritten");
        }
    }
    let web = Web::of(&house, "ada").await;
    web.go(PAGE).await.app();
    assert_eq!(text(&web.go("https://app.example/public/x").await.app().1, "x-authentik-username"), "ada");
}
