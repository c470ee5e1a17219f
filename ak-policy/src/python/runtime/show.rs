//! How values are written: `str`, `repr`, format specifications and `%`.

use rhai::Dynamic;

use super::errors::{Res, raise, type_error, unsupported, value_error};
use super::numbers::Number;
use super::value::{MAX_DEPTH, Py, text, type_name, view};

/// `str(value)`.
pub(crate) fn str(value: &Dynamic) -> Res<String> {
    match view(value) {
        Py::Str(text) => Ok(text.to_string()),
        Py::Error(error) => error.message(),
        Py::Ip(address) => Ok(super::addresses::show(address)),
        Py::Net(network) => Ok(network.to_string()),
        Py::Moment(moment) => Ok(moment.show()),
        Py::Date(date) => Ok(date.0.to_string()),
        Py::Time(time) => Ok(time.iso()),
        Py::Delta(delta) => Ok(delta.show()),
        Py::Zone(zone) => Ok(zone.name()),
        _ => repr(value),
    }
}

/// `repr(value)`.
pub(crate) fn repr(value: &Dynamic) -> Res<String> {
    let mut out = String::new();
    write_repr(value, 0, &mut out)?;
    Ok(out)
}

fn write_repr(value: &Dynamic, depth: usize, out: &mut String) -> Res<()> {
    if depth > MAX_DEPTH {
        return Err(unsupported("a value is nested too deeply"));
    }
    super::limits::bytes(out.len())?;
    let several = |items: Vec<Dynamic>, out: &mut String| -> Res<()> {
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push_str(", ");
            }
            write_repr(item, depth + 1, out)?;
        }
        Ok(())
    };
    match view(value) {
        Py::None => out.push_str("None"),
        Py::Bool(value) => out.push_str(if value { "True" } else { "False" }),
        Py::Int(value) => out.push_str(&value.to_string()),
        Py::Float(value) => out.push_str(&repr_float(value)),
        Py::Str(text) => out.push_str(&repr_text(&text)),
        Py::Bytes(bytes) => out.push_str(&repr_bytes(&bytes)),
        Py::List(items) => {
            out.push('[');
            several(items.lock().clone(), out)?;
            out.push(']');
        }
        Py::Tuple(items) => {
            let items = items.lock().clone();
            let one = items.len() == 1;
            out.push('(');
            several(items, out)?;
            out.push_str(if one { ",)" } else { ")" });
        }
        Py::Set(items) => {
            let items: Vec<Dynamic> = items.lock().values().map(|(key, _)| key.clone()).collect();
            if items.is_empty() {
                out.push_str("set()");
            } else {
                out.push('{');
                several(items, out)?;
                out.push('}');
            }
        }
        Py::Dict(items) => {
            let pairs: Vec<(Dynamic, Dynamic)> = items.lock().values().cloned().collect();
            out.push('{');
            for (at, (key, value)) in pairs.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                write_repr(key, depth + 1, out)?;
                out.push_str(": ");
                write_repr(value, depth + 1, out)?;
            }
            out.push('}');
        }
        Py::Ip(address) => out.push_str(&format!("{}('{}')", type_name(value), super::addresses::show(address))),
        Py::Net(network) => out.push_str(&format!("{}('{network}')", type_name(value))),
        Py::Error(error) => {
            out.push_str(&error.class);
            out.push('(');
            several(error.args.to_vec(), out)?;
            out.push(')');
        }
        _ => return Err(unsupported(format!("the text of an object of type {}", type_name(value)))),
    }
    Ok(())
}

/// The shortest text that reads back as the same float, in Python's form.
pub(crate) fn repr_float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) || value == 0.0 {
        let plain = format!("{value}");
        if plain.contains('.') { plain } else { format!("{plain}.0") }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.abs())
    }
}

