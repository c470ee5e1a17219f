//! People, groups and tokens as documents.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy takes only functions marked as tests for tests, not what they share"
)]

use std::sync::Arc;

use ak_store::directory::password::{Cost, PasswordHasher};
use ak_store::directory::{Role, documents};
use ak_store::memory::MemoryBackend;
use ak_store::model::{Change, Kind, Meta, Pk, RecordKinds, Registry, Roles, Row, Space, Store, StoreOptions, WriteError};
use ak_store::records::{Durability, Page, Session, SessionFilter, UserFilter};
use ak_store::{ManualClock, SystemRng};
use chrono::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A role as this program has it.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Duty {
    name: String,
}

#[derive(Serialize, JsonSchema)]
struct Nothing {}

impl Kind for Duty {
    const META: Meta = Meta::new("test.duty", "duties", "Duty", "Duties");
    type Shown = Nothing;

    fn shown(&self, _: &Row<'_>) -> Nothing {
        Nothing {}
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Role>(|duty| duty);
    }
}

impl Role for Duty {
    fn name(&self) -> &str {
        &self.name
    }
}

const USER: &str = "authentik_core.user";
const GROUP: &str = "authentik_core.group";
const TOKEN: &str = "authentik_core.token";

/// A store, and the documents of its people.
struct World {
    store: Arc<Store>,
    kinds: RecordKinds,
    hasher: PasswordHasher,
}

async fn world() -> World {
    let hasher = PasswordHasher::new(Cost::cheap_for_tests());
    let store = Store::open(StoreOptions {
        backend: Arc::new(MemoryBackend::new()),
        registry: Registry::new().with::<Duty>().build().unwrap(),
        secret_key: "a secret key for tests".into(),
        clock: Arc::new(ManualClock::new(ak_store::clock::from_micros(1_000_000_000_000_000))),
        rng: Arc::new(SystemRng),
    });
    let store = store.await.unwrap();
    World { kinds: documents::kinds(hasher.clone()), store, hasher }
}

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

impl World {
    async fn put(&self, model: &str, at: Option<&Value>, input: Value, change: Change) -> Result<Value, WriteError> {
        let mut unit = self.store.begin(Durability::Full).await.unwrap();
        let pk = self.kinds.by_model(model).unwrap().put(&mut unit, at, &map(input), change).await?;
        unit.save().await?;
        Ok(pk)
    }

    async fn make(&self, model: &str, input: Value) -> Value {
        self.put(model, None, input, Change::Create).await.unwrap()
    }

    async fn patch(&self, model: &str, at: &Value, input: Value) {
        assert_eq!(self.put(model, Some(at), input, Change::Patch).await.unwrap(), *at);
    }

    /// What is wrong with an input, as the API tells it.
    async fn refused(&self, model: &str, at: Option<&Value>, input: Value) -> Value {
        let change = if at.is_some() { Change::Patch } else { Change::Create };
        match self.put(model, at, input, change).await {
            Err(WriteError::Invalid(errors)) => errors.value(),
            other => panic!("{other:?}"),
        }
    }

    async fn document(&self, model: &str, at: &Value) -> Value {
        let mut repo = self.store.read().await.unwrap();
        self.kinds.by_model(model).unwrap().document(&mut *repo, at).await.unwrap().map_or(Value::Null, Value::Object)
    }

    async fn find(&self, model: &str, identifiers: Value) -> Result<Option<Value>, WriteError> {
        let mut repo = self.store.read().await.unwrap();
        self.kinds.by_model(model).unwrap().find(&mut *repo, &map(identifiers)).await
    }

    async fn duty(&self, name: &str) -> Value {
        let input = json!({ "name": name });
        self.store.write(|draft| draft.put("test.duty", None, &input, Change::Create)).await.unwrap().value()
    }

    async fn ada(&self) -> Value {
        self.make(USER, json!({ "username": "ada", "name": "Ada", "password": "one" })).await
    }

    async fn stored(&self, pk: &Value) -> ak_store::records::User {
        self.store.read().await.unwrap().users().lookup(pk.as_i64().unwrap()).await.unwrap().unwrap()
    }

    async fn has_password(&self, pk: &Value, password: &str) -> bool {
        let hash = self.stored(pk).await.password.unwrap();
        self.hasher.verify(password, &hash).await.unwrap().matches
    }

