//! Accounts as documents.

use std::collections::BTreeSet;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Identifiers, TAKEN, check_roles, does_not_exist, number, only, password_error, role_keys};
use crate::directory::Role;
use crate::directory::accounts;
use crate::directory::password::PasswordHasher;
use crate::model::{Change, Errors, Input, Pk, RecordKind, RecordRef, Ref, Secret, Unit, WriteError};
use crate::records::{Group, NewUser, Page, Repository, User, UserFilter, UserType};

/// An account as a document. What only happens to an account (that it signed in) is not part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UserDocument {
    /// Unique name to sign in with.
    #[schemars(length(min = 1, max = 150))]
    pub username: String,
    /// Full name; may be empty.
    pub name: String,
    /// Whether the account may be used.
    #[serde(default = "yes")]
    pub is_active: bool,
    /// E-mail address, or empty.
    #[serde(default)]
    #[schemars(email, length(max = 254))]
    pub email: String,
    /// Free data.
    #[serde(default)]
    pub attributes: Map<String, Value>,
    /// Folder, without slashes at the ends.
    #[serde(default = "users")]
    #[schemars(length(min = 1))]
    pub path: String,
    /// What sort of account it is.
    #[serde(default = "internal")]
    pub r#type: UserType,
    /// The groups that it is in directly.
    #[serde(default)]
    pub groups: Vec<RecordRef<Group>>,
    /// The roles that it has been given itself.
    #[serde(default)]
    pub roles: Vec<Ref<dyn Role>>,
    /// A new password. It is hashed, and never shown.
    #[serde(default)]
    pub password: Option<Secret>,
}

fn yes() -> bool {
    true
}

fn users() -> String {
    "users".into()
}

fn internal() -> UserType {
    UserType::Internal
}

/// Accounts.
pub struct UserKind {
    hasher: PasswordHasher,
    input: Input<UserDocument>,
}

impl UserKind {
    /// Accounts, whose passwords this hasher hashes.
    pub fn new(hasher: PasswordHasher) -> Self {
        Self { hasher, input: Input::new() }
    }

    async fn read(repo: &mut dyn Repository, user: &User) -> Result<UserDocument, WriteError> {
        let groups = repo.groups().of_user(user.pk, false).await?;
        let roles = repo.roles().of_users(&[user.pk]).await?;
        let user = user.clone();
        Ok(UserDocument {
            username: user.username,
            name: user.name,
            is_active: user.is_active,
            email: user.email,
            attributes: user.attributes,
            path: user.path,
            r#type: user.r#type,
            groups: groups.iter().map(|group| RecordRef::new(group.pk)).collect(),
            roles: roles.into_iter().map(|(_, role)| Ref::new(Pk::of_uuid(role))).collect(),
            password: None,
        })
    }

    /// What is wrong with a document, seen together with other records.
    async fn check(repo: &mut dyn Repository, old: Option<&User>, new: &UserDocument) -> Result<Errors, WriteError> {
        let mut errors = Errors::default();
        let namesake = repo.users().find_by_username(&new.username).await?;
        if namesake.is_some_and(|found| old.is_none_or(|old| old.pk != found.pk)) {
            errors.at(&["username"], TAKEN, "unique");
        }
        if new.path.starts_with('/') || new.path.ends_with('/') {
            errors.at(&["path"], "No leading or trailing slashes allowed.", "invalid");
        } else if new.path.split('/').any(str::is_empty) {
            errors.at(&["path"], "No empty segments in user path allowed.", "invalid");
        }
        // Accounts of the product's own are made by the product.
        let own = |sort: UserType| sort == UserType::InternalServiceAccount;
        match old {
            Some(old) if own(old.r#type) && !own(new.r#type) => {
                errors.at(&["type"], "Can't change internal service account to other user type.", "invalid");
            }
            old if own(new.r#type) && old.is_none_or(|old| !own(old.r#type)) => {
                errors.at(&["type"], "Setting a user to internal service account is not allowed.", "invalid");
            }
            _ => {}
        }
        let groups: Vec<Uuid> = new.groups.iter().map(|group| group.key()).collect();
        let there = repo.groups().lookup_many(&groups).await?;
        for missing in groups.iter().filter(|pk| !there.contains_key(pk)) {
            errors.at(&["groups"], does_not_exist(missing), "does_not_exist");
        }
        Ok(errors)
    }

    /// The hash of a new password; nothing where there is none, or where it is the present one.
    async fn new_hash(&self, old: Option<&User>, new: &UserDocument) -> Result<Option<String>, WriteError> {
        let Some(password) = new.password.as_ref().map(Secret::reveal).filter(|password| !password.is_empty()) else {
            return Ok(None);
        };
        if !self.is_new(old, password).await? {
            return Ok(None);
        }
        Ok(Some(self.hasher.hash(password).await.map_err(password_error)?))
    }

    /// Whether a password is one, and not the present one.
    async fn is_new(&self, old: Option<&User>, password: &str) -> Result<bool, WriteError> {
        match old.and_then(|user| user.password.as_deref()) {
            _ if password.is_empty() => Ok(false),
            Some(stored) => Ok(!self.hasher.verify(password, stored).await.map_err(password_error)?.matches),
            None => Ok(true),
        }
    }

