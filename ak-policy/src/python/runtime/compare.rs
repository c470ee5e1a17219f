//! Equality, order and membership.

use std::cmp::Ordering;

use rhai::Dynamic;

use super::Cx;
use super::errors::{Res, type_error, unsupported};
use super::numbers::{self, Number};
use super::value::{Key, MAX_DEPTH, Py, type_name, view};

/// `left == right`.
pub(crate) fn eq(cx: &Cx<'_>, left: &Dynamic, right: &Dynamic) -> Res<bool> {
    eq_at(cx, left, right, 0)
}

fn eq_at(cx: &Cx<'_>, left: &Dynamic, right: &Dynamic, depth: usize) -> Res<bool> {
    if depth > MAX_DEPTH {
        return Err(unsupported("values are nested too deeply"));
    }
    if let (Some(left), Some(right)) = (Number::of(left), Number::of(right)) {
        return Ok(numbers::compare(left, right) == Some(Ordering::Equal));
    }
    Ok(match (view(left), view(right)) {
        (Py::None, Py::None) => true,
        (Py::Str(left), Py::Str(right)) => left == right,
        (Py::Bytes(left), Py::Bytes(right)) => left == right,
        (Py::List(l), Py::List(r)) | (Py::Tuple(l), Py::Tuple(r)) => {
            if l.same(&r) {
                return Ok(true);
            }
            let (l, r) = (l.lock().clone(), r.lock().clone());
            l.len() == r.len() && all(l.iter().zip(&r), |(l, r)| eq_at(cx, l, r, depth + 1))?
        }
        (Py::Dict(l), Py::Dict(r)) => {
            if l.same(&r) {
                return Ok(true);
            }
            let (l, r) = (l.lock().clone(), r.lock().clone());
            l.len() == r.len()
                && all(l.iter(), |(key, (_, value))| match r.get(key) {
                    Some((_, other)) => eq_at(cx, value, other, depth + 1),
                    None => Ok(false),
                })?
        }
        (Py::Set(l), Py::Set(r)) => {
            if l.same(&r) {
                return Ok(true);
            }
            let keys: Vec<Key> = l.lock().keys().cloned().collect();
            let r = r.lock();
            keys.len() == r.len() && keys.iter().all(|key| r.contains_key(key))
        }
        (Py::Moment(l), Py::Moment(r)) => l.compare(&r).is_ok_and(|order| order == Ordering::Equal),
        (Py::Date(l), Py::Date(r)) => l.0 == r.0,
        (Py::Time(l), Py::Time(r)) => l.0 == r.0,
        (Py::Delta(l), Py::Delta(r)) => l.micros() == r.micros(),
        (Py::Zone(l), Py::Zone(r)) => l.0 == r.0,
        (Py::Ip(l), Py::Ip(r)) => l == r,
        (Py::Net(l), Py::Net(r)) => l == r,
        (Py::Iter(l), Py::Iter(r)) => match (&l, &r) {
            (super::iterate::Iter::State(_), super::iterate::Iter::State(_)) => l.address() == r.address(),
            (super::iterate::Iter::Range { .. }, super::iterate::Iter::Range { .. }) => {
                return Err(unsupported("the comparison of ranges"));
            }
            _ => false,
        },
        (Py::Foreign(l), Py::Foreign(r)) => super::objects::same(cx, &l, &r)?,
        (Py::Foreign(l), Py::List(_)) | (Py::List(_), Py::Foreign(l)) => {
            return Err(unsupported(format!("the comparison of a list with an object of type {}", l.type_name())));
        }
        (Py::Unbound, _) | (_, Py::Unbound) => return Err(unsupported("a variable without a value")),
        (Py::Pattern(_), Py::Pattern(_))
        | (Py::Found(_), Py::Found(_))
        | (Py::Error(_), Py::Error(_))
        | (Py::Digest(_), Py::Digest(_)) => {
            return Err(unsupported("the comparison of such objects"));
        }
        _ => false,
    })
}

