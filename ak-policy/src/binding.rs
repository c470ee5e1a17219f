//! What is bound to what.

use std::time::Duration;

use ak_store::model::{Errors, Key, Kind, Meta, ModelShown, RecordRef, Ref, Row, Target, user_uid};
use ak_store::records::{Group, User};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::policy::Policy;

/// How the results of several bindings make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EngineMode {
    /// Every binding must let through.
    All,
    /// One binding that lets through is enough.
    #[default]
    Any,
}

/// The role of what can be guarded.
pub trait PolicyTarget: Send + Sync {
    /// How the results of its bindings make one.
    fn engine_mode(&self) -> EngineMode;
}

impl Target for dyn PolicyTarget {
    const NAME: &'static str = "authentik_policies.policybindingmodel";
}

/// The read-only fields that all policies share.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PolicyShown {
    #[serde(flatten)]
    model: ModelShown,
    bound_to: usize,
}

/// The fields that all policies share in answers.
pub const POLICY_FIELDS: &[&str] =
    &["pk", "name", "execution_logging", "component", "verbose_name", "verbose_name_plural", "meta_model_name", "bound_to"];

impl PolicyShown {
    /// The shared fields of one policy.
    pub fn of(row: &Row<'_>) -> Self {
        Self { model: ModelShown::of(row), bound_to: row.snapshot.referring::<PolicyBinding>(Key::Object(row.pk())).count() }
    }
}

/// Ties a policy, an account or a group to something that is guarded.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PolicyBinding {
    /// Policy that decides.
    #[serde(default)]
    #[schemars(extend("x-on-delete" = "cascade"))]
    pub policy: Option<Ref<dyn Policy>>,
    /// Group whose members are let through.
    #[serde(default)]
    #[schemars(extend("x-on-delete" = "cascade"))]
    pub group: Option<RecordRef<Group>>,
    /// Account that is let through.
    #[serde(default)]
    #[schemars(extend("x-on-delete" = "cascade"))]
    pub user: Option<RecordRef<User>>,
    /// What is guarded.
    pub target: Ref<dyn PolicyTarget>,
    /// Turns the result of the policy round; its messages stay, and an error is not turned.
    #[serde(default)]
    pub negate: bool,
    /// Whether the binding counts.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Place among the bindings of the target.
    #[schemars(range(min = -2147483648, max = 2147483647))]
    pub order: i32,
    /// Seconds after which the policy is stopped.
    #[serde(default = "thirty")]
    #[schemars(range(min = 0, max = 2147483647))]
    pub timeout: i32,
    /// The result when the policy fails to decide.
    #[serde(default)]
    pub failure_result: bool,
}

impl PolicyBinding {
    /// How long the policy has to decide.
    pub fn limit(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.timeout).unwrap_or(0))
    }
}

fn yes() -> bool {
    true
}

fn thirty() -> i32 {
    30
}

/// The read-only fields of a binding.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PolicyBindingShown {
    policy_obj: Value,
    group_obj: Option<Value>,
    user_obj: Option<Value>,
    expires: Option<DateTime<Utc>>,
    expiring: bool,
}

impl Kind for PolicyBinding {
    const META: Meta = Meta {
        pk_filters: &["policy_binding_uuid"],
        related: "bindings",
        label: "order",
        unique: &[&["policy", "target", "order"]],
        search: &["policy__name"],
        order: &["target", "order"],
        ..Meta::new("authentik_policies.policybinding", "policies/bindings", "Policy Binding", "Policy Bindings")
    };

    type Shown = PolicyBindingShown;

    fn shown(&self, row: &Row<'_>) -> PolicyBindingShown {
        let people = row.people;
        PolicyBindingShown {
            policy_obj: self.policy.map_or(Value::Null, |policy| row.snapshot.expand(policy.pk(), people)),
            group_obj: self.group.and_then(|g| people.groups.get(&g.key())).map(partial_group),
            user_obj: self.user.and_then(|u| people.users.get(&u.key())).map(|u| partial_user(u, &people.install_id)),
            expires: None,
            expiring: false,
        }
    }

    fn check(&self, row: &Row<'_>, errors: &mut Errors) {
        let subjects = [self.policy.is_some(), self.group.is_some(), self.user.is_some()];
        match subjects.iter().filter(|set| **set).count() {
            1 => {}
            0 => errors.at(&[], "One of 'policy', 'group' or 'user' must be set.", "invalid"),
            _ => errors.at(&[], "Only one of 'policy', 'group' or 'user' can be set.", "invalid"),
        }
        // The binding of a thing to itself, or of a policy below what it guards, cannot be decided.
        if self.policy.is_some_and(|p| row.snapshot.referrers(Key::from(p)).any(|o| o.pk == self.target.pk())) {
            errors.at(&["target"], "A policy cannot guard what it is part of.", "invalid");
        }
    }
}

/// A group as it stands inside other answers (`PartialGroup`).
pub fn partial_group(group: &Group) -> Value {
    json!({
        "pk": group.pk, "num_pk": group.num_pk(), "name": group.name,
        "is_superuser": group.is_superuser, "attributes": group.attributes,
    })
}

/// An account as it stands inside other answers (`PartialUser`).
pub fn partial_user(user: &User, install_id: &str) -> Value {
    json!({
        "pk": user.pk, "username": user.username, "name": user.name, "is_active": user.is_active, "last_login": user.last_login,
        "email": user.email, "attributes": user.attributes, "uid": user_uid(user.pk, install_id),
    })
}
