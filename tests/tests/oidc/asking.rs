//! What clients may ask for, and what people are asked.

use ak_policy::Denial;
use ak_tests::server::{PASSWORD, Reply};
use chrono::Duration;
use serde_json::{Value, json};

use crate::kit::{Back, CALLBACK, House, application, authorize, pk};

#[tokio::test]
async fn a_silent_request_never_shows_a_page() {
    let house = House::open().await;
    let silent = |more: &[(&str, &str)]| house.authorize(&[&[("prompt", "none")], more].concat());
    let state = "x".repeat(128);
    let back = Back::of(&house.server.client().get(&silent(&[("state", &state)])).await);
    assert_eq!((back.error(), &back.params["state"]), ("login_required", &json!(state)));
    let browser = house.server.signed_in("ada").await;
    let tokens = house.tokens(&browser).await;
    let first = house.verified(&tokens["id_token"]).await;
    house.server.clock.advance(Duration::minutes(10));
    let hint = tokens["id_token"].as_str().unwrap();
    let code = house.code(&browser, &[("prompt", "none"), ("id_token_hint", hint)]).await;
    let again = house.redeem(&code).await.body;
    assert_eq!(house.verified(&again["id_token"]).await["auth_time"], first["auth_time"]);
    // Somebody else's hint, an age that is over, consent that was not given: all told, nothing shown.
    house.server.user("bob").await;
    let bob = house.server.signed_in("bob").await;
    assert_eq!(Back::of(&bob.get(&silent(&[("id_token_hint", hint)])).await).error(), "login_required");
    assert_eq!(Back::of(&browser.get(&silent(&[("max_age", "300")])).await).error(), "login_required");
    assert_eq!(Back::of(&browser.get(&silent(&[("id_token_hint", "x.y.z")])).await).error(), "invalid_request");
    assert_eq!(Back::of(&browser.get(&silent(&[("prompt", "none login")])).await).error(), "invalid_request");
    let explicit = pk(&house.server, "flows/instances", "slug", "default-provider-authorization-explicit-consent").await;
    house.change(json!({ "authorization_flow": explicit })).await;
    assert_eq!(Back::of(&browser.get(&silent(&[])).await).error(), "consent_required");
    assert_eq!(browser.get("/if/flow/default-provider-authorization-explicit-consent/").await.status, 200, "it was given up");
}

#[tokio::test]
async fn signing_in_anew_is_signing_in_anew() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    let first = house.tokens(&browser).await;
    let first = house.verified(&first["id_token"]).await;
    house.server.clock.advance(Duration::minutes(10));
    for asked in [[("prompt", "login")], [("max_age", "60")], [("max_age", "0")]] {
        let page = browser.follow(&house.authorize(&asked)).await;
        assert!(page.text.contains("name=\"uid_field\""), "{asked:?}: {}", page.text);
        // Going back to the request without having signed in leads here again.
        let page = browser.submit(&page, &[("uid_field", "ada")]).await;
        let page = browser.follow(page.location()).await;
        let reply = browser.submit(&page, &[("password", PASSWORD)]).await;
        let back = Back::of(&browser.get(reply.location()).await);
        let tokens = house.redeem(back.params["code"].as_str().unwrap()).await.body;
        let again = house.verified(&tokens["id_token"]).await;
        assert!(again["auth_time"].as_i64() > first["auth_time"].as_i64(), "{asked:?}");
        // What says that she has is signed, and not for another request.
        let forged = house.authorize(&[asked[0], ("ak_asked", "1.AAAA")]);
        house.server.clock.advance(Duration::minutes(2));
        assert!(browser.get(&forged).await.location().starts_with("/if/flow/"), "{asked:?}");
    }
    let next = browser.get(&house.authorize(&[("max_age", "10000")])).await;
    assert!(Back::of(&next).params.contains_key("code"));
}

#[tokio::test]
async fn a_flow_for_who_has_not_signed_in_is_for_who_does_so_anew() {
    let house = House::open().await;
    let slug = "default-authentication-flow";
    let change = json!({ "authentication": "require_unauthenticated" });
    let reply = house.server.admin().patch(&format!("/api/v3/flows/instances/{slug}/"), &change).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let browser = house.server.signed_in("ada").await;
    let first = house.tokens(&browser).await;
    let first = house.verified(&first["id_token"]).await;
    // Who goes there by herself has nothing to do there, whatever she sends along.
    let path = format!("/if/flow/{slug}/?anew=true&next=%2Fif%2Fuser%2F");
    assert_eq!(browser.get(&path).await.location(), "/if/user/");
    let sent = browser.answer(&format!("/api/v3/flows/executor/{slug}/?query=anew%3Dtrue"), &json!({ "anew": true })).await;
    assert_eq!(sent.body["component"], "xak-flow-redirect", "{}", sent.text);
    for asked in [[("prompt", "login")], [("max_age", "0")]] {
        house.server.clock.advance(Duration::minutes(10));
        let page = browser.follow(&house.authorize(&asked)).await;
        assert!(page.text.contains("name=\"uid_field\""), "{asked:?}: {}", page.text);
        let page = browser.submit(&page, &[("uid_field", "ada")]).await;
        let page = browser.follow(page.location()).await;
        let reply = browser.submit(&page, &[("password", PASSWORD)]).await;
        let back = Back::of(&browser.get(reply.location()).await);
        let tokens = house.redeem(back.params["code"].as_str().unwrap()).await.body;
        let again = house.verified(&tokens["id_token"]).await;
        assert!(again["auth_time"].as_i64() > first["auth_time"].as_i64(), "{asked:?}");
    }
}

