//! What clients were given and what people have agreed to, in the API.

use ak_store::records::TokenIntent;
use ak_tests::contract::{Mode, contract};
use ak_tests::server::Client;
use serde_json::{Value, json};

use crate::kit::{Back, House, application, authorize, pk};

/// The values of a field in the results of a list, which is what the contract says.
async fn column(client: &Client, path: &str, query: &str, field: &str) -> Vec<Value> {
    let reply = client.get(&format!("/api/v3{path}{query}")).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    contract().validate_answer("GET", path, 200, Mode::Exact, &reply.body).unwrap();
    let results = reply.body["results"].as_array().unwrap();
    assert_eq!(reply.body["pagination"]["count"], results.len());
    results.iter().map(|one| one[field].clone()).collect()
}

#[tokio::test]
async fn what_clients_were_given_is_listed_and_can_be_taken_away() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    let tokens = house.tokens(&browser).await;
    let admin = house.server.admin();
    for (path, count) in [("authorization_codes", 1), ("access_tokens", 1), ("refresh_tokens", 1)] {
        let path = format!("/api/v3/oauth2/{path}/");
        let list = admin.get(&format!("{path}?user={}&provider={}", house.ada.pk, house.provider["pk"])).await;
        assert_eq!(list.body["pagination"]["count"], count, "{}", list.text);
        let schema = "/oauth2/".to_owned() + path.trim_start_matches("/api/v3/oauth2/");
        let mode = ak_tests::contract::Mode::Exact;
        ak_tests::contract::contract().validate_answer("GET", &schema, 200, mode, &list.body).unwrap();
        assert_eq!(admin.get(&format!("{path}?provider=99")).await.body["pagination"]["count"], 0);
        assert_eq!(browser.get(&path).await.body["pagination"]["count"], count, "her own");
    }
    let list = admin.get("/api/v3/oauth2/access_tokens/").await;
    let one = format!("/api/v3/oauth2/access_tokens/{}/", list.body["results"][0]["pk"]);
    assert!(!list.text.contains(tokens["access_token"].as_str().unwrap()), "the token itself is not kept");
    assert_eq!(admin.get(&one).await.status, 200);
    house.server.user("bob").await;
    let bob = house.server.signed_in("bob").await;
    assert_eq!(
        (bob.get(&one).await.status, bob.get("/api/v3/oauth2/access_tokens/").await.body["pagination"]["count"].clone()),
        (404, json!(0))
    );
    assert_eq!(admin.delete(&one).await.status, 204);
    assert_eq!(house.userinfo(&tokens["access_token"]).await.status, 401);
    // What clients read back is sealed where it lies, and in no event.
    let rows = house.server.store.read().await.unwrap().objects().all().await.unwrap();
    let row = rows.iter().find(|row| row.kind == "authentik_providers_oauth2.oauth2provider").unwrap();
    assert!(row.body["client_secret"].as_str().unwrap().starts_with("sealed:"));
    assert!(!format!("{:?}", house.server.events("model_created").await).contains(&house.client_secret));
    let preview = format!("/api/v3/providers/oauth2/{}/preview_user/?for_user={}", house.provider["pk"], house.ada.pk);
    assert_eq!(admin.get(&preview).await.body["preview"]["email"], "ada@example.com");
}

