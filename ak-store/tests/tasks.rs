//! The worker, over the memory backend.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::io::Write;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ak_store::memory::MemoryBackend;
use ak_store::records::{Backend, Durability, Page, Repository, Session, SessionFilter, Task, TaskFilter, TaskState};
use ak_store::tasks::{Handlers, MAX_ATTEMPTS, TaskError, TaskHandler, Timing, Worker, enqueue, enqueue_at};
use ak_store::{Clock, ManualClock, Result, SeededRng};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta};
use serde_json::json;
use tokio::sync::{Barrier, Notify, oneshot};
use uuid::Uuid;

/// A handler made of a function.
struct Handler<F>(F);

#[async_trait]
impl<F, R> TaskHandler for Handler<F>
where
    F: Fn(Task) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), TaskError>> + Send,
{
    async fn run(&self, task: &Task) -> Result<(), TaskError> {
        self.0(task.clone()).await
    }
}

struct World {
    backend: Arc<MemoryBackend>,
    clock: Arc<ManualClock>,
    rng: Arc<SeededRng>,
}

impl World {
    fn new() -> Self {
        let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        Self {
            backend: Arc::new(MemoryBackend::new()),
            clock: Arc::new(ManualClock::new(start)),
            rng: Arc::new(SeededRng::new(5)),
        }
    }

    fn worker(&self, handlers: Handlers) -> Worker {
        Worker::new(self.backend.clone(), handlers, self.clock.clone(), self.rng.clone())
    }

    /// A worker whose only handler is `handler`, for tasks named `job`.
    fn worker_of<F, R>(&self, handler: F) -> Worker
    where
        F: Fn(Task) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), TaskError>> + Send + 'static,
    {
        let mut handlers = Handlers::new();
        handlers.register("job", Handler(handler));
        self.worker(handlers)
    }

    async fn begin(&self) -> Box<dyn Repository> {
        self.backend.begin(Durability::Full).await.unwrap()
    }

    async fn enqueue(&self, name: &str) -> Uuid {
        let mut repo = self.begin().await;
        let pk = enqueue(&mut *repo, name, json!({"n": 1}), self.clock.now(), &*self.rng).await.unwrap();
        repo.save().await.unwrap();
        pk
    }

    async fn task(&self, pk: Uuid) -> Task {
        self.backend.read().await.unwrap().tasks().lookup(pk).await.unwrap().unwrap()
    }

    async fn tasks(&self) -> u64 {
        self.backend.read().await.unwrap().tasks().count(&TaskFilter::default()).await.unwrap()
    }
}

/// Lets everything that can go on without time passing go on.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Collects the log of this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn begin() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn has(&self, words: &[&str]) -> bool {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().any(|line| words.iter().all(|word| line.contains(word)))
    }
}

#[tokio::test]
async fn what_is_due_is_run_once_and_logged() {
    let (world, (log, _guard)) = (World::new(), Log::begin());
    let pk = world.enqueue("job").await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let worker = world.worker_of({
        let seen = seen.clone();
        move |task| {
            seen.lock().unwrap().push((task.pk, task.args));
            async { Ok(()) }
        }
    });
    assert_eq!(worker.run_due().await.unwrap(), 2, "the task and the clean-up at the start");
    assert_eq!(*seen.lock().unwrap(), [(pk, json!({"n": 1}))]);
    let task = world.task(pk).await;
    assert_eq!((task.state, task.attempts, task.finished), (TaskState::Done, 1, Some(world.clock.now())));
    assert_eq!(worker.run_due().await.unwrap(), 0);
    for word in ["processing", "completed"] {
        assert!(log.has(&[word, "job", &pk.to_string()]), "{word}");
        assert!(log.has(&[word, "clean_expired"]), "{word}");
    }
}

#[tokio::test]
async fn what_is_not_due_or_not_saved_is_not_run() {
    let world = World::new();
    let mut repo = world.begin().await;
    enqueue(&mut *repo, "job", json!({}), world.clock.now(), &*world.rng).await.unwrap();
    drop(repo);
    let mut repo = world.begin().await;
    let (now, later) = (world.clock.now(), world.clock.now() + TimeDelta::minutes(10));
    let pk = enqueue_at(&mut *repo, "job", json!({}), later, now, &*world.rng).await.unwrap();
    repo.save().await.unwrap();
    assert_eq!(world.tasks().await, 1);

    let worker = world.worker_of(|_| async { Ok(()) });
    worker.run_due().await.unwrap();
    assert_eq!(world.task(pk).await.state, TaskState::Queued);
    world.clock.advance(TimeDelta::minutes(10));
    assert_eq!(worker.run_due().await.unwrap(), 1);
    assert_eq!(world.task(pk).await.state, TaskState::Done);
}

