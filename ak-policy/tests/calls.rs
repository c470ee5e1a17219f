//! What expressions ask other machines: names, addresses, and by HTTP. How far that gets them, and how long it may take.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy takes only functions marked as tests for tests, not what they share"
)]

mod kit;
#[path = "kit/peer.rs"]
mod peer;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ak_policy::dns::{Dns, NoDns, SystemDns};
use ak_policy::outbound::{HttpOutbound, OutboundOptions};
use ak_policy::{Decision, Outcome, Request, Services, decide};
use ak_store::SystemClock;
use kit::House;
use peer::{Peer, ok, redirect};
use serde_json::{Value, json};
use tokio::net::UdpSocket;

/// A server for names: what it has been asked, and by the way how often.
struct NameServer {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

const A: u16 = 1;
const PTR: u16 = 12;

/// The answer to a question: the records' content, or nothing for a name that is not there.
fn records(name: &str, kind: u16) -> Option<Vec<Vec<u8>>> {
    match (name, kind) {
        ("gateway.example", A) => Some(vec![vec![192, 0, 2, 7], vec![192, 0, 2, 8]]),
        ("gateway.example", _) => Some(Vec::new()),
        ("7.2.0.192.in-addr.arpa", PTR) => Some(vec![b"\x07gateway\x07example\x00".to_vec()]),
        _ => None,
    }
}

fn reply(question: &[u8]) -> Vec<u8> {
    let mut at = 12;
    let mut labels = Vec::new();
    while question[at] != 0 {
        let end = at + 1 + usize::from(question[at]);
        labels.push(String::from_utf8_lossy(&question[at + 1..end]).into_owned());
        at = end;
    }
    let kind = u16::from_be_bytes([question[at + 1], question[at + 2]]);
    let found = records(&labels.join(".").to_lowercase(), kind);
    let code = if found.is_some() { 0 } else { 3 };
    let found = found.unwrap_or_default();
    let mut out = question[..2].to_vec();
    out.extend([0x81, 0x80 | code, 0, 1, 0, u8::try_from(found.len()).unwrap(), 0, 0, 0, 0]);
    out.extend(&question[12..at + 5]);
    for content in found {
        out.extend([0xc0, 12]);
        out.extend(kind.to_be_bytes());
        out.extend([0, 1, 0, 0, 0, 60]);
        out.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
        out.extend(content);
    }
    out
}

impl NameServer {
    /// One that answers, or one that never does.
    async fn open(answers: bool) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = Self { address: socket.local_addr().unwrap(), asked: Arc::default() };
        let asked = server.asked.clone();
        tokio::spawn(async move {
            let mut question = [0; 2048];
            loop {
                let (size, from) = socket.recv_from(&mut question).await.unwrap();
                asked.fetch_add(1, Ordering::SeqCst);
                if answers {
                    socket.send_to(&reply(&question[..size]), from).await.unwrap();
                }
            }
        });
        server
    }

    fn dns(&self) -> Arc<dyn Dns> {
        Arc::new(SystemDns::asking(self.address).unwrap())
    }
}

/// What expressions are asked with.
struct World {
    house: House,
    dns: Arc<dyn Dns>,
    /// Hosts that they may call.
    scripts: Vec<String>,
    trial: bool,
}

impl World {
    async fn new() -> Self {
        Self { house: House::new().await, dns: Arc::new(NoDns), scripts: Vec::new(), trial: false }
    }

    /// Asks an expression that has a second; whoever asks has no more than a few.
    async fn ask(&self, text: &str) -> Decision {
        let scripts = self.scripts.iter().map(|host| host.parse().unwrap()).collect();
        let options = OutboundOptions { scripts, ..OutboundOptions::default() };
        let outbound = Arc::new(HttpOutbound::new(self.dns.clone(), options).unwrap());
        let clock = Arc::new(SystemClock);
        let services = Arc::new(Services { clock, dns: self.dns.clone(), outbound, ..Services::of(&self.house.store) });
        // Most of it can be read in both languages.
        let is_python = ["# python", "import ", "from ", "return ", "r = "].iter().any(|begin| text.starts_with(begin));
        let text = format!("{}\n{text}", if is_python { "# python" } else { "// rhai" });
        let door = self.house.expression(&text, json!({ "timeout": 1 })).await;
        let person = self.house.person(&format!("ada-{}", self.house.store.snapshot().len()), &[]).await;
        let request = Request { services, trial: self.trial, ..self.house.request(Some(&person)) };
        tokio::time::timeout(Duration::from_secs(3), decide(door, &request)).await.unwrap()
    }

