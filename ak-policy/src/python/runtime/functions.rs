//! Calling the functions that are covered ([`super::covered`]), and Python's own ones among them.

use rhai::Dynamic;

use super::arguments::Args;
use super::errors::{Res, type_error, unsupported, value_error};
use super::iterate::{Iter, State, collect, iter};
use super::numbers::{self, Number};
use super::value::{Py, list, set, text, truth, tuple, type_name, view, wrap};
use super::{Cx, addresses, compare, containers, covered, digests, json, moments, objects, regexes, show, strings};

/// Whether a value is of one of these classes.
pub(crate) fn is_instance(value: &Dynamic, classes: &[String]) -> bool {
    let own = type_name(value);
    let is = |class: &str| own == class || matches!((own.as_str(), class), ("bool", "int") | ("datetime", "date"));
    // An object of the surroundings is none of Python's own.
    !matches!(view(value), Py::Foreign(_)) && classes.iter().filter_map(|path| covered::class(path)).any(is)
}

/// Calls a function.
pub(crate) fn call(cx: &Cx<'_>, path: &str, mut args: Args) -> Res {
    let result = builtin(cx, path, &mut args)
        .or_else(|| moments::function(cx, path, &mut args))
        .or_else(|| addresses::function(path, &mut args))
        .or_else(|| regexes::function(cx, path, &mut args))
        .or_else(|| digests::function(path, &mut args))
        .unwrap_or_else(|| Err(unsupported(format!("the function `{path}`"))))?;
    args.finish()?;
    Ok(result)
}

