//! Requests to other machines: where they may lead, and what limits them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy takes only functions marked as tests for tests, not what they share"
)]

mod kit;
#[path = "kit/peer.rs"]
mod peer;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ak_policy::dns::Dns;
use ak_policy::outbound::{Answer, Call, HttpOutbound, Outbound as _, OutboundError, OutboundOptions, Trust};
use ak_policy::{Context, Decision, Outcome, Request, Services, decide};
use ak_store::model::Pk;
use async_trait::async_trait;
use kit::House;
use peer::{Peer, ok, redirect};
use serde_json::json;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// Names, and the addresses that they have: of several the first at the first question, and so on.
#[derive(Default)]
struct Names {
    known: BTreeMap<&'static str, Vec<&'static str>>,
    asked: AtomicUsize,
}

#[async_trait]
impl Dns for Names {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        let turn = self.asked.fetch_add(1, Ordering::SeqCst);
        let found = self.known.get(name).and_then(|all| all.get(turn).or(all.last()));
        Ok(found.iter().flat_map(|all| all.split(' ')).map(|ip| ip.parse().unwrap()).collect())
    }

    async fn reverse(&self, _: IpAddr) -> Result<Option<String>, String> {
        Ok(None)
    }
}

fn client(names: &Arc<Names>, scripts: &[&str], extra_ca: Option<String>) -> HttpOutbound {
    let scripts = scripts.iter().map(|host| host.parse().unwrap()).collect();
    HttpOutbound::new(names.clone(), OutboundOptions { extra_ca, scripts, ..OutboundOptions::default() }).unwrap()
}

fn local() -> Arc<Names> {
    let known = [("one.test", vec!["127.0.0.1"]), ("two.test", vec!["127.0.0.1"]), ("both.test", vec!["127.0.0.1 1.1.1.1"])];
    Arc::new(Names { known: known.into_iter().collect(), ..Names::default() })
}

