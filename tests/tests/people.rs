//! The collections of people: accounts, groups, tokens.

use ak_store::records::{Durability, TokenIntent};
use ak_tests::contract::{Mode, contract};
use ak_tests::server::{PASSWORD, Reply, Server};
use serde_json::{Value, json};

/// The answer of an operation, held against the contract.
#[track_caller]
fn exact(method: &str, path: &str, reply: &Reply) {
    if let Err(error) = contract().validate_answer(method, path, reply.status, Mode::Exact, &reply.body) {
        panic!("{error}\nin {}", reply.text);
    }
}

#[track_caller]
fn refused(reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{}", reply.text);
    contract().assert_exact("GenericError", &reply.body);
}

/// A collection of records, with two that differ in all that can be filtered.
struct Sample {
    path: &'static str,
    /// The contract's path of one record.
    one_path: &'static str,
    /// The field that addresses a record.
    key: &'static str,
    one: Value,
    two: Value,
    change: Value,
    /// For every filter of the contract a value that finds the first and not the second.
    filters: Vec<(&'static str, String)>,
    /// Parameters that decide what an answer holds, and not which records.
    shape: &'static [&'static str],
    /// What it can be sorted by, where the two differ.
    order: &'static [&'static str],
    search: &'static str,
}

async fn samples(server: &Server) -> Vec<Sample> {
    let admins = server.key_of("core/groups", "name=authentik+Admins").await;
    let staff = server.make("core/groups", &json!({ "name": "staff" })).await["pk"].clone();
    let role = server.make("rbac/roles", &json!({ "name": "guard" })).await["pk"].clone();
    let member = server.make("core/users", &json!({ "username": "member", "name": "" })).await["pk"].clone();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let users = [
        ("attributes", json!({ "floor": 3 }).to_string()),
        ("attributes", json!({ "desk__color": "red" }).to_string()),
        ("email", "one@example.com".to_owned()),
        ("groups_by_name", "staff".to_owned()),
        ("groups_by_pk", text(&staff)),
        ("is_active", "false".to_owned()),
        ("is_superuser", "true".to_owned()),
        ("name", "One".to_owned()),
        ("path", "people/one".to_owned()),
        ("path_startswith", "peop".to_owned()),
        ("roles_by_name", "guard".to_owned()),
        ("roles_by_pk", text(&role)),
        ("type", "external".to_owned()),
        ("username", "one".to_owned()),
    ];
    let groups = [
        ("attributes", json!({ "floor": 3 }).to_string()),
        ("is_superuser", "true".to_owned()),
        ("members_by_pk", text(&member)),
        ("members_by_username", "member".to_owned()),
        ("name", "one".to_owned()),
    ];
    let tokens = [
        ("description", "The one".to_owned()),
        ("expires", "2026-12-24T12:00:00Z".to_owned()),
        ("expiring", "true".to_owned()),
        ("identifier", "one".to_owned()),
        ("intent", "app_password".to_owned()),
        ("managed", "ours".to_owned()),
        ("user__username", "member".to_owned()),
    ];
    vec![
        Sample {
            path: "core/users",
            one_path: "/core/users/{id}/",
            key: "pk",
            one: json!({ "username": "one", "name": "One", "email": "one@example.com", "is_active": false, "type": "external",
                "path": "people/one", "attributes": { "floor": 3, "desk": { "color": "red" } }, "groups": [staff, admins],
                "roles": [role] }),
            two: json!({ "username": "two", "name": "Two" }),
            change: json!({ "name": "Changed", "groups": [] }),
            filters: users.to_vec(),
            shape: &["include_groups", "include_roles"],
            order: &["username", "-name", "email", "is_active", "type", "path", "uuid", "date_joined", "last_updated"],
            search: "one@example",
        },
        Sample {
            path: "core/groups",
            one_path: "/core/groups/{group_uuid}/",
            key: "pk",
            one: json!({ "name": "one", "is_superuser": true, "parents": [staff], "users": [member], "roles": [role],
                "attributes": { "floor": 3 } }),
            two: json!({ "name": "two" }),
            change: json!({ "name": "changed", "users": [] }),
            filters: groups.to_vec(),
            shape: &["include_children", "include_inherited_roles", "include_parents", "include_users"],
            order: &["name", "-is_superuser"],
            search: "ON",
        },
        Sample {
            path: "core/tokens",
            one_path: "/core/tokens/{identifier}/",
            key: "identifier",
            one: json!({ "identifier": "one", "intent": "app_password", "user": member, "description": "The one",
                "expires": "2026-12-24T12:00:00Z", "expiring": true, "managed": "ours" }),
            two: json!({ "identifier": "two", "description": "The other", "expiring": false }),
            change: json!({ "description": "Changed" }),
            filters: tokens.to_vec(),
            shape: &[],
            order: &["identifier", "-intent", "user", "description", "expires", "managed"],
            search: "member app",
        },
    ]
}

