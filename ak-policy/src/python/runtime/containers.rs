//! Lists, tuples, dictionaries and sets: items, slices, methods. What came from the surroundings is written back.

use rhai::Dynamic;

use super::arguments::Args;
use super::errors::{Res, raise, raise_with, type_error, unsupported, value_error};
use super::numbers::{self, Number};
use super::strings::integer;
use super::value::{
    Contents, Dict, Key, List, Origin, Py, Shared, Step, adopt, list, plain, put, set, text, tuple, type_name, view, wrap,
};
use super::{Cx, limits};

/// An element of a list, knowing where it comes from.
pub(crate) fn element(items: &List, at: usize) -> Option<Dynamic> {
    let value = items.lock().get(at).cloned()?;
    Some(held(value, || (wrap(Py::List(items.clone())), integer(at))))
}

/// An array or map that is held in a container is adopted when it is taken out.
fn held(value: Dynamic, holder: impl FnOnce() -> (Dynamic, Dynamic)) -> Dynamic {
    if value.is_array() || value.is_map() {
        let (holder, key) = holder();
        adopt(value, Origin::From { holder, step: Step::Item(key) })
    } else {
        value
    }
}

fn value_of(items: &Dict, key: &Key) -> Option<Dynamic> {
    let (name, value) = items.lock().get(key).cloned()?;
    Some(held(value, || (wrap(Py::Dict(items.clone())), name)))
}

/// Whether a container may be changed.
fn writable<T: Contents>(items: &Shared<T>) -> Res<()> {
    match items.origin() {
        Origin::Frozen => Err(unsupported("a change of a copy that cannot be written back")),
        Origin::Own | Origin::From { .. } => Ok(()),
    }
}

/// Brings a change to where the container came from.
fn changed(cx: &Cx<'_>, origin: &Origin, whole: &Dynamic) -> Res<()> {
    let Origin::From { holder, step } = origin else { return Ok(()) };
    let value = plain(whole)?;
    match (view(holder), step) {
        (Py::Foreign(object), Step::Attribute(name)) => super::objects::set_attribute(cx, &object, name, value),
        (Py::Foreign(object), Step::Item(key)) => super::objects::set_index(cx, &object, key, value),
        (Py::Dict(items), Step::Item(key)) => {
            put(&mut items.lock(), key.clone(), value)?;
            changed(cx, items.origin(), holder)
        }
        (Py::List(items), Step::Item(key)) => {
            if let (Ok(at), Some(slot)) =
                (key.as_int(), items.lock().get_mut(usize::try_from(key.as_int().unwrap_or(-1)).unwrap_or(usize::MAX)))
                && at >= 0
            {
                *slot = value;
            }
            changed(cx, items.origin(), holder)
        }
        _ => Err(unsupported("a change of a copy that cannot be written back")),
    }
}

/// Changes a list.
fn edit<R>(cx: &Cx<'_>, items: &List, change: impl FnOnce(&mut Vec<Dynamic>) -> Res<R>) -> Res<R> {
    writable(items)?;
    let result = change(&mut items.lock())?;
    limits::count(items.lock().len())?;
    changed(cx, items.origin(), &wrap(Py::List(items.clone())))?;
    Ok(result)
}

/// Changes a dictionary or set.
fn edit_dict<R>(
    cx: &Cx<'_>,
    items: &Dict,
    change: impl FnOnce(&mut indexmap::IndexMap<Key, (Dynamic, Dynamic)>) -> Res<R>,
) -> Res<R> {
    writable(items)?;
    let result = change(&mut items.lock())?;
    limits::count(items.lock().len())?;
    changed(cx, items.origin(), &wrap(Py::Dict(items.clone())))?;
    Ok(result)
}

/// The position that an index names, counted from the end when negative.
fn position(index: &Dynamic, length: usize, class: &str) -> Res<Option<usize>> {
    let Some(Number::Int(at)) = Number::of(index) else {
        return Err(type_error(format!("{class} indices must be integers or slices, not {}", type_name(index))));
    };
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let at = if at < 0 { at.checked_add(length) } else { Some(at) };
    Ok(at.filter(|at| (0..length).contains(at)).and_then(|at| usize::try_from(at).ok()))
}

fn key_error(key: &Dynamic) -> Box<rhai::EvalAltResult> {
    raise_with("KeyError", vec![key.clone()])
}

