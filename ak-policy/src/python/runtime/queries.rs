//! Query sets, as far as they select among objects that are at hand.

use rhai::Dynamic;

use super::Cx;
use super::arguments::Args;
use super::errors::{Res, raise, unsupported};
use super::objects::attribute;
use super::value::{List, Origin, Py, Shared, text, tuple, view, wrap};

/// Whether query sets have a method of that name.
pub(crate) fn is_method(name: &str) -> bool {
    matches!(
        name,
        "all"
            | "filter"
            | "exclude"
            | "exists"
            | "count"
            | "first"
            | "last"
            | "values_list"
            | "values"
            | "get"
            | "order_by"
            | "distinct"
            | "only"
            | "none"
            | "iterator"
            | "select_related"
            | "prefetch_related"
    )
}

/// A list that behaves as a query set.
fn result(items: Vec<Dynamic>) -> Dynamic {
    wrap(Py::List(Shared::with_origin(items, Origin::Frozen)))
}

/// Whether a list is the result of a query.
pub(crate) fn is_result(items: &List) -> bool {
    matches!(items.origin(), Origin::Frozen)
}

/// An array that a method gave.
pub(crate) fn adopt_result(value: Dynamic) -> Dynamic {
    super::value::adopt(value, Origin::Frozen)
}

/// A method of a query set over `items`.
pub(crate) fn method(cx: &Cx<'_>, items: Vec<Dynamic>, name: &str, args: &mut Args) -> Res {
    Ok(match name {
        "all" | "distinct" | "only" | "iterator" | "select_related" | "prefetch_related" => {
            args.use_all();
            result(items)
        }
        "none" => result(Vec::new()),
        "exists" => (!items.is_empty()).into(),
        "count" => super::strings::integer(items.len()),
        "first" => items.into_iter().next().unwrap_or_default(),
        "last" => items.into_iter().next_back().unwrap_or_default(),
        "filter" | "exclude" | "get" => {
            let lookups = args.pairs();
            if !args.rest().is_empty() {
                return Err(unsupported("`Q` objects"));
            }
            let mut chosen = Vec::new();
            for item in items {
                let mut fits = true;
                for (lookup, value) in &lookups {
                    fits = fits && holds(cx, &item, lookup, value)?;
                }
                if fits != (name == "exclude") {
                    chosen.push(item);
                }
            }
            if name != "get" {
                return Ok(result(chosen));
            }
            match chosen.as_slice() {
                [one] => one.clone(),
                [] => return Err(raise("ObjectDoesNotExist", "matching query does not exist.")),
                several => {
                    return Err(raise("MultipleObjectsReturned", format!("get() returned more than one: {}", several.len())));
                }
            }
        }
        "values_list" | "values" => {
            let flat = args.keyword("flat").is_some_and(|flat| super::value::truth(&flat));
            let names: Vec<String> = args.rest().iter().map(ToString::to_string).collect();
            if names.is_empty() || (flat && names.len() != 1) {
                return Err(unsupported(format!("`{name}` without the names of fields")));
            }
            let mut rows = Vec::new();
            for item in &items {
                let fields: Vec<Dynamic> =
                    names.iter().map(|field| follow(cx, item, &field.split("__").collect::<Vec<_>>())).collect::<Res<_>>()?;
                rows.push(match (name, flat) {
                    ("values", _) => super::value::dict(names.iter().map(|name| text(name.as_str())).zip(fields))?,
                    (_, true) => fields.into_iter().next().unwrap_or_default(),
                    _ => tuple(fields),
                });
            }
            result(rows)
        }
        "order_by" => {
            let mut sorted = items;
            for field in args.rest().iter().rev().map(ToString::to_string) {
                let (reverse, field) = field.strip_prefix('-').map_or((false, field.as_str()), |field| (true, field));
                let keyed = sorted
                    .into_iter()
                    .map(|item| Ok((follow(cx, &item, &field.split("__").collect::<Vec<_>>())?, item)))
                    .collect::<Res<Vec<_>>>()?;
                sorted = super::compare::sort(cx, keyed, reverse)?;
            }
            result(sorted)
        }
        _ => return Err(unsupported(format!("`{name}` of a query"))),
    })
}