impl Sample {
    fn list(&self) -> String {
        format!("/api/v3/{}/", self.path)
    }

    fn at(&self, record: &Value) -> String {
        let key = &record[self.key];
        format!("{}{}/", self.list(), key.as_str().map_or_else(|| key.to_string(), str::to_owned))
    }
}

fn keys(reply: &Reply) -> Vec<Value> {
    let results = reply.body["results"].as_array().unwrap_or_else(|| panic!("no list: {}", reply.text));
    results.iter().map(|record| record["pk"].clone()).collect()
}

fn query(name: &str, value: &str) -> String {
    url::form_urlencoded::Serializer::new("page_size=100&".to_owned()).append_pair(name, value).finish()
}

#[tokio::test]
async fn a_record_is_made_read_changed_and_deleted_as_the_contract_says() {
    let server = Server::start().await;
    let admin = server.admin();
    for sample in samples(&server).await {
        let (list, contract_list) = (sample.list(), format!("/{}/", sample.path));
        let made = admin.post(&list, &sample.one).await;
        assert_eq!(made.status, 201, "{list}: {}", made.text);
        exact("POST", &contract_list, &made);
        for (field, value) in sample.one.as_object().unwrap() {
            let sorted = |value: &Value| {
                value.as_array().map(|list| list.iter().map(Value::to_string).collect::<std::collections::BTreeSet<_>>())
            };
            assert!(made.body[field] == *value || sorted(&made.body[field]) == sorted(value), "{list}: {field} in {}", made.text);
        }
        let at = sample.at(&made.body);
        let read = admin.get(&at).await;
        assert_eq!((read.status, &read.body), (200, &made.body), "{at}");
        exact("GET", sample.one_path, &read);
        let listed = admin.get(&format!("{list}?page_size=100")).await;
        exact("GET", &contract_list, &listed);
        assert!(listed.body["results"].as_array().unwrap().contains(&made.body), "{list}");
        let patched = admin.patch(&at, &sample.change).await;
        assert_eq!(patched.status, 200, "{at}: {}", patched.text);
        exact("PATCH", sample.one_path, &patched);
        for (field, value) in sample.change.as_object().unwrap() {
            assert_eq!(&patched.body[field], value, "{at}");
        }
        let put = admin.put(&at, &sample.one).await;
        assert_eq!(put.status, 200, "{at}: {}", put.text);
        exact("PUT", sample.one_path, &put);
        let used = admin.get(&format!("{at}used_by/")).await;
        exact("GET", &format!("{}used_by/", sample.one_path), &used);
        let gone = admin.delete(&at).await;
        assert_eq!((gone.status, gone.text.as_str()), (204, ""), "{at}");
        for reply in [
            admin.get(&at).await,
            admin.delete(&at).await,
            admin.patch(&at, &sample.change).await,
            admin.put(&at, &sample.one).await,
            admin.get(&format!("{at}used_by/")).await,
        ] {
            refused(&reply, 404);
        }
    }
}