    async fn passes(&self, text: &str) {
        let decision = self.ask(text).await;
        assert!(decision.passing, "{text}: {decision}");
    }

    /// The expression fails so, and nobody is let through.
    async fn fails(&self, text: &str, why: &str) {
        let decision = self.ask(text).await;
        assert!(!decision.passing && decision.undecided, "{text}: {decision}");
        let Outcome::Failed(failure) = &decision.trace[0].outcome else { panic!("{text}: {decision}") };
        assert!(failure.to_string().contains(why), "{text}: {failure}");
        assert!(failure.line.is_some(), "{text}: {failure}");
    }
}

#[tokio::test]
async fn names_and_addresses_are_looked_up() {
    let server = NameServer::open(true).await;
    let world = World { dns: server.dns(), ..World::new().await };
    for text in [
        "resolve_dns(\"gateway.example\").len == 2 && resolve_dns(\"gateway.example\").contains(\"192.0.2.8\")",
        "return \"192.0.2.7\" in resolve_dns(\"gateway.example\", ip_version=4) and resolve_dns(\"gateway.example\", 6) == []",
        "resolve_dns(\"nobody.example\") == []",
        "reverse_dns(\"192.0.2.7\") == \"gateway.example\" && reverse_dns(ip_address(\"192.0.2.7\")) == \"gateway.example\"",
        "# python\nreturn reverse_dns(\"192.0.2.7\").endswith(\".example\") and reverse_dns(\"192.0.2.9\") == \"192.0.2.9\"",
    ] {
        world.passes(text).await;
    }
    // What is known is not asked again.
    let asked = server.asked.load(Ordering::SeqCst);
    world.passes("reverse_dns(\"192.0.2.7\") == \"gateway.example\"").await;
    assert_eq!(server.asked.load(Ordering::SeqCst), asked);
    world.fails("reverse_dns(\"gateway\") == \"\"", "gateway is not an IP address").await;
    let trial = World { trial: true, ..world };
    trial.fails("reverse_dns(\"192.0.2.7\") == \"\"", "a trial resolves no names").await;
    trial.fails("resolve_dns(\"gateway.example\") == []", "a trial resolves no names").await;
    assert_eq!(server.asked.load(Ordering::SeqCst), asked);
}

#[tokio::test]
async fn names_that_nobody_answers_for_end_with_the_time() {
    let hole = NameServer::open(false).await;
    let world = World { dns: hole.dns(), ..World::new().await };
    for text in [
        "resolve_dns(\"gateway.example\") == []",
        "# python\nreturn \"192.0.2.1\" not in resolve_dns(\"gateway.example\")",
        "# python\nreturn reverse_dns(\"192.0.2.7\") != \"gateway.example\"",
        // Who catches that has no time left.
        "let a = []; for n in 0..9 { try { a += resolve_dns(\"a\" + n + \".example\"); } catch { } } a.is_empty()",
    ] {
        world.fails(text, "the time is over").await;
    }
    // A name of a host that is called is a name like others.
    let world = World { scripts: vec!["gateway.example".into()], ..world };
    world.fails("requests.get(\"http://gateway.example/\").ok", "the time is over").await;
    assert!(hole.asked.load(Ordering::SeqCst) >= 4);
    // Nobody is there at all.
    let closed = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let world = World { dns: Arc::new(SystemDns::asking(closed).unwrap()), ..world };
    world.fails("resolve_dns(\"gateway.example\") == []", "").await;
}

/// A peer with an answer of JSON, and some others.
async fn api() -> Peer {
    Peer::open(None, |path| match path.split('?').next().unwrap() {
        "/json" => {
            let body = "{\"allowed\": true, \"teams\": [\"a\", \"b\"], \"level\": 3}";
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        }
        "/missing" => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".into(),
        "/busy" => "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n".into(),
        "/elsewhere" => redirect(302, "/json"),
        "/latin" => "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\n\u{e9}".into(),
        "/large" => ok(&"x".repeat(200_000)),
        "/long-list" => ok(&format!("[{}0]", "0,".repeat(60_000))),
        "/silent" => String::new(),
        // It has begun, and never goes on.
        "/slow" => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nslow".into(),
        _ => ok("plain"),
    })
    .await
}

