//! The objects of an installation: read from memory, written as candidates.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard, watch};

use super::draft::Draft;
use super::errors::Errors;
use super::object::Object;
use super::pk::{Key, Pk, Target};
use super::registry::Registry;
use super::snapshot::{People, Snapshot};
use crate::clock::{Clock, Rng, SystemClock, SystemRng};
use crate::directory::Role;
use crate::error::{Result, StoreError};
use crate::keyring::{Keyring, SETTING};
use crate::records::{Backend, CommitOutcome, Durability, ObjectRow, Repository};
use crate::tasks::Waker;

/// Why a write was not made.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The input is wrong.
    #[error("{0}")]
    Invalid(#[from] Errors),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a store is opened with.
pub struct StoreOptions {
    /// Where everything is kept.
    pub backend: Arc<dyn Backend>,
    /// The kinds.
    pub registry: Arc<Registry>,
    /// The secret key of the installation.
    pub secret_key: String,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
}

impl StoreOptions {
    /// The options of a program that runs in real time, with real randomness.
    pub fn new(backend: Arc<dyn Backend>, registry: Arc<Registry>, secret_key: &str) -> Self {
        let (clock, rng) = (Arc::new(SystemClock), Arc::new(SystemRng));
        Self { backend, registry, secret_key: secret_key.to_owned(), clock, rng }
    }
}

/// The objects of an installation, and the way to its records.
pub struct Store {
    backend: Arc<dyn Backend>,
    registry: Arc<Registry>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    install_id: String,
    current: ArcSwap<Snapshot>,
    writer: Mutex<()>,
    revision: watch::Sender<u64>,
    waker: Waker,
    /// When others' writes were last looked for, by the monotonic clock.
    looked: AtomicU64,
    /// Whether the storage tells of others' writes, so that nobody has to look.
    pub(super) told: AtomicBool,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({}, {:?})", self.backend.name(), self.snapshot())
    }
}

impl Store {
    /// Brings the storage to the present shape and reads all objects. An empty storage gets an installation id and a data key.
    pub async fn open(options: StoreOptions) -> Result<Arc<Self>> {
        let StoreOptions { backend, registry, secret_key, clock, rng } = options;
        backend.migrate().await?;
        let (keyring, install_id) = identity(&*backend, &secret_key, &*rng).await?;
        let empty = Snapshot::empty(registry.clone());
        let store = Self {
            backend,
            registry,
            keyring: Arc::new(keyring),
            clock,
            rng,
            install_id,
            current: ArcSwap::from_pointee(empty),
            writer: Mutex::new(()),
            revision: watch::Sender::new(0),
            waker: Waker::default(),
            looked: AtomicU64::new(0),
            told: AtomicBool::new(false),
        };
        store.load().await?;
        Ok(Arc::new(store))
    }

    async fn load(&self) -> Result<()> {
        let mut repo = self.backend.read().await?;
        let mut revision = repo.objects().revision().await?;
        let rows = loop {
            // Tombstones too: their keys are not used again.
            let rows = repo.objects().since(0).await?;
            let after = repo.objects().revision().await?;
            if after == revision {
                break rows;
            }
            revision = after;
        };
        drop(repo);
        let mut snapshot = Snapshot::empty(self.registry.clone());
        snapshot.set_revision(revision);
        let mut old = Vec::new();
        // Second keys first: a reference by one must find its object whatever the order of the rows.
        rows.iter().for_each(|row| snapshot.know_alias(row));
        for row in rows {
            if let Some(pk) = self.take_in(&mut snapshot, row) {
                old.push(pk);
            }
        }
        self.swap(snapshot);
        if !old.is_empty() {
            tracing::info!(objects = old.len(), "objects of an older version are brought up to date");
            match self.write(|draft| old.iter().try_for_each(|pk| draft.touch(*pk))).await {
                Ok(()) => {}
                Err(WriteError::Store(error)) => return Err(error),
                // They are up to date in memory; a document never stops the start.
                Err(WriteError::Invalid(errors)) => tracing::error!(%errors, "objects of an older version cannot be stored anew"),
            }
        }
        Ok(())
    }

    /// Puts a stored row into a snapshot; gives its key if it was of an older version.
    fn take_in(&self, snapshot: &mut Snapshot, row: ObjectRow) -> Option<Pk> {
        let pk = Pk::of_uuid(row.pk);
        if row.deleted {
            snapshot.remove(pk);
            snapshot.reserve(pk);
            return None;
        }
        let (object, upgraded) = Object::load(&self.registry, &self.keyring, row);
        snapshot.insert(Arc::new(object));
        upgraded.then_some(pk)
    }