/// `holder[key]`.
pub(crate) fn get(cx: &Cx<'_>, holder: &Dynamic, key: &Dynamic) -> Res {
    match view(holder) {
        Py::List(items) | Py::Tuple(items) => {
            let class = type_name(holder);
            let length = items.lock().len();
            let at = position(key, length, &class)?.ok_or_else(|| raise("IndexError", format!("{class} index out of range")))?;
            element(&items, at).ok_or_else(|| raise("IndexError", format!("{class} index out of range")))
        }
        Py::Dict(items) => value_of(&items, &Key::of(key)?).ok_or_else(|| key_error(key)),
        Py::Str(content) => {
            let at = position(key, content.chars().count(), "string")?
                .ok_or_else(|| raise("IndexError", "string index out of range"))?;
            Ok(text(content.chars().nth(at).map(String::from).unwrap_or_default()))
        }
        Py::Bytes(bytes) => {
            let at = position(key, bytes.len(), "byte")?.ok_or_else(|| raise("IndexError", "index out of range"))?;
            Ok(Dynamic::from_int(bytes.get(at).copied().map_or(0, i64::from)))
        }
        Py::Found(found) => found.group(key),
        Py::Foreign(object) => super::objects::index(cx, &object, key),
        Py::Iter(_) | Py::Net(_) => Err(unsupported(format!("the index of a {}", type_name(holder)))),
        _ => Err(type_error(format!("'{}' object is not subscriptable", type_name(holder)))),
    }
}

/// `holder[key] = value`.
pub(crate) fn assign(cx: &Cx<'_>, holder: &Dynamic, key: &Dynamic, value: Dynamic) -> Res<()> {
    match view(holder) {
        Py::List(items) => {
            let length = items.lock().len();
            let at = position(key, length, "list")?.ok_or_else(|| raise("IndexError", "list assignment index out of range"))?;
            items.admits(&value)?;
            edit(cx, &items, |items| {
                if let Some(slot) = items.get_mut(at) {
                    *slot = value;
                }
                Ok(())
            })
        }
        Py::Dict(items) => {
            items.admits(&value)?;
            edit_dict(cx, &items, |items| put(items, key.clone(), value))
        }
        Py::Foreign(object) => super::objects::set_index(cx, &object, key, plain(&value)?),
        _ => Err(type_error(format!("'{}' object does not support item assignment", type_name(holder)))),
    }
}

/// `del holder[key]`.
pub(crate) fn delete(cx: &Cx<'_>, holder: &Dynamic, key: &Dynamic) -> Res<()> {
    match view(holder) {
        Py::List(items) => {
            let length = items.lock().len();
            let at = position(key, length, "list")?.ok_or_else(|| raise("IndexError", "list assignment index out of range"))?;
            edit(cx, &items, |items| {
                drop(items.remove(at));
                Ok(())
            })
        }
        Py::Dict(items) => {
            let found = Key::of(key)?;
            if !items.lock().contains_key(&found) {
                return Err(key_error(key));
            }
            edit_dict(cx, &items, |items| {
                items.shift_remove(&found);
                Ok(())
            })
        }
        Py::Foreign(object) => super::objects::remove(cx, &object, key),
        _ => Err(type_error(format!("'{}' object doesn't support item deletion", type_name(holder)))),
    }
}

