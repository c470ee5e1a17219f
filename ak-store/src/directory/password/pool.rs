//! So many passwords at once, so many waiting, and no more.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::PasswordError;
use super::families::memory::give_back_when_idle;

/// Size of the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Passwords worked on at once: each takes a thread and its cost in memory. At least one.
    pub threads: usize,
    /// Passwords that wait for a thread. One more is turned away.
    pub waiting: usize,
}

impl Default for Limits {
    /// One thread a core, 64 waiting.
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        Self { threads, waiting: 64 }
    }
}

/// Runs blocking work within [`Limits`].
#[derive(Clone)]
pub(super) struct Pool {
    /// One permit for each that may work or wait.
    pub(super) places: Arc<Semaphore>,
    /// One permit for each that may work.
    pub(super) threads: Arc<Semaphore>,
}

impl Pool {
    pub(super) fn new(limits: Limits) -> Self {
        let threads = limits.threads.clamp(1, 1024);
        let places = threads.saturating_add(limits.waiting).min(Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(places)), threads: Arc::new(Semaphore::new(threads)) }
    }

    /// Runs `work` on a blocking thread. A caller that goes away while it waits gives its place back at once; work that has
    /// begun cannot be stopped, so it keeps its permits to its end, even where nobody waits for it any more.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| PasswordError::Busy)?;
        let thread = Arc::clone(&self.threads).acquire_owned().await.map_err(|_| PasswordError::Failed("the pool is closed"))?;
        let job = tokio::task::spawn_blocking(move || {
            let _permits = (place, thread);
            let done = work();
            give_back_when_idle();
            done
        });
        job.await.map_err(|_| PasswordError::Failed("the thread ended early"))
    }
}
