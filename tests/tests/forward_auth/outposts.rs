//! Outposts over the API.

use ak_tests::contract::{Mode, contract};
use ak_tests::server::Server;
use serde_json::{Value, json};

use super::kit::House;

const PAGE: &str = "https://app.example/";

#[tokio::test]
async fn the_embedded_outpost_is_there_and_serves_its_own_and_nobodys_providers() {
    let house = House::open().await;
    let embedded = house.embedded().await;
    assert_eq!((&embedded["type"], &embedded["managed"]), (&json!("proxy"), &json!("goauthentik.io/outposts/embedded")));
    contract().assert_exact("Outpost", &embedded);
    let (provider, _) = house.protect("app", json!({})).await;
    contract().assert_exact("ProxyProvider", &provider);
    assert_eq!(house.asked(PAGE, &[]).await.status, 302);
    let other = json!({ "name": "elsewhere", "type": "proxy", "providers": [provider["pk"]], "config": {} });
    let other = house.server.make("outposts/instances", &other).await;
    assert_eq!(house.asked(PAGE, &[]).await.status, 404, "another outpost stands in front of it");
    let path = "outposts/instances";
    let both = json!({ "providers": [provider["pk"]] });
    house.server.change(path, embedded["pk"].as_str().unwrap(), &both).await;
    assert_eq!(house.asked(PAGE, &[]).await.status, 302);
    let shown = house.server.admin().get(&format!("/api/v3/providers/proxy/{}/", provider["pk"])).await;
    let mut outposts: Vec<&str> = shown.body["outpost_set"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    outposts.sort_unstable();
    assert_eq!(outposts, ["authentik Embedded Outpost", "elsewhere"]);
    house.server.admin().delete(&format!("/api/v3/{path}/{}/", other["pk"].as_str().unwrap())).await;
}

#[tokio::test]
async fn secrets_of_providers_are_nobodys_to_see() {
    let house = House::open().await;
    let (provider, _) =
        house.protect("app", json!({ "client_secret": "mine", "client_id": "mine", "cookie_secret": "mine" })).await;
    assert!(provider.get("client_secret").is_none() && provider.get("cookie_secret").is_none(), "{provider}");
    assert_ne!(provider["client_id"], "mine", "it is the product's to choose");
    let callback = "https://app.example/outpost.goauthentik.io/callback?X-authentik-auth-callback=true";
    assert_eq!(provider["redirect_uris"][0]["url"], callback);
}

#[tokio::test]
async fn what_cannot_work_is_refused_in_words() {
    let house = House::open().await;
    let (provider, _) = house.protect("app", json!({})).await;
    let path = format!("/api/v3/providers/proxy/{}/", provider["pk"]);
    for (change, field) in [
        (json!({ "mode": "proxy" }), "mode"),
        (json!({ "mode": "forward_domain" }), "cookie_domain"),
        (json!({ "mode": "forward_domain", "cookie_domain": "other.example" }), "external_host"),
        (json!({ "cookie_domain": "a b" }), "cookie_domain"),
        (json!({ "external_host": "app.example" }), "external_host"),
        (json!({ "external_host": "javascript:alert(1)" }), "external_host"),
        (json!({ "skip_path_regex": "^/a\n(" }), "skip_path_regex"),
        (json!({ "access_token_validity": "seconds=0" }), "access_token_validity"),
        (json!({ "basic_auth_enabled": true, "basic_auth_user_attribute": "user" }), "basic_auth_enabled"),
        (json!({ "basic_auth_enabled": true, "basic_auth_password_attribute": "password" }), "basic_auth_enabled"),
        (json!({ "internal_host": "http://app:8080" }), "internal_host"),
    ] {
        let reply = house.server.admin().patch(&path, &change).await;
        assert!(reply.status == 400 && reply.body[field].is_array(), "{change}: {}", reply.text);
    }
    let reply = house
        .server
        .admin()
        .post("/api/v3/outposts/instances/", &json!({ "name": "x", "type": "ldap", "providers": [provider["pk"]], "config": {} }))
        .await;
    assert!(reply.status == 400 && reply.body["type"].is_array(), "{}", reply.text);
}

#[tokio::test]
async fn outposts_are_changed_as_clients_are_used_to() {
    let house = House::open().await;
    let (provider, _) = house.protect("app", json!({})).await;
    let admin = house.server.admin();
    let body = json!({ "name": "x", "type": "proxy", "providers": [], "config": {}, "service_connection": "" });
    let reply = admin.post("/api/v3/outposts/instances/", &body).await;
    assert!(reply.status == 400 && reply.body["providers"].is_array(), "{}", reply.text);
    let body = json!({ "name": "x", "type": "proxy", "providers": [provider["pk"]], "config": { "refresh_interval": "hours=1" },
        "service_connection": "" });
    let other = house.server.make("outposts/instances", &body).await;
    assert_eq!((&other["service_connection"], &other["refresh_interval_s"]), (&Value::Null, &json!(3600)));
    let (path, embedded) = (format!("/api/v3/outposts/instances/{}/", other["pk"].as_str().unwrap()), house.embedded().await);
    assert_eq!(embedded["refresh_interval_s"], 300);
    let reply = admin.patch(&path, &json!({ "providers": [] })).await;
    assert!(reply.status == 400 && reply.body["providers"].is_array(), "{}", reply.text);
    assert_eq!(admin.patch(&path, &json!({ "name": "y" })).await.status, 200);
    let own = format!("/api/v3/outposts/instances/{}/", embedded["pk"].as_str().unwrap());
    let reply = admin.patch(&own, &json!({ "name": "y" })).await;
    assert!(reply.status == 400 && reply.body["name"].is_array(), "{}", reply.text);
    assert_eq!(admin.patch(&own, &json!({ "name": embedded["name"], "providers": [] })).await.status, 200);
    // A reference that may be null is none where there is no text; another one is needed.
    let provider_path = format!("/api/v3/providers/proxy/{}/", provider["pk"]);
    let flow = json!({ "authentication_flow": provider["authorization_flow"] });
    assert_eq!(admin.patch(&provider_path, &flow).await.body["authentication_flow"], provider["authorization_flow"]);
    let none = admin.patch(&provider_path, &json!({ "authentication_flow": "" })).await;
    assert_eq!((none.status, &none.body["authentication_flow"]), (200, &Value::Null), "{}", none.text);
    assert_eq!(admin.patch(&provider_path, &json!({ "authorization_flow": "" })).await.status, 400);
    // Its only provider can go all the same.
    assert_eq!(admin.delete(&format!("/api/v3/providers/proxy/{}/", provider["pk"])).await.status, 204);
    assert_eq!(admin.get(&path).await.body["providers"], json!([]));
    let settings = admin.get("/api/v3/outposts/instances/default_settings/").await;
    for name in ["object_naming_template", "docker_labels", "docker_map_ports", "kubernetes_namespace", "container_image"] {
        assert!(settings.body["config"].get(name).is_some(), "{name}: {}", settings.text);
    }
}

#[tokio::test]
async fn two_providers_for_one_host_are_told_of() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    let warned = async || house.server.events("configuration_warning").await.len();
    house.provider("other port", json!({ "external_host": "https://app.example:8443" })).await;
    assert_eq!(warned().await, 0);
    let (second, _) = house.protect("second", json!({ "external_host": "https://APP.example/path" })).await;
    let events = house.server.events("configuration_warning").await;
    let remark = events[0].context["remarks"]["external_host"][0].as_str().unwrap();
    assert!(remark.contains("app.example") && remark.contains("The provider app "), "{remark}");
    let elsewhere = json!({ "name": "elsewhere", "type": "proxy", "providers": [second["pk"]], "config": {} });
    house.server.make("outposts/instances", &elsewhere).await;
    house.change(&second, json!({ "skip_path_regex": "^/x" })).await;
    assert_eq!(warned().await, 1, "another outpost may stand in front of the same host");
}

