//! Scenario S3: the first person sets an installation up, once.

use ak_flows::initial_setup;
use ak_tests::server::{Client, PASSWORD, Reply, Server, Start};
use serde_json::{Value, json};

const SETUP: &str = "/if/flow/initial-setup/";
const EXECUTOR: &str = "/api/v3/flows/executor/initial-setup/";
const CHOSEN: [(&str, &str); 3] =
    [("email", "ada@example.com"), ("password", "a good long secret"), ("password_repeat", "a good long secret")];

async fn fresh() -> Server {
    Start::new().without("AUTHENTIK_BOOTSTRAP_PASSWORD").start().await
}

/// A browser far away, behind a proxy that is trusted.
fn far(server: &Server) -> Client {
    server.client().header("x-forwarded-for", "203.0.113.7")
}

async fn is_gone(server: &Server) -> bool {
    let (page, api) = (server.client().get(SETUP).await, server.client().get(&format!("{EXECUTOR}?query=")).await);
    let front = server.client().get("/").await;
    (page.status, api.status) == (404, 404) && front.location().contains("/authentication/")
}

fn asks_for(page: &Reply, field: &str) -> bool {
    page.text.contains(&format!("name=\"{field}\""))
}

/// Follows a link or an answer to the page that it leads to.
async fn on(client: &Client, reply: Reply) -> Reply {
    if reply.status == 303 { client.follow(reply.location()).await } else { reply }
}

#[tokio::test]
async fn the_start_leads_to_the_set_up_and_then_never_again_here_there_or_after_a_restart() {
    let mut server = fresh().await;
    let other = Start::new().without("AUTHENTIK_BOOTSTRAP_PASSWORD").on(&server.place).start().await;
    let client = server.client();
    assert_eq!(client.get("/").await.location(), SETUP);
    assert_eq!(other.client().get("/").await.location(), SETUP);
    let page = client.follow("/").await;
    assert!(asks_for(&page, "password") && page.text.contains("akadmin"), "{}", page.text);
    let wrong = client.submit(&page, &[("email", "ada@example.com"), ("password", "a"), ("password_repeat", "b")]).await;
    assert!(wrong.text.contains("Passwords don&#39;t match.") && wrong.text.contains("ada@example.com"), "{}", wrong.text);
    let done = client.submit(&wrong, &CHOSEN).await;
    assert_eq!((done.status, done.location()), (303, "/"));
    let home = client.follow("/").await;
    assert!(home.text.contains("akadmin") && home.text.contains("ada@example.com"), "{}", home.text);
    assert!(is_gone(&server).await && is_gone(&other).await);
    let signed_in = server.client().login("akadmin", "a good long secret").await;
    assert_eq!(signed_in.body["component"], "xak-flow-redirect", "{}", signed_in.text);
    server.stopped().await;
    let again = Start::new().without("AUTHENTIK_BOOTSTRAP_PASSWORD").on(&server.place).start().await;
    assert!(is_gone(&again).await);
    assert_eq!(initial_setup::offer(&again.store).await.unwrap(), None);
}

#[tokio::test]
async fn with_a_password_from_the_environment_there_is_no_set_up() {
    assert!(is_gone(&Server::start().await).await);
}

#[tokio::test]
async fn from_far_away_the_page_asks_for_the_code_of_the_log() {
    let server = fresh().await;
    let code = initial_setup::offer(&server.store).await.unwrap().unwrap();
    let client = far(&server);
    let page = client.follow("/").await;
    assert!(asks_for(&page, "code") && !asks_for(&page, "password"), "{}", page.text);
    // What is not asked for is not taken.
    let page = client.submit(&page, &CHOSEN).await;
    assert!(asks_for(&page, "code") && page.text.contains("may not be blank"), "{}", page.text);
    let page = client.submit(&page, &[("code", "guessed")]).await;
    assert!(page.text.contains("not the code"), "{}", page.text);
    let sent = client.submit(&page, &[("code", &code)]).await;
    let page = on(&client, sent).await;
    assert!(asks_for(&page, "password"), "{}", page.text);
    assert_eq!(client.submit(&page, &CHOSEN).await.location(), "/");
    assert!(client.follow("/").await.text.contains("ada@example.com"));
}