/// `holder[lower:upper:step]`.
pub(crate) fn slice(cx: &Cx<'_>, holder: &Dynamic, bounds: [&Dynamic; 3]) -> Res {
    let bound = |value: &Dynamic| match Number::of(value) {
        _ if value.is_unit() => Ok(None),
        Some(Number::Int(value)) => Ok(Some(value)),
        _ => Err(type_error("slice indices must be integers or None or have an __index__ method")),
    };
    let [lower, upper, step] = bounds;
    let (lower, upper, step) = (bound(lower)?, bound(upper)?, bound(step)?.unwrap_or(1));
    if step == 0 {
        return Err(value_error("slice step cannot be zero"));
    }
    let places = |length: usize| {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        let clamp =
            |value: i64, low: i64, high: i64| (if value < 0 { value.saturating_add(length) } else { value }).clamp(low, high);
        let (low, high) = if step > 0 { (0, length) } else { (-1, length - 1) };
        let mut at = lower.map_or(if step > 0 { low } else { high }, |value| clamp(value, low, high));
        let end = upper.map_or(if step > 0 { high } else { low }, |value| clamp(value, low, high));
        let mut places = Vec::new();
        while if step > 0 { at < end } else { at > end } {
            places.extend(usize::try_from(at));
            at = at.saturating_add(step);
        }
        places
    };
    let chosen = |items: &List| {
        let length = items.lock().len();
        places(length).into_iter().filter_map(|at| element(items, at)).collect::<Vec<_>>()
    };
    Ok(match view(holder) {
        Py::List(items) => list(chosen(&items)),
        Py::Tuple(items) => tuple(chosen(&items)),
        Py::Str(content) => {
            let letters: Vec<char> = content.chars().collect();
            text(places(letters.len()).into_iter().filter_map(|at| letters.get(at)).collect::<String>())
        }
        Py::Bytes(bytes) => wrap(Py::Bytes(places(bytes.len()).into_iter().filter_map(|at| bytes.get(at).copied()).collect())),
        Py::Foreign(object) => match super::objects::elements(cx, &object)? {
            Some(items) => list(chosen(&Shared::new(items))),
            None => return Err(type_error(format!("'{}' object is not subscriptable", type_name(holder)))),
        },
        Py::Dict(_) => return Err(type_error("unhashable type: 'slice'")),
        Py::Iter(_) => return Err(unsupported("the slice of a range")),
        _ => return Err(type_error(format!("'{}' object is not subscriptable", type_name(holder)))),
    })
}

/// Appends, as a comprehension does.
pub(crate) fn push(cx: &Cx<'_>, holder: &Dynamic, value: Dynamic) -> Res<()> {
    let Py::List(items) = view(holder) else { return Err(unsupported("this container")) };
    items.admits(&value)?;
    edit(cx, &items, |items| {
        items.push(value);
        Ok(())
    })
}

/// Replaces the content of a list.
pub(crate) fn replace(cx: &Cx<'_>, holder: &Dynamic, values: Vec<Dynamic>) -> Res<()> {
    let Py::List(items) = view(holder) else { return Err(unsupported("this container")) };
    edit(cx, &items, |items| {
        *items = values;
        Ok(())
    })
}

/// A method of a list or tuple.
pub(crate) fn list_method(cx: &Cx<'_>, holder: &Dynamic, items: &List, name: &str, args: &mut Args) -> Res<Option<Dynamic>> {
    let mutable = matches!(view(holder), Py::List(_));
    let find = |value: &Dynamic| -> Res<Option<usize>> {
        let all = items.lock().clone();
        for (at, other) in all.iter().enumerate() {
            if super::compare::eq(cx, other, value)? {
                return Ok(Some(at));
            }
        }
        Ok(None)
    };
    let result = match name {
        "index" => {
            let value = args.required(0, "value")?;
            integer(
                find(&value)?
                    .ok_or_else(|| value_error(format!("{} is not in list", super::show::repr(&value).unwrap_or_default())))?,
            )
        }
        "count" => {
            let value = args.required(0, "value")?;
            let all = items.lock().clone();
            let mut count = 0;
            for other in &all {
                count += usize::from(super::compare::eq(cx, other, &value)?);
            }
            integer(count)
        }
        _ if !mutable => return Ok(None),
        "append" => {
            push(cx, holder, args.required(0, "object")?)?;
            Dynamic::UNIT
        }
        "extend" => {
            let more = super::iterate::collect(cx, &args.required(0, "iterable")?)?;
            more.iter().try_for_each(|value| items.admits(value))?;
            edit(cx, items, |items| {
                items.extend(more);
                Ok(())
            })?;
            Dynamic::UNIT
        }
        "insert" => {
            let at = args.integer(0, "index")?.ok_or_else(|| type_error("insert expected 2 arguments"))?;
            let value = args.required(1, "object")?;
            items.admits(&value)?;
            edit(cx, items, |items| {
                let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                let at = if at < 0 { at.saturating_add(length) } else { at }.clamp(0, length);
                items.insert(usize::try_from(at).unwrap_or(0), value);
                Ok(())
            })?;
            Dynamic::UNIT
        }
        "pop" => {
            let length = items.lock().len();
            if length == 0 {
                return Err(raise("IndexError", "pop from empty list"));
            }
            let index = args.optional(0, "index").unwrap_or_else(|| Dynamic::from_int(-1));
            let at = position(&index, length, "list")?.ok_or_else(|| raise("IndexError", "pop index out of range"))?;
            let value = element(items, at).unwrap_or_default();
            edit(cx, items, |items| {
                drop(items.remove(at));
                Ok(())
            })?;
            value
        }
        "remove" => {
            let value = args.required(0, "value")?;
            let at = find(&value)?.ok_or_else(|| value_error("list.remove(x): x not in list"))?;
            edit(cx, items, |items| {
                drop(items.remove(at));
                Ok(())
            })?;
            Dynamic::UNIT
        }
        "clear" | "reverse" => {
            edit(cx, items, |items| {
                if name == "clear" {
                    items.clear()
                } else {
                    items.reverse()
                }
                Ok(())
            })?;
            Dynamic::UNIT
        }
        "copy" => list(super::iterate::collect(cx, holder)?),
        _ => return Ok(None),
    };
    Ok(Some(result))
}

