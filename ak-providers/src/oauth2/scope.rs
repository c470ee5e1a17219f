//! Scopes: what a client asks for, what of it there is, and what it tells.

use ak_policy::script::{Given, evaluate_all};
use ak_policy::{PolicyEffect, Request};
use ak_store::directory::merge_attributes;
use ak_store::model::{Pk, Ref, Snapshot};
use serde_json::{Map, Value, json};

use super::provider::OAuth2Provider;
use super::scope_mapping::ScopeMapping;

/// What scopes stand for the specification itself.
pub const OPENID: &str = "openid";
/// The scope by which a client gets refresh tokens (OpenID Connect Core, section 11).
pub const OFFLINE_ACCESS: &str = "offline_access";
/// The scope by which a client calls the API as the person: authentik's own.
pub const API: &str = "goauthentik.io/api";

/// A scope is not written as scopes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadScope;

/// The scopes of a request, each once, in their order (RFC 6749, section 3.3).
pub fn parse(text: &str) -> Result<Vec<String>, BadScope> {
    let mut all: Vec<String> = Vec::new();
    for scope in text.split_ascii_whitespace() {
        let is_scope = scope.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
        if !is_scope {
            return Err(BadScope);
        }
        if !all.iter().any(|known| known == scope) {
            all.push(scope.to_owned());
        }
    }
    Ok(all)
}

/// What of the scopes asked for there is; all of `offered` where none is named. What is not known is left out (section 3.3 lets
/// the server do so, and clients that ask for more than there is are common).
pub fn granted(asked: Option<&[String]>, offered: &[String]) -> Vec<String> {
    match asked {
        None => offered.to_vec(),
        Some([]) => offered.to_vec(),
        Some(asked) => asked.iter().filter(|scope| offered.contains(scope)).cloned().collect(),
    }
}

/// What a provider offers, in the order of its mappings. `Err`: one of them cannot be read, and what it would tell must not be missing.
/// `own` are the managed names of those that it has besides; they come first, so that the administrator's say more.
pub fn mappings<'a>(
    snapshot: &'a Snapshot,
    provider: &OAuth2Provider,
    own: &[&str],
) -> Result<Vec<(Pk, &'a ScopeMapping)>, Unreadable> {
    let mut all = managed(snapshot, own);
    all.retain(|(at, _)| !provider.base.property_mappings.iter().any(|to| to.pk() == *at));
    for to in &provider.base.property_mappings {
        match snapshot.get(Ref::<ScopeMapping>::new(to.pk())) {
            Some(mapping) => all.push((to.pk(), mapping)),
            // Mappings of other kinds tell nothing here.
            None if snapshot.get(*to).is_some() => {}
            None => return Err(Unreadable),
        }
    }
    Ok(all)
}

/// The mappings that the product keeps under these names, in this order. One that an administrator has deleted tells nothing.
fn managed<'a>(snapshot: &'a Snapshot, names: &[&str]) -> Vec<(Pk, &'a ScopeMapping)> {
    let name = |at: Pk| snapshot.object(at).and_then(|object| object.managed.as_deref());
    let found = |wanted: &&str| snapshot.all::<ScopeMapping>().find(|(at, _)| name(at.pk()) == Some(*wanted));
    names.iter().filter_map(found).map(|(at, mapping)| (at.pk(), mapping)).collect()
}

/// A mapping of a provider cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a scope mapping of the provider cannot be read")]
pub struct Unreadable;

/// The names of the scopes that mappings are for, each once.
pub fn names(mappings: &[(Pk, &ScopeMapping)]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for (_, mapping) in mappings {
        if !all.contains(&mapping.scope_name) {
            all.push(mapping.scope_name.clone());
        }
    }
    all
}

/// What scopes tell of a person.
#[derive(Debug, Default)]
pub struct Told {
    /// The claims.
    pub claims: Map<String, Value>,
    /// What the mappings made happen beside.
    pub effects: Vec<PolicyEffect>,
}

/// What the scopes of a token tell of the request's person: the mappings' answers merged, later ones over earlier ones.
///
/// # Errors
/// A mapping failed, or gave something else than claims. A token without what it tells must not be made: it could be a restriction.
pub async fn tell(provider: Pk, mappings: &[(Pk, &ScopeMapping)], scopes: &[String], request: &Request) -> Result<Told, String> {
    let mappings: Vec<&ScopeMapping> =
        mappings.iter().map(|(_, mapping)| *mapping).filter(|mapping| scopes.contains(&mapping.scope_name)).collect();
    if mappings.is_empty() {
        return Ok(Told::default());
    }
    let extra = || {
        let token = json!({ "scope": scopes });
        [("provider".to_owned(), Given::Object(provider)), ("token".to_owned(), Given::Value(token))].into_iter().collect()
    };
    let scripts = mappings.iter().map(|mapping| (mapping.expression.clone(), extra())).collect();
    let mut told = Told::default();
    for (mapping, said) in mappings.iter().zip(evaluate_all(scripts, request).await) {
        told.effects.extend(said.changes.effects);
        match said.value {
            Ok(Value::Object(claims)) => merge_attributes(&mut told.claims, &claims),
            Ok(Value::Null) => {}
            Ok(_) => return Err(format!("the mapping {} gives no claims", mapping.name)),
            Err(failure) => return Err(format!("the mapping {} failed: {failure}", mapping.name)),
        }
    }
    Ok(told)
}
