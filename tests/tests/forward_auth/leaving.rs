//! Scenario S9: signing out of one application signs out of all of them.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use url::Url;

use super::kit::House;
use super::web::Web;

const PAGE: &str = "https://app.example/page";

/// What listens for logout tokens: `/<name>` says by name who was told.
async fn listener() -> (String, mpsc::UnboundedReceiver<(String, String)>) {
    let (tell, heard) = mpsc::unbounded_channel();
    let listen = |State(tell): State<mpsc::UnboundedSender<(String, String)>>,
                  name: axum::extract::Path<String>,
                  body: String| async move {
        let token =
            url::form_urlencoded::parse(body.as_bytes()).find(|(field, _)| field == "logout_token").unwrap().1.into_owned();
        tell.send((name.0, token)).unwrap();
    };
    let router = Router::new().route("/{name}", post(listen)).with_state(tell);
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", socket.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(socket, router).await.unwrap() });
    (base, heard)
}

/// An OpenID Connect application whose logout tokens go to `base`.
async fn client(house: &House, name: &str, base: &str) -> Value {
    let admin = house.server.admin();
    let flow = async |slug: &str| admin.get(&format!("/api/v3/flows/instances/{slug}/")).await.body["pk"].clone();
    let scope = admin.get("/api/v3/propertymappings/provider/scope/?scope_name=openid").await.body["results"][0]["pk"].clone();
    let provider = json!({
        "name": name, "client_id": name, "client_secret": "secret", "property_mappings": [scope],
        "authorization_flow": flow("default-provider-authorization-implicit-consent").await,
        "invalidation_flow": flow("default-provider-invalidation-flow").await,
        "redirect_uris": [{ "matching_mode": "strict", "url": format!("https://{name}.example/callback") }],
        "logout_uri": format!("{base}/{name}"),
    });
    let provider = house.server.make("providers/oauth2", &provider).await;
    house.server.make("core/applications", &json!({ "name": name, "slug": name, "provider": provider["pk"] })).await;
    provider
}

/// The ID token that a client gets for who has signed in.
async fn sign_in(house: &House, web: &Web<'_>, name: &str) -> String {
    let callback = format!("https://{name}.example/callback");
    let pairs = [("client_id", name), ("redirect_uri", callback.as_str()), ("response_type", "code"), ("scope", "openid")];
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let back = web.ak.get(&format!("/application/o/authorize/?{query}")).await;
    let url = Url::parse(back.location()).unwrap_or_else(|_| panic!("not led back: {} {}", back.status, back.text));
    let code = url.query_pairs().find(|(field, _)| field == "code").expect("a code").1.into_owned();
    let basic = format!("Basic {}", STANDARD.encode(format!("{name}:secret")));
    let fields = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", callback.as_str())];
    let tokens = house.client(&[("authorization", &basic)]).form("/application/o/token/", &fields).await;
    tokens.body["id_token"].as_str().unwrap_or_else(|| panic!("no token: {}", tokens.text)).to_owned()
}

#[tokio::test]
async fn signing_out_at_one_application_tells_the_others_and_refuses_the_proxied_session() {
    let house = House::open().await;
    house.protect("app", json!({})).await;
    let (base, mut heard) = listener().await;
    client(&house, "grafana", &base).await;
    client(&house, "jellyfin", &base).await;
    let web = Web::of(&house, "ada").await;
    let hint = sign_in(&house, &web, "grafana").await;
    sign_in(&house, &web, "jellyfin").await;
    web.go(PAGE).await.app();
    let cookies = web.cookies(&PAGE.parse().unwrap());
    assert_eq!(house.asked(PAGE, &[("cookie", &cookies)]).await.status, 200);
    let worker = ak_bins::worker(&house.server.store, house.server.outbound.clone(), "test");
    let out = web.ak.follow(&format!("/application/o/grafana/end-session/?id_token_hint={hint}")).await;
    assert_eq!(out.status, 200, "{}", out.text);
    worker.run_due().await.unwrap();
    let mut told = Vec::new();
    while told.len() < 2 {
        let next = tokio::time::timeout(Duration::from_secs(20), heard.recv()).await;
        told.push(next.unwrap_or_else(|_| panic!("only {told:?} were told")).unwrap().0);
    }
    told.sort();
    assert_eq!(told, ["grafana", "jellyfin"]);
    house.server.clock.advance(chrono::Duration::milliseconds(999));
    assert_eq!(house.asked(PAGE, &[("cookie", &cookies)]).await.status, 302);
}
