//! Why people were refused, in memory.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Tx, total};
use crate::error::Result;
use crate::records::rules::kept;
use crate::records::{CLEAN_BATCH, DecisionTrace, DecisionTraces, MOST_TRACES};

#[async_trait]
impl DecisionTraces for Tx {
    async fn lookup(&mut self, reference: &str) -> Result<Option<DecisionTrace>> {
        Ok(self.state.decision_traces.get(reference).map(|trace| DecisionTrace::clone(trace)))
    }

    async fn count(&mut self) -> Result<u64> {
        Ok(total(self.state.decision_traces.values()))
    }

    async fn put(&mut self, trace: &DecisionTrace) -> Result<()> {
        self.write(|state| {
            let trace = DecisionTrace { created: kept(trace.created), expires: kept(trace.expires), ..trace.clone() };
            if let Some(earlier) = state.decision_traces.insert(trace.reference.clone(), Arc::new(trace.clone())) {
                state.decision_times.remove(&(earlier.created, earlier.reference.clone()));
            }
            state.decision_times.insert((trace.created, trace.reference));
            Ok(())
        })
    }

    async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<u64> {
        self.write(|state| {
            let oldest = state.decision_times.iter().rev().nth(MOST_TRACES as usize).map(|(created, _)| *created);
            let over = |trace: &&Arc<DecisionTrace>| trace.expires <= now || oldest.is_some_and(|oldest| trace.created <= oldest);
            let over = state.decision_traces.values().filter(over).take(CLEAN_BATCH as usize).cloned();
            let over: Vec<Arc<DecisionTrace>> = over.collect();
            for trace in &over {
                state.decision_traces.remove(&trace.reference);
                state.decision_times.remove(&(trace.created, trace.reference.clone()));
            }
            Ok(total(over.into_iter()))
        })
    }
}