    async fn create(unit: &mut Unit<'_>, new: UserDocument, hash: Option<String>) -> Result<i64, WriteError> {
        let (uuid, now) = (unit.store().rng().uuid(), unit.store().clock().now());
        let groups = new.groups.iter().map(|group| group.key()).collect();
        let roles = role_keys(&new.roles);
        let user = NewUser {
            uuid,
            username: new.username,
            name: new.name,
            email: new.email,
            is_active: new.is_active,
            r#type: new.r#type,
            path: new.path,
            attributes: new.attributes,
            password: hash,
        };
        let pk = unit.records().users().add(user, now).await?.pk;
        join(unit.records(), pk, &BTreeSet::new(), &groups).await?;
        give(unit.records(), pk, &BTreeSet::new(), &roles).await?;
        Ok(pk)
    }

    async fn change(unit: &mut Unit<'_>, old: &User, was: &UserDocument, new: UserDocument) -> Result<(), WriteError> {
        let now = unit.store().clock().now();
        let repo = unit.records();
        let keys = |document: &UserDocument| document.groups.iter().map(|group| group.key()).collect::<BTreeSet<_>>();
        join(repo, old.pk, &keys(was), &keys(&new)).await?;
        give(repo, old.pk, &role_keys(&was.roles), &role_keys(&new.roles)).await?;
        let user = User {
            username: new.username,
            name: new.name,
            email: new.email,
            is_active: new.is_active,
            r#type: new.r#type,
            path: new.path,
            attributes: new.attributes,
            ..old.clone()
        };
        if user != *old {
            accounts::update(repo, &user, now).await?;
        }
        Ok(())
    }
}

/// Makes the account a direct member of `new` instead of `old`.
async fn join(repo: &mut dyn Repository, user: i64, old: &BTreeSet<Uuid>, new: &BTreeSet<Uuid>) -> Result<(), WriteError> {
    for left in old.difference(new) {
        repo.groups().remove_member(*left, user).await?;
    }
    for joined in new.difference(old) {
        repo.groups().add_member(*joined, user).await?;
    }
    Ok(())
}

/// Gives the account the roles of `new` instead of `old`.
async fn give(repo: &mut dyn Repository, user: i64, old: &BTreeSet<Uuid>, new: &BTreeSet<Uuid>) -> Result<(), WriteError> {
    for taken in old.difference(new) {
        repo.roles().remove_user(*taken, user).await?;
    }
    for given in new.difference(old) {
        repo.roles().add_user(*given, user).await?;
    }
    Ok(())
}

async fn found(repo: &mut dyn Repository, pk: &Value) -> Result<Option<User>, WriteError> {
    match number(pk) {
        Some(pk) => Ok(repo.users().lookup(pk).await?),
        None => Ok(None),
    }
}

#[async_trait]
impl RecordKind for UserKind {
    fn model(&self) -> &'static str {
        "authentik_core.user"
    }

    async fn find(&self, repo: &mut dyn Repository, identifiers: &Map<String, Value>) -> Result<Option<Value>, WriteError> {
        let mut given = Identifiers::of(identifiers, &["pk", "uuid", "username", "email", "name"]);
        let pk = given.number("pk");
        let filter = UserFilter {
            uuid: given.uuid("uuid"),
            username: given.text("username"),
            email: given.text("email"),
            name: given.text("name"),
            ..UserFilter::default()
        };
        given.done()?;
        if let Some(pk) = pk {
            return Ok(repo.users().lookup(pk).await?.map(|user| Value::from(user.pk)));
        }
        let found = repo.users().list(&filter, Page::first(2)).await?;
        Ok(only(found, "user")?.map(|user| Value::from(user.pk)))
    }

    async fn document(&self, repo: &mut dyn Repository, pk: &Value) -> Result<Option<Map<String, Value>>, WriteError> {
        match found(repo, pk).await? {
            Some(user) => Ok(Some(self.input.shown(&Self::read(repo, &user).await?))),
            None => Ok(None),
        }
    }

    async fn hidden_changes(
        &self,
        unit: &mut Unit<'_>,
        at: Option<&Value>,
        input: &Map<String, Value>,
    ) -> Result<Vec<&'static str>, WriteError> {
        let old = match at {
            Some(pk) => found(unit.records(), pk).await?,
            None => None,
        };
        let given = input.get("password").and_then(Value::as_str).unwrap_or_default();
        let is_new = self.is_new(old.as_ref(), given).await?;
        Ok(if is_new { vec!["password"] } else { Vec::new() })
    }

    async fn put(
        &self,
        unit: &mut Unit<'_>,
        at: Option<&Value>,
        input: &Map<String, Value>,
        change: Change,
    ) -> Result<Value, WriteError> {
        let repo = unit.records();
        let old = match at {
            Some(pk) => Some(found(repo, pk).await?.ok_or_else(|| Errors::whole("There is no such user.", "not_found"))?),
            None => None,
        };
        let was = match &old {
            Some(user) => Some(Self::read(repo, user).await?),
            None => None,
        };
        let new = self.input.change(was.as_ref(), &Value::Object(input.clone()), change)?;
        let mut errors = Self::check(repo, old.as_ref(), &new).await?;
        check_roles(unit.snapshot(), &new.roles, &mut errors);
        errors.ok(())?;
        let hash = self.new_hash(old.as_ref(), &new).await?;
        let (Some(old), Some(was)) = (old, was) else { return Ok(Self::create(unit, new, hash).await?.into()) };
        Self::change(unit, &old, &was, new).await?;
        if let Some(hash) = hash {
            let now = unit.store().clock().now();
            let snapshot = unit.store().snapshot();
            accounts::set_password(unit.records(), &snapshot, old.pk, Some(&hash), now, None).await?;
        }
        Ok(old.pk.into())
    }

    async fn delete(&self, unit: &mut Unit<'_>, pk: &Value) -> Result<bool, WriteError> {
        match number(pk) {
            Some(pk) => unit.delete_user(pk).await,
            None => Ok(false),
        }
    }
}
