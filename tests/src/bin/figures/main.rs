//! Figures: what the product costs, as one Markdown table.
//!
//! ```sh
//! cargo build --release -p ak-bins && cargo run --release -p ak-tests --bin figures
//! ```
//!
//! The server is the real program in a process of its own; what is measured inside says so. Times are medians, and worth
//! something only beside other figures of the same run. With `--small` everything is little: whether all of it works; with
//! `--policies` there are only the rows of policies, with `--single-sign-on` only those of what applications ask, with `--starts` only those
//! of sizes and starts.

mod blueprints;
mod engines;
mod forward_auth;
mod load;
mod machine;
mod oauth2;
mod objects;
mod people;
mod policies;
mod processes;
mod table;
mod writes;

/// How much there is of everything.
struct Scale {
    objects: usize,
    few_users: usize,
    many_users: usize,
    /// Logins of a series.
    logins: usize,
    /// Requests of a series.
    requests: usize,
    /// Evaluations of a script.
    evaluations: u32,
    /// How long CPython is measured at the least, in seconds.
    seconds: f64,
    /// How long the server is left alone, in seconds.
    idle: u64,
}

const FULL: Scale = Scale {
    objects: 10_000,
    few_users: 1_000,
    many_users: 100_000,
    logins: 1_000,
    requests: 500,
    evaluations: 200_000,
    seconds: 0.3,
    idle: 65,
};
const SMALL: Scale =
    Scale { objects: 200, few_users: 20, many_users: 100, logins: 20, requests: 10, evaluations: 200, seconds: 0.01, idle: 1 };

#[tokio::main]
async fn main() {
    let scale = if std::env::args().any(|argument| argument == "--small") { SMALL } else { FULL };
    ak_tests::install_crypto_provider();
    println!("| what | figure | aim |\n|---|---|---|");
    if std::env::args().any(|argument| argument == "--policies") {
        return policies::policies(&scale).await;
    }
    if std::env::args().any(|argument| argument == "--starts") {
        processes::size();
        return processes::starts().await;
    }
    if std::env::args().any(|argument| argument == "--single-sign-on") {
        oauth2::oauth2(&scale).await;
        return forward_auth::forward_auth(&scale).await;
    }
    processes::size();
    processes::starts().await;
    processes::logins(&scale).await;
    processes::pages(&scale).await;
    oauth2::oauth2(&scale).await;
    forward_auth::forward_auth(&scale).await;
    machine::machine().await;
    policies::policies(&scale).await;
    blueprints::blueprints().await;
    objects::objects(&scale).await;
    writes::writes(&scale).await;
    people::people(&scale).await;
    processes::idle(&scale).await;
}