#[tokio::test]
async fn every_filter_of_the_contract_drops_the_record_that_differs() {
    let server = Server::start().await;
    let admin = server.admin();
    for sample in samples(&server).await {
        let one = server.make(sample.path, &sample.one).await;
        server.clock.advance(chrono::Duration::hours(1));
        let two = server.make(sample.path, &sample.two).await;
        let mut filters = sample.filters.clone();
        if sample.path == "core/users" {
            let moment = |name: &str, of: &Value| of[name].as_str().unwrap().to_owned();
            let mut repo = server.store.backend().begin(Durability::Full).await.unwrap();
            let login = server.now() - chrono::Duration::minutes(5);
            repo.users().touch_login(one["pk"].as_i64().unwrap(), login).await.unwrap();
            repo.save().await.unwrap();
            filters.push(("uuid", moment("uuid", &one)));
            filters.push(("last_login__isnull", "false".to_owned()));
            filters.push(("last_login", login.to_rfc3339()));
            filters.push(("last_login__gt", (login - chrono::Duration::seconds(1)).to_rfc3339()));
            filters.push(("last_login__lt", (login + chrono::Duration::seconds(1)).to_rfc3339()));
            for name in ["date_joined", "last_updated"] {
                let (first, second) = (moment(name, &one), moment(name, &two));
                filters.push((name, first.clone()));
                filters.push((if name == "date_joined" { "date_joined__lt" } else { "last_updated__lt" }, second));
                // The other way round: what is later than the first is the second.
                let later = admin.get(&format!("{}?{}", sample.list(), query(&format!("{name}__gt"), &first))).await;
                assert!(keys(&later).contains(&two["pk"]) && !keys(&later).contains(&one["pk"]), "{name}__gt: {}", later.text);
            }
        }
        let operation = contract().operation("GET", &format!("/{}/", sample.path)).unwrap();
        for name in operation.query().filter(|q| !["ordering", "page", "page_size", "search"].contains(q)) {
            let turned = ["date_joined__gt", "last_updated__gt"].contains(&name);
            let tried = filters.iter().any(|(filter, _)| *filter == name) || sample.shape.contains(&name) || turned;
            assert!(tried, "{}: no sample for the filter {name}", sample.path);
        }
        for (name, value) in &filters {
            assert!(operation.query().any(|known| known == *name), "the contract has no filter {name}");
            let found = admin.get(&format!("{}?{}", sample.list(), query(name, value))).await;
            assert_eq!(found.status, 200, "{name}={value}: {}", found.text);
            assert!(keys(&found).contains(&one["pk"]), "{}: {name}={value} loses the one it asks for", sample.path);
            assert!(!keys(&found).contains(&two["pk"]), "{}: {name}={value} keeps the other", sample.path);
        }
        let found = admin.get(&format!("{}?{}", sample.list(), query("search", sample.search))).await;
        assert!(keys(&found).contains(&one["pk"]) && !keys(&found).contains(&two["pk"]), "search: {}", found.text);
        for order in sample.order {
            let (order, reverse) = match order.strip_prefix('-') {
                Some(field) => ((*order).to_owned(), field.to_owned()),
                None => ((*order).to_owned(), format!("-{order}")),
            };
            let place = async |order: &str| {
                let found = keys(&admin.get(&format!("{}?{}", sample.list(), query("ordering", order))).await);
                let of = |record: &Value| found.iter().position(|key| *key == record["pk"]).unwrap();
                of(&one) < of(&two)
            };
            assert_ne!(place(&order).await, place(&reverse).await, "{}: {order} is the same as {reverse}", sample.path);
        }
    }
}

#[tokio::test]
async fn lists_are_cut_into_pages_and_refuse_what_they_cannot_read() {
    let server = Server::start().await;
    let admin = server.admin();
    for n in 0..25 {
        server.make("core/users", &json!({ "username": format!("user-{n:02}"), "name": "" })).await;
        server.make("core/groups", &json!({ "name": format!("group-{n:02}") })).await;
        server.make("core/tokens", &json!({ "identifier": format!("token-{n:02}") })).await;
    }
    for (path, search, name) in [("users", "user-", "username"), ("groups", "group-", "name"), ("tokens", "token-", "identifier")]
    {
        let list = async |query: &str| admin.get(&format!("/api/v3/core/{path}/?search={search}&{query}")).await;
        let page = list("page_size=10&page=3").await;
        let wanted =
            json!({ "next": 0, "previous": 2, "count": 25, "current": 3, "total_pages": 3, "start_index": 21, "end_index": 25 });
        assert_eq!(page.body["pagination"], wanted, "{path}");
        assert_eq!(page.body["results"][4][name], format!("{search}24"));
        for bad in ["page=4&page_size=10", "page=0", "page=x"] {
            refused(&list(bad).await, 404);
        }
        assert_eq!(list("page_size=100&no_such_filter=1&ordering=no_such_field").await.body["pagination"]["count"], 25);
    }
    for (path, bad) in [
        ("users", "is_active=perhaps"),
        ("users", "uuid=7"),
        ("users", "type=robot"),
        ("users", "date_joined__gt=soon"),
        ("users", "attributes=%7B"),
        ("users", "attributes=7"),
        ("users", "groups_by_name=nobody"),
        ("users", "groups_by_pk=00000000-0000-0000-0000-000000000000"),
        ("users", "roles_by_name=nobody"),
        ("users", "roles_by_pk=00000000-0000-0000-0000-000000000000"),
        ("groups", "members_by_pk=x"),
        ("groups", "members_by_pk=999"),
        ("groups", "members_by_username=nobody"),
        ("groups", "include_users=perhaps"),
        ("tokens", "intent=dance"),
    ] {
        let reply = admin.get(&format!("/api/v3/core/{path}/?{bad}")).await;
        assert_eq!(reply.status, 400, "{bad}: {}", reply.text);
        contract().assert_valid("ValidationError", &reply.body);
        assert!(reply.body[bad.split('=').next().unwrap()][0].is_string(), "{}", reply.text);
    }
}

