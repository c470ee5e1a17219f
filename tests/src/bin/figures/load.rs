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

/// Lets four clients ask `rate` times a second altogether, each at its own moments whether or not answers are late: how long after its
/// moment each answer was there, in order.
pub(crate) fn paced(
    build: impl Fn(&reqwest::Client) -> reqwest::RequestBuilder + Clone + Send + 'static,
    rate: f64,
    requests: usize,
) -> Vec<Duration> {
    let between = Duration::from_secs_f64(CLIENTS as f64 / rate);
    let client = move |build: &dyn Fn(&reqwest::Client) -> reqwest::RequestBuilder| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let http = reqwest::Client::new();
        // The connection.
        runtime.block_on(async { build(&http).send().await.expect("an answer").bytes().await.expect("all of it") });
        let (begun, mut times) = (Instant::now(), Vec::with_capacity(requests));
        for n in 0..u32::try_from(requests).expect("not many") {
            let moment = begun + between * n;
            // The runtime counts time in milliseconds, which are too long here.
            while let Some(left) = moment.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
                std::thread::park_timeout(left);
            }
            runtime.block_on(async { build(&http).send().await.expect("an answer").bytes().await.expect("all of it") });
            times.push(moment.elapsed());
        }
        times
    };
    let threads: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let build = build.clone();
            std::thread::spawn(move || client(&build))
        })
        .collect();
    let mut times: Vec<Duration> = threads.into_iter().flat_map(|thread| thread.join().expect("the clients ask")).collect();
    times.sort_unstable();
    times
}

/// The time that 99 of 100 stay under.
pub(crate) fn slowest(times: &[Duration]) -> Duration {
    times[times.len() * 99 / 100]
}

/// A handler that answers 200 and nothing else, and where it is.
pub(crate) async fn bare() -> (String, JoinHandle<()>) {
    let router = axum::Router::new().fallback(|| async { "" });
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", socket.local_addr().expect("an address"));
    let serving = async move { axum::serve(socket, router).await.expect("it serves") };
    (url, tokio::spawn(serving))
}