fn builtin(cx: &Cx<'_>, path: &str, args: &mut Args) -> Option<Res> {
    Some(match path {
        "len" => length(cx, args),
        "str" => match args.optional(0, "object") {
            None => Ok(text("")),
            Some(value) => objects::str(cx, &value).map(text),
        },
        "repr" => args.required(0, "obj").and_then(|value| show::repr(&value)).map(text),
        "format" => (|| {
            let value = args.required(0, "value")?;
            let spec = args.optional(1, "format_spec").map_or_else(String::new, |spec| spec.to_string());
            strings::converted(cx, &value, "", &spec).map(text)
        })(),
        "bool" => args.optional(0, "x").map_or(Ok(false), |value| objects::truth(cx, &value)).map(Dynamic::from),
        "int" => integer(args),
        "float" => float(args),
        "bytes" => Err(unsupported("`bytes`")),
        "abs" => args.required(0, "x").and_then(|value| match Number::of(&value) {
            Some(Number::Int(value)) => {
                value.checked_abs().map(Dynamic::from).ok_or_else(|| unsupported("a number beyond 64 bits"))
            }
            Some(Number::Float(value)) => Ok(value.abs().into()),
            None => Err(type_error(format!("bad operand type for abs(): '{}'", type_name(&value)))),
        }),
        "round" => (|| {
            let value = args.required(0, "number")?;
            let digits = args.optional(1, "ndigits").filter(|digits| !digits.is_unit());
            let digits = match digits.as_ref().map(view) {
                None => None,
                Some(Py::Int(digits)) => Some(digits),
                Some(_) => return Err(type_error("'ndigits' cannot be interpreted as an integer")),
            };
            let number = Number::of(&value)
                .ok_or_else(|| type_error(format!("type {} doesn't define __round__ method", type_name(&value))))?;
            numbers::round(number, digits)
        })(),
        "math.floor" | "math.ceil" => args.required(0, "x").and_then(|value| match Number::of(&value) {
            Some(Number::Int(value)) => Ok(value.into()),
            Some(Number::Float(value)) => {
                numbers::truncated(if path.ends_with("floor") { value.floor() } else { value.ceil() }).map(Dynamic::from)
            }
            None => Err(type_error("must be real number")),
        }),
        "divmod" => (|| {
            let (left, right) = (args.required(0, "x")?, args.required(1, "y")?);
            Ok(tuple(vec![containers::operate(cx, "floordiv", &left, &right)?, containers::operate(cx, "mod", &left, &right)?]))
        })(),
        "list" => args.optional(0, "iterable").map_or(Ok(Vec::new()), |value| collect(cx, &value)).map(list),
        "tuple" => args.optional(0, "iterable").map_or(Ok(Vec::new()), |value| collect(cx, &value)).map(tuple),
        "set" | "frozenset" => args.optional(0, "iterable").map_or(Ok(Vec::new()), |value| collect(cx, &value)).and_then(set),
        "dict" => (|| {
            let mut pairs = match args.optional(0, "iterable") {
                Some(value) => containers::pairs(cx, &value)?,
                None => Vec::new(),
            };
            pairs.extend(args.pairs().into_iter().map(|(key, value)| (text(key), value)));
            super::value::dict(pairs)
        })(),
        "dict.fromkeys" => (|| {
            let keys = collect(cx, &args.required(0, "iterable")?)?;
            let value = args.optional(1, "value").unwrap_or_default();
            super::value::dict(keys.into_iter().map(|key| (key, value.clone())))
        })(),
        "any" | "all" => (|| {
            let iter = iter(cx, &args.required(0, "iterable")?)?;
            let any = path == "any";
            while let Some(item) = iter.next()? {
                if objects::truth(cx, &item)? == any {
                    return Ok(any.into());
                }
            }
            Ok((!any).into())
        })(),
        "sum" => sum(cx, args),
        "min" | "max" => extreme(cx, path, args),
        "sorted" => (|| {
            let items = collect(cx, &args.required(0, "iterable")?)?;
            let reverse = args.keyword("reverse").is_some_and(|reverse| truth(&reverse));
            compare::sort(cx, items.into_iter().map(|item| (item.clone(), item)).collect(), reverse).map(list)
        })(),
        "reversed" => args.required(0, "sequence").and_then(|value| match view(&value) {
            Py::List(_) | Py::Tuple(_) | Py::Str(_) | Py::Dict(_) => {
                let mut items = collect(cx, &value)?;
                items.reverse();
                Ok(wrap(Py::Iter(Iter::fixed(items))))
            }
            Py::Iter(Iter::Range { .. }) => {
                let mut items = collect(cx, &value)?;
                items.reverse();
                Ok(wrap(Py::Iter(Iter::fixed(items))))
            }
            _ => Err(type_error(format!("'{}' object is not reversible", type_name(&value)))),
        }),
        "range" => range(args),
        "enumerate" => (|| {
            let inner = iter(cx, &args.required(0, "iterable")?)?;
            let start = args.integer(1, "start")?.unwrap_or(0);
            Ok(wrap(Py::Iter(Iter::new(State::Enumerate(inner, start)))))
        })(),
        "zip" => (|| {
            if args.keyword("strict").is_some_and(|strict| truth(&strict)) {
                return Err(unsupported("`zip` with `strict`"));
            }
            let inner = args.rest().iter().map(|value| iter(cx, value)).collect::<Res<_>>()?;
            Ok(wrap(Py::Iter(Iter::new(State::Zip(inner)))))
        })(),
        "getattr" | "hasattr" => (|| {
            let (object, name) = (args.required(0, "object")?, args.required(1, "name")?);
            let default = args.optional(2, "default");
            let found = objects::attribute(cx, &object, &name.to_string())?;
            if path == "hasattr" {
                return Ok(found.is_some().into());
            }
            match (found, default) {
                (Some(value), _) | (None, Some(value)) => Ok(value),
                (None, None) => objects::get_attribute(cx, &object, &name.to_string()),
            }
        })(),
        // What it prints goes nowhere.
        "print" => {
            args.use_all();
            Ok(Dynamic::UNIT)
        }
        "chr" => args.integer(0, "i").and_then(|code| {
            let letter = code.and_then(|code| u32::try_from(code).ok()).and_then(char::from_u32);
            letter.map(|letter| text(letter.to_string())).ok_or_else(|| value_error("chr() arg not in range(0x110000)"))
        }),
        "ord" => args.required(0, "c").and_then(|value| match view(&value) {
            Py::Str(content) if content.chars().count() == 1 => {
                Ok(Dynamic::from_int(content.chars().next().map_or(0, |c| i64::from(u32::from(c)))))
            }
            _ => Err(type_error("ord() expected a character")),
        }),
        "hex" => args.integer(0, "number").map(|value| {
            let value = value.unwrap_or(0);
            text(format!("{}0x{:x}", if value < 0 { "-" } else { "" }, value.unsigned_abs()))
        }),
        "list_flatten" => args.required(0, "value").map(|value| match view(&value) {
            Py::List(items) => containers::element(&items, 0).unwrap_or_default(),
            _ => value,
        }),
        "slugify" | "django.utils.text.slugify" => args.required(0, "value").and_then(|value| slug(&objects::str(cx, &value)?)),
        "html.escape" | "django.utils.html.escape" => {
            args.required(0, "text").and_then(|value| Ok(text(escaped(&objects::str(cx, &value)?))))
        }
        // No catalogue is loaded: a message is its own translation.
        "django.utils.translation.gettext" | "django.utils.translation.gettext_lazy" => args.required(0, "message"),
        "json.loads" => json::loads(args),
        "json.dumps" => json::dumps(args),
        _ => return None,
    })
}

