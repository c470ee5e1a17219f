//! The table: its lines, and how figures are written.

use std::time::Duration;

/// One line of the table.
pub(crate) fn row(what: &str, figure: impl std::fmt::Display, aim: &str) {
    let space = if aim.is_empty() { "" } else { " " };
    println!("| {what} | {figure} |{space}{aim} |");
}

/// In milliseconds.
pub(crate) fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// In microseconds.
pub(crate) fn us(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1e6)
}

/// What is in the middle.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// A number as people write it.
pub(crate) fn thousands(number: usize) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", number / 1_000, number % 1_000) }
}
