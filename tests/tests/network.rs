//! Between the browser and the product: proxies, TLS, figures, and the end.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpStream};
use std::sync::{Arc, LazyLock};

use ak_flows::{Answer, Challenge, Cx, Stage, StageError, StageShown, Step};
use ak_store::model::{Kind, Meta, Registry, Roles, Row};
use ak_store::records::{Page, SessionFilter};
use ak_tests::server::{Client, LOGIN, Server, Start};
use async_trait::async_trait;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Notify;
use x509_parser::prelude::{FromDer as _, X509Certificate};

const FORWARDED: [(&str, &str); 3] =
    [("x-forwarded-for", "203.0.113.7"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "login.example.com")];

/// Behind a proxy that says `FORWARDED`: the address that was kept, the cookie, and the title of the page.
async fn through_proxy(server: &Server) -> (Option<IpAddr>, String, String) {
    server.make("core/brands", &json!({ "domain": "example.com", "branding_title": "Forwarded" })).await;
    let client = FORWARDED.iter().fold(server.client(), |client, (name, value)| client.header(name, value));
    let first = client.post(LOGIN, &json!({ "uid_field": "akadmin" })).await;
    let brand = client.get("/api/v3/core/brands/current/").await.body["branding_title"].as_str().unwrap().to_owned();
    let mut repo = server.store.read().await.unwrap();
    let sessions = repo.sessions().list(&SessionFilter::default(), Page::first(10)).await.unwrap();
    (sessions[0].last_ip, first.cookies()[0].clone(), brand)
}

#[tokio::test]
async fn what_a_trusted_proxy_says_counts() {
    let (ip, cookie, brand) = through_proxy(&Server::start().await).await;
    assert_eq!(ip, Some("203.0.113.7".parse().unwrap()));
    assert!(cookie.contains("; Secure"), "{cookie}");
    assert_eq!(brand, "Forwarded");
}

#[tokio::test]
async fn what_anybody_else_says_does_not() {
    let server = Start::new().with("AUTHENTIK_LISTEN__TRUSTED_PROXY_CIDRS", "10.0.0.0/8,2001:db8::/32").start().await;
    let (ip, cookie, brand) = through_proxy(&server).await;
    assert_eq!(ip, Some("127.0.0.1".parse().unwrap()));
    assert!(!cookie.contains("Secure"), "{cookie}");
    assert_eq!(brand, "ak");
}

#[tokio::test]
async fn of_several_addresses_the_last_that_is_no_proxys_counts() {
    let server = Server::start().await;
    for (chain, ip) in [
        ("198.51.100.1, 203.0.113.7, 10.0.0.1", "203.0.113.7"),
        ("10.0.0.2, 10.0.0.1", "10.0.0.2"),
        ("garbage", "127.0.0.1"),
        ("garbage, 203.0.113.7", "203.0.113.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
    ] {
        server.clock.advance(chrono::Duration::seconds(1));
        server.client().header("x-forwarded-for", chain).post(LOGIN, &json!({ "uid_field": "akadmin" })).await;
        let mut repo = server.store.read().await.unwrap();
        let newest = repo.sessions().list(&SessionFilter::default(), Page::first(1)).await.unwrap();
        assert_eq!(newest[0].last_ip, Some(ip.parse().unwrap()), "{chain}");
    }
}

#[tokio::test]
async fn a_host_that_is_none_is_not_believed() {
    let server = Server::start().await;
    for host in ["evil.example/path", "user@evil.example", "evil example", "<b>", "evil.example:99999", ""] {
        let reply = server.client().header("x-forwarded-host", host).get(LOGIN).await;
        assert_eq!(reply.status, 200, "{host}");
    }
}

/// Takes any certificate: the tests look at it themselves.
#[derive(Debug)]
struct Anything;

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// The names in the certificate that a server shows to who asks for `name`, and the protocol that the two agree on.
async fn handshake(server: &Server, name: &str, protocols: &[&str]) -> (Vec<String>, String) {
    let address = server.https_url.trim_start_matches("https://").to_owned();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
    let shake = move || {
        let mut config = rustls::ClientConfig::builder()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anything))
            .with_no_client_auth();
        config.alpn_protocols = protocols;
        let mut tls = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut socket = TcpStream::connect(address).unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut socket).unwrap();
        }
        let certificate = tls.peer_certificates().unwrap()[0].to_vec();
        (certificate, String::from_utf8(tls.alpn_protocol().unwrap_or_default().to_vec()).unwrap())
    };
    let (certificate, protocol) = tokio::task::spawn_blocking(shake).await.unwrap();
    let (_, certificate) = X509Certificate::from_der(&certificate).unwrap();
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    (names.value.general_names.iter().map(ToString::to_string).collect(), protocol)
}

#[tokio::test]
async fn https_has_a_certificate_from_the_first_start_on() {
    let server = Server::start().await;
    let (names, _) = handshake(&server, "localhost", &[]).await;
    assert!(names.iter().any(|n| n.contains("localhost")), "{names:?}");
    let client = Client::new(&server.https_url);
    let done = client.login("akadmin", ak_tests::server::PASSWORD).await;
    assert_eq!(done.body["component"], "xak-flow-redirect");
    assert_eq!(client.get("/api/v3/core/users/me/").await.status, 200);
}

#[tokio::test]
async fn http_2_is_spoken_over_tls() {
    let server = Server::start().await;
    assert_eq!(handshake(&server, "localhost", &["h2", "http/1.1"]).await.1, "h2");
    assert_eq!(handshake(&server, "localhost", &["http/1.1"]).await.1, "http/1.1");
}