    async fn sign_in(&self, pk: &Value) {
        let now = self.store.clock().now();
        let mut repo = self.store.backend().begin(Durability::Full).await.unwrap();
        let session = Session {
            id: self.store.rng().bytes(),
            user: pk.as_i64(),
            plan: None,
            turn: 0,
            data: json!({}),
            created: now,
            last_used: now,
            expires: now + Duration::days(1),
            last_ip: None,
            last_user_agent: String::new(),
        };
        repo.sessions().add(&session).await.unwrap();
        repo.save().await.unwrap();
    }

    async fn sessions(&self) -> u64 {
        self.store.read().await.unwrap().sessions().count(&SessionFilter::default()).await.unwrap()
    }
}

#[tokio::test]
async fn an_account_is_what_its_document_says() {
    let world = world().await;
    let staff = world.make(GROUP, json!({ "name": "staff" })).await;
    let duty = world.duty("guard").await;
    let input = json!({
        "username": "ada", "name": "Ada", "is_active": false, "email": "ada@example.com", "attributes": { "a": [1] },
        "path": "people/staff", "type": "external", "groups": [staff], "roles": [duty],
    });
    let mut with_password = map(input.clone());
    with_password.insert("password".into(), json!(" a password "));
    let pk = world.make(USER, Value::Object(with_password)).await;
    assert_eq!(world.document(USER, &pk).await, input, "all of it but the password");
    assert!(world.has_password(&pk, " a password ").await, "with its spaces");
    world.patch(USER, &pk, json!({ "groups": [], "is_active": true })).await;
    assert_eq!(world.document(USER, &pk).await["groups"], json!([]));
    let put = world.put(USER, Some(&pk), json!({ "username": "ada" }), Change::Replace).await;
    assert!(matches!(put, Err(WriteError::Invalid(_))), "a whole document has a name");
    let mut unit = world.store.begin(Durability::Full).await.unwrap();
    let kind = world.kinds.by_model(USER).unwrap();
    assert!(kind.delete(&mut unit, &pk).await.unwrap() && !kind.delete(&mut unit, &pk).await.unwrap());
    unit.save().await.unwrap();
    assert_eq!(world.document(USER, &pk).await, Value::Null);
}

#[tokio::test]
async fn all_that_is_wrong_with_an_account_is_told_at_once() {
    let world = world().await;
    let pk = world.ada().await;
    let nobody = "00000000-0000-0000-0000-000000000009";
    let wrong = json!({
        "username": "", "email": "no address", "is_active": "perhaps", "attributes": [], "type": "robot", "groups": ["x"],
        "roles": "x",
    });
    assert_eq!(
        world.refused(USER, None, wrong).await,
        json!({
            "username": ["This field may not be blank."],
            "name": ["This field is required."],
            "email": ["Enter a valid email address."],
            "is_active": ["Must be a valid boolean."],
            "attributes": ["Value must be an object."],
            "type": ["\"robot\" is not a valid choice."],
            "groups": { "0": ["“x” is not a valid UUID."] },
            "roles": ["Expected a list of items but got type \"str\"."],
        })
    );
    let taken = json!({ "username": "ada", "name": "", "path": "/a", "type": "internal_service_account", "groups": [nobody],
        "roles": [nobody] });
    assert_eq!(
        world.refused(USER, None, taken).await,
        json!({
            "username": ["This field must be unique."],
            "path": ["No leading or trailing slashes allowed."],
            "type": ["Setting a user to internal service account is not allowed."],
            "groups": [format!("Invalid pk \"{nobody}\" - object does not exist.")],
            "roles": [format!("Invalid pk \"{nobody}\" - object does not exist.")],
        })
    );
    let long = world.refused(USER, Some(&pk), json!({ "username": "x".repeat(151), "email": "x".repeat(255) })).await;
    assert_eq!(long["username"], json!(["Ensure this field has no more than 150 characters."]));
    assert_eq!(long["email"], json!(["Ensure this field has no more than 254 characters."]));
    assert_eq!(
        world.refused(USER, Some(&pk), json!({ "path": "a//b" })).await,
        json!({ "path": ["No empty segments in user path allowed."] })
    );
    let endless = world.refused(USER, Some(&pk), json!({ "password": "x".repeat(5000) })).await;
    assert!(endless["password"][0].as_str().unwrap().contains("4096"), "{endless}");
    assert_eq!(world.stored(&pk).await.username, "ada");
}

