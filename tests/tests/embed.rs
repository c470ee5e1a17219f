//! Another program with ak inside, over a real socket: the example that documents it.

#[path = "../../ak-http/examples/embed.rs"]
#[expect(dead_code, reason = "the example's own start is not called")]
mod embed;

use ak_http::App;
use ak_store::records::{Durability, NewUser};
use ak_tests::server::{Client, LOGIN, Reply};
use serde_json::json;
use tokio::net::TcpListener;

const PASSWORD: &str = "a password of the example";

/// The program on a port of its own.
struct Program {
    url: String,
    app: App,
}

impl Program {
    async fn start(password: &str) -> Self {
        ak_tests::install_crypto_provider();
        let app = embed::open(password).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = app.clone();
        tokio::spawn(async move { embed::serve(listener, &served).await });
        Self { url, app }
    }

    fn client(&self) -> Client {
        Client::new(&self.url)
    }

    /// An account outside the group.
    async fn guest(&self) {
        let hash = self.app.hasher().hash(PASSWORD).await.unwrap();
        let store = self.app.store();
        let mut repo = store.backend().begin(Durability::Relaxed).await.unwrap();
        let guest = NewUser { password: Some(hash), ..NewUser::internal(store.rng().uuid(), "guest") };
        repo.users().add(guest, store.clock().now()).await.unwrap();
        repo.save().await.unwrap();
    }
}

/// Goes to the staff page by plain forms up to the house rules, whose page it gives.
async fn to_the_rules(client: &Client, username: &str, password: &str) -> Reply {
    let page = client.follow("/staff?from=mail").await;
    assert_eq!(page.status, 200, "{}", page.text);
    let sent = client.submit(&page, &[("uid_field", username)]).await;
    let page = client.follow(sent.location()).await;
    let sent = client.submit(&page, &[("password", password)]).await;
    client.follow(sent.location()).await
}

#[tokio::test]
async fn a_member_is_led_to_sign_in_accepts_the_rules_and_comes_back() {
    let program = Program::start(PASSWORD).await;
    let client = program.client();
    let away = client.get("/staff?from=mail").await;
    assert_eq!((away.status, away.location()), (303, "/flows/-/default/authentication/?next=%2Fstaff%3Ffrom%3Dmail"));
    let rules = to_the_rules(&client, "akadmin", PASSWORD).await;
    assert_eq!(rules.hidden("component"), "acme-stage-house-rules");
    assert!(rules.text.contains("<h1>House rules</h1>") && rules.text.contains("<li>Feed the cat.</li>"), "{}", rules.text);
    assert_eq!(client.get("/staff").await.status, 303, "she has not signed in before she accepts");

    let unsure = client.submit(&rules, &[]).await;
    assert!(unsure.text.contains("Please choose."), "{}", unsure.text);
    let back = client.submit(&unsure, &[("accept", "true")]).await;
    assert_eq!((back.status, back.location()), (303, "/staff?from=mail"));
    let staff = client.get("/staff?from=mail").await;
    assert_eq!(staff.status, 200);
    assert!(staff.text.contains("Hello, akadmin. You are in: authentik Admins, staff."), "{}", staff.text);
    assert_eq!(staff.header("cache-control"), "no-store");
}

#[tokio::test]
async fn who_declines_the_rules_is_refused_and_stays_outside() {
    let program = Program::start(PASSWORD).await;
    let client = program.client();
    let rules = to_the_rules(&client, "akadmin", PASSWORD).await;
    let refused = client.submit(&rules, &[("accept", "false")]).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text.contains("without accepting the house rules"), "{}", refused.text);
    assert_eq!(client.get("/staff").await.status, 303);
}

#[tokio::test]
async fn who_is_not_in_the_group_gets_a_page_that_says_so() {
    let program = Program::start(PASSWORD).await;
    program.guest().await;
    let client = program.client();
    let rules = to_the_rules(&client, "guest", PASSWORD).await;
    let back = client.submit(&rules, &[("accept", "true")]).await;
    let page = client.get(back.location()).await;
    assert_eq!((page.status, page.header("content-type")), (403, "text/html; charset=utf-8"));
    assert!(page.text.contains("Access denied") && !page.text.contains("Staff only"), "{}", page.text);
}

#[tokio::test]
async fn programs_that_speak_json_meet_the_same_stage_and_the_api_knows_its_kind() {
    let program = Program::start(PASSWORD).await;
    let client = program.client();
    let executor = format!("{LOGIN}?query=");
    let rules = client.login("akadmin", PASSWORD).await;
    assert_eq!(rules.body["component"], "acme-stage-house-rules", "{}", rules.body);
    assert_eq!(rules.body["rules"][0], "Feed the cat.");
    let unsure = client.answer(&executor, &json!({ "component": "acme-stage-house-rules" })).await;
    assert_eq!(unsure.body["response_errors"]["non_field_errors"][0]["code"], "required", "{}", unsure.body);
    let done = client.answer(&executor, &json!({ "component": "acme-stage-house-rules", "accept": true })).await;
    assert_eq!(done.body["component"], "xak-flow-redirect", "{}", done.body);

    let stages = client.get("/api/v3/stages/house_rules/").await;
    assert_eq!(stages.body["results"][0]["component"], "acme-stage-house-rules-form", "{}", stages.text);
    let all = client.get("/api/v3/stages/all/?search=house").await;
    assert_eq!(all.body["results"][0]["meta_model_name"], "acme.houserulesstage", "{}", all.text);
}

#[tokio::test]
async fn two_programs_in_one_process_know_nothing_of_each_other() {
    let (one, other) = tokio::join!(Program::start("password of one"), Program::start("password of the other"));
    one.guest().await;
    let client = one.client();
    let rules = to_the_rules(&client, "akadmin", "password of one").await;
    client.submit(&rules, &[("accept", "true")]).await;
    assert_eq!(client.get("/staff").await.status, 200);

    let stranger = other.client().header("cookie", &client.cookie_header());
    assert_eq!(stranger.get("/staff").await.status, 303, "a session counts only where it began");
    let wrong = to_the_rules(&other.client(), "akadmin", "password of one").await;
    assert_eq!(wrong.hidden("component"), "ak-stage-password", "a password is one program's");
    let right = to_the_rules(&other.client(), "akadmin", "password of the other").await;
    assert_eq!(right.hidden("component"), "acme-stage-house-rules");
    let mut there = other.app.store().read().await.unwrap();
    assert!(there.users().find_by_username("guest").await.unwrap().is_none());
}