fn all<T>(items: impl Iterator<Item = T>, mut test: impl FnMut(T) -> Res<bool>) -> Res<bool> {
    for item in items {
        if !test(item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `left is right`: the same object. Numbers and texts have no identity that a program could rely on.
pub(crate) fn is(left: &Dynamic, right: &Dynamic) -> Res<bool> {
    Ok(match (view(left), view(right)) {
        (Py::None, Py::None) => true,
        (Py::None, _) | (_, Py::None) => false,
        (Py::Bool(left), Py::Bool(right)) => left == right,
        (Py::Bool(_), _) | (_, Py::Bool(_)) => false,
        (Py::List(l), Py::List(r)) => l.same(&r),
        (Py::Dict(l), Py::Dict(r)) | (Py::Set(l), Py::Set(r)) => l.same(&r),
        _ => return Err(unsupported("`is` with anything but `None`, `True`, `False`, lists and dictionaries")),
    })
}

/// The order of two values; `sign` for the message.
pub(crate) fn order(cx: &Cx<'_>, sign: &str, left: &Dynamic, right: &Dynamic) -> Res<Option<Ordering>> {
    order_at(cx, sign, left, right, 0)
}

fn order_at(cx: &Cx<'_>, sign: &str, left: &Dynamic, right: &Dynamic, depth: usize) -> Res<Option<Ordering>> {
    if depth > MAX_DEPTH {
        return Err(unsupported("values are nested too deeply"));
    }
    if let (Some(left), Some(right)) = (Number::of(left), Number::of(right)) {
        return Ok(numbers::compare(left, right));
    }
    let order = match (view(left), view(right)) {
        (Py::Str(left), Py::Str(right)) => left.as_str().cmp(right.as_str()),
        (Py::Bytes(left), Py::Bytes(right)) => left.cmp(&right),
        (Py::List(l), Py::List(r)) | (Py::Tuple(l), Py::Tuple(r)) => {
            let (l, r) = (l.lock().clone(), r.lock().clone());
            for (l, r) in l.iter().zip(&r) {
                if !eq_at(cx, l, r, depth + 1)? {
                    return order_at(cx, sign, l, r, depth + 1);
                }
            }
            l.len().cmp(&r.len())
        }
        (Py::Moment(l), Py::Moment(r)) => l.compare(&r)?,
        (Py::Date(l), Py::Date(r)) => l.0.cmp(&r.0),
        (Py::Time(l), Py::Time(r)) => l.0.cmp(&r.0),
        (Py::Delta(l), Py::Delta(r)) => l.micros().cmp(&r.micros()),
        (Py::Ip(l), Py::Ip(r)) if l.is_ipv4() == r.is_ipv4() => l.cmp(&r),
        (Py::Set(_), Py::Set(_)) => return Err(unsupported("the comparison of sets by `<`; `issubset` is covered")),
        (Py::Foreign(_), _) | (_, Py::Foreign(_)) => return Err(unsupported("the order of objects")),
        _ => {
            return Err(type_error(format!(
                "'{sign}' not supported between instances of '{}' and '{}'",
                type_name(left),
                type_name(right)
            )));
        }
    };
    Ok(Some(order))
}

/// `item in holder`.
pub(crate) fn contains(cx: &Cx<'_>, item: &Dynamic, holder: &Dynamic) -> Res<bool> {
    match view(holder) {
        Py::Str(content) => match view(item) {
            Py::Str(part) => Ok(content.contains(part.as_str())),
            _ => Err(type_error(format!("'in <string>' requires string as left operand, not {}", type_name(item)))),
        },
        Py::Dict(items) | Py::Set(items) => {
            let key = Key::of(item)?;
            Ok(items.lock().contains_key(&key))
        }
        Py::List(items) | Py::Tuple(items) => {
            let items = items.lock().clone();
            for other in &items {
                if eq(cx, other, item)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Py::Net(network) => match view(item) {
            Py::Ip(address) => Ok(network.contains(&address)),
            _ => Err(super::errors::raise("AttributeError", format!("'{}' object has no attribute '_version'", type_name(item)))),
        },
        Py::Iter(super::iterate::Iter::Range { start, stop, step }) => {
            let value = match Number::of(item) {
                Some(Number::Int(value)) => value,
                Some(Number::Float(value)) => match numbers::integral(value) {
                    Some(value) => value,
                    None => return Ok(false),
                },
                None => return Ok(false),
            };
            let within = if step > 0 { (start..stop).contains(&value) } else { value <= start && value > stop };
            Ok(within && (i128::from(value) - i128::from(start)) % i128::from(step) == 0)
        }
        Py::Iter(iter) => {
            while let Some(other) = iter.next()? {
                if eq(cx, &other, item)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Py::Foreign(object) => super::objects::contains(cx, &object, item),
        Py::Bytes(_) => Err(unsupported("`in` with bytes")),
        _ => Err(type_error(format!("argument of type '{}' is not iterable", type_name(holder)))),
    }
}

/// Sorts, keeping the order of equals, by `<` alone as Python does.
pub(crate) fn sort(cx: &Cx<'_>, items: Vec<(Dynamic, Dynamic)>, reverse: bool) -> Res<Vec<Dynamic>> {
    let mut failed = None;
    let mut items = items;
    let mut compare = |left: &Dynamic, right: &Dynamic| match order(cx, "<", left, right) {
        Ok(order) => order.unwrap_or(Ordering::Equal),
        Err(error) => {
            failed.get_or_insert(error);
            Ordering::Equal
        }
    };
    if reverse {
        items.sort_by(|left, right| compare(&right.0, &left.0));
    } else {
        items.sort_by(|left, right| compare(&left.0, &right.0));
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(items.into_iter().map(|(_, item)| item).collect()),
    }
}
