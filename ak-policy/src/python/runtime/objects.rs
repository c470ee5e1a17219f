//! Attributes and methods: of Python's values, and of the objects of the surroundings.

use rhai::{Dynamic, EvalAltResult, ImmutableString, Map};

use super::arguments::Args;
use super::errors::{Res, raise, raise_with, type_error, unsupported};
use super::value::{Origin, Py, Step, adopt, list, plain, text, type_name, view, wrap};
use super::{Cx, containers, queries, strings};

const GET: &str = "get$";
const SET: &str = "set$";
const INDEX_GET: &str = "index$get$";
const INDEX_SET: &str = "index$set$";
/// What objects have whose indexer gives attributes.
const HAS_FIELD: &str = "has_field";

/// Calls a function of the engine on an object. `None`: there is none of that name for these types.
fn native(cx: &Cx<'_>, name: &str, object: &Dynamic, args: &[Dynamic]) -> Res<Option<Dynamic>> {
    let mut all: Vec<Dynamic> = std::iter::once(object.clone()).chain(args.iter().cloned()).collect();
    let mut refs: Vec<&mut Dynamic> = all.iter_mut().collect();
    match cx.call.call_native_fn_raw(name, true, &mut refs) {
        Ok(value) => Ok(Some(value)),
        Err(error) => match *error {
            EvalAltResult::ErrorFunctionNotFound(ref signature, _) if signature.starts_with(&format!("{name} (")) => Ok(None),
            EvalAltResult::ErrorDotExpr(_, _) if name.starts_with(GET) || name.starts_with(SET) => Ok(None),
            EvalAltResult::ErrorIndexingType(..) if name == INDEX_GET || name == INDEX_SET => Ok(None),
            _ => Err(error),
        },
    }
}

fn no_attribute(object: &Dynamic, name: &str) -> Box<EvalAltResult> {
    raise("AttributeError", format!("'{}' object has no attribute '{name}'", type_name(object)))
}

/// `object.name`, or `None` when it has no such attribute.
pub(crate) fn attribute(cx: &Cx<'_>, object: &Dynamic, name: &str) -> Res<Option<Dynamic>> {
    match view(object) {
        Py::Foreign(foreign) => {
            let found = match native(cx, &format!("{GET}{name}"), &foreign, &[])? {
                Some(found) => Some(super::moments::stored(found)),
                None => field(cx, &foreign, name)?,
            };
            if found.is_none() && !cx.host.is_complete(&foreign) {
                return Err(unsupported(format!("the attribute `{name}` of an object of type {}", type_name(object))));
            }
            let origin = Origin::From { holder: foreign, step: Step::Attribute(name.into()) };
            Ok(found.map(|value| adopt(value, origin)))
        }
        Py::Moment(_) | Py::Date(_) | Py::Time(_) | Py::Delta(_) => Ok(super::moments::attribute(object, name)),
        Py::Ip(address) => super::addresses::attribute(address, name),
        Py::Net(network) => super::addresses::network_attribute(network, name),
        Py::Error(error) if name == "args" => Ok(Some(super::value::tuple(error.args.to_vec()))),
        Py::Error(error) if name == "message" && error.class == "ValidationError" => Ok(error.args.first().cloned()),
        Py::Pattern(pattern) if name == "pattern" => Ok(Some(text(pattern.source()))),
        Py::Unbound => Err(unsupported("a variable without a value")),
        _ => Ok(None),
    }
}

/// A field of an object whose attributes are asked for by name.
fn field(cx: &Cx<'_>, object: &Dynamic, name: &str) -> Res<Option<Dynamic>> {
    match native(cx, HAS_FIELD, object, &[text(name)])?.map(|found| found.as_bool()) {
        Some(Ok(true)) => native(cx, INDEX_GET, object, &[text(name)]),
        _ => Ok(None),
    }
}

/// `object.name`.
pub(crate) fn get_attribute(cx: &Cx<'_>, object: &Dynamic, name: &str) -> Res {
    attribute(cx, object, name)?.ok_or_else(|| no_attribute(object, name))
}

/// `object.name = value`, on an object of the surroundings.
pub(crate) fn set_attribute(cx: &Cx<'_>, object: &Dynamic, name: &str, value: Dynamic) -> Res<()> {
    match view(object) {
        Py::Foreign(foreign) => match native(cx, &format!("{SET}{name}"), &foreign, &[value])? {
            Some(_) => Ok(()),
            None => Err(unsupported(format!("setting `{name}` of an object of type {}", type_name(object)))),
        },
        _ => Err(no_attribute(object, name)),
    }
}

