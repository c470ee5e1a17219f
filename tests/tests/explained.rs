//! Who was refused is told a reference, by which `ak policy explain` tells why.

use ak_tests::program::{Ended, Home, Served};
use ak_tests::server::{Client, LOGIN, PASSWORD, Reply, TOKEN};
use serde_json::{Value, json};

/// An installation whose programs share a folder.
struct House {
    home: Home,
    served: Served,
    admin: Client,
}

impl House {
    async fn open() -> Self {
        let home = Home::new().with("AUTHENTIK_BOOTSTRAP_PASSWORD", PASSWORD).with("AUTHENTIK_BOOTSTRAP_TOKEN", TOKEN);
        let served = home.serve().await;
        let admin = served.client().header("authorization", &format!("Bearer {TOKEN}"));
        Self { home, served, admin }
    }

    async fn make(&self, collection: &str, object: &Value) -> Value {
        let made = self.admin.post(&format!("/api/v3/{collection}/"), object).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.body
    }

    /// Binds an expression.
    async fn bind(&self, target: &Value, order: i64, expression: &str) {
        let name = format!("policy {order}");
        let policy = self.make("policies/expression", &json!({ "name": name, "expression": expression })).await;
        self.make("policies/bindings", &json!({ "target": target, "policy": policy["pk"], "order": order })).await;
    }

    /// A flow of one stage that anybody may begin: the flow, and the binding of the stage.
    async fn flow(&self, slug: &str, stage: &Value) -> (Value, Value) {
        let object = json!({ "name": slug, "slug": slug, "title": slug, "designation": "stage_configuration" });
        let flow = self.make("flows/instances", &object).await;
        let binding = json!({ "target": flow["pk"], "stage": stage["pk"], "order": 0 });
        (flow, self.make("flows/bindings", &binding).await)
    }

    async fn explain(&self, reference: &str) -> Ended {
        self.home.run(&["policy", "explain", reference]).await
    }

    /// What is told of the reference that an answer bears.
    async fn told(&self, reply: &Reply) -> String {
        let ended = self.explain(reply.header("x-authentik-id")).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.out
    }
}

/// Whether these parts come one after the other.
#[track_caller]
fn in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("there is no {part:?}, or not there, in {text}"));
        rest = &rest[at + part.len()..];
    }
}

const CLOSED: &str = r#"// rhai
if user.username == "akadmin" {
    ak_logger.warning("came too late", #{hour: 20});
    ak_message("The office is closed.");
    return false;
}
true
"#;

const BROKEN: &str = "// rhai\nlet names = [];\nnames[3]";

#[tokio::test]
async fn a_login_that_a_policy_denies_is_explained_by_the_reference_on_its_page() {
    let house = House::open().await;
    let flow = house.admin.get("/api/v3/flows/instances/default-authentication-flow/").await.body["pk"].clone();
    house.bind(&flow, 10, CLOSED).await;
    house.bind(&flow, 20, BROKEN).await;
    let groups = house.admin.get("/api/v3/core/groups/?name=authentik%20Admins").await;
    let group = &groups.body["results"][0]["pk"];
    house.make("policies/bindings", &json!({ "target": flow, "group": group, "order": 30, "negate": true })).await;

    // As a page.
    let client = house.served.client();
    let page = client.follow("/").await;
    let sent = client.submit(&page, &[("uid_field", "akadmin")]).await;
    let denied = client.follow(sent.location()).await;
    let reference = denied.header("x-authentik-id").to_owned();
    assert_eq!(denied.status, 403, "{}", denied.text);
    assert!(denied.text.contains("The office is closed.") && denied.text.contains(&reference), "{}", denied.text);
    let told = house.told(&denied).await;
    let trace = [
        &format!("reference {reference}, "),
        "the flow default-authentication-flow, asked for by akadmin from 127.0.0.1\n",
        "the policies of the flow refuse\n",
        "refused, because of an error\n",
        "  10. the policy policy 10 (binding ",
        "): no (",
        " µs)\n     says: The office is closed.\n     warning: came too late hour=20\n",
        "  20. the policy policy 20 (binding ",
        "): failed: Array index 3 out of bounds",
        "(line 3, column 7); no instead (",
        "  30. the group authentik Admins (binding ",
        "): no after negate (",
    ];
    in_order(&told, &trace);

    // By the executor.
    let path = format!("{LOGIN}?query=");
    let client = house.served.client();
    client.follow(&path).await;
    let challenge = client.answer(&path, &json!({ "component": "ak-stage-identification", "uid_field": "akadmin" })).await;
    assert_eq!(challenge.body["component"], "ak-stage-access-denied", "{}", challenge.text);
    assert_eq!(challenge.body["error_message"], "The office is closed.");
    assert_eq!(challenge.body["request_id"], challenge.header("x-authentik-id"));
    in_order(&house.told(&challenge).await, &trace[1..]);

    // Of what nobody was refused, and of what is no reference, nothing is told.
    for unknown in [house.admin.get("/api/v3/core/users/me/").await.header("x-authentik-id"), "x", "'; --"] {
        let ended = house.explain(unknown).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.refusal().starts_with(&format!("nothing is known of {unknown}: ")), "{ended:?}");
    }

    // The server need not run.
    let House { home, served, .. } = house;
    served.stop().await;
    let ended = home.run(&["policy", "explain", &reference]).await;
    assert_eq!(ended.out, told, "{ended:?}");
}