#[tokio::test]
async fn a_new_password_and_an_end_of_an_account_end_its_sessions() {
    let world = world().await;
    let pk = world.ada().await;
    world.sign_in(&pk).await;
    let before = world.stored(&pk).await;
    world.patch(USER, &pk, json!({ "password": "one", "name": "Ada" })).await;
    assert_eq!((world.stored(&pk).await, world.sessions().await), (before, 1), "the same once more changes nothing");
    world.patch(USER, &pk, json!({ "name": "Ada L." })).await;
    assert_eq!(world.sessions().await, 1);
    world.patch(USER, &pk, json!({ "password": "two" })).await;
    assert!(world.has_password(&pk, "two").await && world.sessions().await == 0);
    world.sign_in(&pk).await;
    world.patch(USER, &pk, json!({ "is_active": false })).await;
    assert_eq!(world.sessions().await, 0);
}

#[tokio::test]
async fn a_group_has_the_parents_and_members_of_its_document() {
    let world = world().await;
    let (ada, top) = (world.ada().await, world.make(GROUP, json!({ "name": "top" })).await);
    let input = json!({ "name": "staff", "is_superuser": true, "parents": [top], "users": [ada], "roles": [], "attributes": { "floor": 3 } });
    let pk = world.make(GROUP, input.clone()).await;
    assert_eq!(world.document(GROUP, &pk).await, input);
    world.patch(GROUP, &pk, json!({ "parent": null, "users": [] })).await;
    let document = world.document(GROUP, &pk).await;
    assert_eq!((&document["parents"], &document["users"]), (&json!([]), &json!([])));
    world.patch(GROUP, &pk, json!({ "parent": top })).await;
    assert_eq!(world.document(GROUP, &pk).await["parents"], json!([top]));
    let low = world.make(GROUP, json!({ "name": "low", "parents": [pk] })).await;
    let itself = json!({ "parents": ["Cannot set group as parent of itself."] });
    for parent in [&top, &pk, &low] {
        assert_eq!(world.refused(GROUP, Some(&top), json!({ "parents": [parent] })).await, itself);
    }
    let nobody = "00000000-0000-0000-0000-000000000009";
    assert_eq!(
        world.refused(GROUP, None, json!({ "name": "top", "parents": [nobody], "users": [99] })).await,
        json!({
            "name": ["This field must be unique."],
            "users": ["Invalid pk \"99\" - object does not exist."],
            "parents": [format!("Invalid pk \"{nobody}\" - object does not exist.")],
        })
    );
    assert_eq!(world.refused(GROUP, None, json!({})).await, json!({ "name": ["This field is required."] }));
}

#[tokio::test]
async fn a_token_has_the_key_and_the_end_of_its_document() {
    let world = world().await;
    let ada = world.ada().await;
    let until =
        |days: i64| (world.store.clock().now() + Duration::days(days)).to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    let pk = world.make(TOKEN, json!({ "identifier": "t", "user": ada, "key": "the key" })).await;
    let wanted = json!({
        "identifier": "t", "intent": "api", "user": ada, "description": "", "expires": until(1), "expiring": true, "managed": null,
    });
    assert_eq!(world.document(TOKEN, &pk).await, wanted, "a day, and never the key");
    let hash = world.store.keyring().lookup_hash("the key");
    let now = world.store.clock().now();
    let by_key = async |hash| world.store.read().await.unwrap().tokens().find_by_hash(&hash, now).await.unwrap();
    let before = by_key(hash).await.unwrap();
    world.patch(TOKEN, &pk, json!({ "key": "the key" })).await;
    assert_eq!(by_key(hash).await.unwrap(), before, "the same key is no change");
    world.patch(TOKEN, &pk, json!({ "expires": until(9), "intent": "app_password" })).await;
    assert_eq!(world.document(TOKEN, &pk).await["expires"], until(9));
    world.patch(TOKEN, &pk, json!({ "expiring": false })).await;
    assert_eq!(world.document(TOKEN, &pk).await["expires"], Value::Null);
    let other = world.make(TOKEN, json!({ "identifier": "u", "user": ada })).await;
    let wrong = json!({ "identifier": "t", "user": 99, "intent": "recovery", "key": "the key" });
    assert_eq!(
        world.refused(TOKEN, Some(&other), wrong).await,
        json!({
            "identifier": ["This field must be unique."],
            "intent": ["Invalid intent recovery"],
            "user": ["Invalid pk \"99\" - object does not exist."],
            "key": ["This field must be unique."],
        })
    );
    let wrong = json!({ "identifier": "no slug!", "expires": "soon", "key": "" });
    let told = world.refused(TOKEN, None, wrong).await;
    assert_eq!(told["identifier"][0], "Enter a valid “slug” consisting of letters, numbers, underscores or hyphens.");
    assert_eq!((&told["user"][0], &told["key"][0]), (&json!("This field is required."), &json!("This field may not be blank.")));
    assert!(told["expires"][0].as_str().unwrap().starts_with("Datetime has wrong format."));
}

