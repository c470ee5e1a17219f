//! From a path to a collection, an object in it, and what is asked of it.

use ak_store::model::{Address, Family, KindInfo, Pk, Registry, Snapshot};
use serde_json::Value;

/// Which objects a path means.
pub(super) enum Set<'a> {
    /// Those of a kind.
    Kind(&'a KindInfo),
    /// Those in a role.
    Family(&'a Family, Vec<&'a KindInfo>),
}

/// What a path means.
pub(super) struct Route<'a> {
    pub(super) set: Set<'a>,
    /// The object's key as it stands in the path.
    pub(super) key: Option<String>,
    /// What is asked of it.
    pub(super) action: Option<String>,
}

impl<'a> Route<'a> {
    /// The meaning of a path below `/api/v3/`, if it has one.
    pub(super) fn of(registry: &'a Registry, path: &str) -> Option<Self> {
        let path = path.trim_end_matches('/');
        let families = registry.families().iter().map(|f| (f.path, None, Some(f)));
        let kinds = registry.kinds().iter().map(|k| (k.meta.path, Some(k), None));
        let below = |base: &str| path == base || path.strip_prefix(base).is_some_and(|rest| rest.starts_with('/'));
        // Families first: `stages/all` is no stage of a kind `all`.
        let (base, kind, family) = families.chain(kinds).find(|(base, _, _)| below(base))?;
        let mut rest = path.strip_prefix(base)?.split('/').filter(|s| !s.is_empty());
        let set = match (kind, family) {
            (Some(kind), _) => Set::Kind(kind),
            (None, Some(family)) => Set::Family(family, registry.kinds().iter().filter(|k| k.is_a(family.role)).collect()),
            (None, None) => return None,
        };
        let key = rest.next().map(str::to_owned);
        let action = rest.next().map(str::to_owned);
        if rest.next().is_some() {
            return None;
        }
        Some(Self { set, key, action })
    }

    /// The kinds that the collection holds.
    pub(super) fn kinds(&self) -> Vec<&'a KindInfo> {
        match &self.set {
            Set::Kind(kind) => vec![kind],
            Set::Family(_, kinds) => kinds.clone(),
        }
    }

    /// The object that the path names.
    pub(super) fn find(&self, snapshot: &Snapshot) -> Option<Pk> {
        let key = self.key.as_deref()?;
        match &self.set {
            Set::Kind(kind) => match kind.meta.address {
                Address::Field(field) => snapshot.find_unique(kind, field, key),
                Address::Pk => {
                    let pk = Pk::from_value(&Value::from(key), kind.meta.space)?;
                    let object = snapshot.object(pk)?;
                    (object.kind == Some(kind.index)).then_some(object.pk)
                }
            },
            Set::Family(family, kinds) => {
                let pk = kinds.iter().find_map(|k| Pk::from_value(&Value::from(key), k.meta.space))?;
                let object = snapshot.object(pk)?;
                let fits = snapshot.kind_of(object).is_some_and(|k| k.is_a(family.role));
                fits.then_some(object.pk)
            }
        }
    }

    /// What the API says when there is no such object.
    pub(super) fn missing(&self) -> String {
        let name = match &self.set {
            Set::Kind(kind) => kind.meta.name.replace(' ', ""),
            Set::Family(..) => "object".to_owned(),
        };
        format!("No {name} matches the given query.")
    }
}