#[tokio::test]
async fn a_brand_shows_its_own_certificate_as_soon_as_it_has_one() {
    let server = Server::start().await;
    let made = rcgen::generate_simple_self_signed(vec!["sso.example.com".to_owned()]).unwrap();
    let pair = json!({ "name": "sso", "certificate_data": made.cert.pem(), "key_data": made.signing_key.serialize_pem() });
    let pair = server.make("crypto/certificatekeypairs", &pair).await;
    let brand = server.make("core/brands", &json!({ "domain": "example.com" })).await;
    let own = async |name: &str| handshake(&server, name, &[]).await.0.iter().any(|n| n.contains("sso.example.com"));
    assert!(!own("sso.example.com").await);
    server.change("core/brands", brand["brand_uuid"].as_str().unwrap(), &json!({ "web_certificate": pair["pk"] })).await;
    assert!(own("sso.example.com").await);
    assert!(!own("badexample.com").await && !own("localhost").await);
}

#[tokio::test]
async fn plain_http_on_the_tls_port_and_the_other_way_round_do_no_harm() {
    let server = Server::start().await;
    let https = server.https_url.trim_start_matches("https://").to_owned();
    let http = server.url.trim_start_matches("http://").to_owned();
    let talk = |address: String, bytes: &'static [u8]| {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        // Reset or closed: both are an end.
        drop(socket.read_to_end(&mut answer));
        answer
    };
    let ask = tokio::task::spawn_blocking(move || {
        (talk(https, b"GET / HTTP/1.1\r\n\r\n"), talk(http, b"\x16\x03\x01\x00\x05hello\r\n\r\n"))
    });
    let (from_https, from_http) = ask.await.unwrap();
    assert!(!from_https.starts_with(b"HTTP/1.1 200") && !from_http.starts_with(b"HTTP/1.1 200"));
    assert_eq!(server.client().get("/-/health/live/").await.status, 200);
}

#[tokio::test]
async fn figures_are_on_their_own_port_and_on_the_first() {
    let server = Start::new().with("AUTHENTIK_LISTEN__METRICS", "127.0.0.1:0").start().await;
    server.client().get("/no/such/page").await;
    for url in [&server.metrics_url, &server.url] {
        let figures = Client::new(url).get("/metrics").await;
        assert_eq!(figures.status, 200);
        assert!(figures.header("content-type").starts_with("application/openmetrics-text"));
        for line in ["ak_http_requests_total{method=\"GET\",status=\"404\"} 1", "ak_objects ", "ak_revision ", "# EOF"] {
            assert!(figures.text.contains(line), "{line} in {}", figures.text);
        }
    }
    assert_eq!(Client::new(&server.metrics_url).get("/api/v3/root/config/").await.status, 404, "nothing else is there");
}

#[tokio::test]
async fn health_is_told_to_anybody() {
    let server = Server::start().await;
    for path in ["/-/health/live/", "/-/health/ready/"] {
        let reply = server.client().get(path).await;
        assert_eq!((reply.status, reply.text.as_str()), (200, ""), "{path}");
        assert!(reply.cookies().is_empty());
    }
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own() {
    let server = Server::start().await;
    let mut ids = std::collections::BTreeSet::new();
    let paths = [
        "/",
        LOGIN,
        "/no/such/page",
        "/api/v3/root/config/",
        "/api/v3/nothing/",
        "/-/health/live/",
        "/metrics",
        "/static/none.css",
    ];
    for path in paths {
        let reply = server.client().header("x-authentik-id", "chosen-by-the-client").get(path).await;
        assert_eq!(reply.header("x-powered-by"), "authentik", "{path}");
        assert_eq!(reply.header("x-authentik-id").len(), 32, "{path}");
        ids.insert(reply.header("x-authentik-id").to_owned());
    }
    assert_eq!(ids.len(), paths.len());
}

/// A stage that takes until the test lets it go.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct GateStage {
    name: String,
}

static ENTERED: LazyLock<Notify> = LazyLock::new(Notify::new);
static OPEN: LazyLock<Notify> = LazyLock::new(Notify::new);

impl Kind for GateStage {
    const META: Meta = Meta::new("ak_tests.gatestage", "stages/gate", "Gate Stage", "Gate Stages");

    type Shown = StageShown;

    fn shown(&self, row: &Row<'_>) -> StageShown {
        StageShown::of(row)
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Stage>(|s| s);
    }
}

#[async_trait]
impl Stage for GateStage {
    async fn enter(&self, _: &mut Cx<'_>) -> Result<Step, StageError> {
        ENTERED.notify_one();
        OPEN.notified().await;
        Ok(Step::Show(Challenge::new("ak-stage-dummy").with("name", "through")))
    }

    async fn respond(&self, _: &mut Cx<'_>, _: &Answer) -> Result<Step, StageError> {
        Ok(Step::Pass)
    }
}

#[tokio::test]
async fn stopping_lets_requests_under_way_end_and_takes_no_new_ones() {
    let registry = ak_http::kinds(Registry::new()).with::<GateStage>().build().unwrap();
    let mut server = Start::new().kinds(registry).start().await;
    let stage = server.make("stages/gate", &json!({ "name": "gate" })).await;
    server.flow("slow", "stage_configuration", &[&stage]).await;
    let idle = server.client();
    idle.get("/-/health/live/").await;
    let client = server.client();
    let slow = tokio::spawn(async move { client.get("/api/v3/flows/executor/slow/").await });
    ENTERED.notified().await;
    server.stop();
    let address = server.url.trim_start_matches("http://").to_owned();
    while tokio::net::TcpStream::connect(&address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!slow.is_finished());
    OPEN.notify_one();
    assert_eq!(slow.await.unwrap().body["name"], "through");
    let limit = std::time::Duration::from_secs(5);
    tokio::time::timeout(limit, server.stopped()).await.expect("an idle connection holds nothing up");
}
