//! Why the settings cannot be used.

use std::path::Path;

/// Why the settings cannot be used: one line that names what to change. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A setting, by the name it was given under, and what is wrong with it.
    #[error("{name}: {message}")]
    Setting {
        /// The name as it was written.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// A file that cannot be read, understood or made.
    #[error("{path}: {message}")]
    File {
        /// The file's path, quoted.
        path: String,
        /// What is wrong.
        message: String,
    },
}

impl ConfigError {
    pub(super) fn setting(name: impl AsRef<str>, message: impl Into<String>) -> Self {
        Self::Setting { name: printable(name.as_ref()), message: message.into() }
    }

    pub(super) fn file(path: &Path, message: impl ToString) -> Self {
        Self::File { path: printable(&path.to_string_lossy()), message: printable(&message.to_string()) }
    }
}

/// `text` on one line: control characters escaped, and cut after some hundred characters.
pub(super) fn printable(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut line = String::new();
    for (i, c) in text.chars().enumerate() {
        if i == LONGEST {
            line.push('…');
            break;
        }
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

/// `text` as [`printable`], in quotation marks.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", printable(text))
}
