//! A policy that asks how good a new password is.

use std::sync::Arc;
use std::time::Duration;

use ak_store::model::{Kind, Meta, Roles, Row};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha1::{Digest as _, Sha1};

use crate::binding::PolicyShown;
use crate::context::Context;
use crate::outbound::{Call, Trust};
use crate::policy::{Failure, Policy, Verdict};
use crate::request::Request;

/// A policy that refuses weak passwords.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "the fields are the contract's")]
pub struct PasswordPolicy {
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
    /// Digits at the least.
    #[serde(default)]
    #[schemars(range(min = 0, max = 2147483647))]
    pub amount_digits: u32,
    /// Upper-case letters (A to Z) at the least.
    #[serde(default)]
    #[schemars(range(min = 0, max = 2147483647))]
    pub amount_uppercase: u32,
    /// Lower-case letters (a to z) at the least.
    #[serde(default)]
    #[schemars(range(min = 0, max = 2147483647))]
    pub amount_lowercase: u32,
    /// Symbols at the least.
    #[serde(default)]
    #[schemars(range(min = 0, max = 2147483647))]
    pub amount_symbols: u32,
    /// Characters at the least.
    #[serde(default)]
    #[schemars(range(min = 0, max = 2147483647))]
    pub length_min: u32,
    /// What counts as a symbol.
    #[serde(default = "symbols")]
    #[schemars(length(min = 1))]
    pub symbol_charset: String,
    /// What is told of a password that breaks one of these rules.
    #[serde(default)]
    pub error_message: String,
    /// Whether these rules hold.
    #[serde(default = "yes")]
    pub check_static_rules: bool,
    /// Whether the password is looked up among those that have leaked.
    #[serde(default)]
    pub check_have_i_been_pwned: bool,
    /// Whether it is estimated how long guessing the password would take.
    #[serde(default)]
    pub check_zxcvbn: bool,
    /// How often the password may have leaked.
    #[serde(default)]
    #[schemars(range(min = 0, max = 2147483647))]
    pub hibp_allowed_count: u32,
    /// The highest estimate (0 to 4) that is refused.
    #[serde(default = "two")]
    #[schemars(range(min = 0, max = 2147483647))]
    pub zxcvbn_score_threshold: u32,
}

fn password() -> String {
    "password".into()
}

fn symbols() -> String {
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ".into()
}

fn yes() -> bool {
    true
}

fn two() -> u32 {
    2
}

/// Characters of a password that an estimate looks at: it takes more than linear time.
const ESTIMATED: usize = 72;

impl Kind for PasswordPolicy {
    const META: Meta = Meta {
        component: "ak-policy-password-form",
        pk_filters: &["policy_uuid"],
        description: "Refuse weak passwords.",
        ..Meta::new("authentik_policies_password.passwordpolicy", "policies/password", "Password Policy", "Password Policies")
    };

    type Shown = PolicyShown;

    fn shown(&self, row: &Row<'_>) -> PolicyShown {
        PolicyShown::of(row)
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Policy>(|s| s);
    }
}

impl Policy for PasswordPolicy {
    fn name(&self) -> &str {
        &self.name
    }

    fn logs_executions(&self) -> bool {
        self.execution_logging
    }

    fn evaluate(&self, request: &Arc<Request>, limit: Duration) -> Result<Verdict, Failure> {
        let Some(password) = new_password(request, &self.password_field) else {
            return Ok(Verdict::refused("Password not set in context"));
        };
        if self.check_static_rules && !self.keeps_rules(password) {
            return Ok(Verdict::refused(self.error_message.clone()));
        }
        if self.check_have_i_been_pwned {
            let count = leaks(request, password, limit)?;
            if count > u64::from(self.hibp_allowed_count) {
                return Ok(Verdict::refused(format!("Password exists on {count} online lists.")));
            }
        }
        if self.check_zxcvbn {
            return Ok(self.estimate(password));
        }
        Ok(Verdict::plain(true))
    }
}

/// The password that is to be set: what was filled into this field of a prompt, or else what the flow has gathered under its name.
pub(super) fn new_password<'a>(request: &'a Request, field: &str) -> Option<&'a str> {
    let prompted = request.context.get(Context::PROMPT_DATA).and_then(|data| data.get(field));
    prompted.or_else(|| request.context.get(field)).and_then(Value::as_str)
}

/// How often a password has leaked, by the range search of Have I Been Pwned: the list is told the first five of the forty digits of the
/// SHA-1 hash, and gives all that begin so.
fn leaks(request: &Request, password: &str, limit: Duration) -> Result<u64, Failure> {
    if request.trial {
        return Err("a trial looks nothing up in the list of leaked passwords".into());
    }
    let hash = hex::encode_upper(Sha1::digest(password.as_bytes()));
    let (prefix, suffix) = hash.split_at_checked(5).unwrap_or_default();
    let services = &request.services;
    let url = services.leaked_passwords.join(prefix).map_err(|error| Failure::new(error.to_string()))?;
    let call = Call { time: limit, ..Call::get(url, Trust::Configured).header("Add-Padding", "true") };
    let answer = crate::pool::wait(limit, services.outbound.call(call)).map_err(Failure::new)?;
    let answer = answer.map_err(|error| Failure::new(format!("the list of leaked passwords: {error}")))?;
    if answer.status != 200 {
        return Err(Failure::new(format!("the list of leaked passwords answered {}", answer.status)));
    }
    count(&String::from_utf8_lossy(&answer.body), suffix)
        .ok_or_else(|| "the answer of the list of leaked passwords cannot be read".into())
}

/// What a range (`SUFFIX:COUNT`, a line each) says of a suffix; `None` for what is no range.
fn count(range: &str, suffix: &str) -> Option<u64> {
    let mut found = 0;
    for line in range.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (listed, count) = line.split_once(':')?;
        let count: u64 = count.trim().parse().ok()?;
        if listed.eq_ignore_ascii_case(suffix) {
            found = count;
        }
    }
    Some(found)
}

impl PasswordPolicy {
    fn keeps_rules(&self, password: &str) -> bool {
        let count = |is: &dyn Fn(char) -> bool| password.chars().filter(|c| is(*c)).count();
        let enough = |least: u32, count: usize| usize::try_from(least).is_ok_and(|least| count >= least);
        enough(self.length_min, password.chars().count())
            && enough(self.amount_digits, count(&|c| c.is_ascii_digit()))
            && enough(self.amount_uppercase, count(&|c| c.is_ascii_uppercase()))
            && enough(self.amount_lowercase, count(&|c| c.is_ascii_lowercase()))
            && enough(self.amount_symbols, count(&|c| self.symbol_charset.contains(c)))
    }

    /// How long guessing takes, and what would make it longer.
    fn estimate(&self, password: &str) -> Verdict {
        let looked_at: String = password.chars().take(ESTIMATED).collect();
        let estimate = zxcvbn::zxcvbn(&looked_at, &[]);
        if u32::from(u8::from(estimate.score())) > self.zxcvbn_score_threshold {
            return Verdict::plain(true);
        }
        let mut messages = vec!["Password is too weak.".to_owned()];
        if let Some(feedback) = estimate.feedback() {
            messages.extend(feedback.warning().map(|warning| warning.to_string()));
            messages.extend(feedback.suggestions().iter().map(ToString::to_string));
        }
        Verdict { messages, ..Verdict::plain(false) }
    }
}
