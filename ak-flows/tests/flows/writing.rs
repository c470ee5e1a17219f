//! What is written into accounts, and what is not.

use ak_flows::CookieChange;
use ak_policy::Context;
use ak_store::records::{Durability, Group, User, UserType};
use serde_json::{Value, json};

use crate::kit::{
    ADAS, BOBS, Built, House, Spec, dummy, house, identification, line, login, password, probe, prompt, pw, says, uid, write,
};

/// A prompt for an account: user name, name, e-mail address and password twice.
async fn sign_up_form(house: &House) -> Spec {
    let fields = [
        ("username", "username", json!({})),
        ("name", "text", json!({ "required": false })),
        ("email", "email", json!({ "required": false })),
        ("password", "password", json!({})),
        ("password_repeat", "password", json!({})),
    ];
    prompt(&house.prompts(&fields).await)
}

/// A prompt for a new password.
async fn password_form(house: &House) -> Spec {
    prompt(&house.prompts(&[("password", "password", json!({}))]).await)
}

fn carol() -> Value {
    json!({ "username": "carol", "name": "Carol", "email": "carol@example.com", "password": "a secret", "password_repeat": "a secret" })
}

async fn enrolment(house: &House, stage: Value) -> Built {
    let form = sign_up_form(house).await;
    house.flow("enrol", json!({ "designation": "enrollment" }), &[form, write(stage), login()]).await
}

async fn found(house: &House, name: &str) -> Option<User> {
    house.store.read().await.unwrap().users().find_by_username(name).await.unwrap()
}

