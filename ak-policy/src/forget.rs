//! Taking secrets out of what a decision tells.

use serde_json::Value;

use crate::decision::{Decision, Outcome, Trace};
use crate::policy::PolicyEffect;

/// What stands in the place of a secret.
const HIDDEN: &str = "***";

impl Decision {
    /// Takes texts that nobody may read again (a password that was typed) out of the trace and out of the events: whatever a policy was
    /// given it can log. What the person is told stays as it is.
    pub fn forget(&mut self, secrets: &[&str]) {
        let secrets: Vec<&str> = secrets.iter().copied().filter(|secret| !secret.is_empty()).collect();
        if secrets.is_empty() {
            return;
        }
        self.trace.iter_mut().for_each(|trace| trace.forget(&secrets));
        for effect in &mut self.changes.effects {
            if let PolicyEffect::Event { context, .. } = effect {
                context.values_mut().for_each(|value| hide_in(value, &secrets));
            }
        }
    }
}

impl Trace {
    fn forget(&mut self, secrets: &[&str]) {
        self.messages.iter_mut().for_each(|message| hide(message, secrets));
        self.log.iter_mut().for_each(|line| hide(&mut line.event, secrets));
        if let Outcome::Failed(failure) = &mut self.outcome {
            hide(&mut failure.message, secrets);
            failure.log.iter_mut().for_each(|line| hide(&mut line.event, secrets));
        }
    }
}

/// Hides secrets in a text, also as they stand in quotes: values are logged as JSON.
fn hide(text: &mut String, secrets: &[&str]) {
    for secret in secrets {
        let quoted = Value::from(*secret).to_string();
        for form in [quoted.trim_matches('"'), secret] {
            if text.contains(form) {
                *text = text.replace(form, HIDDEN);
            }
        }
    }
}

fn hide_in(value: &mut Value, secrets: &[&str]) {
    match value {
        Value::String(text) => hide(text, secrets),
        Value::Array(items) => items.iter_mut().for_each(|item| hide_in(item, secrets)),
        Value::Object(fields) => fields.values_mut().for_each(|field| hide_in(field, secrets)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