#[tokio::test]
async fn people_are_asked_where_the_provider_or_the_client_says_so() {
    let house = House::open().await;
    let explicit = pk(&house.server, "flows/instances", "slug", "default-provider-authorization-explicit-consent").await;
    house.change(json!({ "authorization_flow": explicit })).await;
    let browser = house.server.signed_in("ada").await;
    let agree = async |asked: &str| {
        let page = browser.follow(asked).await;
        assert!(page.text.contains("You&#39;re about to sign into app."), "{}", page.text);
        let token = page.hidden("token");
        Back::of(&browser.submit(&page, &[("token", &token)]).await)
    };
    let page = browser.follow(&house.authorize(&[])).await;
    assert!(page.text.contains("Email address") && page.text.contains("General Profile Information"), "{}", page.text);
    let back = agree(&house.authorize(&[])).await;
    assert_eq!(house.redeem(back.params["code"].as_str().unwrap()).await.status, 200);
    assert!(Back::of(&browser.get(&house.authorize(&[])).await).params.contains_key("code"), "she has agreed before");
    assert!(agree(&house.authorize(&[("prompt", "consent")])).await.params.contains_key("code"), "the client asks anew");
    // A flow that asks nothing does not keep the client from asking.
    let implicit = pk(&house.server, "flows/instances", "slug", "default-provider-authorization-implicit-consent").await;
    house.change(json!({ "authorization_flow": implicit })).await;
    assert!(agree(&house.authorize(&[("prompt", "consent")])).await.params.contains_key("code"));
    assert!(Back::of(&browser.get(&house.authorize(&[])).await).params.contains_key("code"));
}

#[tokio::test]
async fn who_may_not_open_the_application_sees_why() {
    let house = House::open().await;
    let group = house.server.group("staff", &[]).await;
    let binding = json!({ "target": house.application["pk"], "group": group.pk, "order": 0 });
    house.server.make("policies/bindings", &binding).await;
    let browser = house.server.signed_in("ada").await;
    let denied = browser.get(&house.authorize(&[])).await;
    assert_eq!(denied.status, 403);
    assert!(denied.text.contains(denied.header("x-authentik-id")), "the page has the reference");
    assert!(explained(&house, &denied).await.contains("the group staff (binding "));
    assert_eq!(Back::of(&browser.get(&house.authorize(&[("prompt", "none")])).await).error(), "access_denied");
}

/// What is kept under the reference of an answer.
async fn explained(house: &House, reply: &Reply) -> String {
    let mut repo = house.server.store.read().await.unwrap();
    let kept = Denial::find(reply.header("x-authentik-id"), &mut *repo, house.server.now()).await.unwrap();
    kept.expect("a denial").to_string()
}

#[tokio::test]
async fn who_may_open_it_no_more_at_the_end_of_the_flow_sees_why() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    let page = browser.follow(&house.authorize(&[("prompt", "consent")])).await;
    let group = house.server.group("staff", &[]).await;
    let binding = json!({ "target": house.application["pk"], "group": group.pk, "order": 0 });
    house.server.make("policies/bindings", &binding).await;
    let denied = browser.submit(&page, &[("token", &page.hidden("token"))]).await;
    assert_eq!(denied.status, 403, "{}", denied.text);
    let told = explained(&house, &denied).await;
    assert!(told.contains("\nthe application ") && told.contains(", asked for by ada from "), "{told}");
    assert!(told.contains("the group staff (binding "), "{told}");
}

#[tokio::test]
async fn who_may_open_it_no_more_gets_no_new_tokens() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    let tokens = house.tokens(&browser).await;
    let fields = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    let group = house.server.group("staff", &[]).await;
    let binding = json!({ "target": house.application["pk"], "group": group.pk, "order": 0 });
    let binding = house.server.make("policies/bindings", &binding).await;
    assert_eq!(house.token(&fields).await.body["error"], "invalid_grant");
    let path = format!("/api/v3/policies/bindings/{}/", binding["pk"].as_str().unwrap());
    assert_eq!(house.server.admin().delete(&path).await.status, 204);
    assert_eq!(house.token(&fields).await.status, 200, "a refusal spends nothing");
}

