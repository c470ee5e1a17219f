//! Ending a worker: what is under way may end, but not take for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ak_bins::work_until;
use ak_store::memory::MemoryBackend;
use ak_store::records::Task;
use ak_store::tasks::{Handlers, TaskError, TaskHandler, Worker};
use ak_store::{SystemClock, SystemRng};
use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Takes so long.
struct Slow {
    takes: Duration,
    begun: Arc<Notify>,
    done: Arc<AtomicBool>,
}

#[async_trait]
impl TaskHandler for Slow {
    async fn run(&self, _: &Task) -> Result<(), TaskError> {
        self.begun.notify_one();
        // The runtime's time stands still and is moved on when nothing else is to do.
        drop(tokio::time::timeout(self.takes, std::future::pending::<()>()).await);
        self.done.store(true, Ordering::SeqCst);
        Ok(())
    }
}

/// Stops a worker in the middle of such work: how long that took, and whether the work was done.
async fn stopped_during(takes: Duration) -> (Duration, bool) {
    let (begun, done) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let slow = Slow { takes, begun: begun.clone(), done: done.clone() };
    let worker = Worker::new(Arc::new(MemoryBackend::new()), Handlers::new(), Arc::new(SystemClock), Arc::new(SystemRng));
    let worker = worker.every("slow", chrono::Duration::hours(1), slow);
    let mut asked = None;
    work_until(&worker, async {
        begun.notified().await;
        asked = Some(Instant::now());
    })
    .await;
    (asked.expect("it was asked to stop").elapsed(), done.load(Ordering::SeqCst))
}

#[tokio::test(start_paused = true)]
async fn work_that_ends_soon_is_waited_for() {
    let (took, done) = stopped_during(Duration::from_secs(5)).await;
    assert!(done && took < Duration::from_secs(6), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn work_that_takes_minutes_is_not() {
    let (took, done) = stopped_during(Duration::from_secs(200)).await;
    assert!(!done && (Duration::from_secs(9)..Duration::from_secs(11)).contains(&took), "{took:?}");
}
