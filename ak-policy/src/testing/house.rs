//! A scene that is played.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use ak_store::directory::Person;
use ak_store::memory::MemoryBackend;
use ak_store::model::{Change, Pk, Registry, Snapshot, Store, StoreOptions, WriteError};
use ak_store::records::{Durability, Group as GroupRecord, NewUser, Repository};
use ak_store::{ManualClock, SeededRng};
use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};
use uuid::Uuid;

use super::dns::GivenDns;
use super::geo::GivenGeo;
use super::outbound::GivenOutbound;
use super::{Broken, Group, Scene, User};
use crate::context::Context;
use crate::decision::Decision;
use crate::engine::decide;
use crate::request::Request;
use crate::services::Services;

/// A scene that is played: an installation in memory, whose clock stands still until it is moved.
pub struct House {
    store: Arc<Store>,
    clock: Arc<ManualClock>,
    request: Request,
    pub(super) users: BTreeMap<i64, String>,
    pub(super) groups: BTreeMap<Uuid, String>,
}

impl std::fmt::Debug for House {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("House").field("users", &self.users).field("groups", &self.groups).finish_non_exhaustive()
    }
}

/// The kinds of this room.
fn registry() -> Result<Arc<Registry>, Broken> {
    static KINDS: OnceLock<Result<Arc<Registry>, String>> = OnceLock::new();
    KINDS.get_or_init(|| crate::kinds(Registry::new()).build()).clone().map_err(Broken)
}

impl House {
    pub(super) async fn open(scene: &Scene) -> Result<Self, Broken> {
        let zone: Tz = match &scene.zone {
            Some(name) => name.parse().map_err(|_| Broken(format!("there is no time zone {name}")))?,
            None => chrono_tz::UTC,
        };
        let start = moment(scene.now.as_deref().unwrap_or("2024-01-02 12:00"), zone)?;
        let clock = Arc::new(ManualClock::new(start));
        let options = StoreOptions {
            clock: clock.clone(),
            rng: Arc::new(SeededRng::new(1)),
            ..StoreOptions::new(Arc::new(MemoryBackend::new()), registry()?, "the key of a scene, where nothing is secret")
        };
        let store = Store::open(options).await.map_err(Broken::new)?;
        let mut people = People::new(&store, zone, start).await?;
        people.fill(scene).await?;
        let person = match &scene.asking {
            Some(name) => Some(people.person(name).await?),
            None => None,
        };
        let context = people.context(scene)?;
        let People { repo, users, groups, .. } = people;
        repo.save().await.map_err(Broken::new)?;
        let (dns, geo) = (Arc::new(GivenDns(scene.dns.clone())), Arc::new(GivenGeo::new(&scene.places, &scene.networks)?));
        let outbound = Arc::new(GivenOutbound::new(&scene.answers)?);
        let services = Services { zone, dns, geo, outbound, ..Services::of(&store) };
        let http = scene.http.as_ref().map(super::Http::request).transpose()?.map(Arc::new);
        let request = Request::new(Snapshot::clone(&store.snapshot()), Arc::new(services)).of(person.as_ref());
        let request = Request { context, http, client_ip: scene.client_ip, trial: scene.trial, ..request };
        let users = users.into_iter().map(|(name, pk)| (pk, name)).collect();
        let groups = groups.into_iter().map(|(name, pk)| (pk, name)).collect();
        let house = Self { store, clock, request, users, groups };
        for (name, source) in &scene.policies {
            house.expression(name, source).await?;
        }
        Ok(house)
    }

    /// The clock, which a test can move.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// The installation.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// What is asked, at the present moment of the clock.
    pub fn request(&self) -> Request {
        let now = self.request.services.clock.now();
        Request { snapshot: Snapshot::clone(&self.store.snapshot()), now, ..self.request.clone() }
    }

    /// A new object of this model (`authentik_policies_password.passwordpolicy`) with these fields of the API.
    ///
    /// # Errors
    /// Where it is refused: what is wrong.
    pub async fn object(&self, model: &str, fields: Value) -> Result<Pk, Broken> {
        self.store.write(|draft| draft.put(model, None, &fields, Change::Create)).await.map_err(|error| match error {
            WriteError::Invalid(errors) => {
                let said: Vec<&str> = errors.iter().map(|problem| problem.message.as_str()).collect();
                Broken(said.join("\n"))
            }
            WriteError::Store(error) => Broken::new(error),
        })
    }

    /// A new expression policy.
    ///
    /// # Errors
    /// Where it is refused: every problem on a line of its own, with its place.
    pub async fn expression(&self, name: &str, source: &str) -> Result<Pk, Broken> {
        self.object("authentik_policies_expression.expressionpolicy", json!({ "name": name, "expression": source })).await
    }

    /// What this expression, in Rhai or in Python, decides.
    ///
    /// # Errors
    /// Where it is refused.
    pub async fn ask(&self, expression: &str) -> Result<Decision, Broken> {
        let policy = self.expression(&format!("policy {}", self.store.snapshot().len()), expression).await?;
        self.ask_policy(policy).await
    }

    /// What a policy decides, bound alone to an application.
    ///
    /// # Errors
    /// Where it cannot be bound.
    pub async fn ask_policy(&self, policy: Pk) -> Result<Decision, Broken> {
        let number = self.store.snapshot().len();
        let application = json!({ "name": "An application", "slug": format!("application-{number}") });
        let target = self.object("authentik_core.application", application).await?;
        let binding = json!({ "policy": policy.value(), "target": target.value(), "order": 0 });
        self.object("authentik_policies.policybinding", binding).await?;
        Ok(self.decide(target).await)
    }