#[tokio::test]
async fn answers_come_where_they_were_asked_for() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    let fragment = browser.get(&house.authorize(&[("response_mode", "fragment")])).await;
    assert!(fragment.location().starts_with(&format!("{CALLBACK}#code=")), "{}", fragment.location());
    let form = browser.get(&house.authorize(&[("response_mode", "form_post")])).await;
    assert_eq!((form.status, form.hidden("state").as_str()), (200, "s t&amp;te"));
    assert!(form.text.contains(&format!("action=\"{CALLBACK}\"")) && form.text.contains("autosubmit"));
    assert_eq!(house.redeem(&form.hidden("code")).await.status, 200);
    let error = browser.get(&house.authorize(&[("response_mode", "form_post"), ("response_type", "token")])).await;
    assert_eq!(error.hidden("error"), "unsupported_response_type");
    // A request may come as a form too.
    let query = house.authorize(&[]);
    let pairs: Vec<(String, String)> = url::Url::parse(&format!("http://x{query}")).unwrap().query_pairs().into_owned().collect();
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let reply = browser.form("/application/o/authorize/", &pairs).await;
    assert!(Back::of(&browser.get(reply.location()).await).params.contains_key("code"));
}

#[tokio::test]
async fn nobody_is_led_to_an_address_that_is_not_registered() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    for uri in [
        "https://app.example/callback/x",
        "https://app.example/callback?a=b",
        "https://app.example/callback#x",
        "https://app.example/x/../callback",
        "https://app.example:443/callback",
        "https://APP.example/callback",
        "https://app.example/%63allback",
        "https://app.example@evil.example/callback",
        "https://app.example\\@evil.example/callback",
        "https://app.example.evil.example/callback",
        "//app.example/callback",
        "javascript:alert(1)",
        "",
    ] {
        let reply = browser.get(&house.authorize(&[("redirect_uri", uri)])).await;
        assert_eq!((reply.status, reply.location()), (400, ""), "{uri}");
    }
    let twice = format!("{}&redirect_uri=https%3A%2F%2Fevil.example%2F", house.authorize(&[]));
    let unknown = authorize("nobody", &[]);
    let long = house.authorize(&[("state", &"x".repeat(20_000))]);
    for wrong in [twice, unknown, long, "/application/o/authorize/".to_owned()] {
        let reply = browser.get(&wrong).await;
        assert_eq!((reply.status, reply.location()), (400, ""), "{wrong}");
    }
    // A provider without an application has no client.
    let (provider, application) = application(&house.server, "other", json!({})).await;
    let path = format!("/api/v3/core/applications/{}/", application["slug"].as_str().unwrap());
    assert_eq!(house.server.admin().delete(&path).await.status, 204);
    assert_eq!(browser.get(&authorize(provider["client_id"].as_str().unwrap(), &[])).await.status, 400);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_to_the_client() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    for (more, error) in [
        (&[("response_type", "token")][..], "unsupported_response_type"),
        (&[("response_type", "")], "invalid_request"),
        (&[("request", "eyJhbGciOiJub25lIn0.e30.")], "request_not_supported"),
        (&[("request_uri", "https://app.example/r")], "request_uri_not_supported"),
        (&[("prompt", "dance")], "invalid_request"),
        (&[("max_age", "-1")], "invalid_request"),
        (&[("claims", "[]")], "invalid_request"),
        (&[("code_challenge", "short")], "invalid_request"),
        (&[("code_challenge", challenge), ("code_challenge_method", "S512")], "invalid_request"),
        (&[("code_challenge_method", "S256")], "invalid_request"),
        (&[("scope", "openid \"")], "invalid_scope"),
        (&[("response_mode", "pigeon")], "invalid_request"),
        (&[("nonce", "a"), ("nonce", "b")], "invalid_request"),
    ] {
        let back = Back::of(&browser.get(&house.authorize(more)).await);
        assert_eq!((back.error(), back.address.as_str(), &back.params["state"]), (error, CALLBACK, &json!("s t&te")), "{more:?}");
        assert!(!back.params.contains_key("code"));
    }
    // What is not known, or only says how to look, is no reason to refuse.
    for fine in
        [("foo", "bar"), ("display", "popup"), ("ui_locales", "se"), ("acr_values", "1 2"), ("resource", "https://x.example")]
    {
        assert!(Back::of(&browser.get(&house.authorize(&[fine])).await).params.contains_key("code"), "{fine:?}");
    }
    let scope = |tokens: &Value| tokens["scope"].as_str().unwrap().to_owned();
    let code = house.code(&browser, &[("scope", "openid unknown email email")]).await;
    assert_eq!(scope(&house.redeem(&code).await.body), "openid email");
    let code = house.code(&browser, &[("scope", "")]).await;
    assert_eq!(scope(&house.redeem(&code).await.body), "openid email profile offline_access", "none named, all given");
}