#[tokio::test]
async fn stages_that_refuse_and_stages_that_cannot_be_decided_about_are_explained() {
    let house = House::open().await;
    let client = house.served.client();
    let no = house.make("stages/deny", &json!({ "name": "never", "deny_message": "Not today." })).await;
    house.flow("denies", &no).await;
    let page = client.get("/if/flow/denies/").await;
    assert!(page.status == 403 && page.text.contains("Not today."), "{}", page.text);
    let told = house.told(&page).await;
    in_order(&told, &["the flow denies, asked for by nobody that is known from ", "\nthe stage never refuses: Not today."]);

    let dummy = house.make("stages/dummy", &json!({ "name": "guarded" })).await;
    let (_, binding) = house.flow("breaks", &dummy).await;
    house.bind(&binding["pk"], 7, "# python\nreturn context[\"age\"] > 17").await;
    let page = client.get("/if/flow/breaks/").await;
    assert_eq!(page.status, 403, "{}", page.text);
    let told = house.told(&page).await;
    in_order(
        &told,
        &[
            "the flow breaks",
            "\na policy of the stage guarded failed to decide\n",
            "failed: KeyError: 'age' (line 2); no instead",
        ],
    );

    let nobody = json!({ "authentication": "require_superuser" });
    house.admin.patch("/api/v3/flows/instances/breaks/", &nobody).await;
    let page = client.get("/if/flow/breaks/").await;
    in_order(&house.told(&page).await, &["the flow breaks", "\nthe flow asks for another state of authentication"]);
}

#[tokio::test]
async fn an_application_that_refuses_is_explained() {
    let house = House::open().await;
    let object = json!({ "name": "Wiki", "slug": "wiki", "meta_launch_url": "https://wiki.example.org/" });
    let application = house.make("core/applications", &object).await;
    let user = json!({ "username": "eve", "name": "Eve", "type": "external" });
    let user = house.make("core/users", &user).await;
    let set = format!("/api/v3/core/users/{}/set_password/", user["pk"]);
    assert_eq!(house.admin.post(&set, &json!({ "password": PASSWORD })).await.status, 204);
    let brands = house.admin.get("/api/v3/core/brands/").await;
    let brand = brands.body["results"][0]["brand_uuid"].as_str().expect("a brand").to_owned();
    let change = json!({ "default_application": application["pk"] });
    let changed = house.admin.patch(&format!("/api/v3/core/brands/{brand}/"), &change).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let client = house.served.client();
    client.login("eve", PASSWORD).await;
    let open = client.get("/if/user/").await;
    assert_eq!((open.status, open.location()), (303, "https://wiki.example.org/"), "{}", open.text);

    house.make("policies/bindings", &json!({ "target": application["pk"], "user": 1, "order": 4 })).await;
    let page = client.get("/if/user/").await;
    assert_eq!(page.status, 403, "{}", page.text);
    assert!(page.text.contains(page.header("x-authentik-id")), "{}", page.text);
    let told = house.told(&page).await;
    in_order(
        &told,
        &["the application Wiki, asked for by eve from ", "\nrefused\n  4. the account akadmin (binding ", "): no ("],
    );
    assert!(!told.contains(PASSWORD), "{told}");
}
