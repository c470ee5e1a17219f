//! A policy that answers what it is told to, after a while: for trying bindings out.

use std::sync::Arc;
use std::time::Duration;

use ak_store::model::{Kind, Meta, Roles, Row};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::binding::PolicyShown;
use crate::policy::{Failure, Policy, Verdict};
use crate::request::Request;

/// A policy that answers what it is told to, after a while.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DummyPolicy {
    /// Name of the policy.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Note every decision as an event; otherwise only failures are.
    #[serde(default)]
    pub execution_logging: bool,
    /// What it answers.
    #[serde(default)]
    pub result: bool,
    /// Seconds that it takes at the least.
    #[serde(default = "five")]
    #[schemars(range(min = -2147483648, max = 2147483647))]
    pub wait_min: i32,
    /// Seconds that it takes at the most.
    #[serde(default = "thirty")]
    #[schemars(range(min = -2147483648, max = 2147483647))]
    pub wait_max: i32,
}

fn five() -> i32 {
    5
}

fn thirty() -> i32 {
    30
}

impl Kind for DummyPolicy {
    const META: Meta = Meta {
        component: "ak-policy-dummy-form",
        pk_filters: &["policy_uuid"],
        description: "Answer what is told, after a while: for trying bindings out.",
        ..Meta::new("authentik_policies_dummy.dummypolicy", "policies/dummy", "Dummy Policy", "Dummy Policies")
    };

    type Shown = PolicyShown;

    fn shown(&self, row: &Row<'_>) -> PolicyShown {
        PolicyShown::of(row)
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Policy>(|s| s);
    }
}

impl Policy for DummyPolicy {
    fn name(&self) -> &str {
        &self.name
    }

    fn logs_executions(&self) -> bool {
        self.execution_logging
    }

    fn evaluate(&self, request: &Arc<Request>, limit: Duration) -> Result<Verdict, Failure> {
        let (least, most) = (u64::try_from(self.wait_min).unwrap_or(0), u64::try_from(self.wait_max).unwrap_or(0));
        let random = u64::from_le_bytes(request.services.rng.bytes());
        let seconds = least + random % (most.saturating_sub(least) + 1);
        if seconds > 0 {
            let pause = async { tokio::time::sleep(Duration::from_secs(seconds)).await };
            crate::pool::wait(limit, pause).map_err(Failure::new)?;
        }
        Ok(Verdict { messages: vec!["dummy".to_owned()], ..Verdict::plain(self.result) })
    }
}
