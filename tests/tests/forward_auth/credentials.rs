//! Programs, which bring credentials and follow no redirects.

use ak_store::records::{Durability, GrantFilter, GrantKind, Page, TokenIntent, User};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::kit::House;
use super::web::{Web, text};

const PAGE: &str = "https://app.example/api";

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

#[tokio::test]
async fn an_app_password_lets_in_while_it_is_good() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    let key = house.server.key(house.ada.pk, TokenIntent::AppPassword, None).await;
    let good = basic("ada", &key);
    for _ in 0..2 {
        let reply = house.asked(PAGE, &[("authorization", &good)]).await;
        assert_eq!((reply.status, text(&reply.headers, "x-authentik-username")), (200, "ada"), "{}", reply.text);
        house.server.clock.advance(chrono::Duration::seconds(1));
    }
    let mut repo = house.server.store.backend().begin(Durability::Full).await.unwrap();
    repo.users().update(&User { is_active: false, ..house.ada.clone() }, house.server.now()).await.unwrap();
    repo.save().await.unwrap();
    house.server.clock.advance(chrono::Duration::milliseconds(999));
    assert_eq!(house.asked(PAGE, &[("authorization", &good)]).await.status, 401);
}

#[tokio::test]
async fn what_programs_are_told_is_as_it_is_now_and_costs_no_token_a_minute() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    let staff = house.server.group("staff", &[&house.ada]).await;
    let key = house.server.key(house.ada.pk, TokenIntent::AppPassword, None).await;
    let good = basic("ada", &key);
    let tokens = async || {
        let mut repo = house.server.store.read().await.unwrap();
        let filter = GrantFilter { kind: Some(GrantKind::Access), user: Some(house.ada.pk), ..GrantFilter::default() };
        repo.grants().list(&filter, Page::ALL).await.unwrap().len()
    };
    let groups = async || {
        let reply = house.asked(PAGE, &[("authorization", &good)]).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        text(&reply.headers, "x-authentik-groups").to_owned()
    };
    for _ in 0..3 {
        assert_eq!((groups().await.as_str(), tokens().await), ("staff", 1));
        house.server.clock.advance(chrono::Duration::seconds(61));
    }
    let mut repo = house.server.store.backend().begin(Durability::Full).await.unwrap();
    repo.groups().remove_member(staff.pk, house.ada.pk).await.unwrap();
    repo.save().await.unwrap();
    // Other programs ask all the time, and that makes nothing last.
    for _ in 0..13 {
        groups().await;
        house.server.clock.advance(chrono::Duration::seconds(5));
    }
    assert_eq!((groups().await.as_str(), tokens().await), ("", 2));
}

#[tokio::test]
async fn wrong_credentials_are_told_so_and_led_nowhere() {
    let house = House::open().await;
    let (provider, _) = house.protect("app", json!({})).await;
    let api = house.server.key(house.ada.pk, TokenIntent::Api, None).await;
    for wrong in [
        basic("ada", ak_tests::server::PASSWORD),
        basic("ada", "wrong"),
        basic("nobody", "wrong"),
        basic("ada", &api),
        basic("goauthentik.io/token", "wrong"),
        format!("Bearer {api}"),
        "Bearer x.y.z".to_owned(),
        "Bearer".to_owned(),
        "Basic %%%".to_owned(),
        "Negotiate x".to_owned(),
    ] {
        for asker in ["traefik", "caddy"] {
            let at = [("x-forwarded-host", "app.example"), ("x-forwarded-proto", "https"), ("authorization", wrong.as_str())];
            let reply = house.ask(asker, &at).await;
            assert_eq!((reply.status, reply.header("www-authenticate")), (401, "Basic realm=\"authentik\""), "{wrong}");
            assert_eq!(reply.location(), "");
        }
    }
    house.change(&provider, json!({ "intercept_header_auth": false })).await;
    let reply = house.asked(PAGE, &[("authorization", &basic("ada", "of the application's own"))]).await;
    assert_eq!(reply.status, 302, "credentials of the application's own are none of ours");
}

#[tokio::test]
async fn a_token_of_the_provider_lets_in_and_one_of_another_does_not() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    house.protect("other", json!({ "external_host": "https://other.example" })).await;
    let web = Web::of(&house, "ada").await;
    let token = |headers: &reqwest::header::HeaderMap| text(headers, "x-authentik-jwt").to_owned();
    let own = token(&web.go(PAGE).await.app().1);
    let other = token(&web.go("https://other.example/").await.app().1);
    for (credentials, status) in [
        (format!("Bearer {own}"), 200),
        (basic("goauthentik.io/token", &own), 200),
        (format!("Bearer {other}"), 401),
        (basic("goauthentik.io/token", &other), 401),
    ] {
        assert_eq!(house.asked(PAGE, &[("authorization", &credentials)]).await.status, status);
    }
    // It is of her session, and ends with it.
    web.ak.follow("/flows/-/default/invalidation/").await;
    house.server.clock.advance(chrono::Duration::milliseconds(999));
    assert_eq!(house.asked(PAGE, &[("authorization", &format!("Bearer {own}"))]).await.status, 401);
}

#[tokio::test]
async fn bindings_count_for_programs_too() {
    let house = House::open().await;
    let (_, application) = house.protect("app", json!({})).await;
    let staff = house.server.group("staff", &[]).await;
    house.server.make("policies/bindings", &json!({ "target": application["pk"], "group": staff.pk, "order": 0 })).await;
    let key = house.server.key(house.ada.pk, TokenIntent::AppPassword, None).await;
    assert_eq!(house.asked(PAGE, &[("authorization", &basic("ada", &key))]).await.status, 401);
}

#[tokio::test]
async fn the_application_gets_credentials_and_headers_from_attributes() {
    let house = House::open().await;
    let more = json!({ "basic_auth_enabled": true, "basic_auth_password_attribute": "app_password", "basic_auth_user_attribute": "app_user" });
    house.protect("app", more).await;
    let attributes =
        json!({ "app_user": "ada-at-app", "app_password": "pass", "additionalHeaders": { "X-Team": "blue", "Host": "evil" } });
    let path = format!("/api/v3/core/users/{}/", house.ada.pk);
    let reply = house.server.admin().patch(&path, &json!({ "attributes": attributes })).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let web = Web::of(&house, "ada").await;
    let (_, headers) = web.go(PAGE).await.app();
    assert_eq!(text(&headers, "authorization"), basic("ada-at-app", "pass"));
    let answer = house.asked(PAGE, &[("cookie", &web.cookies(&PAGE.parse().unwrap()))]).await;
    assert_eq!((answer.header("x-team"), answer.header("host")), ("blue", ""));
}
