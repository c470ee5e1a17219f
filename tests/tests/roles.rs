//! Roles: who has them, and what they permit.

use ak_tests::contract::{Mode, contract};
use ak_tests::server::{Reply, Server};
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

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn names(reply: &Reply) -> Vec<&str> {
    let results = reply.body["results"].as_array().unwrap_or_else(|| panic!("no list: {}", reply.text));
    results.iter().map(|row| text(&row["name"])).collect()
}

/// The role `name`.
async fn role(server: &Server, name: &str) -> String {
    text(&server.make("rbac/roles", &json!({ "name": name })).await["pk"]).to_owned()
}

#[tokio::test]
async fn a_role_is_given_to_accounts_and_groups_and_taken_again() {
    let server = Server::start().await;
    let (admin, ada) = (server.admin(), server.user("ada").await);
    let (guard, cook) = (role(&server, "guard").await, role(&server, "cook").await);
    let top = server.make("core/groups", &json!({ "name": "top", "roles": [cook] })).await;
    let low = server.make("core/groups", &json!({ "name": "low", "parents": [top["pk"]], "users": [ada.pk] })).await;
    let at = format!("/api/v3/rbac/roles/{guard}/");
    for _ in 0..2 {
        let given = admin.post(&format!("{at}add_user/"), &json!({ "pk": ada.pk })).await;
        assert_eq!((given.status, given.text.as_str()), (204, ""));
    }
    let user = admin.get(&format!("/api/v3/core/users/{}/", ada.pk)).await;
    exact("GET", "/core/users/{id}/", &user);
    assert_eq!((&user.body["roles"], &user.body["roles_obj"][0]["name"]), (&json!([guard]), &json!("guard")));
    let client = server.signed_in("ada").await;
    let me = client.get("/api/v3/core/users/me/").await;
    exact("GET", "/core/users/me/", &me);
    assert_eq!(me.body["user"]["roles"], json!([{ "name": "cook", "pk": cook }, { "name": "guard", "pk": guard }]));
    let list = async |query: &str| admin.get(&format!("/api/v3/rbac/roles/?{query}")).await;
    let (pk, low) = (ada.pk, text(&low["pk"]));
    for (query, wanted) in [
        (String::new(), &["cook", "guard"][..]),
        ("ordering=-name".into(), &["guard", "cook"]),
        ("search=GU".into(), &["guard"]),
        ("name=cook".into(), &["cook"]),
        ("managed__isnull=true".into(), &["cook", "guard"]),
        ("managed__isnull=false".into(), &[]),
        ("managed=x".into(), &[]),
        (format!("users={pk}"), &["guard"]),
        (format!("users={pk}&inherited=true"), &["cook", "guard"]),
        (format!("groups={}", text(&top["pk"])), &["cook"]),
        (format!("groups={low}"), &[]),
        (format!("groups={low}&inherited=true"), &["cook"]),
        (format!("groups={low}&inherited=true&users={pk}"), &["cook"]),
        (format!("groups={low}&users={pk}"), &[]),
    ] {
        let found = list(&query).await;
        exact("GET", "/rbac/roles/", &found);
        assert_eq!(names(&found), wanted, "{query}");
    }
    for bad in ["users=x", "users=999", "groups=x", "groups=00000000-0000-0000-0000-000000000000", "inherited=perhaps"] {
        assert_eq!(list(bad).await.status, 400, "{bad}");
    }
    for _ in 0..2 {
        assert_eq!(admin.post(&format!("{at}remove_user/"), &json!({ "pk": ada.pk })).await.status, 204);
    }
    assert!(names(&list(&format!("users={pk}")).await).is_empty());
    assert_eq!(server.events("model_updated").await.len(), 2, "given and taken, once each");
    refused(&admin.post(&format!("{at}add_user/"), &json!({ "pk": 999 })).await, 404);
    refused(&admin.post("/api/v3/rbac/roles/x/add_user/", &json!({ "pk": ada.pk })).await, 404);
    refused(&client.get("/api/v3/rbac/roles/").await, 403);
    assert_eq!(admin.delete(&format!("/api/v3/rbac/roles/{cook}/")).await.status, 204);
    assert_eq!(admin.get(&format!("/api/v3/core/groups/{}/", text(&top["pk"]))).await.body["roles"], json!([]));
    assert_eq!(client.get("/api/v3/core/users/me/").await.body["user"]["roles"], json!([]));
}

#[tokio::test]
async fn permissions_follow_from_what_there_is() {
    let server = Server::start().await;
    let (admin, guard) = (server.admin(), role(&server, "guard").await);
    let list = async |query: &str| admin.get(&format!("/api/v3/rbac/permissions/?{query}")).await;
    let all = list("page_size=100").await;
    exact("GET", "/rbac/permissions/", &all);
    let kinds = server.store.snapshot().registry().kinds().len() as u64;
    assert!(all.body["pagination"]["count"].as_u64().unwrap() > 4 * (kinds + 3), "{}", all.body["pagination"]);
    for verb in ["view", "add", "change", "delete"] {
        let found = list(&format!("codename={verb}_flow")).await;
        assert_eq!(found.body["pagination"]["count"], 1, "{verb}");
        assert_eq!(found.body["results"][0]["app_label"], "authentik_flows");
    }
    for (query, count) in [
        ("content_type__model=user&content_type__app_label=authentik_core", 8),
        ("content_type__model=user&content_type__app_label=authentik_flows", 0),
        ("search=impersonate", 1),
        ("codename=nothing", 0),
    ] {
        assert_eq!(list(query).await.body["pagination"]["count"], count, "{query}");
    }
    assert_eq!(list(&format!("role={guard}")).await.body["pagination"]["count"], 0);
    assert_eq!(list("role=00000000-0000-0000-0000-000000000000").await.status, 400);
    let first = &list("ordering=id").await.body["results"][0];
    let one = admin.get("/api/v3/rbac/permissions/1/").await;
    exact("GET", "/rbac/permissions/{id}/", &one);
    assert_eq!(&one.body, first);
    refused(&admin.get("/api/v3/rbac/permissions/99999/").await, 404);
    refused(&server.client().get("/api/v3/rbac/permissions/").await, 403);
}

