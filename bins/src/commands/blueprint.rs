//! `ak blueprint plan`, `apply`, `export`.

use std::path::{Path, PathBuf};

use ak_flows::Flow;
use ak_flows::blueprint::{Author, Blueprint, BlueprintError, Engine, ExportOptions, Options, Selection, load};
use serde_json::{Map, Value};

use super::{CommandError, say, say_error};

/// What a blueprint is applied with.
pub(super) struct Given {
    /// The file; `-` for the standard input.
    pub(super) file: PathBuf,
    /// A value of the context each: `name=value`, the value as JSON or as a text.
    pub(super) context: Vec<String>,
}

/// Prints what applying the file would do.
pub(super) async fn plan(engine: &Engine, given: Given) -> Result<(), CommandError> {
    let (blueprint, options) = read(engine, &given).await?;
    let report = engine.plan(&blueprint, &options).await.map_err(refused)?;
    say(&report.to_string());
    Ok(())
}

/// Applies the file, and prints what that did.
pub(super) async fn apply(engine: &Engine, given: Given) -> Result<(), CommandError> {
    let (blueprint, options) = read(engine, &given).await?;
    let options = Options { author: Some(Author::default()), ..options };
    let report = engine.apply(&blueprint, &options).await.map_err(refused)?;
    say(&report.to_string());
    Ok(())
}

/// Writes what is there as a blueprint.
pub(super) async fn export(
    engine: &Engine,
    flow: Option<&str>,
    to: Option<&Path>,
    with_secrets: bool,
) -> Result<(), CommandError> {
    let snapshot = engine.store().snapshot();
    let selection = match flow {
        None => Selection::Everything,
        Some(slug) => {
            let found = snapshot.by::<Flow>("slug", slug);
            Selection::Flow(found.ok_or_else(|| CommandError::Refused(format!("there is no flow {slug}")))?.0)
        }
    };
    let name = flow.map_or_else(|| "Export".to_owned(), |slug| format!("flow {slug}"));
    let text = engine.export(&selection, &ExportOptions { name, with_secrets }).await?;
    match to {
        None => say(text.trim_end()),
        Some(path) => {
            let failed = |error: std::io::Error| CommandError::Refused(format!("{}: {error}", path.display()));
            write(path, &text).await.map_err(failed)?;
        }
    }
    if with_secrets {
        say_error("the blueprint holds secrets in readable form: keep it accordingly");
    }
    Ok(())
}

/// For its owner's eyes only, and whole or not at all: a new file takes the place of an older one.
async fn write(path: &Path, text: &str) -> std::io::Result<()> {
    use tokio::io::AsyncWriteExt as _;
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.draft", std::process::id()));
    let draft = PathBuf::from(draft);
    let mut file = tokio::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).await?;
    let written = async {
        file.write_all(text.as_bytes()).await?;
        file.sync_all().await?;
        tokio::fs::rename(&draft, path).await
    };
    let written = written.await;
    if written.is_err() {
        // The draft is of no use; that it could not be written is what matters.
        let _ = tokio::fs::remove_file(&draft).await;
    }
    written
}

async fn read(engine: &Engine, given: &Given) -> Result<(Blueprint, Options), CommandError> {
    let name = given.file.to_string_lossy();
    let mut options = Options { context: context(&given.context)?, ..Options::default() };
    // One that came with the product is planned and applied as the start would do it.
    if let Some(shipped) = engine.shipped_at(&name).filter(|_| !given.file.exists()) {
        options.keep_under = Some(shipped.path.to_owned());
        return Ok((Blueprint::parse(shipped.path, shipped.text).map_err(refused)?, options));
    }
    let file = if *name == *"-" { Path::new("/dev/stdin") } else { &given.file };
    let blueprint = load(file, &name).await.map_err(refused)?;
    Ok((blueprint.trusted(), options))
}

fn context(given: &[String]) -> Result<Map<String, Value>, CommandError> {
    let pair = |pair: &String| {
        let wrong = || CommandError::Refused(format!("--context {pair}: write NAME=VALUE"));
        let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
        Ok((name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::from(value))))
    };
    given.iter().map(pair).collect()
}

fn refused(error: BlueprintError) -> CommandError {
    match error {
        BlueprintError::Store(error) => error.into(),
        error @ BlueprintError::Wrong(_) => CommandError::Refused(error.to_string()),
    }
}
