//! The API: who may call it, and what it says of itself.

use ak_store::records::{Durability, TokenIntent, User};
use ak_tests::contract::{Mode, contract};
use ak_tests::server::{Client, Reply, Server, TOKEN};
use serde_json::{Value, json};

const ME: &str = "/api/v3/core/users/me/";

/// The answer of an operation, held against the contract.
#[track_caller]
fn exact(method: &str, path: &str, reply: &Reply) {
    if let Err(error) = contract().validate_answer(method, path, reply.status, Mode::Exact, &reply.body) {
        panic!("{error}\nin {}", reply.text);
    }
}

/// A refusal: a status, and words in the shape of the API.
#[track_caller]
fn refused(reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{}", reply.text);
    contract().assert_exact("GenericError", &reply.body);
}

fn bearer(server: &Server, value: &str) -> Client {
    server.client().header("authorization", value)
}

mod who {
    use super::*;

    #[tokio::test]
    async fn answers_for_anybody_are_those_of_the_contract() {
        let server = Server::start().await;
        for (path, schema) in [("/root/config/", "Config"), ("/core/brands/current/", "CurrentBrand")] {
            let reply = server.client().get(&format!("/api/v3{path}")).await;
            assert_eq!(reply.status, 200);
            contract().assert_exact(schema, &reply.body);
        }
    }

    #[tokio::test]
    async fn who_am_i_is_that_of_the_contract_by_session_and_by_token() {
        let server = Server::start().await;
        server.user("ada").await;
        for (client, name) in [(server.admin(), "akadmin"), (server.signed_in("ada").await, "ada")] {
            let me = client.get(ME).await;
            exact("GET", "/core/users/me/", &me);
            assert_eq!(
                (&me.body["user"]["username"], &me.body["user"]["is_superuser"]),
                (&json!(name), &json!(name == "akadmin"))
            );
        }
    }

    #[tokio::test]
    async fn a_token_counts_only_while_it_is_what_it_should_be() {
        let server = Server::start().await;
        let ada = server.user("ada").await;
        let good = server.key(ada.pk, TokenIntent::Api, Some(chrono::Duration::hours(1))).await;
        for scheme in ["Bearer", "bearer", "BEARER"] {
            assert_eq!(bearer(&server, &format!("{scheme} {good}")).get(ME).await.body["user"]["username"], "ada");
        }
        let mut bad = vec![
            "Bearer wrong".to_owned(),
            "Bearer ".into(),
            "Bearer".into(),
            format!("Bearer {}", "x".repeat(5000)),
            format!("Bearer {good}x"),
        ];
        for intent in [TokenIntent::AppPassword, TokenIntent::Recovery, TokenIntent::Verification] {
            bad.push(format!("Bearer {}", server.key(ada.pk, intent, None).await));
        }
        for value in &bad {
            refused(&bearer(&server, value).get(ME).await, 403);
        }
        server.clock.advance(chrono::Duration::hours(1));
        refused(&bearer(&server, &format!("Bearer {good}")).get(ME).await, 403);
    }

    #[tokio::test]
    async fn the_token_of_an_account_that_is_switched_off_is_none() {
        let server = Server::start().await;
        let ada = server.user("ada").await;
        let key = server.key(ada.pk, TokenIntent::Api, None).await;
        let mut repo = server.store.backend().begin(Durability::Full).await.unwrap();
        repo.users().update(&User { is_active: false, ..ada }, server.now()).await.unwrap();
        repo.save().await.unwrap();
        refused(&bearer(&server, &format!("Bearer {key}")).get(ME).await, 403);
    }

    #[tokio::test]
    async fn of_a_token_and_a_session_the_token_counts() {
        let server = Server::start().await;
        server.user("ada").await;
        let ada = server.signed_in("ada").await;
        assert_eq!(
            ada.clone().header("authorization", &format!("Bearer {TOKEN}")).get(ME).await.body["user"]["username"],
            "akadmin"
        );
        refused(&ada.clone().header("authorization", "Bearer wrong").get(ME).await, 403);
        // A proxy's own credentials are none of ours.
        assert_eq!(ada.header("authorization", "Basic cHJveHk6c2VjcmV0").get(ME).await.body["user"]["username"], "ada");
    }