#[tokio::test]
async fn no_refresh_token_is_asked_for() {
    let house = House::open().await;
    let list = house.server.admin().get("/api/v3/propertymappings/provider/scope/?scope_name=offline_access").await;
    let mapping = list.body["results"][0]["pk"].clone();
    assert!(mapping.is_string(), "{}", list.text);
    house.protect("app", json!({ "property_mappings": [mapping] })).await;
    let start = [("host", "app.example"), ("x-forwarded-proto", "https")];
    let reply = house.client(&start).get("/outpost.goauthentik.io/start").await;
    let scopes =
        url::Url::parse(reply.location()).unwrap().query_pairs().find(|(name, _)| name == "scope").unwrap().1.into_owned();
    assert_eq!(scopes, "openid email profile entitlements ak_proxy");
    let told = house.server.admin().get("/api/v3/outposts/proxy/").await;
    assert_eq!(told.body["results"][0]["scopes_to_request"], json!(scopes.split(' ').collect::<Vec<_>>()));
}

#[tokio::test]
async fn outposts_of_other_programs_find_their_configuration() {
    let house = House::open().await;
    let (provider, _) = house.protect("app", json!({ "skip_path_regex": "^/public" })).await;
    let admin = house.server.admin();
    let list = admin.get("/api/v3/outposts/proxy/").await;
    contract().validate_answer("GET", "/outposts/proxy/", list.status, Mode::Exact, &list.body).unwrap();
    let one = &list.body["results"][0];
    assert_eq!((&one["pk"], &one["skip_path_regex"]), (&provider["pk"], &json!("^/public")));
    assert_eq!(one["scopes_to_request"], json!(["openid", "email", "profile", "entitlements", "ak_proxy"]));
    let issuer = format!("{}/application/o/app/", house.server.url);
    assert_eq!(one["oidc_configuration"]["issuer"], issuer);
    for (path, operation) in [
        ("default_settings/".to_owned(), "default_settings/"),
        (format!("{}/health/", house.embedded().await["pk"].as_str().unwrap()), "{uuid}/health/"),
    ] {
        let reply = admin.get(&format!("/api/v3/outposts/instances/{path}")).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        contract().validate_answer("GET", &format!("/outposts/instances/{operation}"), 200, Mode::Exact, &reply.body).unwrap();
    }
    assert_eq!(house.server.client().get("/api/v3/outposts/proxy/").await.status, 403);
}

