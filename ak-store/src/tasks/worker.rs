//! The worker: takes what is due, runs it, notes how it ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::backoff;
use super::running::{Origin, Running};
use super::{CLEAN_EXPIRED, CleanExpired, Handlers, TaskError, TaskHandler, Waker};
use crate::clock::{Clock, Rng};
use crate::error::Result;
use crate::records::{Backend, Durability, Task, TaskState};

/// What a worker's waiting is measured by.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// For how long a task is held: when it is over, another worker takes the task for lost and runs it again.
    pub lease: Duration,
    /// For how long a handler may run. Shorter than the lease, so that a task that is still worked on is never taken for lost.
    pub limit: Duration,
    /// Longest sleep: a task added by another process is seen after this time at the latest.
    pub heartbeat: Duration,
    /// Sleep after the storage failed.
    pub after_failure: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: Duration::from_mins(5),
            limit: Duration::from_mins(4),
            heartbeat: Duration::from_mins(1),
            after_failure: Duration::from_secs(5),
        }
    }
}

/// What is done again and again, without a row.
struct Recurring {
    name: String,
    every: chrono::Duration,
    handler: Arc<dyn TaskHandler>,
}

/// When each recurring job is due: `None` while it runs.
type Plan = Vec<Option<DateTime<Utc>>>;

/// Takes what is due and runs it, some tasks at once.
pub struct Worker {
    backend: Arc<dyn Backend>,
    handlers: Handlers,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    owner: String,
    concurrency: usize,
    timing: Timing,
    recurring: Vec<Recurring>,
    /// Kept between calls of [`Worker::run_due`].
    plan: tokio::sync::Mutex<Plan>,
    claims: AtomicU64,
    waker: Waker,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("owner", &self.owner).field("handlers", &self.handlers).finish_non_exhaustive()
    }
}

impl Worker {
    /// A worker with a random name that runs four tasks at once and cleans up ([`CleanExpired`]) when it starts and about every hour.
    pub fn new(backend: Arc<dyn Backend>, handlers: Handlers, clock: Arc<dyn Clock>, rng: Arc<dyn Rng>) -> Self {
        let clean = CleanExpired::new(Arc::clone(&backend), Arc::clone(&clock));
        let worker = Self {
            owner: format!("worker-{}", rng.token(6)),
            backend,
            handlers,
            clock,
            rng,
            concurrency: 4,
            timing: Timing::default(),
            recurring: Vec::new(),
            plan: tokio::sync::Mutex::default(),
            claims: AtomicU64::new(0),
            waker: Waker::default(),
        };
        worker.every(CLEAN_EXPIRED, chrono::Duration::hours(1), clean)
    }

    /// With this name, by which people know the worker. It must be the worker's own.
    #[must_use]
    pub fn named(mut self, owner: impl Into<String>) -> Self {
        self.owner = owner.into();
        self
    }

    /// With so many tasks at once; at least one.
    #[must_use]
    pub fn concurrency(mut self, tasks: usize) -> Self {
        self.concurrency = tasks.max(1);
        self
    }