#[tokio::test]
async fn records_are_found_by_what_identifies_them() {
    let world = world().await;
    let ada = world.ada().await;
    world.patch(USER, &ada, json!({ "email": "ada@example.com" })).await;
    let uuid = world.stored(&ada).await.uuid.to_string();
    for identifiers in [
        json!({ "pk": ada }),
        json!({ "pk": ada.to_string() }),
        json!({ "username": "ada" }),
        json!({ "uuid": uuid }),
        json!({ "email": "ada@example.com", "name": "Ada" }),
    ] {
        assert_eq!(world.find(USER, identifiers.clone()).await.unwrap().as_ref(), Some(&ada), "{identifiers}");
    }
    assert_eq!(world.find(USER, json!({ "username": "ada", "email": "other" })).await.unwrap(), None);
    for (identifiers, field) in [(json!({ "shoe": 42 }), "shoe"), (json!({ "uuid": 7 }), "uuid"), (json!({}), "non_field_errors")]
    {
        let Err(WriteError::Invalid(errors)) = world.find(USER, identifiers).await else { panic!("{field} identifies") };
        assert!(errors.value()[field].is_array(), "{errors}");
    }
    world.make(USER, json!({ "username": "ada2", "name": "Ada", "email": "ada@example.com" })).await;
    assert!(world.find(USER, json!({ "email": "ada@example.com" })).await.is_err(), "two have it");
    let group = world.make(GROUP, json!({ "name": "staff" })).await;
    for identifiers in [json!({ "pk": group }), json!({ "group_uuid": group }), json!({ "name": "staff" })] {
        assert_eq!(world.find(GROUP, identifiers).await.unwrap().as_ref(), Some(&group));
    }
    let token = world.make(TOKEN, json!({ "identifier": "t", "user": ada, "managed": "ours" })).await;
    for identifiers in [json!({ "pk": token }), json!({ "identifier": "t" }), json!({ "managed": "ours" })] {
        assert_eq!(world.find(TOKEN, identifiers).await.unwrap().as_ref(), Some(&token));
    }
    assert_eq!(world.store.read().await.unwrap().users().list(&UserFilter::default(), Page::ALL).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_role_that_is_deleted_is_nobodys_any_more() {
    let world = world().await;
    let (guard, cook) = (world.duty("guard").await, world.duty("cook").await);
    let ada = world.make(USER, json!({ "username": "ada", "name": "", "roles": [guard, cook] })).await;
    let staff = world.make(GROUP, json!({ "name": "staff", "roles": [guard] })).await;
    world.patch(GROUP, &staff, json!({ "name": "staff!" })).await;
    assert_eq!(world.document(GROUP, &staff).await["roles"], json!([guard]));
    let pk = Pk::from_value(&guard, Space::Uuid).unwrap();
    assert!(world.store.write(|draft| draft.delete(pk)).await.unwrap());
    assert_eq!(world.document(USER, &ada).await["roles"], json!([cook]));
    assert_eq!(world.document(GROUP, &staff).await["roles"], json!([]));
    world.patch(USER, &ada, json!({ "roles": [] })).await;
    assert_eq!(world.document(USER, &ada).await["roles"], json!([]));
    assert!(world.refused(USER, Some(&ada), json!({ "roles": [guard] })).await["roles"].is_array());
}

#[tokio::test]
async fn what_a_document_hides_is_told_by_name_where_it_would_change() {
    let world = world().await;
    let ada = world.ada().await;
    let token = world.make(TOKEN, json!({ "identifier": "t", "user": ada, "key": "the key" })).await;
    for (model, at, input, wanted) in [
        (USER, Some(&ada), json!({ "password": "one" }), &[][..]),
        (USER, Some(&ada), json!({ "password": "two" }), &["password"]),
        (USER, Some(&ada), json!({ "password": null, "name": "x" }), &[]),
        (USER, None, json!({ "password": "one" }), &["password"]),
        (TOKEN, Some(&token), json!({ "key": "the key" }), &[]),
        (TOKEN, Some(&token), json!({ "key": "another" }), &["key"]),
        (TOKEN, Some(&token), json!({}), &[]),
    ] {
        let mut unit = world.store.begin(Durability::Full).await.unwrap();
        let kind = world.kinds.by_model(model).unwrap();
        assert_eq!(kind.hidden_changes(&mut unit, at, &map(input.clone())).await.unwrap(), wanted, "{input}");
    }
}