    /// The objects as they are now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The records.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// Opens a view of the records for reading.
    pub async fn read(&self) -> Result<Box<dyn Repository>> {
        self.backend.read().await
    }

    /// Opens a way to look up records, one after the other ([`Backend::look`]).
    pub async fn look(&self) -> Result<Box<dyn Repository>> {
        self.backend.look().await
    }

    /// Wakes the worker of this process, if there is one: for whoever has asked for work that is not to wait.
    pub fn waker(&self) -> &Waker {
        &self.waker
    }

    /// The secrets at rest.
    pub fn keyring(&self) -> &Arc<Keyring> {
        &self.keyring
    }

    /// Time.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Randomness.
    pub fn rng(&self) -> &Arc<dyn Rng> {
        &self.rng
    }

    /// The id of the installation.
    pub fn install_id(&self) -> &str {
        &self.install_id
    }

    /// Tells the revision after every change.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// The records that objects refer to, for showing them.
    pub async fn people<'a>(&self, objects: impl IntoIterator<Item = &'a Arc<Object>>) -> Result<People> {
        let (users, groups) = Snapshot::records_of(objects);
        let mut people = People { install_id: self.install_id.clone(), ..People::default() };
        if users.is_empty() && groups.is_empty() {
            return Ok(people);
        }
        let mut repo = self.backend.read().await?;
        people.users = repo.users().lookup_many(&users.into_iter().collect::<Vec<_>>()).await?;
        people.groups = repo.groups().lookup_many(&groups.into_iter().collect::<Vec<_>>()).await?;
        Ok(people)
    }

    /// Changes objects. `apply` is pure and may run twice: the first time without holding up other writers; if somebody else was
    /// faster, once more on their result, with the storage locked, so that no write is refused for being late.
    pub async fn write<T>(&self, mut apply: impl FnMut(&mut Draft) -> Result<T, Errors> + Send) -> Result<T, WriteError> {
        let _one = self.writer.lock().await;
        let base = self.snapshot();
        let mut draft = Draft::of(&base, self.clock.now(), self.rng.clone());
        let tried = apply(&mut draft).and_then(|answer| draft.validate().map(|()| answer));
        let mut repo = match tried {
            Ok(answer) if !draft.is_clean() => {
                let mut repo = self.backend.begin(Durability::Full).await?;
                if self.commit(&mut *repo, base.revision(), &draft).await? {
                    repo.save().await?;
                    self.swap(draft.finish());
                    return Ok(answer);
                }
                repo
            }
            // Nothing to store; whether that is right, the newest objects tell.
            tried if self.backend.read().await?.objects().revision().await? == base.revision() => return Ok(tried?),
            _ => self.backend.begin(Durability::Full).await?,
        };
        repo.objects().lock_revision().await?;
        let mut unit = Unit { store: self, _one: None, repo, draft: None, failed: false };
        unit.catch_up().await?;
        let answer = unit.write(apply)?;
        unit.save().await?;
        Ok(answer)
    }

    /// Opens a transaction over objects and records. The storage is locked for writing until it is saved or dropped.
    pub async fn begin(&self, durability: Durability) -> Result<Unit<'_>> {
        let one = self.writer.lock().await;
        let mut repo = self.backend.begin(durability).await?;
        repo.objects().lock_revision().await?;
        let mut unit = Unit { store: self, _one: Some(one), repo, draft: None, failed: false };
        unit.catch_up().await?;
        Ok(unit)
    }

    /// Stores a draft in a transaction; false if the revision is not `base` any more.
    async fn commit(&self, repo: &mut dyn Repository, base: u64, draft: &Draft) -> Result<bool, WriteError> {
        let rows = draft.rows(&self.keyring)?;
        let outcome = repo.objects().commit(base, &rows).await?;
        if outcome == CommitOutcome::Stale {
            return Ok(false);
        }
        check_records(repo, draft).await?;
        let roles = draft.deleted_as(<dyn Role as Target>::NAME);
        if !roles.is_empty() {
            repo.roles().forget(&roles).await?;
        }
        // No two objects have the same key, so none needs to be asked what it was.
        let deleted = draft.deleted();
        if !deleted.is_empty() {
            repo.consents().forget(&deleted).await?;
            repo.grants().forget(&deleted).await?;
        }
        Ok(true)
    }

    /// Takes in what others have written.
    pub async fn refresh(&self) -> Result<()> {
        let mine = self.snapshot().revision();
        if self.backend.read().await?.objects().revision().await? == mine {
            return Ok(());
        }
        let _one = self.writer.lock().await;
        let mut repo = self.backend.read().await?;
        let snapshot = self.caught_up(&mut *repo).await?;
        self.swap(snapshot);
        Ok(())
    }

    /// Takes in what others have written, unless that was looked for less than a second ago, or five where it is told
    /// ([`Store::follow`]): one cheap query where there are requests, and none where there are none.
    pub async fn refresh_now_and_then(self: &Arc<Self>) -> Result<()> {
        const EVERY: u64 = 1_000_000;
        // A connection that listens can die without a word: what it should have told is looked for now and then all the same.
        const EVERY_IF_TOLD: u64 = 5_000_000;
        let every = if self.is_told() { EVERY_IF_TOLD } else { EVERY };
        let (now, last) = (self.clock.monotonic_micros(), self.looked.load(Ordering::Relaxed));
        let due = last == 0 || now.saturating_sub(last) >= every;
        // Of several requests at once, one looks.
        if due && self.looked.compare_exchange(last, now.max(1), Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            // A task of its own: whoever asks may go away in the middle, and nobody else would look for a second.
            let store = Arc::clone(self);
            let looked = tokio::spawn(async move { store.refresh().await }).await;
            return looked.map_err(|_| StoreError::Backend("looking for changes ended in a panic".into()))?;
        }
        Ok(())
    }

    async fn caught_up(&self, repo: &mut dyn Repository) -> Result<Snapshot> {
        let mut snapshot = Snapshot::clone(&self.snapshot());
        let rows = repo.objects().since(snapshot.revision()).await?;
        // What changed goes first, so that a name that moved from one object to another is free when its new owner comes.
        for row in &rows {
            snapshot.remove(Pk::of_uuid(row.pk));
        }
        rows.iter().for_each(|row| snapshot.know_alias(row));
        for row in rows {
            let revision = row.revision.max(snapshot.revision());
            self.take_in(&mut snapshot, row);
            snapshot.set_revision(revision);
        }
        Ok(snapshot)
    }

    fn swap(&self, snapshot: Snapshot) {
        let revision = snapshot.revision();
        self.current.store(Arc::new(snapshot));
        self.revision.send_replace(revision);
    }
}

