//! The requests themselves: HTTP/1.1 over a connection of its own each.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, LOCATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    USER_AGENT,
};
use http::{HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use url::{Host, Position, Url};

use super::{Answer, Call, HostPattern, Outbound, OutboundError, Reach, Trust};
use crate::dns::Dns;

/// How many redirects are followed.
const REDIRECTS: usize = 5;

/// How long one address may take to answer before the next one is tried.
const CONNECTING: Duration = Duration::from_secs(5);

/// What an installation says about requests.
#[derive(Debug, Clone, Default)]
pub struct OutboundOptions {
    /// Authorities that vouch for servers, besides those that everybody knows: certificates in PEM.
    pub extra_ca: Option<String>,
    /// Hosts that may be called wherever they are, also where their address came from elsewhere.
    pub private: Vec<HostPattern>,
    /// Hosts that scripts may call; none unless somebody says so.
    pub scripts: Vec<HostPattern>,
}

/// Makes requests.
pub struct HttpOutbound {
    dns: Arc<dyn Dns>,
    tls: TlsConnector,
    private: Vec<HostPattern>,
    scripts: Vec<HostPattern>,
}

impl std::fmt::Debug for HttpOutbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpOutbound").field("scripts", &self.scripts).finish_non_exhaustive()
    }
}

impl HttpOutbound {
    /// Makes requests to where `dns` says names are.
    ///
    /// # Errors
    /// In words: the extra authorities cannot be read.
    pub fn new(dns: Arc<dyn Dns>, options: OutboundOptions) -> Result<Self, String> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let mut extra = 0;
        for certificate in options.extra_ca.iter().flat_map(|pem| CertificateDer::pem_slice_iter(pem.as_bytes())) {
            let certificate = certificate.map_err(|error| format!("the extra authorities cannot be read: {error:?}"))?;
            roots.add(certificate).map_err(|error| format!("an extra authority cannot be used: {error}"))?;
            extra += 1;
        }
        if options.extra_ca.is_some() && extra == 0 {
            return Err("there is no certificate among the extra authorities".into());
        }
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let config = config.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Ok(Self { dns, tls: TlsConnector::from(Arc::new(config)), private: options.private, scripts: options.scripts })
    }

    /// Makes the request, and those to which redirects lead.
    async fn follow(&self, mut call: Call) -> Result<Answer, OutboundError> {
        let mut came_from = None;
        for _ in 0..=REDIRECTS {
            let (response, reach) = self.once(&call, came_from).await?;
            let next = if call.follow { redirect(&call.url, &response)? } else { None };
            let Some(next) = next else { return read(call.url, response, call.size).await };
            let status = response.status().as_u16();
            if status == 303 || (matches!(status, 301 | 302) && call.method == "POST") {
                (call.method, call.body) = ("GET".into(), Vec::new());
            }
            if next.origin() != call.url.origin() {
                let secret = |name: &str| [AUTHORIZATION, COOKIE].iter().any(|header| name.eq_ignore_ascii_case(header.as_str()));
                call.headers.retain(|(name, _)| !secret(name));
                // Nobody has configured where a redirect leads.
                call.trust = if call.trust == Trust::Script { Trust::Script } else { Trust::Given };
            }
            call.url = next;
            came_from = Some(reach);
        }
        Err(OutboundError::Failed(format!("more than {REDIRECTS} redirects")))
    }

    /// Makes one request; tells where it led.
    async fn once(&self, call: &Call, came_from: Option<Reach>) -> Result<(Response<Incoming>, Reach), OutboundError> {
        let trust = self.trust(call)?;
        let addresses = self.addresses(&call.url, trust, came_from).await?;
        let port = call.url.port_or_known_default().unwrap_or(80);
        let (stream, reach) = connect(&addresses, port).await?;
        let request = request(call)?;
        let response = if call.url.scheme() == "https" {
            let name = server_name(&call.url)?;
            let stream = self.tls.connect(name, stream).await.map_err(|error| OutboundError::Failed(format!("TLS: {error}")))?;
            send(stream, request).await?
        } else {
            send(stream, request).await?
        };
        Ok((response, reach))
    }

    /// Whether the request may lead to private addresses; refused where a script may not make it at all.
    fn trust(&self, call: &Call) -> Result<Trust, OutboundError> {
        if !matches!(call.url.scheme(), "http" | "https") {
            return Err(OutboundError::Refused(format!("{} is neither http nor https", call.url.scheme())));
        }
        let is_on = |hosts: &[HostPattern]| hosts.iter().any(|host| host.means(&call.url));
        let is_named_on = |hosts: &[HostPattern]| hosts.iter().any(|host| host.is_one() && host.means(&call.url));
        let configured = match call.trust {
            Trust::Script if !is_on(&self.scripts) => {
                let host = call.url.host_str().unwrap_or_default();
                return Err(OutboundError::Refused(format!("scripts may not call {host}")));
            }
            Trust::Script => is_named_on(&self.scripts),
            Trust::Configured => true,
            Trust::Given => false,
        };
        Ok(if configured || is_named_on(&self.private) { Trust::Configured } else { Trust::Given })
    }

    /// The addresses of the URL's host that may be connected to. They are looked up once.
    async fn addresses(&self, url: &Url, trust: Trust, came_from: Option<Reach>) -> Result<Vec<(IpAddr, Reach)>, OutboundError> {
        let found = match url.host() {
            Some(Host::Ipv4(ip)) => vec![ip.into()],
            Some(Host::Ipv6(ip)) => vec![ip.into()],
            Some(Host::Domain(name)) => self.dns.resolve(name).await.map_err(OutboundError::Failed)?,
            None => return Err(OutboundError::Refused("the address names no host".into())),
        };
        let host = url.host_str().unwrap_or_default();
        if found.is_empty() {
            return Err(OutboundError::Failed(format!("{host} has no address")));
        }
        let all: Vec<(IpAddr, Reach)> = found.into_iter().map(|ip| (ip, Reach::of(ip))).collect();
        let allowed =
            |reach: Reach| (trust == Trust::Configured || reach == Reach::Public) && came_from.is_none_or(|from| from == reach);
        let allowed: Vec<(IpAddr, Reach)> = all.into_iter().filter(|(_, reach)| allowed(*reach)).collect();
        match (allowed.is_empty(), came_from) {
            (false, _) => Ok(allowed),
            (true, None) => Err(OutboundError::Refused(format!("{host} is not in the public network"))),
            (true, Some(_)) => Err(OutboundError::Refused(format!("a redirect leads to {host}, into another network"))),
        }
    }
}