#[tokio::test]
async fn what_fails_is_tried_again_after_growing_pauses_and_then_given_up() {
    let (world, (log, _guard)) = (World::new(), Log::begin());
    let pk = world.enqueue("job").await;
    let worker = world.worker_of(|_| async { Err(TaskError::Retry("the mail server is away".into())) });
    let mut pauses = Vec::new();
    for attempt in 1..MAX_ATTEMPTS {
        worker.run_due().await.unwrap();
        let task = world.task(pk).await;
        assert_eq!((task.state, task.attempts), (TaskState::Queued, attempt));
        assert_eq!(task.last_error.as_deref(), Some("the mail server is away"));
        pauses.push(task.run_at - world.clock.now());
        world.clock.advance(task.run_at - world.clock.now());
    }
    assert!(pauses[0] >= TimeDelta::seconds(5) && pauses[8] >= TimeDelta::minutes(20), "{pauses:?}");
    worker.run_due().await.unwrap();
    let task = world.task(pk).await;
    assert_eq!((task.state, task.attempts), (TaskState::Dead, MAX_ATTEMPTS));
    assert!(log.has(&["WARN", "failed", "job", &pk.to_string(), "the mail server is away"]));
    assert!(log.has(&["ERROR", "failed", "job", &pk.to_string()]));
}

#[tokio::test]
async fn what_can_never_go_well_is_given_up_at_once() {
    let world = World::new();
    let pk = world.enqueue("job").await;
    world.worker_of(|_| async { Err(TaskError::Fatal("no such template".into())) }).run_due().await.unwrap();
    let task = world.task(pk).await;
    assert_eq!((task.state, task.last_error.as_deref()), (TaskState::Dead, Some("no such template")));
}

