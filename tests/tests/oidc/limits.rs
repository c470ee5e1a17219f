//! Requests that are not quite what they should be.

use serde_json::json;

use crate::kit::{Back, CALLBACK, House, authorize};

#[tokio::test]
async fn an_expression_leads_nowhere_by_tricks() {
    let house = House::with(json!({ "redirect_uris": [
        { "matching_mode": "strict", "url": CALLBACK },
        { "matching_mode": "regex", "url": r"https://app\.example/area/.*" },
        { "matching_mode": "regex", "url": r"https://[^/]+\.tenant\.example/cb.*" },
    ] }))
    .await;
    let browser = house.server.signed_in("ada").await;
    for uri in [
        "https://app.example/area/",
        "https://app.example/area/x?y=z",
        "https://app.example/area/..x/.y/z..",
        "https://a.tenant.example/cb",
        "https://a.tenant.example/cb?x",
    ] {
        let reply = browser.get(&house.authorize(&[("redirect_uri", uri)])).await;
        assert!(reply.location().starts_with(uri) && reply.status == 303, "{uri}: {}", reply.text);
    }
    for uri in [
        // Out of the area by its path.
        "https://app.example/area/../x",
        "https://app.example/area/..",
        "https://app.example/area/./x",
        "https://app.example/area/%2e%2e/x",
        "https://app.example/area/%2E%2e/x",
        "https://app.example/area/.%2e/x",
        "https://app.example/area/%2e/x",
        "https://app.example/area/%2e%2e",
        "https://app.example/area/..?x",
        "https://app.example/area/\\..\\x",
        "https://app.example/area/x\\y",
        "https://app.example/area",
        "https://app.example/Area/",
        // To somebody else.
        "https://app.example@evil.example/area/",
        "https://app.example:443@evil.example/area/",
        "https://evil.example/https://app.example/area/",
        "https://evil.example/?https://app.example/area/",
        "https://evil.example\\.tenant.example/cb",
        "https://evil.example?.tenant.example/cb",
        "https://evil.example?x=.tenant.example/cb",
        "https://evil.example#.tenant.example/cb",
        "https://x@a.tenant.example/cb",
        "https://x:y@a.tenant.example/cb",
        "https://a.tenant.example@evil.example/cb",
        "https://a.tenant.example.evil.example/cb",
        "//app.example/area/",
        "https:app.example/area/",
        "https:/app.example/area/",
        "https:///app.example/area/",
        // By another name, port, scheme or spelling.
        "https://app.example:444/area/",
        "https://app.example:443/area/",
        "http://app.example/area/",
        "HTTPS://app.example/area/",
        "https://APP.example/area/",
        "https://app.example./area/",
        "https://appxexample/area/",
        "https://\u{0430}pp.example/area/",
        "https://xn--pp-6kc.example/area/",
        "https://\u{0430}.tenant.example/cb",
        "https://app\u{3002}example/area/",
        // Into headers, pages and fragments.
        "https://app.example/area/#x",
        "https://app.example/area/x#",
        "https://app.example/area/\r\nset-cookie: x=y",
        "https://app.example/area/\n",
        "https://app.example/area/\t",
        "https://app.example/area/\0",
        "https://app.example/area/ x",
        "https://app.example/area/<x>",
        "https://app.example/area/\"x\"",
        "javascript:https://app.example/area/",
    ] {
        let reply = browser.get(&house.authorize(&[("redirect_uri", uri)])).await;
        assert_eq!((reply.status, reply.location()), (400, ""), "{uri:?}");
        assert!(!reply.text.contains("evil.example"), "{uri:?}");
    }
}

