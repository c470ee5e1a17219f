//! The authorization code flow.

use ak_tests::server::PASSWORD;
use chrono::Duration;
use serde_json::json;

use crate::kit::{Back, CALLBACK, House, pkce};

#[tokio::test]
async fn who_has_signed_in_is_led_back_with_a_code_that_is_worth_tokens() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    let back = Back::of(&browser.get(&house.authorize(&[("nonce", "n-1")])).await);
    let issuer = format!("{}/application/o/app/", house.server.url);
    assert_eq!((back.address.as_str(), &back.params["state"], &back.params["iss"]), (CALLBACK, &json!("s t&te"), &json!(issuer)));
    assert!(back.params.len() == 3 && back.params["code"].as_str().unwrap().len() >= 43);
    let reply = house.redeem(back.params["code"].as_str().unwrap()).await;
    assert_eq!((reply.status, reply.header("cache-control")), (200, "no-store"), "{}", reply.text);
    let tokens = &reply.body;
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(3600)));
    assert_eq!(tokens["scope"], "openid email profile offline_access");
    let id_token = house.verified(&tokens["id_token"]).await;
    let uid = ak_store::model::user_uid(house.ada.pk, house.server.store.install_id());
    let now = house.server.now().timestamp();
    for (name, value) in [
        ("iss", json!(issuer)),
        ("sub", json!(uid)),
        ("aud", json!(house.client_id)),
        ("nonce", json!("n-1")),
        ("iat", json!(now)),
        ("exp", json!(now + 3600)),
        ("auth_time", json!(now)),
        ("acr", json!("goauthentik.io/providers/oauth2/default")),
        ("amr", json!(["pwd"])),
        ("email", json!("ada@example.com")),
        ("preferred_username", json!("ada")),
        ("groups", json!([])),
    ] {
        assert_eq!(id_token[name], value, "{name}");
    }
    assert_eq!(id_token["sid"].as_str().unwrap().len(), 64);
    let access = house.verified(&tokens["access_token"]).await;
    assert_eq!((&access["azp"], &access["sub"]), (&json!(house.client_id), &json!(uid)));
    let told = house.userinfo(&tokens["access_token"]).await;
    assert_eq!(told.status, 200, "{}", told.text);
    assert_eq!((&told.body["sub"], &told.body["email"]), (&json!(uid), &json!("ada@example.com")));
}

#[tokio::test]
async fn who_has_not_signed_in_does_so_and_ends_at_the_application() {
    let house = House::open().await;
    let browser = house.server.client();
    let (verifier, challenge) = pkce();
    let asked = house.authorize(&[("code_challenge", &challenge), ("code_challenge_method", "S256"), ("login_hint", "ada")]);
    let page = browser.follow(&asked).await;
    assert!(page.text.contains("value=\"ada\""), "the hint is filled in: {}", page.text);
    let page = browser.submit(&page, &[("uid_field", "ada")]).await;
    let page = browser.follow(page.location()).await;
    let reply = browser.submit(&page, &[("password", PASSWORD)]).await;
    assert!(reply.location().starts_with("/application/o/authorize/?"), "{}", reply.location());
    let back = Back::of(&browser.get(reply.location()).await);
    let code = back.params["code"].as_str().unwrap();
    let fields = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK)];
    let without = house.token(&fields).await;
    assert_eq!((without.status, &without.body["error"]), (400, &json!("invalid_grant")));
    let reply = house.token(&[&fields[..], &[("code_verifier", verifier.as_str())]].concat()).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
}

