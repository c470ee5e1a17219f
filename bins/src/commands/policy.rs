//! `ak policy`: what an administrator does with policies at a terminal.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ak_policy::Denial;
use ak_policy::python::translate as to_rhai;
use ak_policy::testing::suite::Folder;
use ak_store::model::Store;

use super::{CommandError, say, say_error};

/// Prints everything that expressions can use.
pub(super) fn reference(json: bool) -> ExitCode {
    let reference = ak_policy::script::reference(&ak_http::scripts());
    if json {
        say(&format!("{:#}", reference.json))
    } else {
        say(reference.markdown.trim_end())
    }
    ExitCode::SUCCESS
}

/// Prints a Python expression as Rhai. What is not covered goes to the standard error stream, one line each, with exit status 2.
pub(super) async fn translate(file: &Path) -> Result<ExitCode, CommandError> {
    let name = file.display();
    let source = tokio::fs::read_to_string(file).await.map_err(|error| CommandError::Refused(format!("{name}: {error}")))?;
    match to_rhai(&source) {
        Ok(translation) => {
            say(translation.rhai.trim_end());
            Ok(ExitCode::SUCCESS)
        }
        Err(flags) => {
            flags.iter().for_each(|flag| say_error(&format!("{name}:{flag}")));
            Ok(ExitCode::from(2))
        }
    }
}

/// Prints why somebody was refused, by the reference that she was shown.
pub(super) async fn explain(store: &Store, reference: &str) -> Result<(), CommandError> {
    let reference = reference.trim();
    let found = Denial::find(reference, &mut *store.read().await?, store.clock().now()).await?;
    let found = found.ok_or_else(|| {
        CommandError::Refused(format!(
            "nothing is known of {reference}: nobody was refused with this reference, or it was longer ago than is kept"
        ))
    })?;
    say(&found.to_string());
    Ok(())
}

/// Runs the policies of a folder against their cases, in memory.
pub(super) async fn test(folder: &Path, junit: Option<&Path>, coverage: bool) -> Result<ExitCode, CommandError> {
    let report = match read_folder(folder).await {
        Ok(read) if coverage => read.run_with_coverage().await,
        Ok(read) => read.run().await,
        Err(error) => {
            say_error(&error.to_string());
            return Ok(ExitCode::from(2));
        }
    };
    say(&report.to_string());
    if let Some(file) = junit
        && let Err(error) = tokio::fs::write(file, report.junit()).await
    {
        say_error(&format!("{}: {error}", file.display()));
        return Ok(ExitCode::from(2));
    }
    Ok(match (report.broken(), report.failed()) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) => ExitCode::FAILURE,
        _ => ExitCode::from(2),
    })
}

/// Reads what matters of a folder and of those in it. Links to folders are not followed.
async fn read_folder(folder: &Path) -> Result<Folder, CommandError> {
    let mut read = Folder::default();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let wrong = |error: std::io::Error| CommandError::Refused(format!("{}: {error}", folder.display()));
        let mut entries = tokio::fs::read_dir(&folder).await.map_err(wrong)?;
        while let Some(entry) = entries.next_entry().await.map_err(wrong)? {
            let path: PathBuf = entry.path();
            if entry.file_type().await.map_err(wrong)?.is_dir() {
                folders.push(path);
            } else if Folder::wants(&path) {
                let text = tokio::fs::read_to_string(&path).await.map_err(|error| error.to_string());
                read.add(path, text);
            }
        }
    }
    Ok(read)
}
