//! What people try: forged headers, states of others, addresses of elsewhere.

use serde_json::json;

use super::kit::House;
use super::web::{Arrived, Web, text};

const PAGE: &str = "https://app.example/page?x=y";

#[tokio::test]
async fn forged_and_contradictory_headers_open_nothing() {
    let house = House::open().await;
    house.protect("app", json!({ "skip_path_regex": "^/public" })).await;
    house.protect("other", json!({ "external_host": "https://other.example", "skip_path_regex": "." })).await;
    let (host, proto) = (("x-forwarded-host", "app.example"), ("x-forwarded-proto", "https"));
    for (headers, status) in [
        (vec![("x-forwarded-host", "app.example, other.example"), proto], 400),
        (vec![("x-forwarded-host", "other.example@app.example"), proto], 400),
        (vec![("x-forwarded-host", "unknown.example"), proto], 404),
        (vec![host, proto, ("x-forwarded-uri", "http://other.example/public")], 400),
        (vec![host, proto, ("x-forwarded-uri", "public")], 400),
        (vec![host, proto, ("x-forwarded-uri", "/admin"), ("x-original-url", "https://other.example/")], 302),
        (
            vec![host, proto, ("x-forwarded-uri", "/admin"), ("x-rewrite-url", "/public"), ("forwarded", "host=other.example")],
            302,
        ),
        (vec![host, ("x-forwarded-proto", "gopher"), ("x-forwarded-uri", "/admin")], 302),
    ] {
        assert_eq!(house.ask("traefik", &headers).await.status, status, "{headers:?}");
    }
    // nginx leaves what came from the browser in these, so they count for nothing.
    let forged = [host, proto, ("x-forwarded-uri", "/public/x"), ("host", "app.example")];
    assert_eq!(house.ask("nginx", &forged).await.status, 401);
    assert_eq!(house.ask("haproxy", &[host, proto]).await.status, 404);
}

#[tokio::test]
async fn who_is_no_proxy_says_nothing() {
    let server = ak_tests::server::Start::new().with("AUTHENTIK_LISTEN__TRUSTED_PROXY_CIDRS", "10.0.0.0/8").start().await;
    let house = House::of(server).await;
    house.protect("app", json!({ "skip_path_regex": "^/public" })).await;
    let said =
        [("x-forwarded-host", "app.example"), ("x-forwarded-uri", "/public"), ("x-original-url", "https://app.example/public")];
    for asker in ["traefik", "caddy", "nginx"] {
        assert_eq!(house.ask(asker, &said).await.status, 404, "{asker}: the host is that of the request itself");
    }
    let own = [("host", "app.example"), ("x-forwarded-uri", "/public")];
    assert_eq!(house.ask("traefik", &own).await.status, 302, "the path is not known, so it is not one that everybody may see");
    let by_route = [("host", "app.example"), ("x-original-url", "https://app.example/outpost.goauthentik.io/auth/nginx")];
    assert_eq!(house.ask("nginx", &by_route).await.text, "Only a reverse proxy may ask this.\n");
}

#[tokio::test]
async fn forged_identity_headers_never_arrive() {
    let house = House::open().await;
    house.protect("app", json!({ "skip_path_regex": "^/public" })).await;
    let at = [("x-forwarded-host", "app.example"), ("x-forwarded-proto", "https"), ("x-forwarded-uri", "/public")];
    for name in ["X-authentik-username", "x-authentik-groups", "X-AUTHENTIK-JWT"] {
        let reply = house.ask("traefik", &[at.as_slice(), &[(name, "root")]].concat()).await;
        assert_eq!((reply.status, text(&reply.headers, name)), (200, ""), "overwritten by Traefik with nothing");
    }
    for name in ["X_authentik_username", "x-authentik_username", "X_AUTHENTIK-GROUPS"] {
        let reply = house.ask("traefik", &[at.as_slice(), &[(name, "root")]].concat()).await;
        assert_eq!(reply.status, 403, "{name}: Traefik would not overwrite it, and programs take it for the same");
    }
}

