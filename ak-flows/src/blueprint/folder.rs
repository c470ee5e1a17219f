//! The folder of blueprints: every file in it is kept applied.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ak_store::model::Ref;
use chrono::{DateTime, Utc};
use notify::{RecursiveMode, Watcher};
use serde_json::{Map, Value};

use super::document::Blueprint;
use super::engine::{Author, Engine, load};
use super::error::BlueprintError;
use super::instance::{BlueprintInstance, BlueprintStatus, Outcome};

/// More files than this are not looked at.
const MAX_FILES: usize = 1000;
/// How deep folders are looked into.
const MAX_DEPTH: usize = 8;
/// Files are written in pieces, and many at once: so long after the last change they are read.
const SETTLE: Duration = Duration::from_millis(500);
/// After a failure of the storage, the folder is tried again this soon,
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// and at the latest after this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A file that can be applied.
#[derive(Debug, Clone)]
pub struct Available {
    /// Its path below the folder, or among those that come with the product.
    pub path: String,
    /// When it was last changed; for one that comes with the product the beginning of time.
    pub modified: DateTime<Utc>,
    /// Its version.
    pub hash: String,
    /// What it calls itself.
    pub name: String,
    /// Its labels.
    pub labels: Map<String, Value>,
}

impl Engine {
    /// Every blueprint that is there as a file, by path. One that cannot be read is left out, and told in the log.
    pub async fn available(&self) -> Vec<Available> {
        let mut found = Vec::new();
        for shipped in self.shipped() {
            if let Ok(blueprint) = Blueprint::parse(shipped.path, shipped.text) {
                found.push(available(shipped.path, DateTime::UNIX_EPOCH, &blueprint));
            }
        }
        for (path, file) in self.files().await {
            match load(&file, &path).await {
                Ok(blueprint) => found.push(available(&path, modified(&file).await, &blueprint)),
                Err(error) => tracing::warn!(%error, "a blueprint cannot be read"),
            }
        }
        found
    }

