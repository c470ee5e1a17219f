//! Work to do later.

use serde_json::json;
use tokio::task::JoinSet;

use super::{Pair, at, id};
use crate::error::StoreError;
use crate::records::{Durability, NewTask, Page, Task, TaskFilter, TaskState};

/// A task for minute `run_at` that is begun three times at the most.
fn task(n: u128, run_at: i64) -> NewTask {
    NewTask { pk: id(n), name: format!("name{}", n % 2), args: json!({"n": n as u64}), max_attempts: 3, run_at: at(run_at) }
}

/// Adds tasks for these minutes, with keys from 1, asked for in minute 0.
async fn add(pair: &Pair, minutes: &[i64]) {
    let mut tx = pair.write().await;
    for (n, minute) in (1..).zip(minutes) {
        tx.tasks().add(task(n, *minute), at(0)).await.unwrap();
    }
    tx.save().await.unwrap();
}

/// Claims in a transaction of its own, with a lease of ten minutes.
async fn claim(pair: &Pair, owner: &str, minute: i64) -> Option<Task> {
    let mut tx = pair.write().await;
    let task = tx.tasks().claim(owner, at(minute), at(minute + 10)).await.unwrap();
    tx.save().await.unwrap();
    task
}

async fn lookup(pair: &Pair, n: u128) -> Task {
    pair.read().await.tasks().lookup(id(n)).await.unwrap().unwrap()
}

/// A new task waits for its time.
pub async fn add_and_find(pair: Pair) {
    add(&pair, &[5]).await;
    let expected = Task {
        pk: id(1),
        name: "name1".into(),
        args: json!({"n": 1}),
        state: TaskState::Queued,
        attempts: 0,
        max_attempts: 3,
        run_at: at(5),
        lease_until: None,
        lease_owner: None,
        last_error: None,
        created: at(0),
        finished: None,
    };
    assert_eq!(lookup(&pair, 1).await, expected);
    assert_eq!(pair.read().await.tasks().lookup(id(9)).await.unwrap(), None);
    let error = pair.write().await.tasks().add(task(1, 0), at(0)).await.unwrap_err();
    assert!(matches!(error, StoreError::Taken("pk")), "{error}");
}

/// Lists come by the time of asking, the newest first, in parts, filtered.
pub async fn lists(pair: Pair) {
    let mut tx = pair.write().await;
    for (n, asked) in [(1, 1), (2, 3), (3, 2)] {
        tx.tasks().add(task(n, 5), at(asked)).await.unwrap();
    }
    tx.save().await.unwrap();
    assert_eq!(claim(&pair, "w", 5).await.unwrap().pk, id(1));
    let mut view = pair.read().await;
    let name = |name: &str| Some(name.to_owned());
    for (filter, page, expected) in [
        (TaskFilter::default(), Page::ALL, &[2, 3, 1][..]),
        (TaskFilter::default(), Page { offset: 1, limit: 1 }, &[3]),
        (TaskFilter { name: name("name1"), state: None }, Page::ALL, &[3, 1]),
        (TaskFilter { name: None, state: Some(TaskState::Queued) }, Page::ALL, &[2, 3]),
        (TaskFilter { name: name("name1"), state: Some(TaskState::Running) }, Page::ALL, &[1]),
        (TaskFilter { name: None, state: Some(TaskState::Dead) }, Page::ALL, &[]),
    ] {
        let found = view.tasks().list(&filter, page).await.unwrap();
        assert_eq!(found.iter().map(|task| task.pk.as_u128()).collect::<Vec<_>>(), expected, "{filter:?}");
        if page == Page::ALL {
            assert_eq!(view.tasks().count(&filter).await.unwrap(), expected.len() as u64, "{filter:?}");
        }
    }
}