#[tokio::test]
async fn all_that_is_wrong_with_a_record_is_told_at_once() {
    let server = Server::start().await;
    let admin = server.admin();
    let wrong = json!({ "username": "akadmin", "email": "none", "groups": ["x"], "type": "robot" });
    let reply = admin.post("/api/v3/core/users/", &wrong).await;
    assert_eq!(reply.status, 400, "{}", reply.text);
    contract().assert_valid("ValidationError", &reply.body);
    for field in ["name", "email", "groups", "type"] {
        assert!(!reply.body[field].is_null(), "{field}: {}", reply.text);
    }
    let reply = admin.post("/api/v3/core/users/", &json!({ "username": "akadmin", "name": "" })).await;
    assert_eq!((reply.status, &reply.body), (400, &json!({ "username": ["This field must be unique."] })));
    let reply = admin.post("/api/v3/core/groups/", &json!({ "name": "authentik Admins" })).await;
    assert_eq!((reply.status, &reply.body), (400, &json!({ "name": ["This field must be unique."] })));
    let token = server.make("core/tokens", &json!({ "identifier": "x" })).await;
    assert_eq!(token["user_obj"]["username"], "akadmin", "nobody else was named");
    let reply = admin.post("/api/v3/core/tokens/", &json!({ "identifier": "x", "intent": "recovery" })).await;
    assert_eq!(reply.body, json!({ "identifier": ["This field must be unique."], "intent": ["Invalid intent recovery"] }));
    for path in ["users", "groups", "tokens"] {
        let path = format!("/api/v3/core/{path}/");
        let empty = admin.post(&path, &json!({})).await;
        let fields = empty.body.as_object().unwrap();
        assert!(
            !fields.is_empty() && fields.values().all(|e| *e == json!(["This field is required."])),
            "{path}: {}",
            empty.text
        );
        assert_eq!(admin.post(&path, &json!([])).await.status, 400);
        let text = async |kind: &'static str, body: &'static str| {
            admin.send(|http, url| http.post(url).header("content-type", kind).body(body), &path).await
        };
        refused(&text("text/plain", "{}").await, 415);
        refused(&text("application/json", "{").await, 400);
    }
}

#[tokio::test]
async fn people_are_for_superusers_and_ones_own_tokens_for_oneself() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let key = server.key(ada.pk, TokenIntent::Api, None).await;
    let client = server.client().header("authorization", &format!("Bearer {key}"));
    let nil = "00000000-0000-0000-0000-000000000000";
    for path in
        ["core/users/", "core/users/1/", "core/users/paths/", "core/groups/", &format!("core/groups/{nil}/"), "rbac/roles/"]
    {
        refused(&client.get(&format!("/api/v3/{path}")).await, 403);
        refused(&server.client().get(&format!("/api/v3/{path}")).await, 403);
    }
    for path in [
        "core/users/",
        "core/users/1/set_password/",
        "core/users/1/set_password_hash/",
        "core/users/service_account/",
        "core/groups/",
        &format!("core/groups/{nil}/add_user/"),
        "core/tokens/authentik-bootstrap-token/set_key/",
    ] {
        refused(&client.post(&format!("/api/v3/{path}"), &json!({ "password": "x", "pk": 1, "key": "x" })).await, 403);
    }
    refused(&client.get("/api/v3/core/tokens/authentik-bootstrap-token/").await, 404);
    refused(&client.get("/api/v3/core/tokens/authentik-bootstrap-token/view_key/").await, 404);
    refused(&client.delete("/api/v3/core/tokens/authentik-bootstrap-token/").await, 404);
    let made =
        client.post("/api/v3/core/tokens/", &json!({ "identifier": "mine", "user": 1, "expiring": false, "managed": "x" })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    exact("POST", "/core/tokens/", &made);
    let day = server.now() + chrono::Duration::days(1);
    let shown: chrono::DateTime<chrono::Utc> = made.body["expires"].as_str().unwrap().parse().unwrap();
    assert_eq!((&made.body["user"], shown, &made.body["managed"]), (&json!(ada.pk), day, &Value::Null), "it is hers, and ends");
    let later = (day + chrono::Duration::days(1)).to_rfc3339();
    let patched = client.patch("/api/v3/core/tokens/mine/", &json!({ "expires": later })).await;
    assert!(
        patched.status == 400 && patched.body["expires"][0].as_str().unwrap().contains("maximum lifetime"),
        "{}",
        patched.text
    );
    assert_eq!(client.patch("/api/v3/core/tokens/mine/", &json!({ "user": 1, "expiring": false })).await.body["user"], ada.pk);
    assert!(client.get("/api/v3/core/tokens/mine/").await.body["expires"].is_string(), "it still ends");
    // Who says nothing gets no more than she may have.
    let short = json!({ "attributes": { "goauthentik.io/user/token-maximum-lifetime": "minutes=10" } });
    assert_eq!(server.admin().patch(&format!("/api/v3/core/users/{}/", ada.pk), &short).await.status, 200);
    let made = client.post("/api/v3/core/tokens/", &json!({ "identifier": "brief" })).await;
    let unsaid = client.patch("/api/v3/core/tokens/mine/", &json!({ "expires": null })).await;
    for reply in [made, unsaid] {
        let ends: chrono::DateTime<chrono::Utc> =
            reply.body["expires"].as_str().unwrap_or_else(|| panic!("{}", reply.text)).parse().unwrap();
        assert_eq!(ends, server.now() + chrono::Duration::minutes(10));
    }
    assert_eq!(client.delete("/api/v3/core/tokens/brief/").await.status, 204);
    let listed = client.get("/api/v3/core/tokens/").await;
    assert!(listed.body["results"].as_array().unwrap().iter().all(|token| token["user"] == ada.pk), "{}", listed.text);
    assert_eq!(listed.body["pagination"]["count"], 2);
    let key = client.get("/api/v3/core/tokens/mine/view_key/").await.body["key"].as_str().unwrap().to_owned();
    let by_new = server.client().header("authorization", &format!("Bearer {key}"));
    assert_eq!(by_new.get("/api/v3/core/users/me/").await.body["user"]["username"], "ada");
    assert_eq!(client.delete("/api/v3/core/tokens/mine/").await.status, 204);
    refused(&by_new.get("/api/v3/core/users/me/").await, 403);
    let lasting = json!({ "attributes": { "goauthentik.io/user/token-expires": false } });
    server.change("core/users", &ada.pk.to_string(), &lasting).await;
    let made = client.post("/api/v3/core/tokens/", &json!({ "identifier": "mine", "expiring": false })).await;
    assert_eq!(made.body["expires"], Value::Null, "{}", made.text);
}