#[tokio::test]
async fn what_comes_twice_counts_for_nothing() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    for name in ["client_id", "redirect_uri"] {
        let value = if name == "client_id" { house.client_id.as_str() } else { CALLBACK };
        let twice = house.authorize(&[(name, value), (name, value)]);
        let reply = browser.get(&twice).await;
        assert_eq!((reply.status, reply.location()), (400, ""), "{name}");
    }
    // Which of the two states is the client's cannot be told, so none is given back.
    let back = Back::of(&browser.get(&house.authorize(&[("state", "a"), ("state", "b")])).await);
    assert_eq!((back.error(), back.params.get("state")), ("invalid_request", None));
    for name in
        ["response_type", "scope", "nonce", "prompt", "max_age", "code_challenge", "id_token_hint", "claims", "response_mode"]
    {
        let back = Back::of(&browser.get(&house.authorize(&[(name, "query"), (name, "query")])).await);
        assert_eq!((back.error(), &back.params["state"]), ("invalid_request", &json!("s t&te")), "{name}");
    }
    let tokens = house.tokens(&browser).await;
    let code = house.code(&browser, &[]).await;
    let (access, refresh) = (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    let own = [("client_id", house.client_id.as_str()), ("client_secret", house.client_secret.as_str())];
    let by_code = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", CALLBACK)];
    let by_refresh = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    for (path, fields) in [
        ("token", &by_code[..]),
        ("token", &by_refresh),
        ("introspect", &[("token", access)]),
        ("introspect", &[("token", refresh), ("token_type_hint", "refresh_token")]),
        ("revoke", &[("token", access)]),
        ("revoke", &[("token", refresh), ("token_type_hint", "refresh_token")]),
    ] {
        for twice in fields.iter().chain(&own) {
            let fields = [&own[..], fields, &[*twice]].concat();
            let reply = house.server.client().form(&format!("/application/o/{path}/"), &fields).await;
            assert_eq!((reply.status, &reply.body["error"]), (400, &json!("invalid_request")), "{path} {twice:?}");
        }
    }
    // Nothing of it was used up or taken back.
    assert_eq!(house.userinfo(&tokens["access_token"]).await.status, 200);
    assert_eq!(house.redeem(&code).await.status, 200);
    assert_eq!(house.token(&by_refresh).await.status, 200);
}

#[tokio::test]
async fn what_is_too_long_is_refused_by_name() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    for (name, longest) in [
        ("state", 4096),
        ("nonce", 1024),
        ("scope", 2048),
        ("claims", 4096),
        ("login_hint", 254),
        ("id_token_hint", 8192),
        ("code_challenge", 128),
    ] {
        let ask = async |length: usize| {
            let value = match name {
                "claims" => format!("{{\"x\":\"{}\"}}", "x".repeat(length - 8)),
                _ => "x".repeat(length),
            };
            assert_eq!(value.len(), length);
            Back::of(&browser.get(&house.authorize(&[(name, &value)])).await)
        };
        let said = |back: &Back| back.params.get("error_description").map(|text| text.as_str().unwrap().to_owned());
        let long = "A parameter is too long.";
        assert_ne!(said(&ask(longest).await).as_deref(), Some(long), "{name}");
        let back = ask(longest + 1).await;
        assert_eq!((back.error(), said(&back).as_deref()), ("invalid_request", Some(long)), "{name}");
        let state = (name != "state").then_some("s t&te");
        assert_eq!(back.params.get("state").and_then(|state| state.as_str()), state, "{name}");
    }
    // An address that is too long is none that anybody is led to.
    house.change(json!({ "redirect_uris": [{ "matching_mode": "regex", "url": "https://app\\.example/.*" }] })).await;
    for (length, status) in [(2048, 303), (2049, 400)] {
        let uri = format!("https://app.example/{}", "x".repeat(length - 20));
        assert_eq!(uri.len(), length);
        assert_eq!(browser.get(&house.authorize(&[("redirect_uri", &uri)])).await.status, status, "{length}");
    }
    // What cannot be come back to after signing in is told to the client at once.
    let (state, nonce) = ("x".repeat(4096), "y".repeat(1024));
    let more = [("state", state.as_str()), ("nonce", &nonce), ("login_hint", "ada"), ("ui_locales", &nonce)];
    let asked = house.authorize(&[&more[..], &[("redirect_uri", "https://app.example/x")]].concat());
    assert!(Back::of(&browser.get(&asked).await).params.contains_key("code"));
    let back = Back::of(&house.server.client().get(&asked).await);
    assert_eq!((back.error(), &back.params["state"]), ("invalid_request", &json!(state)));
    // Tokens and secrets that are too long are none.
    let long = "x".repeat(16 * 1024 + 1);
    assert_eq!(house.userinfo(&json!(&long[..15_000])).await.status, 401);
    let reply = house.token(&[("grant_type", "refresh_token"), ("refresh_token", &long)]).await;
    assert_eq!((reply.status, &reply.body["error"]), (400, &json!("invalid_request")));
    assert_eq!(browser.get(&authorize(&long, &[])).await.status, 400);
}
