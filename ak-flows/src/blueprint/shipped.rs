//! The blueprints that come with the product: the default objects of a fresh installation.

use ak_store::model::Unit;
use ak_store::records::Durability;

use super::document::Blueprint;
use super::engine::{Engine, Options, Shipped};
use super::error::BlueprintError;
use super::instance::{BlueprintInstance, Outcome};
use super::report::Report;

macro_rules! shipped {
    ($($path:literal),+ $(,)?) => {
        &[$(Shipped { path: concat!("default/", $path), text: include_str!(concat!("../blueprints/", $path)) }),+]
    };
}

/// The blueprints of this room, in the order in which they are applied: what others refer to comes first.
pub const SHIPPED: &[Shipped] = shipped![
    "flow-password-change.yaml",
    "flow-default-authentication-flow.yaml",
    "flow-default-invalidation-flow.yaml",
    "flow-default-user-settings-flow.yaml",
    "flow-default-provider-authorization-implicit-consent.yaml",
    "flow-default-provider-authorization-explicit-consent.yaml",
    "flow-default-provider-invalidation.yaml",
    "flow-oobe.yaml",
    "default-brand.yaml",
];

impl Engine {
    /// Applies every shipped blueprint in one transaction, and keeps an instance of each.
    ///
    /// # Errors
    /// Where one of them is wrong: a mistake in the program.
    pub async fn apply_shipped_in(&self, unit: &mut Unit<'_>) -> Result<(), BlueprintError> {
        for shipped in self.shipped().to_vec() {
            self.renew_in(unit, shipped).await?;
        }
        Ok(())
    }

    /// Brings what the shipped blueprints made to their present version, each for itself. One that cannot be applied to what has
    /// become of the installation is told in the log and at its instance; it never stops the start.
    ///
    /// # Errors
    /// Where the storage fails.
    pub async fn renew_shipped(&self) -> Result<(), BlueprintError> {
        for shipped in self.shipped().to_vec() {
            let mut unit = self.store.begin(Durability::Full).await?;
            let renewed = match self.renew_in(&mut unit, shipped).await {
                Ok(()) => unit.save().await.map_err(|error| super::engine::at_whole(shipped.path, error)),
                Err(error) => {
                    drop(unit);
                    Err(error)
                }
            };
            match renewed {
                Ok(()) => {}
                Err(error @ BlueprintError::Store(_)) => return Err(error),
                Err(error) => {
                    tracing::error!(blueprint = shipped.path, %error, "a default blueprint cannot be applied");
                    self.note(shipped.path, &Outcome::failed(&error)).await?;
                }
            }
        }
        Ok(())
    }

    async fn renew_in(&self, unit: &mut Unit<'_>, shipped: Shipped) -> Result<(), BlueprintError> {
        let blueprint = Blueprint::parse(shipped.path, shipped.text)?;
        let found = unit.snapshot().all::<BlueprintInstance>().find(|(_, instance)| instance.path == shipped.path);
        let instance = match found.map(|(at, instance)| (at, instance.clone())) {
            Some((_, instance)) if !instance.enabled => return Ok(()),
            Some(found) => found,
            None => {
                let instance = BlueprintInstance::of_file(blueprint.name.clone(), shipped.path);
                let at =
                    unit.write(|draft| draft.add(&instance)).map_err(|error| super::engine::at_whole(shipped.path, error))?;
                (at, instance)
            }
        };
        let options = Options { context: instance.1.context.clone(), keep_under: Some(shipped.path.to_owned()), author: None };
        let report: Report = self.apply_in(unit, &blueprint, &options).await?;
        let now = self.store.clock().now();
        Outcome::applied(&blueprint, &report)
            .note_in(unit, instance.0, now)
            .map_err(|error| super::engine::at_whole(shipped.path, error))
    }
}