#[tokio::test]
async fn a_key_is_shown_and_replaced_and_an_event_tells_of_both() {
    let server = Server::start().await;
    let admin = server.admin();
    server.make("core/tokens", &json!({ "identifier": "machine", "key": "ignored" })).await;
    let at = "/api/v3/core/tokens/machine/";
    let shown = admin.get(&format!("{at}view_key/")).await;
    exact("GET", "/core/tokens/{identifier}/view_key/", &shown);
    assert_ne!(shown.body["key"], "ignored", "keys have a place of their own");
    let set = admin.post(&format!("{at}set_key/"), &json!({ "key": "a key of mine" })).await;
    assert_eq!((set.status, set.text.as_str()), (204, ""));
    assert_eq!(admin.get(&format!("{at}view_key/")).await.body["key"], "a key of mine");
    let me = async |key: &str| {
        let client = server.client().header("authorization", &format!("Bearer {key}"));
        client.get("/api/v3/core/users/me/").await.status
    };
    assert_eq!((me("a key of mine").await, me(shown.body["key"].as_str().unwrap()).await), (200, 403));
    assert_eq!(admin.post(&format!("{at}set_key/"), &json!({})).await.status, 400);
    server.make("core/tokens", &json!({ "identifier": "other" })).await;
    let taken = admin.post("/api/v3/core/tokens/other/set_key/", &json!({ "key": "a key of mine" })).await;
    assert_eq!((taken.status, &taken.body), (400, &json!({ "key": ["This field must be unique."] })));
    refused(&admin.post("/api/v3/core/tokens/nobody/set_key/", &json!({ "key": "x" })).await, 404);
    for (action, count) in [("secret_view", 2), ("model_updated", 1)] {
        let events = server.events(action).await;
        assert_eq!(events.len(), count, "{action}");
        assert_eq!(events[0].context["model"]["name"], "machine");
        assert!(!format!("{events:?}").contains("a key of mine"), "{events:?}");
    }
    server.clock.advance(chrono::Duration::days(2));
    refused(&admin.get(&format!("{at}view_key/")).await, 404);
    let ada = server.user("ada").await;
    server.key(ada.pk, TokenIntent::Recovery, None).await;
    let recovery = admin.get("/api/v3/core/tokens/?intent=recovery").await.body["results"][0]["identifier"].clone();
    refused(&admin.get(&format!("/api/v3/core/tokens/{}/view_key/", recovery.as_str().unwrap())).await, 404);
}