/// The pairs of the first argument of `dict(…)` and `update(…)`.
pub(crate) fn pairs(cx: &Cx<'_>, value: &Dynamic) -> Res<Vec<(Dynamic, Dynamic)>> {
    if let Py::Dict(items) = view(value) {
        let keys: Vec<(Key, Dynamic)> = items.lock().iter().map(|(key, (name, _))| (key.clone(), name.clone())).collect();
        return Ok(keys.into_iter().filter_map(|(key, name)| Some((name, value_of(&items, &key)?))).collect());
    }
    if let Py::Foreign(object) = view(value) {
        return super::objects::entries(cx, &object);
    }
    let mut out = Vec::new();
    for pair in super::iterate::collect(cx, value)? {
        match <[Dynamic; 2]>::try_from(super::iterate::collect(cx, &pair)?) {
            Ok([key, value]) => out.push((key, value)),
            Err(other) => {
                return Err(value_error(format!(
                    "dictionary update sequence element #{} has length {}; 2 is required",
                    out.len(),
                    other.len()
                )));
            }
        }
    }
    Ok(out)
}

/// A method of a dictionary.
pub(crate) fn dict_method(cx: &Cx<'_>, holder: &Dynamic, items: &Dict, name: &str, args: &mut Args) -> Res<Option<Dynamic>> {
    let all = || pairs(cx, holder);
    let result = match name {
        "get" => {
            let key = args.required(0, "key")?;
            let default = args.optional(1, "default").unwrap_or_default();
            value_of(items, &Key::of(&key)?).unwrap_or(default)
        }
        "keys" => list(all()?.into_iter().map(|(key, _)| key).collect()),
        "values" => list(all()?.into_iter().map(|(_, value)| value).collect()),
        "items" => list(all()?.into_iter().map(|(key, value)| tuple(vec![key, value])).collect()),
        "copy" => super::value::dict(all()?)?,
        "pop" => {
            let key = args.required(0, "key")?;
            let default = args.optional(1, "default");
            let found = Key::of(&key)?;
            match (value_of(items, &found), default) {
                (Some(value), _) => {
                    edit_dict(cx, items, |items| {
                        items.shift_remove(&found);
                        Ok(())
                    })?;
                    value
                }
                (None, Some(default)) => default,
                (None, None) => return Err(key_error(&key)),
            }
        }
        "setdefault" => {
            let key = args.required(0, "key")?;
            let default = args.optional(1, "default").unwrap_or_default();
            let found = Key::of(&key)?;
            if !items.lock().contains_key(&found) {
                items.admits(&default)?;
                edit_dict(cx, items, |items| put(items, key, default.clone()))?;
                // What the container holds and what is given are the same object.
                return Ok(Some(default));
            }
            value_of(items, &found).unwrap_or_default()
        }
        "update" => {
            let mut more = match args.optional(0, "other") {
                Some(other) => pairs(cx, &other)?,
                None => Vec::new(),
            };
            more.extend(args.pairs().into_iter().map(|(key, value)| (text(key), value)));
            more.iter().try_for_each(|(_, value)| items.admits(value))?;
            edit_dict(cx, items, |items| more.into_iter().try_for_each(|(key, value)| put(items, key, value)))?;
            Dynamic::UNIT
        }
        "clear" => {
            edit_dict(cx, items, |items| {
                items.clear();
                Ok(())
            })?;
            Dynamic::UNIT
        }
        "popitem" => {
            let last = all()?.pop().ok_or_else(|| raise("KeyError", "popitem(): dictionary is empty"))?;
            edit_dict(cx, items, |items| {
                items.pop();
                Ok(())
            })?;
            tuple(vec![last.0, last.1])
        }
        _ => return Ok(None),
    };
    Ok(Some(result))
}

