//! `datetime`: moments with and without a zone, dates, times of day, spans.

use std::cmp::Ordering;

use chrono::{DateTime, Datelike as _, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike as _, Utc};
use rhai::Dynamic;

use super::Cx;
use super::arguments::Args;
use super::errors::{Res, raise, type_error, unsupported, value_error};
use super::numbers::Number;
use super::value::{Py, text, tuple, type_name, view, wrap};

/// A `datetime`.
#[derive(Clone)]
pub(crate) struct Moment {
    pub(crate) local: NaiveDateTime,
    pub(crate) zone: Option<FixedOffset>,
}

#[derive(Clone)]
pub(crate) struct Date(pub(crate) NaiveDate);
#[derive(Clone)]
pub(crate) struct Time(pub(crate) NaiveTime);
#[derive(Clone)]
pub(crate) struct Zone(pub(crate) FixedOffset);
/// A `timedelta`, in microseconds.
#[derive(Clone)]
pub(crate) struct Delta(i64);

/// A moment that an object of the surroundings keeps: as Django has it, in UTC.
pub(crate) fn stored(value: Dynamic) -> Dynamic {
    let at = value.read_lock::<crate::script::Moment>().map(|moment| moment.0.naive_utc());
    match at {
        Some(local) => wrap(Py::Moment(Moment { local, zone: FixedOffset::east_opt(0) })),
        None => value,
    }
}

const DAY: i64 = 86_400_000_000;

fn out_of_range() -> Box<rhai::EvalAltResult> {
    raise("OverflowError", "date value out of range")
}

fn four_digits(date: NaiveDate) -> Res<NaiveDate> {
    if (1..=9999).contains(&date.year()) { Ok(date) } else { Err(out_of_range()) }
}

impl Delta {
    pub(crate) fn micros(&self) -> i64 {
        self.0
    }

    pub(crate) fn from_micros(micros: i128) -> Res<Self> {
        let fits = i64::try_from(micros).ok().filter(|micros| micros.abs() / DAY <= 99_999_999);
        fits.map(Self).ok_or_else(|| unsupported("a span of that length"))
    }

    fn parts(&self) -> (i64, i64, i64) {
        let rest = self.0.rem_euclid(DAY);
        (self.0.div_euclid(DAY), rest / 1_000_000, rest % 1_000_000)
    }

    pub(crate) fn show(&self) -> String {
        let (days, seconds, micros) = self.parts();
        let mut out = match days {
            0 => String::new(),
            1 | -1 => format!("{days} day, "),
            _ => format!("{days} days, "),
        };
        out.push_str(&format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60));
        if micros > 0 {
            out.push_str(&format!(".{micros:06}"));
        }
        out
    }
}

impl Zone {
    pub(crate) fn name(&self) -> String {
        match self.0.local_minus_utc() {
            0 => "UTC".to_owned(),
            _ => format!("UTC{}", offset(self.0)),
        }
    }
}

impl Time {
    pub(crate) fn iso(&self) -> String {
        time_text(self.0)
    }
}

fn time_text(time: NaiveTime) -> String {
    let micros = time.nanosecond() / 1000;
    let base = time.format("%H:%M:%S").to_string();
    if micros == 0 { base } else { format!("{base}.{micros:06}") }
}