/// The value at the end of a path of attributes.
fn follow(cx: &Cx<'_>, item: &Dynamic, path: &[&str]) -> Res {
    let mut value = item.clone();
    for name in path {
        value = match view(&value) {
            // A field that is a document is asked by its keys.
            Py::Dict(items) => {
                items.lock().get(&super::value::Key::Str((*name).into())).map(|(_, value)| value.clone()).unwrap_or_default()
            }
            Py::None => Dynamic::UNIT,
            _ => attribute(cx, &value, name)?.ok_or_else(|| unsupported(format!("the field `{name}` in a query")))?,
        };
    }
    Ok(value)
}

/// Whether an object fits `name__iexact=value` and its like.
fn holds(cx: &Cx<'_>, item: &Dynamic, lookup: &str, value: &Dynamic) -> Res<bool> {
    let mut path: Vec<&str> = lookup.split("__").collect();
    let kind = match path.last() {
        Some(
            kind @ (&"exact" | &"iexact" | &"in" | &"contains" | &"icontains" | &"startswith" | &"istartswith" | &"endswith"
            | &"iendswith" | &"gt" | &"gte" | &"lt" | &"lte" | &"isnull"),
        ) if path.len() > 1 => *kind,
        Some(&("regex" | "iregex" | "range" | "year" | "month" | "day" | "date")) if path.len() > 1 => {
            return Err(unsupported(format!("the lookup `{lookup}`")));
        }
        _ => "exact",
    };
    if path.len() > 1 && path.last() == Some(&kind) {
        path.pop();
    }
    let found = follow(cx, item, &path)?;
    let texts = || -> Res<(String, String)> {
        let (found, value) = (super::objects::str(cx, &found)?, super::objects::str(cx, value)?);
        Ok(if kind.starts_with('i') { (found.to_lowercase(), value.to_lowercase()) } else { (found, value) })
    };
    if found.is_unit() && !matches!(kind, "isnull" | "exact" | "iexact") {
        return Ok(false);
    }
    Ok(match kind {
        "exact" => equal(cx, &found, value)?,
        "iexact" if found.is_unit() || value.is_unit() => found.is_unit() && value.is_unit(),
        "iexact" => {
            let (found, value) = texts()?;
            found == value
        }
        "in" => {
            let mut within = false;
            for one in super::iterate::collect(cx, value)? {
                within = within || equal(cx, &found, &one)?;
            }
            within
        }
        "contains" | "icontains" => {
            let (found, value) = texts()?;
            found.contains(&value)
        }
        "startswith" | "istartswith" => {
            let (found, value) = texts()?;
            found.starts_with(&value)
        }
        "endswith" | "iendswith" => {
            let (found, value) = texts()?;
            found.ends_with(&value)
        }
        "isnull" => found.is_unit() == super::value::truth(value),
        _ => {
            let order = super::compare::order(cx, "<", &found, value)?;
            match kind {
                "gt" => order.is_some_and(std::cmp::Ordering::is_gt),
                "gte" => order.is_some_and(std::cmp::Ordering::is_ge),
                "lt" => order.is_some_and(std::cmp::Ordering::is_lt),
                _ => order.is_some_and(std::cmp::Ordering::is_le),
            }
        }
    })
}

/// As a database compares: a key that is a text equals its text.
fn equal(cx: &Cx<'_>, found: &Dynamic, value: &Dynamic) -> Res<bool> {
    match (view(found), view(value)) {
        (Py::Foreign(_), Py::Int(_) | Py::Str(_)) => match attribute(cx, found, "pk")? {
            Some(pk) => equal(cx, &pk, value),
            None => Err(unsupported("this lookup")),
        },
        (Py::List(items), _) if !matches!(view(value), Py::List(_)) => {
            // A relation to many: one of them.
            let items = items.lock().clone();
            for item in &items {
                if equal(cx, item, value)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        (Py::Int(found), Py::Str(value)) => Ok(value.parse() == Ok(found)),
        (Py::Str(found), Py::Int(value)) => Ok(found.as_str() == value.to_string()),
        _ => super::compare::eq(cx, found, value),
    }
}