/// A transaction over objects and records. Dropped without [`Unit::save`], nothing of it happened.
pub struct Unit<'a> {
    store: &'a Store,
    _one: Option<MutexGuard<'a, ()>>,
    repo: Box<dyn Repository>,
    draft: Option<(u64, Draft)>,
    failed: bool,
}

impl Unit<'_> {
    /// The store that this is a transaction of: its clock, its randomness, its keys.
    pub fn store(&self) -> &Store {
        self.store
    }

    /// The store and the records, both at once.
    pub fn parts(&mut self) -> (&Store, &mut dyn Repository) {
        (self.store, &mut *self.repo)
    }

    /// The records.
    pub fn records(&mut self) -> &mut dyn Repository {
        &mut *self.repo
    }

    /// The objects as they are with the changes made so far.
    pub fn snapshot(&mut self) -> &Snapshot {
        self.draft().snapshot()
    }

    /// Whether an object was changed.
    pub fn has_changes(&self) -> bool {
        self.draft.as_ref().is_some_and(|(_, draft)| !draft.is_clean())
    }

    /// What the changes made so far have broken, object by object: what [`Unit::save`] would refuse.
    pub async fn problems(&mut self) -> Result<Vec<(Pk, Errors)>, WriteError> {
        let mut found = self.draft().problems();
        let edges = self.draft().record_edges();
        for (pk, errors) in missing_records(&mut *self.repo, edges).await? {
            match found.iter_mut().find(|(other, _)| *other == pk) {
                Some((_, known)) => known.extend(errors),
                None => found.push((pk, errors)),
            }
        }
        Ok(found)
    }

    fn draft(&mut self) -> &mut Draft {
        let (_, draft) = self.draft.get_or_insert_with(|| {
            let base = self.store.snapshot();
            (base.revision(), Draft::of(&base, self.store.clock.now(), self.store.rng.clone()))
        });
        draft
    }

    /// Changes objects, on top of what this transaction has changed already.
    pub fn write<T>(&mut self, mut apply: impl FnMut(&mut Draft) -> Result<T, Errors>) -> Result<T, WriteError> {
        let answer = apply(self.draft());
        self.failed |= answer.is_err();
        Ok(answer?)
    }

    /// Deletes an account with everything that refers to it; whether it was there.
    pub async fn delete_user(&mut self, pk: i64) -> Result<bool, WriteError> {
        let there = self.repo.users().delete(pk).await?;
        self.write(|draft| draft.forget(Key::User(pk)))?;
        Ok(there)
    }

    /// Deletes a group with everything that refers to it; whether it was there.
    pub async fn delete_group(&mut self, pk: uuid::Uuid) -> Result<bool, WriteError> {
        let there = self.repo.groups().delete(pk).await?;
        self.write(|draft| draft.forget(Key::Group(pk)))?;
        Ok(there)
    }

    async fn catch_up(&mut self) -> Result<()> {
        let snapshot = self.store.caught_up(&mut *self.repo).await?;
        if snapshot.revision() != self.store.snapshot().revision() {
            self.store.swap(snapshot);
        }
        Ok(())
    }

    /// Validates and keeps everything.
    pub async fn save(mut self) -> Result<(), WriteError> {
        if self.failed {
            return Err(StoreError::Invalid("a change was refused, so nothing of the transaction is kept".into()).into());
        }
        let Some((base, mut draft)) = self.draft.take() else { return Ok(self.repo.save().await?) };
        draft.validate()?;
        if draft.is_clean() {
            return Ok(self.repo.save().await?);
        }
        if !self.store.commit(&mut *self.repo, base, &draft).await? {
            return Err(StoreError::Busy("the revision changed under its lock".into()).into());
        }
        self.repo.save().await?;
        self.store.swap(draft.finish());
        Ok(())
    }
}

