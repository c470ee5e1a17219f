//! A policy that asks whether a new password is one that the account had before.

use std::sync::Arc;
use std::time::Duration;

use ak_store::directory::history::RemembersPasswords;
use ak_store::directory::password::matches;
use ak_store::model::{Kind, Meta, Roles, Row};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::password::new_password;
use crate::binding::PolicyShown;
use crate::policy::{Failure, Policy, Verdict};
use crate::request::Request;

/// A policy that refuses passwords that the account has, or had before. Earlier passwords are kept, as hashes, while there is
/// such a policy, and as many as it asks for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UniquePasswordPolicy {
    /// Name of the policy.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Note every decision as an event; otherwise only failures are.
    #[serde(default)]
    pub execution_logging: bool,
    /// Field of the prompt stage that holds the password.
    #[serde(default = "password")]
    #[schemars(length(min = 1))]
    pub password_field: String,
    /// How many passwords are compared with, the present one among them.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 2147483647))]
    pub num_historical_passwords: u32,
}

fn password() -> String {
    "password".into()
}

fn one() -> u32 {
    1
}

impl Kind for UniquePasswordPolicy {
    const META: Meta = Meta {
        component: "ak-policy-password-uniqueness-form",
        pk_filters: &["policy_uuid"],
        description: "Refuse passwords that the account had before.",
        ..Meta::new(
            "authentik_policies_unique_password.uniquepasswordpolicy",
            "policies/unique_password",
            "Password Uniqueness Policy",
            "Password Uniqueness Policies",
        )
    };

    type Shown = PolicyShown;

    fn shown(&self, row: &Row<'_>) -> PolicyShown {
        PolicyShown::of(row)
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Policy>(|s| s);
        is.a::<dyn RemembersPasswords>(|s| s);
    }
}

impl RemembersPasswords for UniquePasswordPolicy {
    fn remembered(&self) -> u32 {
        self.num_historical_passwords
    }
}

impl Policy for UniquePasswordPolicy {
    fn name(&self) -> &str {
        &self.name
    }

    fn logs_executions(&self) -> bool {
        self.execution_logging
    }

    fn evaluate(&self, request: &Arc<Request>, limit: Duration) -> Result<Verdict, Failure> {
        let begun = request.services.clock.monotonic_micros();
        let Some(password) = new_password(request, &self.password_field) else {
            return Ok(Verdict::refused("Password not set in context"));
        };
        let (Some(person), most @ 1..) = (&request.person, self.num_historical_passwords) else {
            return Ok(Verdict::plain(true));
        };
        let looked_up = crate::pool::wait(limit, request.services.past.passwords(person.user.pk, most - 1));
        let former = looked_up.map_err(Failure::new)?.map_err(|error| Failure::new(error.to_string()))?;
        for hash in person.user.password.iter().chain(&former) {
            let taken = Duration::from_micros(request.services.clock.monotonic_micros().saturating_sub(begun));
            if taken >= limit {
                return Err("the time is over".into());
            }
            if matches(password, hash) {
                return Ok(Verdict::refused("This password has been used previously. Please choose a different one."));
            }
        }
        Ok(Verdict::plain(true))
    }
}
