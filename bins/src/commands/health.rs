//! `ak healthcheck`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ak_store::config::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::CommandError;

/// Asks the server of this machine whether it is ready.
pub(super) async fn check(settings: &Settings) -> Result<(), CommandError> {
    let at = reachable(settings.listen.http);
    let failed = |why: String| CommandError::Refused(format!("http://{at} is not ready: {why}"));
    let asked = tokio::time::timeout(Duration::from_secs(5), ask(at)).await;
    let status = asked.map_err(|_| failed("no answer within 5 seconds".into()))?.map_err(|e| failed(e.to_string()))?;
    if status.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(failed(status)) }
}

/// A server that listens everywhere listens on loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn ask(at: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(at).await?;
    stream.write_all(b"GET /-/health/ready/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = vec![0; 256];
    let read = stream.read(&mut answer).await?;
    answer.truncate(read);
    Ok(String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned())
}
