//! Another machine, on a socket of this one.
#![allow(dead_code, reason = "every test binary uses a part of it")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use url::Url;

/// Another machine: what it answers to each path, and what it has been asked.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

async fn talk(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    asked: &Mutex<Vec<String>>,
    answer: &(dyn Fn(&str) -> String + Sync),
) {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut part = [0; 512];
        match stream.read(&mut part).await {
            Ok(0) | Err(_) => return,
            Ok(n) => head.extend(&part[..n]),
        }
    }
    let end = head.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    let text = String::from_utf8_lossy(&head[..end]).to_ascii_lowercase();
    let length = text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).map_or(0, |n| n.parse().unwrap());
    let mut rest = vec![0; (end + length).saturating_sub(head.len())];
    stream.read_exact(&mut rest).await.unwrap();
    head.extend(rest);
    let asked_for = String::from_utf8(head).unwrap();
    let path = asked_for.split(' ').nth(1).unwrap().to_owned();
    asked.lock().unwrap().push(asked_for);
    let answer = answer(&path);
    if answer.is_empty() {
        // It never answers: it waits until the other side goes.
        stream.read_to_end(&mut Vec::new()).await.ok();
        return;
    }
    // Who has heard enough hangs up.
    stream.write_all(answer.as_bytes()).await.ok();
    stream.shutdown().await.ok();
}

impl Peer {
    pub(crate) async fn open(tls: Option<TlsAcceptor>, answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::default());
        let peer = Self { address, asked: Arc::clone(&asked) };
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (tls, asked, answer) = (tls.clone(), asked.clone(), answer.clone());
                tokio::spawn(async move {
                    match tls {
                        None => talk(stream, &asked, &*answer).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                talk(stream, &asked, &*answer).await;
                            }
                        }
                    }
                });
            }
        });
        peer
    }

    pub(crate) fn url(&self, host: &str, path: &str) -> Url {
        format!("http://{host}:{}{path}", self.address.port()).parse().unwrap()
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nx-what: this\r\n\r\n{body}", body.len())
}

pub(crate) fn redirect(status: u16, to: impl std::fmt::Display) -> String {
    format!("HTTP/1.1 {status} Elsewhere\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
}
