//! The role of what signs people in to an application.

use ak_store::model::{Space, Target};

/// What signs people in to an application, in one protocol. The kinds are those of a room above this one.
pub trait Provider: Send + Sync {
    /// Its name, for administrators.
    fn name(&self) -> &str;

    /// Where the application is, as far as the protocol's settings tell.
    fn launch_url(&self) -> Option<String> {
        None
    }
}

impl Target for dyn Provider {
    const NAME: &'static str = "authentik_core.provider";
    /// All providers take their keys from one sequence.
    const SPACE: Space = Space::Int(1);
}
