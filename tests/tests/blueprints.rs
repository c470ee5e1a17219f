//! Blueprints as people use them: by the API, at the command line, as files in a folder.

use std::time::Duration;

use ak_tests::program::{Home, Served};
use ak_tests::server::{Client, PASSWORD, Reply, Server, TOKEN};
use serde_json::{Value, json};

const INSTANCES: &str = "/api/v3/managed/blueprints/";
const SIGN_UP: &str = include_str!("../examples/sign-up.yaml");

fn flow(slug: &str, title: &str) -> String {
    format!(
        "version: 1\nentries:\n  - model: authentik_flows.flow\n    identifiers: {{ slug: {slug} }}\n    attrs:\n      name: {slug}\n      title: {title}\n      designation: enrollment\n"
    )
}

async fn title(admin: &Client, slug: &str) -> Option<Value> {
    let reply = admin.get(&format!("/api/v3/flows/instances/{slug}/")).await;
    (reply.status == 200).then(|| reply.body["title"].clone())
}

async fn upload(admin: &Client, fields: &[(&str, &str)]) -> Reply {
    let mut body = String::new();
    for (name, text) in fields {
        let file = if *name == "file" { "; filename=\"blueprint.yaml\"\r\nContent-Type: application/yaml" } else { "" };
        body.push_str(&format!("--boundary\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{text}\r\n"));
    }
    body.push_str("--boundary--\r\n");
    let content_type = "multipart/form-data; boundary=boundary";
    let path = format!("{INSTANCES}import/");
    admin.send(|http, url| http.post(url).header("content-type", content_type).body(body), &path).await
}

// --- by the API -----------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_blueprint_is_kept_applied_and_a_wrong_one_changes_nothing() {
    let server = Server::start().await;
    let admin = server.admin();
    let made = admin.post(INSTANCES, &json!({ "name": "one", "content": flow("one", "First") })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.body["status"], "successful");
    assert_eq!(made.body["managed_models"], json!(["authentik_flows.flow"]));
    assert!(!made.body["last_applied_hash"].as_str().unwrap().is_empty());
    assert_eq!(title(&admin, "one").await, Some(json!("First")));
    let path = format!("{INSTANCES}{}/", made.body["pk"].as_str().unwrap());

    let wrong = flow("one", "Second").replace("designation: enrollment", "designation: nonsense");
    let refused = admin.patch(&path, &json!({ "content": wrong })).await;
    assert_eq!(refused.status, 400);
    let expected = "content:8:20: entries[0].attrs.designation: \"nonsense\" is not a valid choice.";
    assert_eq!(refused.body, json!({ "content": [expected] }));
    assert_eq!(title(&admin, "one").await, Some(json!("First")), "nothing of it was kept");

    let changed = admin.patch(&path, &json!({ "content": flow("one", "Second") })).await;
    assert_eq!((changed.status, &changed.body["status"]), (200, &json!("successful")), "{}", changed.text);
    assert_eq!(title(&admin, "one").await, Some(json!("Second")));

    // What was changed by hand comes back when it is applied again; one that is switched off is applied only when asked to.
    admin.patch("/api/v3/flows/instances/one/", &json!({ "title": "By hand" })).await;
    let off = admin.patch(&path, &json!({ "enabled": false })).await;
    assert_eq!((off.status, title(&admin, "one").await), (200, Some(json!("By hand"))));
    let applied = admin.post(&format!("{path}apply/"), &json!({})).await;
    assert_eq!((applied.status, title(&admin, "one").await), (200, Some(json!("Second"))), "{}", applied.text);

    // Each change told who made it.
    let mut repo = server.store.read().await.unwrap();
    let events = repo.events().list(&Default::default(), ak_store::records::Page::ALL).await.unwrap();
    let told = events.iter().filter(|event| event.context.get("blueprint").is_some_and(|by| by == "one"));
    let told: Vec<_> = told.map(|event| (event.action.as_str(), event.user["username"].as_str().unwrap())).collect();
    // All at one moment of the test's clock: in no particular order.
    assert_eq!(told.iter().filter(|(action, _)| *action == "model_created").count(), 1, "{told:?}");
    assert_eq!(told.iter().filter(|told| **told == ("model_updated", "akadmin")).count(), 2, "{told:?}");
}