    /// With other times. A limit that is not shorter than the lease becomes half of it.
    #[must_use]
    pub fn timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        if timing.limit >= timing.lease {
            self.timing.limit = timing.lease / 2;
        }
        self
    }

    /// Does `handler`'s work at the start and then about `every` so often, by this worker's clock. It is given a task of that name
    /// without arguments that is in no table.
    #[must_use]
    pub fn every(mut self, name: impl Into<String>, every: chrono::Duration, handler: impl TaskHandler) -> Self {
        self.recurring.push(Recurring { name: name.into(), every, handler: Arc::new(handler) });
        self.plan.get_mut().push(Some(DateTime::<Utc>::MIN_UTC));
        self
    }

    /// Woken by this handle too.
    #[must_use]
    pub fn woken_by(mut self, waker: &Waker) -> Self {
        self.waker = waker.clone();
        self
    }

    /// The worker's name.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// A handle to wake this worker by.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Runs everything that is due now, recurring work included, and what becomes due meanwhile; how many runs that were.
    /// For tests, and for programs that do not stay: it waits for [`Worker::run`] to end, where that runs.
    pub async fn run_due(&self) -> Result<usize> {
        let mut plan = self.plan().await;
        let (mut running, mut runs) = (Running::default(), 0);
        loop {
            self.fill(&mut running, &mut plan).await?;
            let Some((task, origin, result)) = running.ended().await else { return Ok(runs) };
            runs += 1;
            self.settle(&mut plan, task, origin, result).await?;
        }
    }

    /// Works until `shutdown` resolves, and then ends when what runs has ended. Dropped instead, it stops what runs: others run it
    /// again when its lease ends. An idle worker makes one small query a heartbeat.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let mut plan = self.plan().await;
        let mut running = Running::default();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let sleep = match self.fill(&mut running, &mut plan).await {
                Ok(until) => self.until(until),
                Err(error) => {
                    tracing::error!(%error, "looking for tasks failed");
                    self.timing.after_failure
                }
            };
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some((task, origin, result)) = running.ended() => self.settle_or_log(&mut plan, task, origin, result).await,
                () = self.waker.woken() => {}
                () = tokio::time::sleep(sleep) => {}
            }
        }
        while let Some((task, origin, result)) = running.ended().await {
            self.settle_or_log(&mut plan, task, origin, result).await;
        }
    }

    /// The plan of the recurring work. What the one who held it before left half done is due.
    async fn plan(&self) -> tokio::sync::MutexGuard<'_, Plan> {
        let mut plan = self.plan.lock().await;
        for due in plan.iter_mut() {
            due.get_or_insert(DateTime::<Utc>::MIN_UTC);
        }
        plan
    }

    /// Begins what is due as long as there is room; when to look again, at the latest.
    async fn fill(&self, running: &mut Running, plan: &mut Plan) -> Result<Option<DateTime<Utc>>> {
        let now = self.clock.now();
        let mut next: Option<DateTime<Utc>> = None;
        for (i, (job, due)) in self.recurring.iter().zip(plan.iter_mut()).enumerate() {
            match *due {
                Some(at) if at <= now => {
                    *due = None;
                    let task = self.without_a_row(&job.name, now);
                    running.begin(task, Origin::Recurring(i), Some(Arc::clone(&job.handler)), self.timing.limit);
                }
                Some(at) => next = Some(next.map_or(at, |next| next.min(at))),
                None => {}
            }
        }
        while running.queued() < self.concurrency {
            // A look costs no write transaction; only what is due is worth one.
            let due = self.backend.read().await?.tasks().next_due().await?;
            tracing::trace!(?due, "looked for tasks");
            let Some(due) = due.filter(|due| *due <= self.clock.now()) else {
                return Ok(next.into_iter().chain(due).min());
            };
            match self.claim().await? {
                Some((task, owner)) => {
                    let handler = self.handlers.find(&task.name);
                    running.begin(task, Origin::Queue { owner }, handler, self.timing.limit);
                }
                // Another worker was faster.
                None => return Ok(next.into_iter().chain([due + chrono::Duration::seconds(1)]).min()),
            }
        }
        Ok(next)
    }

    /// Takes a task under a name of its own, so that a try that was taken for lost can never be taken for the one that followed it.
    async fn claim(&self) -> Result<Option<(Task, String)>> {
        let owner = format!("{}/{}", self.owner, self.claims.fetch_add(1, Ordering::Relaxed));
        let now = self.clock.now();
        let mut repo = self.backend.begin(Durability::Relaxed).await?;
        let task = repo.tasks().claim(&owner, now, now + self.timing.lease).await?;
        repo.save().await?;
        Ok(task.map(|task| (task, owner)))
    }

    async fn settle_or_log(&self, plan: &mut Plan, task: Task, origin: Origin, result: Result<(), TaskError>) {
        let (name, id) = (task.name.clone(), task.pk);
        if let Err(error) = self.settle(plan, task, origin, result).await {
            tracing::error!(task = %name, %id, %error, "how the task ended could not be noted: it will be run again");
        }
    }

    /// Notes how a piece of work ended.
    async fn settle(&self, plan: &mut Plan, task: Task, origin: Origin, result: Result<(), TaskError>) -> Result<()> {
        let now = self.clock.now();
        let owner = match origin {
            Origin::Recurring(i) => {
                if let Some((due, job)) = plan.get_mut(i).zip(self.recurring.get(i)) {
                    *due = Some(now + backoff::about(job.every, &*self.rng));
                }
                log(&task, &result, None);
                return Ok(());
            }
            Origin::Queue { owner } => owner,
        };
        let retry_at = match &result {
            Err(TaskError::Retry(_)) if task.attempts < task.max_attempts => {
                Some(now + backoff::pause(task.attempts, &*self.rng))
            }
            _ => None,
        };
        log(&task, &result, retry_at);
        let mut repo = self.backend.begin(Durability::Relaxed).await?;
        let held = match &result {
            Ok(()) => repo.tasks().complete(task.pk, &owner, now).await?,
            Err(error) => repo.tasks().fail(task.pk, &owner, &error.to_string(), retry_at, now).await?,
        };
        repo.save().await?;
        if !held {
            tracing::warn!(task = %task.name, id = %task.pk, "took longer than its lease: it may have been run twice");
        }
        Ok(())
    }

    /// From now until `next`, within a heartbeat.
    fn until(&self, next: Option<DateTime<Utc>>) -> Duration {
        match next.map(|next| (next - self.clock.now()).to_std()) {
            Some(Ok(sleep)) => sleep.min(self.timing.heartbeat),
            Some(Err(_)) => Duration::ZERO,
            None => self.timing.heartbeat,
        }
    }

    fn without_a_row(&self, name: &str, now: DateTime<Utc>) -> Task {
        Task {
            pk: self.rng.uuid(),
            name: name.to_owned(),
            args: Value::Null,
            state: TaskState::Running,
            attempts: 1,
            max_attempts: 1,
            run_at: now,
            lease_until: None,
            lease_owner: Some(self.owner.clone()),
            last_error: None,
            created: now,
            finished: None,
        }
    }
}

fn log(task: &Task, result: &Result<(), TaskError>, retry_at: Option<DateTime<Utc>>) {
    match (result, retry_at) {
        (Ok(()), _) => tracing::info!(task = %task.name, id = %task.pk, "completed"),
        (Err(error), Some(at)) => tracing::warn!(task = %task.name, id = %task.pk, %error, retry_at = %at, "failed"),
        (Err(error), None) => tracing::error!(task = %task.name, id = %task.pk, %error, "failed"),
    }
}
