//! Dates and times, in the zone of the services.

use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveDateTime, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use rhai::Map;

use super::run::Run;
use super::table::Table;
use super::value::Wrong;

/// A moment, in a zone.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(crate) struct Moment(pub DateTime<Tz>);

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(crate) struct Length(pub Duration);

/// The present moment.
pub(super) fn now() -> Result<Moment, Wrong> {
    let run = Run::current()?;
    Ok(Moment(run.request().now.with_timezone(&run.zone())))
}

fn zone() -> Result<Tz, Wrong> {
    Ok(Run::current()?.zone())
}

fn out_of_range() -> Wrong {
    "the date is out of range".into()
}

fn moved(moment: Moment, by: Duration) -> Result<Moment, Wrong> {
    moment.0.checked_add_signed(by).map(Moment).ok_or_else(out_of_range)
}

fn parse(text: &str) -> Result<Moment, Wrong> {
    let zone = zone()?;
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Ok(Moment(moment.with_timezone(&zone)));
    }
    let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let naive = naive.or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0));
    let naive = naive.ok_or_else(|| Wrong::from(format!("{text} is not a date")))?;
    zone.from_local_datetime(&naive).earliest().map(Moment).ok_or_else(|| format!("{text} does not exist in {zone}").into())
}

fn formatted(moment: Moment, form: &str) -> Result<String, Wrong> {
    use std::fmt::Write as _;
    let mut text = String::new();
    // A directive that does not exist is an error of the formatter, which would be a panic with `to_string`.
    write!(text, "{}", moment.0.format(form)).map_err(|_| Wrong::from(format!("{form} is not a form of dates")))?;
    Ok(text)
}

fn length(parts: &Map) -> Result<Length, Wrong> {
    const UNITS: [(&str, f64); 7] = [
        ("weeks", 604_800.0),
        ("days", 86_400.0),
        ("hours", 3600.0),
        ("minutes", 60.0),
        ("seconds", 1.0),
        ("milliseconds", 1e-3),
        ("microseconds", 1e-6),
    ];
    let mut seconds = 0.0;
    for (name, amount) in parts {
        let unit = UNITS.iter().find(|(unit, _)| unit == name);
        let (_, unit) = unit.ok_or_else(|| Wrong::from(format!("{name} is no unit of time")))?;
        let amount = amount.as_float().or_else(|_| amount.as_int().map(float));
        seconds += unit * amount.map_err(|kind| Wrong::from(format!("{name} is a {kind}, not a number")))?;
    }
    if !seconds.is_finite() || seconds.abs() > 3.2e10 {
        return Err(out_of_range());
    }
    #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
    let micros = (seconds * 1e6).round() as i64;
    Ok(Length(Duration::microseconds(micros)))
}

fn float(whole: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "amounts of time are small, and bounded where they are used")]
    let float = whole as f64;
    float
}

fn seconds(length: Length) -> f64 {
    float(length.0.num_microseconds().unwrap_or(i64::MAX)) / 1e6
}

/// Registers dates and times.
pub(super) fn register(table: &mut Table) {
    table
        .kind::<Moment>("DateTime", "A moment, in the server's time zone (`TZ`).")
        .kind::<Length>("TimeDelta", "A length of time.")
        .function("now() -> DateTime", "The present moment, in the server's time zone.", now)
        .function("utcnow() -> DateTime", "The present moment in UTC.", || -> Result<Moment, Wrong> {
            Ok(Moment(Run::current()?.request().now.with_timezone(&Tz::UTC)))
        })
        .function(
            "datetime(text: String) -> DateTime",
            "The moment that a text names (ISO 8601); without an offset in the server's time zone.",
            parse,
        )
        .function(
            "datetime_from_timestamp(seconds: Integer) -> DateTime",
            "The moment so many seconds after 1970 began in UTC.",
            |seconds: i64| -> Result<Moment, Wrong> {
                let zone = zone()?;
                DateTime::<Utc>::from_timestamp(seconds, 0).map(|at| Moment(at.with_timezone(&zone))).ok_or_else(out_of_range)
            },
        )
        .function("timedelta(parts: Map) -> TimeDelta", "A length of time: `timedelta(#{days: 1, hours: 2})`.", |parts: Map| {
            length(&parts)
        });
    parts(table);
    arithmetic(table);
}