#[tokio::test]
async fn a_blueprint_by_path_is_one_of_those_that_are_there() {
    let server = Server::start().await;
    let admin = server.admin();
    let available = admin.get(&format!("{INSTANCES}available/")).await;
    let paths: Vec<&str> = available.body.as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert!(paths.contains(&"default/flow-default-authentication-flow.yaml"), "{paths:?}");
    for (path, why) in
        [("default/none.yaml", "No such file"), ("../../etc/passwd", "nowhere else"), ("/etc/passwd", "nowhere else")]
    {
        let refused = admin.post(INSTANCES, &json!({ "name": "one", "path": path })).await;
        assert_eq!(refused.status, 400, "{path}: {}", refused.text);
        let said = refused.body["path"][0].as_str().unwrap();
        assert!(said.contains(why) || said.contains("No such file"), "{path}: {said}");
    }
    let neither = admin.post(INSTANCES, &json!({ "name": "one" })).await;
    assert_eq!((neither.status, neither.body["path"].is_array()), (400, true), "{}", neither.text);
}

#[tokio::test]
async fn an_upload_is_applied_once_and_may_not_read_the_servers_disk() {
    let server = Server::start().await;
    let admin = server.admin();
    let done = upload(&admin, &[("file", SIGN_UP), ("context", "{\"slug\": \"join\", \"title\": \"Join us\"}")]).await;
    assert_eq!((done.status, &done.body["success"]), (200, &json!(true)), "{}", done.text);
    assert_eq!(title(&admin, "join").await, Some(json!("Join us")));
    let again = upload(&admin, &[("file", SIGN_UP), ("context", "{\"slug\": \"join\", \"title\": \"Join us\"}")]).await;
    let logs = again.body["logs"].as_array().unwrap();
    assert!(logs.iter().all(|log| log["event"].as_str().unwrap().ends_with("as it should be")), "{}", again.text);

    let curious = flow("curious", "!File /etc/hostname");
    let refused = upload(&admin, &[("file", &curious)]).await;
    assert_eq!((refused.status, &refused.body["success"]), (200, &json!(false)), "{}", refused.text);
    assert!(refused.body["logs"][0]["event"].as_str().unwrap().contains("!File works only"), "{}", refused.text);
    assert_eq!(title(&admin, "curious").await, None);

    let shipped = upload(&admin, &[("path", "default/flow-default-invalidation-flow.yaml")]).await;
    assert_eq!(shipped.body["success"], true, "{}", shipped.text);
    assert_eq!(upload(&admin, &[("context", "{}")]).await.status, 400);
    assert_eq!(upload(&admin, &[("file", "a"), ("context", "[")]).await.status, 400);
}

#[tokio::test]
async fn a_flow_that_was_exported_can_be_imported() {
    let server = Server::start().await;
    let admin = server.admin();
    let export = admin.get("/api/v3/flows/instances/default-authentication-flow/export/").await;
    assert_eq!(export.status, 200);
    assert_eq!(export.header("content-disposition"), "attachment; filename=\"flow-default-authentication-flow.yaml\"");
    let other = Server::start().await;
    let there = other.admin();
    there.delete("/api/v3/flows/instances/default-authentication-flow/").await;
    let import = upload(&there, &[("file", &export.text)]).await;
    assert_eq!(import.body["success"], true, "{}", import.text);
    // It works: the administrator can sign in by it again.
    let client = other.client();
    let signed_in = client.login("akadmin", PASSWORD).await;
    assert_eq!(signed_in.body["component"], "xak-flow-redirect", "{}", signed_in.text);
    assert_eq!(admin.get("/api/v3/flows/instances/none/export/").await.status, 404);
}

// --- at the command line --------------------------------------------------------------------------------------------------

