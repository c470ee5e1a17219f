//! What scripts translated from Python find here.

use chrono::{DateTime, FixedOffset, Offset, TimeZone, Utc};
use rhai::{Dynamic, NativeCallContext};

use super::context::ContextView;
use super::request::Headers;
use super::run::Run;
use crate::python::Host;

/// The evaluation that goes on, as translated scripts see it.
pub(super) struct Surroundings;

impl Host for Surroundings {
    fn now(&self, _: &NativeCallContext<'_>) -> DateTime<Utc> {
        // The engine runs scripts in an evaluation only.
        Run::current().map_or(DateTime::UNIX_EPOCH, |run| run.request().now)
    }

    fn offset_at(&self, _: &NativeCallContext<'_>, moment: DateTime<Utc>) -> FixedOffset {
        let zone = Run::current().map_or(chrono_tz::UTC, |run| run.zone());
        zone.offset_from_utc_datetime(&moment.naive_utc()).fix()
    }

    fn is_complete(&self, object: &Dynamic) -> bool {
        // Dictionaries there; everything else has more than is shown here.
        object.is::<ContextView>() || object.is::<Headers>()
    }
}