    #[tokio::test]
    async fn a_session_changes_something_only_with_its_token_against_forgery() {
        let server = Server::start().await;
        let (admin, other) = (server.signed_in("akadmin").await, server.signed_in("akadmin").await);
        let stage = json!({ "name": "one" });
        let post = async |client: Client| client.post("/api/v3/stages/dummy/", &stage).await;
        let own = admin.cookie("authentik_csrf").unwrap();
        for token in ["", "wrong", &other.cookie("authentik_csrf").unwrap()] {
            refused(&post(admin.clone().header("x-authentik-csrf", token)).await, 403);
        }
        refused(&post(admin.clone()).await, 403);
        refused(&post(admin.clone().header("x-authentik-csrf", &own).header("sec-fetch-site", "cross-site")).await, 403);
        assert_eq!(admin.get("/api/v3/stages/dummy/").await.body["pagination"]["count"], 0, "reading needs none");
        assert_eq!(post(admin.clone().header("x-authentik-csrf", &own)).await.status, 201);
    }

    #[tokio::test]
    async fn objects_are_for_superusers() {
        let server = Server::start().await;
        let ada = server.user("ada").await;
        let key = server.key(ada.pk, TokenIntent::Api, None).await;
        for client in [server.client(), bearer(&server, &format!("Bearer {key}")), server.signed_in("ada").await] {
            refused(&client.get("/api/v3/stages/dummy/").await, 403);
            refused(&client.post("/api/v3/stages/dummy/", &json!({ "name": "x" })).await, 403);
            refused(&client.delete("/api/v3/flows/instances/default-authentication-flow/").await, 403);
        }
    }
}

mod ratchet {
    use super::*;

    /// What anybody may call, and why.
    const PUBLIC: &[(&str, &str)] = &[
        ("/api/v3/root/config/", "the sign-in page asks for it"),
        ("/api/v3/core/brands/current/", "the sign-in page asks for it"),
        ("/api/v3/flows/executor/default-authentication-flow/", "signing in begins here"),
        ("/", "leads on to signing in"),
        ("/if/user/", "leads on to signing in"),
        ("/if/flow/default-authentication-flow/", "signing in begins here"),
        ("/flows/-/default/authentication/", "leads on to a flow, which decides itself"),
        ("/flows/-/cancel/", "gives up the caller's own flow"),
        ("/flows/-/configure/00000000-0000-0000-0000-000000000000/", "leads on to signing in"),
        ("/recovery/use-token/", "the key in the address is the credential"),
        ("/recovery/use-token/key/", "the key in the address is the credential"),
        ("/static/none/", "no secrets in the program's files"),
        ("/-/brand/none.css", "the sign-in page asks for it"),
        ("/-/brand/none/custom.css", "the sign-in page asks for it"),
        ("/-/health/live/", "probes have no account"),
        ("/-/health/ready/", "probes have no account"),
        ("/metrics", "figures without names; the listener is the operator's to close"),
    ];

    /// The routes as the sources name them, with something in the place of each parameter.
    fn routes() -> Vec<String> {
        let sources = [
            ("", include_str!("../../ak-http/src/lib.rs")),
            ("/api/v3", include_str!("../../ak-http/src/api/mod.rs")),
            ("/api/v3", include_str!("../../ak-http/src/api/people/mod.rs")),
        ];
        let named = sources.iter().flat_map(|(base, source)| {
            source.split(".route(\"").skip(1).map(move |rest| format!("{base}{}", rest.split('"').next().unwrap()))
        });
        let filled = |route: String| {
            [
                ("{slug}", "default-authentication-flow"),
                ("{designation}", "authentication"),
                ("{key}", "key"),
                ("{*path}", "none/"),
            ]
            .into_iter()
            .chain([("{stage}", "00000000-0000-0000-0000-000000000000"), ("{file}", "none.css"), ("{id}", "none")])
            .fold(route, |route, (name, value)| route.replace(name, value))
        };
        named.map(filled).collect()
    }

    #[tokio::test]
    async fn every_route_asks_who_calls_or_stands_on_the_list() {
        let server = Server::start().await;
        let routes = routes();
        assert!(routes.len() > 15, "the sources name their routes: {routes:?}");
        for route in &routes {
            let public = PUBLIC.iter().any(|(path, _)| path == route);
            for client in [server.client(), bearer(&server, "Bearer wrong")] {
                let read = client.get(route).await.status;
                // What only takes changes is asked for one.
                let status = if read == 405 { client.post(route, &json!({})).await.status } else { read };
                assert!(public || matches!(status, 401 | 403), "{route} answers {status} to anybody");
            }
        }
        for (path, _) in PUBLIC {
            assert!(routes.iter().any(|r| r == path), "{path} is on the list and no route");
        }
    }