#[tokio::test]
async fn who_signs_up_is_written_and_signed_in_by_one_turn() {
    let house = house().await;
    enrolment(&house, json!({ "user_type": "internal" })).await;
    let lines = house.machine("enrol", None, Context::default(), &[carol()]).await;
    let expected = [
        "prompt",
        "-> /",
        "* new account carol",
        "* event user_write",
        "* event password_set",
        "* event login",
        "* login of the new one by unknown",
    ];
    assert_eq!(lines, expected);
    let mut browser = house.browser().to("/there");
    assert_eq!(browser.play("enrol", &[carol()]).await, ["prompt", "-> /there"]);
    let user = found(&house, "carol").await.unwrap();
    assert_eq!(browser.user().await, Some(user.pk));
    let shown = (user.name.as_str(), user.email.as_str(), user.path.as_str(), user.r#type, user.is_active, user.attributes.len());
    assert_eq!(shown, ("Carol", "carol@example.com", "users", UserType::Internal, true, 0));
    assert!(house.hasher.verify("a secret", user.password.as_deref().unwrap()).await.unwrap().matches);
    // All at one moment.
    let mut events = house.events().await;
    events.sort();
    assert_eq!(events, ["login", "password_set", "user_write"]);
    let events = house.all_events().await;
    assert!(events.iter().all(|event| event.user_pk == Some(user.pk) && event.user["username"] == "carol"), "{events:?}");
    let told = serde_json::to_string(&events.iter().map(|event| &event.context).collect::<Vec<_>>()).unwrap();
    assert!(!told.contains("secret") && !told.contains("argon2"), "{told}");
    // And she can sign in with what she chose.
    house.flow("sign-in", json!({}), &[identification(), password(), login()]).await;
    assert_eq!(house.browser().play("sign-in", &[uid("carol"), pw("a secret")]).await[2], "-> /");
}

#[tokio::test]
async fn an_account_is_there_for_the_policies_and_stages_that_come_after_it() {
    let house = house().await;
    let form = sign_up_form(&house).await;
    let stages = [form, write(json!({})), dummy().guarded(says("is carol")), login().guarded(says("is carol"))];
    house.flow("enrol", json!({}), &stages).await;
    let mut browser = house.browser();
    assert_eq!(browser.play("enrol", &[carol(), json!({})]).await, ["prompt", "dummy", "-> /"]);
    assert_eq!(browser.user().await, found(&house, "carol").await.map(|user| user.pk));
    assert!(browser.user().await.is_some());
}

#[tokio::test]
async fn an_account_is_made_never_when_needed_or_always() {
    for (mode, signed_in, outcome) in [
        ("never_create", false, "denied"),
        ("never_create", true, "changed"),
        ("create_when_required", false, "made"),
        ("create_when_required", true, "changed"),
        ("always_create", false, "made"),
        ("always_create", true, "made"),
    ] {
        let house = house().await;
        let form = prompt(&house.prompts(&[("username", "text", json!({}))]).await);
        house.flow("writes", json!({}), &[form, write(json!({ "user_creation_mode": mode }))]).await;
        let mut browser = if signed_in { house.browser_of(house.bob).await } else { house.browser() };
        let said = browser.play("writes", &[json!({ "username": "carol" })]).await.remove(1);
        let expected = if outcome == "denied" { "access-denied: There is no account to write to." } else { "-> /" };
        assert_eq!(said, expected, "{mode} {signed_in}");
        let made = found(&house, "carol").await.is_some_and(|user| user.pk != house.bob);
        let changed = house.account(house.bob).await.username == "carol";
        assert_eq!((made, changed), (outcome == "made", outcome == "changed"), "{mode} {signed_in}");
    }
}

#[tokio::test]
async fn what_a_person_sends_never_gives_rights() {
    let house = house().await;
    let keys = [
        "pk",
        "id",
        "uuid",
        "uid",
        "type",
        "is_superuser",
        "is_active",
        "groups",
        "roles",
        "password_hash",
        "date_joined",
        "ak_groups",
        "attributes.goauthentik.io/user/debug",
    ];
    let fields: Vec<_> = keys.iter().map(|key| (*key, "text", json!({}))).collect();
    let form = prompt(&house.prompts(&fields).await);
    house.flow("writes", json!({}), &[form, write(json!({}))]).await;
    let before = house.person(house.bob).await;
    let group = house.person(house.ada).await.groups[0].pk.to_string();
    let sent: serde_json::Map<String, Value> = keys.iter().map(|key| ((*key).to_owned(), json!(group))).collect();
    let mut browser = house.browser_of(house.bob).await;
    assert_eq!(browser.play("writes", &[Value::Object(sent)]).await, ["prompt", "-> /"]);
    let after = house.person(house.bob).await;
    let same = |user: &User| User {
        attributes: serde_json::Map::new(),
        last_updated: before.user.last_updated,
        last_login: None,
        ..user.clone()
    };
    assert_eq!((same(&after.user), after.groups.len()), (same(&before.user), 0));
    assert!(!after.user.attributes.keys().any(|name| name.starts_with("goauthentik.io/")), "{:?}", after.user.attributes);
}

#[tokio::test]
async fn attributes_go_where_their_keys_lead_and_leave_the_others() {
    let house = house().await;
    let old = json!({ "home": { "city": "London", "street": "x" }, "keep": true });
    house.change_user(house.bob, |user| user.attributes = old.as_object().unwrap().clone()).await;
    let fields = [
        ("attributes.home.city", "text", json!({})),
        ("attributes_settings_locale", "ak-locale", json!({})),
        ("attributes.n", "number", json!({})),
    ];
    let form = prompt(&house.prompts(&fields).await);
    house.flow("writes", json!({}), &[form, write(json!({}))]).await;
    let sent = json!({ "attributes.home.city": "Paris", "attributes_settings_locale": "en", "attributes.n": "7" });
    assert_eq!(house.browser_of(house.bob).await.play("writes", &[sent]).await[1], "-> /");
    let new = json!({ "home": { "city": "Paris", "street": "x" }, "keep": true, "settings": { "locale": "en" }, "n": 7 });
    assert_eq!(Value::Object(house.account(house.bob).await.attributes), new);
}

#[tokio::test]
async fn a_new_account_is_what_the_stage_says_or_the_context() {
    let house = house().await;
    let stage =
        json!({ "user_type": "internal_service_account", "user_path_template": "/guests/", "create_users_as_inactive": true });
    enrolment(&house, stage).await;
    let said = house.browser().play("enrol", &[carol()]).await;
    assert_eq!(said, ["prompt", "access-denied: User account is not active, cannot login."]);
    let user = found(&house, "carol").await.unwrap();
    assert_eq!((user.r#type, user.path.as_str(), user.is_active), (UserType::ServiceAccount, "guests", false));

    let form = sign_up_form(&house).await;
    let set = json!({ "set": { "user_type": "internal", "user_path": "invited" } });
    house.flow("invited", json!({}), &[probe(set), form, write(json!({}))]).await;
    let dora = json!({ "username": "dora", "password": "a secret", "password_repeat": "a secret" });
    assert_eq!(house.browser().play("invited", &[dora]).await[1], "-> /");
    let user = found(&house, "dora").await.unwrap();
    assert_eq!((user.r#type, user.path.as_str(), user.is_active), (UserType::Internal, "invited", true));
}

#[tokio::test]
async fn new_accounts_join_the_stages_group_and_all_join_those_of_the_context() {
    let house = house().await;
    let mut repo = house.store.backend().begin(Durability::Full).await.unwrap();
    let named = |name: &str| Group::named(house.store.rng().uuid(), name, house.store.clock().now());
    let all = named("all");
    let guests = Group { parents: vec![all.pk], ..named("guests") };
    let invited = named("invited");
    for group in [&all, &guests, &invited] {
        repo.groups().add(group).await.unwrap();
    }
    repo.save().await.unwrap();
    let form = prompt(&house.prompts(&[("username", "text", json!({}))]).await);
    let stage = json!({ "create_users_group": guests.pk });
    let stages = [probe(json!({ "set": { "groups": [invited.pk] } })), form, write(stage), dummy()];
    house.flow("joins", json!({}), &stages).await;
    let mut browser = house.browser();
    assert_eq!(browser.play("joins", &[json!({ "username": "carol" })]).await[1], "dummy");
    let person = house.person(found(&house, "carol").await.unwrap().pk).await;
    let names: Vec<&str> = person.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["all", "guests", "invited"]);
    let mut browser = house.browser_of(house.bob).await;
    assert_eq!(browser.play("joins", &[json!({ "username": "bob" })]).await[1], "dummy");
    let person = house.person(house.bob).await;
    assert_eq!(person.groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["invited"]);
}

#[tokio::test]
async fn groups_that_are_not_there_stop_the_flow() {
    let house = house().await;
    let form = prompt(&house.prompts(&[("username", "text", json!({}))]).await);
    let gone = house.store.rng().uuid();
    house.flow("joins", json!({}), &[probe(json!({ "set": { "groups": [gone] } })), form, write(json!({}))]).await;
    let said = house.browser().play("joins", &[json!({ "username": "carol" })]).await;
    assert!(said[1].starts_with("error: ") && said[1].contains(&gone.to_string()), "{said:?}");
    assert!(found(&house, "carol").await.is_none());
}

#[tokio::test]
async fn a_user_name_that_is_taken_is_told_before_or_at_the_last_moment() {
    let house = house().await;
    let form = prompt(&house.prompts(&[("username", "text", json!({}))]).await);
    house.flow("plain", json!({}), &[form.clone(), write(json!({}))]).await;
    let taken = "access-denied: This user name is taken. Please start again with another one.";
    assert_eq!(house.browser().play("plain", &[json!({ "username": "ada" })]).await[1], taken);
    assert_eq!(house.browser_of(house.bob).await.play("plain", &[json!({ "username": "ada" })]).await[1], taken);
    for name in ["", " ", &"x".repeat(151)] {
        let said = house.browser().play("plain", &[json!({ "username": name })]).await.remove(1);
        assert!(said.contains("blank") || said.contains("no more than 150"), "{said}");
    }
    // Two sign up with one name at once: both are past every look at it.
    house.flow("enrol", json!({}), &[form, write(json!({})), login()]).await;
    let (visit, input) = (house.browser().visit().await, house.browser().input(Some(&json!({ "username": "carol" }))));
    let run = || Box::pin(house.runner.run(&visit, "enrol", input.clone()));
    let turn = house.store.backend().begin(Durability::Full).await.unwrap();
    let (a, b, ()) = tokio::join!(run(), run(), async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        drop(turn);
    });
    let mut said = [line(&a.unwrap().page), line(&b.unwrap().page)];
    said.sort();
    let meanwhile = "access-denied: Somebody else has taken this user name meanwhile. Please start again with another one.";
    assert_eq!(said, ["-> /", meanwhile]);
    let carol = found(&house, "carol").await.unwrap();
    assert_eq!(house.sessions(Some(carol.pk)).await, 1);
}

#[tokio::test]
async fn who_clicks_twice_has_one_account() {
    let house = house().await;
    let form = sign_up_form(&house).await;
    house.flow("enrol", json!({}), &[dummy(), form, write(json!({})), dummy()]).await;
    let mut browser = house.browser();
    assert_eq!(browser.play("enrol", &[json!({})]).await, ["dummy", "prompt"]);
    let (visit, input) = (browser.visit().await, browser.input(Some(&carol())));
    for taken in [true, false] {
        let outcome = house.runner.run(&visit, "enrol", input.clone()).await.unwrap();
        assert_eq!((line(&outcome.page), outcome.taken), ("dummy".into(), taken));
    }
    assert!(found(&house, "carol").await.is_some());
}

#[tokio::test]
async fn a_new_password_ends_all_other_sessions_and_gives_ones_own_a_new_key() {
    let house = house().await;
    let form = password_form(&house).await;
    house.flow("change", json!({ "designation": "stage_configuration" }), &[form, write(json!({})), dummy()]).await;
    let mut here = house.browser_of(house.ada).await;
    let (there, bobs) = (house.browser_of(house.ada).await, house.browser_of(house.bob).await);
    let mut thief = house.browser();
    thief.key = here.key.clone();
    assert_eq!(here.play("change", &[json!({ "password": "another secret" })]).await, ["prompt", "dummy"]);
    assert_eq!((here.user().await, there.user().await, thief.user().await), (Some(house.ada), None, None));
    assert_eq!((bobs.user().await, house.sessions(Some(house.ada)).await), (Some(house.bob), 1));
    // The flow goes on in it.
    assert_eq!(here.post("change", &json!({})).await, "-> /");
    assert!(here.session().await.unwrap().data["auth_method"] == "test");
    let hash = house.account(house.ada).await.password.unwrap();
    assert!(house.hasher.verify("another secret", &hash).await.unwrap().matches);
}

#[tokio::test]
async fn a_session_that_stays_still_stays_under_its_new_key() {
    let house = house().await;
    house.flow("sign-in", json!({}), &[identification(), login().with(json!({ "session_duration": "hours=8" }))]).await;
    let form = password_form(&house).await;
    house.flow("change", json!({}), &[form, write(json!({}))]).await;
    let mut browser = house.browser();
    browser.play("sign-in", &[uid("ada")]).await;
    house.clock.advance(chrono::Duration::hours(1));
    browser.get("change").await;
    let outcome = browser.run("change", Some(&json!({ "password": "another secret" }))).await.unwrap();
    let CookieChange::Set { max_age: Some(age), .. } = outcome.cookie else { panic!("{:?}", outcome.cookie) };
    assert_eq!((age + chrono::Duration::seconds(1)).num_hours(), 7);
}

#[tokio::test]
async fn changing_the_password_on_the_way_to_signing_in_signs_in() {
    let house = house().await;
    let form = password_form(&house).await;
    // With the login in the same turn, and in a later one.
    let stages = [identification(), password(), form.clone(), write(json!({})), login()];
    house.flow("at-once", json!({}), &stages).await;
    let stages = [identification(), password(), form, write(json!({})), dummy(), login()];
    house.flow("later", json!({}), &stages).await;
    let new = |word: &str| json!({ "password": word });
    let mut browser = house.browser();
    let said = browser.play("at-once", &[uid("ada"), pw(ADAS), new("second secret")]).await;
    assert_eq!((said[3].as_str(), browser.user().await), ("-> /", Some(house.ada)));
    let mut browser = house.browser();
    let said = browser.play("later", &[uid("ada"), pw("second secret"), new("third secret"), json!({})]).await;
    assert_eq!((said[4].as_str(), browser.user().await), ("-> /", Some(house.ada)));
}

#[tokio::test]
async fn a_proof_that_was_taken_back_writes_nothing() {
    let house = house().await;
    let form = password_form(&house).await;
    house.flow("change", json!({}), &[identification(), password(), form, write(json!({})), login()]).await;
    let mut browser = house.browser();
    browser.play("change", &[uid("bob"), pw(BOBS)]).await;
    house.clock.advance(chrono::Duration::minutes(1));
    let hash = house.hasher.hash("set by the administrator").await.unwrap();
    let mut repo = house.store.backend().begin(Durability::Full).await.unwrap();
    repo.users().set_password(house.bob, Some(&hash), house.store.clock().now()).await.unwrap();
    repo.save().await.unwrap();
    let said = browser.post("change", &json!({ "password": "set by the thief" })).await;
    assert_eq!(said, "access-denied: Your account has changed meanwhile. Please sign in again.");
    assert_eq!((house.account(house.bob).await.password, browser.user().await), (Some(hash), None));
    assert!(!house.events().await.contains(&"password_set".to_owned()));
}

#[tokio::test]
async fn who_is_signed_in_is_not_written_to_under_a_name_that_nobody_has() {
    let house = house().await;
    let form = password_form(&house).await;
    house.flow("recovers", json!({}), &[identification(), form, write(json!({ "user_creation_mode": "never_create" }))]).await;
    let before = house.account(house.bob).await.password;
    let mut browser = house.browser_of(house.bob).await;
    let said = browser.play("recovers", &[uid("nobody"), json!({ "password": "another secret" })]).await;
    assert_eq!(said[2], "access-denied: There is no account to write to.");
    assert_eq!(house.account(house.bob).await.password, before);
}

#[tokio::test]
async fn who_makes_an_account_after_proving_another_is_the_new_one_without_that_proof() {
    let house = house().await;
    let form = sign_up_form(&house).await;
    let stages = [identification(), password(), form, write(json!({ "user_creation_mode": "always_create" })), login()];
    house.flow("both", json!({}), &stages).await;
    let mut browser = house.browser();
    let said = browser.play("both", &[uid("ada"), pw(ADAS), carol()]).await;
    assert_eq!(said[3], "-> /");
    assert_eq!(browser.user().await, found(&house, "carol").await.map(|user| user.pk));
    assert_eq!(browser.session().await.unwrap().data["auth_method"], "unknown");
}

#[tokio::test]
async fn without_anything_to_write_the_flow_ends() {
    let house = house().await;
    house.flow("writes", json!({}), &[dummy(), write(json!({}))]).await;
    let said = house.browser_of(house.bob).await.play("writes", &[json!({})]).await;
    assert_eq!(said[1], "access-denied: There is nothing to write.");
}
