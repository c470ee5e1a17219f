//! The product in a test: the server's own start function, on a port of its own, driven over a real socket.
//!
//! ```no_run
//! # async fn story() {
//! let server = ak_tests::server::Server::start().await;
//! let browser = server.client();
//! let reply = browser.get("/api/v3/root/config/").await;
//! assert_eq!(reply.status, 200);
//! # }
//! ```

use std::sync::Arc;
use std::time::Duration;

use ak_bins::{Product, Wiring};
use ak_flows::Bootstrap;
use ak_http::App;
use ak_policy::dns::Dns;
use ak_store::config::{Settings, load_from};
use ak_store::directory::keys::{NewKey, issue};
use ak_store::directory::password::Cost;
use ak_store::model::{Registry, Store};
use ak_store::records::{Durability, Group, NewUser, TokenIntent, User};
use ak_store::{Clock, ManualClock, SystemClock, SystemRng};
use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::database::Place;

/// The password of everybody whom [`Server`] creates.
pub const PASSWORD: &str = "correct horse battery staple";
/// The key of the first administrator's API token.
pub const TOKEN: &str = "test-bootstrap-token-0123456789";
/// The secret key of the installation.
pub const SECRET_KEY: &str = "test-secret-key-test-secret-key-test-secret-key-test-secret-key";
/// The path of the default authentication flow in the JSON executor.
pub const LOGIN: &str = "/api/v3/flows/executor/default-authentication-flow/";

/// A running product. Dropped, it stops; its files are removed.
pub struct Server {
    /// `http://127.0.0.1:<port>`
    pub url: String,
    /// `https://127.0.0.1:<port>`
    pub https_url: String,
    /// `http://127.0.0.1:<port>` of the figures' own listener, if it was asked for.
    pub metrics_url: String,
    /// The objects and the records.
    pub store: Arc<Store>,
    /// The application.
    pub app: App,
    /// Makes requests to other machines.
    pub outbound: Arc<dyn ak_policy::outbound::Outbound>,
    /// The time that the product sees.
    pub clock: Arc<ManualClock>,
    /// Its database.
    pub place: Arc<Place>,
    stop: Option<oneshot::Sender<()>>,
    running: Option<tokio::task::JoinHandle<()>>,
}

/// A clock whose date is moved by hand, and whose lengths of time are real.
struct Ticking(Arc<ManualClock>);

impl Clock for Ticking {
    fn now(&self) -> DateTime<Utc> {
        self.0.now()
    }

    fn monotonic_micros(&self) -> u64 {
        SystemClock.monotonic_micros()
    }
}

/// How a [`Server`] is started.
pub struct Start {
    environment: Vec<(String, String)>,
    registry: Arc<Registry>,
    place: Option<Arc<Place>>,
    password_floor: Duration,
    dns: Arc<dyn Dns>,
    ticking: bool,
}

impl Default for Start {
    fn default() -> Self {
        Self::new()
    }
}

impl Start {
    /// A new database in SQLite or PostgreSQL ([`crate::database`]), an administrator `akadmin` with [`PASSWORD`] and [`TOKEN`], cheap password hashes, no floor.
    pub fn new() -> Self {
        let start = Self {
            environment: Vec::new(),
            registry: ak_bins::registry().expect("the product's kinds fit together"),
            place: None,
            password_floor: Duration::ZERO,
            dns: ak_bins::system_dns(),
            ticking: false,
        };
        start
            .with("AUTHENTIK_SECRET_KEY", SECRET_KEY)
            .with("AUTHENTIK_BOOTSTRAP_PASSWORD", PASSWORD)
            .with("AUTHENTIK_BOOTSTRAP_TOKEN", TOKEN)
            .with("AUTHENTIK_LISTEN__HTTP", "127.0.0.1:0")
            .with("AUTHENTIK_LISTEN__HTTPS", "127.0.0.1:0")
            .with("AUTHENTIK_LISTEN__METRICS", "none")
    }

