//! Who clients are, and what they do by themselves.

use ak_store::records::TokenIntent;
use chrono::Duration;
use serde_json::{Value, json};

use crate::kit::{CALLBACK, House, pk, pkce, provider};

#[tokio::test]
async fn the_document_says_what_there_is() {
    let house = House::open().await;
    let reply = house.server.client().get("/application/o/app/.well-known/openid-configuration").await;
    let (document, url) = (reply.body, &house.server.url);
    for (name, path) in [
        ("issuer", "/application/o/app/"),
        ("authorization_endpoint", "/application/o/authorize/"),
        ("token_endpoint", "/application/o/token/"),
        ("userinfo_endpoint", "/application/o/userinfo/"),
        ("end_session_endpoint", "/application/o/app/end-session/"),
        ("introspection_endpoint", "/application/o/introspect/"),
        ("revocation_endpoint", "/application/o/revoke/"),
        ("jwks_uri", "/application/o/app/jwks/"),
    ] {
        assert_eq!(document[name], format!("{url}{path}"), "{name}");
    }
    assert_eq!(document["id_token_signing_alg_values_supported"], json!(["RS256"]));
    assert_eq!(document["scopes_supported"], json!(["openid", "email", "profile", "offline_access"]));
    assert!(document["grant_types_supported"].as_array().unwrap().contains(&json!("refresh_token")));
    house.change(json!({ "issuer_mode": "global", "signing_key": null })).await;
    let reply = house.server.client().get("/application/o/app/.well-known/openid-configuration").await;
    assert_eq!(reply.body["issuer"], format!("{url}/"));
    assert_eq!(reply.body["id_token_signing_alg_values_supported"], json!(["HS256"]));
    assert_eq!(house.server.client().get("/application/o/app/jwks/").await.body, json!({ "keys": [] }));
    assert_eq!(house.server.client().get("/application/o/none/.well-known/openid-configuration").await.status, 404);
    let path = format!("/api/v3/providers/oauth2/{}/setup_urls/", house.provider["pk"]);
    let urls = house.server.admin().get(&path).await;
    assert_eq!((&urls.body["issuer"], &urls.body["jwks"]), (&reply.body["issuer"], &reply.body["jwks_uri"]));
    house.server.admin().delete("/api/v3/core/applications/app/").await;
    let urls = house.server.admin().get(&path).await;
    assert_eq!((&urls.body["issuer"], &urls.body["jwks"], &urls.body["logout"]), (&json!(""), &json!(""), &json!("")));
    assert_eq!(urls.body["token"], format!("{url}/application/o/token/"));
}

#[tokio::test]
async fn every_sort_of_key_signs() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    for (alg, expected) in [("rsa", "RS256"), ("ecdsa", "ES256"), ("ed25519", "EdDSA")] {
        let body = json!({ "common_name": alg, "validity_days": 10, "alg": alg });
        let made = house.server.admin().post("/api/v3/crypto/certificatekeypairs/generate/", &body).await;
        assert_eq!(made.status, 200, "{alg}: {}", made.text);
        house.change(json!({ "signing_key": made.body["pk"] })).await;
        let tokens = house.tokens(&browser).await;
        house.verified(&tokens["id_token"]).await;
        let header = jsonwebtoken::decode_header(tokens["id_token"].as_str().unwrap()).unwrap();
        assert_eq!(serde_json::to_value(header.alg).unwrap(), expected);
    }
    // Without a key the secret signs.
    house.change(json!({ "signing_key": null })).await;
    let tokens = house.tokens(&browser).await;
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    validation.set_audience(&[&house.client_id]);
    validation.validate_exp = false;
    let key = jsonwebtoken::DecodingKey::from_secret(house.client_secret.as_bytes());
    jsonwebtoken::decode::<Value>(tokens["id_token"].as_str().unwrap(), &key, &validation).unwrap();
}

#[tokio::test]
async fn applications_know_people_by_what_they_choose() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    for (mode, subject) in [
        ("user_id", house.ada.pk.to_string()),
        ("user_uuid", house.ada.uuid.to_string()),
        ("user_username", "ada".to_owned()),
        ("user_email", "ada@example.com".to_owned()),
        ("user_upn", ak_store::model::user_uid(house.ada.pk, house.server.store.install_id())),
    ] {
        house.change(json!({ "sub_mode": mode })).await;
        let tokens = house.tokens(&browser).await;
        assert_eq!(house.verified(&tokens["id_token"]).await["sub"], subject, "{mode}");
        assert_eq!(house.userinfo(&tokens["access_token"]).await.body["sub"], subject, "{mode}");
    }
}

