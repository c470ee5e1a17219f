//! Writes what was gathered into an account.

use ak_policy::Context;
use ak_store::directory::Person;
use ak_store::model::{Kind, Meta, RecordRef, Roles, Row};
use ak_store::records::{Group, User, UserField, UserType};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::account::Changes;
use crate::effect::{Effect, Proof};
use crate::initial_setup::INITIAL_SETUP;
use crate::machine::SHOWN_USER;
use crate::stage::{Answer, Cx, Stage, StageError, StageShown, Step};

/// When an account is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserCreationMode {
    /// Never: without an account the flow ends.
    NeverCreate,
    /// When the flow has none.
    #[default]
    CreateWhenRequired,
    /// Always, also when the flow has one.
    AlwaysCreate,
}

/// Writes what was gathered into an account.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UserWriteStage {
    /// Name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// When an account is made.
    #[serde(default)]
    pub user_creation_mode: UserCreationMode,
    /// New accounts cannot be used until somebody activates them.
    #[serde(default)]
    pub create_users_as_inactive: bool,
    /// Group that new accounts join.
    #[serde(default)]
    pub create_users_group: Option<RecordRef<Group>>,
    /// What sort of account is made.
    #[serde(default = "external")]
    pub user_type: UserType,
    /// Folder in which accounts are made; empty: `users`.
    #[serde(default)]
    pub user_path_template: String,
}

fn external() -> UserType {
    UserType::External
}

impl Kind for UserWriteStage {
    const META: Meta = Meta {
        component: "ak-stage-user-write-form",
        pk_filters: &["stage_uuid"],
        description: "Writes what was gathered into an account.",
        ..Meta::new("authentik_stages_user_write.userwritestage", "stages/user_write", "User Write Stage", "User Write Stages")
    };

    type Shown = StageShown;

    fn shown(&self, row: &Row<'_>) -> StageShown {
        StageShown::of(row)
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Stage>(|s| s);
    }
}

/// What a person is told about a user name that somebody else has.
const TAKEN: &str = "This user name is taken. Please start again with another one.";

fn deny(message: &str) -> Result<Step, StageError> {
    Ok(Step::Deny(Some(message.to_owned())))
}

/// A moment as it is kept, to the microsecond: a proof is compared with what comes back.
fn kept(moment: DateTime<Utc>) -> DateTime<Utc> {
    ak_store::clock::from_micros(moment.timestamp_micros())
}

impl UserWriteStage {
    /// The account that is written; `None`: a new one.
    async fn account(&self, cx: &Cx<'_>) -> Result<Option<Person>, StageError> {
        if self.user_creation_mode == UserCreationMode::AlwaysCreate {
            return Ok(None);
        }
        // Where a name was typed that nobody has, the account is not that of who happens to have signed in; nor in the initial set-up.
        let only_pending = cx.context.get(SHOWN_USER).is_some() || cx.flow.slug == INITIAL_SETUP;
        if only_pending { cx.pending().await } else { cx.subject().await }
    }

    /// The groups that the account joins: those of the context, and a new one that of the stage. Their keys, and they with all that they
    /// are part of.
    async fn groups(&self, cx: &Cx<'_>, is_new: bool) -> Result<(Vec<Uuid>, Vec<Group>), StageError> {
        let listed = cx.context.get(Context::GROUPS).cloned().unwrap_or(Value::Array(Vec::new()));
        let mut keys: Vec<Uuid> = serde_json::from_value(listed)
            .map_err(|error| StageError::Failed(format!("the groups in the context are no list of keys: {error}")))?;
        keys.extend(self.create_users_group.filter(|_| is_new).map(|group| group.key()));
        let found = cx.world.directory.groups(&keys).await?;
        match keys.iter().find(|key| !found.iter().any(|group| group.pk == **key)) {
            Some(gone) => Err(StageError::Failed(format!("the stage {}: there is no group {gone}", self.name))),
            None => Ok((keys, found)),
        }
    }

    /// An account that is to be made.
    fn new_account(&self, cx: &Cx<'_>, changes: &Changes) -> Result<User, StageError> {
        let own = |error: serde_json::Error| StageError::Failed(format!("the sort of account in the context: {error}"));
        let r#type = match cx.context.get(Context::USER_TYPE) {
            Some(r#type) => serde_json::from_value(r#type.clone()).map_err(own)?,
            None => self.user_type,
        };
        let path = cx.context.text(Context::USER_PATH).unwrap_or(&self.user_path_template).trim_matches('/');
        let now = kept(cx.world.now);
        let mut user = User {
            pk: cx.new_account(),
            uuid: cx.world.rng.uuid(),
            username: String::new(),
            name: String::new(),
            email: String::new(),
            is_active: !self.create_users_as_inactive,
            // Accounts of the product itself are not made by flows.
            r#type: if r#type == UserType::InternalServiceAccount { UserType::ServiceAccount } else { r#type },
            path: if path.is_empty() { "users".into() } else { path.into() },
            attributes: Map::new(),
            password: changes.password.as_ref().map(|hash| hash.reveal().to_owned()),
            password_change_date: now,
            date_joined: now,
            last_login: None,
            last_updated: now,
        };
        changes.apply(&mut user);
        Ok(user)
    }