/// A text in quotes.
pub(crate) fn repr_text(value: &str) -> String {
    let quote = if value.contains('\'') && !value.contains('"') { '"' } else { '\'' };
    let mut out = String::new();
    out.push(quote);
    for c in value.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if (c as u32) < 0x20 || c == '\x7f' => out.push_str(&format!("\\x{:02x}", c as u32)),
            c if c.is_ascii() || c.is_alphanumeric() => out.push(c),
            // What Python holds for printable follows its own version of Unicode; these it escapes for certain.
            c if c.is_control() || c.is_whitespace() => match c as u32 {
                code @ 0..=0xff => out.push_str(&format!("\\x{code:02x}")),
                code => out.push_str(&format!("\\u{code:04x}")),
            },
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

fn repr_bytes(bytes: &[u8]) -> String {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    let mut out = format!("b{quote}");
    for byte in bytes {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b'\\' => out.push_str("\\\\"),
            byte if char::from(*byte) == quote => out.push_str(&format!("\\{quote}")),
            0x20..=0x7e => out.push(char::from(*byte)),
            byte => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push(quote);
    out
}

/// A parsed format specification.
#[derive(Default)]
struct Spec {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    zero: bool,
    width: usize,
    group: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

fn parse_spec(spec: &str) -> Res<Spec> {
    let fail = || value_error("Invalid format specifier");
    let mut out = Spec::default();
    let mut chars = spec.chars().peekable();
    let mut ahead = spec.chars();
    match (ahead.next(), ahead.next()) {
        (Some(fill), Some(align @ ('<' | '>' | '^' | '='))) => {
            out.fill = Some(fill);
            out.align = Some(align);
            chars.nth(1);
        }
        (Some(align @ ('<' | '>' | '^' | '=')), _) => {
            out.align = Some(align);
            chars.next();
        }
        _ => {}
    }
    out.sign = chars.next_if(|c| matches!(c, '+' | '-' | ' '));
    if chars.peek() == Some(&'z') {
        return Err(unsupported("`z` in a format"));
    }
    out.alternate = chars.next_if_eq(&'#').is_some();
    out.zero = chars.next_if_eq(&'0').is_some();
    let number = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| -> Res<Option<usize>> {
        let mut digits = String::new();
        while let Some(digit) = chars.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        if digits.is_empty() {
            return Ok(None);
        }
        let number = digits.parse().map_err(|_| value_error("Too many decimal digits in format string"))?;
        super::limits::bytes(number)?;
        Ok(Some(number))
    };
    out.width = number(&mut chars)?.unwrap_or(0);
    out.group = chars.next_if(|c| matches!(c, ',' | '_'));
    if chars.next_if_eq(&'.').is_some() {
        out.precision = Some(number(&mut chars)?.ok_or_else(|| value_error("Format specifier missing precision"))?);
    }
    out.kind = chars.next();
    if chars.next().is_some() {
        return Err(fail());
    }
    Ok(out)
}

/// `format(value, spec)`.
pub(crate) fn format(value: &Dynamic, spec: &str) -> Res<String> {
    match view(value) {
        Py::Moment(_) | Py::Date(_) | Py::Time(_) if !spec.is_empty() => return super::moments::strftime(value, spec),
        _ if spec.is_empty() => return str(value),
        _ => {}
    }
    let spec = parse_spec(spec)?;
    match view(value) {
        Py::Str(content) => format_text(&content, &spec),
        Py::Int(number) => format_int(number, &spec),
        Py::Bool(_) if spec.kind == Some('s') => Err(unknown_code(&spec, "bool")),
        Py::Bool(value) => format_int(i64::from(value), &spec),
        Py::Float(number) => format_float(number, &spec),
        _ => Err(type_error(format!("unsupported format string passed to {}.__format__", type_name(value)))),
    }
}

fn unknown_code(spec: &Spec, class: &str) -> Box<rhai::EvalAltResult> {
    value_error(format!("Unknown format code '{}' for object of type '{class}'", spec.kind.unwrap_or(' ')))
}

fn pad(body: &str, spec: &Spec, default: char) -> String {
    let length = body.chars().count();
    let missing = spec.width.saturating_sub(length);
    let fill = spec.fill.unwrap_or(' ').to_string();
    match spec.align.unwrap_or(default) {
        '<' => format!("{body}{}", fill.repeat(missing)),
        '^' => format!("{}{body}{}", fill.repeat(missing / 2), fill.repeat(missing - missing / 2)),
        _ => format!("{}{body}", fill.repeat(missing)),
    }
}

fn format_text(content: &str, spec: &Spec) -> Res<String> {
    if spec.kind.is_some_and(|kind| kind != 's') {
        return Err(unknown_code(spec, "str"));
    }
    if spec.sign.is_some() {
        return Err(value_error("Sign not allowed in string format specifier"));
    }
    if spec.align == Some('=') || spec.alternate || spec.group.is_some() {
        return Err(value_error("this is not allowed in string format specifier"));
    }
    let cut: String = content.chars().take(spec.precision.unwrap_or(usize::MAX)).collect();
    let filled = Spec { fill: spec.fill.or(spec.zero.then_some('0')), align: spec.align, width: spec.width, ..Spec::default() };
    Ok(pad(&cut, &filled, '<'))
}

fn format_int(number: i64, spec: &Spec) -> Res<String> {
    if matches!(spec.kind, Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%')) {
        return format_float(Number::Int(number).float(), spec);
    }
    if spec.precision.is_some() {
        return Err(value_error("Precision not allowed in integer format specifier"));
    }
    let absolute = number.unsigned_abs();
    let (digits, prefix, every) = match spec.kind {
        None | Some('d') => (absolute.to_string(), "", 3),
        Some('x') => (format!("{absolute:x}"), "0x", 4),
        Some('X') => (format!("{absolute:X}"), "0X", 4),
        Some('o') => (format!("{absolute:o}"), "0o", 4),
        Some('b') => (format!("{absolute:b}"), "0b", 4),
        Some('c' | 'n') => return Err(unsupported("this format code")),
        Some(_) => return Err(unknown_code(spec, "int")),
    };
    if spec.group == Some(',') && every == 4 {
        return Err(value_error("Cannot specify ',' with this format code"));
    }
    let prefix = if spec.alternate { prefix } else { "" };
    numeric(number < 0, prefix, &digits, "", every, spec)
}

/// Joins sign, prefix, grouped digits and the rest behind them, and pads.
fn numeric(negative: bool, prefix: &str, digits: &str, rest: &str, every: usize, spec: &Spec) -> Res<String> {
    let sign = match (negative, spec.sign) {
        (true, _) => "-",
        (false, Some('+')) => "+",
        (false, Some(' ')) => " ",
        _ => "",
    };
    let zero_fill = spec.zero && spec.align.is_none() || spec.align == Some('=');
    let head = format!("{sign}{prefix}");
    let mut digits = digits.to_owned();
    if let Some(group) = spec.group {
        if zero_fill && spec.fill.is_none_or(|fill| fill == '0') && spec.width > 0 && spec.zero {
            return Err(unsupported("grouping together with zero padding"));
        }
        let mut grouped = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(every) {
                grouped.push(group);
            }
            grouped.push(digit);
        }
        digits = grouped;
    }
    let body = format!("{digits}{rest}");
    if zero_fill {
        let fill = spec.fill.unwrap_or(if spec.zero { '0' } else { ' ' });
        let missing = spec.width.saturating_sub(head.chars().count() + body.chars().count());
        return Ok(format!("{head}{}{body}", fill.to_string().repeat(missing)));
    }
    let filled = Spec { fill: spec.fill.or(spec.zero.then_some('0')), align: spec.align, width: spec.width, ..Spec::default() };
    Ok(pad(&format!("{head}{body}"), &filled, '>'))
}

fn format_float(number: f64, spec: &Spec) -> Res<String> {
    let negative = number.is_sign_negative() && !number.is_nan();
    let absolute = number.abs();
    if !absolute.is_finite() {
        return Err(unsupported("the format of infinity and NaN"));
    }
    if spec.alternate {
        return Err(unsupported("`#` in the format of a float"));
    }
    let precision = spec.precision.unwrap_or(6);
    let body = match spec.kind {
        Some('f' | 'F') => format!("{absolute:.precision$}"),
        Some('%') => format!("{:.precision$}%", absolute * 100.0),
        Some('e' | 'E') => exponent_form(absolute, precision, spec.kind == Some('E')),
        Some('g' | 'G') => general_form(absolute, precision, spec.kind == Some('G'), false),
        None if spec.precision.is_some() => general_form(absolute, precision, false, true),
        None => repr_float(absolute),
        Some('n') => return Err(unsupported("this format code")),
        Some(_) => return Err(unknown_code(spec, "float")),
    };
    let end = body.find(|c: char| !c.is_ascii_digit()).unwrap_or(body.len());
    let (digits, rest) = body.split_at(end);
    numeric(negative, "", digits, rest, 3, spec)
}

fn exponent_form(value: f64, precision: usize, upper: bool) -> String {
    let text = format!("{value:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}{}{sign}{:02}", if upper { 'E' } else { 'e' }, exponent.abs())
}

fn general_form(value: f64, precision: usize, upper: bool, keep_point: bool) -> String {
    let precision = precision.max(1);
    let exponent: i32 =
        format!("{value:.*e}", precision - 1).split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    let limit = i32::try_from(precision).unwrap_or(i32::MAX) - i32::from(keep_point);
    let trim = |text: String| if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text };
    if value != 0.0 && (exponent < -4 || exponent >= limit) {
        let text = exponent_form(value, precision - 1, upper);
        let at = text.find(['e', 'E']).unwrap_or(text.len());
        let (digits, rest) = text.split_at(at);
        return format!("{}{rest}", trim(digits.to_owned()));
    }
    let decimals = usize::try_from(i32::try_from(precision).unwrap_or(i32::MAX) - 1 - exponent).unwrap_or(0);
    let text = trim(format!("{value:.decimals$}"));
    if keep_point && !text.contains('.') { format!("{text}.0") } else { text }
}

/// `template % arguments`.
pub(crate) fn percent(template: &str, arguments: &Dynamic) -> Res<String> {
    let (values, mapping) = match view(arguments) {
        Py::Tuple(items) => (items.lock().clone(), false),
        Py::Dict(_) => (vec![arguments.clone()], true),
        _ => (vec![arguments.clone()], false),
    };
    let mut values = values.into_iter();
    let mut named = false;
    let mut out = String::new();
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        super::limits::bytes(out.len())?;
        if c != '%' {
            out.push(c);
            continue;
        }
        if chars.next_if_eq(&'%').is_some() {
            out.push('%');
            continue;
        }
        let mut key = None;
        if chars.next_if_eq(&'(').is_some() {
            let mut name = String::new();
            for letter in chars.by_ref() {
                match letter {
                    ')' => break,
                    '(' => return Err(unsupported("brackets in the name of a `%` conversion")),
                    letter => name.push(letter),
                }
            }
            key = Some(name);
        }
        let mut spec = Spec::default();
        while let Some(flag) = chars.next_if(|c| matches!(c, '-' | '+' | ' ' | '0' | '#')) {
            match flag {
                '-' => spec.align = Some('<'),
                '0' => spec.zero = true,
                '#' => return Err(unsupported("`#` in a `%` conversion")),
                sign => spec.sign = if spec.sign == Some('+') { Some('+') } else { Some(sign) },
            }
        }
        let digits = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| -> Res<Option<usize>> {
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            if digits.is_empty() {
                return Ok(None);
            }
            let number = digits.parse().map_err(|_| value_error("width too big"))?;
            super::limits::bytes(number)?;
            Ok(Some(number))
        };
        spec.width = digits(&mut chars)?.unwrap_or(0);
        if chars.next_if_eq(&'.').is_some() {
            spec.precision = Some(digits(&mut chars)?.unwrap_or(0));
        }
        let kind = chars.next().ok_or_else(|| value_error("incomplete format"))?;
        let value = match &key {
            Some(name) if mapping => {
                named = true;
                let Py::Dict(items) = view(arguments) else { return Err(type_error("format requires a mapping")) };
                let found = items.lock().get(&super::value::Key::Str(name.as_str().into())).map(|(_, value)| value.clone());
                found.ok_or_else(|| super::errors::raise_with("KeyError", vec![text(name.as_str())]))?
            }
            Some(_) => return Err(type_error("format requires a mapping")),
            None => values.next().ok_or_else(|| type_error("not enough arguments for format string"))?,
        };
        if spec.align.is_some() {
            spec.zero = false;
        }
        out.push_str(&percent_one(kind, &value, spec)?);
    }
    if !mapping && !named && values.next().is_some() {
        return Err(type_error("not all arguments converted during string formatting"));
    }
    Ok(out)
}