/// The task that has waited longest comes first, and none before its time.
pub async fn claim_in_order(pair: Pair) {
    add(&pair, &[5, 3, 9]).await;
    assert_eq!(claim(&pair, "w", 2).await, None);
    let first = claim(&pair, "w", 5).await.unwrap();
    assert_eq!((first.pk, first.state, first.attempts), (id(2), TaskState::Running, 1));
    assert_eq!((first.lease_owner.as_deref(), first.lease_until), (Some("w"), Some(at(15))));
    assert_eq!(lookup(&pair, 2).await, first);
    assert_eq!(claim(&pair, "w", 5).await.unwrap().pk, id(1));
    assert_eq!(claim(&pair, "w", 5).await, None);
}

/// Only who holds a task may end it.
pub async fn a_task_has_one_owner(pair: Pair) {
    add(&pair, &[0]).await;
    assert!(claim(&pair, "a", 0).await.is_some());
    assert_eq!(claim(&pair, "b", 9).await, None);
    let mut tx = pair.write().await;
    assert!(!tx.tasks().complete(id(1), "b", at(1)).await.unwrap());
    assert!(!tx.tasks().complete(id(9), "a", at(1)).await.unwrap());
    assert!(!tx.tasks().fail(id(1), "b", "no", Some(at(2)), at(1)).await.unwrap());
    assert!(!tx.tasks().fail(id(1), "b", "no", None, at(1)).await.unwrap());
    assert!(tx.tasks().complete(id(1), "a", at(1)).await.unwrap());
    assert!(!tx.tasks().complete(id(1), "a", at(1)).await.unwrap());
    assert!(!tx.tasks().fail(id(1), "a", "late", None, at(1)).await.unwrap());
    tx.save().await.unwrap();
    let done = lookup(&pair, 1).await;
    assert_eq!((done.state, done.finished, done.last_error), (TaskState::Done, Some(at(1)), None));
    assert_eq!((done.lease_owner, done.lease_until), (None, None));
    assert_eq!(claim(&pair, "b", 99).await, None);
}

/// A worker that is lost loses its task to another when the lease ends; it then has no say any more.
pub async fn leases_end(pair: Pair) {
    add(&pair, &[0]).await;
    assert!(claim(&pair, "a", 0).await.is_some());
    let again = claim(&pair, "b", 10).await.unwrap();
    assert_eq!((again.attempts, again.lease_owner.as_deref(), again.lease_until), (2, Some("b"), Some(at(20))));
    let mut tx = pair.write().await;
    assert!(!tx.tasks().complete(id(1), "a", at(11)).await.unwrap());
    // The lease of `b` has ended too, but nobody else has begun: its work counts.
    assert!(tx.tasks().complete(id(1), "b", at(30)).await.unwrap());
    tx.save().await.unwrap();
}

/// A failed try is followed by another, until there is none left.
pub async fn retry_and_death(pair: Pair) {
    add(&pair, &[0, 0]).await;
    let mut tx = pair.write().await;
    let tasks = tx.tasks();
    assert_eq!(tasks.claim("w", at(0), at(10)).await.unwrap().unwrap().pk, id(1));
    assert!(tasks.fail(id(1), "w", "first", Some(at(20)), at(1)).await.unwrap());
    let failed = tasks.lookup(id(1)).await.unwrap().unwrap();
    assert_eq!((failed.state, failed.run_at, failed.last_error.as_deref()), (TaskState::Queued, at(20), Some("first")));
    assert_eq!((failed.lease_owner, failed.lease_until, failed.finished), (None, None, None));

    // No time for another try: dead at once.
    assert_eq!(tasks.claim("w", at(19), at(29)).await.unwrap().unwrap().pk, id(2));
    assert!(tasks.fail(id(2), "w", "fatal", None, at(19)).await.unwrap());
    let dead = tasks.lookup(id(2)).await.unwrap().unwrap();
    assert_eq!((dead.state, dead.finished, dead.attempts), (TaskState::Dead, Some(at(19)), 1));

    // The third of three tries: dead whatever the worker hopes.
    assert_eq!(tasks.claim("w", at(20), at(30)).await.unwrap().unwrap().attempts, 2);
    assert!(tasks.fail(id(1), "w", "second", Some(at(30)), at(21)).await.unwrap());
    assert_eq!(tasks.claim("w", at(30), at(40)).await.unwrap().unwrap().attempts, 3);
    assert!(tasks.fail(id(1), "w", "third", Some(at(50)), at(31)).await.unwrap());
    let dead = tasks.lookup(id(1)).await.unwrap().unwrap();
    assert_eq!((dead.state, dead.last_error.as_deref(), dead.finished), (TaskState::Dead, Some("third"), Some(at(31))));
    assert_eq!(tasks.claim("w", at(99), at(100)).await.unwrap(), None);
}