/// `object[key]` of an object of the surroundings.
pub(crate) fn index(cx: &Cx<'_>, object: &Dynamic, key: &Dynamic) -> Res {
    let holder = Origin::From { holder: object.clone(), step: Step::Item(key.clone()) };
    if native(cx, "contains", object, std::slice::from_ref(key))?.is_some_and(|found| found.as_bool() == Ok(false)) {
        return Err(raise_with("KeyError", vec![key.clone()]));
    }
    let by_key = native(cx, HAS_FIELD, object, &[text("")])?.is_none();
    if by_key && let Some(value) = native(cx, INDEX_GET, object, std::slice::from_ref(key))? {
        return Ok(adopt(value, holder));
    }
    match elements(cx, object)? {
        Some(items) => containers::get(cx, &list(items), key),
        None => Err(type_error(format!("'{}' object is not subscriptable", type_name(object)))),
    }
}

/// `object[key] = value`.
pub(crate) fn set_index(cx: &Cx<'_>, object: &Dynamic, key: &Dynamic, value: Dynamic) -> Res<()> {
    match native(cx, INDEX_SET, object, &[plain(key)?, value])? {
        Some(_) => Ok(()),
        None => Err(type_error(format!("'{}' object does not support item assignment", type_name(object)))),
    }
}

/// `del object[key]`.
pub(crate) fn remove(cx: &Cx<'_>, object: &Dynamic, key: &Dynamic) -> Res<()> {
    if native(cx, "contains", object, std::slice::from_ref(key))?.is_some_and(|found| found.as_bool() == Ok(false)) {
        return Err(raise_with("KeyError", vec![key.clone()]));
    }
    match native(cx, "remove", object, std::slice::from_ref(key))? {
        Some(_) => Ok(()),
        None => Err(type_error(format!("'{}' object doesn't support item deletion", type_name(object)))),
    }
}

/// What an object of the surroundings gives when it is walked over.
pub(crate) fn elements(cx: &Cx<'_>, object: &Dynamic) -> Res<Option<Vec<Dynamic>>> {
    for name in ["iter", "to_array", "all", "keys"] {
        if let Some(found) = native(cx, name, object, &[])?
            && let Ok(items) = found.into_array()
        {
            return Ok(Some(items));
        }
    }
    Ok(None)
}

/// The keys and values of an object of the surroundings that is like a dictionary.
pub(crate) fn entries(cx: &Cx<'_>, object: &Dynamic) -> Res<Vec<(Dynamic, Dynamic)>> {
    let Some(Ok(keys)) = native(cx, "keys", object, &[])?.map(Dynamic::into_array) else {
        return Err(type_error(format!("'{}' object is not a mapping", object.type_name())));
    };
    keys.into_iter().map(|key| Ok((key.clone(), index(cx, object, &key)?))).collect()
}

