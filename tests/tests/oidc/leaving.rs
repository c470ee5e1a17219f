//! Signing out.

use std::sync::Arc;
use std::time::Duration;

use ak_store::tasks::Worker;
use ak_tests::server::Server;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use crate::kit::{Back, House, application, verified};

const OUT: &str = "https://app.example/signed-out";

/// An application that listens for logout tokens. The first `deaf` times it does not hear.
struct Listener {
    url: String,
    heard: mpsc::UnboundedReceiver<String>,
}

#[derive(Clone)]
struct Ear {
    tell: mpsc::UnboundedSender<String>,
    deaf: Arc<std::sync::atomic::AtomicUsize>,
}

impl Listener {
    async fn start(deaf: usize) -> Self {
        let (tell, heard) = mpsc::unbounded_channel();
        let ear = Ear { tell, deaf: Arc::new(deaf.into()) };
        let listen = |State(ear): State<Ear>, body: String| async move {
            use std::sync::atomic::Ordering::SeqCst;
            if ear.deaf.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok() {
                return StatusCode::SERVICE_UNAVAILABLE;
            }
            let token = url::form_urlencoded::parse(body.as_bytes()).find(|(name, _)| name == "logout_token");
            ear.tell.send(token.unwrap().1.into_owned()).unwrap();
            StatusCode::OK
        };
        let router = Router::new().route("/logout", post(listen)).with_state(ear);
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/logout", socket.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(socket, router).await.unwrap() });
        Self { url, heard }
    }

    async fn token(&mut self) -> String {
        tokio::time::timeout(Duration::from_secs(20), self.heard.recv()).await.expect("a logout token comes").unwrap()
    }
}

/// The worker of a server, as `ak-server` has it inside.
fn worker(server: &Server) -> Worker {
    ak_bins::worker(&server.store, server.outbound.clone(), "test")
}

fn registered(listener: &Listener) -> Value {
    json!({
        "logout_uri": listener.url,
        "redirect_uris": [
            { "matching_mode": "strict", "url": crate::kit::CALLBACK },
            { "matching_mode": "strict", "url": OUT, "redirect_uri_type": "logout" },
        ],
    })
}

fn end_session(more: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(more).finish();
    format!("/application/o/app/end-session/?{query}")
}

#[tokio::test]
async fn an_application_signs_a_person_out_and_gets_her_back() {
    let listener = Listener::start(0).await;
    let house = House::with(registered(&listener)).await;
    let browser = house.server.signed_in("ada").await;
    let tokens = house.tokens(&browser).await;
    let hint = tokens["id_token"].as_str().unwrap();
    // It takes more than an address to be led there.
    for (wrong, status) in [
        (&[("post_logout_redirect_uri", "https://evil.example/"), ("id_token_hint", hint)][..], 400),
        (&[("post_logout_redirect_uri", "https://app.example/signed-out?foo=bar"), ("id_token_hint", hint)], 400),
        (&[("post_logout_redirect_uri", OUT), ("id_token_hint", "eyJhbGciOiJub25lIn0.e30.")], 400),
    ] {
        let reply = browser.get(&end_session(wrong)).await;
        assert_eq!((reply.status, reply.location()), (status, ""), "{wrong:?}");
    }
    assert_eq!(house.userinfo(&tokens["access_token"]).await.status, 200, "she is still signed in");
    house.server.clock.advance(chrono::Duration::days(1));
    let back = browser.get(&end_session(&[("post_logout_redirect_uri", OUT), ("id_token_hint", hint), ("state", "x y")])).await;
    assert_eq!(back.location(), format!("{OUT}?state=x+y"), "{}", back.text);
    assert_eq!(Back::of(&browser.get(&house.authorize(&[("prompt", "none")])).await).error(), "login_required");
    // Without an address she ends at a page that says so, also where nobody has signed in.
    let browser = house.server.signed_in("ada").await;
    for asked in [&[][..], &[("state", "x")], &[("post_logout_redirect_uri", OUT)]] {
        let page = browser.get(&end_session(asked)).await;
        assert_eq!(page.status, 200, "{}", page.text);
        assert!(page.text.contains("app"), "{}", page.text);
    }
    assert_eq!(Back::of(&browser.get(&house.authorize(&[("prompt", "none")])).await).error(), "login_required");
}