fn offset(zone: FixedOffset) -> String {
    let seconds = zone.local_minus_utc();
    let (sign, seconds) = if seconds < 0 { ('-', -seconds) } else { ('+', seconds) };
    let base = format!("{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60);
    if seconds % 60 == 0 { base } else { format!("{base}:{:02}", seconds % 60) }
}

impl Moment {
    fn with_separator(&self, separator: char) -> String {
        let zone = self.zone.map(offset).unwrap_or_default();
        format!("{}{separator}{}{zone}", self.local.date(), time_text(self.local.time()))
    }

    pub(crate) fn iso(&self) -> String {
        self.with_separator('T')
    }

    pub(crate) fn show(&self) -> String {
        self.with_separator(' ')
    }

    pub(crate) fn key(&self) -> String {
        match self.zone {
            Some(_) => format!("{}Z", self.utc()),
            None => self.local.to_string(),
        }
    }

    fn utc(&self) -> NaiveDateTime {
        self.zone.and_then(|zone| self.local.checked_sub_offset(zone)).unwrap_or(self.local)
    }

    /// The order; an aware and a naive moment have none.
    pub(crate) fn compare(&self, other: &Self) -> Res<Ordering> {
        match (self.zone, other.zone) {
            (None, None) => Ok(self.local.cmp(&other.local)),
            (Some(_), Some(_)) => Ok(self.utc().cmp(&other.utc())),
            _ => Err(type_error("can't compare offset-naive and offset-aware datetimes")),
        }
    }

    fn in_zone(utc: NaiveDateTime, zone: FixedOffset) -> Res<Self> {
        let local = utc.checked_add_offset(zone).ok_or_else(out_of_range)?;
        four_digits(local.date())?;
        Ok(Self { local, zone: Some(zone) })
    }
}

fn micros_only(at: NaiveDateTime) -> NaiveDateTime {
    at.with_nanosecond(at.nanosecond() / 1000 * 1000).unwrap_or(at)
}

/// The offset of the local zone at a moment.
fn local_offset(cx: &Cx<'_>, utc: NaiveDateTime) -> FixedOffset {
    cx.host.offset_at(cx.call, DateTime::from_naive_utc_and_offset(utc, Utc))
}

/// `now`, in a zone or naive in the local one.
fn now(cx: &Cx<'_>, zone: Option<Dynamic>) -> Res<Moment> {
    let utc = micros_only(cx.host.now(cx.call).naive_utc());
    match zone.filter(|zone| !zone.is_unit()) {
        None => Ok(Moment { zone: None, ..Moment::in_zone(utc, local_offset(cx, utc))? }),
        Some(zone) => Moment::in_zone(utc, zone_of(&zone)?),
    }
}

fn zone_of(value: &Dynamic) -> Res<FixedOffset> {
    match view(value) {
        Py::Zone(zone) => Ok(zone.0),
        _ => Err(type_error(format!("tzinfo argument must be None or of a tzinfo subclass, not type '{}'", type_name(value)))),
    }
}

fn moment(value: Moment) -> Dynamic {
    wrap(Py::Moment(value))
}

fn date(value: NaiveDate) -> Dynamic {
    wrap(Py::Date(Date(value)))
}

/// UTC, as a zone.
pub(crate) fn utc_zone() -> Option<Dynamic> {
    FixedOffset::east_opt(0).map(|zone| wrap(Py::Zone(Zone(zone))))
}

/// A function of the module. `None`: there is none of that name.
pub(crate) fn function(cx: &Cx<'_>, path: &str, args: &mut Args) -> Option<Res> {
    Some(match path {
        "datetime.datetime.now" => {
            let zone = args.optional(0, "tz");
            now(cx, zone).map(moment)
        }
        "datetime.datetime.today" => now(cx, None).map(moment),
        "datetime.datetime.utcnow" => now(cx, utc_zone()).map(|now| moment(Moment { zone: None, ..now })),
        "django.utils.timezone.now" => now(cx, utc_zone()).map(moment),
        "django.utils.timezone.localtime" | "django.utils.timezone.localdate" => {
            // The server's Django runs in UTC.
            now(cx, utc_zone()).map(|now| if path.ends_with("date") { date(now.local.date()) } else { moment(now) })
        }
        "datetime.date.today" => now(cx, None).map(|now| date(now.local.date())),
        "time.time" => Ok(seconds(cx.host.now(cx.call).timestamp_micros()).into()),
        "datetime.datetime" => build(args).map(moment),
        "datetime.date" => build_date(args).map(date),
        "datetime.time" => build_time(args, 0).map(|time| wrap(Py::Time(Time(time)))),
        "datetime.timedelta" => build_delta(args).map(|delta| wrap(Py::Delta(delta))),
        "datetime.timezone" => match args.required(0, "offset").map(|offset| view(&offset)) {
            Ok(Py::Delta(delta)) => i32::try_from(delta.0 / 1_000_000)
                .ok()
                .and_then(FixedOffset::east_opt)
                .map(|zone| wrap(Py::Zone(Zone(zone))))
                .ok_or_else(|| {
                    value_error("offset must be a timedelta strictly between -timedelta(hours=24) and timedelta(hours=24)")
                }),
            Ok(_) => Err(type_error("timezone() argument 1 must be datetime.timedelta")),
            Err(error) => Err(error),
        },
        "datetime.datetime.fromtimestamp" | "datetime.datetime.utcfromtimestamp" => from_timestamp(cx, path, args).map(moment),
        "datetime.datetime.fromisoformat" => text_argument(args).and_then(|text| parse_iso(&text)).map(moment),
        "datetime.date.fromisoformat" => text_argument(args).and_then(|text| parse_date(&text)).map(date),
        "datetime.datetime.combine" => combine(args).map(moment),
        _ => return None,
    })
}

#[expect(clippy::cast_precision_loss, reason = "as Python does")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

fn text_argument(args: &mut Args) -> Res<String> {
    match view(&args.required(0, "date_string")?) {
        Py::Str(text) => Ok(text.to_string()),
        _ => Err(type_error("fromisoformat: argument must be str")),
    }
}

fn part(args: &mut Args, at: usize, name: &str, range: std::ops::RangeInclusive<i64>, default: Option<i64>) -> Res<u32> {
    let value = args
        .integer(at, name)?
        .or(default)
        .ok_or_else(|| type_error(format!("function missing required argument '{name}' (pos {})", at + 1)))?;
    if !range.contains(&value) {
        return Err(value_error(match name {
            "year" => format!("year {value} is out of range"),
            "hour" | "minute" | "second" | "microsecond" | "month" => {
                format!("{name} must be in {}..{}", range.start(), range.end())
            }
            _ => "day is out of range for month".to_owned(),
        }));
    }
    u32::try_from(value).map_err(|_| out_of_range())
}

fn build_date(args: &mut Args) -> Res<NaiveDate> {
    let year = part(args, 0, "year", 1..=9999, None)?;
    let month = part(args, 1, "month", 1..=12, None)?;
    let day = part(args, 2, "day", 1..=31, None)?;
    NaiveDate::from_ymd_opt(i32::try_from(year).unwrap_or(0), month, day)
        .ok_or_else(|| value_error("day is out of range for month"))
}

fn build_time(args: &mut Args, at: usize) -> Res<NaiveTime> {
    let hour = part(args, at, "hour", 0..=23, Some(0))?;
    let minute = part(args, at + 1, "minute", 0..=59, Some(0))?;
    let second = part(args, at + 2, "second", 0..=59, Some(0))?;
    let micro = part(args, at + 3, "microsecond", 0..=999_999, Some(0))?;
    NaiveTime::from_hms_micro_opt(hour, minute, second, micro).ok_or_else(out_of_range)
}

fn build(args: &mut Args) -> Res<Moment> {
    let date = build_date(args)?;
    let time = build_time(args, 3)?;
    let zone = args.optional(7, "tzinfo").filter(|zone| !zone.is_unit()).map(|zone| zone_of(&zone)).transpose()?;
    Ok(Moment { local: date.and_time(time), zone })
}

fn combine(args: &mut Args) -> Res<Moment> {
    let (date, time) = (args.required(0, "date")?, args.required(1, "time")?);
    let zone = args.optional(2, "tzinfo").map(|zone| zone_of(&zone)).transpose()?;
    match (view(&date), view(&time)) {
        (Py::Date(date), Py::Time(time)) => Ok(Moment { local: date.0.and_time(time.0), zone }),
        (Py::Moment(date), Py::Time(time)) => Ok(Moment { local: date.local.date().and_time(time.0), zone }),
        _ => Err(type_error("combine() argument 1 must be datetime.date")),
    }
}

fn build_delta(args: &mut Args) -> Res<Delta> {
    const UNITS: [(&str, i64); 7] = [
        ("days", DAY),
        ("seconds", 1_000_000),
        ("microseconds", 1),
        ("milliseconds", 1000),
        ("minutes", 60_000_000),
        ("hours", 3_600_000_000),
        ("weeks", 7 * DAY),
    ];
    let mut micros: i128 = 0;
    for (at, (name, unit)) in UNITS.iter().enumerate() {
        let Some(value) = args.optional(at, name) else { continue };
        micros += match Number::of(&value) {
            Some(Number::Int(value)) => i128::from(value) * i128::from(*unit),
            Some(Number::Float(value)) => {
                // Python splits and rounds; a fraction that microseconds hold exactly needs neither.
                #[expect(clippy::cast_precision_loss, reason = "units are small")]
                let exact = value * *unit as f64;
                match super::numbers::integral(exact) {
                    Some(exact) => i128::from(exact),
                    None => return Err(unsupported("a span with a fraction of a microsecond")),
                }
            }
            None => return Err(type_error(format!("unsupported type for timedelta {name} component: {}", type_name(&value)))),
        };
    }
    Delta::from_micros(micros)
}

fn from_timestamp(cx: &Cx<'_>, path: &str, args: &mut Args) -> Res<Moment> {
    let value = args.required(0, "timestamp")?;
    let zone = args.optional(1, "tz").filter(|zone| !zone.is_unit());
    let micros = match Number::of(&value) {
        Some(Number::Int(value)) => value.checked_mul(1_000_000),
        Some(Number::Float(value)) => super::numbers::integral((value * 1e6).round_ties_even()),
        None => return Err(type_error("an integer or a float is required")),
    };
    let utc = micros.and_then(DateTime::from_timestamp_micros).ok_or_else(|| value_error("year is out of range"))?.naive_utc();
    match zone {
        Some(zone) => Moment::in_zone(utc, zone_of(&zone)?),
        None if path.ends_with("utcfromtimestamp") => Ok(Moment { local: utc, zone: None }),
        None => Ok(Moment { zone: None, ..Moment::in_zone(utc, local_offset(cx, utc))? }),
    }
}

fn parse_date(content: &str) -> Res<NaiveDate> {
    let fail = || value_error(format!("Invalid isoformat string: {}", super::show::repr_text(content)));
    if content.len() != 10 || !content.is_ascii() {
        return Err(if content.is_ascii() && content.contains('W') || content.len() == 8 {
            unsupported("this form of a date")
        } else {
            fail()
        });
    }
    NaiveDate::parse_from_str(content, "%Y-%m-%d").ok().filter(|date| date.to_string() == content).ok_or_else(fail)
}

fn parse_iso(content: &str) -> Res<Moment> {
    let fail = || value_error(format!("Invalid isoformat string: {}", super::show::repr_text(content)));
    if !content.is_ascii() {
        return Err(fail());
    }
    let (day, rest) = content.split_at(content.len().min(10));
    let date = parse_date(day).map_err(|error| if super::errors::error_text(&error).is_some() { fail() } else { error })?;
    if rest.is_empty() {
        return Ok(Moment { local: date.and_time(NaiveTime::MIN), zone: None });
    }
    let (_, rest) = rest.split_at(1);
    let at = rest.find(['+', '-', 'Z']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(at);
    let time = ["%H:%M:%S%.f", "%H:%M"]
        .iter()
        .find_map(|form| NaiveTime::parse_from_str(clock, form).ok())
        .ok_or_else(|| unsupported("this form of a time"))?;
    let zone = match zone {
        "" => None,
        "Z" => FixedOffset::east_opt(0),
        zone => Some(zone.parse::<FixedOffset>().map_err(|_| unsupported("this form of a zone"))?),
    };
    Ok(Moment { local: micros_only(date.and_time(time)), zone })
}

/// An attribute of a value of this module.
pub(crate) fn attribute(value: &Dynamic, name: &str) -> Option<Dynamic> {
    let number = |value: u32| Some(Dynamic::from_int(i64::from(value)));
    let of_date = |date: NaiveDate| match name {
        "year" => Some(Dynamic::from_int(i64::from(date.year()))),
        "month" => number(date.month()),
        "day" => number(date.day()),
        _ => None,
    };
    let of_time = |time: NaiveTime| match name {
        "hour" => number(time.hour()),
        "minute" => number(time.minute()),
        "second" => number(time.second()),
        "microsecond" => number(time.nanosecond() / 1000),
        _ => None,
    };
    match view(value) {
        Py::Moment(moment) if name == "tzinfo" => Some(moment.zone.map_or(Dynamic::UNIT, |zone| wrap(Py::Zone(Zone(zone))))),
        Py::Moment(moment) => of_date(moment.local.date()).or_else(|| of_time(moment.local.time())),
        Py::Date(date) => of_date(date.0),
        Py::Time(time) if name == "tzinfo" => Some(Dynamic::UNIT).filter(|_| time.0 >= NaiveTime::MIN),
        Py::Time(time) => of_time(time.0),
        Py::Delta(delta) => {
            let (days, seconds, micros) = delta.parts();
            match name {
                "days" => Some(days.into()),
                "seconds" => Some(seconds.into()),
                "microseconds" => Some(micros.into()),
                _ => None,
            }
        }
        _ => None,
    }
}

/// A method of a value of this module.
pub(crate) fn method(cx: &Cx<'_>, value: &Dynamic, name: &str, args: &mut Args) -> Res<Option<Dynamic>> {
    let of_date = |date: NaiveDate| match name {
        "weekday" => Some(Dynamic::from_int(i64::from(date.weekday().num_days_from_monday()))),
        "isoweekday" => Some(Dynamic::from_int(i64::from(date.weekday().number_from_monday()))),
        "toordinal" => Some(Dynamic::from_int(i64::from(date.num_days_from_ce()))),
        "isocalendar" => Some(tuple(vec![
            Dynamic::from_int(i64::from(date.iso_week().year())),
            Dynamic::from_int(i64::from(date.iso_week().week())),
            Dynamic::from_int(i64::from(date.weekday().number_from_monday())),
        ])),
        _ => None,
    };
    if name == "strftime" {
        let form = args.required(0, "format")?;
        return strftime(value, &form.to_string()).map(|shown| Some(text(shown)));
    }
    Ok(match view(value) {
        Py::Moment(it) => match name {
            "date" => Some(date(it.local.date())),
            "time" => Some(wrap(Py::Time(Time(it.local.time())))),
            "isoformat" => Some(text(it.iso())),
            "timestamp" => {
                let utc = match it.zone {
                    Some(_) => it.utc(),
                    None => {
                        let guess = it.local.checked_sub_offset(local_offset(cx, it.local)).ok_or_else(out_of_range)?;
                        it.local.checked_sub_offset(local_offset(cx, guess)).ok_or_else(out_of_range)?
                    }
                };
                Some(seconds(utc.and_utc().timestamp_micros()).into())
            }
            "astimezone" => {
                let utc = match it.zone {
                    Some(_) => it.utc(),
                    None => return Err(unsupported("`astimezone` of a moment without a zone")),
                };
                let zone = args.optional(0, "tz").filter(|zone| !zone.is_unit()).map(|zone| zone_of(&zone)).transpose()?;
                Some(moment(Moment::in_zone(utc, zone.unwrap_or_else(|| local_offset(cx, utc)))?))
            }
            "replace" => Some(moment(replaced(&it, args)?)),
            "utcoffset" => {
                Some(it.zone.map_or(Dynamic::UNIT, |zone| wrap(Py::Delta(Delta(i64::from(zone.local_minus_utc()) * 1_000_000)))))
            }
            _ => of_date(it.local.date()),
        },
        Py::Date(it) => match name {
            "isoformat" => Some(text(it.0.to_string())),
            "replace" => {
                let whole = Moment { local: it.0.and_time(NaiveTime::MIN), zone: None };
                Some(date(replaced(&whole, args)?.local.date()))
            }
            _ => of_date(it.0),
        },
        Py::Time(it) if name == "isoformat" => Some(text(it.iso())),
        Py::Delta(it) if name == "total_seconds" => Some(seconds(it.0).into()),
        _ => None,
    })
}

fn replaced(it: &Moment, args: &mut Args) -> Res<Moment> {
    let (day, time) = (it.local.date(), it.local.time());
    let year = part(args, 0, "year", 1..=9999, Some(i64::from(day.year())))?;
    let month = part(args, 1, "month", 1..=12, Some(i64::from(day.month())))?;
    let dom = part(args, 2, "day", 1..=31, Some(i64::from(day.day())))?;
    let hour = part(args, 3, "hour", 0..=23, Some(i64::from(time.hour())))?;
    let minute = part(args, 4, "minute", 0..=59, Some(i64::from(time.minute())))?;
    let second = part(args, 5, "second", 0..=59, Some(i64::from(time.second())))?;
    let micro = part(args, 6, "microsecond", 0..=999_999, Some(i64::from(time.nanosecond() / 1000)))?;
    let zone = match args.optional(7, "tzinfo") {
        None => it.zone,
        Some(zone) if zone.is_unit() => None,
        Some(zone) => Some(zone_of(&zone)?),
    };
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).unwrap_or(0), month, dom)
        .ok_or_else(|| value_error("day is out of range for month"))?;
    let time = NaiveTime::from_hms_micro_opt(hour, minute, second, micro).ok_or_else(out_of_range)?;
    Ok(Moment { local: date.and_time(time), zone })
}

