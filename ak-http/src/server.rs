//! The web server: an application on sockets of its own.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use axum::routing::get;
use axum_server::tls_rustls::RustlsConfig;
use axum_server::{Handle, Server};
use hyper_util::rt::TokioTimer;

use crate::app::App;
use crate::client::OverTls;
use crate::{health, tls};

/// Where to listen.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// HTTP.
    pub http: SocketAddr,
    /// HTTPS; `None` for not at all.
    pub https: Option<SocketAddr>,
    /// Figures for Prometheus, alone; `None` for not at all (they are on the HTTP port too).
    pub metrics: Option<SocketAddr>,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be listened on: the setting, the address, and why.
    #[error("{0}: cannot listen on {1}: {2}")]
    Listen(&'static str, SocketAddr, std::io::Error),
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// A listener failed while running.
    #[error("a listener failed: {0}")]
    Io(#[from] std::io::Error),
}

/// How long requests under way may take to end when the server stops.
const GRACE: Duration = Duration::from_secs(10);

/// A server whose sockets are open, and that does not answer yet.
pub struct Bound {
    app: App,
    http: TcpListener,
    https: Option<TcpListener>,
    metrics: Option<TcpListener>,
}

/// Opens the sockets. What is in use is told with the setting that names it.
pub fn bind(app: App, addresses: &Addresses) -> Result<Bound, ServeError> {
    let open = |setting, address: SocketAddr| -> Result<TcpListener, ServeError> {
        let failed = |e| ServeError::Listen(setting, address, e);
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        Ok(listener)
    };
    Ok(Bound {
        app,
        http: open("AUTHENTIK_LISTEN__HTTP", addresses.http)?,
        https: addresses.https.map(|at| open("AUTHENTIK_LISTEN__HTTPS", at)).transpose()?,
        metrics: addresses.metrics.map(|at| open("AUTHENTIK_LISTEN__METRICS", at)).transpose()?,
    })
}

/// How long a client may take for its headers, for the next piece of a body, or for a sign of life.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

impl Bound {
    /// The address of the HTTP socket: with port 0 asked for, the one that was given.
    pub fn http_address(&self) -> std::io::Result<SocketAddr> {
        self.http.local_addr()
    }

    /// The address of the HTTPS socket, if there is one.
    pub fn https_address(&self) -> Option<SocketAddr> {
        self.https.as_ref().and_then(|l| l.local_addr().ok())
    }

    /// The address of the socket for Prometheus alone, if there is one.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().and_then(|l| l.local_addr().ok())
    }

    /// Answers until `stop` resolves; then takes no new connections, and lets requests under way end.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send) -> Result<(), ServeError> {
        let router = self.app.router();
        let handle: Handle<SocketAddr> = Handle::new();
        let mut running = tokio::task::JoinSet::new();
        let service = router.clone().into_make_service_with_connect_info::<SocketAddr>();
        running.spawn(patient(axum_server::from_tcp(self.http)?).handle(handle.clone()).serve(service));
        if let Some(listener) = self.https {
            let config = RustlsConfig::from_config(Arc::new(tls::config(self.app.store().clone())?));
            let service = router.layer(Extension(OverTls)).into_make_service_with_connect_info::<SocketAddr>();
            running.spawn(patient(axum_server::from_tcp_rustls(listener, config)?).handle(handle.clone()).serve(service));
        }
        if let Some(listener) = self.metrics {
            let router = Router::new().route("/metrics", get(health::metrics)).with_state(self.app.clone());
            running.spawn(patient(axum_server::from_tcp(listener)?).handle(handle.clone()).serve(router.into_make_service()));
        }
        tokio::select! {
            () = stop => {}
            Some(ended) = running.join_next() => {
                handle.shutdown();
                return Ok(ended.map_err(std::io::Error::other)??);
            }
        }
        tracing::info!("stopping");
        handle.graceful_shutdown(Some(GRACE));
        while let Some(ended) = running.join_next().await {
            ended.map_err(std::io::Error::other)??;
        }
        Ok(())
    }
}

/// Not for ever: a client that never finishes its headers, or does not answer any more, is let go.
fn patient<Acceptor>(mut server: Server<SocketAddr, Acceptor>) -> Server<SocketAddr, Acceptor> {
    let builder = server.http_builder();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(PATIENCE).keep_alive_timeout(PATIENCE);
    server
}