/// A method of a set.
pub(crate) fn set_method(cx: &Cx<'_>, items: &Dict, name: &str, args: &mut Args) -> Res<Option<Dynamic>> {
    let own = || items.lock().values().map(|(key, _)| key.clone()).collect::<Vec<_>>();
    let result = match name {
        "add" => {
            let value = args.required(0, "elem")?;
            let key = Key::of(&value)?;
            edit_dict(cx, items, |items| {
                items.entry(key).or_insert((value, Dynamic::UNIT));
                Ok(())
            })?;
            Dynamic::UNIT
        }
        "discard" | "remove" => {
            let value = args.required(0, "elem")?;
            let key = Key::of(&value)?;
            let removed = edit_dict(cx, items, |items| Ok(items.shift_remove(&key).is_some()))?;
            if !removed && name == "remove" {
                return Err(key_error(&value));
            }
            Dynamic::UNIT
        }
        "clear" => {
            edit_dict(cx, items, |items| {
                items.clear();
                Ok(())
            })?;
            Dynamic::UNIT
        }
        "copy" => set(own())?,
        "update" => {
            for other in args.rest() {
                let more = super::iterate::collect(cx, &other)?;
                edit_dict(cx, items, |items| {
                    for value in more {
                        items.entry(Key::of(&value)?).or_insert((value, Dynamic::UNIT));
                    }
                    Ok(())
                })?;
            }
            Dynamic::UNIT
        }
        "union" | "intersection" | "difference" | "issubset" | "issuperset" | "isdisjoint" | "symmetric_difference" => {
            let mut current = wrap(Py::Set(items.clone()));
            let others = args.rest();
            if name.starts_with("is") {
                let [other] = others.as_slice() else { return Err(type_error(format!("{name}() takes exactly one argument"))) };
                let other = set(super::iterate::collect(cx, other)?)?;
                return relation(name, &current, &other).map(|value| Some(value.into()));
            }
            for other in &others {
                let other = set(super::iterate::collect(cx, other)?)?;
                current = combine(name, &current, &other)?;
            }
            if others.is_empty() { set(own())? } else { current }
        }
        _ => return Ok(None),
    };
    Ok(Some(result))
}

fn relation(name: &str, left: &Dynamic, right: &Dynamic) -> Res<bool> {
    let (Py::Set(left), Py::Set(right)) = (view(left), view(right)) else { return Err(unsupported("this set")) };
    let (left, right): (Vec<Key>, Vec<Key>) = (left.lock().keys().cloned().collect(), right.lock().keys().cloned().collect());
    let within = |few: &[Key], many: &[Key]| {
        let many: std::collections::HashSet<&Key> = many.iter().collect();
        few.iter().filter(|key| many.contains(key)).count()
    };
    Ok(match name {
        "issubset" => within(&left, &right) == left.len(),
        "issuperset" => within(&right, &left) == right.len(),
        _ => within(&left, &right) == 0,
    })
}

/// The operators of sets.
pub(crate) fn combine(name: &str, left: &Dynamic, right: &Dynamic) -> Res {
    let (Py::Set(left), Py::Set(right)) = (view(left), view(right)) else { return Err(unsupported("this set")) };
    let left = left.lock().clone();
    let right = right.lock().clone();
    let mut out = indexmap::IndexMap::new();
    match name {
        "union" => {
            out.extend(left);
            right.into_iter().for_each(|(key, value)| {
                out.entry(key).or_insert(value);
            });
        }
        "intersection" => out.extend(left.into_iter().filter(|(key, _)| right.contains_key(key))),
        "difference" => out.extend(left.into_iter().filter(|(key, _)| !right.contains_key(key))),
        _ => {
            out.extend(left.clone().into_iter().filter(|(key, _)| !right.contains_key(key)));
            out.extend(right.into_iter().filter(|(key, _)| !left.contains_key(key)));
        }
    }
    Ok(wrap(Py::Set(Shared::new(out))))
}

