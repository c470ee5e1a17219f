//! Applications: who may open them, where they are listed, and where they lead.

use ak_store::records::{Durability, TokenIntent, User, UserType};
use ak_tests::contract::{Mode, contract};
use ak_tests::server::{Client, Reply, Server};
use serde_json::{Value, json};

const LIST: &str = "/api/v3/core/applications/";

/// The answer of an operation, held against the contract.
#[track_caller]
fn exact(method: &str, path: &str, reply: &Reply) {
    if let Err(error) = contract().validate_answer(method, path, reply.status, Mode::Exact, &reply.body) {
        panic!("{error}\nin {}", reply.text);
    }
}

/// A server with a member of the staff, somebody who is none, and applications for everybody, for the staff, for Ada alone, for
/// all but the staff, and for nobody.
struct Office {
    server: Server,
    ada: User,
    bob: User,
}

impl Office {
    async fn open() -> Self {
        let server = Server::start().await;
        let (ada, bob) = (server.user("ada").await, server.user("bob").await);
        let staff = server.group("staff", &[&ada]).await;
        let office = Self { server, ada, bob };
        office.application("public", json!({}), &[]).await;
        office.application("staff", json!({ "group": "Inside" }), &[json!({ "group": staff.pk })]).await;
        office.application("ada", json!({ "group": "Inside" }), &[json!({ "user": office.ada.pk })]).await;
        office.application("guests", json!({}), &[json!({ "group": staff.pk, "negate": true })]).await;
        let both = [json!({ "group": staff.pk }), json!({ "user": office.bob.pk })];
        office.application("nobody", json!({ "policy_engine_mode": "all" }), &both).await;
        office.application("either", json!({}), &both).await;
        office.application("off", json!({}), &[json!({ "user": office.bob.pk, "enabled": false })]).await;
        office.application("nowhere", json!({ "meta_launch_url": "" }), &[]).await;
        office.application("hidden", json!({ "meta_hide": true }), &[]).await;
        office
    }

    async fn application(&self, slug: &str, more: Value, bindings: &[Value]) -> Value {
        let mut body = json!({ "name": slug, "slug": slug, "meta_launch_url": format!("https://{slug}.example/%(username)s") });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = self.server.make("core/applications", &body).await;
        for (order, binding) in bindings.iter().enumerate() {
            let mut body = json!({ "target": made["pk"], "order": order });
            body.as_object_mut().unwrap().extend(binding.as_object().unwrap().clone());
            self.server.make("policies/bindings", &body).await;
        }
        made
    }

    async fn by_token(&self, user: &User) -> Client {
        let key = self.server.key(user.pk, TokenIntent::Api, None).await;
        self.server.client().header("authorization", &format!("Bearer {key}"))
    }
}

/// The slugs of a list, and how many it says there are.
async fn slugs(client: &Client, query: &str) -> (Vec<String>, u64) {
    let list = client.get(&format!("{LIST}?{query}")).await;
    assert_eq!(list.status, 200, "{}", list.text);
    exact("GET", "/core/applications/", &list);
    let slugs = list.body["results"].as_array().unwrap().iter().map(|a| a["slug"].as_str().unwrap().to_owned()).collect();
    (slugs, list.body["pagination"]["count"].as_u64().unwrap())
}

const ADAS: [&str; 7] = ["ada", "either", "hidden", "nowhere", "off", "public", "staff"];
const BOBS: [&str; 6] = ["either", "guests", "hidden", "nowhere", "off", "public"];

#[tokio::test]
async fn everybody_is_shown_exactly_what_her_bindings_allow() {
    let office = Office::open().await;
    for (user, wanted) in [(&office.ada, &ADAS[..]), (&office.bob, &BOBS[..])] {
        for client in [office.by_token(user).await, office.server.signed_in(&user.username).await] {
            let (found, count) = slugs(&client, "").await;
            assert_eq!((found.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), count), (wanted, wanted.len() as u64));
            // What only superusers may ask for changes nothing, or is refused.
            assert_eq!(slugs(&client, "superuser_full_list=true").await.1, count);
            assert_eq!(slugs(&client, "ordering=-name&page_size=2&page=2").await.1, count, "the others are not counted");
        }
    }
    let ada = office.by_token(&office.ada).await;
    assert_eq!(slugs(&ada, &format!("for_user={}", office.ada.pk)).await.1, 7);
    assert_eq!(ada.get(&format!("{LIST}?for_user={}", office.bob.pk)).await.status, 403);
    assert_eq!(office.server.client().get(LIST).await.status, 403);
    // Everything else is for superusers.
    for path in [format!("{LIST}public/"), format!("{LIST}public/used_by/")] {
        assert_eq!(ada.get(&path).await.status, 403);
    }
    assert_eq!(ada.post(LIST, &json!({ "name": "x", "slug": "x" })).await.status, 403);
    assert_eq!(ada.delete(&format!("{LIST}public/")).await.status, 403);
}

