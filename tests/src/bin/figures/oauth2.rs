//! What clients of OAuth 2.0 wait for: tokens, userinfo, introspection, a code with a live session.

use std::time::{Duration, Instant};

use ak_store::certificate::{Algorithm, Request, generate};
use ak_store::{ManualClock, SeededRng};
use ak_tests::program::Served;
use ak_tests::server::{Client, PASSWORD, TOKEN};
use serde_json::{Value, json};

use crate::Scale;
use crate::load::{bare, load};
use crate::processes::{cpu, home, start};
use crate::table::{row, us};

const CALLBACK: &str = "https://app.example/callback";

fn admin(served: &Served) -> Client {
    served.client().header("authorization", &format!("Bearer {TOKEN}"))
}

async fn made(served: &Served, collection: &str, body: &Value) -> Value {
    let made = admin(served).post(&format!("/api/v3/{collection}/"), body).await;
    assert!(matches!(made.status, 200 | 201), "{collection}: {}", made.text);
    made.body
}

/// A client of that name, whose tokens are signed with a new key of this sort.
async fn client(served: &Served, alg: &str) {
    let admin = admin(served);
    let flow = async |slug: &str| admin.get(&format!("/api/v3/flows/instances/{slug}/")).await.body["pk"].clone();
    let key = json!({ "common_name": alg, "validity_days": 30, "alg": alg });
    let key = made(served, "crypto/certificatekeypairs/generate", &key).await;
    let scopes = admin.get("/api/v3/propertymappings/provider/scope/?page_size=100").await.body["results"].clone();
    let scopes: Vec<Value> = scopes.as_array().expect("a list").iter().map(|scope| scope["pk"].clone()).collect();
    let provider = json!({
        "name": alg, "client_id": alg, "client_secret": "secret", "signing_key": key["pk"], "property_mappings": scopes,
        "authorization_flow": flow("default-provider-authorization-implicit-consent").await,
        "invalidation_flow": flow("default-provider-invalidation-flow").await,
        "grant_types": ["authorization_code", "client_credentials", "refresh_token"],
        "redirect_uris": [{ "matching_mode": "strict", "url": CALLBACK }],
    });
    let provider = made(served, "providers/oauth2", &provider).await;
    made(served, "core/applications", &json!({ "name": alg, "slug": alg, "provider": provider["pk"] })).await;
}

/// How long it takes to sign as many bytes as a token has, by a key of this sort.
fn signature(algorithm: Algorithm, times: u32) -> Duration {
    let request = Request { name: "figures".to_owned(), hosts: Vec::new(), days: 1, algorithm };
    let clock = ManualClock::new(chrono::Utc::now());
    let pair = generate(&request, &clock, &SeededRng::new(1)).expect("a key");
    let key = pair.signing_key().expect("a key that signs");
    let message = [b'x'; 700];
    let begun = Instant::now();
    for _ in 0..times {
        key.sign(&message).expect("a signature");
    }
    begun.elapsed() / times
}

/// The CPU time of the server for each of many requests.
async fn cost(
    served: &Served,
    build: impl Fn(&reqwest::Client) -> reqwest::RequestBuilder + Clone + Send + 'static,
    status: u16,
    requests: usize,
) -> (Duration, f64) {
    let before = cpu(served.program.pid());
    let (speed, times) = load(build, status, requests).await;
    ((cpu(served.program.pid()) - before) / u32::try_from(times.len()).expect("not many"), speed)
}

/// Tokens for machines, by a client that proves itself.
fn for_machines(url: &str, client: &str) -> impl Fn(&reqwest::Client) -> reqwest::RequestBuilder + Clone + Send + 'static {
    let (url, client) = (format!("{url}/application/o/token/"), client.to_owned());
    move |http| {
        let form = [("grant_type", "client_credentials"), ("scope", "profile")];
        http.post(&url).basic_auth(&client, Some("secret")).form(&form)
    }
}

/// An access token of a person who has signed in, with the cookie of her session.
async fn signed_in(served: &Served, client: &str) -> (String, String) {
    let browser = served.client();
    assert_eq!(browser.login("akadmin", PASSWORD).await.body["component"], Value::from("xak-flow-redirect"));
    let asked = browser.get(&authorize(client)).await;
    let code = asked.location().split("code=").nth(1).and_then(|rest| rest.split('&').next()).expect("a code").to_owned();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("client_id", client),
        ("client_secret", "secret"),
    ];
    let tokens =
        reqwest::Client::new().post(format!("{}/application/o/token/", served.url)).form(&form).send().await.expect("an answer");
    let tokens: Value = tokens.json().await.expect("tokens");
    (tokens["access_token"].as_str().expect("a token").to_owned(), browser.cookie_header())
}

fn authorize(client: &str) -> String {
    format!(
        "/application/o/authorize/?response_type=code&client_id={client}&redirect_uri={CALLBACK}&scope=openid%20profile&state=x"
    )
}

pub(crate) async fn oauth2(scale: &Scale) {
    let (_, served) = start(&home()).await;
    for (alg, algorithm) in [("rsa", Algorithm::Rsa), ("ecdsa", Algorithm::Ecdsa)] {
        client(&served, alg).await;
        let bare = signature(algorithm, u32::try_from(scale.requests).expect("not many"));
        let (each, _) = cost(&served, for_machines(&served.url, alg), 200, scale.requests).await;
        let beyond = us(each.saturating_sub(bare));
        row(
            &format!("CPU time of a token for a machine, {alg}, beside the bare signature"),
            format!("{} beside {}: {beyond} on top", us(each), us(bare)),
            "150 µs",
        );
    }
    let (token, cookie) = signed_in(&served, "ecdsa").await;
    let (url, cookie) = (format!("{}{}", served.url, authorize("ecdsa")), cookie);
    let code = move |http: &reqwest::Client| http.get(&url).header("cookie", &cookie);
    let (each, _) = cost(&served, code, 303, scale.requests).await;
    row("CPU time of a code for who has signed in", us(each), "");
    let (bare, bare_server) = bare().await;
    let (speed_of_bare, _) = load(move |http| http.get(&bare), 200, scale.requests * 4).await;
    bare_server.abort();
    let (url, bearer) = (format!("{}/application/o/userinfo/", served.url), token.clone());
    let (each, speed) = cost(&served, move |http| http.get(&url).bearer_auth(&bearer), 200, scale.requests).await;
    row(
        "userinfo: CPU time, and answers a second against a bare handler",
        format!("{}, {:.2} times", us(each), speed / speed_of_bare),
        "",
    );
    let url = format!("{}/application/o/introspect/", served.url);
    let ask = move |http: &reqwest::Client| http.post(&url).basic_auth("ecdsa", Some("secret")).form(&[("token", &token)]);
    let (each, speed) = cost(&served, ask, 200, scale.requests).await;
    row("introspection: the same", format!("{}, {:.2} times", us(each), speed / speed_of_bare), "");
    served.stop().await;
}