#[tokio::test]
async fn the_address_of_the_log_opens_the_form_from_far_away() {
    let server = fresh().await;
    let code = initial_setup::offer(&server.store).await.unwrap().unwrap();
    let client = far(&server);
    let page = client.get(&format!("{SETUP}?code={code}")).await;
    assert!(asks_for(&page, "password"), "{}", page.text);
    assert_eq!(client.submit(&page, &CHOSEN).await.location(), "/");
    assert!(client.follow("/").await.text.contains("ada@example.com"));
}

#[tokio::test]
async fn an_address_that_the_client_claims_does_not_make_it_local() {
    let server = Start::new()
        .without("AUTHENTIK_BOOTSTRAP_PASSWORD")
        .with("AUTHENTIK_LISTEN__TRUSTED_PROXY_CIDRS", "127.0.0.0/8")
        .start()
        .await;
    let client = server.client().header("x-forwarded-for", "127.0.0.1, 203.0.113.7");
    assert!(asks_for(&client.follow("/").await, "code"));
}

#[tokio::test]
async fn what_a_proxy_beside_the_server_passes_on_is_not_local() {
    let server = fresh().await;
    for (name, value) in [
        // Written by the client, and passed on; or not readable; or a proxy that says nothing but who it is.
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-for", "x"),
        ("x-real-ip", "203.0.113.7"),
        ("forwarded", "for=127.0.0.1"),
        ("via", "1.1 proxy"),
        // A name that somebody else has pointed here, and one by which a proxy was asked.
        ("host", "evil.example"),
        ("host", "id.example.org:9000"),
        ("host", "localhost.evil.example"),
    ] {
        let page = server.client().header(name, value).get("/if/flow/initial-setup/").await;
        assert!(asks_for(&page, "code") && !asks_for(&page, "password"), "{name}: {value}: {}", page.text);
    }
    let page = server.client().get("/if/flow/initial-setup/").await;
    assert!(asks_for(&page, "password"), "{}", page.text);
}

#[tokio::test]
async fn programs_set_an_installation_up_too() {
    let server = fresh().await;
    let code = initial_setup::offer(&server.store).await.unwrap().unwrap();
    let client = far(&server);
    let fields = |body: &Value| body["fields"].as_array().unwrap().iter().map(|f| f["field_key"].clone()).collect::<Vec<_>>();
    let path = format!("{EXECUTOR}?query=");
    let asked = client.get(&path).await;
    ak_tests::contract::contract().assert_exact("PromptChallenge", &asked.body);
    assert_eq!((asked.body["component"].as_str(), fields(&asked.body)[1].as_str()), (Some("ak-stage-prompt"), Some("code")));
    let asked = client.answer(&path, &json!({ "component": "ak-stage-prompt", "code": code })).await;
    ak_tests::contract::contract().assert_exact("PromptChallenge", &asked.body);
    assert_eq!(fields(&asked.body), ["header", "username", "email", "password", "password_repeat"]);
    let chosen =
        json!({ "component": "ak-stage-prompt", "email": "ada@example.com", "password": PASSWORD, "password_repeat": PASSWORD });
    let done = client.answer(&path, &chosen).await;
    assert_eq!((done.body["component"].as_str(), done.body["to"].as_str()), (Some("xak-flow-redirect"), Some("/")));
    assert_eq!(client.get("/api/v3/core/users/me/").await.body["user"]["email"], "ada@example.com");
    assert!(is_gone(&server).await);
}

#[tokio::test]
async fn of_two_browsers_at_once_one_wins_and_the_other_is_told() {
    let server = fresh().await;
    let (one, two) = (server.client(), server.client());
    let (first, second) = (one.follow("/").await, two.follow("/").await);
    let (a, b) = tokio::join!(one.submit(&first, &CHOSEN), two.submit(&second, &CHOSEN));
    let mut status = [a.status, b.status];
    status.sort_unstable();
    // Told that it is over, or (the other was much faster) that there is nothing here any more.
    assert!(status == [303, 403] || status == [303, 404], "{status:?}");
    let loser = if a.status == 303 { &b } else { &a };
    assert!(loser.text.contains("has been set up meanwhile") || loser.status == 404, "{}", loser.text);
    let (one, two) = (one.get("/if/user/").await.status, two.get("/if/user/").await.status);
    assert_eq!([one, two].iter().filter(|status| **status == 200).count(), 1, "one has signed in");
}