#[tokio::test]
async fn a_role_permits_what_it_was_assigned() {
    let server = Server::start().await;
    let (admin, ada, guard) = (server.admin(), server.user("ada").await, role(&server, "guard").await);
    role(&server, "idle").await;
    let flow = server.flow("guarded", "recovery", &[]).await;
    let base = "/api/v3/rbac/permissions/assigned_by_roles/";
    let assign = async |input: Value| admin.post(&format!("{base}{guard}/assign/"), &input).await;
    let done = assign(json!({ "permissions": ["authentik_rbac.access_admin_interface", "authentik_flows.view_flow"] })).await;
    assert_eq!(done.status, 200, "{}", done.text);
    exact("POST", "/rbac/permissions/assigned_by_roles/{uuid}/assign/", &done);
    assert_eq!(done.body.as_array().unwrap().len(), 2);
    let on = json!({ "permissions": ["change_flow"], "model": "authentik_flows.flow", "object_pk": flow["pk"] });
    assert_eq!(assign(on.clone()).await.status, 200);
    assert_eq!(assign(on.clone()).await.status, 200, "twice is once");
    assert_eq!(server.events("model_updated").await.len(), 2);
    let list = async |query: &str| admin.get(&format!("{base}?{query}")).await;
    let of_flows = list("model=authentik_flows.flow").await;
    exact("GET", "/rbac/permissions/assigned_by_roles/", &of_flows);
    let row = &of_flows.body["results"][0];
    assert_eq!((names(&of_flows), &row["role_pk"]), (vec!["guard"], &json!(guard)));
    assert_eq!(row["model_permissions"][0]["codename"], "view_flow");
    assert_eq!(
        (&row["object_permissions"][0]["codename"], &row["object_permissions"][0]["object_pk"]),
        (&json!("change_flow"), &flow["pk"])
    );
    for (query, wanted) in [
        (String::new(), &["guard", "idle"][..]),
        ("ordering=-name".into(), &["idle", "guard"]),
        ("model=authentik_core.user".into(), &[]),
        (format!("object_pk={}", text(&flow["pk"])), &["guard"]),
        ("object_pk=other".into(), &[]),
        ("search=idl".into(), &["idle"]),
    ] {
        assert_eq!(names(&list(&query).await), wanted, "{query}");
    }
    assert_eq!(list("model=no.such").await.status, 400);
    let objects = admin.get(&format!("/api/v3/rbac/permissions/roles/?uuid={guard}")).await;
    exact("GET", "/rbac/permissions/roles/", &objects);
    assert_eq!(
        (objects.body["pagination"]["count"].clone(), &objects.body["results"][0]["object_description"]),
        (json!(1), &json!("guarded"))
    );
    assert_eq!(
        admin.get("/api/v3/rbac/permissions/roles/?uuid=00000000-0000-0000-0000-000000000000").await.body["results"],
        json!([])
    );
    assert_eq!(admin.get(&format!("/api/v3/rbac/permissions/?role={guard}")).await.body["pagination"]["count"], 2);
    let role_at = format!("/api/v3/rbac/roles/{guard}/");
    exact("GET", "/rbac/roles/{uuid}/", &admin.get(&role_at).await);
    assert_eq!(admin.put(&role_at, &json!({ "name": "guards" })).await.status, 200);
    let client = server.signed_in("ada").await;
    let permitted = async || client.get("/api/v3/core/users/me/").await.body["user"]["system_permissions"].clone();
    assert_eq!(permitted().await, json!([]));
    assert_eq!(admin.post(&format!("{role_at}add_user/"), &json!({ "pk": ada.pk })).await.status, 204);
    assert_eq!(permitted().await, json!(["access_admin_interface"]), "a new name has kept what the role permits");
    let unassign = async |input: &Value| admin.patch(&format!("{base}{guard}/unassign/"), input).await;
    assert_eq!(unassign(&json!({ "permissions": ["authentik_rbac.access_admin_interface"] })).await.status, 204);
    assert_eq!(permitted().await, json!([]));
    assert_eq!(unassign(&on).await.status, 204);
    assert_eq!(list(&format!("object_pk={}", text(&flow["pk"]))).await.body["pagination"]["count"], 0);
    for wrong in [
        json!({}),
        json!({ "permissions": ["authentik_flows.dance"] }),
        json!({ "permissions": ["view_flow"] }),
        json!({ "permissions": ["view_flow"], "model": "authentik_core.user" }),
        json!({ "permissions": ["authentik_flows.view_flow"], "object_pk": flow["pk"] }),
        json!({ "permissions": ["view_flow"], "model": "authentik_flows.flow", "object_pk": "x" }),
    ] {
        let reply = assign(wrong.clone()).await;
        assert_eq!(reply.status, 400, "{wrong}: {}", reply.text);
    }
    refused(&admin.post(&format!("{base}x/assign/"), &json!({ "permissions": [] })).await, 404);
    refused(&client.get(base).await, 403);
    let csrf = client.cookie("authentik_csrf").unwrap();
    let by_ada = client.header("x-authentik-csrf", &csrf);
    refused(&by_ada.post(&format!("{base}{guard}/assign/"), &json!({ "permissions": ["authentik_core.view_user"] })).await, 403);
}
