//! What reverse proxies wait for: the check of a request with a live session, beside a bare handler and nginx.

use ak_tests::program::Served;
use ak_tests::reverse_proxy::{Program, ReverseProxy, free_port};
use ak_tests::server::{PASSWORD, TOKEN};
use serde_json::{Value, json};

use crate::Scale;
use crate::load::{bare, load};
use crate::processes::{cpu, home, start};
use crate::table::{row, us};

/// An application of `served` for `https://app<number>.example`.
async fn protect(served: &Served, number: usize) {
    let admin = served.client().header("authorization", &format!("Bearer {TOKEN}"));
    let flow = async |slug: &str| admin.get(&format!("/api/v3/flows/instances/{slug}/")).await.body["pk"].clone();
    let name = format!("app{number}");
    let provider = json!({
        "name": name, "mode": "forward_single", "external_host": format!("https://{name}.example"),
        "authorization_flow": flow("default-provider-authorization-implicit-consent").await,
        "invalidation_flow": flow("default-provider-invalidation-flow").await,
    });
    let provider = admin.post("/api/v3/providers/proxy/", &provider).await;
    assert_eq!(provider.status, 201, "{}", provider.text);
    let application = json!({ "name": name, "slug": name, "provider": provider.body["pk"] });
    assert_eq!(admin.post("/api/v3/core/applications/", &application).await.status, 201);
}

/// The cookie of a session with the first application.
async fn session(served: &Served) -> String {
    let browser = served.client();
    // The first time an administrator signs in, the outpost learns where it is.
    assert_eq!(browser.login("akadmin", PASSWORD).await.body["component"], Value::from("xak-flow-redirect"));
    let app = |cookie: &str| {
        let own = [("host", "app0.example"), ("x-forwarded-proto", "https"), ("cookie", cookie)];
        own.into_iter().fold(served.client(), |client, (name, value)| client.header(name, value))
    };
    let start = app("").get("/outpost.goauthentik.io/start?rd=/").await;
    let mark = start.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
    let path = |location: &str| location.splitn(4, '/').nth(3).map(|rest| format!("/{rest}")).expect("an address");
    let back = browser.get(&path(start.location())).await;
    let done = app(&mark).get(&path(back.location())).await;
    assert_eq!(done.location(), "https://app0.example/", "{}", done.text);
    done.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
}

pub(crate) async fn forward_auth(scale: &Scale) {
    let (_, served) = start(&home()).await;
    protect(&served, 0).await;
    let cookie = session(&served).await;
    let ask = |url: String| {
        let cookie = cookie.clone();
        move |http: &reqwest::Client| {
            let told = [("x-forwarded-host", "app0.example"), ("x-forwarded-proto", "https"), ("x-forwarded-uri", "/page")];
            let request = told.into_iter().fold(http.get(&url), |request, (name, value)| request.header(name, value));
            request.header("cookie", &cookie)
        }
    };
    let check = format!("{}/outpost.goauthentik.io/auth/traefik", served.url);
    let requests = scale.requests * 8;

    let (bare, bare_server) = bare().await;
    let port = free_port();
    let nginx = format!(
        "daemon off; master_process off; pid FOLDER/pid; error_log stderr notice; events {{}} http {{ access_log off;
        client_body_temp_path FOLDER/a; proxy_temp_path FOLDER/b; fastcgi_temp_path FOLDER/c; uwsgi_temp_path FOLDER/d;
        scgi_temp_path FOLDER/e; keepalive_requests 10000000; server {{ listen 127.0.0.1:{port}; location / {{ return 204; }} }} }}"
    );
    let _nginx = ReverseProxy::start(Program::Nginx, &nginx).await;

    let (axum, _) = load(ask(bare), 200, requests).await;
    bare_server.abort();
    let (nginx, _) = load(ask(format!("http://127.0.0.1:{port}/")), 204, requests).await;
    let before = cpu(served.program.pid());
    let (speed, times) = load(ask(check.clone()), 200, requests).await;
    let each = (cpu(served.program.pid()) - before) / u32::try_from(times.len()).expect("not many");
    let slowest = times[times.len() * 99 / 100];
    row(
        "forward-auth check with a live session, four clients on the same machine",
        format!("{speed:.0} a second, {} CPU time each; 99 of 100 within {}", us(each), us(slowest)),
        "",
    );
    row(
        "the same against a bare axum handler; against nginx answering 204",
        format!("{:.2} times; {:.2} times", speed / axum, speed / nginx),
        "0.5 times",
    );

    for number in 1..scale.requests * 2 {
        protect(&served, number).await;
    }
    let (many, _) = load(ask(check), 200, requests).await;
    row(
        &format!("the same with {} applications against one", scale.requests * 2),
        format!("{:.2} times the time", speed / many),
        "1.1 times",
    );
    served.stop().await;
}