#[tokio::test]
async fn an_application_that_registers_no_address_signs_people_out_all_the_same() {
    let house = House::open().await;
    for uri in [OUT, crate::kit::CALLBACK, "javascript:alert(1)"] {
        let browser = house.server.signed_in("ada").await;
        let tokens = house.tokens(&browser).await;
        let hint = tokens["id_token"].as_str().unwrap();
        let refused = browser.get(&end_session(&[("post_logout_redirect_uri", uri), ("id_token_hint", "x.y.z")])).await;
        assert_eq!(refused.status, 400, "{uri}: the token still has to be one");
        let page = browser.get(&end_session(&[("post_logout_redirect_uri", uri), ("id_token_hint", hint)])).await;
        assert_eq!((page.status, page.location()), (200, ""), "{uri}: {}", page.text);
        assert_eq!(Back::of(&browser.get(&house.authorize(&[("prompt", "none")])).await).error(), "login_required", "{uri}");
    }
}

#[tokio::test]
async fn every_application_of_the_session_is_told() {
    let (mut first, mut second) = (Listener::start(0).await, Listener::start(2).await);
    let house = House::with(registered(&first)).await;
    let (other, _) = application(&house.server, "other", registered(&second)).await;
    let worker = worker(&house.server);
    let browser = house.server.signed_in("ada").await;
    let tokens = house.tokens(&browser).await;
    let id_token = house.verified(&tokens["id_token"]).await;
    Back::of(&browser.get(&crate::kit::authorize(other["client_id"].as_str().unwrap(), &[])).await);
    browser.follow("/flows/-/default/invalidation/").await;
    worker.run_due().await.unwrap();
    let token = first.token().await;
    let header = jsonwebtoken::decode_header(&token).unwrap();
    assert_eq!(header.typ.as_deref(), Some("logout+jwt"));
    let keys = house.server.client().get("/application/o/app/jwks/").await.body;
    let claims: Map<String, Value> = verified(&keys, &token, &house.client_id);
    for name in ["iss", "sub", "sid", "aud"] {
        assert_eq!(claims[name], id_token[name], "{name}");
    }
    assert_eq!(claims["events"], json!({ "http://schemas.openid.net/event/backchannel-logout": {} }));
    assert!(claims.contains_key("iat") && claims.contains_key("jti") && !claims.contains_key("nonce"));
    // The other one does not hear at first, and is told again.
    for _ in 0..2 {
        assert!(second.heard.try_recv().is_err());
        house.server.clock.advance(chrono::Duration::hours(1));
        worker.run_due().await.unwrap();
    }
    let keys = house.server.client().get("/application/o/other/jwks/").await.body;
    assert_eq!(verified(&keys, &second.token().await, other["client_id"].as_str().unwrap())["sid"], id_token["sid"]);
    worker.run_due().await.unwrap();
    assert!(first.heard.try_recv().is_err() && second.heard.try_recv().is_err(), "once is enough");
}