#[tokio::test]
async fn caddy_lets_nothing_through_that_it_would_not_overwrite() {
    let house = House::open().await;
    house.protect("app", json!({ "skip_path_regex": "^/public" })).await;
    let web = Web::of(&house, "ada").await;
    web.go(PAGE).await.app();
    let cookies = web.cookies(&PAGE.parse().unwrap());
    let at = |uri| [("x-forwarded-host", "app.example"), ("x-forwarded-proto", "https"), ("x-forwarded-uri", uri)];
    let ask = async |uri, more: &[(&str, &str)]| house.ask("caddy", &[at(uri).as_slice(), more].concat()).await.status;
    for (name, value, public, private) in [
        ("X-Authentik-Username", "root", 403, 200),
        ("X-Authentik-Email", "root@example.com", 403, 200),
        // Ada has no groups and no name.
        ("X-AUTHENTIK-GROUPS", "admins", 403, 403),
        ("x-authentik-name", "Root", 403, 403),
        ("x-authentik-groups", "", 200, 200),
        ("x-authentik-csrf", "token", 200, 200),
    ] {
        assert_eq!(ask("/public", &[(name, value)]).await, public, "{name} at a public page");
        assert_eq!(ask("/private", &[(name, value), ("cookie", cookies.as_str())]).await, private, "{name} at a private page");
        assert_eq!(ask("/private", &[(name, value)]).await, 302, "{name} of nobody");
    }
}

#[tokio::test]
async fn a_path_that_nobody_tells_is_none_that_everybody_may_see() {
    let house = House::open().await;
    house.protect("app", json!({ "skip_path_regex": "^/$" })).await;
    let (host, proto) = (("x-forwarded-host", "app.example"), ("x-forwarded-proto", "https"));
    for (asker, headers, status) in [
        ("traefik", vec![host, proto], 302),
        ("traefik", vec![host, proto, ("x-forwarded-uri", "")], 302),
        ("traefik", vec![host, proto, ("x-forwarded-uri", "/")], 200),
        ("caddy", vec![host, proto, ("x-original-url", "https://app.example/")], 302),
        ("nginx", vec![("host", "app.example"), ("x-forwarded-uri", "/")], 401),
        ("nginx", vec![("x-original-url", "https://app.example/")], 200),
    ] {
        assert_eq!(house.ask(asker, &headers).await.status, status, "{asker} {headers:?}");
    }
}

#[tokio::test]
async fn a_browser_that_asks_itself_learns_no_secrets() {
    let house = House::open().await;
    let more =
        json!({ "basic_auth_enabled": true, "basic_auth_password_attribute": "password", "basic_auth_user_attribute": "user" });
    house.protect("app", more).await;
    let attributes = json!({ "attributes": { "password": "secret", "user": "ada" } });
    let path = format!("/api/v3/core/users/{}/", house.ada.pk);
    assert_eq!(house.server.admin().patch(&path, &attributes).await.status, 200);
    let web = Web::of(&house, "ada").await;
    web.go(PAGE).await.app();
    let cookies = web.cookies(&PAGE.parse().unwrap());
    let at = [("host", "app.example"), ("x-forwarded-host", "app.example"), ("x-forwarded-proto", "https"), ("cookie", &cookies)];
    for asker in ["traefik", "caddy"] {
        let asked = house.ask(asker, &[at.as_slice(), &[("x-forwarded-uri", "/")]].concat()).await;
        assert!(!text(&asked.headers, "x-authentik-jwt").is_empty() && asked.header("authorization").starts_with("Basic "));
        // A script that says which path was asked for, by a proxy that passes that on and has a route for this, is no other request than
        // the one above: README says which routes are needed, and this is none of them.
        let by_itself = house.ask(asker, &at).await;
        assert_eq!((by_itself.status, text(&by_itself.headers, "x-authentik-username")), (200, "ada"));
        assert_eq!((text(&by_itself.headers, "x-authentik-jwt"), by_itself.header("authorization")), ("", ""), "{asker}");
    }
    // By nginx' route for our path, which it finds in any spelling, with what a script may say besides.
    for path in
        ["/outpost.goauthentik.io", "//outpost.goauthentik.io", "/%6futpost.goauthentik.io", "/a/%2e%2e/outpost.goauthentik.io"]
    {
        for asker in ["nginx", "traefik", "caddy"] {
            let own = format!("https://app.example{path}/auth/{asker}");
            let by_route = [at.as_slice(), &[("x-original-url", own.as_str()), ("x-forwarded-uri", "/")]].concat();
            let by_itself = house.ask(asker, &by_route).await;
            assert_eq!((by_itself.status, text(&by_itself.headers, "x-authentik-jwt")), (401, "missing"), "{asker} {path}");
        }
    }
    assert_eq!(house.ask("nginx", &[("x-original-url", PAGE), ("cookie", &cookies)]).await.status, 200);
    let about_us = "https://app.example/docs/outpost.goauthentik.io/auth/nginx";
    assert_eq!(house.ask("nginx", &[("x-original-url", about_us), ("cookie", &cookies)]).await.status, 200);
}

