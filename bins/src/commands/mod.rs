//! The command line: `ak <command>`. Each command is a few calls into the rooms.

mod backup;
mod blueprint;
mod cli;
mod group;
mod health;
mod policy;
mod recovery;
mod secret;
mod serve;
mod token;
mod user;

use std::io::Write as _;
use std::process::ExitCode;

pub use cli::{BlueprintCommand, Cli, Command, PolicyCommand, SecretCommand, TokenCommand, UserCommand};

use crate::start::{StartError, Wiring, blueprints, load_settings, log_to_stderr, open_store};
use ak_store::StoreError;
use ak_store::directory::password::{PasswordError, PasswordHasher};

/// Why a command failed. One line.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The product does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The storage failed, or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A password cannot be used.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// What was asked for is not there, or makes no sense.
    #[error("{0}")]
    Refused(String),
}

/// Runs a command; what goes wrong is one line on the standard error stream, and exit status 1.
pub async fn run(command: Command) -> ExitCode {
    outlive_file_limits();
    // Needs neither settings nor a store, and has an exit status of its own.
    let done = match command {
        Command::Policy(PolicyCommand::Reference { json }) => Ok(policy::reference(json)),
        Command::Policy(PolicyCommand::Translate { file }) => policy::translate(&file).await,
        Command::Policy(PolicyCommand::Test { folder, junit, coverage }) => {
            policy::test(&folder, junit.as_deref(), coverage).await
        }
        command => dispatch(command).await.map(|()| ExitCode::SUCCESS),
    };
    match done {
        Ok(status) => status,
        Err(error) => {
            say_error(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// A write beyond a limit on the size of files (`ulimit -f`) is an error like that of a full disk, and not the end of the process.
fn outlive_file_limits() {
    use tokio::signal::unix::{SignalKind, signal};
    // SIGXFSZ on every Unix that this runs on. The handler stays when what listens to it goes.
    if let Err(error) = signal(SignalKind::from_raw(25)) {
        tracing::debug!(%error, "a limit on the size of files will end this process");
    }
}

/// Prints a line for the person at the terminal. Whoever has closed the other end does not want to know.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn say_error(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

async fn dispatch(command: Command) -> Result<(), CommandError> {
    let loaded = load_settings()?;
    let settings = loaded.settings;
    log_to_stderr(&settings);
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    match command {
        Command::Server => return Ok(serve::server(&settings).await?),
        Command::Worker => return Ok(serve::worker(&settings).await?),
        Command::Healthcheck => return health::check(&settings).await,
        Command::HashPassword { password } => return user::hash(password).await,
        Command::Backup { file, force } => return backup::write(&settings, &file, force).await,
        Command::Restore { file, force } => return backup::restore(&settings, &file, force).await,
        Command::Secret(SecretCommand::Rotate { from }) => return secret::rotate(&settings, &from).await,
        Command::Settings => {
            say(&ak_store::config::Settings::reference());
            return Ok(());
        }
        _ => {}
    }
    let wiring = Wiring::standard()?;
    let (store, _) = open_store(&settings, &wiring).await?;
    let hasher = PasswordHasher::new(wiring.password_cost);
    match command {
        Command::Migrate => say("The database is up to date."),
        Command::User(UserCommand::List { search }) => user::list(&store, search).await?,
        Command::User(UserCommand::Create { username, name, email, superuser, password }) => {
            user::create(&store, &hasher, user::NewAccount { username, name, email, superuser, password }).await?;
        }
        Command::User(UserCommand::SetPassword { username, password }) => {
            user::set_password(&store, &hasher, &username, password).await?
        }
        Command::Token(TokenCommand::Create { identifier, user, minutes }) => {
            token::create(&store, &identifier, &user, minutes).await?
        }
        Command::Token(TokenCommand::List) => token::list(&store).await?,
        Command::Token(TokenCommand::Delete { identifier }) => token::delete(&store, &identifier).await?,
        Command::CreateRecoveryKey { duration, user } => {
            recovery::create(&store, &settings, duration, &user).await?;
        }
        Command::Blueprint(command) => {
            let engine = blueprints(&store, &hasher, &settings);
            match command {
                BlueprintCommand::Plan { file, context } => blueprint::plan(&engine, blueprint::Given { file, context }).await?,
                BlueprintCommand::Apply { file, context } => {
                    blueprint::apply(&engine, blueprint::Given { file, context }).await?
                }
                BlueprintCommand::Export { flow, output, with_secrets } => {
                    blueprint::export(&engine, flow.as_deref(), output.as_deref(), with_secrets).await?;
                }
            }
        }
        Command::CreateAdminGroup { user } => group::create_admin(&store, &user).await?,
        Command::Policy(PolicyCommand::Explain { reference }) => policy::explain(&store, &reference).await?,
        Command::Policy(_)
        | Command::Server
        | Command::Worker
        | Command::Healthcheck
        | Command::HashPassword { .. }
        | Command::Settings => {}
        Command::Backup { .. } | Command::Restore { .. } | Command::Secret(_) => {}
    }
    Ok(())
}
