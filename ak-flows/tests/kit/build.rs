//! Flows in a few words.

use ak_flows::Flow;
use ak_store::model::{Change, Pk, Ref};
use serde_json::{Map, Value, json};

use super::House;

/// A stage or a policy to be made, and how it is bound.
#[derive(Clone)]
pub(crate) struct Spec {
    model: &'static str,
    fields: Value,
    binding: Value,
    policies: Vec<Spec>,
}

fn spec(model: &'static str, fields: Value) -> Spec {
    Spec { model, fields, binding: json!({}), policies: Vec::new() }
}

/// Asks for the user name or the e-mail address.
pub(crate) fn identification() -> Spec {
    spec("authentik_stages_identification.identificationstage", json!({ "user_fields": ["username", "email"] }))
}

/// Asks for the password.
pub(crate) fn password() -> Spec {
    spec("authentik_stages_password.passwordstage", json!({ "backends": ["authentik.core.auth.InbuiltBackend"] }))
}

pub(crate) fn login() -> Spec {
    spec("authentik_stages_user_login.userloginstage", json!({}))
}

pub(crate) fn logout() -> Spec {
    spec("authentik_stages_user_logout.userlogoutstage", json!({}))
}

pub(crate) fn dummy() -> Spec {
    spec("authentik_stages_dummy.dummystage", json!({}))
}

pub(crate) fn deny(message: &str) -> Spec {
    spec("authentik_stages_deny.denystage", json!({ "deny_message": message }))
}

/// Asks for these fields ([`House::prompts`] makes them).
pub(crate) fn prompt(fields: &[Value]) -> Spec {
    spec("authentik_stages_prompt.promptstage", json!({ "fields": fields }))
}

/// Writes what was asked into an account.
pub(crate) fn write(fields: Value) -> Spec {
    spec("authentik_stages_user_write.userwritestage", fields)
}

/// Asks whether an application may have what it asks for.
pub(crate) fn consent(fields: Value) -> Spec {
    spec("authentik_stages_consent.consentstage", fields)
}

/// Leads to an address, or into a flow.
pub(crate) fn redirect(fields: Value) -> Spec {
    spec("authentik_stages_redirect.redirectstage", fields)
}

/// See [`super::Probe`].
pub(crate) fn probe(fields: Value) -> Spec {
    spec("test.probe", fields)
}

/// Lets those through who have a bad reputation.
pub(crate) fn reputation(fields: Value) -> Spec {
    spec("authentik_policies_reputation.reputationpolicy", fields)
}

/// See [`super::Says`].
pub(crate) fn says(what: &str) -> Spec {
    spec("test.says", json!({ "says": what }))
}

fn merged(base: &Value, more: &Value) -> Value {
    let mut map: Map<String, Value> = base.as_object().cloned().unwrap();
    map.extend(more.as_object().cloned().unwrap());
    Value::Object(map)
}

impl Spec {
    /// With these fields.
    pub(crate) fn with(mut self, fields: Value) -> Self {
        self.fields = merged(&self.fields, &fields);
        self
    }

    /// Bound like this.
    pub(crate) fn bound(mut self, fields: Value) -> Self {
        self.binding = merged(&self.binding, &fields);
        self
    }

    /// Guarded by this policy.
    pub(crate) fn guarded(mut self, policy: Spec) -> Self {
        self.policies.push(policy);
        self
    }
}

/// What was built.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    pub(crate) flow: Ref<Flow>,
    pub(crate) stages: Vec<Pk>,
    pub(crate) bindings: Vec<Pk>,
}

/// The fields of a policy's binding.
fn binding(policy: Pk, target: Pk, order: usize) -> Value {
    json!({ "policy": policy.value(), "target": target.value(), "order": order })
}

impl House {
    /// A flow with these fields and stages.
    pub(crate) async fn flow(&self, slug: &str, fields: Value, stages: &[Spec]) -> Built {
        let base = json!({ "name": slug, "slug": slug, "title": slug, "designation": "authorization" });
        let flow = self.make("authentik_flows.flow", &merged(&base, &fields)).await;
        let mut built = Built { flow: Ref::new(flow), stages: Vec::new(), bindings: Vec::new() };
        for (i, spec) in stages.iter().enumerate() {
            let name = json!({ "name": format!("{slug} {i}") });
            let stage = self.make(spec.model, &merged(&name, &spec.fields)).await;
            let base = json!({ "target": flow.value(), "stage": stage.value(), "order": i });
            let bound = self.make("authentik_flows.flowstagebinding", &merged(&base, &spec.binding)).await;
            for policy in &spec.policies {
                self.guard(bound, policy).await;
            }
            built.stages.push(stage);
            built.bindings.push(bound);
        }
        built
    }

    /// Makes fields of prompts: key, type, and what else there is to say of each. Gives their keys.
    pub(crate) async fn prompts(&self, fields: &[(&str, &str, Value)]) -> Vec<Value> {
        let mut made = Vec::new();
        for (order, (key, kind, more)) in fields.iter().enumerate() {
            let name = format!("{key} {}", self.store.snapshot().len());
            let base = json!({ "name": name, "field_key": key, "label": key, "type": kind, "order": order });
            made.push(self.make("authentik_stages_prompt.prompt", &merged(&base, more)).await.value());
        }
        made
    }

    /// Makes an object by an input from outside.
    pub(crate) async fn make(&self, model: &str, fields: &Value) -> Pk {
        self.write(|draft| draft.put(model, None, fields, Change::Create)).await
    }

    /// Binds a new policy to a target; gives the policy.
    pub(crate) async fn guard(&self, target: Pk, policy: &Spec) -> Pk {
        let order = self.store.snapshot().len();
        let name = json!({ "name": format!("policy {order}") });
        let made = self.make(policy.model, &merged(&name, &policy.fields)).await;
        self.make("authentik_policies.policybinding", &merged(&binding(made, target, order), &policy.binding)).await;
        made
    }
}