/// `value.strftime(form)`, in the C locale.
pub(crate) fn strftime(value: &Dynamic, form: &str) -> Res<String> {
    let (local, zone) = match view(value) {
        Py::Moment(it) => (it.local, it.zone),
        Py::Date(it) => (it.0.and_time(NaiveTime::MIN), None),
        Py::Time(it) => (NaiveDate::from_ymd_opt(1900, 1, 1).unwrap_or_default().and_time(it.0), None),
        _ => return Err(unsupported("this form")),
    };
    let mut out = String::new();
    let mut chars = form.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('Y') => out.push_str(&local.year().to_string()),
            Some('f') => out.push_str(&format!("{:06}", local.nanosecond() / 1000)),
            Some('z') => out.push_str(&zone.map(|zone| offset(zone).replace(':', "")).unwrap_or_default()),
            Some('Z') => out.push_str(&zone.map(|zone| Zone(zone).name()).unwrap_or_default()),
            Some('%') => out.push('%'),
            Some(
                code @ ('m' | 'd' | 'H' | 'M' | 'S' | 'A' | 'a' | 'B' | 'b' | 'j' | 'y' | 'I' | 'p' | 'w' | 'u' | 'V' | 'G' | 'U'
                | 'W'),
            ) => {
                out.push_str(&local.format(&format!("%{code}")).to_string());
            }
            _ => return Err(unsupported("this code of `strftime`")),
        }
    }
    Ok(out)
}

