//! What policies have decided about people before.
//!
//! A verdict is remembered where the policy says of it ([`crate::Verdict::lasting`]) that it depends on nothing but the policy and who
//! asks. It is given again for the very same document of the policy, in the same time zone, to an account of which nothing has
//! changed: no field, no attribute, no group and no attribute of a group. What read the time, an address, the context, the HTTP
//! request, other objects or other people, what failed, and what changed or logged something, is asked anew every time.
//!
//! Deciding takes microseconds, and so does the comparison; what is saved is the way to a thread of policies and back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ak_store::directory::Person;
use ak_store::model::{Object, Pk};
use chrono_tz::Tz;
use indexmap::IndexMap;

use crate::policy::Verdict;
use crate::request::Request;

/// How many people are known at the most. Whoever has been known longest is forgotten first.
const PEOPLE: usize = 512;

/// How many verdicts about one of them.
const VERDICTS: usize = 256;

/// What policies have decided about people before.
#[derive(Debug, Default)]
pub struct DecisionCache {
    people: Mutex<IndexMap<Option<i64>, Arc<Known>>>,
}

/// What was decided about somebody, as long as she is who she was; `None` is who has not signed in.
#[derive(Debug)]
pub(crate) struct Known {
    person: Option<Arc<Person>>,
    zone: Tz,
    install_id: String,
    verdicts: Mutex<HashMap<Pk, Remembered>>,
}

#[derive(Debug)]
struct Remembered {
    /// The policy that decided. Unchanged, it is the same object in every snapshot.
    policy: Arc<Object>,
    verdict: Arc<Verdict>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl DecisionCache {
    /// How many decisions are remembered.
    pub fn count(&self) -> usize {
        lock(&self.people).values().map(|known| lock(&known.verdicts).len()).sum()
    }

    /// Forgets all of them.
    pub fn clear(&self) {
        lock(&self.people).clear();
    }

    /// What was decided about who asks. Whose account or groups have changed is not known yet.
    pub(crate) fn about(&self, request: &Request) -> Arc<Known> {
        let who = request.person.as_ref().map(|person| person.user.pk);
        let known = lock(&self.people).get(&who).cloned();
        if let Some(known) = known.filter(|known| known.is_about(request)) {
            return known;
        }
        let known = Arc::new(Known {
            person: request.person.clone(),
            zone: request.services.zone,
            install_id: request.services.install_id.clone(),
            verdicts: Mutex::default(),
        });
        let mut people = lock(&self.people);
        people.shift_remove(&who);
        if people.len() >= PEOPLE {
            people.shift_remove_index(0);
        }
        people.insert(who, known.clone());
        known
    }
}

impl Known {
    fn is_about(&self, request: &Request) -> bool {
        let same = match (&self.person, &request.person) {
            (Some(known), Some(asking)) => Arc::ptr_eq(known, asking) || known == asking,
            (None, None) => true,
            _ => false,
        };
        same && self.zone == request.services.zone && self.install_id == request.services.install_id
    }

    /// Who it is.
    pub(crate) fn person(&self) -> Option<&Arc<Person>> {
        self.person.as_ref()
    }

    /// What the policy has decided.
    pub(crate) fn verdict(&self, policy: &Arc<Object>) -> Option<Arc<Verdict>> {
        let verdicts = lock(&self.verdicts);
        let found = verdicts.get(&policy.pk).filter(|found| Arc::ptr_eq(&found.policy, policy))?;
        Some(found.verdict.clone())
    }

    /// Remembers what the policy has decided, if that lasts.
    pub(crate) fn remember(&self, policy: &Arc<Object>, verdict: &Verdict) {
        if !verdict.lasting || !verdict.changes.is_empty() || !verdict.log.is_empty() {
            return;
        }
        let mut verdicts = lock(&self.verdicts);
        if verdicts.len() < VERDICTS || verdicts.contains_key(&policy.pk) {
            let remembered = Remembered { policy: policy.clone(), verdict: Arc::new(verdict.clone()) };
            verdicts.insert(policy.pk, remembered);
        }
    }
}
