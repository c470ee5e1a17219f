//! The life of sessions with applications.

use ak_store::records::{Durability, User};
use ak_tests::server::Start;
use chrono::Duration as Span;
use serde_json::json;

use super::kit::House;
use super::web::{Web, text};

const PAGE: &str = "https://app.example/page";

/// What the application's host gets for the cookies of a browser.
async fn status(house: &House, web: &Web<'_>) -> u16 {
    house.asked(PAGE, &[("cookie", &web.cookies(&PAGE.parse().unwrap()))]).await.status
}

#[tokio::test]
async fn whatever_ends_the_session_ends_it_here_within_a_second() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    for end in ["sign out", "an administrator", "deactivation", "a new password", "time"] {
        let mut repo = house.server.store.backend().begin(Durability::Full).await.unwrap();
        repo.users().update(&User { is_active: true, ..house.ada.clone() }, house.server.now()).await.unwrap();
        repo.save().await.unwrap();
        let web = Web::of(&house, "ada").await;
        web.go(PAGE).await.app();
        assert_eq!(status(&house, &web).await, 200);
        let mut repo = house.server.store.backend().begin(Durability::Full).await.unwrap();
        match end {
            "sign out" => {
                drop(repo);
                web.ak.follow("/flows/-/default/invalidation/").await;
            }
            "an administrator" => {
                repo.sessions().delete_of_user(house.ada.pk, None).await.unwrap();
                repo.save().await.unwrap();
            }
            "deactivation" => {
                repo.users().update(&User { is_active: false, ..house.ada.clone() }, house.server.now()).await.unwrap();
                repo.save().await.unwrap();
            }
            "a new password" => {
                let hash = house.server.app.hasher().hash(ak_tests::server::PASSWORD).await.unwrap();
                house.server.clock.advance(Span::milliseconds(1));
                repo.users().set_password(house.ada.pk, Some(&hash), house.server.now()).await.unwrap();
                repo.save().await.unwrap();
            }
            _ => {
                drop(repo);
                house.server.clock.advance(Span::hours(25));
            }
        }
        house.server.clock.advance(Span::milliseconds(999));
        assert_eq!(status(&house, &web).await, 302, "{end}");
    }
}

#[tokio::test]
async fn another_node_knows_sessions_and_their_end() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    let other = House { server: Start::new().on(&house.server.place).start().await, ada: house.ada.clone() };
    let web = Web::of(&house, "ada").await;
    web.go(PAGE).await.app();
    assert_eq!(status(&other, &web).await, 200);
    web.ak.follow("/flows/-/default/invalidation/").await;
    other.server.clock.advance(Span::milliseconds(999));
    assert_eq!(status(&other, &web).await, 302);
}

#[tokio::test]
async fn a_new_provider_protects_at_once_and_follows_its_changes() {
    let house = House::open().await;
    assert_eq!(house.asked(PAGE, &[]).await.status, 404, "nothing is let through for nobody's host");
    let (provider, application) = house.protect("app", json!({})).await;
    assert_eq!(house.asked(PAGE, &[]).await.status, 302);
    house.change(&provider, json!({ "skip_path_regex": "^/page$" })).await;
    assert_eq!(house.asked(PAGE, &[]).await.status, 200);
    house.change(&provider, json!({ "external_host": "https://new.example" })).await;
    assert_eq!(house.asked(PAGE, &[]).await.status, 404);
    assert_eq!(house.asked("https://new.example/page", &[]).await.status, 200);
    house.server.admin().delete(&format!("/api/v3/core/applications/{}/", application["slug"].as_str().unwrap())).await;
    assert_eq!(
        house.asked("https://new.example/page", &[]).await.status,
        404,
        "without an application there is nobody to let in"
    );
}

