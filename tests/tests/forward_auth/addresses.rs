//! Where browsers want to go, in all the ways in which it is said.

use serde_json::json;

use super::kit::House;
use super::web::{Web, text};

#[tokio::test]
async fn ingress_nginx_encodes_the_path_and_not_the_host() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    let web = Web::of(&house, "ada").await;
    let start = "https://app.example/outpost.goauthentik.io/start?rd=";
    let (url, _) = web.go(&format!("{start}https://app.example%2Fdeep%3Fa%3Db%26c%3D%252F")).await.app();
    assert_eq!(url, "https://app.example/deep?a=b&c=%2F");
    for evil in
        ["https://app.example%2eevil.example/", "https://app.example%40evil.example/", "https://evil.example%2Fapp.example"]
    {
        assert_eq!(web.go(&format!("{start}{evil}")).await.app().0, "https://app.example/", "{evil}");
    }
}

#[tokio::test]
async fn long_addresses_are_never_a_dead_end() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    for (length, arrives) in [(1_000, true), (2_500, true), (3_500, false), (5_000, false), (20_000, false), (60_000, false)] {
        let page = format!("https://app.example/page?{}", "x".repeat(length));
        let web = Web::of(&house, "ada").await;
        let (url, _) = web.go(&page).await.app();
        assert!(url == if arrives { page.as_str() } else { "https://app.example/" }, "{length}");
        // Whoever has signed in comes to all of them.
        assert!(web.go(&page).await.app().0 == page, "{length}");
    }
}

#[tokio::test]
async fn letters_of_any_language_and_encoding_are_led_back_to() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    for (query, led) in [("q=ä€".as_bytes(), "q=%C3%A4%E2%82%AC"), (b"q=\xe4".as_slice(), "q=%E4")] {
        let uri = reqwest::header::HeaderValue::from_bytes(&[b"/suche?", query].concat()).unwrap();
        let reply = house
            .client(&[("x-forwarded-host", "app.example"), ("x-forwarded-proto", "https")])
            .send(|http, url| http.get(url).header("x-forwarded-uri", uri), "/outpost.goauthentik.io/auth/traefik")
            .await;
        let start = url::Url::parse(reply.location()).unwrap_or_else(|_| panic!("{} {}", reply.status, reply.text));
        let rd = start.query_pairs().find(|(name, _)| name == "rd").unwrap().1.into_owned();
        assert_eq!(rd, format!("https://app.example/suche?{led}"));
    }
    let encoded = "https://app.example/outpost.goauthentik.io/start?rd=https%3A%2F%2Fapp.example%2F%3Fq%3D%C3%A4";
    assert_eq!(Web::of(&house, "ada").await.go(encoded).await.app().0, "https://app.example/?q=%C3%A4");
}

#[tokio::test]
async fn a_frame_signs_in_without_a_page_or_not_at_all() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    let at = "https://app.example/frame".parse().unwrap();
    for (web, signed_in) in [(Web::of(&house, "ada").await, true), (Web::new(&house), false)] {
        let frame = async |path: &str| {
            let cookies = web.cookies(&at);
            let headers = [
                ("host", "app.example"),
                ("x-forwarded-proto", "https"),
                ("sec-fetch-dest", "iframe"),
                ("cookie", cookies.as_str()),
            ];
            let reply = house.client(&headers).get(path).await;
            web.keep(&at, &reply);
            reply
        };
        let start = frame("/outpost.goauthentik.io/start?rd=https%3A%2F%2Fapp.example%2Fframe").await;
        let asked = start.location().strip_prefix(&house.server.url).unwrap();
        assert!(asked.contains("&prompt=none"), "{asked}");
        let back = web.ak.get(asked).await;
        let callback =
            back.location().strip_prefix("https://app.example").unwrap_or_else(|| panic!("{} {}", back.status, back.text));
        let done = frame(callback).await;
        if signed_in {
            assert_eq!((done.status, done.location()), (302, at.as_str()));
            let asked = house.asked(at.as_str(), &[("cookie", &web.cookies(&at))]).await;
            assert_eq!(text(&asked.headers, "x-authentik-username"), "ada");
        } else {
            assert_eq!((done.status, done.location()), (401, ""), "{}", done.text);
            assert!(done.text.contains("Not signed in") && done.text.contains("app.example"), "{}", done.text);
        }
    }
}