#[track_caller]
fn refused(answer: Result<Answer, OutboundError>, why: &str) {
    match answer {
        Err(OutboundError::Refused(said)) => assert!(said.contains(why), "{said}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_answer_comes_whole() {
    let peer = Peer::open(None, |path| ok(&format!("you asked for {path}"))).await;
    let client = client(&local(), &[], None);
    let mut call = Call::get(peer.url("one.test", "/a?b=c#d"), Trust::Configured).header("X-Own", "yes");
    call.body = b"body".to_vec();
    let answer = client.call(call).await.unwrap();
    assert_eq!(
        (answer.status, answer.body.as_slice(), answer.header("x-what")),
        (200, &b"you asked for /a?b=c"[..], Some("this"))
    );
    let asked = peer.asked().pop().unwrap();
    assert!(
        asked.starts_with("GET /a?b=c HTTP/1.1\r\n") && asked.contains(&format!("host: one.test:{}\r\n", peer.address.port())),
        "{asked}"
    );
    assert!(asked.contains("x-own: yes\r\n") && asked.contains("user-agent: ak/"), "{asked}");
}

#[tokio::test]
async fn what_nobody_has_configured_leads_into_the_public_network_only() {
    let peer = Peer::open(None, |_| ok("secret")).await;
    let client = client(&local(), &[], None);
    refused(client.call(Call::get(peer.url("one.test", "/"), Trust::Given)).await, "one.test is not in the public network");
    for host in ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "0", "127.0.0.1.", "127.1"] {
        let names = Arc::new(Names { known: [("localhost", vec!["127.0.0.1 ::1"])].into(), ..Names::default() });
        let outcome = self::client(&names, &[], None).call(Call::get(peer.url(host, "/"), Trust::Given)).await;
        refused(outcome, "is not in the public network");
    }
    for url in
        ["http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "http://168.63.129.16/", "https://10.0.0.1/"]
    {
        refused(client.call(Call::get(url.parse().unwrap(), Trust::Given)).await, "is not in the public network");
    }
    refused(client.call(Call::get("file:///etc/passwd".parse().unwrap(), Trust::Configured)).await, "neither http nor https");
    let nowhere = client.call(Call::get("http://nowhere.test/".parse().unwrap(), Trust::Given)).await;
    assert_eq!(nowhere, Err(OutboundError::Failed("nowhere.test has no address".into())));
    assert_eq!(peer.asked(), [""; 0]);
}

#[tokio::test]
async fn a_private_host_that_the_installation_names_may_be_called() {
    let peer = Peer::open(None, |_| ok("here")).await;
    let port = peer.address.port();
    for (named, reached) in [
        ("one.test".to_owned(), true),
        (format!("one.test:{port}"), true),
        (format!("one.test:{}", port ^ 1), false),
        ("two.test".to_owned(), false),
        ("127.0.0.1".to_owned(), false),
        // A whole domain is not a host.
        ("*.test".to_owned(), false),
    ] {
        let options = OutboundOptions { private: vec![named.parse().unwrap()], ..OutboundOptions::default() };
        let client = HttpOutbound::new(local(), options).unwrap();
        let answer = client.call(Call::get(peer.url("one.test", "/"), Trust::Given)).await;
        assert_eq!(answer.is_ok(), reached, "{named}: {answer:?}");
        refused(client.call(Call::get(peer.url("one.test", "/"), Trust::Script)).await, "scripts may not call one.test");
    }
}

#[tokio::test]
async fn a_name_is_resolved_once() {
    let peer = Peer::open(None, |_| ok("here")).await;
    // What it would lead to the second time does not answer.
    let names = Arc::new(Names { known: [("turns.test", vec!["127.0.0.1", "192.0.2.1"])].into(), ..Names::default() });
    let answer = client(&names, &[], None).call(Call::get(peer.url("turns.test", "/"), Trust::Configured)).await;
    assert_eq!((answer.unwrap().body.as_slice(), names.asked.load(Ordering::SeqCst)), (&b"here"[..], 1));
}

#[tokio::test]
async fn redirects_stay_where_they_are() {
    let elsewhere = Peer::open(None, |_| ok("elsewhere")).await;
    let other = elsewhere.url("two.test", "/");
    let peer = Peer::open(None, move |path| match path {
        "/out" => redirect(302, &other),
        "/loop" => redirect(307, "/loop"),
        "/see" => redirect(303, "there"),
        "/file" => redirect(302, "file:///etc/passwd"),
        "/nowhere" => redirect(302, "http://"),
        _ => ok(path),
    })
    .await;
    let client = client(&local(), &["one.test", "two.test"], None);
    let call = |path: &str, trust| Call::get(peer.url("one.test", path), trust).header("authorization", "Bearer secret");
    let post = Call { method: "POST".into(), body: b"x".to_vec(), ..call("/see", Trust::Configured) };
    assert_eq!(client.call(post).await.unwrap().body, b"/there");
    let asked = peer.asked();
    assert!(
        asked[0].starts_with("POST /see ") && asked[1].starts_with("GET /there ") && asked[1].contains("Bearer secret"),
        "{asked:?}"
    );
    refused(client.call(call("/out", Trust::Configured)).await, "into another network");
    assert_eq!(elsewhere.asked(), [""; 0]);
    refused(client.call(call("/file", Trust::Configured)).await, "neither http nor https");
    let looped = client.call(call("/loop", Trust::Configured)).await;
    assert_eq!(looped, Err(OutboundError::Failed("more than 5 redirects".into())));
    assert!(matches!(client.call(call("/nowhere", Trust::Configured)).await, Err(OutboundError::Failed(_))));
    // Both hosts are on the list of scripts; what was meant for the first is not told to the second.
    assert_eq!(client.call(call("/out", Trust::Script)).await.unwrap().body, b"elsewhere");
    assert!(!elsewhere.asked()[0].contains("secret"));
    refused(self::client(&local(), &["one.test"], None).call(call("/out", Trust::Script)).await, "scripts may not call two.test");
}

#[tokio::test]
async fn scripts_call_only_what_is_on_the_list() {
    let peer = Peer::open(None, |_| ok("here")).await;
    let call = || Call::get(peer.url("one.test", "/"), Trust::Script);
    refused(client(&local(), &[], None).call(call()).await, "scripts may not call one.test");
    refused(client(&local(), &["two.test"], None).call(call()).await, "scripts may not call one.test");
    // A whole domain is no word about a private address.
    refused(client(&local(), &["*.test"], None).call(call()).await, "is not in the public network");
    assert_eq!(client(&local(), &["*.test", "one.test"], None).call(call()).await.unwrap().body, b"here");
}

#[tokio::test]
async fn answers_have_limits() {
    let peer = Peer::open(None, |path| match path {
        "/silent" => String::new(),
        "/endless" => format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}", "a\r\n0123456789\r\n".repeat(100)),
        "/nonsense" => "nonsense".into(),
        "/broken" => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort".into(),
        _ => ok(&"x".repeat(101)),
    })
    .await;
    let client = client(&local(), &[], None);
    let call = |path: &str| Call { size: 100, ..Call::get(peer.url("one.test", path), Trust::Configured) };
    for path in ["/", "/endless"] {
        assert_eq!(client.call(call(path)).await, Err(OutboundError::TooLarge(100)), "{path}");
    }
    assert_eq!(client.call(Call { size: 101, ..call("/") }).await.unwrap().body.len(), 101);
    let limit = Duration::from_millis(50);
    assert_eq!(client.call(Call { time: limit, ..call("/silent") }).await, Err(OutboundError::TimedOut(limit)));
    for path in ["/nonsense", "/broken"] {
        assert!(matches!(client.call(call(path)).await, Err(OutboundError::Failed(_))), "{path}");
    }
    assert!(matches!(client.call(call("/").header("bad", "a\nb: c")).await, Err(OutboundError::Refused(_))));
}

#[tokio::test]
async fn servers_show_certificates_that_somebody_vouches_for() {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["one.test".to_owned()]).unwrap().self_signed(&key).unwrap();
    let config =
        ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider())).with_safe_default_protocol_versions();
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = config.unwrap().with_no_client_auth().with_single_cert(vec![certificate.der().clone()], private).unwrap();
    let plain = Peer::open(None, |_| ok("plain")).await;
    let to = plain.url("one.test", "/");
    let tls = TlsAcceptor::from(Arc::new(config));
    let peer = Peer::open(Some(tls), move |path| if path == "/down" { redirect(302, &to) } else { ok("safe") }).await;
    let call = |host: &str, path: &str| {
        let url = format!("https://{host}:{}{path}", peer.address.port()).parse().unwrap();
        Call::get(url, Trust::Configured)
    };
    let unknown = client(&local(), &[], None).call(call("one.test", "/")).await;
    assert!(matches!(&unknown, Err(OutboundError::Failed(why)) if why.starts_with("TLS")), "{unknown:?}");
    let known = client(&local(), &[], Some(certificate.pem()));
    assert_eq!(known.call(call("one.test", "/")).await.unwrap().body, b"safe");
    let misnamed = known.call(call("two.test", "/")).await;
    assert!(matches!(&misnamed, Err(OutboundError::Failed(why)) if why.starts_with("TLS")), "{misnamed:?}");
    refused(known.call(call("one.test", "/down")).await, "from HTTPS to HTTP");
    assert_eq!(plain.asked(), [""; 0]);
    for wrong in ["", "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let options = OutboundOptions { extra_ca: Some(wrong.into()), ..OutboundOptions::default() };
        assert!(HttpOutbound::new(local(), options).is_err(), "{wrong}");
    }
}

