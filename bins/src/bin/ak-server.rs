//! `ak-server`: the same as `ak server`.

use std::process::ExitCode;

use ak_bins::commands::{Command, run};

#[tokio::main]
async fn main() -> ExitCode {
    run(Command::Server).await
}