fn escaped(content: &str) -> String {
    content.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#x27;")
}

/// Django's slug: ASCII letters, digits, `_` and single hyphens.
fn slug(content: &str) -> Res {
    if !content.is_ascii() {
        return Err(unsupported("a slug of a text beyond ASCII"));
    }
    let kept: String = content
        .to_ascii_lowercase()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-') || strings::is_space(*c))
        .collect();
    let mut out = String::new();
    for c in kept.chars() {
        let c = if strings::is_space(c) { '-' } else { c };
        if c != '-' || !out.ends_with('-') {
            out.push(c);
        }
    }
    Ok(text(out.trim_matches(['-', '_'])))
}

fn length(cx: &Cx<'_>, args: &mut Args) -> Res {
    let value = args.required(0, "obj")?;
    Ok(match view(&value) {
        Py::Str(content) => strings::integer(content.chars().count()),
        Py::Bytes(bytes) => strings::integer(bytes.len()),
        Py::List(items) | Py::Tuple(items) => strings::integer(items.lock().len()),
        Py::Dict(items) | Py::Set(items) => strings::integer(items.lock().len()),
        Py::Iter(range @ Iter::Range { .. }) => range.len().into(),
        Py::Foreign(object) => match objects::elements(cx, &object)? {
            Some(items) => strings::integer(items.len()),
            None => return Err(type_error(format!("object of type '{}' has no len()", type_name(&value)))),
        },
        _ => return Err(type_error(format!("object of type '{}' has no len()", type_name(&value)))),
    })
}

fn integer(args: &mut Args) -> Res {
    let Some(value) = args.optional(0, "x") else { return Ok(Dynamic::from_int(0)) };
    let base = args.integer(1, "base")?;
    Ok(match (view(&value), base) {
        (Py::Str(content), base) => {
            let base = base.unwrap_or(10);
            match u32::try_from(base) {
                Ok(base @ (2 | 8 | 10 | 16)) => numbers::parse_int(&content, base)?.into(),
                _ => return Err(unsupported("this base")),
            }
        }
        (_, Some(_)) => return Err(type_error("int() can't convert non-string with explicit base")),
        (Py::Int(value), None) => value.into(),
        (Py::Bool(value), None) => i64::from(value).into(),
        (Py::Float(value), None) => numbers::truncated(value)?.into(),
        (Py::Ip(address), None) => match addresses::number(address)? {
            Number::Int(value) => value.into(),
            Number::Float(value) => value.into(),
        },
        (Py::Bytes(_), None) => return Err(unsupported("`int` of bytes")),
        _ => {
            return Err(type_error(format!(
                "int() argument must be a string, a bytes-like object or a real number, not '{}'",
                type_name(&value)
            )));
        }
    })
}