/// Sums and differences.
pub(crate) fn operate(operator: &str, left: &Dynamic, right: &Dynamic) -> Res {
    let delta = |micros: i128| Delta::from_micros(micros).map(|delta| wrap(Py::Delta(delta)));
    let shift = |it: &Moment, micros: i64| -> Res {
        let local = it.local.checked_add_signed(TimeDelta::microseconds(micros)).ok_or_else(out_of_range)?;
        four_digits(local.date())?;
        Ok(moment(Moment { local, zone: it.zone }))
    };
    let move_date = |it: &Date, days: i64| -> Res {
        let moved = TimeDelta::try_days(days).and_then(|days| it.0.checked_add_signed(days)).ok_or_else(out_of_range)?;
        four_digits(moved).map(date)
    };
    match (operator, view(left), view(right)) {
        ("add", Py::Moment(it), Py::Delta(by)) | ("add", Py::Delta(by), Py::Moment(it)) => shift(&it, by.0),
        ("sub", Py::Moment(it), Py::Delta(by)) => shift(&it, -by.0),
        ("add", Py::Date(it), Py::Delta(by)) | ("add", Py::Delta(by), Py::Date(it)) => move_date(&it, by.parts().0),
        ("sub", Py::Date(it), Py::Delta(by)) => move_date(&it, -by.parts().0),
        ("sub", Py::Date(l), Py::Date(r)) => delta(i128::from((l.0 - r.0).num_days()) * i128::from(DAY)),
        ("sub", Py::Moment(l), Py::Moment(r)) => {
            l.compare(&r).map_err(|_| type_error("can't subtract offset-naive and offset-aware datetimes"))?;
            delta((l.utc() - r.utc()).num_microseconds().map_or(i128::MAX, i128::from))
        }
        ("add", Py::Delta(l), Py::Delta(r)) => delta(i128::from(l.0) + i128::from(r.0)),
        ("sub", Py::Delta(l), Py::Delta(r)) => delta(i128::from(l.0) - i128::from(r.0)),
        ("mul", Py::Delta(l), Py::Int(r)) | ("mul", Py::Int(r), Py::Delta(l)) => delta(i128::from(l.0) * i128::from(r)),
        ("div", Py::Delta(l), Py::Delta(r)) if r.0 != 0 && l.0.unsigned_abs() < 1 << 53 && r.0.unsigned_abs() < 1 << 53 => {
            Ok((Number::Int(l.0).float() / Number::Int(r.0).float()).into())
        }
        ("floordiv", Py::Delta(l), Py::Delta(r)) if r.0 != 0 => Ok(l.0.div_euclid(r.0).into())
            .and_then(|value: Dynamic| if r.0 > 0 { Ok(value) } else { Err(unsupported("the division by a negative span")) }),
        ("div" | "floordiv" | "mod", Py::Delta(_), Py::Delta(_)) => {
            Err(raise("ZeroDivisionError", "integer division or modulo by zero"))
        }
        ("mul" | "div" | "floordiv", Py::Delta(_), _) | ("mul", _, Py::Delta(_))
            if Number::of(left).or(Number::of(right)).is_some() =>
        {
            Err(unsupported("this operator of a span"))
        }
        _ => Err(type_error(format!(
            "unsupported operand type(s) for {operator}: '{}' and '{}'",
            type_name(left),
            type_name(right)
        ))),
    }
}
