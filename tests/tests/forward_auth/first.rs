//! README, "Your first application in five minutes": its files as they are, on other ports.

use std::path::Path;
use std::process::Stdio;

use ak_tests::party::python;
use ak_tests::program::Home;
use ak_tests::reverse_proxy::{Echo, Program, ReverseProxy, free_port};
use ak_tests::server::PASSWORD;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::parties::Browser;

const PACKAGES: [&str; 3] = ["authlib==1.9.9", "flask==3.1.3", "requests==2.34.2"];

fn example(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)).expect("the example is there")
}

/// The client of the example, once it listens.
async fn client(home: &Home, issuer: &str, port: u16) -> Child {
    let script = home.path().join("client.py");
    std::fs::write(&script, example("client.py")).expect("a file");
    let mut child = Command::new(python(home.path(), &PACKAGES).await)
        .arg(script)
        .env("ISSUER", issuer)
        .env("PORT", port.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the client starts");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    while let Some(line) = lines.next_line().await.expect("a line") {
        if line.contains("Running on") {
            // What it says later is read, so that it never waits for us.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return child;
        }
    }
    panic!("the client ended")
}

#[tokio::test]
async fn the_first_applications_of_readme_work_as_printed() {
    let home = Home::new().with("AUTHENTIK_BOOTSTRAP_PASSWORD", PASSWORD);
    let served = home.serve().await;
    let (address, notes, by_itself) = (served.url.replace("127.0.0.1", "localhost"), free_port(), free_port());
    let blueprint =
        example("first-application.yaml").replace(":8080", &format!(":{notes}")).replace(":8081", &format!(":{by_itself}"));
    let file = home.path().join("first-application.yaml");
    std::fs::write(&file, blueprint).expect("a file");
    let applied = home.run(&["blueprint", "apply", &file.display().to_string()]).await;
    assert!(applied.succeeded(), "{applied:?}");
    let application = Echo::start().await;
    let caddyfile = example("Caddyfile")
        .replace(":8080", &format!(":{notes}"))
        .replace("localhost:9000", address.strip_prefix("http://").unwrap())
        .replace("localhost:8082", &application.address.to_string());
    let _caddy = ReverseProxy::start(Program::Caddy, &format!("{{\n\tadmin off\n}}\n{caddyfile}")).await;

    // The first sign-in of an administrator says where this installation is.
    let browser = Browser::knowing("notes.localhost", notes);
    let page = browser.go(&format!("{address}/"), &[]).await;
    let home_page = browser.sign_in(&page, "akadmin").await;
    assert!(home_page.reply.text.contains("Notes") && home_page.reply.text.contains("Client"), "{}", home_page.reply.text);
    let deep = format!("http://notes.localhost:{notes}/a/page?with=query");
    let read = browser.go(&deep, &[("X-Authentik-Username", "somebody")]).await;
    assert_eq!(read.url.as_str(), deep);
    assert_eq!(read.saw("x-authentik-username"), json!(["akadmin"]), "{}", read.reply.text);
    assert!(read.saw("x-authentik-groups").to_string().contains("Notes readers"), "{}", read.reply.text);

    // Who is not in the group is told so, with a reference that leads to the reason.
    let made = home.run_with(&["user", "create", "bob", "--password"], &format!("{PASSWORD}\n")).await;
    assert!(made.succeeded(), "{made:?}");
    let browser_of_bob = Browser::knowing("notes.localhost", notes);
    let page = browser_of_bob.go(&deep, &[]).await;
    let denied = browser_of_bob.sign_in(&page, "bob").await;
    assert!(denied.reply.text.contains("Access denied") && denied.reply.text.contains("Reference"), "{}", denied.reply.text);
    let reference = denied.reply.header("x-authentik-id");
    let explained = home.run(&["policy", "explain", reference]).await;
    assert!(explained.succeeded() && explained.out.contains("Notes readers"), "{explained:?}");

    // The application that speaks OpenID Connect knows her without another sign-in.
    let _client = client(&home, &format!("{address}/application/o/first-client/"), by_itself).await;
    let known = browser.go(&format!("http://localhost:{by_itself}/"), &[]).await;
    assert_eq!(known.reply.body["preferred_username"], "akadmin", "{}", known.reply.text);
}