    /// With this environment variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(n, _)| n != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without this environment variable.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.environment.retain(|(n, _)| n != name);
        self
    }

    /// With these kinds.
    #[must_use]
    pub fn kinds(mut self, registry: Arc<Registry>) -> Self {
        self.registry = registry;
        self
    }

    /// With the database of another server, which has ended or runs on.
    #[must_use]
    pub fn on(mut self, place: &Arc<Place>) -> Self {
        self.place = Some(place.clone());
        self
    }

    /// With a floor under the time that wrong passwords take.
    #[must_use]
    pub fn floor(mut self, floor: Duration) -> Self {
        self.password_floor = floor;
        self
    }

    /// With another resolver of names.
    #[must_use]
    pub fn dns(mut self, dns: Arc<dyn Dns>) -> Self {
        self.dns = dns;
        self
    }

    /// With limits of time that run out: what the product measures passes, while its date stands still as ever.
    #[must_use]
    pub fn ticking(mut self) -> Self {
        self.ticking = true;
        self
    }

    /// The settings, and the database they point to.
    pub fn settings(&self) -> (Settings, Arc<Place>) {
        let place = self.place.clone().unwrap_or_else(|| Arc::new(Place::new("ak.sqlite")));
        let path = ("AUTHENTIK_SQLITE__PATH", place.file().display().to_string());
        let where_it_is = place.environment().into_iter().chain([path]).map(|(name, value)| (name.to_owned(), value));
        // What a test says itself stands over it.
        let environment = where_it_is.chain(self.environment.clone());
        (load_from(environment, None).expect("the settings of a test are right").settings, place)
    }

    /// Starts it.
    pub async fn start(self) -> Server {
        crate::install_crypto_provider();
        let (settings, place) = self.settings();
        let start: DateTime<Utc> = "2026-11-01T12:00:00Z".parse().expect("a date");
        let clock = Arc::new(ManualClock::new(start));
        let wiring = Wiring {
            clock: if self.ticking { Arc::new(Ticking(clock.clone())) } else { clock.clone() },
            rng: Arc::new(SystemRng),
            password_cost: Cost::cheap_for_tests(),
            password_floor: self.password_floor,
            registry: self.registry,
            zone: ak_bins::zone(self.environment).expect("the time zone of a test exists"),
            dns: self.dns,
        };
        let product = Product::open(&settings, &wiring).await.expect("the product opens");
        let bound = product.bind(&settings).expect("its sockets open");
        let url = format!("http://{}", bound.http_address().expect("an address"));
        let https_url = bound.https_address().map(|a| format!("https://{a}")).unwrap_or_default();
        let metrics_url = bound.metrics_address().map(|a| format!("http://{a}")).unwrap_or_default();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(async move {
            // The sender goes with the server.
            let served = bound.serve(async move { drop(stopped.await) }).await;
            served.expect("the server serves");
        });
        let Product { store, app, outbound, .. } = product;
        Server { url, https_url, metrics_url, store, app, outbound, clock, place, stop: Some(stop), running: Some(running) }
    }
}

impl Server {
    /// The server that [`Start::new`] describes.
    pub async fn start() -> Self {
        Start::new().start().await
    }

    /// A browser without cookies.
    pub fn client(&self) -> Client {
        Client::new(&self.url)
    }

    /// A client of the API with the administrator's token.
    pub fn admin(&self) -> Client {
        self.client().header("authorization", &format!("Bearer {TOKEN}"))
    }

    /// A browser in which `username` has signed in.
    pub async fn signed_in(&self, username: &str) -> Client {
        let client = self.client();
        let done = client.login(username, PASSWORD).await;
        assert_eq!(done.body["component"], "xak-flow-redirect", "{username} signs in: {}", done.body);
        client
    }

    /// An active account with [`PASSWORD`].
    pub async fn user(&self, username: &str) -> User {
        let hash = self.app.hasher().hash(PASSWORD).await.expect("a hash");
        self.user_with_hash(username, Some(hash)).await
    }

    /// An active account with this stored hash.
    pub async fn user_with_hash(&self, username: &str, hash: Option<String>) -> User {
        let mut repo = self.store.backend().begin(Durability::Relaxed).await.expect("a transaction");
        let new = NewUser {
            password: hash,
            email: format!("{username}@example.com"),
            ..NewUser::internal(self.store.rng().uuid(), username)
        };
        let user = repo.users().add(new, self.now()).await.expect("a new account");
        repo.save().await.expect("saved");
        user
    }

    /// A group with these members.
    pub async fn group(&self, name: &str, members: &[&User]) -> Group {
        let group = Group::named(self.store.rng().uuid(), name, self.now());
        let mut repo = self.store.backend().begin(Durability::Relaxed).await.expect("a transaction");
        repo.groups().add(&group).await.expect("a new group");
        for member in members {
            repo.groups().add_member(group.pk, member.pk).await.expect("a new member");
        }
        repo.save().await.expect("saved");
        group
    }

    /// A key of an account.
    pub async fn key(&self, user: i64, intent: TokenIntent, lifetime: Option<chrono::Duration>) -> String {
        let mut repo = self.store.backend().begin(Durability::Full).await.expect("a transaction");
        let identifier = self.store.rng().hex_id();
        let new = NewKey { identifier: &identifier, user, intent, description: "", lifetime };
        let key = issue(&self.store, &mut *repo, &new, None).await.expect("a key");
        repo.save().await.expect("saved");
        key
    }

    /// The time that the product sees.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Stops it; connections under way may end.
    pub fn stop(&mut self) {
        self.stop.take();
    }

    /// Waits until it has stopped: no request is under way any more.
    pub async fn stopped(&mut self) {
        self.stop();
        if let Some(running) = self.running.take() {
            running.await.expect("the server ends well");
        }
    }

    /// What the first start is given, for tests that call it themselves.
    pub fn bootstrap() -> Bootstrap {
        Bootstrap { password: Some(PASSWORD.to_owned()), token: Some(TOKEN.to_owned()), ..Bootstrap::default() }
    }
}