fn float(args: &mut Args) -> Res {
    let Some(value) = args.optional(0, "x") else { return Ok(0.0_f64.into()) };
    match (view(&value), Number::of(&value)) {
        (_, Some(number)) => Ok(number.float().into()),
        (Py::Str(content), _) => numbers::parse_float(&content).map(Dynamic::from),
        _ => Err(type_error(format!("float() argument must be a string or a real number, not '{}'", type_name(&value)))),
    }
}

fn sum(cx: &Cx<'_>, args: &mut Args) -> Res {
    let items = collect(cx, &args.required(0, "iterable")?)?;
    let mut total = args.optional(1, "start").unwrap_or_else(|| Dynamic::from_int(0));
    if matches!(view(&total), Py::Str(_)) {
        return Err(type_error("sum() can't sum strings [use ''.join(seq) instead]"));
    }
    if items.iter().filter(|item| matches!(view(item), Py::Float(_))).count() > 2 {
        // Versions of Python round such sums differently.
        return Err(unsupported("the sum of more than two floats"));
    }
    for item in &items {
        total = containers::operate(cx, "add", &total, item)?;
    }
    Ok(total)
}

fn extreme(cx: &Cx<'_>, path: &str, args: &mut Args) -> Res {
    let mut given = args.rest();
    let default = args.keyword("default");
    let items = if given.len() == 1 { collect(cx, &given.remove(0))? } else { given };
    best(cx, path, items.iter().map(|item| (item.clone(), item.clone())).collect(), default)
}

fn best(cx: &Cx<'_>, path: &str, items: Vec<(Dynamic, Dynamic)>, default: Option<Dynamic>) -> Res {
    let sign = if path == "max" { ">" } else { "<" };
    let wanted = if path == "max" { std::cmp::Ordering::Greater } else { std::cmp::Ordering::Less };
    let mut items = items.into_iter();
    let Some(mut best) = items.next() else {
        return default.ok_or_else(|| value_error(format!("{path}() arg is an empty sequence")));
    };
    for item in items {
        if compare::order(cx, sign, &item.0, &best.0)? == Some(wanted) {
            best = item;
        }
    }
    Ok(best.1)
}

/// `sorted`, `min` and `max` by keys that have been found.
pub(crate) fn by_key(cx: &Cx<'_>, path: &str, values: &Dynamic, keys: &Dynamic, keywords: Vec<Dynamic>) -> Res {
    let pairs: Vec<(Dynamic, Dynamic)> = collect(cx, keys)?.into_iter().zip(collect(cx, values)?).collect();
    let mut args = Args::new(path, Vec::new(), keywords);
    let result = if path == "sorted" {
        let reverse = args.keyword("reverse").is_some_and(|reverse| truth(&reverse));
        list(compare::sort(cx, pairs, reverse)?)
    } else {
        let default = args.keyword("default");
        best(cx, path, pairs, default)?
    };
    args.finish()?;
    Ok(result)
}

fn range(args: &mut Args) -> Res {
    let first = args.integer(0, "start")?.ok_or_else(|| type_error("range expected at least 1 argument, got 0"))?;
    let (start, stop) = match args.integer(1, "stop")? {
        Some(stop) => (first, stop),
        None => (0, first),
    };
    let step = args.integer(2, "step")?.unwrap_or(1);
    if step == 0 {
        return Err(value_error("range() arg 3 must not be zero"));
    }
    Ok(wrap(Py::Iter(Iter::Range { start, stop, step })))
}