#[async_trait]
impl Outbound for HttpOutbound {
    async fn call(&self, call: Call) -> Result<Answer, OutboundError> {
        let limit = call.time;
        tokio::time::timeout(limit, self.follow(call)).await.unwrap_or(Err(OutboundError::TimedOut(limit)))
    }
}

/// Where a redirect leads; `None` for any other answer.
fn redirect(from: &Url, response: &Response<Incoming>) -> Result<Option<Url>, OutboundError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(LOCATION) else { return Ok(None) };
    let target = location.to_str().ok().and_then(|location| from.join(location).ok());
    let target = target.ok_or_else(|| OutboundError::Failed("a redirect leads nowhere".into()))?;
    if from.scheme() == "https" && target.scheme() != "https" {
        return Err(OutboundError::Refused("a redirect leads from HTTPS to HTTP".into()));
    }
    Ok(Some(target))
}

/// Connects to the first address that answers.
async fn connect(addresses: &[(IpAddr, Reach)], port: u16) -> Result<(TcpStream, Reach), OutboundError> {
    let mut failure = String::new();
    for (ip, reach) in addresses {
        match tokio::time::timeout(CONNECTING, TcpStream::connect((*ip, port))).await {
            Ok(Ok(stream)) => return Ok((stream, *reach)),
            Ok(Err(error)) => failure = format!("{ip} port {port}: {error}"),
            Err(_) => failure = format!("{ip} port {port} does not answer"),
        }
    }
    Err(OutboundError::Failed(failure))
}

fn server_name(url: &Url) -> Result<ServerName<'static>, OutboundError> {
    let name = match url.host() {
        Some(Host::Ipv4(ip)) => Ok(ServerName::from(IpAddr::from(ip))),
        Some(Host::Ipv6(ip)) => Ok(ServerName::from(IpAddr::from(ip))),
        Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()),
        None => return Err(OutboundError::Refused("the address names no host".into())),
    };
    name.map_err(|error| OutboundError::Refused(error.to_string()))
}

fn request(call: &Call) -> Result<Request<Full<Bytes>>, OutboundError> {
    let refused = |what: &str| OutboundError::Refused(format!("{what} cannot be sent"));
    let path = &call.url[Position::BeforePath..Position::AfterQuery];
    let method: Method = call.method.parse().map_err(|_| refused("the method"))?;
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .body(Full::new(call.body.clone().into()))
        .map_err(|_| refused("the address"))?;
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("ak/", env!("CARGO_PKG_VERSION"))));
    for (name, value) in &call.headers {
        let name: HeaderName = name.parse().map_err(|_| refused("a header's name"))?;
        headers.insert(name, value.parse().map_err(|_| refused("a header's value"))?);
    }
    // How the content is framed is not the caller's business.
    for name in [CONTENT_LENGTH, TRANSFER_ENCODING, TE, TRAILER, UPGRADE] {
        headers.remove(name);
    }
    let host = &call.url[Position::BeforeHost..Position::AfterPort];
    headers.insert(HOST, host.parse().map_err(|_| refused("the host"))?);
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(request)
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, OutboundError> {
    let failed = |error: hyper::Error| OutboundError::Failed(error.to_string());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // It ends when the answer has been read or is no longer wanted.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to another machine broke off");
        }
    });
    sender.send_request(request).await.map_err(failed)
}

async fn read(url: Url, response: Response<Incoming>, size: usize) -> Result<Answer, OutboundError> {
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, size).collect().await.map_err(|error| match error.downcast::<LengthLimitError>() {
        Ok(_) => OutboundError::TooLarge(size),
        Err(error) => OutboundError::Failed(error.to_string()),
    })?;
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    Ok(Answer { url, status: parts.status.as_u16(), headers, body: body.to_bytes().to_vec() })
}
