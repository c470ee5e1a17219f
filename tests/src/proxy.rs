//! A way over TCP that can be cut: what a network is to whoever depends on it.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A port on 127.0.0.1 that leads to another one, until it is cut.
pub struct Proxy {
    /// The port.
    pub port: u16,
    open: watch::Sender<bool>,
}

impl Proxy {
    /// A way to this port on 127.0.0.1, open or cut.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn to(port: u16, open: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let own = listener.local_addr().expect("an address").port();
        let open = watch::Sender::new(open);
        tokio::spawn(accept(listener, SocketAddr::from(([127, 0, 0, 1], port)), open.subscribe()));
        Self { port: own, open }
    }

    /// Ends every connection, and refuses new ones.
    pub fn cut(&self) {
        self.open.send_replace(false);
    }

    /// Lets connections through again.
    pub fn heal(&self) {
        self.open.send_replace(true);
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, open: watch::Receiver<bool>) {
    // Ends with the test's runtime.
    while let Ok((near, _)) = listener.accept().await {
        let mut open = open.clone();
        if !*open.borrow_and_update() {
            continue;
        }
        tokio::spawn(async move {
            tokio::select! {
                () = carry(near, to) => {}
                // Cut, or the proxy is gone.
                _ = open.wait_for(|open| !open) => {}
            }
        });
    }
}

async fn carry(mut near: TcpStream, to: SocketAddr) {
    if let Ok(mut far) = TcpStream::connect(to).await {
        // Either side may hang up at any time.
        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
    }
}