#[tokio::test]
async fn a_client_that_is_not_itself_gets_nothing() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    let code = house.code(&browser, &[]).await;
    let client = house.server.client();
    let code_of = |secret: &str| {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("client_id", &house.client_id),
            ("client_secret", secret),
        ];
        fields.map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let send = async |fields: &[(String, String)]| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        client.form("/application/o/token/", &fields).await
    };
    for wrong in ["wrong", ""] {
        let reply = send(&code_of(wrong)).await;
        assert_eq!((reply.status, &reply.body["error"]), (401, &json!("invalid_client")), "{}", reply.text);
    }
    // Another client has no use for the code, and does not spoil it.
    let other = provider(&house.server, "other", json!({})).await;
    house.server.make("core/applications", &json!({ "name": "other", "slug": "other", "provider": other["pk"] })).await;
    let mut foreign = code_of(other["client_secret"].as_str().unwrap());
    foreign[3].1 = other["client_id"].as_str().unwrap().to_owned();
    assert_eq!(send(&foreign).await.body["error"], "invalid_grant");
    let elsewhere =
        house.token(&[("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", "https://app.example/")]).await;
    assert_eq!(elsewhere.body["error"], "invalid_grant");
    assert_eq!(send(&code_of(&house.client_secret)).await.status, 200, "by the body too");
    let json = client.post("/application/o/token/", &json!({ "grant_type": "client_credentials" })).await;
    assert_eq!((json.status, &json.body["error"]), (400, &json!("invalid_request")));
    assert_eq!(house.token(&[("grant_type", "implicit")]).await.body["error"], "unsupported_grant_type");
}

#[tokio::test]
async fn a_public_client_proves_itself_by_its_verifier() {
    let house = House::with(json!({ "client_type": "public" })).await;
    let browser = house.server.signed_in("ada").await;
    let (verifier, challenge) = pkce();
    let code = house.code(&browser, &[("code_challenge", &challenge), ("code_challenge_method", "S256")]).await;
    let client = house.server.client().header("origin", "https://app.example");
    let mut fields =
        vec![("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", CALLBACK), ("client_id", &house.client_id)];
    assert_eq!(client.form("/application/o/token/", &fields).await.body["error"], "invalid_grant");
    fields.push(("code_verifier", &verifier));
    let reply = client.form("/application/o/token/", &fields).await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, "https://app.example"), "{}", reply.text);
    let stranger = house.server.client().header("origin", "https://evil.example");
    assert_eq!(stranger.form("/application/o/token/", &fields).await.header("access-control-allow-origin"), "");
    // Nobody else can tell that it is the client: it has nothing of its own, and learns nothing of tokens.
    let itself =
        client.form("/application/o/token/", &[("grant_type", "client_credentials"), ("client_id", &house.client_id)]).await;
    assert_eq!(itself.body["error"], "unauthorized_client");
    let token = reply.body["access_token"].as_str().unwrap();
    let asked = client.form("/application/o/introspect/", &[("client_id", &house.client_id), ("token", token)]).await;
    assert_eq!(asked.status, 401);
}

#[tokio::test]
async fn a_machine_gets_tokens_as_itself_or_by_an_app_password() {
    let house = House::open().await;
    let fields = [("grant_type", "client_credentials"), ("scope", "openid profile")];
    let reply = house.token(&fields).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert!(reply.body.get("refresh_token").is_none());
    let told = house.userinfo(&reply.body["access_token"]).await;
    assert_eq!(told.body["preferred_username"], "ak-app-client_credentials", "{}", told.text);
    assert_eq!(house.token(&fields).await.status, 200, "the account is there already");
    let key = house.server.key(house.ada.pk, TokenIntent::AppPassword, None).await;
    let by = async |password: &str| house.token(&[&fields[..], &[("username", "ada"), ("password", password)]].concat()).await;
    let told = house.userinfo(&by(&key).await.body["access_token"]).await;
    assert_eq!(told.body["preferred_username"], "ada");
    for wrong in [ak_tests::server::PASSWORD, "wrong", &house.server.key(house.ada.pk, TokenIntent::Api, None).await] {
        assert_eq!(by(wrong).await.body["error"], "invalid_grant", "only an app password of her own");
    }
}