#[tokio::test]
async fn a_password_set_by_an_administrator_counts_and_ends_sessions() {
    let server = Server::start().await;
    let (admin, ada) = (server.admin(), server.user("ada").await);
    let browser = server.signed_in("ada").await;
    let at = format!("/api/v3/core/users/{}/", ada.pk);
    let set = admin.post(&format!("{at}set_password/"), &json!({ "password": "another, much longer" })).await;
    assert_eq!((set.status, set.text.as_str()), (204, ""));
    refused(&browser.get("/api/v3/core/users/me/").await, 403);
    let signs_in = async |password: &str| server.client().login("ada", password).await.body["component"] == "xak-flow-redirect";
    assert!(signs_in("another, much longer").await && !signs_in(PASSWORD).await);
    let hash = server.app.hasher().hash("hashed elsewhere").await.unwrap();
    assert_eq!(admin.post(&format!("{at}set_password_hash/"), &json!({ "password": hash })).await.status, 204);
    assert!(signs_in("hashed elsewhere").await);
    for (action, input) in [
        ("set_password", json!({})),
        ("set_password", json!({ "password": "" })),
        ("set_password_hash", json!({ "password": "plain" })),
    ] {
        let reply = admin.post(&format!("{at}{action}/"), &input).await;
        assert!(reply.status == 400 && reply.body["password"][0].is_string(), "{}", reply.text);
    }
    refused(&admin.post("/api/v3/core/users/999/set_password/", &json!({ "password": "x" })).await, 404);
    let events = server.events("password_set").await;
    assert_eq!((events.len(), &events[0].context["model"]["name"]), (2, &json!("ada")));
    assert!(!format!("{events:?}").contains("argon2"));
    assert_eq!(admin.patch(&at, &json!({ "password": "not by this way", "name": "Ada" })).await.status, 200);
    assert!(!signs_in("not by this way").await && signs_in("hashed elsewhere").await);
    let own = server.signed_in("akadmin").await;
    let csrf = own.cookie("authentik_csrf").unwrap();
    let own = own.header("x-authentik-csrf", &csrf);
    let me = own.get("/api/v3/core/users/me/").await.body["user"]["pk"].clone();
    let other = server.signed_in("akadmin").await;
    let set = own.post(&format!("/api/v3/core/users/{me}/set_password/"), &json!({ "password": "my new one" })).await;
    assert_eq!(set.status, 204, "{}", set.text);
    assert_eq!(own.get("/api/v3/core/users/me/").await.status, 200, "the session that did it goes on");
    assert_eq!(other.get("/api/v3/core/users/me/").await.status, 403);
}

#[tokio::test]
async fn an_account_that_is_switched_off_or_deleted_by_the_api_is_signed_in_no_longer() {
    let server = Server::start().await;
    let (admin, ada) = (server.admin(), server.user("ada").await);
    let at = format!("/api/v3/core/users/{}/", ada.pk);
    let browser = server.signed_in("ada").await;
    assert_eq!(admin.patch(&at, &json!({ "is_active": false })).await.status, 200);
    refused(&browser.get("/api/v3/core/users/me/").await, 403);
    assert_eq!(admin.patch(&at, &json!({ "is_active": true })).await.status, 200);
    refused(&browser.get("/api/v3/core/users/me/").await, 403);
    let browser = server.signed_in("ada").await;
    let flow = server.flow("hers", "recovery", &[]).await;
    server.make("policies/bindings", &json!({ "target": flow["pk"], "user": ada.pk, "order": 0 })).await;
    server.key(ada.pk, TokenIntent::Api, None).await;
    let used = admin.get(&format!("{at}used_by/")).await;
    exact("GET", "/core/users/{id}/used_by/", &used);
    let mut models: Vec<&str> = used.body.as_array().unwrap().iter().map(|u| u["model_name"].as_str().unwrap()).collect();
    models.sort_unstable();
    assert_eq!(models, ["policybinding", "token"]);
    assert_eq!(admin.delete(&at).await.status, 204);
    refused(&browser.get("/api/v3/core/users/me/").await, 403);
    let bound = admin.get(&format!("/api/v3/policies/bindings/?target={}", flow["pk"].as_str().unwrap())).await;
    assert_eq!(bound.body["pagination"]["count"], 0, "what was bound to her is gone: {}", bound.text);
}

