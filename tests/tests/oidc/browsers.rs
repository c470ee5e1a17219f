//! What pages of applications do by themselves, and how tokens are brought.

use ak_tests::server::Reply;
use serde_json::{Value, json};

use crate::kit::{CALLBACK, House};

const TOKEN: &str = "/application/o/token/";
const USERINFO: &str = "/application/o/userinfo/";

async fn preflight(house: &House, path: &str, origin: &str, asked: &str) -> Reply {
    let client = house.server.client().header("origin", origin).header("access-control-request-headers", asked);
    let client = client.header("access-control-request-method", "POST");
    client.send(|http, url| http.request("OPTIONS".parse().unwrap(), url), path).await
}

#[tokio::test]
async fn pages_of_applications_call_and_others_do_not() {
    let uris = |uris: Value| json!({ "redirect_uris": uris });
    let house = House::with(uris(json!([
        { "matching_mode": "strict", "url": CALLBACK },
        { "matching_mode": "regex", "url": r"https://spa\.example:8443/.*" },
        { "matching_mode": "regex", "url": r"https://[a-z]+\.many\.example/.*" },
    ])))
    .await;
    for (origin, known) in [
        ("https://app.example", true),
        ("https://spa.example:8443", true),
        ("https://spa.example", false),
        ("https://spaxexample:8443", false),
        ("https://a.many.example", false),
        ("https://evil.example", false),
        ("null", false),
    ] {
        let expected = if known { origin } else { "" };
        let client = house.server.client().header("origin", origin);
        let reply = client.form(TOKEN, &[("grant_type", "x")]).await;
        assert_eq!(reply.header("access-control-allow-origin"), expected, "{origin}");
        let asked = "authorization,x-requested-with, DPoP";
        let reply = preflight(&house, TOKEN, origin, asked).await;
        let allowed = if known { asked } else { "authorization, content-type" };
        assert_eq!((reply.status, reply.header("access-control-allow-origin")), (204, expected), "{origin}");
        assert_eq!(reply.header("access-control-allow-headers"), allowed, "{origin}");
        // What everybody may read every page may.
        for path in ["/application/o/app/.well-known/openid-configuration", "/application/o/app/jwks/"] {
            let reply = client.get(path).await;
            assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, "*"), "{origin} {path}");
            let reply = preflight(&house, path, origin, "x-mine").await;
            assert_eq!((reply.status, reply.header("access-control-allow-origin")), (204, "*"), "{origin} {path}");
        }
    }
    for asked in ["a(b)", "x: y", "\"x\"", &"x".repeat(513)] {
        let reply = preflight(&house, TOKEN, "https://app.example", asked).await;
        assert_eq!(reply.header("access-control-allow-headers"), "authorization, content-type", "{asked}");
    }
}

#[tokio::test]
async fn a_token_is_brought_in_one_way() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    let tokens = house.tokens(&browser).await;
    let token = tokens["access_token"].as_str().unwrap();
    let client = house.server.client();
    let bearer = client.clone().header("authorization", &format!("Bearer {token}"));
    assert_eq!(bearer.get(USERINFO).await.status, 200);
    assert_eq!(bearer.form(USERINFO, &[]).await.status, 200);
    assert_eq!(client.form(USERINFO, &[("access_token", token)]).await.status, 200);
    // Who brings none is told how, and of no error.
    let none = [client.get(USERINFO).await, client.form(USERINFO, &[]).await, client.post(USERINFO, &json!({})).await];
    let basic = client.clone().header("authorization", "Basic eDp5");
    let in_address = client.get(&format!("{USERINFO}?access_token={token}")).await;
    for reply in none.into_iter().chain([basic.get(USERINFO).await, in_address]) {
        assert_eq!((reply.status, reply.header("www-authenticate")), (401, "Bearer"), "{}", reply.text);
        assert_eq!((reply.text.as_str(), reply.header("cache-control")), ("", "no-store"));
    }
    let wrong = client.clone().header("authorization", "Bearer x").get(USERINFO).await;
    assert!(wrong.header("www-authenticate").starts_with("Bearer error=\"invalid_token\""), "{:?}", wrong.headers);
    for twice in [
        bearer.form(USERINFO, &[("access_token", token)]).await,
        bearer.form(USERINFO, &[("access_token", "x")]).await,
        client.form(USERINFO, &[("access_token", token), ("access_token", token)]).await,
    ] {
        assert_eq!((twice.status, &twice.body["error"]), (400, &json!("invalid_request")), "{}", twice.text);
    }
    // A client that is not itself is told by which scheme it could have been (RFC 9110, section 11.6.1), however it has tried.
    let fields = [("grant_type", "client_credentials"), ("client_id", house.client_id.as_str()), ("client_secret", "wrong")];
    let refused = client.form(TOKEN, &fields).await;
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, "Basic realm=\"OAuth\""));
}
