//! What a flow writes of an account.

use ak_store::directory::merge_attributes as merge;
use ak_store::model::Secret;
use ak_store::records::User;
use serde_json::{Map, Value};
use uuid::Uuid;

/// Attributes whose names begin like this mean something to the product: only administrators write them.
const RESERVED: &str = "goauthentik.io/";

/// What of an account is written. What is not set stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// User name.
    pub username: Option<String>,
    /// Full name.
    pub name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Folder.
    pub path: Option<String>,
    /// Attributes; an object within goes into the one that is there.
    pub attributes: Map<String, Value>,
    /// The hash of the password.
    pub password: Option<Secret>,
    /// Groups that the account joins.
    pub groups: Vec<Uuid>,
}

impl Changes {
    /// What was filled in at prompts, as far as it may be written.
    ///
    /// `username`, `name`, `email` and `path` are written, and what the key leads to in the attributes ([`attribute_path`]). Everything
    /// else is left out: keys, types, groups, roles, rights and passwords are not for a person to choose by a form field.
    pub fn of_prompt_data(data: &Map<String, Value>) -> Self {
        let text = |name: &str| data.get(name).and_then(Value::as_str).map(str::to_owned);
        let mut changes = Self {
            username: text("username").map(|name| name.trim().to_owned()),
            name: text("name"),
            email: text("email").map(|email| email.trim().to_owned()),
            path: text("path").map(|path| path.trim_matches('/').to_owned()).filter(|path| !path.is_empty()),
            ..Self::default()
        };
        for (key, value) in data {
            match (key.as_str(), value, attribute_path(key)) {
                ("attributes", Value::Object(attributes), _) => merge(&mut changes.attributes, attributes),
                (_, value, Some(path)) => merge(&mut changes.attributes, &nested(&path, value)),
                ("username" | "name" | "email" | "path", ..) => {}
                _ => tracing::debug!(key, "not a field of accounts: not written"),
            }
        }
        changes.attributes.retain(|name, _| !name.starts_with(RESERVED));
        changes
    }

    /// Writes everything but the password and the groups.
    pub fn apply(&self, user: &mut User) {
        let set = |field: &mut String, value: &Option<String>| {
            if let Some(value) = value {
                field.clone_from(value);
            }
        };
        set(&mut user.username, &self.username);
        set(&mut user.name, &self.name);
        set(&mut user.email, &self.email);
        set(&mut user.path, &self.path);
        merge(&mut user.attributes, &self.attributes);
    }

    /// The names of what is written, for events.
    pub fn names(&self) -> Vec<&str> {
        let fields = [
            ("username", self.username.is_some()),
            ("name", self.name.is_some()),
            ("email", self.email.is_some()),
            ("path", self.path.is_some()),
            ("password", self.password.is_some()),
            ("groups", !self.groups.is_empty()),
        ];
        let fields = fields.into_iter().filter(|(_, set)| *set).map(|(name, _)| name);
        fields.chain(self.attributes.keys().map(String::as_str)).collect()
    }
}

/// Where in the attributes the value of a form field belongs: `attributes.a.b`, `attributes_a_b` and `attributes.a_b` are `a`, then `b`
/// within it. `None` for other keys.
pub fn attribute_path(key: &str) -> Option<Vec<String>> {
    let rest = key.strip_prefix("attributes.").or_else(|| key.strip_prefix("attributes_"))?;
    let path: Vec<String> = rest.split(['.', '_']).filter(|part| !part.is_empty()).map(str::to_owned).collect();
    (!path.is_empty()).then_some(path)
}

fn nested(path: &[String], value: &Value) -> Map<String, Value> {
    let mut map = Map::new();
    if let Some((first, rest)) = path.split_first() {
        let value = if rest.is_empty() { value.clone() } else { Value::Object(nested(rest, value)) };
        map.insert(first.clone(), value);
    }
    map
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_a_person_may_choose_is_written() {
        let data = json!({
            "username": " ada ", "name": "Ada", "email": "ada@example.com ", "path": "/guests/", "password": "x", "pk": 1, "id": 1,
            "uuid": "x", "uid": "x", "type": "internal", "is_superuser": true, "is_active": false, "groups": ["x"], "roles": ["x"],
            "password_repeat": "x", "component": "x", "attributes.phone": "1", "attributes.home_city": "2", "attributes_a_b": "3",
            "attributes": { "goauthentik.io/user/debug": true, "plain": 4, "home": { "zip": 5 } }, "attributes.": "x",
        });
        let changes = Changes::of_prompt_data(data.as_object().unwrap());
        let expected = Changes {
            username: Some("ada".into()),
            name: Some("Ada".into()),
            email: Some("ada@example.com".into()),
            path: Some("guests".into()),
            attributes: json!({ "phone": "1", "home": { "zip": 5, "city": "2" }, "a": { "b": "3" }, "plain": 4 })
                .as_object()
                .unwrap()
                .clone(),
            ..Changes::default()
        };
        assert_eq!(changes, expected);
    }
}
