//! What values mean where people's blueprints rely on Python: truth, equality, text, and `%` formatting.

use serde_json::Value;

/// Whether Python takes the value for true.
pub(super) fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(n) => n.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// Whether Python takes two values for equal: numbers by what they count, booleans as 0 and 1.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(_) | Value::Bool(_), Value::Number(_) | Value::Bool(_)) => match (whole(a), whole(b)) {
            (Some(a), Some(b)) => a == b,
            _ => real(a) == real(b),
        },
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Bool(flag) => Some(i64::from(*flag)),
        _ => value.as_i64(),
    }
}

fn real(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        _ => value.as_f64(),
    }
}

/// What Python's `str` makes of a value.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => repr(other),
    }
}

/// What Python's `repr` makes of a value.
fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(n) => n.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(list) => format!("[{}]", list.iter().map(repr).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entries: Vec<_> = map.iter().map(|(key, value)| format!("{}: {}", quoted(key), repr(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

/// The widest that a conversion may ask for: more is a mistake, or an attack.
const MAX_WIDTH: usize = 1000;
/// A text that grows longer than this is refused.
const MAX_TEXT: usize = 1 << 20;

/// `format % tuple(arguments)`, for the conversions s, r, a, d, i, u, f, F, e, g, x, X, o, c and %.
pub(super) fn format(format: &str, arguments: &[Value]) -> Result<String, String> {
    let mut out = String::new();
    let mut arguments = arguments.iter();
    let mut rest = format.chars().peekable();
    while let Some(c) = rest.next() {
        if out.len() > MAX_TEXT {
            return Err(too_long());
        }
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut spec = Spec::default();
        while let Some(flag) = rest.next_if(|c| "-+ 0#".contains(*c)) {
            spec.flag(flag);
        }
        spec.width = digits(&mut rest)?.unwrap_or(0);
        if rest.next_if_eq(&'.').is_some() {
            spec.precision = Some(digits(&mut rest)?.unwrap_or(0));
        }
        match rest.next() {
            Some('%') => out.push('%'),
            Some('(' | '*') => return Err("`%(name)` and `%*` cannot be used here".into()),
            Some(conversion) => {
                let value = arguments.next().ok_or("the format asks for more values than it is given")?;
                out.push_str(&spec.convert(conversion, value)?);
            }
            None => return Err("the format ends in the middle of a conversion".into()),
        }
    }
    if arguments.next().is_some() {
        return Err("the format takes fewer values than it is given".into());
    }
    if out.len() > MAX_TEXT { Err(too_long()) } else { Ok(out) }
}

fn too_long() -> String {
    format!("the text grows longer than {MAX_TEXT} bytes")
}

fn digits(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Option<usize>, String> {
    let mut number = None;
    while let Some(digit) = rest.next_if(char::is_ascii_digit) {
        let digit = digit.to_digit(10).unwrap_or(0) as usize;
        let next = number.unwrap_or(0usize) * 10 + digit;
        if next > MAX_WIDTH {
            return Err(format!("a width of more than {MAX_WIDTH} is refused"));
        }
        number = Some(next);
    }
    Ok(number)
}

#[derive(Default)]
struct Spec {
    left: bool,
    plus: bool,
    space: bool,
    zero: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

impl Spec {
    fn flag(&mut self, flag: char) {
        match flag {
            '-' => self.left = true,
            '+' => self.plus = true,
            ' ' => self.space = true,
            '0' => self.zero = true,
            _ => self.alternate = true,
        }
    }

    fn convert(&self, conversion: char, value: &Value) -> Result<String, String> {
        let is_text = matches!(conversion, 's' | 'r' | 'a' | 'c');
        let body = match conversion {
            's' | 'r' | 'a' => {
                let whole = if conversion == 's' { text(value) } else { repr(value) };
                self.precision.map_or_else(|| whole.clone(), |n| whole.chars().take(n).collect())
            }
            'c' => match value {
                Value::String(text) if text.chars().count() == 1 => text.clone(),
                other => char::from_u32(u32::try_from(int(other)?).map_err(|_| "%c takes a character")?)
                    .ok_or("%c takes a character")?
                    .to_string(),
            },
            'd' | 'i' | 'u' => self.signed(&self.padded(int(value)?.unsigned_abs().to_string()), int(value)? < 0),
            'x' | 'X' | 'o' => {
                let n = int(value)?;
                let (digits, prefix) = match conversion {
                    'x' => (format!("{:x}", n.unsigned_abs()), "0x"),
                    'X' => (format!("{:X}", n.unsigned_abs()), "0X"),
                    _ => (format!("{:o}", n.unsigned_abs()), "0o"),
                };
                let prefix = if self.alternate { prefix } else { "" };
                self.signed(&format!("{prefix}{}", self.padded(digits)), n < 0)
            }
            'f' | 'F' => {
                let n = real(value).ok_or_else(|| wrong_type(conversion, value))?;
                self.signed(&format!("{:.*}", self.precision.unwrap_or(6), n.abs()), n.is_sign_negative())
            }
            'e' | 'E' | 'g' | 'G' => {
                let n = real(value).ok_or_else(|| wrong_type(conversion, value))?;
                let digits = if matches!(conversion, 'e' | 'E') {
                    scientific(n.abs(), self.precision.unwrap_or(6))
                } else {
                    general(n.abs(), self.precision.unwrap_or(6))
                };
                let digits = if conversion.is_uppercase() { digits.to_uppercase() } else { digits };
                self.signed(&digits, n.is_sign_negative())
            }
            other => return Err(format!("%{other} is not a known conversion")),
        };
        Ok(self.fill(body, !is_text))
    }

    /// A whole number with at least as many digits as the precision asks for.
    fn padded(&self, digits: String) -> String {
        let missing = self.precision.unwrap_or(0).saturating_sub(digits.len());
        format!("{}{digits}", "0".repeat(missing))
    }

    fn signed(&self, digits: &str, negative: bool) -> String {
        let sign = match (negative, self.plus, self.space) {
            (true, ..) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            _ => "",
        };
        format!("{sign}{digits}")
    }

    fn fill(&self, body: String, is_number: bool) -> String {
        let missing = self.width.saturating_sub(body.chars().count());
        if missing == 0 {
            return body;
        }
        if self.left {
            return format!("{body}{}", " ".repeat(missing));
        }
        if self.zero && is_number {
            let sign = body.len() - body.trim_start_matches(['-', '+', ' ']).len();
            let (sign, digits) = body.split_at(sign);
            return format!("{sign}{}{digits}", "0".repeat(missing));
        }
        format!("{}{body}", " ".repeat(missing))
    }
}

fn int(value: &Value) -> Result<i64, String> {
    let cut = |n: f64| (n.is_finite() && n.abs() < 9e18).then_some(n.trunc() as i64);
    whole(value).or_else(|| value.as_f64().and_then(cut)).ok_or_else(|| wrong_type('d', value))
}

fn wrong_type(conversion: char, value: &Value) -> String {
    format!("%{conversion} takes a number, and is given {}", repr(value))
}

/// `1.5e+03`: an exponent has a sign and two digits at the least.
fn scientific(n: f64, precision: usize) -> String {
    let made = format!("{n:.precision$e}");
    match made.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => made,
    }
}

fn general(n: f64, precision: usize) -> String {
    let precision = precision.max(1);
    let exponent = if n == 0.0 { 0 } else { n.log10().floor() as i64 };
    let trimmed =
        |text: String| if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text };
    if exponent < -4 || exponent >= precision as i64 {
        let made = scientific(n, precision - 1);
        return match made.split_once('e') {
            Some((mantissa, exponent)) => format!("{}e{exponent}", trimmed(mantissa.to_owned())),
            None => made,
        };
    }
    let decimals = usize::try_from(precision as i64 - 1 - exponent).unwrap_or(0);
    trimmed(format!("{n:.decimals$}"))
}