#[tokio::test]
async fn a_panic_and_a_missing_handler_are_failures_of_one_task() {
    let world = World::new();
    let (panics, unknown) = (world.enqueue("panics").await, world.enqueue("unknown").await);
    let fine = world.enqueue("job").await;
    let mut handlers = Handlers::new();
    handlers.register("panics", Handler(|_| async { panic!("on purpose") }));
    handlers.register("job", Handler(|_| async { Ok(()) }));
    world.worker(handlers).run_due().await.unwrap();
    assert_eq!(world.task(fine).await.state, TaskState::Done);
    assert_eq!(world.task(panics).await.last_error.as_deref(), Some("the handler panicked"));
    assert!(world.task(unknown).await.last_error.unwrap().contains("no handler for tasks named \"unknown\""));
    assert_eq!(world.task(unknown).await.state, TaskState::Queued);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_takes_too_long_is_stopped_before_its_lease_ends() {
    let world = World::new();
    let pk = world.enqueue("job").await;
    world.worker_of(|_| std::future::pending()).run_due().await.unwrap();
    let task = world.task(pk).await;
    assert_eq!((task.state, task.last_error.as_deref()), (TaskState::Queued, Some("not done within 240 s")));
}

#[tokio::test]
async fn a_task_whose_worker_died_is_run_by_another() {
    let world = World::new();
    let pk = world.enqueue("job").await;
    let mut repo = world.begin().await;
    let (now, lease) = (world.clock.now(), world.clock.now() + TimeDelta::minutes(5));
    assert_eq!(repo.tasks().claim("dead worker", now, lease).await.unwrap().unwrap().pk, pk);
    repo.save().await.unwrap();

    let worker = world.worker_of(|_| async { Ok(()) });
    worker.run_due().await.unwrap();
    assert_eq!(world.task(pk).await.state, TaskState::Running);
    world.clock.advance(TimeDelta::minutes(6));
    worker.run_due().await.unwrap();
    let task = world.task(pk).await;
    assert_eq!((task.state, task.attempts), (TaskState::Done, 2));
}

#[tokio::test]
async fn as_many_run_at_once_as_allowed() {
    let world = World::new();
    for _ in 0..9 {
        world.enqueue("job").await;
    }
    let (together, most, now) = (Arc::new(Barrier::new(3)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let worker = world.worker_of({
        let (most, now) = (most.clone(), now.clone());
        move |_| {
            let (together, most, now) = (together.clone(), most.clone(), now.clone());
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                together.wait().await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        }
    });
    assert_eq!(worker.concurrency(3).run_due().await.unwrap(), 10);
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn two_workers_share_the_work() {
    let world = World::new();
    for _ in 0..20 {
        world.enqueue("job").await;
    }
    let runs = Arc::new(AtomicU32::new(0));
    let worker = || {
        let runs = runs.clone();
        world.worker_of(move |_| {
            runs.fetch_add(1, Ordering::SeqCst);
            async {
                tokio::task::yield_now().await;
                Ok(())
            }
        })
    };
    let (first, second) = (worker(), worker());
    let (a, b) = tokio::join!(first.run_due(), second.run_due());
    assert_eq!(a.unwrap() + b.unwrap(), 20 + 2, "and each cleaned up once");
    assert_eq!(runs.load(Ordering::SeqCst), 20);
}

#[tokio::test]
async fn a_woken_worker_runs_at_once_and_stops_when_its_work_is_done() {
    let world = World::new();
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let worker = world.worker_of({
        let (begun, go_on) = (begun.clone(), go_on.clone());
        move |_| {
            let (begun, go_on) = (begun.clone(), go_on.clone());
            async move {
                begun.notify_one();
                go_on.notified().await;
                Ok(())
            }
        }
    });
    let day = Duration::from_hours(24);
    let worker = worker.timing(Timing { heartbeat: day, ..Timing::default() });
    let (waker, (stop, stopped)) = (worker.waker(), oneshot::channel::<()>());
    let runs = tokio::spawn(async move { worker.run(async { stopped.await.unwrap() }).await });
    settle().await;

    let pk = world.enqueue("job").await;
    settle().await;
    assert_eq!(world.task(pk).await.state, TaskState::Queued, "it sleeps");
    waker.wake();
    begun.notified().await;

    stop.send(()).unwrap();
    let not_begun = world.enqueue("job").await;
    waker.wake();
    settle().await;
    assert!(!runs.is_finished(), "what runs is waited for");
    go_on.notify_one();
    runs.await.unwrap();
    assert_eq!(world.task(pk).await.state, TaskState::Done);
    assert_eq!(world.task(not_begun).await.state, TaskState::Queued);
}

#[tokio::test]
async fn the_clean_up_runs_at_the_start_and_every_hour_without_rows() {
    let world = World::new();
    let now = world.clock.now();
    let session = |id: u8, minutes: i64| Session {
        id: [id; 32],
        user: None,
        plan: None,
        turn: 0,
        data: json!({}),
        created: now,
        last_used: now,
        expires: now + TimeDelta::minutes(minutes),
        last_ip: None,
        last_user_agent: String::new(),
    };
    let mut repo = world.begin().await;
    for (id, minutes) in [(1, -1), (2, 30), (3, 120)] {
        repo.sessions().add(&session(id, minutes)).await.unwrap();
    }
    repo.save().await.unwrap();
    let sessions =
        async || world.backend.read().await.unwrap().sessions().list(&SessionFilter::default(), Page::ALL).await.unwrap().len();

    let worker = world.worker_of(|_| async { Ok(()) });
    let pk = world.enqueue("job").await;
    worker.run_due().await.unwrap();
    assert_eq!(sessions().await, 2);
    world.clock.advance(TimeDelta::minutes(40));
    assert_eq!((worker.run_due().await.unwrap(), sessions().await), (0, 2));
    world.clock.advance(TimeDelta::minutes(30));
    assert_eq!((worker.run_due().await.unwrap(), sessions().await), (1, 1));

    world.clock.advance(TimeDelta::days(6));
    worker.run_due().await.unwrap();
    assert_eq!((world.task(pk).await.state, world.tasks().await), (TaskState::Done, 1));
    world.clock.advance(TimeDelta::days(1));
    worker.run_due().await.unwrap();
    assert_eq!(world.tasks().await, 0);
}

/// Counts what the worker asks of the backend.
struct Counting {
    backend: MemoryBackend,
    reads: AtomicUsize,
    writes: AtomicUsize,
}

#[async_trait]
impl Backend for Counting {
    async fn begin(&self, durability: Durability) -> Result<Box<dyn Repository>> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.backend.begin(durability).await
    }

    async fn read(&self) -> Result<Box<dyn Repository>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.backend.read().await
    }

    async fn migrate(&self) -> Result<()> {
        self.backend.migrate().await
    }

    async fn ping(&self) -> Result<()> {
        self.backend.ping().await
    }

    fn name(&self) -> &'static str {
        self.backend.name()
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_worker_asks_once_a_minute() {
    let world = World::new();
    let backend = Arc::new(Counting { backend: MemoryBackend::new(), reads: AtomicUsize::new(0), writes: AtomicUsize::new(0) });
    let worker = Worker::new(backend.clone(), Handlers::new(), world.clock.clone(), world.rng.clone());
    // Time is paused: the runtime moves it on when nothing else is to do.
    let stop = async { drop(tokio::time::timeout(Duration::from_secs(600 + 30), std::future::pending::<()>()).await) };
    worker.run(stop).await;
    let (reads, writes) = (backend.reads.load(Ordering::SeqCst), backend.writes.load(Ordering::SeqCst));
    assert!((11..=12).contains(&reads), "{reads}");
    assert_eq!(writes, 8, "the clean-up at the start");
}

#[tokio::test]
async fn own_recurring_work_goes_on_after_a_failure() {
    let world = World::new();
    let runs = Arc::new(AtomicU32::new(0));
    let worker = world.worker(Handlers::new()).every("sync", TimeDelta::minutes(10), {
        let runs = runs.clone();
        Handler(move |task: Task| {
            assert_eq!(task.name, "sync");
            let failed = runs.fetch_add(1, Ordering::SeqCst) == 0;
            async move { if failed { Err(TaskError::Retry("away".into())) } else { Ok(()) } }
        })
    });
    for expected in 1..=3 {
        worker.run_due().await.unwrap();
        assert_eq!(runs.load(Ordering::SeqCst), expected);
        world.clock.advance(TimeDelta::minutes(11));
    }
}