    fn create(cx: &mut Cx<'_>, user: User, groups: Vec<Group>, changes: Changes) {
        // Whoever was proven before, it was not this one.
        for name in [SHOWN_USER, Context::AUTH_METHOD, Proof::CONTEXT] {
            cx.context.values.remove(name);
        }
        cx.effects.push(Effect::CreateUser { user: Box::new(user.clone()), groups: changes.groups.clone() });
        note(cx, &user, &changes, true);
        let direct = changes.groups.iter().copied().collect();
        finish(cx, Person { user, groups, direct });
    }

    fn update(cx: &mut Cx<'_>, mut person: Person, groups: Vec<Group>, changes: Changes) -> Result<(), StageError> {
        let now = kept(cx.world.now);
        let proof = cx.context.get(Proof::CONTEXT).cloned().map(serde_json::from_value::<Proof>).transpose();
        let proof = proof.map_err(|e| StageError::Failed(format!("the proof in the context cannot be read: {e}")))?;
        changes.apply(&mut person.user);
        if let Some(hash) = &changes.password {
            (person.user.password, person.user.password_change_date) = (Some(hash.reveal().to_owned()), now);
            if let Some(Proof::Password(_)) = proof {
                // What proved the account is checked when this is kept; from then on, the new password stands for it.
                cx.context.set(Proof::CONTEXT, json!(Proof::Password(now)));
            }
        }
        person.direct.extend(changes.groups.iter().copied());
        let known: Vec<Uuid> = person.groups.iter().map(|group| group.pk).collect();
        person.groups.extend(groups.into_iter().filter(|group| !known.contains(&group.pk)));
        note(cx, &person.user, &changes, false);
        let user = person.user.pk;
        cx.effects.push(Effect::UpdateUser { user, proof, changes: Box::new(changes), now });
        finish(cx, person);
        Ok(())
    }
}

/// The events of what is written.
fn note(cx: &mut Cx<'_>, user: &User, changes: &Changes, created: bool) {
    let context = json!({ "created": created, "username": user.username, "written": changes.names() });
    cx.effects.push(Effect::event("user_write", Some(user.pk), context));
    if changes.password.is_some() {
        cx.effects.push(Effect::event("password_set", Some(user.pk), json!({})));
    }
}

/// From here on the flow is about the account that was written.
fn finish(cx: &mut Cx<'_>, person: Person) {
    cx.context.pending_user = Some(person.user.pk);
    cx.written.insert(person.user.pk, person);
}

#[async_trait]
impl Stage for UserWriteStage {
    async fn enter(&self, cx: &mut Cx<'_>) -> Result<Step, StageError> {
        let data = cx.context.get(Context::PROMPT_DATA).and_then(Value::as_object);
        if data.is_none() && cx.context.new_password.is_none() {
            return deny("There is nothing to write.");
        }
        let mut changes = Changes::of_prompt_data(data.unwrap_or(&Map::new()));
        changes.password = cx.context.new_password.clone();
        let account = self.account(cx).await?;
        if account.is_none() && self.user_creation_mode == UserCreationMode::NeverCreate {
            return deny("There is no account to write to.");
        }
        let (joined, groups) = self.groups(cx, account.is_none()).await?;
        changes.groups = joined;
        let username = changes.username.as_deref().or(account.as_ref().map(|person| person.user.username.as_str()));
        match username.unwrap_or_default() {
            "" => return deny("A user name is needed."),
            name if name.chars().count() > 150 => return deny("A user name has no more than 150 characters."),
            name => {
                let holder = cx.world.directory.identify(&[UserField::Username], name, true).await?;
                if holder.is_some_and(|holder| account.as_ref().is_none_or(|own| own.user.pk != holder.user.pk)) {
                    return deny(TAKEN);
                }
            }
        }
        cx.context.new_password = None;
        if cx.flow.slug == INITIAL_SETUP {
            if changes.password.is_none() {
                return deny("A password is needed.");
            }
            cx.effects.push(Effect::FinishSetup);
        }
        match account {
            Some(person) => Self::update(cx, person, groups, changes)?,
            None => {
                let user = self.new_account(cx, &changes)?;
                Self::create(cx, user, groups, changes);
            }
        }
        Ok(Step::Pass)
    }

    async fn respond(&self, cx: &mut Cx<'_>, _: &Answer) -> Result<Step, StageError> {
        self.enter(cx).await
    }
}