fn parts(table: &mut Table) {
    table
        .getter("DateTime.year: Integer", "The year.", |m: &mut Moment| i64::from(m.0.year()))
        .getter("DateTime.month: Integer", "The month, 1 to 12.", |m: &mut Moment| i64::from(m.0.month()))
        .getter("DateTime.day: Integer", "The day of the month.", |m: &mut Moment| i64::from(m.0.day()))
        .getter("DateTime.hour: Integer", "The hour, 0 to 23.", |m: &mut Moment| i64::from(m.0.hour()))
        .getter("DateTime.minute: Integer", "The minute.", |m: &mut Moment| i64::from(m.0.minute()))
        .getter("DateTime.second: Integer", "The second.", |m: &mut Moment| i64::from(m.0.second()))
        .function("weekday(moment: DateTime) -> Integer", "The day of the week; Monday is 0.", |m: &mut Moment| {
            i64::from(m.0.weekday().num_days_from_monday())
        })
        .function("isoweekday(moment: DateTime) -> Integer", "The day of the week; Monday is 1.", |m: &mut Moment| {
            i64::from(m.0.weekday().number_from_monday())
        })
        .function("timestamp(moment: DateTime) -> Float", "Seconds since 1970 began in UTC.", |m: &mut Moment| {
            float(m.0.timestamp_micros()) / 1e6
        })
        .function("isoformat(moment: DateTime) -> String", "The moment as ISO 8601 has it.", |m: &mut Moment| m.0.to_rfc3339())
        .function(
            "strftime(moment: DateTime, form: String) -> String",
            "The moment in a form: `strftime(\"%Y-%m-%d\")`.",
            |m: &mut Moment, form: &str| formatted(*m, form),
        )
        .function("to_string(moment: DateTime) -> String", "The moment as ISO 8601 has it.", |m: &mut Moment| m.0.to_rfc3339())
        .getter("TimeDelta.days: Integer", "Whole days, rounded down.", |l: &mut Length| l.0.num_seconds().div_euclid(86_400))
        .getter("TimeDelta.seconds: Integer", "Seconds beyond whole days.", |l: &mut Length| l.0.num_seconds().rem_euclid(86_400))
        .function("total_seconds(length: TimeDelta) -> Float", "The length in seconds.", |l: &mut Length| seconds(*l));
}

fn arithmetic(table: &mut Table) {
    table
        .function("+(moment: DateTime, length: TimeDelta) -> DateTime", "The moment so much later.", |m: Moment, l: Length| {
            moved(m, l.0)
        })
        .function("-(moment: DateTime, length: TimeDelta) -> DateTime", "The moment so much earlier.", |m: Moment, l: Length| {
            moved(m, -l.0)
        })
        .function("-(a: DateTime, b: DateTime) -> TimeDelta", "The time between two moments.", |a: Moment, b: Moment| {
            Length(a.0 - b.0)
        })
        .function(
            "+(a: TimeDelta, b: TimeDelta) -> TimeDelta",
            "Both lengths together.",
            |a: Length, b: Length| -> Result<Length, Wrong> { a.0.checked_add(&b.0).map(Length).ok_or_else(out_of_range) },
        );
    compare::<Moment>(table, "DateTime");
    compare::<Length>(table, "TimeDelta");
}

fn compare<T: Copy + PartialOrd + Send + Sync + 'static>(table: &mut Table, kind: &str) {
    let mut operator = |name: &str, holds: fn(&T, &T) -> bool| {
        let signature = format!("{name}(a: {kind}, b: {kind}) -> bool");
        table.function(&signature, "Compares two of them.", move |a: T, b: T| holds(&a, &b));
    };
    operator("==", |a, b| a == b);
    operator("!=", |a, b| a != b);
    operator("<", |a, b| a < b);
    operator("<=", |a, b| a <= b);
    operator(">", |a, b| a > b);
    operator(">=", |a, b| a >= b);
}
