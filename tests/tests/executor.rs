//! Flows over JSON: what the executor takes, what it gives, and what it leaves behind. Every answer is checked against the contract.

use ak_tests::contract::contract;
use ak_tests::server::{Client, LOGIN, PASSWORD, Reply, SECRET_KEY, Server};
use serde_json::{Value, json};
use sha2::Digest as _;

/// A client of one executor that lets no answer pass that the contract does not know.
struct Executor {
    client: Client,
    path: String,
}

impl Executor {
    fn new(client: Client, slug: &str) -> Self {
        Self { client, path: format!("/api/v3/flows/executor/{slug}/?query=") }
    }

    fn login(client: Client) -> Self {
        Self::new(client, "default-authentication-flow")
    }

    fn on_to(self, next: &str) -> Self {
        let inner: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
        let outer: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("query", &inner).finish();
        Self { path: format!("{}{outer}", self.path.trim_end_matches("query=")), ..self }
    }

    async fn look(&self) -> Value {
        let reply = checked(self.client.get(&self.path).await);
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.body
    }

    /// An answer, without going on to where it leads.
    async fn post(&self, answer: &Value) -> Reply {
        checked(self.client.post(&self.path, answer).await)
    }

    /// A body as it is.
    async fn raw(&self, kind: &str, body: impl Into<Vec<u8>>) -> Reply {
        let body = body.into();
        let send = |http: &reqwest::Client, url| http.post(url).header("content-type", kind).body(body);
        checked(self.client.send(send, &self.path).await)
    }

    async fn answer(&self, answer: &Value) -> Value {
        let reply = checked(self.client.answer(&self.path, answer).await);
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.body
    }

    async fn identify(&self, name: &str) -> Value {
        self.answer(&json!({ "component": "ak-stage-identification", "uid_field": name })).await
    }

    async fn password(&self, password: &str) -> Value {
        self.answer(&json!({ "component": "ak-stage-password", "password": password })).await
    }
}

#[track_caller]
fn checked(reply: Reply) -> Reply {
    match reply.status {
        200 => contract().assert_valid("ChallengeTypes", &reply.body),
        302 => assert!(reply.location().starts_with("/api/v3/flows/executor/") && reply.text.is_empty(), "{reply:?}"),
        _ => contract().assert_exact("GenericError", &reply.body),
    }
    reply
}

/// The claims of the session cookie that an answer sets.
fn claims(cookie: &str) -> Value {
    let key = hex::encode(sha2::Sha512::digest(SECRET_KEY));
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    rules.required_spec_claims.clear();
    rules.validate_exp = false;
    let key = jsonwebtoken::DecodingKey::from_secret(key.as_bytes());
    jsonwebtoken::decode::<Value>(cookie, &key, &rules).expect("a cookie that the installation signed").claims
}

fn set_cookie(reply: &Reply, name: &str) -> Option<String> {
    reply.cookies().into_iter().find(|c| c.starts_with(&format!("{name}=")))
}

fn value(cookie: &str) -> &str {
    cookie.split(['=', ';']).nth(1).expect("a value")
}

