//! Numbers: Python's division, remainder and comparison. What leaves 64 bits is an error, never a wrong number.

use std::cmp::Ordering;

use rhai::Dynamic;

use super::errors::{Res, raise, type_error, unsupported, value_error};
use super::value::{Py, type_name, view};

/// A number of either kind.
#[derive(Clone, Copy)]
pub(crate) enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    pub(crate) fn of(value: &Dynamic) -> Option<Self> {
        match view(value) {
            Py::Bool(value) => Some(Self::Int(i64::from(value))),
            Py::Int(value) => Some(Self::Int(value)),
            Py::Float(value) => Some(Self::Float(value)),
            _ => None,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "as Python does")]
    pub(crate) fn float(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    fn is_zero(self) -> bool {
        match self {
            Self::Int(value) => value == 0,
            Self::Float(value) => value == 0.0,
        }
    }
}

fn overflow() -> Box<rhai::EvalAltResult> {
    unsupported("a number beyond 64 bits")
}

/// The integer that a float is, if it is one.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
pub(crate) fn integral(value: f64) -> Option<i64> {
    let fits = value.fract() == 0.0 && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value);
    fits.then_some(value as i64)
}

/// `int(value)` of a float.
pub(crate) fn truncated(value: f64) -> Res<i64> {
    if value.is_nan() {
        return Err(value_error("cannot convert float NaN to integer"));
    }
    if value.is_infinite() {
        return Err(raise("OverflowError", "cannot convert float infinity to integer"));
    }
    integral(value.trunc()).ok_or_else(overflow)
}

/// Exact, also where a float cannot hold the integer.
pub(crate) fn compare(left: Number, right: Number) -> Option<Ordering> {
    match (left, right) {
        (Number::Int(left), Number::Int(right)) => Some(left.cmp(&right)),
        (Number::Float(left), Number::Float(right)) => left.partial_cmp(&right),
        (Number::Int(left), Number::Float(right)) => compare_mixed(left, right),
        (Number::Float(left), Number::Int(right)) => compare_mixed(right, left).map(Ordering::reverse),
    }
}

fn compare_mixed(left: i64, right: f64) -> Option<Ordering> {
    if right.is_nan() {
        return None;
    }
    match integral(right.trunc()) {
        None => Some(if right > 0.0 { Ordering::Less } else { Ordering::Greater }),
        Some(whole) => Some(left.cmp(&whole).then_with(|| 0.0_f64.partial_cmp(&right.fract()).unwrap_or(Ordering::Equal))),
    }
}

/// A binary operator on two numbers. `None`: one of them is none.
pub(crate) fn arithmetic(operator: &str, left: &Dynamic, right: &Dynamic) -> Option<Res> {
    let (left_number, right_number) = (Number::of(left)?, Number::of(right)?);
    if let (Py::Bool(left), Py::Bool(right)) = (view(left), view(right)) {
        match operator {
            "and" => return Some(Ok((left & right).into())),
            "or" => return Some(Ok((left | right).into())),
            "xor" => return Some(Ok((left ^ right).into())),
            _ => {}
        }
    }
    match (left_number, right_number) {
        (Number::Int(left), Number::Int(right)) => integers(operator, left, right),
        _ => floats(operator, left_number, right_number),
    }
}

fn integers(operator: &str, left: i64, right: i64) -> Option<Res> {
    let zero = |what: &str| raise("ZeroDivisionError", what);
    let whole = |value: Option<i64>| value.map(Dynamic::from).ok_or_else(overflow);
    Some(match operator {
        "add" => whole(left.checked_add(right)),
        "sub" => whole(left.checked_sub(right)),
        "mul" => whole(left.checked_mul(right)),
        "div" if right == 0 => Err(zero("division by zero")),
        "div" => exact_quotient(left, right),
        "floordiv" if right == 0 => Err(zero("integer division or modulo by zero")),
        "floordiv" => whole(floor_division(left, right)),
        "mod" if right == 0 => Err(zero("integer modulo by zero")),
        "mod" => whole(
            left.checked_rem(right)
                .or(Some(0))
                .map(|rest| if rest != 0 && (rest < 0) != (right < 0) { rest + right } else { rest }),
        ),
        "pow" if right < 0 => return floats(operator, Number::Int(left), Number::Int(right)),
        "pow" => whole(u32::try_from(right).ok().and_then(|right| left.checked_pow(right)).or(match left {
            0 | 1 => Some(left),
            -1 => Some(if right % 2 == 0 { 1 } else { -1 }),
            _ => None,
        })),
        "and" => Ok((left & right).into()),
        "or" => Ok((left | right).into()),
        "xor" => Ok((left ^ right).into()),
        "lshift" | "rshift" if right < 0 => Err(value_error("negative shift count")),
        "lshift" => whole(
            u32::try_from(right)
                .ok()
                .filter(|right| *right < 63)
                .and_then(|right| left.checked_mul(1_i64 << right))
                .or((left == 0).then_some(0)),
        ),
        "rshift" => Ok((left >> right.min(63)).into()),
        _ => return None,
    })
}

fn floor_division(left: i64, right: i64) -> Option<i64> {
    let quotient = left.checked_div(right)?;
    Some(if left % right != 0 && (left < 0) != (right < 0) { quotient - 1 } else { quotient })
}

/// True division; integers that a float cannot hold would be rounded twice.
fn exact_quotient(left: i64, right: i64) -> Res {
    const EXACT: u64 = 1 << 53;
    if left.unsigned_abs() > EXACT || right.unsigned_abs() > EXACT {
        return Err(unsupported("the division of numbers beyond 53 bits"));
    }
    Ok((Number::Int(left).float() / Number::Int(right).float()).into())
}

