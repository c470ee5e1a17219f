//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Identity provider: one program for the server, the worker, and the administrator at a terminal.
///
/// Settings come from AUTHENTIK_* environment variables and an optional YAML file; `ak settings` lists them.
#[derive(Parser)]
#[command(name = "ak", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// A command. Some hold passwords, so there is no `Debug`.
#[derive(Subcommand)]
pub enum Command {
    /// Serve pages and the API, with a worker inside.
    Server,
    /// Do the work that is queued, beside a server.
    Worker,
    /// Bring the database to the shape of this version.
    Migrate,
    /// Write a copy of the database to a file, while the server runs (SQLite).
    ///
    /// The copy is consistent and complete. Without the secret key (AUTHENTIK_SECRET_KEY, or the file `secret_key` beside the
    /// database) it cannot be used: keep that elsewhere.
    Backup {
        /// Where to.
        file: PathBuf,
        /// Overwrite a file that is there.
        #[arg(long)]
        force: bool,
    },
    /// Put a copy made by `backup` in the place of the database (SQLite); server and worker must not run.
    Restore {
        /// The copy.
        file: PathBuf,
        /// Replace a database that is there; it is kept beside, as `<name>.before-restore-<time>`.
        #[arg(long)]
        force: bool,
    },
    /// The secret key.
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Ask the server of this machine whether it is ready; exit status 0 if it is.
    Healthcheck,
    /// Print the settings with their defaults, as a Markdown table.
    Settings,
    /// Print the hash of a password, for AUTHENTIK_BOOTSTRAP_PASSWORD_HASH.
    #[command(name = "hash_password", alias = "hash-password")]
    HashPassword {
        /// The password; asked for on the standard input where it is left out.
        password: Option<String>,
    },
    /// Accounts.
    #[command(subcommand)]
    User(UserCommand),
    /// Keys for the API.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Policies.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Configuration as files.
    #[command(subcommand)]
    Blueprint(BlueprintCommand),
    /// Print a link that signs an account in once, without password.
    #[command(name = "create_recovery_key", alias = "create-recovery-key")]
    CreateRecoveryKey {
        /// How long the link is good for, in minutes.
        #[arg(default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=525_600))]
        duration: u32,
        /// Whom it signs in.
        #[arg(default_value = "akadmin")]
        user: String,
    },
    /// Make an account an administrator: create the group of administrators if it is missing, and add the account.
    #[command(name = "create_admin_group", alias = "create-admin-group")]
    CreateAdminGroup {
        /// Whom.
        #[arg(default_value = "akadmin")]
        user: String,
    },
}

/// Commands about the secret key.
#[derive(Subcommand)]
pub enum SecretCommand {
    /// Move the database from an old secret key to the configured one.
    ///
    /// What is encrypted and the keys for the API stay as they are; everybody has to sign in again.
    Rotate {
        /// The old key, or where it is: env://NAME, file:///path. (What is given here itself can be seen in the list of processes.)
        #[arg(long, value_name = "OLD KEY")]
        from: String,
    },
}

/// Commands about policies.
#[derive(Subcommand)]
pub enum PolicyCommand {
    /// Print everything that expressions can use: their variables, functions and properties.
    Reference {
        /// As JSON, for editors.
        #[arg(long)]
        json: bool,
    },
    /// Print a Python expression as Rhai; exit status 2 where something in it is not covered.
    Translate {
        /// The file with the body of the expression.
        file: std::path::PathBuf,
    },
    /// Tell why somebody was refused: who asked, and what every binding said. Exit status 1 where nothing is known.
    Explain {
        /// The reference that the page showed (the id of the request, X-authentik-id).
        reference: String,
    },
    /// Run the policies of a folder (*.rhai, *.py) against their cases (*.cases.yaml).
    ///
    /// Everything happens in memory: nothing is written, mailed, resolved or called. Exit status 1 where a case does not come out as
    /// expected, 2 where a file cannot be used.
    Test {
        /// The folder; those in it count too.
        folder: std::path::PathBuf,
        /// Write a report for programs (JUnit's XML) to this file, too.
        #[arg(long, value_name = "FILE")]
        junit: Option<std::path::PathBuf>,
        /// Tell which lines of a policy none of its cases reached.
        #[arg(long)]
        coverage: bool,
    },
}

/// Commands about accounts.
#[derive(Subcommand)]
pub enum UserCommand {
    /// List accounts.
    List {
        /// Only those with this in their user name, name or e-mail address.
        search: Option<String>,
    },
    /// Create an account.
    Create {
        /// Its user name.
        username: String,
        /// Full name.
        #[arg(long, default_value = "")]
        name: String,
        /// E-mail address.
        #[arg(long, default_value = "")]
        email: String,
        /// Make it an administrator.
        #[arg(long)]
        superuser: bool,
        /// Ask for a password on the standard input.
        #[arg(long)]
        password: bool,
    },
    /// Set an account's password, asked for on the standard input; its sessions end.
    #[command(name = "set-password", alias = "set_password")]
    SetPassword {
        /// Its user name.
        username: String,
        /// The password, where it may stand in the list of processes (tests).
        #[arg(long)]
        password: Option<String>,
    },
}

/// Commands about keys for the API.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Create a key and print it.
    Create {
        /// Its unique name.
        identifier: String,
        /// Whose key it is.
        #[arg(long, default_value = "akadmin")]
        user: String,
        /// How long it is good for, in minutes; for ever where it is left out.
        #[arg(long)]
        minutes: Option<u32>,
    },
    /// List keys (not the secrets).
    List,
    /// Delete a key.
    Delete {
        /// Its name.
        identifier: String,
    },
}

/// Commands about blueprints.
#[derive(Debug, Subcommand)]
pub enum BlueprintCommand {
    /// Print what applying a blueprint would do; nothing is changed.
    Plan {
        /// The file, `-` for the standard input, or the path of one that comes with the product (`default/…`).
        file: PathBuf,
        /// A value of its context: NAME=VALUE, the value as JSON or as a text. May be given several times.
        #[arg(long = "context", value_name = "NAME=VALUE")]
        context: Vec<String>,
    },
    /// Apply a blueprint: all of it, or nothing where something in it is wrong.
    Apply {
        /// The file, `-` for the standard input, or the path of one that comes with the product (`default/…`).
        file: PathBuf,
        /// A value of its context: NAME=VALUE, the value as JSON or as a text. May be given several times.
        #[arg(long = "context", value_name = "NAME=VALUE")]
        context: Vec<String>,
    },
    /// Write the configuration as a blueprint, with names instead of keys.
    Export {
        /// Only this flow (its slug), with its stages, bindings and policies.
        #[arg(long)]
        flow: Option<String>,
        /// The file; the standard output where it is left out.
        #[arg(long, short)]
        output: Option<PathBuf>,
        /// Write secrets too, in readable form.
        #[arg(long)]
        with_secrets: bool,
    },
}