#[tokio::test]
async fn a_service_account_comes_with_its_key_and_its_group() {
    let server = Server::start().await;
    let admin = server.admin();
    let path = "/api/v3/core/users/service_account/";
    let made = admin.post(path, &json!({ "name": "Backup Machine", "create_group": true })).await;
    assert_eq!(made.status, 200, "{}", made.text);
    exact("POST", "/core/users/service_account/", &made);
    let at = format!("/api/v3/core/users/{}/", made.body["user_pk"]);
    let user = admin.get(&at).await.body;
    assert_eq!((&user["type"], &user["groups"]), (&json!("service_account"), &json!([made.body["group_pk"]])));
    assert_eq!((&user["uid"], &user["path"]), (&made.body["user_uid"], &json!("goauthentik.io/service-accounts")));
    let token = admin.get("/api/v3/core/tokens/service-account-backup-machine-password/").await.body;
    assert_eq!((&token["intent"], &token["user"]), (&json!("app_password"), &made.body["user_pk"]));
    let ends: chrono::DateTime<chrono::Utc> = token["expires"].as_str().unwrap().parse().unwrap();
    assert_eq!(ends, server.now() + chrono::Duration::days(360));
    let key = admin.get("/api/v3/core/tokens/service-account-backup-machine-password/view_key/").await;
    assert_eq!(key.body["key"], made.body["token"]);
    let again = admin.post(path, &json!({ "name": "Backup Machine" })).await;
    assert_eq!((again.status, &again.body), (400, &json!({ "name": ["This field must be unique."] })));
    let lasting = admin.post(path, &json!({ "name": "lasting", "expiring": false })).await;
    assert!(lasting.status == 200 && lasting.body.get("group_pk").is_none(), "{}", lasting.text);
    assert_eq!(admin.get("/api/v3/core/tokens/service-account-lasting-password/").await.body["expires"], Value::Null);
    server.make("core/groups", &json!({ "name": "taken" })).await;
    let refused = admin.post(path, &json!({ "name": "taken", "create_group": true })).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert_eq!(admin.get("/api/v3/core/users/?username=taken").await.body["pagination"]["count"], 0, "nothing is half-made");
}

#[tokio::test]
async fn groups_gain_and_lose_members_and_show_what_surrounds_them() {
    let server = Server::start().await;
    let (admin, ada) = (server.admin(), server.user("ada").await);
    let role = server.make("rbac/roles", &json!({ "name": "guard" })).await;
    let top = server.make("core/groups", &json!({ "name": "top", "roles": [role["pk"]] })).await;
    let low = server.make("core/groups", &json!({ "name": "low", "parents": [top["pk"]] })).await;
    let at = format!("/api/v3/core/groups/{}/", low["pk"].as_str().unwrap());
    for _ in 0..2 {
        let added = admin.post(&format!("{at}add_user/"), &json!({ "pk": ada.pk })).await;
        assert_eq!((added.status, added.text.as_str()), (204, ""));
    }
    let shown = admin.get(&format!("{at}?include_parents=true&include_inherited_roles=true")).await;
    exact("GET", "/core/groups/{group_uuid}/", &shown);
    assert_eq!((&shown.body["users"], &shown.body["users_obj"][0]["username"]), (&json!([ada.pk]), &json!("ada")));
    assert_eq!((&shown.body["parents_obj"][0]["name"], &shown.body["inherited_roles_obj"]), (&json!("top"), &json!([role])));
    let plain = admin.get(&format!("{at}?include_users=false")).await.body;
    assert_eq!((&plain["users"], &plain["users_obj"]), (&json!([ada.pk]), &Value::Null));
    assert_eq!((&plain["parents_obj"], &plain["inherited_roles_obj"]), (&Value::Null, &Value::Null));
    let above = admin.get(&format!("/api/v3/core/groups/{}/?include_children=true", top["pk"].as_str().unwrap())).await.body;
    assert_eq!((&above["children"], &above["children_obj"][0]["name"]), (&json!([low["pk"]]), &json!("low")));
    let user = admin.get(&format!("/api/v3/core/users/{}/?include_groups=false&include_roles=false", ada.pk)).await.body;
    assert_eq!((&user["groups"], &user["groups_obj"], &user["roles_obj"]), (&json!([low["pk"]]), &Value::Null, &Value::Null));
    for _ in 0..2 {
        assert_eq!(admin.post(&format!("{at}remove_user/"), &json!({ "pk": ada.pk })).await.status, 204);
    }
    assert_eq!(admin.get(&at).await.body["users"], json!([]));
    assert_eq!(server.events("model_updated").await.len(), 2, "joining and leaving, once each");
    assert_eq!(admin.post(&format!("{at}add_user/"), &json!({ "pk": "x" })).await.status, 400);
    refused(&admin.post(&format!("{at}add_user/"), &json!({ "pk": 999 })).await, 404);
    let nobody = "/api/v3/core/groups/00000000-0000-0000-0000-000000000000/add_user/";
    refused(&admin.post(nobody, &json!({ "pk": ada.pk })).await, 404);
    let cycle =
        admin.patch(&format!("/api/v3/core/groups/{}/", top["pk"].as_str().unwrap()), &json!({ "parents": [low["pk"]] })).await;
    assert_eq!((cycle.status, &cycle.body), (400, &json!({ "parents": ["Cannot set group as parent of itself."] })));
}