/// A client that keeps cookies and follows nothing by itself.
#[derive(Clone)]
pub struct Client {
    url: String,
    headers: HeaderMap,
    cookies: Arc<reqwest::cookie::Jar>,
    http: reqwest::Client,
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
    /// The body as JSON; null where it is none.
    pub body: Value,
}

impl Reply {
    /// The value of a header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// The cookies that it sets, as they stand in the headers.
    pub fn cookies(&self) -> Vec<String> {
        self.headers.get_all("set-cookie").iter().filter_map(|v| v.to_str().ok()).map(str::to_owned).collect()
    }

    /// Where it leads.
    pub fn location(&self) -> &str {
        self.header("location")
    }

    /// The value of a hidden input of its page.
    pub fn hidden(&self, name: &str) -> String {
        let marker = format!("name=\"{name}\"");
        let input = self.text.split("<input").find(|i| i.split('>').next().is_some_and(|tag| tag.contains(&marker)));
        let value = input.and_then(|i| i.split("value=\"").nth(1)).and_then(|v| v.split('"').next());
        value.unwrap_or_else(|| panic!("no hidden input {name} in {}", self.text)).to_owned()
    }
}

impl Client {
    /// A client of this server.
    pub fn new(url: &str) -> Self {
        crate::install_crypto_provider();
        let cookies = Arc::new(reqwest::cookie::Jar::default());
        let http = reqwest::Client::builder()
            .cookie_provider(cookies.clone())
            .redirect(reqwest::redirect::Policy::none())
            .danger_accept_invalid_certs(true)
            .build()
            .expect("an HTTP client");
        Self { url: url.to_owned(), headers: HeaderMap::new(), cookies, http }
    }

    /// The same client with a header on every request.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header's name");
        self.headers.insert(name, HeaderValue::from_str(value).expect("a header's value"));
        self
    }

    /// The cookies that it would send, as `name=value; …`.
    pub fn cookie_header(&self) -> String {
        use reqwest::cookie::CookieStore as _;
        let url = self.url.parse().expect("a URL");
        self.cookies.cookies(&url).and_then(|v| v.to_str().ok().map(str::to_owned)).unwrap_or_default()
    }

    /// The value of a cookie that it would send.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookie_header().split("; ").find_map(|c| c.strip_prefix(&format!("{name}=")).map(str::to_owned))
    }

    /// Sends a request as it is.
    pub async fn send(&self, build: impl FnOnce(&reqwest::Client, String) -> reqwest::RequestBuilder, path: &str) -> Reply {
        let response =
            build(&self.http, format!("{}{path}", self.url)).headers(self.headers.clone()).send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a body");
        let body = serde_json::from_str(&text).unwrap_or_default();
        Reply { status, headers, text, body }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(|http, url| http.get(url), path).await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(|http, url| http.post(url).json(body), path).await
    }

    /// PUT of JSON.
    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        self.send(|http, url| http.put(url).json(body), path).await
    }

    /// PATCH of JSON.
    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        self.send(|http, url| http.patch(url).json(body), path).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Reply {
        self.send(|http, url| http.delete(url), path).await
    }

    /// POST of a form.
    pub async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        self.send(|http, url| http.post(url).form(fields), path).await
    }

    /// GET, and on to where redirects lead (on this server, ten at the most).
    pub async fn follow(&self, path: &str) -> Reply {
        let mut reply = self.get(path).await;
        for _ in 0..10 {
            if !(300..400).contains(&reply.status) {
                return reply;
            }
            let to = reply.location().to_owned();
            reply = self.get(&to).await;
        }
        panic!("more than ten redirects from {path}");
    }

    /// POST of an answer to an executor, and on to where it leads.
    pub async fn answer(&self, path: &str, body: &Value) -> Reply {
        let reply = self.post(path, body).await;
        if (300..400).contains(&reply.status) { self.follow(reply.location()).await } else { reply }
    }

    /// Fills in the form of a page and sends it to where the page says, with its hidden inputs.
    pub async fn submit(&self, page: &Reply, fields: &[(&str, &str)]) -> Reply {
        let action = page.text.split("action=\"").nth(1).and_then(|a| a.split('"').next()).expect("a form");
        let action = action.replace("&amp;", "&").replace("&#x2f;", "/").replace("&#x3d;", "=");
        let (csrf, turn, component) = (page.hidden("csrf"), page.hidden("turn"), page.hidden("component"));
        let mut all = vec![("csrf", csrf.as_str()), ("turn", &turn), ("component", &component)];
        all.extend(fields);
        self.form(&action, &all).await
    }

    /// Signs in through the JSON executor; the last answer.
    pub async fn login(&self, username: &str, password: &str) -> Reply {
        let path = format!("{LOGIN}?query=");
        self.follow(&path).await;
        self.answer(&path, &json!({ "component": "ak-stage-identification", "uid_field": username })).await;
        self.answer(&path, &json!({ "component": "ak-stage-password", "password": password })).await
    }
}
