//! `ak-worker`: the same as `ak worker`.

use std::process::ExitCode;

use ak_bins::commands::{Command, run};

#[tokio::main]
async fn main() -> ExitCode {
    run(Command::Worker).await
}