/// A binary operator that is not one on numbers.
pub(crate) fn operate(cx: &Cx<'_>, operator: &str, left: &Dynamic, right: &Dynamic) -> Res {
    if let Some(result) = numbers::arithmetic(operator, left, right) {
        return result;
    }
    let repeat = |length: usize, times: i64| -> Res<usize> {
        let times = usize::try_from(times).unwrap_or(0);
        let total = length.saturating_mul(times);
        limits::bytes(total)?;
        limits::count(total / 16)?;
        Ok(times)
    };
    let times = |value: &Dynamic| match Number::of(value) {
        Some(Number::Int(times)) => Some(times),
        _ => None,
    };
    match (operator, view(left), view(right)) {
        ("add", Py::Str(left), Py::Str(right)) => {
            limits::bytes(left.len() + right.len())?;
            Ok(text(format!("{left}{right}")))
        }
        ("add", Py::Bytes(left), Py::Bytes(right)) => Ok(wrap(Py::Bytes(left.iter().chain(right.iter()).copied().collect()))),
        ("add", Py::List(_), Py::List(_)) | ("add", Py::Tuple(_), Py::Tuple(_)) => {
            let mut items = super::iterate::collect(cx, left)?;
            items.extend(super::iterate::collect(cx, right)?);
            limits::count(items.len())?;
            Ok(if matches!(view(left), Py::Tuple(_)) { tuple(items) } else { list(items) })
        }
        ("mul", Py::Str(content), _) if times(right).is_some() => {
            Ok(text(content.repeat(repeat(content.len(), times(right).unwrap_or(0))?)))
        }
        ("mul", _, Py::Str(content)) if times(left).is_some() => {
            Ok(text(content.repeat(repeat(content.len(), times(left).unwrap_or(0))?)))
        }
        ("mul", Py::List(items) | Py::Tuple(items), _) if times(right).is_some() => {
            let items = items.lock().clone();
            let count = repeat(items.len(), times(right).unwrap_or(0))?;
            let repeated: Vec<Dynamic> = items.iter().cycle().take(items.len() * count).cloned().collect();
            limits::count(repeated.len())?;
            Ok(if matches!(view(left), Py::Tuple(_)) { tuple(repeated) } else { list(repeated) })
        }
        ("mod", Py::Str(template), _) => super::show::percent(&template, right).map(text),
        ("or", Py::Set(_), Py::Set(_)) => combine("union", left, right),
        ("and", Py::Set(_), Py::Set(_)) => combine("intersection", left, right),
        ("sub", Py::Set(_), Py::Set(_)) => combine("difference", left, right),
        ("xor", Py::Set(_), Py::Set(_)) => combine("symmetric_difference", left, right),
        ("or", Py::Dict(_), Py::Dict(_)) => {
            let mut all = pairs(cx, left)?;
            all.extend(pairs(cx, right)?);
            super::value::dict(all)
        }
        (_, Py::Moment(_) | Py::Date(_) | Py::Delta(_), _) | (_, _, Py::Moment(_) | Py::Date(_) | Py::Delta(_)) => {
            super::moments::operate(operator, left, right)
        }
        (_, Py::Ip(_), _) => Err(unsupported("arithmetic with addresses")),
        (_, Py::Foreign(_), _) | (_, _, Py::Foreign(_)) => {
            Err(unsupported(format!("an operator between objects of type {} and {}", type_name(left), type_name(right))))
        }
        ("add", Py::Str(_), _) => Err(type_error(format!("can only concatenate str (not \"{}\") to str", type_name(right)))),
        _ => Err(type_error(format!(
            "unsupported operand type(s) for {operator}: '{}' and '{}'",
            type_name(left),
            type_name(right)
        ))),
    }
}

/// `left op= right`: lists, dictionaries and sets are changed in place.
pub(crate) fn inplace(cx: &Cx<'_>, operator: &str, left: &Dynamic, right: &Dynamic) -> Res {
    let with = |name: &str| {
        let mut args = Args::new(name, vec![right.clone()], Vec::new());
        match (view(left), operator) {
            (Py::List(items), _) => list_method(cx, left, &items, name, &mut args),
            (Py::Dict(items), _) => dict_method(cx, left, &items, name, &mut args),
            (Py::Set(items), _) => set_method(cx, &items, name, &mut args),
            _ => Ok(None),
        }
    };
    match (operator, view(left), view(right)) {
        ("add", Py::List(_), _) => with("extend")?,
        ("or", Py::Dict(_), _) => with("update")?,
        ("or", Py::Set(_), Py::Set(_)) => with("update")?,
        ("mul", Py::List(_), _) | (_, Py::Set(_), Py::Set(_)) => return Err(unsupported("this operator in place")),
        _ => return operate(cx, operator, left, right),
    };
    Ok(left.clone())
}