#[tokio::test]
async fn the_folders_that_people_are_in_can_be_listed() {
    let server = Server::start().await;
    for (name, path) in [("a", "people/staff"), ("b", "people/staff"), ("c", "machines")] {
        server.make("core/users", &json!({ "username": name, "name": "", "path": path })).await;
    }
    let paths = server.admin().get("/api/v3/core/users/paths/").await;
    exact("GET", "/core/users/paths/", &paths);
    assert_eq!(paths.body, json!({ "paths": ["machines", "people/staff", "users"] }));
    assert_eq!(server.admin().get("/api/v3/core/users/paths/?search=staff").await.body, json!({ "paths": ["people/staff"] }));
}

#[tokio::test]
async fn a_change_of_a_record_and_the_event_that_tells_of_it_are_one() {
    let server = Server::start().await;
    let admin = server.admin();
    for sample in samples(&server).await {
        let before = server.events("model_created").await.len();
        let made = server.make(sample.path, &sample.two).await;
        let at = sample.at(&made);
        assert_eq!(server.events("model_created").await.len(), before + 1);
        let updated = server.events("model_updated").await.len();
        assert_eq!(admin.patch(&at, &sample.two).await.status, 200);
        assert_eq!(
            admin.patch(&at, &json!({ sample.key: "" , "username": "", "name": null, "identifier": "" })).await.status,
            400
        );
        assert_eq!(server.events("model_updated").await.len(), updated, "{}: nothing was changed", sample.path);
        let changed = admin.patch(&at, &sample.change).await.body;
        assert_eq!(server.events("model_updated").await.len(), updated + 1, "{}", sample.path);
        assert_eq!(admin.delete(&sample.at(&changed)).await.status, 204);
        let deleted = server.events("model_deleted").await;
        let told = deleted.iter().any(|e| e.context["model"]["pk"] == made["pk"] && e.user["username"] == "akadmin");
        assert!(told, "{}: {deleted:?}", sample.path);
    }
}

#[tokio::test]
async fn scores_of_sign_ins_are_listed_and_forgotten() {
    const SCORES: &str = "/api/v3/policies/reputation/scores/";
    let server = Server::start().await;
    server.user("ada").await;
    for (name, ip, wrong) in [("ada", "203.0.113.7", 2), ("ada", "203.0.113.8", 1), ("nobody", "203.0.113.8", 1)] {
        for _ in 0..wrong {
            server.client().header("x-forwarded-for", ip).login(name, "not the password").await;
        }
    }
    server.client().header("x-forwarded-for", "2001:db8::9").login("ada", PASSWORD).await;
    let admin = server.admin();
    let list = async |query: &str| {
        let reply = admin.get(&format!("{SCORES}?ordering=score&{query}")).await;
        exact("GET", "/policies/reputation/scores/", &reply);
        let rows = reply.body["results"].as_array().unwrap().clone();
        assert_eq!(reply.body["pagination"]["count"], json!(rows.len()), "{}", reply.text);
        let name =
            |row: &Value| format!("{} {} {}", row["identifier"].as_str().unwrap(), row["ip"].as_str().unwrap(), row["score"]);
        (rows.iter().map(name).collect::<Vec<_>>(), rows)
    };
    let (all, rows) = list("").await;
    assert_eq!((all.len(), all[0].as_str(), all[3].as_str()), (4, "ada 203.0.113.7 -2", "ada 2001:db8::9 1"));
    for (query, found) in [
        ("identifier=nobody", &["nobody 203.0.113.8 -1"][..]),
        ("identifier_in=nobody,eve", &["nobody 203.0.113.8 -1"]),
        ("ip=203.0.113.7", &["ada 203.0.113.7 -2"]),
        ("score=1", &["ada 2001:db8::9 1"]),
        ("search=2001:DB8", &["ada 2001:db8::9 1"]),
        ("identifier=eve", &[]),
    ] {
        assert_eq!(list(query).await.0, found, "{query}");
    }
    let odd = admin.get(&format!("{SCORES}?ip=somewhere&score=high")).await;
    assert!(odd.status == 400 && odd.body["ip"].is_array() && odd.body["score"].is_array(), "{}", odd.text);
    let one = format!("{SCORES}{}/", rows[0]["pk"].as_str().unwrap());
    let read = admin.get(&one).await;
    exact("GET", "/policies/reputation/scores/{reputation_uuid}/", &read);
    assert_eq!(read.body, rows[0]);
    let users = admin.get(&format!("{one}used_by/")).await;
    exact("GET", "/policies/reputation/scores/{reputation_uuid}/used_by/", &users);
    let ada = server.signed_in("ada").await;
    refused(&ada.get(SCORES).await, 403);
    refused(&ada.get(&one).await, 403);
    assert_eq!(admin.delete(&one).await.status, 204);
    refused(&admin.delete(&one).await, 404);
    refused(&admin.get(&one).await, 404);
    refused(&admin.get(&format!("{SCORES}nonsense/")).await, 404);
    assert_eq!(list("ip=203.0.113.7").await.0, [""; 0]);
}
