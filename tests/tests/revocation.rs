//! What ends an account's access ends it at the very next request, also on another server.

use ak_store::records::{Durability, Repository, TokenIntent, User};
use ak_tests::server::{Client, LOGIN, PASSWORD, Server, Start};
use serde_json::json;

/// Two servers on one database, and Ada with a browser and an API token.
struct Story {
    one: Server,
    two: Server,
    ada: User,
    cookies: String,
    token: String,
}

impl Story {
    async fn begin() -> Self {
        let one = Server::start().await;
        let two = Start::new().on(&one.place).start().await;
        let ada = one.user("ada").await;
        let cookies = one.signed_in("ada").await.cookie_header();
        let token = one.key(ada.pk, TokenIntent::Api, None).await;
        let story = Self { one, two, ada, cookies, token };
        story.browser_counts(true).await;
        story.token_counts(true).await;
        story
    }

    fn servers(&self) -> [&Server; 2] {
        [&self.one, &self.two]
    }

    fn browser(&self, server: &Server) -> Client {
        server.client().header("cookie", &self.cookies)
    }

    async fn browser_counts(&self, counts: bool) {
        for server in self.servers() {
            let client = self.browser(server);
            assert_eq!(client.get("/api/v3/core/users/me/").await.status == 200, counts, "the API");
            assert_eq!(client.get("/if/user/").await.status == 200, counts, "pages");
            let shown = client.get(LOGIN).await.body;
            assert_eq!(shown["component"] == "xak-flow-redirect", counts, "the executor: {shown}");
        }
    }

    async fn token_counts(&self, counts: bool) {
        for server in self.servers() {
            let client = server.client().header("authorization", &format!("Bearer {}", self.token));
            assert_eq!(client.get("/api/v3/core/users/me/").await.status == 200, counts, "the token");
        }
    }

    async fn signing_in_works(&self, password: &str, works: bool) {
        for server in self.servers() {
            let done = server.client().login("ada", password).await.body;
            assert_eq!(done["component"] == "xak-flow-redirect", works, "{done}");
        }
    }

    async fn transaction(&self) -> Box<dyn Repository> {
        self.one.store.backend().begin(Durability::Full).await.unwrap()
    }
}

#[tokio::test]
async fn a_new_password_ends_the_sessions_that_the_old_one_began() {
    let story = Story::begin().await;
    let hash = story.one.app.hasher().hash("another password, longer").await.unwrap();
    let mut repo = story.transaction().await;
    repo.users().set_password(story.ada.pk, Some(&hash), story.one.now()).await.unwrap();
    repo.sessions().delete_of_user(story.ada.pk, None).await.unwrap();
    repo.save().await.unwrap();
    story.browser_counts(false).await;
    story.signing_in_works(PASSWORD, false).await;
    story.signing_in_works("another password, longer", true).await;
}

#[tokio::test]
async fn an_account_that_is_switched_off_is_refused_at_once() {
    let story = Story::begin().await;
    let mut repo = story.transaction().await;
    let off = User { is_active: false, ..story.ada.clone() };
    repo.users().update(&off, story.one.now()).await.unwrap();
    repo.save().await.unwrap();
    story.browser_counts(false).await;
    story.token_counts(false).await;
    story.signing_in_works(PASSWORD, false).await;
}

#[tokio::test]
async fn an_account_that_is_deleted_is_refused_at_once() {
    let story = Story::begin().await;
    let mut unit = story.one.store.begin(Durability::Full).await.unwrap();
    assert!(unit.delete_user(story.ada.pk).await.unwrap());
    unit.save().await.unwrap();
    story.browser_counts(false).await;
    story.token_counts(false).await;
    story.signing_in_works(PASSWORD, false).await;
    let again = story.one.user("ada").await;
    assert_ne!(again.pk, story.ada.pk, "a namesake is somebody else");
    story.browser_counts(false).await;
    story.token_counts(false).await;
}

#[tokio::test]
async fn a_session_that_is_ended_is_refused_at_once_and_others_go_on() {
    let story = Story::begin().await;
    let other = story.two.signed_in("ada").await;
    let browser = story.browser(&story.one);
    browser.follow("/flows/-/default/invalidation/").await;
    story.browser_counts(false).await;
    assert_eq!(other.get("/api/v3/core/users/me/").await.status, 200);
    story.token_counts(true).await;
}

#[tokio::test]
async fn a_token_that_is_deleted_is_refused_at_once() {
    let story = Story::begin().await;
    let mut repo = story.transaction().await;
    let hash = story.one.store.keyring().lookup_hash(&story.token);
    let token = repo.tokens().find_by_hash(&hash, story.one.now()).await.unwrap().unwrap();
    repo.tokens().delete(token.pk).await.unwrap();
    repo.save().await.unwrap();
    story.token_counts(false).await;
    story.browser_counts(true).await;
}

#[tokio::test]
async fn who_is_switched_off_between_two_steps_does_not_get_in() {
    let story = Story::begin().await;
    let client = story.two.client();
    client.answer(LOGIN, &json!({ "uid_field": "ada" })).await;
    let mut repo = story.transaction().await;
    repo.users().update(&User { is_active: false, ..story.ada.clone() }, story.one.now()).await.unwrap();
    repo.save().await.unwrap();
    let done = client.answer(LOGIN, &json!({ "password": PASSWORD })).await;
    assert_ne!(done.body["component"], "xak-flow-redirect", "{}", done.text);
    assert_eq!(client.get("/api/v3/core/users/me/").await.status, 403);
}

#[tokio::test]
async fn who_is_no_superuser_any_more_may_nothing_at_once() {
    let story = Story::begin().await;
    let mut repo = story.transaction().await;
    let admins = repo.groups().find_by_name("authentik Admins").await.unwrap().unwrap();
    repo.groups().add_member(admins.pk, story.ada.pk).await.unwrap();
    repo.save().await.unwrap();
    let may = async |server: &Server| story.browser(server).get("/api/v3/flows/instances/").await.status;
    assert_eq!((may(&story.one).await, may(&story.two).await), (200, 200));
    let mut repo = story.transaction().await;
    repo.groups().remove_member(admins.pk, story.ada.pk).await.unwrap();
    repo.save().await.unwrap();
    assert_eq!((may(&story.one).await, may(&story.two).await), (403, 403));
}