fn percent_one(kind: char, value: &Dynamic, mut spec: Spec) -> Res<String> {
    let right = |mut spec: Spec, body: &str| {
        spec.align = spec.align.or(Some('>'));
        let cut: String = body.chars().take(spec.precision.unwrap_or(usize::MAX)).collect();
        pad(&cut, &spec, '>')
    };
    match kind {
        's' => Ok(right(spec, &str(value)?)),
        'r' => Ok(right(spec, &repr(value)?)),
        'd' | 'i' | 'u' | 'x' | 'X' | 'o' => {
            if spec.precision.take().is_some() {
                return Err(unsupported("a precision in a `%` conversion of an integer"));
            }
            let number = match (Number::of(value), kind) {
                (Some(Number::Int(number)), _) => number,
                (Some(Number::Float(number)), 'd' | 'i' | 'u') => super::numbers::truncated(number)?,
                (Some(_), kind) => return Err(type_error(format!("%{kind} format: an integer is required, not float"))),
                (None, 'd' | 'i' | 'u') => {
                    return Err(type_error(format!("%{kind} format: a real number is required, not {}", type_name(value))));
                }
                (None, kind) => {
                    return Err(type_error(format!("%{kind} format: an integer is required, not {}", type_name(value))));
                }
            };
            spec.kind = Some(if matches!(kind, 'i' | 'u') { 'd' } else { kind });
            format_int(number, &spec)
        }
        'f' | 'F' | 'e' | 'E' | 'g' | 'G' => {
            let number = Number::of(value).ok_or_else(|| type_error(format!("must be real number, not {}", type_name(value))))?;
            spec.kind = Some(kind);
            format_float(number.float(), &spec)
        }
        'a' | 'c' => Err(unsupported(format!("`%{kind}`"))),
        kind => Err(raise("ValueError", format!("unsupported format character '{kind}' (0x{:x})", kind as u32))),
    }
}
