//! Following what other processes change.
//!
//! Where the storage tells of changes ([`crate::records::Backend::listen`]), they are taken in as soon as they are told, and
//! nothing asks in between. Where it does not, or not now, each request looks ([`Store::refresh_now_and_then`]).

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::store::Store;
use crate::error::{Result, StoreError};
use crate::records::{Backend, Changes};

/// The first pause after listening has failed; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(5);

impl Store {
    /// Follows what other processes change, for as long as the store lives. For programs that stay; once.
    pub fn follow(self: &Arc<Self>) {
        tokio::spawn(follow(Arc::downgrade(self), Arc::clone(self.backend())));
    }

    /// Whether the storage tells of others' changes at present.
    pub fn is_told(&self) -> bool {
        self.told.load(Ordering::Relaxed)
    }
}

async fn follow(store: Weak<Store>, backend: Arc<dyn Backend>) {
    let mut pause = PAUSE;
    while store.strong_count() > 0 {
        let ended = match backend.listen().await {
            Ok(None) => return,
            Ok(Some(mut changes)) => hear(&store, &mut *changes, &mut pause).await,
            Err(error) => Err(error),
        };
        let Some(store) = store.upgrade() else { return };
        store.told.store(false, Ordering::Relaxed);
        drop(store);
        if let Err(error) = ended {
            tracing::warn!(%error, "nobody tells of changes made elsewhere: requests look for them until that works again");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
    }
}

/// Takes in what is told, until nothing more can be told or the store is gone.
async fn hear(store: &Weak<Store>, changes: &mut dyn Changes, pause: &mut Duration) -> Result<()> {
    let gone = || StoreError::Backend("the store is closed".into());
    // What was changed before somebody listened has to be looked for.
    let mut revision = {
        let store = store.upgrade().ok_or_else(gone)?;
        store.refresh().await?;
        store.told.store(true, Ordering::Relaxed);
        store.watch()
    };
    *pause = PAUSE;
    loop {
        let told = tokio::select! {
            told = changes.next() => told?,
            // Ends with the store; until then it tells of what this process itself knows already.
            known = revision.changed() => match known {
                Ok(()) => continue,
                Err(_) => return Ok(()),
            },
        };
        let Some(store) = store.upgrade() else { return Ok(()) };
        if told > store.snapshot().revision() {
            store.refresh().await?;
        }
    }
}