#[tokio::test]
async fn a_token_is_told_of_and_taken_back() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    let tokens = house.tokens(&browser).await;
    let by = |name: &str| tokens[name].as_str().unwrap().to_owned();
    let (access, refresh) = (by("access_token"), by("refresh_token"));
    let basic = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        format!("{}:{}", house.client_id, house.client_secret),
    );
    let client = house.server.client().header("authorization", &format!("Basic {basic}"));
    let told = async |token: &str| client.form("/application/o/introspect/", &[("token", token)]).await.body;
    let active = told(&access).await;
    assert_eq!(
        (&active["active"], &active["username"], &active["client_id"]),
        (&json!(true), &json!("ada"), &json!(house.client_id))
    );
    assert_eq!((&active["token_type"], &active["scope"]), (&json!("Bearer"), &tokens["scope"]));
    assert_eq!(told(&refresh).await["active"], true);
    assert_eq!(told("x").await, json!({ "active": false }));
    let revoke = async |token: &str| client.form("/application/o/revoke/", &[("token", token)]).await.status;
    assert_eq!((revoke("x").await, revoke(&access).await), (200, 200));
    assert_eq!((told(&access).await["active"].clone(), told(&refresh).await["active"].clone()), (json!(false), json!(true)));
    assert_eq!(house.userinfo(&tokens["access_token"]).await.status, 401);
    let again = house.tokens(&browser).await;
    assert_eq!(revoke(again["refresh_token"].as_str().unwrap()).await, 200);
    assert_eq!(told(again["access_token"].as_str().unwrap()).await["active"], false, "its access token goes along");
    // Another client learns nothing, and takes nothing back.
    let other = provider(&house.server, "other", json!({})).await;
    house.server.make("core/applications", &json!({ "name": "other", "slug": "other", "provider": other["pk"] })).await;
    let fields = |token: &str| {
        let text = |name: &str| other[name].as_str().unwrap().to_owned();
        [("client_id", text("client_id")), ("client_secret", text("client_secret")), ("token", token.to_owned())]
    };
    let send = async |path: &str, token: &str| {
        let fields = fields(token);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        house.server.client().form(path, &fields).await
    };
    assert_eq!(send("/application/o/introspect/", &refresh).await.body, json!({ "active": false }));
    assert_eq!(send("/application/o/revoke/", &refresh).await.status, 200);
    assert_eq!(told(&refresh).await["active"], true);
    assert_eq!(house.server.client().form("/application/o/introspect/", &[("token", &refresh)]).await.status, 401);
}