/// A world in which this peer may be called; `HOST` in expressions stands for it.
async fn world(peer: &Peer) -> World {
    World { scripts: vec![peer.address.to_string()], ..World::new().await }
}

fn at(peer: &Peer, text: &str) -> String {
    text.replace("HOST", &format!("http://{}", peer.address))
}

#[tokio::test]
async fn hosts_on_the_list_are_called() {
    let peer = api().await;
    let world = world(&peer).await;
    for text in [
        "requests.get(\"HOST/json\").json().allowed",
        "return requests.get(\"HOST/json\").ok",
        "let r = requests.get(\"HOST/json\"); r.status_code == 200 && r.json().teams == [\"a\", \"b\"] && r.headers[\"Content-Type\"] == \"application/json\"",
        "requests.get(\"HOST/missing\").status_code == 404 && !requests.get(\"HOST/busy\").ok",
        "let r = requests.get(\"HOST/elsewhere\"); r.status_code == 200 && r.url == \"HOST/json\"",
        "requests.get(\"HOST/elsewhere\", #{allow_redirects: false}).headers.get(\"location\") == \"/json\" && requests.head(\"HOST/elsewhere\").status_code == 302",
        "requests.get(\"HOST/latin\").text == \"Ã©\"",
        "let said = \"\"; try { requests.get(\"HOST/busy\").raise_for_status(); } catch (e) { said = e.class + \": \" + e; } said.starts_with(\"HTTPError: 503 Server Error\")",
        "import requests\nresponse = requests.get(\"HOST/json\", timeout=5)\nreturn response.status_code == 200 and response.json()[\"level\"] > 2",
        "r = requests.get(\"HOST/json\", params={\"user\": user.username})\nreturn \"b\" in r.json().get(\"teams\", []) and r.text.startswith(\"{\")",
        "from requests import get\nfrom requests.exceptions import HTTPError\ntry:\n    get(\"HOST/missing\").raise_for_status()\nexcept HTTPError as error:\n    return str(error).startswith(\"404 Client Error\")\nreturn False",
        "import requests\ntry:\n    return requests.get(\"HOST/plain\").json()\nexcept requests.exceptions.RequestException:\n    return True",
        "import requests\ntry:\n    return requests.get(\"HOST/plain\").json()\nexcept ValueError:\n    return True",
        "import requests\ntry:\n    return requests.get(\"http://elsewhere.example/\").ok\nexcept (KeyError, requests.ConnectionError):\n    return True",
    ] {
        world.passes(&at(&peer, text)).await;
    }
}

#[tokio::test]
async fn a_request_says_what_it_is_told_to() {
    let peer = api().await;
    let world = world(&peer).await;
    let last = async |text: &str| {
        world.passes(&at(&peer, text)).await;
        peer.asked().pop().unwrap()
    };
    let get =
        last("requests.get(\"HOST/?a=1\", #{params: #{b: \"x y\", c: [1, 2], none: ()}, headers: #{\"X-Key\": \"k\"}}).ok").await;
    assert!(get.starts_with("GET /?a=1&b=x+y&c=1&c=2 HTTP/1.1\r\n") && get.contains("x-key: k\r\n"), "{get}");
    let sent = last("return requests.post(\"HOST/\", json={\"name\": user.username, \"n\": [1, None]}).ok").await;
    let (head, body) = sent.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST / ") && head.contains("content-type: application/json"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["n"], json!([1, null]));
    let form = last("requests.put(\"HOST/\", #{data: #{a: \"1&2\"}}).ok").await;
    assert!(form.contains("content-type: application/x-www-form-urlencoded") && form.ends_with("\r\n\r\na=1%262"), "{form}");
    let own =
        last("requests.patch(\"HOST/\", #{json: 7, headers: #{\"content-type\": \"application/merge-patch+json\"}}).ok").await;
    assert!(own.contains("content-type: application/merge-patch+json\r\n") && own.ends_with("\r\n\r\n7"), "{own}");
    let text = last("requests.delete(\"HOST/\", #{data: \"text\", headers: #{\"Content-Length\": \"1\", \"Transfer-Encoding\": \"chunked\", Host: \"other\"}}).ok").await;
    assert!(text.ends_with("\r\n\r\ntext") && text.contains("content-length: 4\r\n") && !text.contains("chunked"), "{text}");
    assert!(text.contains(&format!("host: {}\r\n", peer.address)) && !text.contains("other"), "{text}");
    let basic = last("requests.options(\"HOST/\", #{auth: [\"ada\", \"secret\"]}).ok").await;
    assert!(basic.starts_with("OPTIONS / ") && basic.contains("authorization: Basic YWRhOnNlY3JldA==\r\n"), "{basic}");
    let asked = peer.asked().len();
    for (wrong, why) in [
        ("requests.get(\"HOST/\", #{verify: false}).ok", "a request has no option verify"),
        ("requests.get(\"HOST/\", #{timeout: \"soon\"}).ok", "timeout is a number of seconds"),
        ("requests.get(\"HOST/\", #{timeout: -1}).ok", "timeout is a number of seconds"),
        ("requests.post(\"HOST/\", #{json: 1, data: \"x\"}).ok", "a request sends json or data"),
        ("requests.get(\"HOST/\", #{headers: #{\"bad\": \"a\\nb: c\"}}).ok", "a header's value cannot be sent"),
        ("requests.get(\"nowhere\").ok", "nowhere"),
        ("requests.get(\"file:///etc/passwd\").ok", "file is neither http nor https"),
    ] {
        world.fails(&at(&peer, wrong), why).await;
    }
    assert_eq!(peer.asked().len(), asked);
}

