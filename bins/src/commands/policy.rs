//! `ak policy`: what an administrator does with policies at a terminal.

use std::path::Path;
use std::process::ExitCode;

use ak_policy::python::translate as to_rhai;

use super::{CommandError, say, say_error};

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