#[tokio::test]
async fn no_application_is_at_an_address_of_our_own() {
    let house = House::open().await;
    let (provider, _) = house.protect("app", json!({})).await;
    let path = format!("/api/v3/providers/proxy/{}/", provider["pk"]);
    for host in ["https://app.example/outpost.goauthentik.io/start", "https://app.example/?X-authentik-logout=true"] {
        let reply = house.server.admin().patch(&path, &json!({ "external_host": host })).await;
        let expected = json!({ "external_host": ["It is an address of our own, and not of the application."] });
        assert_eq!((reply.status, reply.body), (400, expected), "{host}");
    }
}

#[tokio::test]
async fn nobody_is_led_elsewhere_after_signing_in() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    for rd in [
        "//evil.example/",
        "/\\evil.example/",
        "https://evil.example/",
        "https://app.example@evil.example/",
        "https://app.example.evil.example/",
        "https%3A%2F%2Fevil.example",
        "javascript:alert(1)",
        "https://app.example/%0d%0aSet-Cookie:a=b\r\n",
        "https://app.example/outpost.goauthentik.io/sign_out",
        "https://app.example/outpost.goauthentik.io/start?rd=/",
        "",
    ] {
        let web = Web::of(&house, "ada").await;
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("rd", rd).finish();
        let (url, _) = web.go(&format!("https://app.example/outpost.goauthentik.io/start?{query}")).await.app();
        assert_eq!(url, "https://app.example/", "{rd:?}");
    }
}

/// Where the way to sign in leads: the state in it.
async fn state(web: &Web<'_>, house: &House) -> String {
    let start = [("host", "app.example"), ("x-forwarded-proto", "https")];
    let path = format!("/outpost.goauthentik.io/start?rd={}", "https%3A%2F%2Fapp.example%2Fpage%3Fx%3Dy");
    let cookies = web.cookies(&PAGE.parse().unwrap());
    let reply = house.client(&[start.as_slice(), &[("cookie", cookies.as_str())]].concat()).get(&path).await;
    assert_eq!(reply.status, 302, "{}", reply.text);
    web.keep(&PAGE.parse().unwrap(), &reply);
    let url: url::Url = reply.location().parse().unwrap();
    url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned()
}

