//! The kinds that a program knows.

use std::collections::HashMap;
use std::sync::Arc;

use super::kind::{Kind, KindInfo};
use super::pk::Target;

/// A role whose players can be listed together: `stages/all`.
#[derive(Debug, Clone)]
pub struct Family {
    /// Name of the role.
    pub role: &'static str,
    /// Path of the collection below `/api/v3/`, without slashes at the ends.
    pub path: &'static str,
    /// The fields that all players share.
    pub fields: &'static [&'static str],
}

/// The kinds and families that a program knows, in the order in which they were registered.
///
/// Registration is explicit, so that two servers in one process may know different kinds and a test can register two.
#[derive(Default)]
pub struct Registry {
    kinds: Vec<KindInfo>,
    families: Vec<Family>,
    by_model: HashMap<&'static str, usize>,
    problems: Vec<String>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.kinds).finish()
    }
}

impl Registry {
    /// A registry without kinds.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a kind. What is wrong with it is told by [`Registry::build`].
    #[must_use]
    pub fn with<K: Kind>(mut self) -> Self {
        if self.by_model.contains_key(K::META.model) || self.by_path(K::META.path).is_some() {
            self.problems.push(format!("{} or its path {} is registered twice", K::META.model, K::META.path));
            return self;
        }
        match KindInfo::of::<K>(self.kinds.len()) {
            Ok(info) => {
                self.by_model.insert(info.meta.model, info.index);
                self.kinds.push(info);
            }
            Err(problem) => self.problems.push(problem),
        }
        self
    }

    /// Registers a family: the objects in role `T`, listed together at `path` with the fields that all share.
    #[must_use]
    pub fn family<T: Target + ?Sized>(mut self, path: &'static str, fields: &'static [&'static str]) -> Self {
        self.families.push(Family { role: T::NAME, path, fields });
        self
    }

    /// The finished registry, or everything that is wrong with it.
    pub fn build(self) -> Result<Arc<Self>, String> {
        if self.problems.is_empty() { Ok(Arc::new(self)) } else { Err(self.problems.join("; ")) }
    }

    /// All kinds.
    pub fn kinds(&self) -> &[KindInfo] {
        &self.kinds
    }

    /// All families.
    pub fn families(&self) -> &[Family] {
        &self.families
    }

    /// The family of a role.
    pub fn family_of(&self, role: &str) -> Option<&Family> {
        self.families.iter().find(|f| f.role == role)
    }

    /// The kind with this index.
    pub fn kind(&self, index: usize) -> Option<&KindInfo> {
        self.kinds.get(index)
    }

    /// The kind of this model name.
    pub fn by_model(&self, model: &str) -> Option<&KindInfo> {
        self.by_model.get(model).and_then(|i| self.kinds.get(*i))
    }

    /// The kind whose collection is at this path.
    pub fn by_path(&self, path: &str) -> Option<&KindInfo> {
        self.kinds.iter().find(|k| k.meta.path == path)
    }

    /// The entry of a kind that is registered.
    pub fn info<K: Kind>(&self) -> Option<&KindInfo> {
        self.by_model(K::META.model)
    }
}