#[tokio::test]
async fn a_host_whose_application_is_gone_is_not_let_in_by_a_domain() {
    let house = House::open().await;
    let domain = json!({ "mode": "forward_domain", "external_host": "https://auth.example", "cookie_domain": "example" });
    house.protect("domain", domain).await;
    house.protect("app", json!({ "skip_path_regex": "^/page$" })).await;
    let web = Web::of(&house, "ada").await;
    web.go("https://other.example/").await.app();
    let cookies = web.cookies(&PAGE.parse().unwrap());
    assert!(!cookies.is_empty());
    house.server.admin().delete("/api/v3/core/applications/app/").await;
    for asker in ["traefik", "caddy", "nginx"] {
        let at = [
            ("x-forwarded-host", "app.example"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-uri", "/page"),
            ("x-original-url", PAGE),
            ("cookie", cookies.as_str()),
        ];
        assert_eq!(house.ask(asker, &at).await.status, 404, "{asker}");
    }
    house.protect("new", json!({})).await;
    let (url, headers) = web.go(PAGE).await.app();
    assert_eq!((url.as_str(), text(&headers, "x-authentik-meta-app")), (PAGE, "new"), "a new one takes the host over");
}

#[tokio::test]
async fn bindings_count_for_sessions_that_have_begun() {
    let house = House::open().await;
    let (_, application) = house.protect("app", json!({})).await;
    let staff = house.server.group("staff", &[&house.ada]).await;
    house.server.make("policies/bindings", &json!({ "target": application["pk"], "group": staff.pk, "order": 0 })).await;
    let web = Web::of(&house, "ada").await;
    web.go(PAGE).await.app();
    let mut repo = house.server.store.backend().begin(Durability::Full).await.unwrap();
    repo.groups().remove_member(staff.pk, house.ada.pk).await.unwrap();
    repo.save().await.unwrap();
    assert_eq!(status(&house, &web).await, 200, "policies are asked once a minute");
    house.server.clock.advance(Span::seconds(61));
    let denied = web.go(PAGE).await.page();
    assert_eq!(denied.status, 403, "{}", denied.text);
    assert!(denied.text.contains("Access denied") && denied.text.contains(denied.header("x-authentik-id")), "{}", denied.text);
    let nginx = [("x-original-url", PAGE), ("cookie", &web.cookies(&PAGE.parse().unwrap()))];
    assert_eq!(house.ask("nginx", &nginx).await.status, 403, "401 would lead her to sign in, and back here");
    let mut repo = house.server.store.backend().begin(Durability::Full).await.unwrap();
    repo.groups().add_member(staff.pk, house.ada.pk).await.unwrap();
    repo.save().await.unwrap();
    assert_eq!(status(&house, &web).await, 403, "once a minute, whatever they said");
    house.server.clock.advance(Span::seconds(61));
    assert_eq!(status(&house, &web).await, 200, "her session is still there");
}

#[tokio::test]
async fn policies_are_asked_about_where_she_is_and_not_about_where_the_proxy_is() {
    const HER: &str = "203.0.113.7";
    let house = House::open().await;
    let (_, application) = house.protect("app", json!({})).await;
    let expression = format!("return str(ak_client_ip) == \"{HER}\"");
    let policy = house.server.make("policies/expression", &json!({ "name": "here", "expression": expression })).await;
    house.server.make("policies/bindings", &json!({ "target": application["pk"], "policy": policy["pk"], "order": 0 })).await;
    let ak = house.server.client().header("x-forwarded-for", HER);
    ak.login("ada", ak_tests::server::PASSWORD).await;
    let web = Web::with(&house, ak);
    web.go(PAGE).await.app();
    let cookies = web.cookies(&PAGE.parse().unwrap());
    // As authentik documents nginx, which does not say from where the request comes.
    let nginx = [("x-original-url", PAGE), ("cookie", cookies.as_str())];
    for _ in 0..3 {
        let asked = house.ask("nginx", &nginx).await;
        assert_eq!(asked.status, 200, "{}", asked.text);
        house.server.clock.advance(Span::seconds(61));
    }
    let key = house.server.key(house.ada.pk, ak_store::records::TokenIntent::AppPassword, None).await;
    use base64::Engine as _;
    let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("ada:{key}")));
    for (from, expected) in [(HER, 200), ("203.0.113.8", 401)] {
        let reply = house.asked(PAGE, &[("authorization", &basic), ("x-forwarded-for", from)]).await;
        assert_eq!(reply.status, expected, "programs are where they are");
    }
}

#[tokio::test]
async fn signing_out_of_the_application_leads_to_signing_out_with_us() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    let web = Web::of(&house, "ada").await;
    let (_, headers) = web.go(PAGE).await.app();
    assert_eq!(text(&headers, "x-authentik-username"), "ada");
    let kept = web.cookies(&PAGE.parse().unwrap());
    let out = web.go("https://app.example/outpost.goauthentik.io/sign_out").await.page();
    assert_eq!(out.status, 200, "{}", out.text);
    assert_eq!(house.asked(PAGE, &[("cookie", &kept)]).await.status, 302, "a cookie that was kept is worth nothing");
    let again = web.go(PAGE).await.page();
    assert!(again.text.contains("uid_field"), "{}", again.text);
}

#[tokio::test]
async fn who_signs_in_again_stays_signed_in_to_her_applications() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    let web = Web::of(&house, "ada").await;
    web.go(PAGE).await.app();
    // Somebody else takes the browser over: the sessions of before are not hers.
    house.server.user("eve").await;
    web.ak.follow("/flows/-/default/invalidation/").await;
    web.ak.login("eve", ak_tests::server::PASSWORD).await;
    house.server.clock.advance(Span::seconds(1));
    assert_eq!(text(&web.go(PAGE).await.app().1, "x-authentik-username"), "eve");
}

#[tokio::test]
async fn a_session_asks_for_little() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    let web = Web::of(&house, "ada").await;
    web.go(PAGE).await.app();
    status(&house, &web).await;
    // While the clock stands, what was looked up still counts: the storage is not asked.
    let mut repo = house.server.store.backend().begin(Durability::Relaxed).await.unwrap();
    repo.sessions().delete_of_user(house.ada.pk, None).await.unwrap();
    repo.save().await.unwrap();
    assert_eq!(status(&house, &web).await, 200, "within half a second");
    house.server.clock.advance(Span::milliseconds(501));
    assert_eq!(status(&house, &web).await, 302);
}
