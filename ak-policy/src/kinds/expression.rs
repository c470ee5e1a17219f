//! A policy that is a script.

use std::sync::Arc;
use std::time::Duration;

use ak_store::model::{Errors, Kind, Meta, Roles, Row};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::binding::PolicyShown;
use crate::policy::{Failure, Policy, Verdict};
use crate::request::Request;
use crate::script::{Script, fill_policy, truth};

/// A policy that is a script. What it gives is the answer; nothing, zero and what is empty are a no.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ExpressionPolicy {
    /// Name of the policy.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Note every decision as an event; otherwise only failures are.
    #[serde(default)]
    pub execution_logging: bool,
    /// The script. A first line `// rhai` or `# python` says the language.
    pub expression: Script,
}

impl Kind for ExpressionPolicy {
    const META: Meta = Meta {
        component: "ak-policy-expression-form",
        pk_filters: &["policy_uuid"],
        description: "Decide by an expression.",
        ..Meta::new(
            "authentik_policies_expression.expressionpolicy",
            "policies/expression",
            "Expression Policy",
            "Expression Policies",
        )
    };

    type Shown = PolicyShown;

    fn shown(&self, row: &Row<'_>) -> PolicyShown {
        PolicyShown::of(row)
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Policy>(|s| s);
    }

    fn check(&self, _: &Row<'_>, errors: &mut Errors) {
        self.expression.check(&["expression"], errors);
    }

    fn remarks(&self, _: &Row<'_>, remarks: &mut Errors) {
        self.expression.remark(&["expression"], remarks);
    }
}

impl Policy for ExpressionPolicy {
    fn name(&self) -> &str {
        &self.name
    }

    fn logs_executions(&self) -> bool {
        self.execution_logging
    }

    fn evaluate(&self, request: &Arc<Request>, limit: Duration) -> Result<Verdict, Failure> {
        let ran = self.expression.run(request, limit, fill_policy);
        let state = ran.state;
        match ran.value {
            Ok(value) => Ok(Verdict {
                passing: truth(&value),
                messages: state.messages,
                log: state.log,
                changes: state.changes,
                lasting: ran.lasting,
            }),
            Err(failure) => Err(Failure { log: state.log, ..failure }),
        }
    }
}
