//! Many requests at once.

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

/// Clients that ask at once.
const CLIENTS: usize = 4;

/// Lets four clients ask `requests` times each; how many answers a second there were, and how long each took, in order.
pub(crate) async fn load(
    build: impl Fn(&reqwest::Client) -> reqwest::RequestBuilder + Clone + Send + 'static,
    status: u16,
    requests: usize,
) -> (f64, Vec<Duration>) {
    let begun = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let build = build.clone();
        clients.spawn(async move {
            let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
            let mut times = Vec::with_capacity(requests);
            for _ in 0..requests {
                let sent = Instant::now();
                let reply = build(&http).send().await.expect("an answer");
                let got = reply.status().as_u16();
                let text = reply.bytes().await.expect("all of it");
                times.push(sent.elapsed());
                assert_eq!(got, status, "{}", String::from_utf8_lossy(&text));
            }
            times
        });
    }
    let mut times = Vec::new();
    while let Some(ended) = clients.join_next().await {
        times.extend(ended.expect("the clients ask"));
    }
    let speed = times.len() as f64 / begun.elapsed().as_secs_f64();
    times.sort_unstable();
    (speed, times)
}

/// A handler that answers 200 and nothing else, and where it is.
pub(crate) async fn bare() -> (String, JoinHandle<()>) {
    let router = axum::Router::new().fallback(|| async { "" });
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", socket.local_addr().expect("an address"));
    let serving = async move { axum::serve(socket, router).await.expect("it serves") };
    (url, tokio::spawn(serving))
}