#[tokio::test]
async fn a_code_that_is_used_again_takes_back_what_it_gave() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    let code = house.code(&browser, &[]).await;
    let tokens = house.redeem(&code).await.body;
    assert_eq!(house.userinfo(&tokens["access_token"]).await.status, 200);
    let again = house.redeem(&code).await;
    assert_eq!((again.status, &again.body["error"]), (400, &json!("invalid_grant")));
    let refused = house.userinfo(&tokens["access_token"]).await;
    assert_eq!(refused.status, 401);
    assert!(refused.header("www-authenticate").contains("error=\"invalid_token\""));
    let refresh =
        house.token(&[("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())]).await;
    assert_eq!((refresh.status, &refresh.body["error"]), (400, &json!("invalid_grant")));
    // A code that is not redeemed in time is worth nothing either.
    let code = house.code(&browser, &[]).await;
    house.server.clock.advance(Duration::seconds(61));
    assert_eq!(house.redeem(&code).await.body["error"], "invalid_grant");
}

#[tokio::test]
async fn a_refresh_token_is_worth_new_tokens_once() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    let first = house.tokens(&browser).await;
    let login = house.verified(&first["id_token"]).await;
    house.server.clock.advance(Duration::minutes(90));
    assert_eq!(house.userinfo(&first["access_token"]).await.status, 401, "it has ended");
    let by = |token: &serde_json::Value| token.as_str().unwrap().to_owned();
    let refresh = async |token: &str, more: &[(&str, &str)]| {
        house.token(&[&[("grant_type", "refresh_token"), ("refresh_token", token)], more].concat()).await
    };
    let second = refresh(&by(&first["refresh_token"]), &[]).await;
    assert_eq!(second.status, 200, "{}", second.text);
    let renewed = house.verified(&second.body["id_token"]).await;
    assert_eq!((&renewed["auth_time"], &renewed["sub"], &renewed["sid"]), (&login["auth_time"], &login["sub"], &login["sid"]));
    assert_eq!(house.userinfo(&second.body["access_token"]).await.status, 200);
    let more = refresh(&by(&second.body["refresh_token"]), &[("scope", "openid goauthentik.io/api")]).await;
    assert_eq!(more.body["error"], "invalid_scope");
    let fewer = refresh(&by(&second.body["refresh_token"]), &[("scope", "openid")]).await;
    assert_eq!(fewer.body["scope"], "openid");
    assert_eq!(house.userinfo(&fewer.body["access_token"]).await.body.as_object().unwrap().len(), 1);
    // Somebody uses the first one again: everybody who has one of the family is out.
    assert_eq!(refresh(&by(&first["refresh_token"]), &[]).await.body["error"], "invalid_grant");
    assert_eq!(refresh(&by(&fewer.body["refresh_token"]), &[]).await.body["error"], "invalid_grant");
    assert_eq!(house.userinfo(&fewer.body["access_token"]).await.status, 401);
}

#[tokio::test]
async fn a_code_is_redeemed_by_who_has_asked_for_it() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    let (verifier, challenge) = pkce();
    let redeem = async |code: &str, verifier: &str| {
        let fields = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK)];
        house.token(&[&fields[..], &[("code_verifier", verifier)]].concat()).await
    };
    // Somebody has taken the challenge out of the request.
    let code = house.code(&browser, &[]).await;
    let refused = redeem(&code, &verifier).await;
    assert_eq!((refused.status, &refused.body["error"]), (400, &json!("invalid_grant")));
    let code = house.code(&browser, &[("code_challenge", &challenge), ("code_challenge_method", "S256")]).await;
    let other = format!("{}x", &verifier[..verifier.len() - 1]);
    let long = format!("{verifier}x");
    for wrong in [other.as_str(), &long, &challenge, &verifier.to_uppercase(), "short", " "] {
        let refused = redeem(&code, wrong).await;
        assert_eq!((refused.status, &refused.body["error"]), (400, &json!("invalid_grant")), "{wrong}");
    }
    assert_eq!(house.redeem(&code).await.body["error"], "invalid_grant", "none at all is wrong too");
    assert_eq!(redeem(&code, &verifier).await.status, 200, "wrong tries spend nothing");
    // By the method `plain`, which is also that of a challenge without one, the challenge is the verifier, and its digest is not.
    for method in [&[("code_challenge_method", "plain")][..], &[]] {
        let code = house.code(&browser, &[&[("code_challenge", verifier.as_str())], method].concat()).await;
        assert_eq!(redeem(&code, &challenge).await.body["error"], "invalid_grant");
        assert_eq!(redeem(&code, &verifier).await.status, 200);
    }
}

#[tokio::test]
async fn of_many_who_redeem_a_code_at_once_one_gets_tokens_and_nobody_keeps_them() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    let code = house.code(&browser, &[]).await;
    let replies = futures::future::join_all((0..8).map(|_| house.redeem(&code))).await;
    let (won, lost): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 7));
    for reply in lost {
        assert_eq!((reply.status, &reply.body["error"]), (400, &json!("invalid_grant")), "{}", reply.text);
    }
    let tokens = &won[0].body;
    assert_eq!(house.userinfo(&tokens["access_token"]).await.status, 401, "somebody else has the code");
    let refresh = tokens["refresh_token"].as_str().unwrap();
    assert_eq!(house.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh)]).await.body["error"], "invalid_grant");
    assert!(!house.server.events("suspicious_request").await.is_empty());
}

#[tokio::test]
async fn a_code_is_worth_nothing_without_its_session() {
    let house = House::open().await;
    let admin = house.server.admin();
    for how in ["sign-out", "administrator", "deactivation"] {
        let browser = house.server.signed_in("ada").await;
        let code = house.code(&browser, &[]).await;
        match how {
            "sign-out" => drop(browser.follow("/flows/-/default/invalidation/").await),
            "administrator" => {
                let path = format!("/api/v3/core/authenticated_sessions/bulk_delete/?user_pks={}", house.ada.pk);
                assert_eq!(admin.delete(&path).await.status, 200);
            }
            _ => {
                let body = json!({ "is_active": false });
                house.server.change("core/users", &house.ada.pk.to_string(), &body).await;
            }
        }
        let refused = house.redeem(&code).await;
        assert_eq!((refused.status, &refused.body["error"]), (400, &json!("invalid_grant")), "{how}");
    }
}