    /// The files of the folder, by path. Shipped blueprints are not looked for there.
    async fn files(&self) -> BTreeMap<String, PathBuf> {
        let mut files = BTreeMap::new();
        let Some(root) = self.folder() else { return files };
        let mut open = vec![(root.to_owned(), 0)];
        while let Some((folder, depth)) = open.pop() {
            let Ok(mut entries) = tokio::fs::read_dir(&folder).await else { continue };
            while let Ok(Some(entry)) = entries.next_entry().await {
                let path = entry.path();
                let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
                // A link counts as what it leads to: that is how containers mount files.
                let Ok(kind) = tokio::fs::metadata(&path).await else { continue };
                if is_hidden || files.len() >= MAX_FILES {
                    continue;
                }
                if kind.is_dir() && depth < MAX_DEPTH {
                    open.push((path, depth + 1));
                } else if kind.is_file() && path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
                    let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
                    if self.shipped_at(&name).is_none() {
                        files.insert(name, path);
                    }
                }
            }
        }
        files
    }

    /// Applies every file of the folder that is new or has changed, and notes which ones are gone. What is wrong with one of them
    /// is told in the log and at its instance, and keeps no other from being applied.
    ///
    /// # Errors
    /// Where the storage fails.
    pub async fn sync_folder(&self) -> Result<(), BlueprintError> {
        if self.folder().is_none() {
            return Ok(());
        }
        let files = self.files().await;
        for (path, file) in &files {
            let read = load(file, path).await;
            if read.as_ref().is_ok_and(|blueprint| !blueprint.is_instantiated()) {
                continue;
            }
            match self.sync_file(path, &read).await {
                Ok(()) => {}
                Err(error @ BlueprintError::Store(_)) => return Err(error),
                Err(error) => tracing::error!(blueprint = path, %error, "a blueprint cannot be applied"),
            }
        }
        let snapshot = self.store.snapshot();
        for (_, instance) in snapshot.all::<BlueprintInstance>() {
            let is_file = instance.content.is_empty() && self.shipped_at(&instance.path).is_none();
            if is_file && !files.contains_key(&instance.path) && instance.status != BlueprintStatus::Orphaned {
                self.note(&instance.path, &Outcome::orphaned()).await?;
            }
        }
        Ok(())
    }

    async fn sync_file(&self, path: &str, read: &Result<Blueprint, BlueprintError>) -> Result<(), BlueprintError> {
        let (at, instance) = self.instance_of(path, read.as_ref().map_or(path, |blueprint| &blueprint.name)).await?;
        if !instance.enabled {
            return Ok(());
        }
        match read {
            Err(error) if instance.status == BlueprintStatus::Error && instance.last_error == error.to_string() => Ok(()),
            Ok(blueprint) if blueprint.hash == instance.last_applied_hash && is_settled(instance.status) => Ok(()),
            _ => {
                let report = self.apply_instance(at, &Author::default()).await?;
                tracing::info!(blueprint = path, changes = report.has_changes(), "blueprint applied");
                Ok(())
            }
        }
    }

    /// The instance of a file, made where there is none.
    async fn instance_of(&self, path: &str, name: &str) -> Result<(Ref<BlueprintInstance>, BlueprintInstance), BlueprintError> {
        let written = self.store.write(|draft| {
            let found = draft.snapshot().all::<BlueprintInstance>().find(|(_, instance)| instance.path == path);
            if let Some((at, instance)) = found {
                return Ok((at, instance.clone()));
            }
            let is_taken = draft.snapshot().by::<BlueprintInstance>("name", name).is_some();
            let name = if is_taken { format!("{name} ({path})") } else { name.to_owned() };
            let instance = BlueprintInstance::of_file(name, path);
            Ok((draft.add(&instance)?, instance))
        });
        written.await.map_err(|error| super::engine::at_whole(path, error))
    }

    /// Keeps the folder applied until `stop` resolves: once at the start, and after every change. Does nothing where there is no
    /// folder.
    pub async fn watch_folder(&self, stop: impl Future<Output = ()>) {
        let Some(folder) = self.folder().filter(|folder| folder.is_dir()).map(Path::to_owned) else { return stop.await };
        let (sender, mut changes) = tokio::sync::mpsc::channel::<()>(1);
        let heard = move |event: notify::Result<notify::Event>| {
            // Reading the files is no change of them.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                // A message that is waiting already says the same.
                let _ = sender.try_send(());
            }
        };
        let watcher = notify::recommended_watcher(heard).and_then(|mut watcher| {
            watcher.watch(&folder, RecursiveMode::Recursive)?;
            Ok(watcher)
        });
        let watcher = match watcher {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                tracing::warn!(%error, folder = %folder.display(), "the folder of blueprints is read once, and not watched");
                None
            }
        };
        let work = async {
            let mut pause = FIRST_PAUSE;
            loop {
                if let Err(error) = self.sync_folder().await {
                    tracing::error!(%error, "the folder of blueprints cannot be applied now, and is tried again in a moment");
                    tokio::time::sleep(pause).await;
                    pause = LONGEST_PAUSE.min(pause * 2);
                    continue;
                }
                pause = FIRST_PAUSE;
                if watcher.is_none() || changes.recv().await.is_none() {
                    std::future::pending::<()>().await;
                }
                while tokio::time::timeout(SETTLE, changes.recv()).await.is_ok_and(|change| change.is_some()) {}
            }
        };
        tokio::select! {
            () = stop => {}
            () = work => {}
        }
    }
}

fn is_settled(status: BlueprintStatus) -> bool {
    matches!(status, BlueprintStatus::Successful | BlueprintStatus::Warning | BlueprintStatus::Error)
}

fn available(path: &str, modified: DateTime<Utc>, blueprint: &Blueprint) -> Available {
    let (hash, name, labels) = (blueprint.hash.clone(), blueprint.name.clone(), blueprint.labels.clone());
    Available { path: path.to_owned(), modified, hash, name, labels }
}

async fn modified(file: &Path) -> DateTime<Utc> {
    let modified = tokio::fs::metadata(file).await.and_then(|data| data.modified());
    modified.map_or(DateTime::UNIX_EPOCH, DateTime::<Utc>::from)
}
