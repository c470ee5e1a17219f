//! The threads on which policies run: few, and never those that serve requests. Who finds too long a queue is told so at once.

use std::cell::RefCell;
use std::future::Future;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// How many cases wait at the most.
const QUEUE: usize = 1024;

/// The stack of a thread. Values of scripts nest, and are compared, copied and dropped by recursion; untouched pages cost nothing.
const STACK: usize = 64 << 20;

type Job = Box<dyn FnOnce() + Send>;

/// Why a case got no thread.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Busy {
    #[error("too many decisions are waiting")]
    Full,
    #[error("the thread for policies ended")]
    Ended,
}

thread_local! {
    static RUNTIME: RefCell<Option<Handle>> = const { RefCell::new(None) };
}

/// Runs `job` on one of the threads, and gives what it gives.
pub(crate) async fn run<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
    let (tell, told) = oneshot::channel();
    let runtime = Handle::current();
    let job: Job = Box::new(move || {
        // Who has gone away meanwhile needs no answer.
        if tell.is_closed() {
            return;
        }
        RUNTIME.with_borrow_mut(|at| *at = Some(runtime));
        let answer = job();
        RUNTIME.with_borrow_mut(|at| *at = None);
        drop(tell.send(answer));
    });
    queue().try_send(job).map_err(|full| match full {
        TrySendError::Full(_) => Busy::Full,
        TrySendError::Disconnected(_) => Busy::Ended,
    })?;
    told.await.map_err(|_| Busy::Ended)
}

/// Waits for something asynchronous, on a thread of policies, for `limit` at the most.
///
/// # Errors
/// In words: the time is over, or this is no such thread.
pub fn wait<T>(limit: Duration, future: impl Future<Output = T>) -> Result<T, String> {
    let runtime = RUNTIME.with_borrow(Clone::clone).ok_or("policies can wait only on threads of their own")?;
    let limited = async { tokio::time::timeout(limit, future).await };
    #[expect(clippy::disallowed_methods, reason = "the thread is none of the workers: it is there for waiting")]
    let outcome = runtime.block_on(limited);
    outcome.map_err(|_| "the time is over".to_owned())
}

fn queue() -> &'static SyncSender<Job> {
    static QUEUE_OF_ALL: OnceLock<SyncSender<Job>> = OnceLock::new();
    QUEUE_OF_ALL.get_or_init(|| {
        let (sender, receiver) = sync_channel(QUEUE);
        let receiver = Arc::new(Mutex::new(receiver));
        let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8) * 2;
        for number in 0..threads {
            let receiver = receiver.clone();
            let thread = std::thread::Builder::new().name(format!("policy-{number}")).stack_size(STACK);
            if let Err(error) = thread.spawn(move || work(&receiver)) {
                tracing::error!(%error, "a thread for policies could not be started");
            }
        }
        sender
    })
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        // A policy's crash is caught where it is asked; this one would be the engine's own. The thread stays.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
            tracing::error!("a decision crashed");
        }
    }
}