#[tokio::test]
async fn a_superuser_sees_all_or_what_she_or_another_may_open() {
    let office = Office::open().await;
    let admin = office.server.admin();
    assert_eq!(slugs(&admin, "superuser_full_list=true").await.1, 9);
    // She is not exempt: she is in no group, and nobody's name is hers.
    assert_eq!(slugs(&admin, "").await.0, ["guests", "hidden", "nowhere", "off", "public"]);
    assert_eq!(slugs(&admin, &format!("for_user={}", office.ada.pk)).await.0, ADAS);
    assert_eq!(slugs(&admin, &format!("for_user={}&superuser_full_list=true", office.ada.pk)).await.1, 9);
    let launch = slugs(&admin, "superuser_full_list=true&only_with_launch_url=true").await;
    assert!(launch.1 == 8 && !launch.0.contains(&"nowhere".to_owned()), "{launch:?}");
    assert_eq!(slugs(&admin, "superuser_full_list=true&only_with_launch_url=false").await.1, 9);
    assert_eq!(slugs(&admin, "superuser_full_list=true&group=Inside").await.0, ["ada", "staff"]);
    for query in ["for_user=x", "for_user=999999", "for_user=-1", "superuser_full_list=perhaps", "only_with_launch_url=7"] {
        let reply = admin.get(&format!("{LIST}?{query}")).await;
        let name = query.split('=').next().unwrap();
        assert!(reply.status == 400 && reply.body[name].is_array(), "{query}: {}", reply.text);
    }
    assert_eq!(slugs(&admin, "for_user=").await.1, 5, "nothing is asked for");
}

#[tokio::test]
async fn access_to_one_application_can_be_asked_for_and_is_explained_to_superusers() {
    let office = Office::open().await;
    let check = async |client: &Client, slug: &str, query: &str| {
        let reply = client.get(&format!("{LIST}{slug}/check_access/?{query}")).await;
        if reply.status == 200 {
            exact("GET", "/core/applications/{slug}/check_access/", &reply);
        }
        reply
    };
    let (ada, bob, admin) = (office.by_token(&office.ada).await, office.by_token(&office.bob).await, office.server.admin());
    let all = ["ada", "either", "guests", "hidden", "nobody", "nowhere", "off", "public", "staff"];
    for (client, user, wanted) in [(&ada, &office.ada, &ADAS[..]), (&bob, &office.bob, &BOBS[..])] {
        for slug in all {
            let own = check(client, slug, "").await;
            assert_eq!(own.body["passing"], wanted.contains(&slug), "{slug}: {}", own.text);
            assert_eq!(own.body["log_messages"], json!([]), "why is for superusers");
            let told = check(&admin, slug, &format!("for_user={}", user.pk)).await;
            assert_eq!(told.body["passing"], own.body["passing"], "{slug}");
        }
    }
    let why = check(&admin, "nobody", &format!("for_user={}", office.ada.pk)).await;
    let logs: Vec<&Value> =
        why.body["log_messages"].as_array().unwrap().iter().map(|log| &log["attributes"]["passing"]).collect();
    assert_eq!(logs, [&json!(true), &json!(false)], "{}", why.text);
    assert_eq!(check(&ada, "public", &format!("for_user={}", office.bob.pk)).await.status, 403);
    assert_eq!(check(&admin, "none", "").await.status, 404);
    assert_eq!(check(&admin, "public", "for_user=x").await.status, 400);
    assert_eq!(office.server.client().get(&format!("{LIST}public/check_access/")).await.status, 403);
}

#[tokio::test]
async fn the_own_page_shows_what_can_be_opened_in_sections() {
    let office = Office::open().await;
    let icon = json!({ "meta_icon": "https://cdn.example/icon.svg", "meta_description": "Draws <b>graphs</b>", "meta_publisher": "Grace Inc.",
        "open_in_new_tab": true, "group": "inside" });
    office.application("graphs", icon, &[]).await;
    let page = async |name: &str| office.server.signed_in(name).await.get("/if/user/").await.text;
    let (ada, bob) = (page("ada").await, page("bob").await);
    let shown = |page: &str, slug: &str, who: &str| page.contains(&format!("href=\"https://{slug}.example/{who}\""));
    for (slug, hers, his) in [
        ("public", true, true),
        ("staff", true, false),
        ("ada", true, false),
        ("guests", false, true),
        ("nobody", false, false),
        ("hidden", false, false),
        ("graphs", true, true),
    ] {
        assert_eq!((shown(&ada, slug, "ada"), shown(&bob, slug, "bob")), (hers, his), "{slug}");
    }
    assert!(!ada.contains("nowhere"), "what leads nowhere has no card");
    assert!(ada.contains("Draws &lt;b&gt;graphs&lt;/b&gt;") && ada.contains("Grace Inc."), "{ada}");
    assert!(ada.contains("src=\"https://cdn.example/icon.svg\"") && ada.contains("target=\"_blank\" rel=\"noopener\""));
    let sections = |page: &str| page.matches("class=\"apps\"").count();
    assert_eq!((sections(&ada), sections(&bob)), (2, 2), "headings differ in letters only");
}