/// `item in object`.
pub(crate) fn contains(cx: &Cx<'_>, object: &Dynamic, item: &Dynamic) -> Res<bool> {
    if let Some(Ok(found)) = native(cx, "contains", object, &[plain(item)?])?.map(|found| found.as_bool()) {
        return Ok(found);
    }
    let Some(items) = elements(cx, object)? else {
        return Err(type_error(format!("argument of type '{}' is not iterable", object.type_name())));
    };
    for other in items {
        if super::compare::eq(cx, &other, item)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether two objects are the same: by `==` where the engine has one, by primary key otherwise.
pub(crate) fn same(cx: &Cx<'_>, left: &Dynamic, right: &Dynamic) -> Res<bool> {
    if left.type_id() != right.type_id() {
        return Ok(false);
    }
    if let Some(Ok(same)) = native(cx, "==", left, std::slice::from_ref(right))?.map(|same| same.as_bool()) {
        return Ok(same);
    }
    match (attribute(cx, left, "pk")?, attribute(cx, right, "pk")?) {
        (Some(left), Some(right)) => super::compare::eq(cx, &left, &right),
        _ => Err(unsupported(format!("the comparison of objects of type {}", left.type_name()))),
    }
}

/// `str(value)`, also of an object of the surroundings.
pub(crate) fn str(cx: &Cx<'_>, value: &Dynamic) -> Res<String> {
    match view(value) {
        Py::Foreign(object) => match native(cx, "to_string", &object, &[])? {
            Some(shown) => Ok(shown.to_string()),
            None => Err(unsupported(format!("the text of an object of type {}", type_name(value)))),
        },
        _ => super::show::str(value),
    }
}

/// Python's truth of a value, also where it takes a query.
pub(crate) fn truth(cx: &Cx<'_>, value: &Dynamic) -> Res<bool> {
    match view(value) {
        Py::Foreign(object) => {
            if let Some(Ok(empty)) = native(cx, "is_empty", &object, &[])?.map(|empty| empty.as_bool()) {
                return Ok(!empty);
            }
            Ok(true)
        }
        Py::Unbound => Err(unsupported("a variable without a value")),
        _ => Ok(super::value::truth(value)),
    }
}

/// `object.name(…)`.
pub(crate) fn call(cx: &Cx<'_>, object: &Dynamic, name: &str, mut args: Args) -> Res {
    let found = match view(object) {
        Py::Foreign(foreign) => return call_foreign(cx, &foreign, name, args),
        Py::Str(content) => strings::method(cx, &content, name, &mut args)?,
        Py::Bytes(content) => strings::bytes_method(&content, name, &mut args)?,
        Py::List(items) if queries::is_method(name) && !matches!(name, "count" | "reverse") => {
            let all = super::iterate::collect(cx, object)?;
            if matches!(items.origin(), Origin::Own) && !queries::is_result(&items) {
                None
            } else {
                Some(queries::method(cx, all, name, &mut args)?)
            }
        }
        Py::List(items) if name == "count" && args.at(0).is_none() && !matches!(items.origin(), Origin::Own) => {
            Some(strings::integer(items.lock().len()))
        }
        Py::List(items) | Py::Tuple(items) => containers::list_method(cx, object, &items, name, &mut args)?,
        Py::Dict(items) => containers::dict_method(cx, object, &items, name, &mut args)?,
        Py::Set(items) => containers::set_method(cx, &items, name, &mut args)?,
        Py::Moment(_) | Py::Date(_) | Py::Time(_) | Py::Delta(_) | Py::Zone(_) => {
            super::moments::method(cx, object, name, &mut args)?
        }
        Py::Pattern(pattern) => super::regexes::method(cx, &pattern, name, &mut args)?,
        Py::Found(found) => found.method(cx, name, &mut args)?,
        Py::Digest(digest) => digest.method(name, &mut args)?,
        Py::Ip(_) | Py::Net(_) => super::addresses::method(object, name, &mut args)?,
        Py::Unbound => return Err(unsupported("a variable without a value")),
        _ => None,
    };
    match found {
        Some(value) => {
            args.finish()?;
            Ok(value)
        }
        None => Err(no_attribute(object, name)),
    }
}

/// A method of an object of the surroundings. A dictionary's methods are derived from its indexer where it has none of its own.
fn call_foreign(cx: &Cx<'_>, object: &Dynamic, name: &str, mut args: Args) -> Res {
    let keywords = args.pairs();
    let mut given: Vec<Dynamic> = args.rest().iter().map(plain).collect::<Res<_>>()?;
    if name == "get"
        && keywords.is_empty()
        && let [key] | [key, _] = given.as_slice()
        && let Some(Ok(found)) = native(cx, "contains", object, std::slice::from_ref(key))?.map(|found| found.as_bool())
    {
        return if found { index(cx, object, key) } else { Ok(adopt(given.get(1).cloned().unwrap_or_default(), Origin::Own)) };
    }
    if object.is::<crate::script::Requests>() && given.len() > 1 {
        return Err(unsupported(format!("`requests.{name}` with more than the address by position")));
    }
    if !keywords.is_empty() {
        let map: Map = keywords.iter().map(|(key, value)| Ok((key.as_str().into(), plain(value)?))).collect::<Res<_>>()?;
        given.push(Dynamic::from_map(map));
    }
    // Its rows are tuples unless it is asked otherwise, which is said by a keyword.
    if name != "values_list"
        && let Some(value) = native(cx, name, object, &given)?
    {
        return Ok(queries::adopt_result(value));
    }
    if name == "items" && given.is_empty() {
        let pairs = entries(cx, object)?;
        return Ok(list(pairs.into_iter().map(|(key, value)| super::value::tuple(vec![key, value])).collect()));
    }
    if let (true, Some(items)) = (queries::is_method(name), elements(cx, object)?) {
        let keywords = keywords.into_iter().flat_map(|(key, value)| [text(ImmutableString::from(key)), value]);
        let positional = given.into_iter().filter(|value| !value.is_map()).collect();
        return queries::method(cx, items, name, &mut Args::new(name, positional, keywords.collect()));
    }
    Err(unsupported(format!("the method `{name}` of an object of type {}", type_name(&wrap(Py::Foreign(object.clone()))))))
}
