//! The kit against a page of its own.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::Query;
use axum::response::Html;
use axum::routing::get;
use rustix::process::{Pid, test_kill_process_group};
use thirtyfour::By;

use super::process::naming;
use super::{Browser, Look};

const PAGE: &str = r#"<!doctype html><title>served</title>
<meta name="viewport" content="width=device-width">
<form action="/answer"><input name="word"><button>Go</button></form>
<noscript><p id="plain">no script here</p></noscript>
<script>document.title = "scripted"</script>"#;

fn pages() -> Router {
    let answer = |Query(form): Query<Vec<(String, String)>>| async move { Html(format!("<title>{form:?}</title>")) };
    Router::new().route("/", get(|| async { Html(PAGE) })).route("/answer", get(answer))
}

async fn served() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, pages()).await });
    address
}

#[tokio::test]
async fn scripts_run() {
    let browser = Browser::open(Look::desktop()).await;
    browser.goto(format!("http://{}/", served().await)).await.unwrap();
    assert_eq!(browser.title().await.unwrap(), "scripted");
    assert!(browser.find(By::Id("plain")).await.is_err());
}

#[tokio::test]
async fn without_javascript_no_script_runs_and_forms_still_work() {
    let browser = Browser::open(Look::desktop().without_javascript()).await;
    browser.goto(format!("http://{}/", served().await)).await.unwrap();
    assert_eq!(browser.title().await.unwrap(), "served");
    assert_eq!(browser.find(By::Id("plain")).await.unwrap().text().await.unwrap(), "no script here");
    browser.find(By::Name("word")).await.unwrap().send_keys("hello").await.unwrap();
    browser.leave_by(&browser.find(By::Tag("button")).await.unwrap()).await.unwrap();
    assert_eq!(browser.title().await.unwrap(), r#"[("word", "hello")]"#);
}

#[tokio::test]
async fn a_look_is_what_the_page_sees() {
    let address = served().await;
    for (look, expected, size) in
        [(Look::desktop(), "1280x900 light", (1280, 900)), (Look::phone().dark(), "390x844 dark", (390, 844))]
    {
        let browser = Browser::open(look).await;
        browser.goto(format!("http://{address}/")).await.unwrap();
        let script =
            "return `${innerWidth}x${innerHeight} ${matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'}`";
        let seen: String = browser.execute(script, Vec::new()).await.unwrap().convert().unwrap();
        assert_eq!(seen, expected);
        let picture = tokio::fs::read(browser.screenshot(&format!("kit-{}", look.scheme())).await).await.unwrap();
        // A PNG's header holds its width and height after sixteen bytes.
        let number = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().unwrap());
        assert_eq!((number(16), number(20)), size);
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_accepted_only_on_request() {
    crate::install_crypto_provider();
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (own.cert.der().to_vec(), own.signing_key.serialize_der());
    let tls = axum_server::tls_rustls::RustlsConfig::from_der(vec![certificate], key).await.unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let server = axum_server::from_tcp_rustls(listener, tls).unwrap();
    tokio::spawn(server.serve(pages().into_make_service()));

    let trusting = Browser::open(Look::desktop().any_certificate()).await;
    trusting.goto(&address).await.unwrap();
    assert_eq!(trusting.title().await.unwrap(), "scripted");

    let careful = Browser::open(Look::desktop()).await;
    careful.goto(&address).await.unwrap();
    assert!(careful.source().await.unwrap().contains("ERR_CERT_AUTHORITY_INVALID"));
}

#[tokio::test]
async fn nothing_is_left_when_a_story_panics() {
    let (say, said) = tokio::sync::oneshot::channel();
    let story = tokio::spawn(async {
        let browser = Browser::open(Look::desktop()).await;
        let group = Pid::from_raw(i32::try_from(browser.process_group()).unwrap()).unwrap();
        assert!(test_kill_process_group(group).is_ok());
        // The crash handlers too, which are not in the group.
        assert!(naming(browser._profile.path()).len() > 2);
        say.send((group, browser._profile.path().to_owned())).unwrap();
        panic!("a story that fails");
    });
    let (group, profile) = said.await.unwrap();
    assert!(story.await.unwrap_err().is_panic());
    assert_eq!(test_kill_process_group(group), Err(rustix::io::Errno::SRCH));
    assert_eq!(naming(&profile), []);
    assert!(!profile.exists());
}

#[tokio::test]
async fn a_story_may_close_the_session_itself() {
    let browser = Browser::open(Look::desktop()).await;
    browser.clone().quit().await.unwrap();
}