#[tokio::test]
async fn addresses_are_made_for_who_looks() {
    let office = Office::open().await;
    let ada = office.by_token(&office.ada).await;
    let list = ada.get(&format!("{LIST}?slug=staff")).await;
    let staff = &list.body["results"][0];
    assert_eq!(
        (&staff["launch_url"], &staff["meta_launch_url"]),
        (&json!("https://staff.example/ada"), &json!("https://staff.example/%(username)s"))
    );
    let admin = office.server.admin();
    let read = admin.get(&format!("{LIST}nowhere/")).await;
    assert_eq!(read.body["launch_url"], Value::Null);
    for url in ["javascript:alert(1)", "x", "https://x/%(password)s", "data:text/html,x"] {
        let reply = admin.patch(&format!("{LIST}public/"), &json!({ "meta_launch_url": url })).await;
        assert!(reply.status == 400 && reply.body["meta_launch_url"][0].is_string(), "{url}: {}", reply.text);
    }
    for slug in ["authorize", "token", "device", "userinfo", "introspect", "revoke", "requestable"] {
        let reply = admin.post(LIST, &json!({ "name": "x", "slug": slug })).await;
        assert!(reply.status == 400 && reply.body["slug"][0].is_string(), "{slug}: {}", reply.text);
    }
    for later in [json!({ "provider": 1 }), json!({ "backchannel_providers": [1] })] {
        assert_eq!(admin.patch(&format!("{LIST}public/"), &later).await.status, 400, "{later}");
    }
}

#[tokio::test]
async fn people_from_outside_are_led_to_the_brands_application_and_nowhere_else() {
    let office = Office::open().await;
    let server = &office.server;
    let mut repo = server.store.backend().begin(Durability::Full).await.unwrap();
    repo.users().update(&User { r#type: UserType::External, ..office.bob.clone() }, server.now()).await.unwrap();
    repo.save().await.unwrap();
    let brand = server.key_of("core/brands", "").await;
    let choose = async |slug: &str| {
        let application = server.admin().get(&format!("{LIST}{slug}/")).await.body["pk"].clone();
        let reply =
            server.admin().patch(&format!("/api/v3/core/brands/{brand}/"), &json!({ "default_application": application })).await;
        assert_eq!((reply.status, &reply.body["default_application"]), (200, &application), "{}", reply.text);
    };
    let (ada, bob) = (server.signed_in("ada").await, server.signed_in("bob").await);
    assert_eq!(bob.get("/if/user/").await.status, 200, "without one she has a page as everybody");
    choose("guests").await;
    let led = bob.get("/if/user/").await;
    assert_eq!((led.status, led.location()), (303, "https://guests.example/bob"));
    assert_eq!(ada.get("/if/user/").await.status, 200);
    choose("staff").await;
    assert_eq!(bob.get("/if/user/").await.status, 403, "it is not for him");
    assert_eq!(server.admin().delete(&format!("{LIST}staff/")).await.status, 204);
    assert_eq!(bob.get("/if/user/").await.status, 200, "the brand has lost it");
}

#[tokio::test]
async fn what_guards_an_application_goes_with_it_and_with_its_people() {
    let office = Office::open().await;
    let admin = office.server.admin();
    let count = async || admin.get("/api/v3/policies/bindings/").await.body["pagination"]["count"].as_u64().unwrap();
    let before = count().await;
    let used = admin.get(&format!("{LIST}nobody/used_by/")).await;
    exact("GET", "/core/applications/{slug}/used_by/", &used);
    assert_eq!(used.body.as_array().unwrap().len(), 2);
    assert_eq!(admin.delete(&format!("{LIST}nobody/")).await.status, 204);
    assert_eq!(count().await, before - 2);
    // As in the model it follows: with its last binding an application is open to everybody. Who deletes sees that in `used_by`.
    let mut unit = office.server.store.begin(Durability::Full).await.unwrap();
    unit.delete_user(office.ada.pk).await.unwrap();
    unit.save().await.unwrap();
    assert_eq!(count().await, before - 3);
    let check = office.by_token(&office.bob).await.get(&format!("{LIST}ada/check_access/")).await;
    assert_eq!(check.body["passing"], true);
}