/// Asks a password policy, whose list of leaked passwords is at this peer.
async fn ask(house: &House, door: Pk, peer: &Peer, password: &str, trial: bool) -> Decision {
    let outbound = Arc::new(client(&local(), &[], None));
    let services = Services { outbound, leaked_passwords: peer.url("one.test", "/range/"), ..Services::of(&house.store) };
    let mut context = Context::default();
    context.set("prompt_data", json!({ "password": password }));
    let request = Request { context, trial, services: Arc::new(services), ..house.request(None) };
    decide(door, &request).await
}

#[tokio::test]
async fn leaked_passwords_are_found_without_telling_them() {
    let house = House::new().await;
    let model = "authentik_policies_password.passwordpolicy";
    // SHA-1 of `password` is 5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8; of `hello`, AAF4C61DDCC5E8A2DABEDE0F3B482CD9AEA9434D.
    let peer = Peer::open(None, |path| match path {
        "/range/5BAA6" => ok("003D68EB55068C33ACE09247EE4C639306B:3\r\n1E4C9B93F3F0682250B6CF8331B7EE68FD8:52\r\n012C192B2F16F82EA0EB9EF18D9D539B0DD:0\r\n"),
        "/range/AAF4C" => ok("61DDCC5E8A2DABEDE0F3B482CD9AEA9434D:0\r\n"),
        "/range/D04C1" => "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n".into(),
        _ => ok("nonsense"),
    })
    .await;
    let rules = json!({ "check_static_rules": false, "check_have_i_been_pwned": true, "hibp_allowed_count": 51 });
    let strict = house.guarded(model, rules.clone(), json!({})).await;
    let lenient = json!({ "check_static_rules": false, "check_have_i_been_pwned": true, "hibp_allowed_count": 52 });
    let lenient = house.guarded(model, lenient, json!({})).await;
    let leaked = ask(&house, strict, &peer, "password", false).await;
    assert_eq!((leaked.passing, leaked.messages), (false, vec!["Password exists on 52 online lists.".to_owned()]));
    assert!(ask(&house, lenient, &peer, "password", false).await.passing);
    // Padding, which counts zero, is no find.
    assert!(ask(&house, strict, &peer, "hello", false).await.passing);
    for asked in peer.asked() {
        assert!(!asked.contains("password") && asked.to_ascii_lowercase().contains("add-padding: true"), "{asked}");
        assert!(asked.starts_with("GET /range/5BAA6 ") || asked.starts_with("GET /range/AAF4C "), "{asked}");
    }
    // Without an answer that can be read nothing is decided, and nobody gets through. The hash of `letmein1` begins with D04C1.
    let asked = peer.asked().len();
    for password in ["letmein1", "other"] {
        let failed = ask(&house, strict, &peer, password, false).await;
        assert!(!failed.passing && failed.undecided, "{password}: {:?}", failed.trace);
    }
    assert_eq!(peer.asked().len(), asked + 2);
    let trial = ask(&house, strict, &peer, "password", true).await;
    let Outcome::Failed(failure) = &trial.trace[0].outcome else { panic!("{:?}", trial.trace) };
    assert_eq!(
        (failure.message.as_str(), peer.asked().len()),
        ("a trial looks nothing up in the list of leaked passwords", asked + 2)
    );
    // Rules come first: what breaks them is not looked up.
    let both = json!({ "length_min": 12, "check_have_i_been_pwned": true, "error_message": "Too short." });
    let both = house.guarded(model, both, json!({})).await;
    assert_eq!(ask(&house, both, &peer, "password", false).await.messages, ["Too short."]);
    assert_eq!(peer.asked().len(), asked + 2);
}
