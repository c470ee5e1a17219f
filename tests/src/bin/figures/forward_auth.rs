//! What reverse proxies wait for: the check of a request with a live session, beside a bare handler and nginx.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ak_store::model::{Store, StoreOptions};
use ak_store::records::{Durability, Grant, Session};
use ak_store::sql::{SqliteBackend, SqliteOptions};
use ak_tests::program::{Home, Served};
use ak_tests::reverse_proxy::{Program, ReverseProxy, free_port};
use ak_tests::server::{PASSWORD, SECRET_KEY, TOKEN};
use serde_json::{Value, json};

use crate::Scale;
use crate::load::{bare, load, paced, slowest};
use crate::processes::{cpu, home, start};
use crate::table::{row, thousands, us};

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

/// A check with each of these sessions in turn.
fn ask(url: String, cookies: Vec<String>) -> impl Fn(&reqwest::Client) -> reqwest::RequestBuilder + Clone + Send + 'static {
    let (cookies, next) = (Arc::new(cookies), Arc::new(AtomicUsize::new(0)));
    move |http: &reqwest::Client| {
        let told = [("x-forwarded-host", "app0.example"), ("x-forwarded-proto", "https"), ("x-forwarded-uri", "/page")];
        let request = told.into_iter().fold(http.get(&url), |request, (name, value)| request.header(name, value));
        request.header("cookie", &cookies[next.fetch_add(1, Ordering::Relaxed) % cookies.len()])
    }
}

/// So many more sessions with the first application, each in a session of its own, as if that many browsers had signed in; their cookies.
async fn more_sessions(home: &Home, cookie: &str, number: usize) -> Vec<String> {
    let registry = ak_bins::registry().expect("the kinds");
    let backend = SqliteBackend::open(&home.database(), SqliteOptions::default()).await.expect("the database");
    let store = Store::open(StoreOptions::new(Arc::new(backend), registry, SECRET_KEY)).await.expect("the store");
    let (name, key) = cookie.split_once('=').expect("a cookie");
    let mut repo = store.backend().begin(Durability::Full).await.expect("a transaction");
    let hash = |key: &str| store.keyring().lookup_hash(key);
    let grant = repo.grants().find_by_hash(&hash(key)).await.expect("it reads").expect("the session");
    let session = grant.session.expect("a session of hers");
    let session = repo.sessions().lookup(&session, store.clock().now()).await.expect("it reads").expect("it is live");
    let mut cookies = Vec::with_capacity(number);
    for _ in 0..number {
        let (id, key) = (store.rng().bytes(), store.rng().token(32));
        repo.sessions().add(&Session { id, plan: None, ..session.clone() }).await.expect("a session");
        let grant = Grant { key_hash: hash(&key), session: Some(id), family: store.rng().uuid(), ..grant.clone() };
        repo.grants().add(&grant).await.expect("a session with the application");
        cookies.push(format!("{name}={key}"));
    }
    repo.save().await.expect("saved");
    cookies
}

/// What it costs that many have signed in: for ten of them who ask again and again, and where all of them ask in turn.
async fn sessions(home: &Home, served: &Served, check: &str, cookie: &str, scale: &Scale) {
    let requests = scale.requests * 8;
    let ten = more_sessions(home, cookie, 10).await;
    let among = async |cookies: &[String]| load(ask(check.to_owned(), cookies.to_vec()), 200, requests).await.0;
    among(&ten).await;
    let few = among(&ten).await;
    let all = more_sessions(home, cookie, scale.many_users).await;
    among(&ten).await;
    let many = among(&ten).await;
    let what = thousands(scale.many_users);
    row(
        &format!("the check for ten sessions that are in use, among {what} live ones against ten"),
        format!("{:.2} times the time", few / many),
        "1.1 times",
    );
    let before = cpu(served.program.pid());
    let (spread, times) = load(ask(check.to_owned(), all), 200, requests).await;
    let each = (cpu(served.program.pid()) - before) / u32::try_from(times.len()).expect("not many");
    row(
        &format!("the check where each request is of another of {what} sessions, against ten that are in use"),
        format!("{:.2} times the time; {} CPU time each", few / spread, us(each)),
        "",
    );
}

pub(crate) async fn forward_auth(scale: &Scale) {
    let home = home();
    let (_, served) = start(&home).await;
    protect(&served, 0).await;
    let cookie = session(&served).await;
    let ask = |url: String| ask(url, vec![cookie.clone()]);
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

    let (axum, _) = load(ask(bare.clone()), 200, requests).await;
    let (nginx, _) = load(ask(format!("http://127.0.0.1:{port}/")), 204, requests).await;
    let before = cpu(served.program.pid());
    let (speed, times) = load(ask(check.clone()), 200, requests).await;
    let each = (cpu(served.program.pid()) - before) / u32::try_from(times.len()).expect("not many");
    row(
        "forward-auth check with a live session, four clients on the same machine",
        format!("{speed:.0} a second, {} CPU time each; 99 of 100 within {}", us(each), us(slowest(&times))),
        "",
    );
    let (bare, build) = (ask(bare), ask(check.clone()));
    let at_half = move || (paced(build, speed / 2.0, requests), paced(bare, speed / 2.0, requests));
    let (times, others) = tokio::task::spawn_blocking(at_half).await.expect("it is measured");
    bare_server.abort();
    row(
        "the same at half of that load, from the moment at which a request is due: 99 of 100 within; of a bare axum handler",
        format!("{}; {}", us(slowest(&times)), us(slowest(&others))),
        "1 ms",
    );
    row(
        "the same against a bare axum handler; against nginx answering 204",
        format!("{:.2} times; {:.2} times", speed / axum, speed / nginx),
        "0.5 times",
    );

    for number in 1..scale.requests * 2 {
        protect(&served, number).await;
    }
    let (many, _) = load(ask(check.clone()), 200, requests).await;
    row(
        &format!("the same with {} applications against one", scale.requests * 2),
        format!("{:.2} times the time", speed / many),
        "1.1 times",
    );
    sessions(&home, &served, &check, &cookie, scale).await;
    served.stop().await;
}