#[tokio::test]
async fn lists_of_what_was_given_are_searched_and_sorted() {
    let house = House::open().await;
    let (_, _) = application(&house.server, "wiki", json!({ "client_id": "wiki" })).await;
    house.server.user("bob").await;
    let (ada, bob) = (house.server.signed_in("ada").await, house.server.signed_in("bob").await);
    for browser in [&bob, &ada] {
        house.code(browser, &[("scope", "openid")]).await;
        house.server.clock.advance(chrono::Duration::seconds(1));
    }
    assert!(Back::of(&ada.get(&authorize("wiki", &[("scope", "openid email")])).await).params.contains_key("code"));
    let admin = house.server.admin();
    let users = async |query: &str| {
        let found = column(&admin, "/oauth2/authorization_codes/", query, "user").await;
        found.iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(users("").await, "bob ada ada", "by provider, then by end");
    assert_eq!(users("?ordering=-provider").await, "ada bob ada");
    assert_eq!(users("?ordering=user").await, "ada ada bob");
    assert_eq!(users("?ordering=-expires").await, "ada ada bob");
    assert_eq!(users("?ordering=-scope,-user").await, "ada bob ada");
    assert_eq!(users("?search=BO").await, "bob");
    assert_eq!(users("?search=wik").await, "ada");
    assert_eq!(users("?search=wiki+bob").await, "");
    // Nobody finds others' by their names.
    assert_eq!(column(&bob, "/oauth2/authorization_codes/", "?search=ada", "pk").await, [] as [Value; 0]);
    // What a provider gave goes with it.
    let path = format!("/api/v3/providers/oauth2/{}/", house.provider["pk"]);
    assert_eq!(admin.delete(&path).await.status, 204);
    assert_eq!(users("").await, "ada");
}

#[tokio::test]
async fn a_person_sees_what_she_has_agreed_to_and_takes_it_back() {
    let house = House::open().await;
    let flow = pk(&house.server, "flows/instances", "slug", "default-provider-authorization-explicit-consent").await;
    house.change(json!({ "authorization_flow": flow })).await;
    let stages = house.server.admin().get("/api/v3/stages/consent/").await;
    let stage = format!("/api/v3/stages/consent/{}/", stages.body["results"][0]["pk"].as_str().unwrap());
    assert_eq!(house.server.admin().patch(&stage, &json!({ "mode": "permanent" })).await.status, 200);
    let bob = house.server.user("bob").await;
    let (ada, browser) = (house.server.signed_in("ada").await, house.server.signed_in("bob").await);
    for browser in [&ada, &browser] {
        let page = browser.follow(&house.authorize(&[("scope", "openid email")])).await;
        assert!(page.text.contains("Email address"), "{}", page.text);
        let token = page.hidden("token");
        assert!(Back::of(&browser.submit(&page, &[("token", &token)]).await).params.contains_key("code"));
    }
    assert!(
        Back::of(&ada.get(&house.authorize(&[("scope", "openid email")])).await).params.contains_key("code"),
        "once is enough"
    );
    let path = "/core/user_consent/";
    let admin = house.server.admin();
    let by_key = async |user: i64| {
        let key = house.server.key(user, TokenIntent::Api, None).await;
        house.server.client().header("authorization", &format!("Bearer {key}"))
    };
    let (browser, ada, bob) = (ada, by_key(house.ada.pk).await, by_key(bob.pk).await);
    assert_eq!(column(&admin, path, "", "permissions").await.len(), 2);
    let mine = column(&ada, path, "", "pk").await;
    let all = ada.get(&format!("/api/v3{path}")).await.body["results"].clone();
    assert_eq!((&all[0]["application"]["slug"], &all[0]["user"]["pk"]), (&json!("app"), &json!(house.ada.pk)));
    assert_eq!((&all[0]["expiring"], &all[0]["expires"]), (&json!(false), &Value::Null));
    for (query, count) in
        [("?search=app", 2), ("?search=bob", 1), ("?search=nothing", 0), ("?user=1000000", 0), ("?ordering=-user", 2)]
    {
        assert_eq!(column(&admin, path, query, "pk").await.len(), count, "{query}");
    }
    let application = format!("?application={}", house.application["pk"].as_str().unwrap());
    assert_eq!(column(&admin, path, &application, "pk").await.len(), 2);
    let one = format!("/api/v3{path}{}/", mine[0]);
    assert_eq!((bob.get(&one).await.status, bob.delete(&one).await.status), (404, 404), "not hers to see");
    let shown = ada.get(&one).await;
    contract().validate_answer("GET", "/core/user_consent/{id}/", 200, Mode::Exact, &shown.body).unwrap();
    assert_eq!(ada.get(&format!("{one}used_by/")).await.body, json!([]));
    assert_eq!(ada.delete(&one).await.status, 204);
    assert_eq!(ada.delete(&one).await.status, 404);
    let asked = browser.follow(&house.authorize(&[("scope", "openid email")])).await;
    assert!(asked.text.contains("Email address"), "she is asked again: {}", asked.text);
    // What was agreed to for an application is forgotten with it.
    assert_eq!(admin.delete("/api/v3/core/applications/app/").await.status, 204);
    assert_eq!(column(&admin, path, "", "pk").await, [] as [Value; 0]);
}

#[tokio::test]
async fn an_application_calls_the_api_as_the_person_where_it_was_granted_that() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    let plain = house.tokens(&browser).await;
    let me = async |token: &Value| {
        let bearer = format!("Bearer {}", token.as_str().unwrap());
        house.server.client().header("authorization", &bearer).get("/api/v3/core/users/me/").await
    };
    let refused = me(&plain["access_token"]).await;
    assert_eq!((refused.status, &refused.body["detail"]), (403, &json!("Token invalid/expired")), "{}", refused.text);
    let mut mappings = house.provider["property_mappings"].as_array().unwrap().clone();
    mappings.push(pk(&house.server, "propertymappings/provider/scope", "scope_name", "goauthentik.io/api").await);
    house.change(json!({ "property_mappings": mappings })).await;
    let scope = "openid offline_access goauthentik.io/api";
    let code = house.code(&browser, &[("scope", scope)]).await;
    let tokens = house.redeem(&code).await.body;
    assert_eq!(tokens["scope"], scope);
    let told = me(&tokens["access_token"]).await;
    assert_eq!((told.status, &told.body["user"]["username"]), (200, &json!("ada")), "{}", told.text);
    // She is who she is, and no more.
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let client = house.server.client().header("authorization", &bearer);
    assert_eq!(client.get("/api/v3/flows/instances/").await.status, 403);
    // A refresh token and an ID token are no keys, and with the sign-in the key ends.
    assert_eq!(me(&tokens["refresh_token"]).await.status, 403);
    assert_eq!(me(&tokens["id_token"]).await.status, 403);
    browser.follow("/flows/-/default/invalidation/").await;
    assert_eq!(me(&tokens["access_token"]).await.status, 403);
}

