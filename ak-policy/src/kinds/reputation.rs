//! A policy that asks how sign-ins have gone lately.

use std::sync::Arc;
use std::time::Duration;

use ak_store::model::{Kind, Meta, Roles, Row};
use ak_store::records::Reputation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::binding::PolicyShown;
use crate::context::Context;
use crate::policy::{Failure, Policy, Verdict};
use crate::request::Request;

/// A policy that lets those through who have a bad reputation: bound to a stage that makes guessing slow, it meets only those who guess.
/// Every failed sign-in takes one point from the name and the address it came from, every one that succeeds gives one.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ReputationPolicy {
    /// Name of the policy.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Note every decision as an event; otherwise only failures are.
    #[serde(default)]
    pub execution_logging: bool,
    /// Count what came from the address of the request.
    #[serde(default = "yes")]
    pub check_ip: bool,
    /// Count what was tried under the name of the account.
    #[serde(default = "yes")]
    pub check_username: bool,
    /// The highest sum of points that is let through.
    #[serde(default)]
    #[schemars(range(min = -2147483648, max = 2147483647))]
    pub threshold: i32,
}

fn yes() -> bool {
    true
}

impl Kind for ReputationPolicy {
    const META: Meta = Meta {
        component: "ak-policy-reputation-form",
        pk_filters: &["policy_uuid"],
        description: "Let those through whose sign-ins have failed lately: for stages that slow them down.",
        ..Meta::new(
            "authentik_policies_reputation.reputationpolicy",
            "policies/reputation",
            "Reputation Policy",
            "Reputation Policies",
        )
    };

    type Shown = PolicyShown;

    fn shown(&self, row: &Row<'_>) -> PolicyShown {
        PolicyShown::of(row)
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Policy>(|s| s);
    }
}

impl Policy for ReputationPolicy {
    fn name(&self) -> &str {
        &self.name
    }

    fn logs_executions(&self) -> bool {
        self.execution_logging
    }

    fn evaluate(&self, request: &Arc<Request>, limit: Duration) -> Result<Verdict, Failure> {
        let ip = self.check_ip.then(|| request.client_ip.unwrap_or(Reputation::NO_ADDRESS));
        let account = request.person.as_ref().map(|person| person.user.username.as_str());
        let name = account.or_else(|| request.context.text(Context::PENDING_USER_IDENTIFIER));
        let name = name.filter(|_| self.check_username).map(Reputation::identifier_of);
        let looked_up = crate::pool::wait(limit, request.services.past.reputation(ip, name.as_deref(), request.now));
        let points = looked_up.map_err(Failure::new)?.map_err(|error| Failure::new(error.to_string()))?;
        Ok(Verdict::plain(points <= i64::from(self.threshold)))
    }
}
