//! What a flow is run for: a stage that stands in no flow, and comes last.
//!
//! Another room begins a flow with a [`Finale`] (the answer to an application that wants to sign somebody in, say). Where the flow's
//! own stages end, the finale's stage has the last word. Its data is part of the plan and not of what the flow gathers: no policy and
//! no prompt changes it, and it outlives a restart.

use std::collections::BTreeMap;
use std::sync::Arc;

use ak_policy::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::stage::Stage;

/// What a flow is run for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finale {
    /// The name of the stage among [`Finales`].
    pub stage: String,
    /// What the stage needs to know.
    pub data: Value,
    /// What the flow begins with, also when it begins again.
    #[serde(default)]
    pub context: Context,
}

/// What a flow begins with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seed {
    /// What another room has gathered.
    pub context: Context,
    /// What it is run for.
    pub finale: Option<Finale>,
}

impl From<Context> for Seed {
    fn from(context: Context) -> Self {
        Self { context, finale: None }
    }
}

impl From<Finale> for Seed {
    fn from(finale: Finale) -> Self {
        Self { context: finale.context.clone(), finale: Some(finale) }
    }
}

/// The stages of finales, by name.
#[derive(Clone, Default)]
pub struct Finales(BTreeMap<&'static str, Arc<dyn Stage>>);

impl Finales {
    /// With one more.
    #[must_use]
    pub fn with(mut self, name: &'static str, stage: impl Stage + 'static) -> Self {
        self.0.insert(name, Arc::new(stage));
        self
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<dyn Stage>> {
        self.0.get(name).cloned()
    }
}