#[tokio::test]
async fn at_the_command_line_a_plan_is_shown_applied_and_then_empty() {
    let home = Home::new().with("AUTHENTIK_BOOTSTRAP_PASSWORD", PASSWORD);
    home.serve().await.stop().await;
    let file = home.path().join("sign-up.yaml");
    std::fs::write(&file, SIGN_UP).expect("the file");

    let plan = home.run(&["blueprint", "plan", "sign-up.yaml"]).await;
    assert!(plan.succeeded(), "{}", plan.err);
    assert!(plan.out.contains("  + authentik_flows.flow sign-up  (sign-up.yaml:"), "{}", plan.out);
    assert!(plan.out.contains("      title: \"Create an account\""), "{}", plan.out);
    assert!(plan.out.contains("28 to create, 0 to change, 0 to delete"), "{}", plan.out);
    let applied = home.run(&["blueprint", "apply", "sign-up.yaml"]).await;
    assert_eq!(applied.out, plan.out);
    let again = home.run(&["blueprint", "plan", "sign-up.yaml"]).await;
    assert!(again.out.contains("0 to create, 0 to change, 0 to delete, 28 as they should be"), "{}", again.out);

    let broken = SIGN_UP.replace("type: email", "type: e-mail").replace("title: !Context title", "title: Changed");
    let line = 1 + broken.lines().position(|line| line.contains("e-mail")).expect("the line");
    std::fs::write(&file, &broken).expect("the file");
    let refused = home.run(&["blueprint", "apply", "sign-up.yaml"]).await;
    let expected = format!("sign-up.yaml:{line}:13: entries[7].attrs.type: \"e-mail\" is not a valid choice.");
    assert_eq!(refused.refusal(), expected);
    std::fs::write(&file, SIGN_UP).expect("the file");
    assert_eq!(home.run(&["blueprint", "plan", "sign-up.yaml"]).await.out, again.out, "nothing of it was kept");

    // An edit of a default object is shown, and stays.
    std::fs::write(&file, flow("default-authentication-flow", "Come in").replace("enrollment", "authentication"))
        .expect("the file");
    assert!(home.run(&["blueprint", "apply", "sign-up.yaml"]).await.succeeded());
    let kept = home.run(&["blueprint", "plan", "default/flow-default-authentication-flow.yaml"]).await;
    assert!(kept.out.contains("title: stays \"Come in\"; the blueprint has"), "{}", kept.out);
    home.serve().await.stop().await;
    let export = home.run(&["blueprint", "export", "--flow", "default-authentication-flow"]).await;
    assert!(export.out.contains("title: \"Come in\""), "{}", export.out);

    // Everything, written down, is what is there.
    let whole = home.run(&["blueprint", "export", "--output", "all.yaml"]).await;
    assert!(whole.succeeded(), "{}", whole.err);
    let plan = home.run(&["blueprint", "plan", "all.yaml"]).await;
    assert!(plan.out.contains("0 to create, 0 to change, 0 to delete"), "{}{}", plan.out, plan.err);
    assert!(home.run(&["blueprint", "plan", "none.yaml"]).await.refusal().contains("No such file"));
}

// --- in a folder ----------------------------------------------------------------------------------------------------------

/// The instance of a file, once it is as wanted.
async fn instance(served: &Served, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let admin = served.client().header("authorization", &format!("Bearer {TOKEN}"));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let reply = admin.get(&format!("{INSTANCES}?path={path}")).await;
        let found = &reply.body["results"][0];
        if wanted(found) {
            return found.clone();
        }
        assert!(tokio::time::Instant::now() < deadline, "{}\n{}", reply.text, served.program.log());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_folder_of_blueprints_is_kept_applied() {
    let home = Home::new().with("AUTHENTIK_BOOTSTRAP_PASSWORD", PASSWORD).with("AUTHENTIK_BOOTSTRAP_TOKEN", TOKEN);
    let folder = home.path().join("blueprints");
    std::fs::create_dir_all(folder.join("mounted")).expect("the folder");
    std::fs::write(folder.join("mounted/one.yaml"), flow("one", "First")).expect("the file");
    std::fs::write(folder.join("example.yaml"), SIGN_UP).expect("the file");
    let home = home.with("AUTHENTIK_BLUEPRINTS_DIR", folder.to_str().expect("a path"));
    let served = home.serve().await;
    let admin = served.client().header("authorization", &format!("Bearer {TOKEN}"));

    // One that was there at the start.
    instance(&served, "mounted/one.yaml", |found| found["status"] == "successful").await;
    assert_eq!(title(&admin, "one").await, Some(json!("First")));
    assert_eq!(title(&admin, "sign-up").await, None, "an example is there to be asked for");
    // One that changes, and one that comes.
    std::fs::write(folder.join("mounted/one.yaml"), flow("one", "Second")).expect("the file");
    std::fs::write(folder.join("two.yml"), flow("two", "Other")).expect("the file");
    instance(&served, "two.yml", |found| found["status"] == "successful").await;
    let first = instance(&served, "mounted/one.yaml", |found| found["status"] == "successful").await;
    assert_eq!(title(&admin, "one").await, Some(json!("Second")), "{first}");
    // One that breaks changes nothing, and says where.
    std::fs::write(folder.join("two.yml"), flow("two", "Broken").replace("enrollment", "[")).expect("the file");
    let broken = instance(&served, "two.yml", |found| found["status"] == "error").await;
    assert!(broken["last_error"].as_str().expect("a text").starts_with("two.yml:8:"), "{broken}");
    assert_eq!(title(&admin, "two").await, Some(json!("Other")));
    // One that goes leaves what it made.
    std::fs::remove_file(folder.join("two.yml")).expect("the file");
    instance(&served, "two.yml", |found| found["status"] == "orphaned").await;
    assert_eq!(title(&admin, "two").await, Some(json!("Other")));
    served.stop().await;
}