async fn check_records(repo: &mut dyn Repository, draft: &Draft) -> Result<(), WriteError> {
    let mut errors = Errors::default();
    for (_, problems) in missing_records(repo, draft.record_edges()).await? {
        errors.extend(problems);
    }
    Ok(errors.ok(())?)
}

/// Which objects refer to records that do not exist.
async fn missing_records(repo: &mut dyn Repository, edges: Vec<(Pk, Key, Box<str>)>) -> Result<Vec<(Pk, Errors)>> {
    if edges.is_empty() {
        return Ok(Vec::new());
    }
    let users: Vec<i64> = edges.iter().filter_map(|(_, to, _)| if let Key::User(pk) = to { Some(*pk) } else { None }).collect();
    let groups: Vec<_> = edges.iter().filter_map(|(_, to, _)| if let Key::Group(pk) = to { Some(*pk) } else { None }).collect();
    let users = repo.users().lookup_many(&users).await?;
    let groups = repo.groups().lookup_many(&groups).await?;
    let mut found = Vec::new();
    for (from, to, field) in edges {
        let (there, pk) = match to {
            Key::User(pk) => (users.contains_key(&pk), pk.to_string()),
            Key::Group(pk) => (groups.contains_key(&pk), pk.to_string()),
            Key::Object(_) => continue,
        };
        if !there {
            let mut errors = Errors::default();
            let path: Vec<&str> = field.split('.').collect();
            errors.at(&path, format!("Invalid pk \"{pk}\" - object does not exist."), "does_not_exist");
            found.push((from, errors));
        }
    }
    Ok(found)
}

/// The data key and the installation id, made on the first start. Of two first starts at once, one wins and both use its values.
async fn identity(backend: &dyn Backend, secret_key: &str, rng: &dyn Rng) -> Result<(Keyring, String)> {
    const INSTALL_ID: &str = "install_id";
    let mut repo = backend.read().await?;
    let found = (repo.settings().lookup(SETTING).await?, repo.settings().lookup(INSTALL_ID).await?);
    drop(repo);
    let (wrapped, id) = match found {
        (Some(wrapped), Some(id)) => (wrapped, id),
        _ => {
            let (_, wrapped) = Keyring::generate(secret_key, rng)?;
            let mut repo = backend.begin(Durability::Full).await?;
            let wrapped = repo.settings().add_if_absent(SETTING, &wrapped).await?;
            let id = repo.settings().add_if_absent(INSTALL_ID, &Value::from(rng.uuid().to_string())).await?;
            repo.save().await?;
            (wrapped, id)
        }
    };
    let id = id.as_str().ok_or_else(|| StoreError::Corrupt("the installation id is not a text".into()))?;
    Ok((Keyring::open(&wrapped, secret_key)?, id.to_owned()))
}