fn floats(operator: &str, left: Number, right: Number) -> Option<Res> {
    let zero = |what: &str| raise("ZeroDivisionError", what);
    let (l, r) = (left.float(), right.float());
    Some(match operator {
        "add" => Ok((l + r).into()),
        "sub" => Ok((l - r).into()),
        "mul" => Ok((l * r).into()),
        "div" if right.is_zero() => Err(zero("float division by zero")),
        "div" => Ok((l / r).into()),
        "floordiv" if right.is_zero() => Err(zero("float floor division by zero")),
        "floordiv" => Ok(divmod(l, r).0.into()),
        "mod" if right.is_zero() => Err(zero("float modulo")),
        "mod" => Ok(divmod(l, r).1.into()),
        "pow" if l == 0.0 && r < 0.0 => Err(zero("0.0 cannot be raised to a negative power")),
        "pow" if l < 0.0 && r.fract() != 0.0 && l.is_finite() && r.is_finite() => Err(unsupported("complex numbers")),
        "pow" => {
            let power = l.powf(r);
            if power.is_infinite() && l.is_finite() && r.is_finite() {
                Err(raise("OverflowError", "(34, 'Numerical result out of range')"))
            } else {
                Ok(power.into())
            }
        }
        _ => return None,
    })
}

/// Quotient and remainder of floats, as CPython finds them.
fn divmod(left: f64, right: f64) -> (f64, f64) {
    let mut rest = left % right;
    let mut quotient = (left - rest) / right;
    if rest == 0.0 {
        rest = 0.0_f64.copysign(right);
    } else if (right < 0.0) != (rest < 0.0) {
        rest += right;
        quotient -= 1.0;
    }
    let floor = if quotient == 0.0 {
        0.0_f64.copysign(left / right)
    } else {
        let floor = quotient.floor();
        if quotient - floor > 0.5 { floor + 1.0 } else { floor }
    };
    (floor, rest)
}

/// `-x`, `+x`, `~x`.
pub(crate) fn unary(operator: &str, value: &Dynamic) -> Res {
    match (operator, Number::of(value)) {
        ("-", Some(Number::Int(value))) => value.checked_neg().map(Dynamic::from).ok_or_else(overflow),
        ("-", Some(Number::Float(value))) => Ok((-value).into()),
        ("+", Some(Number::Int(value))) => Ok(value.into()),
        ("+", Some(Number::Float(value))) => Ok(value.into()),
        ("~", Some(Number::Int(value))) => Ok((!value).into()),
        _ => match (operator, view(value)) {
            ("-", Py::Delta(delta)) => {
                super::moments::Delta::from_micros(-i128::from(delta.micros())).map(|delta| super::value::wrap(Py::Delta(delta)))
            }
            ("+", Py::Delta(_)) => Ok(value.clone()),
            _ => Err(type_error(format!("bad operand type for unary {operator}: '{}'", type_name(value)))),
        },
    }
}

/// `int(text, base)`.
pub(crate) fn parse_int(text: &str, base: u32) -> Res<i64> {
    let fail = || value_error(format!("invalid literal for int() with base {base}: {}", super::show::repr_text(text)));
    let trimmed = text.trim_matches(super::strings::is_space);
    if !trimmed.is_ascii() {
        return Err(unsupported("digits beyond ASCII"));
    }
    let (negative, digits) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let lower = digits.to_ascii_lowercase();
    let prefixed = match base {
        16 => lower.strip_prefix("0x"),
        8 => lower.strip_prefix("0o"),
        2 => lower.strip_prefix("0b"),
        _ => None,
    };
    let body = prefixed.map_or(lower.as_str(), |rest| rest.strip_prefix('_').unwrap_or(rest));
    if body.is_empty() || body.starts_with('_') || body.ends_with('_') || body.contains("__") {
        return Err(fail());
    }
    let clean: String = body.chars().filter(|c| *c != '_').collect();
    if !clean.chars().all(|c| c.is_digit(base)) {
        return Err(fail());
    }
    let sign = if negative { "-" } else { "" };
    i64::from_str_radix(&format!("{sign}{clean}"), base).map_err(|_| overflow())
}

/// `float(text)`.
pub(crate) fn parse_float(text: &str) -> Res<f64> {
    let fail = || value_error(format!("could not convert string to float: {}", super::show::repr_text(text)));
    let trimmed = text.trim_matches(super::strings::is_space);
    if !trimmed.is_ascii() {
        return Err(unsupported("digits beyond ASCII"));
    }
    if trimmed.contains('_') {
        let bytes = trimmed.as_bytes();
        let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
        let fine = bytes.iter().enumerate().all(|(at, byte)| *byte != b'_' || (digit(at.checked_sub(1)) && digit(Some(at + 1))));
        return if fine { parse_float(&trimmed.replace('_', "")) } else { Err(fail()) };
    }
    trimmed.parse().map_err(|_| fail())
}

/// `round(value, digits)`.
pub(crate) fn round(value: Number, digits: Option<i64>) -> Res {
    match (value, digits) {
        (Number::Int(value), None) => Ok(value.into()),
        (Number::Int(value), Some(digits)) if digits >= 0 => Ok(value.into()),
        (Number::Int(_), Some(_)) => Err(unsupported("`round` to tens")),
        (Number::Float(value), None) => truncated(value.round_ties_even()).map(Dynamic::from),
        (Number::Float(value), Some(digits)) if !value.is_finite() || digits > 22 => Ok(value.into()),
        (Number::Float(value), Some(digits)) => match usize::try_from(digits) {
            // The decimal text is rounded exactly, half to even of the true value.
            Ok(digits) => Ok(format!("{value:.digits$}").parse().unwrap_or(value).into()),
            Err(_) => Err(unsupported("`round` to tens")),
        },
    }
}
