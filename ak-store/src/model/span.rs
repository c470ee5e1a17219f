//! Durations as people write them: `hours=1;minutes=30`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use chrono::Duration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A duration of the form `hours=1;minutes=30` (also with spaces, `,` or `:` between and behind the parts; negative values allowed). The text
/// is kept as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    text: String,
    duration: Duration,
}

impl Span {
    /// The duration.
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// A duration of whole seconds.
    pub fn seconds(seconds: i64) -> Self {
        Self { text: format!("seconds={seconds}"), duration: Duration::try_seconds(seconds).unwrap_or(Duration::MAX) }
    }

    /// Whether it lasts no time.
    pub fn is_zero(&self) -> bool {
        self.duration.is_zero()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A text is not a duration.
#[derive(Debug, PartialEq, Eq)]
pub struct BadSpan;

impl fmt::Display for BadSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is not in the correct format of 'hours=3;minutes=1'.")
    }
}

impl std::error::Error for BadSpan {}

impl FromStr for Span {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Self, BadSpan> {
        const UNITS: [(&str, f64); 7] = [
            ("microseconds", 1e-6),
            ("milliseconds", 1e-3),
            ("seconds", 1.0),
            ("minutes", 60.0),
            ("hours", 3600.0),
            ("days", 86_400.0),
            ("weeks", 604_800.0),
        ];
        let mut seconds = 0.0;
        let mut parts = 0;
        for part in text.split([';', ',']).map(str::trim).filter(|p| !p.is_empty()) {
            let (unit, amount) = part.split_once('=').ok_or(BadSpan)?;
            let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit.trim().to_ascii_lowercase()).ok_or(BadSpan)?;
            let amount: f64 = amount.trim().parse().map_err(|_| BadSpan)?;
            seconds += amount * factor;
            parts += 1;
        }
        // A thousand years: more is a mistake, and would overflow dates.
        if parts == 0 || !seconds.is_finite() || seconds.abs() > 3.2e10 {
            return Err(BadSpan);
        }
        #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
        let duration = Duration::microseconds((seconds * 1e6).round() as i64);
        Ok(Self { text: text.to_owned(), duration })
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|bad| de::Error::custom(format!("{text} {bad}")))
    }
}

impl JsonSchema for Span {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let span = |text: &str| text.parse::<Span>().map(|s| s.duration());
        assert_eq!(span("hours=1;minutes=2"), Ok(Duration::seconds(3720)));
        assert_eq!(span(" days=1 , seconds=-1 "), Ok(Duration::seconds(86_399)));
        assert_eq!(span("seconds=0"), Ok(Duration::zero()));
        assert_eq!(span("minutes=1.5;"), Ok(Duration::seconds(90)));
        for bad in ["", "1h", "hours", "years=1", "hours=x", "weeks=1e30", "hours=NaN"] {
            assert_eq!(span(bad), Err(BadSpan), "{bad}");
        }
    }
}
