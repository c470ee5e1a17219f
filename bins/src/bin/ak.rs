//! `ak`: the command line.

use std::process::ExitCode;

use ak_bins::commands::{Cli, run};
use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    run(Cli::parse().command).await
}
