//! Accounts of people and of machines.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{AttributeIs, By, Group, Moments, Page};
use crate::error::Result;

/// What sort of account it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserType {
    /// A person of the organisation.
    Internal,
    /// A person from outside, who is led to the brand's default application.
    External,
    /// A machine.
    ServiceAccount,
    /// A machine that belongs to the product itself, as an outpost does.
    InternalServiceAccount,
}

impl UserType {
    /// The name in the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::External => "external",
            Self::ServiceAccount => "service_account",
            Self::InternalServiceAccount => "internal_service_account",
        }
    }

    /// The type of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Internal, Self::External, Self::ServiceAccount, Self::InternalServiceAccount]
            .into_iter()
            .find(|t| t.as_str() == name)
    }
}

/// An account.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Key; never used again after the account is deleted.
    pub pk: i64,
    /// Second key, for protocols.
    pub uuid: Uuid,
    /// Unique name to sign in with.
    pub username: String,
    /// Full name.
    pub name: String,
    /// E-mail address; may be empty, need not be unique.
    pub email: String,
    /// Whether the account may be used.
    pub is_active: bool,
    /// What sort of account it is.
    pub r#type: UserType,
    /// Folder, without slashes at the ends.
    pub path: String,
    /// Free data.
    pub attributes: Map<String, Value>,
    /// Hash of the password in one of the forms of [`crate::directory::password`]; `None` where no password can be used.
    #[serde(skip)]
    pub password: Option<String>,
    /// When the password was last set.
    pub password_change_date: DateTime<Utc>,
    /// When the account was made.
    pub date_joined: DateTime<Utc>,
    /// When the account last signed in.
    pub last_login: Option<DateTime<Utc>>,
    /// When the account was last changed.
    pub last_updated: DateTime<Utc>,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("pk", &self.pk).field("username", &self.username).finish_non_exhaustive()
    }
}

/// What is needed to make an account.
#[derive(Clone)]
pub struct NewUser {
    /// Second key.
    pub uuid: Uuid,
    /// Unique name to sign in with: 1 to 150 characters, compared with case.
    pub username: String,
    /// Full name.
    pub name: String,
    /// E-mail address, or empty.
    pub email: String,
    /// Whether the account may be used.
    pub is_active: bool,
    /// What sort of account it is.
    pub r#type: UserType,
    /// Folder.
    pub path: String,
    /// Free data.
    pub attributes: Map<String, Value>,
    /// Hash of the password.
    pub password: Option<String>,
}

impl NewUser {
    /// An active internal account without a password in the folder `users`.
    pub fn internal(uuid: Uuid, username: impl Into<String>) -> Self {
        Self {
            uuid,
            username: username.into(),
            name: String::new(),
            email: String::new(),
            is_active: true,
            r#type: UserType::Internal,
            path: "users".into(),
            attributes: Map::new(),
            password: None,
        }
    }
}

/// A field that identifies a person who signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserField {
    /// The user name.
    Username,
    /// The e-mail address.
    Email,
    /// The attribute `upn` (user principal name).
    Upn,
}

/// Which accounts a list holds, and in which order; every condition that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// Words that must all be found in the user name, name or e-mail address, without regard to case.
    pub search: Option<String>,
    /// Exact user name.
    pub username: Option<String>,
    /// Exact name.
    pub name: Option<String>,
    /// Exact e-mail address.
    pub email: Option<String>,
    /// Second key.
    pub uuid: Option<Uuid>,
    /// Whether the account may be used.
    pub is_active: Option<bool>,
    /// Whether one of its groups, or one above them, lets it do everything.
    pub is_superuser: Option<bool>,
    /// One of these sorts; empty for all.
    pub types: Vec<UserType>,
    /// Exactly in this folder.
    pub path: Option<String>,
    /// In a folder whose name begins so.
    pub path_prefix: Option<String>,
    /// When it was made.
    pub date_joined: Moments,
    /// When it last signed in.
    pub last_login: Moments,
    /// Whether it has ever signed in.
    pub has_signed_in: Option<bool>,
    /// When it was last changed.
    pub last_updated: Moments,
    /// Direct member of one of the groups of each of these sets; an empty set is no condition.
    pub groups: Vec<Vec<Uuid>>,
    /// Has itself been given one of the roles of each of these sets; an empty set is no condition.
    pub roles: Vec<Vec<Uuid>>,
    /// Has these values in its free data.
    pub attributes: Vec<AttributeIs>,
    /// In this order; then by key.
    pub order: Vec<By<UserOrder>>,
}