/// Where browsers are led to sign in.
async fn led_to(server: &Server) -> String {
    let start = server.client().header("host", "app.example").header("x-forwarded-proto", "https");
    let reply = start.get("/outpost.goauthentik.io/start").await;
    let url = url::Url::parse(reply.location()).unwrap_or_else(|_| panic!("led nowhere: {} {}", reply.status, reply.text));
    url.origin().ascii_serialization()
}

#[tokio::test]
async fn where_an_administrator_signs_in_is_where_browsers_are_led() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    let (server, embedded) = (&house.server, house.embedded().await);
    let configure = async |host: &str| {
        let config = json!({ "config": { "authentik_host": host } });
        server.change("outposts/instances", embedded["pk"].as_str().unwrap(), &config).await;
    };
    configure("").await;
    let nowhere = server.client().header("host", "app.example").header("x-forwarded-proto", "https");
    server.signed_in("ada").await;
    let reply = nowhere.get("/outpost.goauthentik.io/start").await;
    assert_eq!(reply.status, 500, "who is nobody in particular says nothing");
    let sign_in_at = async |host: &str| {
        server.client().header("host", host).login("akadmin", ak_tests::server::PASSWORD).await;
    };
    for (host, led) in [
        ("localhost:9000", "http://localhost:9000"),
        ("127.0.0.1:9000", "http://localhost:9000"),
        ("ak.localhost", "http://localhost:9000"),
        ("id.example", "http://id.example"),
        ("localhost:9000", "http://id.example"),
        ("elsewhere.example", "http://id.example"),
    ] {
        sign_in_at(host).await;
        assert_eq!(led_to(server).await, led, "after signing in at {host}");
    }
    assert_eq!(house.embedded().await["config"]["authentik_host"], "", "nobody has configured it");
    configure("https://said.example").await;
    assert_eq!(led_to(server).await, "https://said.example");
    configure("").await;
    assert_eq!(led_to(server).await, "http://id.example");
}

#[tokio::test]
async fn what_is_configured_counts_before_what_was_learned() {
    let server = ak_tests::server::Start::new().with("AUTHENTIK_BASE_URL", "https://base.example/").start().await;
    let house = House::of(server).await;
    house.protect("app", json!({})).await;
    assert_eq!(led_to(&house.server).await, house.server.url, "the outpost's own setting");
    let embedded = house.embedded().await;
    let config = json!({ "config": { "authentik_host": "" } });
    house.server.change("outposts/instances", embedded["pk"].as_str().unwrap(), &config).await;
    house.server.client().header("host", "id.example").login("akadmin", ak_tests::server::PASSWORD).await;
    assert_eq!(led_to(&house.server).await, "https://base.example");
}
