//! Whether the database file is still where it was.
//!
//! SQLite goes on with a file that was deleted, moved or replaced: it holds it open. What is written then is lost without a word,
//! so every use looks first. That costs a microsecond.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Result, StoreError};

/// A file, and which one it was when it was opened.
pub(super) struct Presence {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Presence {
    /// Notes which file is at `path`.
    pub(super) fn note(path: &Path) -> Result<Self> {
        let found = std::fs::metadata(path).map_err(|error| gone(path, &error))?;
        Ok(Self { path: path.to_owned(), device: found.dev(), inode: found.ino() })
    }

    /// Refuses unless that file is there. One that was away and is back is as good as ever.
    pub(super) fn check(&self) -> Result<()> {
        let found = std::fs::metadata(&self.path).map_err(|error| gone(&self.path, &error))?;
        if (found.dev(), found.ino()) == (self.device, self.inode) {
            return Ok(());
        }
        // What this process knows (objects, keys) is of the other file: nothing of it may be mixed with this one.
        let path = self.path.display();
        Err(StoreError::Backend(format!("the database {path} was replaced by another file: this program must be started anew")))
    }
}

fn gone(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Backend(format!("the database {} is not there any more: {error}", path.display()))
}
