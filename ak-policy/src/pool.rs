//! The threads on which policies run, and never those that serve requests.
//!
//! As many policies compute at a time as the machine has cores; one that waits for an answer from elsewhere lets another one compute
//! meanwhile. Cases come to their turn in the order in which they were asked. Who waits too long for a turn, or finds too long a
//! queue, is told so.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};

/// How many cases wait for their turn at the most.
const QUEUE: usize = 1024;

/// How many cases are under way at the most, those included that wait for an answer from elsewhere.
const THREADS: usize = 64;

/// The stack of a thread. Values of scripts nest, and are compared, copied and dropped by recursion; untouched pages cost nothing.
const STACK: usize = 64 << 20;

type Job = Box<dyn FnOnce() + Send>;

/// Why a case was not decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Busy {
    #[error("too many decisions are waiting")]
    Full,
    #[error("the time was over before there was a thread")]
    Late,
    #[error("the thread for policies ended")]
    Ended,
}

thread_local! {
    static RUNTIME: RefCell<Option<Handle>> = const { RefCell::new(None) };
    /// The leave to compute, while the thread has it.
    static COMPUTING: RefCell<Option<SemaphorePermit<'static>>> = const { RefCell::new(None) };
}

/// Runs `job` on one of the threads as soon as it is its turn, and gives what it gives. It waits no longer than `patience` for that.
pub(crate) async fn run<T: Send + 'static>(patience: Duration, job: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
    let pool = pool();
    let turn = {
        let _place = pool.queue.try_acquire().map_err(|_| Busy::Full)?;
        let turn = async { Ok::<_, tokio::sync::AcquireError>((pool.places.acquire().await?, pool.cores.acquire().await?)) };
        tokio::time::timeout(patience, turn).await.map_err(|_| Busy::Late)?.map_err(|_| Busy::Ended)?
    };
    let (tell, told) = oneshot::channel();
    let runtime = Handle::current();
    pool.hand_over(Box::new(move || {
        let (place, computing) = turn;
        RUNTIME.set(Some(runtime));
        COMPUTING.set(Some(computing));
        let _end = End(place);
        // Who has gone away meanwhile needs no answer.
        if !tell.is_closed() {
            drop(tell.send(job()));
        }
    }));
    told.await.map_err(|_| Busy::Ended)
}

/// The end of a job, crashed or not: its place and its leave to compute go to others.
struct End(#[expect(dead_code, reason = "held until it is dropped")] SemaphorePermit<'static>);

impl Drop for End {
    fn drop(&mut self) {
        RUNTIME.take();
        COMPUTING.take();
    }
}

/// Waits for something asynchronous, on a thread of policies, for `limit` at the most. Meanwhile other policies compute.
///
/// # Errors
/// In words: the time is over, or this is no such thread.
pub fn wait<T>(limit: Duration, future: impl Future<Output = T>) -> Result<T, String> {
    let runtime = RUNTIME.with_borrow(Clone::clone).ok_or("policies can wait only on threads of their own")?;
    COMPUTING.take();
    let answered = async {
        let answer = future.await;
        (answer, pool().cores.acquire().await)
    };
    let limited = async { tokio::time::timeout(limit, answered).await };
    #[expect(clippy::disallowed_methods, reason = "the thread is none of the workers: it is there for waiting")]
    let outcome = runtime.block_on(limited);
    // Whose time is over goes on without a leave: it has only its error left to tell.
    let (answer, computing) = outcome.map_err(|_| "the time is over".to_owned())?;
    COMPUTING.set(computing.ok());
    Ok(answer)
}

struct Pool {
    queue: Semaphore,
    places: Semaphore,
    cores: Semaphore,
    /// How many threads stay when there is nothing to do.
    stay: usize,
    state: Mutex<State>,
    handed_over: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Threads that wait for a job.
    idle: usize,
    /// All threads that there ever were: their names.
    begun: usize,
}

fn pool() -> &'static Pool {
    static POOL: OnceLock<Pool> = OnceLock::new();
    POOL.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 16);
        Pool {
            queue: Semaphore::new(QUEUE),
            places: Semaphore::new(THREADS),
            cores: Semaphore::new(cores),
            stay: cores,
            state: Mutex::default(),
            handed_over: Condvar::new(),
        }
    })
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a job whose turn it is to a thread: to one that waits, or to a new one.
    fn hand_over(&'static self, job: Job) {
        let mut state = self.lock();
        state.jobs.push_back(job);
        if state.jobs.len() <= state.idle {
            self.handed_over.notify_one();
            return;
        }
        state.begun += 1;
        let thread = std::thread::Builder::new().name(format!("policy-{}", state.begun)).stack_size(STACK);
        if let Err(error) = thread.spawn(|| self.work()) {
            tracing::error!(%error, "a thread for policies could not be started");
            // Dropped with the job is what it would have told: who waits is told that it ended.
            state.jobs.pop_back();
        }
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            // A policy's crash is caught where it is asked; this one would be the engine's own. The thread stays.
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
                tracing::error!("a decision crashed");
            }
        }
    }

    /// The next job; `None` where enough other threads wait for one.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.idle >= self.stay {
                return None;
            }
            state.idle += 1;
            state = self.handed_over.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }
}