#[tokio::test]
async fn an_application_is_told_of_people_by_the_names_that_it_knows() {
    let mut listener = Listener::start(0).await;
    let house = House::with(registered(&listener)).await;
    let worker = worker(&house.server);
    let mapping = json!({ "name": "x", "scope_name": "x", "expression": "// rhai\n#{ sub: \"x-\" + user.username }" });
    let named = house.server.make("propertymappings/provider/scope", &mapping).await["pk"].clone();
    let mapping = json!({ "name": "y", "scope_name": "y", "expression": "// rhai\nthrow \"no\"" });
    let broken = house.server.make("propertymappings/provider/scope", &mapping).await["pk"].clone();
    let openid = crate::kit::pk(&house.server, "propertymappings/provider/scope", "scope_name", "openid").await;
    house.change(json!({ "property_mappings": [openid, named, broken] })).await;
    let uid = ak_store::model::user_uid(house.ada.pk, house.server.store.install_id());
    for (scope, subject) in [("openid x", json!("x-ada")), ("openid", json!(uid)), ("openid x y", Value::Null)] {
        let browser = house.server.signed_in("ada").await;
        house.code(&browser, &[("scope", scope)]).await;
        browser.follow("/flows/-/default/invalidation/").await;
        worker.run_due().await.unwrap();
        let keys = house.server.client().get("/application/o/app/jwks/").await.body;
        let claims = verified(&keys, &listener.token().await, &house.client_id);
        assert_eq!((claims.get("sub").unwrap_or(&Value::Null), claims["sid"].is_string()), (&subject, true), "{scope}");
    }
}

#[tokio::test]
async fn a_worker_that_runs_tells_within_a_second_however_the_session_ends() {
    let mut listener = Listener::start(0).await;
    let house = House::with(registered(&listener)).await;
    let worker = worker(&house.server);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let working = tokio::spawn(async move { worker.run(async move { drop(stopped.await) }).await });
    let admin = house.server.admin();
    let ends = async |how: &str, browser: &ak_tests::server::Client| match how {
        "sign-out" => drop(browser.follow("/flows/-/default/invalidation/").await),
        "administrator" => {
            let list = admin.get("/api/v3/core/authenticated_sessions/?user__username=ada").await;
            let mode = ak_tests::contract::Mode::Exact;
            let contract = ak_tests::contract::contract();
            contract.validate_answer("GET", "/core/authenticated_sessions/", 200, mode, &list.body).unwrap();
            assert_eq!(list.body["pagination"]["count"], 1, "{}", list.text);
            let one = format!("/api/v3/core/authenticated_sessions/{}/", list.body["results"][0]["uuid"].as_str().unwrap());
            assert_eq!(browser.get(&one).await.body["current"], true);
            assert_eq!(admin.get(&format!("{one}used_by/")).await.body, json!([]));
            assert_eq!(admin.delete(&one).await.status, 204);
            assert_eq!((admin.get(&one).await.status, browser.get(&one).await.status), (404, 403));
        }
        "all at once" => {
            let path = format!("/api/v3/core/authenticated_sessions/bulk_delete/?user_pks={}", house.ada.pk);
            assert_eq!(browser.delete(&path).await.status, 403);
            assert_eq!(admin.delete(&path).await.body, json!({ "deleted": 1 }));
        }
        "another account" => {
            house.server.user("bob").await;
            browser.follow(&house.authorize(&[("prompt", "login")])).await;
            let path = format!("{}?query=", ak_tests::server::LOGIN);
            browser.answer(&path, &json!({ "component": "ak-stage-identification", "uid_field": "bob" })).await;
            let body = json!({ "component": "ak-stage-password", "password": ak_tests::server::PASSWORD });
            browser.answer(&path, &body).await;
        }
        "password" => {
            let body = json!({ "password": ak_tests::server::PASSWORD });
            admin.post(&format!("/api/v3/core/users/{}/set_password/", house.ada.pk), &body).await;
        }
        _ => drop(admin.delete(&format!("/api/v3/core/users/{}/", house.ada.pk)).await),
    };
    for how in ["sign-out", "administrator", "all at once", "another account", "password", "deletion"] {
        let browser = house.server.signed_in("ada").await;
        let tokens = house.tokens(&browser).await;
        let id_token = house.verified(&tokens["id_token"]).await;
        let begun = std::time::Instant::now();
        ends(how, &browser).await;
        let keys = house.server.client().get("/application/o/app/jwks/").await.body;
        let claims = verified(&keys, &listener.token().await, &house.client_id);
        assert_eq!(claims["sid"], id_token["sid"], "{how}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{how}: {:?}", begun.elapsed());
    }
    drop(stop);
    working.await.unwrap();
}