#[tokio::test]
async fn a_taken_answer_leads_to_the_same_address_and_the_last_one_is_answered_at_once() {
    let server = Server::start().await;
    let flow = Executor::login(server.client()).on_to("/if/user/?a=b");
    assert_eq!(flow.look().await["component"], "ak-stage-identification");
    let first = flow.post(&json!({ "component": "ak-stage-identification", "uid_field": "akadmin" })).await;
    assert_eq!((first.status, first.location()), (302, flow.path.as_str()));
    assert_eq!(flow.look().await["component"], "ak-stage-password");
    let last = flow.post(&json!({ "component": "ak-stage-password", "password": PASSWORD })).await;
    assert_eq!((last.status, &last.body["to"]), (200, &json!("/if/user/?a=b")), "{}", last.text);
    assert_eq!(last.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_client_that_follows_redirects_by_itself_signs_in() {
    let server = Server::start().await;
    ak_tests::install_crypto_provider();
    let curl = reqwest::Client::builder().cookie_store(true).build().unwrap();
    let mut last = Value::Null;
    for answer in [json!({ "uid_field": "akadmin" }), json!({ "password": PASSWORD })] {
        let reply = curl.post(format!("{}{LOGIN}", server.url)).json(&answer).send().await.unwrap();
        last = reply.json().await.unwrap();
        contract().assert_valid("ChallengeTypes", &last);
    }
    assert_eq!(last["component"], "xak-flow-redirect", "{last}");
}

#[tokio::test]
async fn the_way_on_never_leaves_the_server() {
    let server = Server::start().await;
    server.user("ada").await;
    for next in [
        "//evil.example/",
        "/\\evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "/\t/evil.example",
        "@evil.example",
    ] {
        let flow = Executor::login(server.client()).on_to(next);
        flow.identify("ada").await;
        assert_eq!(flow.password(PASSWORD).await["to"], "/", "{next}");
    }
}

#[tokio::test]
async fn an_answer_sent_twice_is_taken_once() {
    let server = Server::start().await;
    let flow = Executor::login(server.client());
    assert_eq!(flow.identify("akadmin").await["component"], "ak-stage-password");
    let again = flow.identify("somebody-else").await;
    assert_eq!((&again["component"], &again["pending_user"]), (&json!("ak-stage-password"), &json!("akadmin")));
    assert_eq!(flow.password(PASSWORD).await["component"], "xak-flow-redirect");
}

#[tokio::test]
async fn a_stale_component_changes_nothing() {
    let server = Server::start().await;
    let flow = Executor::login(server.client());
    let shown = flow.answer(&json!({ "component": "ak-stage-password", "password": PASSWORD })).await;
    assert_eq!(shown["component"], "ak-stage-identification");
    assert!(server.events("login_failed").await.is_empty(), "no password was looked at");
}

#[tokio::test]
async fn of_two_answers_at_once_one_is_taken() {
    let server = Server::start().await;
    let flow = Executor::login(server.client());
    flow.identify("akadmin").await;
    let answer = json!({ "component": "ak-stage-password", "password": PASSWORD });
    let (one, two) = tokio::join!(flow.post(&answer), flow.post(&answer));
    let done = [&one, &two].into_iter().filter(|r| r.body["component"] == "xak-flow-redirect").count();
    assert!(done >= 1, "{} {}", one.text, two.text);
    assert_eq!(server.events("login").await.len(), 1);
    assert_eq!(server.rows().await.0, 1, "one session");
}

#[tokio::test]
async fn only_json_is_taken() {
    let server = Server::start().await;
    let flow = Executor::login(server.client());
    let before = server.rows().await;
    let body = r#"{"uid_field":"akadmin"}"#;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx", ""] {
        assert_eq!(flow.raw(kind, body).await.status, 415, "{kind}");
    }
    assert_eq!(server.rows().await, before);
    assert_eq!(flow.raw("Application/JSON; charset=utf-8", body).await.status, 302);
}

#[tokio::test]
async fn what_is_no_answer_is_a_400_and_leaves_nothing_behind() {
    let server = Server::start().await;
    let flow = Executor::login(server.client());
    let before = server.rows().await;
    let deep = format!("{{\"uid_field\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let bodies: [&[u8]; 9] =
        [b"", b"[]", b"\"text\"", b"7", b"null", b"{", b"{\"uid_field\":\"\xff\"}", b"{\"component\":7}", deep.as_bytes()];
    for body in bodies {
        let reply = flow.raw("application/json", body).await;
        assert_eq!(reply.status, 400, "{:?}: {}", &body[..body.len().min(20)], reply.text);
    }
    assert_eq!(server.rows().await, before);
}

#[tokio::test]
async fn values_of_the_wrong_type_are_told_at_their_field() {
    let server = Server::start().await;
    let flow = Executor::login(server.client());
    for value in [json!(7), json!(null), json!({}), json!(["akadmin"]), json!(true), json!(""), json!("x".repeat(900_000))] {
        let shown = flow.answer(&json!({ "uid_field": value })).await;
        assert_eq!(shown["component"], "ak-stage-identification");
        let error = &shown["response_errors"]["uid_field"][0];
        assert!(error["string"].is_string() && error["code"].is_string(), "{shown}");
    }
    let shown = flow.answer(&json!({})).await;
    assert!(shown["response_errors"]["uid_field"][0]["code"].is_string(), "{shown}");
}

#[tokio::test]
async fn odd_texts_name_nobody_and_open_nothing() {
    let server = Server::start().await;
    for name in ["akadmin\0", "\0", "ak\u{202e}admin", "' OR 1=1 --", "*", "%"] {
        let flow = Executor::login(server.client());
        let shown = flow.identify(name).await;
        if shown["component"] == "ak-stage-password" {
            assert_eq!(flow.password(PASSWORD).await["component"], "ak-stage-password", "{name:?}");
        }
    }
    let flow = Executor::login(server.client());
    flow.identify("akadmin").await;
    for password in ["x".repeat(4097), "x".repeat(900_000), "\0".into(), format!("{PASSWORD}\0")] {
        assert!(!flow.password(&password).await["response_errors"]["password"].is_null());
    }
}

#[tokio::test]
async fn a_body_of_ten_megabytes_is_refused() {
    let server = Server::start().await;
    let body = format!(r#"{{"uid_field":"{}"}}"#, "x".repeat(10_000_000));
    assert_eq!(Executor::login(server.client()).raw("application/json", body).await.status, 413);
}

#[tokio::test]
async fn an_unknown_flow_is_a_404_in_the_shape_of_the_api() {
    let server = Server::start().await;
    let flow = Executor::new(server.client(), "no-such-flow");
    assert_eq!(checked(server.client().get(&flow.path).await).status, 404);
    assert_eq!(flow.post(&json!({ "uid_field": "x" })).await.body["detail"], "No Flow matches the given query.");
    for odd in ["%ff", "..%2f..", "a%00b", &"x".repeat(5000)] {
        assert_eq!(checked(server.client().get(&format!("/api/v3/flows/executor/{odd}/")).await).status, 404, "{odd}");
    }
}

#[tokio::test]
async fn another_site_is_refused() {
    let server = Server::start().await;
    let before = server.rows().await;
    let foreign = [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1:1"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ];
    for (name, value) in foreign {
        let flow = Executor::login(server.client().header(name, value));
        assert_eq!(flow.post(&json!({ "uid_field": "akadmin" })).await.status, 403, "{name}: {value}");
        assert_eq!(checked(flow.client.get(&flow.path).await).status, 403, "{name}: {value}");
    }
    assert_eq!(server.rows().await, before);
    let own = Executor::login(server.client().header("origin", &server.url));
    assert_eq!(own.post(&json!({ "uid_field": "akadmin" })).await.status, 302);
}

#[tokio::test]
async fn a_stage_that_fails_is_told_with_the_id_of_the_request_and_only_administrators_are_told_why() {
    let server = Server::start().await;
    let stage = server.make("stages/dummy", &json!({ "name": "broken-stage", "throw_error": true })).await;
    server.flow("broken", "stage_configuration", &[&stage]).await;
    server.user("ada").await;
    for client in [server.client(), server.signed_in("ada").await] {
        let reply = checked(client.get("/api/v3/flows/executor/broken/").await);
        assert_eq!(
            (&reply.body["component"], &reply.body["request_id"]),
            (&json!("ak-stage-flow-error"), &json!(reply.header("x-authentik-id")))
        );
        assert!(!reply.text.contains("broken-stage"), "{}", reply.text);
    }
    let shown = Executor::new(server.signed_in("akadmin").await, "broken").look().await;
    assert!(shown["error"].as_str().unwrap().contains("broken-stage"), "{shown}");
}

#[tokio::test]
async fn a_stage_that_denies_says_so_and_ends_the_flow() {
    let server = Server::start().await;
    let stage = server.make("stages/deny", &json!({ "name": "no", "deny_message": "Not today." })).await;
    server.flow("denied", "stage_configuration", &[&stage]).await;
    let shown = Executor::new(server.client(), "denied").look().await;
    assert_eq!((&shown["component"], &shown["error_message"]), (&json!("ak-stage-access-denied"), &json!("Not today.")));
}

#[tokio::test]
async fn a_flow_for_others_is_access_denied() {
    let server = Server::start().await;
    let flow = server.flow("for-admins", "stage_configuration", &[]).await;
    server.change("flows/instances", "for-admins", &json!({ "authentication": "require_superuser" })).await;
    assert_eq!(flow["slug"], "for-admins");
    assert_eq!(Executor::new(server.client(), "for-admins").look().await["component"], "ak-stage-access-denied");
    let admin = Executor::new(server.signed_in("akadmin").await, "for-admins");
    assert_eq!(admin.look().await["component"], "xak-flow-redirect");
}

#[tokio::test]
async fn looking_at_a_flow_leaves_nothing_behind() {
    let server = Server::start().await;
    let before = server.rows().await;
    for _ in 0..3 {
        let reply = checked(server.client().get(LOGIN).await);
        assert!(reply.cookies().is_empty(), "{:?}", reply.cookies());
        assert!(server.client().send(|http, url| http.head(url), LOGIN).await.cookies().is_empty());
    }
    assert_eq!(server.rows().await, before);
}

#[tokio::test]
async fn the_session_cookie_says_who_it_is_and_changes_with_that() {
    let server = Server::start().await;
    let flow = Executor::login(server.client());
    let first = flow.post(&json!({ "uid_field": "akadmin" })).await;
    let anonymous = set_cookie(&first, "authentik_session").unwrap();
    for attribute in ["; Path=/", "; HttpOnly", "; SameSite=Lax"] {
        assert!(anonymous.contains(attribute), "{anonymous}");
    }
    assert!(!anonymous.contains("Secure") && !anonymous.contains("Max-Age") && !anonymous.contains("Domain"), "{anonymous}");
    let before = claims(value(&anonymous));
    assert_eq!(
        (&before["sub"], &before["authenticated"], &before["iss"]),
        (&json!("anonymous"), &json!(false), &json!("authentik"))
    );
    let old = flow.client.cookie_header();
    let last = flow.post(&json!({ "password": PASSWORD })).await;
    let after = claims(value(&set_cookie(&last, "authentik_session").unwrap()));
    let me = flow.client.get("/api/v3/core/users/me/").await.body;
    assert_eq!((&after["sub"], &after["authenticated"]), (&me["user"]["uid"], &json!(true)));
    assert_eq!(after["acr"], "goauthentik.io/core/default");
    assert_ne!(before["sid"], after["sid"], "a key known from before is worth nothing");
    let known_before = server.client().header("cookie", &old);
    assert_eq!(known_before.get("/api/v3/core/users/me/").await.status, 403);
    assert_eq!(server.rows().await.0, 1);
}

#[tokio::test]
async fn a_session_lasts_as_long_as_the_stage_says() {
    let server = Server::start().await;
    let stage = server.key_of("stages/user_login", "name=default-authentication-login").await;
    server.change("stages/user_login", &stage, &json!({ "session_duration": "hours=8" })).await;
    let flow = Executor::login(server.client());
    flow.identify("akadmin").await;
    let last = flow.post(&json!({ "password": PASSWORD })).await;
    assert!(set_cookie(&last, "authentik_session").unwrap().contains("; Max-Age=28800"), "{:?}", last.cookies());
    server.clock.advance(chrono::Duration::minutes(479));
    assert_eq!(flow.client.get("/api/v3/core/users/me/").await.status, 200);
    server.clock.advance(chrono::Duration::minutes(1));
    assert_eq!(flow.client.get("/api/v3/core/users/me/").await.status, 403);
}

#[tokio::test]
async fn on_https_the_cookie_is_secure_and_has_a_companion() {
    let server = Server::start().await;
    let flow = Executor::login(server.client().header("x-forwarded-proto", "https"));
    let first = flow.post(&json!({ "uid_field": "akadmin" })).await;
    let session = set_cookie(&first, "authentik_session").unwrap();
    let companion = set_cookie(&first, "__Host-authentik_session").unwrap();
    assert!(session.contains("; Secure") && session.contains("; HttpOnly"), "{session}");
    for attribute in ["; Secure", "; HttpOnly", "; Path=/", "; SameSite=Lax"] {
        assert!(companion.contains(attribute), "{companion}");
    }
    assert!(!companion.contains("Domain"), "{companion}");
    let csrf = set_cookie(&first, "authentik_csrf").unwrap();
    assert!(csrf.contains("; Secure") && !csrf.contains("HttpOnly"), "scripts read it: {csrf}");
}

#[tokio::test]
async fn a_session_that_another_host_has_planted_does_not_count_on_https() {
    let server = Server::start().await;
    server.user("mallory").await;
    let sign_in = async |name: &str| {
        let client = Client::new(&server.https_url);
        client.login(name, PASSWORD).await;
        (client.cookie("authentik_session").unwrap(), client.cookie("__Host-authentik_session").unwrap())
    };
    let ((planted, _), (own, companion)) = (sign_in("mallory").await, sign_in("akadmin").await);
    let me =
        async |cookies: String| Client::new(&server.https_url).header("cookie", &cookies).get("/api/v3/core/users/me/").await;
    let both = format!("authentik_session={planted}; authentik_session={own}; __Host-authentik_session={companion}");
    assert_eq!(me(both).await.body["user"]["username"], "akadmin");
    assert_eq!(me(format!("authentik_session={planted}; __Host-authentik_session={companion}")).await.status, 403);
    assert_eq!(me(format!("authentik_session={own}")).await.status, 403);
}

#[tokio::test]
async fn with_a_cookie_domain_there_is_no_companion() {
    let server = ak_tests::server::Start::new().with("AUTHENTIK_COOKIE_DOMAIN", "example.com").start().await;
    let flow = Executor::login(server.client().header("x-forwarded-proto", "https"));
    let first = flow.post(&json!({ "uid_field": "akadmin" })).await;
    assert!(set_cookie(&first, "authentik_session").unwrap().contains("; Domain=example.com"));
    assert_eq!(set_cookie(&first, "__Host-authentik_session"), None);
}