#[tokio::test]
async fn a_state_of_somebody_else_begins_again_and_ends_at_its_page() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    let theirs = state(&Web::new(&house), &house).await;
    for (state, ends_at) in [
        (theirs.as_str(), PAGE),
        ("", "https://app.example/"),
        ("nonsense", "https://app.example/"),
        ("eyJhbGciOiJub25lIn0.eyJyZWRpcmVjdCI6Imh0dHBzOi8vZXZpbC5leGFtcGxlLyJ9.", "https://app.example/"),
    ] {
        for code in ["&code=stolen", ""] {
            let web = Web::of(&house, "ada").await;
            let callback =
                format!("https://app.example/outpost.goauthentik.io/callback?X-authentik-auth-callback=true&state={state}{code}");
            let (url, headers) = web.go(&callback).await.app();
            assert_eq!((url.as_str(), text(&headers, "x-authentik-username")), (ends_at, "ada"), "{state} {code}");
        }
    }
}

#[tokio::test]
async fn a_stale_state_and_a_spent_code_begin_again_too() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    let callback = |state: &str| format!("https://app.example/outpost.goauthentik.io/callback?code=spent&state={state}");
    for age in [chrono::Duration::zero(), chrono::Duration::days(2)] {
        let web = Web::of(&house, "ada").await;
        let state = state(&web, &house).await;
        house.server.clock.advance(age);
        web.ak.login("ada", ak_tests::server::PASSWORD).await;
        assert_eq!(web.go(&callback(&state)).await.app().0, PAGE, "{age}");
    }
}

#[tokio::test]
async fn several_tabs_sign_in_at_once() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    let web = Web::new(&house);
    let one = web.go("https://app.example/one").await.page();
    web.go("https://app.example/two").await.page();
    assert_eq!(web.sign_in(&one, "ada").await.app().0, "https://app.example/one");
    assert_eq!(web.go("https://app.example/two").await.app().0, "https://app.example/two");
}

#[tokio::test]
async fn a_browser_that_keeps_no_cookies_is_told_so() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    let web = Web::of(&house, "ada").await.forgetful();
    match web.go(PAGE).await {
        Arrived::Page { reply, .. } => assert!(reply.status == 403 && reply.text.contains("cookies"), "{}", reply.text),
        Arrived::App { url, .. } => panic!("at {url}"),
    }
}

#[tokio::test]
async fn looking_ahead_changes_nothing() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    let web = Web::of(&house, "ada").await;
    web.go(PAGE).await.app();
    let cookies = web.cookies(&PAGE.parse().unwrap());
    let at = [("host", "app.example"), ("x-forwarded-proto", "https"), ("cookie", cookies.as_str())];
    let out = house.client(&at).send(|http, url| http.head(url), "/outpost.goauthentik.io/sign_out").await;
    assert_eq!(out.status, 302);
    let uri = [
        ("x-forwarded-method", "HEAD"),
        ("x-forwarded-host", "app.example"),
        ("x-forwarded-uri", "/outpost.goauthentik.io/sign_out"),
    ];
    assert_eq!(house.ask("traefik", &[uri.as_slice(), &at].concat()).await.status, 302);
    house.server.clock.advance(chrono::Duration::seconds(1));
    assert_eq!(house.asked(PAGE, &[("cookie", &cookies)]).await.status, 200, "she is still signed in");
    let head = [
        ("x-forwarded-method", "HEAD"),
        ("x-forwarded-host", "app.example"),
        ("x-forwarded-proto", "https"),
        ("cookie", &cookies),
    ];
    assert_eq!(house.ask("traefik", &head).await.status, 200, "a HEAD of a page passes as its GET does");
}

#[tokio::test]
async fn pictures_and_frames_sign_nobody_out() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    let web = Web::of(&house, "ada").await;
    web.go(PAGE).await.app();
    let cookies = web.cookies(&PAGE.parse().unwrap());
    let at = [("host", "app.example"), ("x-forwarded-proto", "https"), ("cookie", cookies.as_str()), ("sec-fetch-dest", "image")];
    let out = house.client(&at).get("/outpost.goauthentik.io/sign_out").await;
    assert_eq!(out.status, 403, "{}", out.text);
    assert_eq!(house.asked(PAGE, &[("cookie", &cookies)]).await.status, 200);
}