    /// What the bindings of an object decide.
    pub async fn decide(&self, target: Pk) -> Decision {
        decide(target, &self.request()).await
    }
}

/// The accounts and groups of a scene while they are made.
struct People<'a> {
    store: &'a Store,
    repo: Box<dyn Repository>,
    zone: Tz,
    start: DateTime<Utc>,
    users: BTreeMap<String, i64>,
    groups: BTreeMap<String, Uuid>,
}

impl<'a> People<'a> {
    async fn new(store: &'a Store, zone: Tz, start: DateTime<Utc>) -> Result<Self, Broken> {
        let repo = store.backend().begin(Durability::Full).await.map_err(Broken::new)?;
        Ok(Self { store, repo, zone, start, users: BTreeMap::new(), groups: BTreeMap::new() })
    }

    async fn fill(&mut self, scene: &Scene) -> Result<(), Broken> {
        for group in &scene.groups {
            if self.groups.insert(group.name.clone(), self.store.rng().uuid()).is_some() {
                return Err(Broken(format!("there are two groups {}", group.name)));
            }
        }
        let named = scene.users.iter().flat_map(|user| &user.groups).chain(scene.groups.iter().flat_map(|group| &group.parents));
        let mut plain: Vec<Group> = Vec::new();
        for name in named {
            if !self.groups.contains_key(name) {
                self.groups.insert(name.clone(), self.store.rng().uuid());
                plain.push(Group::named(name));
            }
        }
        self.add_groups(plain.iter().chain(&scene.groups)).await?;
        for user in &scene.users {
            self.add_user(user).await?;
        }
        Ok(())
    }

    /// Adds groups, whose keys are known; parents come after them.
    async fn add_groups(&mut self, groups: impl Iterator<Item = &Group>) -> Result<(), Broken> {
        let key = |name: &String| self.groups.get(name).copied().unwrap_or_default();
        let record = |group: &Group| GroupRecord {
            is_superuser: group.is_superuser,
            attributes: group.attributes.clone(),
            parents: group.parents.iter().map(key).collect(),
            ..GroupRecord::named(key(&group.name), &group.name, self.start)
        };
        let records: Vec<GroupRecord> = groups.map(record).collect();
        for group in &records {
            let alone = GroupRecord { parents: Vec::new(), ..group.clone() };
            self.repo.groups().add(&alone).await.map_err(Broken::new)?;
        }
        for group in records.iter().filter(|group| !group.parents.is_empty()) {
            let wrong = |error| Broken(format!("the group {}: {error}", group.name));
            self.repo.groups().update(group, self.start).await.map_err(wrong)?;
        }
        Ok(())
    }

    async fn add_user(&mut self, user: &User) -> Result<(), Broken> {
        let wrong = |error| Broken(format!("the account {}: {error}", user.username));
        let new = NewUser {
            name: user.name.clone(),
            email: user.email.clone(),
            is_active: user.is_active,
            r#type: user.r#type,
            path: user.path.clone(),
            attributes: user.attributes.clone(),
            // No hash of any password.
            password: user.has_password.then(|| "!scene".to_owned()),
            ..NewUser::internal(self.store.rng().uuid(), &user.username)
        };
        let joined = user.date_joined.as_ref().map_or(Ok(self.start), |text| moment(text, self.zone))?;
        let pk = self.repo.users().add(new, joined).await.map_err(wrong)?.pk;
        for group in user.groups.iter().filter_map(|name| self.groups.get(name)) {
            self.repo.groups().add_member(*group, pk).await.map_err(wrong)?;
        }
        if let Some(at) = &user.last_login {
            self.repo.users().touch_login(pk, moment(at, self.zone)?).await.map_err(wrong)?;
        }
        self.users.insert(user.username.clone(), pk);
        Ok(())
    }

    fn key(&self, username: &str) -> Result<i64, Broken> {
        self.users.get(username).copied().ok_or_else(|| Broken(format!("there is no account {username}")))
    }

    async fn person(&mut self, username: &str) -> Result<Person, Broken> {
        let pk = self.key(username)?;
        let person = Person::lookup(&mut *self.repo, pk).await.map_err(Broken::new)?;
        person.ok_or_else(|| Broken(format!("there is no account {username}")))
    }

    fn context(&self, scene: &Scene) -> Result<Context, Broken> {
        let mut context = Context { values: scene.context.clone(), ..Context::default() };
        context.pending_user = match context.values.shift_remove("pending_user") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) => Some(self.key(&name)?),
            Some(other) => return Err(Broken(format!("pending_user is the name of an account, not {other}"))),
        };
        Ok(context)
    }
}

/// A moment as scenes write it.
fn moment(text: &str, zone: Tz) -> Result<DateTime<Utc>, Broken> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Ok(moment.to_utc());
    }
    let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let naive = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let naive = naive.or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0));
    let naive = naive.ok_or_else(|| Broken(format!("{text} is not a moment, as 2026-11-18 10:00 is")))?;
    let there = zone.from_local_datetime(&naive).earliest();
    there.map(|moment| moment.to_utc()).ok_or_else(|| Broken(format!("{text} does not exist in {zone}")))
}
