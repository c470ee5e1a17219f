//! Why somebody was refused, as it is kept for whoever is asked about it.

use std::fmt::{Display, Formatter};
use std::net::IpAddr;

use ak_store::records::{DecisionTrace, Repository};
use ak_store::{Result, StoreError};
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::decision::{Decision, Subject};
use crate::request::Request;

/// For how long it is kept.
const KEEP_DAYS: i64 = 30;

/// How much is kept of one text, and of all texts of a denial, in characters.
const LONGEST: usize = 2_000;
const MOST: usize = 64_000;

/// Texts as long as a key or a moment are kept whole, however much there is.
const SHORT: usize = 64;

/// Why somebody was refused. Whoever shows a reference to the person keeps it under that reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Denial {
    /// What was refused: `the flow default-authentication-flow`.
    pub what: String,
    /// Why, in words for administrators.
    pub reason: String,
    /// The user name of the account that was asked about, if any.
    pub user: Option<String>,
    /// Where the request came from.
    pub client_ip: Option<IpAddr>,
    /// What the policies said, if they were asked.
    pub decision: Option<Decision>,
}

impl Denial {
    /// An application that its policies do not let somebody open. `application` is what it is called.
    pub fn of_application(application: &str, request: &Request, decision: Decision) -> Self {
        Self {
            what: format!("the application {application}"),
            reason: "the policies of the application refuse".to_owned(),
            user: request.person.as_ref().map(|person| person.user.username.clone()),
            client_ip: request.client_ip,
            decision: Some(decision),
        }
    }

    /// Keeps it under the reference that the person is shown, for thirty days.
    pub async fn keep(&self, reference: &str, repo: &mut dyn Repository, now: DateTime<Utc>) -> Result<()> {
        let mut body = json!(self);
        shorten(&mut body, &mut MOST.clone());
        let body = body.as_object().cloned().unwrap_or_default();
        let (reference, expires) = (reference.to_owned(), now + Duration::days(KEEP_DAYS));
        repo.decision_traces().put(&DecisionTrace { reference, body, created: now, expires }).await
    }

    /// What is kept under a reference, if it need not be forgotten at `now`.
    pub async fn find(reference: &str, repo: &mut dyn Repository, now: DateTime<Utc>) -> Result<Option<Kept>> {
        let found = repo.decision_traces().lookup(reference).await?.filter(|trace| trace.expires > now);
        let Some(DecisionTrace { reference, body, created, .. }) = found else { return Ok(None) };
        let denial: Self = serde_json::from_value(Value::Object(body))
            .map_err(|error| StoreError::Corrupt(format!("the trace {reference}: {error}")))?;
        let names = names(&denial, repo).await?;
        Ok(Some(Kept { reference, created, denial, names }))
    }
}

/// What the accounts and groups are called now that were asked for by their keys.
async fn names(denial: &Denial, repo: &mut dyn Repository) -> Result<Vec<(Subject, String)>> {
    let mut names = Vec::new();
    for trace in denial.decision.iter().flat_map(|decision| &decision.trace) {
        let name = match &trace.subject {
            Subject::Group(pk) => repo.groups().lookup(*pk).await?.map(|group| format!("the group {}", group.name)),
            Subject::User(pk) => repo.users().lookup(*pk).await?.map(|user| format!("the account {}", user.username)),
            Subject::Policy(_) | Subject::Unknown(_) => None,
        };
        names.extend(name.map(|name| (trace.subject.clone(), name)));
    }
    Ok(names)
}

/// A denial with its reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// What the person was shown.
    pub reference: String,
    /// When it was decided.
    pub created: DateTime<Utc>,
    /// Why.
    pub denial: Denial,
    names: Vec<(Subject, String)>,
}

impl Display for Kept {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Denial { what, reason, user, client_ip, decision } = &self.denial;
        writeln!(f, "reference {}, {}", self.reference, self.created.format("%Y-%m-%d %H:%M:%S UTC"))?;
        write!(f, "{what}, asked for by {}", user.as_deref().unwrap_or("nobody that is known"))?;
        client_ip.iter().try_for_each(|address| write!(f, " from {address}"))?;
        write!(f, "\n{reason}")?;
        let Some(decision) = decision else { return Ok(()) };
        let named = |text: String, (subject, name): &(Subject, String)| {
            text.replace(&format!(" {subject} (binding "), &format!(" {name} (binding "))
        };
        write!(f, "\n{}", self.names.iter().fold(format!("{decision:#}"), named))
    }
}

/// Cuts texts of which there is too much, and takes out of them what a database does not take.
fn shorten(value: &mut Value, left: &mut usize) {
    match value {
        Value::String(text) => {
            let length = text.chars().count();
            let keep = length.min(LONGEST).min((*left).max(SHORT));
            *left = left.saturating_sub(keep);
            if keep < length || text.contains('\0') {
                let mut cut: String =
                    text.chars().take(keep).map(|letter| if letter == '\0' { '\u{fffd}' } else { letter }).collect();
                cut.extend((keep < length).then_some('…'));
                *text = cut;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| shorten(item, left)),
        Value::Object(fields) => fields.values_mut().for_each(|field| shorten(field, left)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