    #[tokio::test]
    async fn every_collection_asks_who_calls() {
        let server = Server::start().await;
        let snapshot = server.store.snapshot();
        let registry = snapshot.registry();
        let paths = registry.kinds().iter().map(|k| k.meta.path).chain(registry.families().iter().map(|f| f.path));
        let objects: Vec<String> = snapshot.registry().kinds().iter().map(|k| k.meta.path.to_owned()).collect();
        assert!(objects.len() >= 10);
        for path in paths {
            for at in ["", "default-authentication-flow/", "types/", "00000000-0000-0000-0000-000000000000/", "x/used_by/"] {
                let path = format!("/api/v3/{path}/{at}");
                let (client, body) = (server.client(), json!({}));
                let replies = [client.get(&path).await, client.post(&path, &body).await, client.put(&path, &body).await];
                for reply in replies.into_iter().chain([client.patch(&path, &body).await, client.delete(&path).await]) {
                    refused(&reply, 403);
                }
            }
        }
    }

    #[tokio::test]
    async fn nothing_of_the_contract_is_open_that_is_not_on_the_list() {
        let server = Server::start().await;
        let client = server.client();
        for (method, path) in contract().operations() {
            let path = format!("/api/v3{path}").replace("{flow_slug}", "default-authentication-flow");
            if PUBLIC.iter().any(|(public, _)| *public == path) {
                continue;
            }
            let path = path.replace(['{', '}'], "");
            let method: reqwest::Method = method.to_uppercase().parse().unwrap();
            let reply = client.send(|http, url| http.request(method, url).json(&json!({})), &path).await;
            assert!(matches!(reply.status, 401 | 403), "{path}: {} {}", reply.status, reply.text);
        }
    }
}

// --- scenario S22: an administrator with a key and curl -------------------------------------------------------------------

mod by_key {
    use super::*;

    const SIGN_OUT: &str = "/api/v3/flows/executor/default-invalidation-flow/?query=";

    /// The object of a list in which `field` is `value`.
    async fn one(admin: &Client, path: &str, field: &str, value: &str) -> Value {
        let list = admin.get(path).await;
        let found = list.body["results"].as_array().unwrap().iter().find(|object| object[field] == value);
        found.unwrap_or_else(|| panic!("{path}: {}", list.text)).clone()
    }

    #[tokio::test]
    async fn who_changes_the_stage_of_a_binding_changes_the_next_sign_out() {
        let server = Server::start().await;
        let admin = server.admin();
        let before = server.signed_in("akadmin").await;
        before.follow(SIGN_OUT).await;
        assert_eq!(before.get(ME).await.status, 403, "signed out");

        let flow = one(&admin, "/api/v3/flows/instances/", "slug", "default-invalidation-flow").await;
        let logout = one(&admin, "/api/v3/stages/user_logout/", "name", "default-invalidation-logout").await;
        let all = one(&admin, "/api/v3/stages/all/?page_size=100", "pk", logout["pk"].as_str().unwrap()).await;
        assert_eq!(all["component"], "ak-stage-user-logout-form");
        let bindings = format!("/api/v3/flows/bindings/?target={}", flow["pk"].as_str().unwrap());
        let binding = one(&admin, &bindings, "stage", logout["pk"].as_str().unwrap()).await;
        let farewell = json!({ "name": "farewell", "deny_message": "Nobody leaves today." });
        let farewell = admin.post("/api/v3/stages/deny/", &farewell).await;
        let path = format!("/api/v3/flows/bindings/{}/", binding["pk"].as_str().unwrap());
        let patched = admin.patch(&path, &json!({ "stage": farewell.body["pk"] })).await;
        assert_eq!((patched.status, &patched.body["stage"]), (200, &farewell.body["pk"]), "{}", patched.text);

        let after = server.signed_in("akadmin").await;
        let refused = after.follow(SIGN_OUT).await;
        assert_eq!(refused.body["component"], "ak-stage-access-denied", "{}", refused.text);
        assert!(refused.text.contains("Nobody leaves today."), "{}", refused.text);
        assert_eq!(after.get(ME).await.status, 200, "still signed in");
    }
}
