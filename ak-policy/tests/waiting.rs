//! Policies that wait for an answer from elsewhere, and what becomes of the others meanwhile.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod kit;

use std::net::IpAddr;
use std::sync::Arc;

use ak_policy::dns::Dns;
use ak_policy::{Decision, Outcome, Request, Services, decide};
use ak_store::model::Pk;
use async_trait::async_trait;
use serde_json::json;
use tokio::sync::Semaphore;

use kit::House;

/// A resolver that never answers, and tells how often it was asked.
struct Silent(Semaphore);

#[async_trait]
impl Dns for Silent {
    async fn resolve(&self, _: &str) -> Result<Vec<IpAddr>, String> {
        self.0.add_permits(1);
        std::future::pending().await
    }

    async fn reverse(&self, _: IpAddr) -> Result<Option<String>, String> {
        std::future::pending().await
    }
}

/// A house in which some decisions wait for a name as long as they may.
struct Waiting {
    house: House,
    dns: Arc<Silent>,
}

impl Waiting {
    async fn new(number: u32) -> Self {
        let waiting = Self { house: House::new().await, dns: Arc::new(Silent(Semaphore::new(0))) };
        let door = waiting.house.expression("// rhai\nresolve_dns(\"example.org\").len() == 0", json!({ "timeout": 600 })).await;
        for _ in 0..number {
            let request = waiting.request();
            tokio::spawn(async move { decide(door, &request).await });
        }
        waiting.dns.0.acquire_many(number).await.unwrap().forget();
        waiting
    }

    fn request(&self) -> Request {
        let services = Services { dns: self.dns.clone(), ..Services::of(&self.house.store) };
        Request { services: Arc::new(services), ..self.house.request(None) }
    }

    async fn decide(&self, door: Pk) -> Decision {
        decide(door, &self.request()).await
    }
}

/// One test, one after the other: the threads are those of the whole process.
#[tokio::test]
async fn who_waits_keeps_nobody_else_waiting_beyond_her_own_time() {
    // More than there are cores: policies that only compute go on.
    let some = Waiting::new(40).await;
    let door = some.house.expression("// rhai\nlet two = 1 + 1;\ntwo == 2", json!({})).await;
    assert!(some.decide(door).await.passing);

    // As many as there may be: who may wait a second waits a second, not ten minutes.
    let rest = Waiting::new(24).await;
    let door = rest.house.expression("true", json!({ "timeout": 1, "negate": true })).await;
    let decision = rest.decide(door).await;
    assert!(!decision.passing && decision.undecided);
    let Outcome::Failed(failure) = &decision.trace[0].outcome else { panic!("{decision:?}") };
    assert_eq!(failure.message, "the time was over before the policy could be asked");
}