/// What accounts can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserOrder {
    /// The key.
    Pk,
    /// The user name.
    Username,
    /// The full name.
    Name,
    /// The e-mail address.
    Email,
    /// Whether the account may be used.
    IsActive,
    /// What sort of account it is.
    Type,
    /// The folder.
    Path,
    /// The second key.
    Uuid,
    /// When it was made.
    DateJoined,
    /// When it last signed in; who never did comes last.
    LastLogin,
    /// When it was last changed.
    LastUpdated,
}

/// By what an account is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserKey<'a> {
    /// Its key.
    Pk(i64),
    /// Exactly its user name.
    Username(&'a str),
}

/// Accounts.
#[async_trait]
pub trait Users: Send {
    /// The account with this key.
    async fn lookup(&mut self, pk: i64) -> Result<Option<User>>;
    /// An account, and the groups that it is in as [`Groups::memberships`](super::Groups::memberships) gives them.
    async fn with_memberships(&mut self, key: UserKey<'_>) -> Result<Option<(User, Vec<(Group, bool)>)>>;
    /// The accounts with these keys, those that exist.
    async fn lookup_many(&mut self, pks: &[i64]) -> Result<BTreeMap<i64, User>>;
    /// The account with this second key.
    async fn find_by_uuid(&mut self, uuid: Uuid) -> Result<Option<User>>;
    /// The account with exactly this user name.
    async fn find_by_username(&mut self, username: &str) -> Result<Option<User>>;
    /// The accounts whose `field` is `value`, two at the most (enough to tell that it is ambiguous), in the order of their keys.
    /// With `fold_case`, letters are compared without regard to case (Unicode simple lower case). Nobody has an empty value:
    /// an account without an e-mail address is not found by `""`.
    async fn find_by_field(&mut self, field: UserField, value: &str, fold_case: bool) -> Result<Vec<User>>;
    /// The accounts that `filter` lets through, in its order.
    async fn list(&mut self, filter: &UserFilter, page: Page) -> Result<Vec<User>>;
    /// How many accounts `filter` lets through.
    async fn count(&mut self, filter: &UserFilter) -> Result<u64>;
    /// Which of these accounts are in a group that lets its members do everything, directly or through parents.
    async fn superusers(&mut self, pks: &[i64]) -> Result<BTreeSet<i64>>;
    /// The folders that accounts are in, in order, each once.
    async fn paths(&mut self) -> Result<Vec<String>>;
    /// Makes an account. A taken user name or UUID is [`crate::StoreError::Taken`].
    async fn add(&mut self, user: NewUser, now: DateTime<Utc>) -> Result<User>;
    /// Keeps all of `user` but its password, the date of the password's change and its last login, which have methods of
    /// their own (a stale copy must not undo them).
    async fn update(&mut self, user: &User, now: DateTime<Utc>) -> Result<()>;
    /// Sets the password's hash (`None`: no password can be used any more) and the date of its change.
    async fn set_password(&mut self, pk: i64, hash: Option<&str>, now: DateTime<Utc>) -> Result<()>;
    /// Replaces the hash `old` by `new` without a change of date, where it still is `old`: a hash in an old form made stronger.
    async fn upgrade_password(&mut self, pk: i64, old: &str, new: &str) -> Result<bool>;
    /// Notes that the account signed in.
    async fn touch_login(&mut self, pk: i64, now: DateTime<Utc>) -> Result<()>;
    /// Deletes the account, with its memberships, sessions and tokens; whether it was there.
    async fn delete(&mut self, pk: i64) -> Result<bool>;
}