#[tokio::test]
async fn nothing_is_called_that_is_not_listed() {
    let peer = api().await;
    let nowhere = World::new().await;
    let host = peer.address.ip();
    let call = at(&peer, "requests.get(\"HOST/json\").json().allowed");
    nowhere.fails(&call, &format!("scripts may not call {host}")).await;
    nowhere
        .fails(
            &format!("# python\nreturn {call}").replace(".allowed", "[\"allowed\"]"),
            "requests.ConnectionError: scripts may not",
        )
        .await;
    nowhere.fails("requests.get(\"http://169.254.169.254/latest/meta-data/\").ok", "scripts may not call").await;
    let other = World { scripts: vec![format!("{host}:{}", peer.address.port() ^ 1)], ..World::new().await };
    other.fails(&call, "scripts may not call").await;
    let trial = World { trial: true, ..world(&peer).await };
    trial.fails(&call, "a trial makes no requests").await;
    assert_eq!(peer.asked(), [""; 0]);
}

#[tokio::test]
async fn slow_and_large_answers_end_with_the_limits() {
    let peer = api().await;
    let world = world(&peer).await;
    for text in [
        "requests.get(\"HOST/silent\").ok",
        "requests.get(\"HOST/silent\", #{timeout: 3600}).ok",
        "# python\nimport requests\nreturn requests.get(\"HOST/silent\").status_code != 403",
        "for n in 0..100 { try { requests.get(\"HOST/silent\"); } catch { } } true",
    ] {
        world.fails(&at(&peer, text), "the time is over").await;
    }
    world.fails(&at(&peer, "requests.get(\"HOST/slow\").ok"), "").await;
    world
        .passes(&at(&peer, "let class = \"\"; try { requests.get(\"HOST/silent\", #{timeout: 0.05}); } catch (e) { class = e.class; } class == \"Timeout\""))
        .await;
    world.passes(&at(&peer, "import requests\ntry:\n    requests.get(\"HOST/silent\", timeout=0.05)\nexcept requests.exceptions.Timeout:\n    return True")).await;
    world.fails(&at(&peer, "requests.get(\"HOST/large\").ok"), "the answer has more than 131072 bytes").await;
    world.fails(&at(&peer, "requests.get(\"HOST/long-list\").json().len > 0"), "").await;
    world.fails(&at(&peer, "# python\nreturn len(requests.get(\"HOST/long-list\").json()) > 0"), "").await;
}

#[tokio::test]
async fn others_decide_while_many_wait() {
    // Nobody answers.
    let hole = NameServer::open(false).await;
    let world = Arc::new(World { dns: hole.dns(), ..World::new().await });
    let ended = Arc::new(Mutex::new(0));
    let waiting: Vec<_> = (0..40)
        .map(|n| {
            let (world, ended) = (world.clone(), ended.clone());
            tokio::spawn(async move {
                let decision = world.ask(&format!("resolve_dns(\"a{n}.example\") == []")).await;
                assert!(!decision.passing && decision.undecided, "{decision}");
                *ended.lock().unwrap() += 1;
            })
        })
        .collect();
    for _ in 0..20 {
        world.passes("1 + 1 == 2").await;
    }
    assert_eq!(*ended.lock().unwrap(), 0, "who asks nobody waits for nobody");
    for one in waiting {
        one.await.unwrap();
    }
}