/// A task whose worker is lost in the last try is dead, and does not stand in the way of others.
pub async fn lost_in_the_last_try(pair: Pair) {
    let mut tx = pair.write().await;
    tx.tasks().add(NewTask { max_attempts: 1, ..task(1, 0) }, at(0)).await.unwrap();
    tx.tasks().add(task(2, 5), at(0)).await.unwrap();
    tx.save().await.unwrap();
    assert_eq!(claim(&pair, "a", 0).await.unwrap().pk, id(1));
    assert_eq!(claim(&pair, "b", 20).await.unwrap().pk, id(2));
    assert_eq!(claim(&pair, "b", 20).await, None);
    let dead = lookup(&pair, 1).await;
    assert_eq!((dead.state, dead.attempts, dead.finished), (TaskState::Dead, 1, Some(at(20))));
    assert!(dead.last_error.is_some());
}

/// When somebody must look again: at the next time, or at the end of a lease.
pub async fn next_due(pair: Pair) {
    assert_eq!(pair.read().await.tasks().next_due().await.unwrap(), None);
    add(&pair, &[5, 30]).await;
    assert_eq!(pair.read().await.tasks().next_due().await.unwrap(), Some(at(5)));
    assert!(claim(&pair, "w", 6).await.is_some());
    assert_eq!(pair.read().await.tasks().next_due().await.unwrap(), Some(at(16)));
    let mut tx = pair.write().await;
    assert!(tx.tasks().complete(id(1), "w", at(7)).await.unwrap());
    assert_eq!(tx.tasks().next_due().await.unwrap(), Some(at(30)));
    assert!(tx.tasks().claim("w", at(30), at(40)).await.unwrap().is_some());
    assert!(tx.tasks().fail(id(2), "w", "no", None, at(31)).await.unwrap());
    assert_eq!(tx.tasks().next_due().await.unwrap(), None);
}

/// Many workers on two handles begin every task once.
pub async fn claims_are_exclusive(pair: Pair) {
    add(&pair, &[0; 20]).await;
    let mut workers = JoinSet::new();
    for n in 0..8 {
        let backend = if n % 2 == 0 { pair.one.clone() } else { pair.two.clone() };
        workers.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let mut tx = backend.begin(Durability::Relaxed).await.unwrap();
                let claimed = tx.tasks().claim(&format!("w{n}"), at(0), at(10)).await.unwrap();
                tx.save().await.unwrap();
                match claimed {
                    Some(task) => mine.push(task.pk.as_u128()),
                    None => return mine,
                }
            }
        });
    }
    let mut begun: Vec<u128> = workers.join_all().await.into_iter().flatten().collect();
    begun.sort_unstable();
    assert_eq!(begun, (1..=20).collect::<Vec<_>>());
}

/// What ended long ago is forgotten; what waits or runs is not.
pub async fn forget_finished(pair: Pair) {
    add(&pair, &[0, 0, 0, 50]).await;
    let mut tx = pair.write().await;
    for (n, end) in [(1, 1), (2, 5)] {
        assert!(tx.tasks().claim("w", at(0), at(10)).await.unwrap().is_some());
        assert!(tx.tasks().complete(id(n), "w", at(end)).await.unwrap());
    }
    assert!(tx.tasks().claim("w", at(0), at(10)).await.unwrap().is_some());
    assert_eq!(tx.tasks().delete_finished(at(1)).await.unwrap(), 0);
    assert_eq!(tx.tasks().delete_finished(at(2)).await.unwrap(), 1);
    assert_eq!(tx.tasks().lookup(id(1)).await.unwrap(), None);
    assert_eq!(tx.tasks().count(&TaskFilter::default()).await.unwrap(), 3);
}
