//! Why people were refused.

use serde_json::json;

use super::{Pair, at, map};
use crate::records::{CLEAN_BATCH, DecisionTrace, MOST_TRACES};

/// A trace that was made at this minute, and may be forgotten an hour later.
pub(super) fn trace(reference: &str, minute: i64) -> DecisionTrace {
    let body = map(json!({ "reason": "the policies refuse", "decision": { "passing": false, "trace": [] } }));
    DecisionTrace { reference: reference.into(), body, created: at(minute), expires: at(minute + 60) }
}

/// A trace is found under its reference, whole; a later one of the same reference takes its place.
pub async fn put_and_find(pair: Pair) {
    let mut tx = pair.write().await;
    for trace in [trace("a", 0), trace("b", 1)] {
        tx.decision_traces().put(&trace).await.unwrap();
    }
    tx.save().await.unwrap();
    let mut view = pair.read().await;
    assert_eq!(view.decision_traces().lookup("a").await.unwrap(), Some(trace("a", 0)));
    assert_eq!(view.decision_traces().lookup("A").await.unwrap(), None);
    assert_eq!(view.decision_traces().count().await.unwrap(), 2);
    drop(view);
    let mut tx = pair.write().await;
    tx.decision_traces().put(&trace("a", 5)).await.unwrap();
    tx.save().await.unwrap();
    let mut view = pair.read().await;
    assert_eq!(view.decision_traces().lookup("a").await.unwrap(), Some(trace("a", 5)));
    assert_eq!(view.decision_traces().count().await.unwrap(), 2);
}

/// Traces are forgotten in time.
pub async fn expiry(pair: Pair) {
    let mut tx = pair.write().await;
    for trace in [trace("a", 0), trace("b", 10)] {
        tx.decision_traces().put(&trace).await.unwrap();
    }
    assert_eq!(tx.decision_traces().delete_expired(at(59)).await.unwrap(), 0);
    assert_eq!(tx.decision_traces().delete_expired(at(60)).await.unwrap(), 1);
    tx.save().await.unwrap();
    let mut view = pair.read().await;
    assert_eq!(view.decision_traces().lookup("a").await.unwrap(), None);
    assert_eq!(view.decision_traces().lookup("b").await.unwrap(), Some(trace("b", 10)));
}

/// Of too many the oldest are forgotten, a batch at a time.
pub async fn too_many(pair: Pair) {
    let surplus = CLEAN_BATCH + 1;
    let all = MOST_TRACES + surplus;
    let mut tx = pair.write().await;
    for minute in 0..i64::try_from(all).unwrap() {
        tx.decision_traces().put(&trace(&format!("{minute:06}"), minute)).await.unwrap();
    }
    assert_eq!(tx.decision_traces().delete_expired(at(0)).await.unwrap(), CLEAN_BATCH);
    assert_eq!(tx.decision_traces().delete_expired(at(0)).await.unwrap(), 1);
    assert_eq!(tx.decision_traces().delete_expired(at(0)).await.unwrap(), 0);
    tx.save().await.unwrap();
    let mut view = pair.read().await;
    assert_eq!(view.decision_traces().count().await.unwrap(), MOST_TRACES);
    let at = |minute: u64| format!("{minute:06}");
    assert_eq!(view.decision_traces().lookup(&at(surplus - 1)).await.unwrap(), None);
    assert!(view.decision_traces().lookup(&at(surplus)).await.unwrap().is_some());
}
