//! A policy that asks how old a password is.

use std::sync::Arc;
use std::time::Duration;

use ak_store::model::{Kind, Meta, Roles, Row};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::binding::PolicyShown;
use crate::policy::{Changes, Failure, Policy, PolicyEffect, Verdict};
use crate::request::Request;

/// A policy that refuses whose password is too old.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PasswordExpiryPolicy {
    /// Name of the policy.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Note every decision as an event; otherwise only failures are.
    #[serde(default)]
    pub execution_logging: bool,
    /// Days after which a password is too old.
    #[schemars(range(min = -2147483648, max = 2147483647))]
    pub days: i32,
    /// Only refuse; otherwise the password cannot be used any more either.
    #[serde(default)]
    pub deny_only: bool,
}

impl Kind for PasswordExpiryPolicy {
    const META: Meta = Meta {
        component: "ak-policy-password-expiry-form",
        pk_filters: &["policy_uuid"],
        description: "Refuse whose password is too old.",
        ..Meta::new(
            "authentik_policies_expiry.passwordexpirypolicy",
            "policies/password_expiry",
            "Password Expiry Policy",
            "Password Expiry Policies",
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

impl Policy for PasswordExpiryPolicy {
    fn name(&self) -> &str {
        &self.name
    }

    fn logs_executions(&self) -> bool {
        self.execution_logging
    }

    fn evaluate(&self, request: &Arc<Request>, _: Duration) -> Result<Verdict, Failure> {
        let Some(person) = &request.person else { return Err("nobody is signed in or being identified".into()) };
        let age = (request.now - person.user.password_change_date).num_days();
        let over = age - i64::from(self.days);
        if over < 0 {
            return Ok(Verdict::plain(true));
        }
        if self.deny_only {
            return Ok(Verdict::refused("Password has expired."));
        }
        let changes = Changes { effects: vec![PolicyEffect::ExpirePassword { user: person.user.pk }], ..Changes::default() };
        let message = format!("Password expired {over} days ago. Please update your password.");
        Ok(Verdict { changes, ..Verdict::refused(message) })
    }
}