#[tokio::test]
async fn tokens_end_with_what_they_stand_on() {
    let house = House::open().await;
    let works = async |tokens: &Value| house.userinfo(&tokens["access_token"]).await.status;
    let refresh = async |tokens: &Value| {
        house.token(&[("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())]).await
    };
    // The session.
    let browser = house.server.signed_in("ada").await;
    let tokens = house.tokens(&browser).await;
    assert_eq!(works(&tokens).await, 200);
    browser.follow("/flows/-/default/invalidation/").await;
    assert_eq!(works(&tokens).await, 401, "she has signed out");
    let offline = refresh(&tokens).await;
    assert_eq!(offline.status, 200, "what was given for when she is not there stays");
    // The password.
    let admin = house.server.admin();
    house.server.clock.advance(Duration::seconds(1));
    let path = format!("/api/v3/core/users/{}/set_password/", house.ada.pk);
    assert_eq!(admin.post(&path, &json!({ "password": "another good one" })).await.status, 204);
    assert_eq!((works(&offline.body).await, refresh(&offline.body).await.status), (401, 400));
    // The account.
    assert_eq!(admin.post(&path, &json!({ "password": ak_tests::server::PASSWORD })).await.status, 204);
    let browser = house.server.signed_in("ada").await;
    let tokens = house.tokens(&browser).await;
    house.server.change("core/users", &house.ada.pk.to_string(), &json!({ "is_active": false })).await;
    assert_eq!((works(&tokens).await, refresh(&tokens).await.status), (401, 400));
    house.server.change("core/users", &house.ada.pk.to_string(), &json!({ "is_active": true })).await;
    // The provider.
    let browser = house.server.signed_in("ada").await;
    let tokens = house.tokens(&browser).await;
    assert_eq!(admin.delete(&format!("/api/v3/providers/oauth2/{}/", house.provider["pk"])).await.status, 204);
    assert_eq!((works(&tokens).await, refresh(&tokens).await.status), (401, 401));
    let application = admin.get("/api/v3/core/applications/app/").await;
    assert_eq!(application.body["provider"], Value::Null);
}

#[tokio::test]
async fn a_mapping_that_fails_fails_the_token() {
    let house = House::open().await;
    let browser = house.server.signed_in("ada").await;
    let broken = json!({ "name": "broken", "scope_name": "broken", "expression": "// rhai\nthrow \"no\"" });
    let broken = house.server.make("propertymappings/provider/scope", &broken).await;
    let openid = pk(&house.server, "propertymappings/provider/scope", "scope_name", "openid").await;
    house.change(json!({ "property_mappings": [openid, broken["pk"]] })).await;
    let code = house.code(&browser, &[("scope", "openid broken")]).await;
    let reply = house.redeem(&code).await;
    assert_eq!((reply.status, &reply.body["error"]), (500, &json!("server_error")));
    assert!(!reply.text.contains("throw") && house.server.events("property_mapping_exception").await.len() == 1);
    let code = house.code(&browser, &[("scope", "openid")]).await;
    assert_eq!(house.redeem(&code).await.status, 200, "what is not asked for does not fail");
}

#[tokio::test]
async fn a_machine_that_asks_many_times_at_once_for_the_first_time_is_one_account() {
    let house = House::open().await;
    let ask = || house.token(&[("grant_type", "client_credentials"), ("scope", "profile")]);
    let replies = futures::future::join_all((0..8).map(|_| ask())).await;
    for reply in replies {
        assert_eq!(reply.status, 200, "{}", reply.text);
    }
    let accounts =
        house.server.admin().get("/api/v3/core/users/?type=service_account&path=goauthentik.io/service-accounts").await;
    assert_eq!(accounts.body["pagination"]["count"], 1, "{}", accounts.text);
}

#[tokio::test]
async fn applications_learn_what_people_may_do_in_them() {
    let house = House::open().await;
    let mut mappings = Vec::new();
    for scope in ["openid", "entitlements"] {
        mappings.push(pk(&house.server, "propertymappings/provider/scope", "scope_name", scope).await);
    }
    let python = "return {\"same\": [e.name for e in request.user.app_entitlements(provider.application)]}";
    let python = json!({ "name": "python", "scope_name": "python", "expression": python });
    mappings.push(house.server.make("propertymappings/provider/scope", &python).await["pk"].clone());
    house.change(json!({ "property_mappings": mappings })).await;
    let staff = house.server.group("staff", &[&house.ada]).await;
    let guests = house.server.group("guests", &[]).await;
    for (name, binding) in [
        ("edit", json!({ "group": staff.pk })),
        ("admin", json!({ "user": house.ada.pk })),
        ("elsewhere", json!({ "group": guests.pk })),
        ("not a guest", json!({ "group": guests.pk, "negate": true })),
        ("off", json!({ "user": house.ada.pk, "enabled": false })),
        ("unbound", Value::Null),
    ] {
        let body = json!({ "name": name, "app": house.application["pk"] });
        let made = house.server.make("core/application_entitlements", &body).await;
        if let Value::Object(mut binding) = binding {
            binding.extend([("target".to_owned(), made["pbm_uuid"].clone()), ("order".to_owned(), json!(0))]);
            house.server.make("policies/bindings", &Value::Object(binding)).await;
        }
    }
    let browser = house.server.signed_in("ada").await;
    let code = house.code(&browser, &[("scope", "openid entitlements python")]).await;
    let tokens = house.redeem(&code).await.body;
    let told = house.userinfo(&tokens["access_token"]).await.body;
    let held = json!(["admin", "edit", "not a guest"]);
    assert_eq!((&told["entitlements"], &told["roles"], &told["same"]), (&held, &held, &held), "{told}");
}