#[tokio::test]
async fn a_scope_that_is_taken_from_the_provider_is_taken_from_what_was_given() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    let usual = house.provider["property_mappings"].as_array().unwrap().clone();
    let api = pk(&house.server, "propertymappings/provider/scope", "scope_name", "goauthentik.io/api").await;
    let whole = [&usual[..], &[api]].concat();
    let with_api = json!({ "property_mappings": whole });
    house.change(with_api.clone()).await;
    let scope = "openid offline_access goauthentik.io/api";
    let tokens = house.redeem(&house.code(&browser, &[("scope", scope)]).await).await.body;
    let me = async |token: &Value| {
        let bearer = format!("Bearer {}", token.as_str().unwrap());
        house.server.client().header("authorization", &bearer).get("/api/v3/core/users/me/").await.status
    };
    let told = async |token: &Value| {
        let fields = [("client_id", house.client_id.as_str()), ("client_secret", house.client_secret.as_str())];
        let fields = [&fields[..], &[("token", token.as_str().unwrap())]].concat();
        house.server.client().form("/application/o/introspect/", &fields).await.body
    };
    let renew = async |tokens: &Value, more: &[(&str, &str)]| {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
        house.token(&[&fields[..], more].concat()).await
    };
    assert_eq!((me(&tokens["access_token"]).await, &told(&tokens["access_token"]).await["scope"]), (200, &json!(scope)));
    house.change(json!({ "property_mappings": usual })).await;
    assert_eq!(me(&tokens["access_token"]).await, 403, "at once");
    assert_eq!(told(&tokens["access_token"]).await["scope"], "openid offline_access");
    let renewed = renew(&tokens, &[]).await;
    assert_eq!((renewed.status, &renewed.body["scope"]), (200, &json!("openid offline_access")), "{}", renewed.text);
    let renewed = renew(&renewed.body, &[("scope", "openid goauthentik.io/api")]).await;
    assert_eq!((renewed.status, &renewed.body["scope"]), (200, &json!("openid")), "{}", renewed.text);
    // Without offline access nothing is renewed.
    let offline = &usual[..3];
    house.change(json!({ "property_mappings": offline })).await;
    assert_eq!(told(&renewed.body["refresh_token"]).await, json!({ "active": false }));
    assert_eq!(renew(&renewed.body, &[]).await.body["error"], "invalid_grant");
    house.change(with_api).await;
    assert_eq!(renew(&renewed.body, &[]).await.status, 200, "it was not used up");
}

#[tokio::test]
async fn who_takes_a_token_back_while_it_is_renewed_has_taken_back_what_comes_of_it() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    for _ in 0..6 {
        let tokens = house.tokens(&browser).await;
        let token = tokens["refresh_token"].as_str().unwrap();
        let renew = [("grant_type", "refresh_token"), ("refresh_token", token)];
        let own = [("client_id", house.client_id.as_str()), ("client_secret", house.client_secret.as_str()), ("token", token)];
        let revoke = async || house.server.client().form("/application/o/revoke/", &own).await;
        let several = |_| async { tokio::join!(house.token(&renew), revoke()) };
        for (renewed, revoked) in futures::future::join_all((0..6).map(several)).await {
            assert_eq!(revoked.status, 200, "{}", revoked.text);
            assert!(matches!(renewed.status, 200 | 400), "{}", renewed.text);
            if renewed.status == 200 {
                assert_eq!(house.userinfo(&renewed.body["access_token"]).await.status, 401);
            }
        }
        assert_eq!(house.userinfo(&tokens["access_token"]).await.status, 401);
        assert_eq!(house.token(&renew).await.body["error"], "invalid_grant");
    }
}
