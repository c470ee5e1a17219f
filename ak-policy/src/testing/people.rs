//! Accounts and groups of a scene.

use ak_store::records::UserType;
use serde::Deserialize;
use serde_json::{Map, Value};

/// An account of a scene: active, internal, without a password, made when the scene begins.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    pub(super) username: String,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) email: String,
    #[serde(default)]
    pub(super) groups: Vec<String>,
    #[serde(default)]
    pub(super) attributes: Map<String, Value>,
    #[serde(default = "internal")]
    pub(super) r#type: UserType,
    #[serde(default = "folder")]
    pub(super) path: String,
    #[serde(default = "yes")]
    pub(super) is_active: bool,
    #[serde(default)]
    pub(super) has_password: bool,
    #[serde(default)]
    pub(super) date_joined: Option<String>,
    #[serde(default)]
    pub(super) last_login: Option<String>,
}

fn internal() -> UserType {
    UserType::Internal
}

fn folder() -> String {
    "users".to_owned()
}

fn yes() -> bool {
    true
}

impl User {
    /// An account with this name to sign in with.
    pub fn named(username: impl Into<String>) -> Self {
        Self {
            username: username.into(),
            name: String::new(),
            email: String::new(),
            groups: Vec::new(),
            attributes: Map::new(),
            r#type: internal(),
            path: folder(),
            is_active: true,
            has_password: false,
            date_joined: None,
            last_login: None,
        }
    }

    /// With this full name.
    #[must_use]
    pub fn full_name(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// With this e-mail address.
    #[must_use]
    pub fn email(self, email: impl Into<String>) -> Self {
        Self { email: email.into(), ..self }
    }

    /// A direct member of the group of this name; a plain one where the scene does not say more of it.
    #[must_use]
    pub fn within(mut self, group: impl Into<String>) -> Self {
        self.groups.push(group.into());
        self
    }

    /// With this attribute.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.attributes.insert(name.to_owned(), value.into());
        self
    }

    /// Of this type.
    #[must_use]
    pub fn of_type(self, r#type: UserType) -> Self {
        Self { r#type, ..self }
    }

    /// In this folder.
    #[must_use]
    pub fn path(self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self }
    }

    /// Which may not be used.
    #[must_use]
    pub fn inactive(self) -> Self {
        Self { is_active: false, ..self }
    }

    /// Which has a password.
    #[must_use]
    pub fn with_password(self) -> Self {
        Self { has_password: true, ..self }
    }

    /// Made at this moment, written as for [`super::Scene::at`]; its password was set then.
    #[must_use]
    pub fn joined(self, moment: impl Into<String>) -> Self {
        Self { date_joined: Some(moment.into()), ..self }
    }

    /// Which last signed in at this moment, written as for [`super::Scene::at`].
    #[must_use]
    pub fn signed_in(self, moment: impl Into<String>) -> Self {
        Self { last_login: Some(moment.into()), ..self }
    }
}

/// A group of a scene.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    pub(super) name: String,
    #[serde(default)]
    pub(super) parents: Vec<String>,
    #[serde(default)]
    pub(super) attributes: Map<String, Value>,
    #[serde(default)]
    pub(super) is_superuser: bool,
}

impl Group {
    /// A group of this name.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), parents: Vec::new(), attributes: Map::new(), is_superuser: false }
    }

    /// Whose members are members of that group too.
    #[must_use]
    pub fn part_of(mut self, parent: impl Into<String>) -> Self {
        self.parents.push(parent.into());
        self
    }

    /// With this attribute.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.attributes.insert(name.to_owned(), value.into());
        self
    }

    /// Whose members may do everything.
    #[must_use]
    pub fn of_superusers(self) -> Self {
        Self { is_superuser: true, ..self }
    }
}
