//! What translated scripts call.

mod addresses;
mod arguments;
mod compare;
mod containers;
mod covered;
mod digests;
mod errors;
mod functions;
mod iterate;
mod json;
mod limits;
mod moments;
mod numbers;
mod objects;
mod queries;
mod regexes;
mod show;
mod strings;
mod value;

use std::any::TypeId;
use std::cmp::Ordering;
use std::sync::Arc;

use chrono::{DateTime, FixedOffset, Utc};
use rhai::{Array, Dynamic, Engine, ImmutableString, NativeCallContext};

use arguments::Args;
use errors::{Res, raise, type_error, unsupported};
use iterate::Walk;
use value::{Origin, Py, view, wrap};

pub(super) use covered::{constant, function, importable, is_attribute, is_class, is_method, model, offered};
pub(super) use errors::error_class;
pub use errors::error_text;
pub(crate) use value::kept;

/// What translated scripts need of the program around them.
pub trait Host: Send + Sync + 'static {
    /// The present moment, for the script that calls.
    fn now(&self, call: &NativeCallContext<'_>) -> DateTime<Utc>;

    /// The offset of the local time zone (`TZ`) at a moment, for the script that calls.
    fn offset_at(&self, call: &NativeCallContext<'_>, moment: DateTime<Utc>) -> FixedOffset;

    /// Whether an object of the surroundings has all attributes that it has where the expression comes from. One that is missing is
    /// Python's `AttributeError` then, and not covered otherwise.
    fn is_complete(&self, _object: &Dynamic) -> bool {
        true
    }
}

/// What a support function works with.
struct Cx<'a> {
    call: &'a NativeCallContext<'a>,
    host: &'a dyn Host,
}

/// What the session for requests can be asked to do.
pub(super) const REQUESTS: &[&str] = &["get", "head", "options", "post", "put", "patch", "delete"];

/// Python's truth of a script's result: empty texts, arrays and maps, zero and nothing are false.
#[must_use]
pub fn truth(value: &Dynamic) -> bool {
    value::truth(value)
}

/// The elements of an array that the translation has written.
fn elements(array: Array) -> Vec<Dynamic> {
    array
}

/// Registers a support function that needs the context.
macro_rules! support {
    ($engine:ident, $host:ident, $name:literal, |$cx:ident $(, $arg:ident: $kind:ty)*| $body:expr) => {{
        let host = $host.clone();
        $engine.register_fn($name, move |call: NativeCallContext<'_> $(, $arg: $kind)*| -> Res<_> {
            let $cx = &Cx { call: &call, host: host.as_ref() };
            let _ = $cx;
            $body
        });
    }};
}

/// Registers everything that translated scripts call on an engine.
pub fn register(engine: &mut Engine, host: Arc<dyn Host>) {
    engine.register_type_with_name::<Py>("Python value");
    values(engine, &host);
    operators(engine, &host);
    access(engine, &host);
    control(engine, &host);
    engine.register_iterator_result::<Walk, _>();
    debug_assert!(TypeId::of::<Walk>() != TypeId::of::<Py>());
}

fn values(engine: &mut Engine, host: &Arc<dyn Host>) {
    engine.register_fn("py_unbound", || wrap(Py::Unbound));
    support!(engine, host, "py_bound", |_cx, value: Dynamic, name: ImmutableString| match view(&value) {
        Py::Unbound => Err(errors::unbound(&name)),
        _ => Ok(value),
    });
    engine.register_fn("py_in", |value: Dynamic| value::adopt(value, Origin::Frozen));
    engine.register_fn("py_out", |value: Dynamic| -> Res { value::plain(&value) });
    engine.register_fn("py_list", |items: Array| value::list(elements(items)));
    engine.register_fn("py_tuple", |items: Array| value::tuple(elements(items)));
    engine.register_fn("py_set", |items: Array| -> Res { value::set(elements(items)) });
    engine.register_fn("py_dict", |items: Array| -> Res {
        let mut items = items.into_iter();
        let mut pairs = Vec::new();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            pairs.push((key, value));
        }
        value::dict(pairs)
    });
    support!(engine, host, "py_dict_spread", |cx, items: Array| {
        let mut items = items.into_iter();
        let mut pairs = Vec::new();
        while let (Some(spread), Some(key), Some(value)) = (items.next(), items.next(), items.next()) {
            if spread.as_bool() == Ok(true) {
                pairs.extend(containers::pairs(cx, &key)?);
            } else {
                pairs.push((key, value));
            }
        }
        value::dict(pairs)
    });
    support!(engine, host, "py_spread", |cx, items: Array| {
        let mut items = items.into_iter();
        let mut out = Array::new();
        while let (Some(spread), Some(value)) = (items.next(), items.next()) {
            if spread.as_bool() == Ok(true) {
                out.extend(iterate::collect(cx, &value)?);
            } else {
                out.push(value);
            }
        }
        Ok(out)
    });
    support!(engine, host, "py_values", |cx, value: Dynamic| iterate::collect(cx, &value));
    engine.register_fn("py_bytes", |digits: ImmutableString| -> Res {
        let bytes = hex::decode(digits.as_str()).map_err(|_| unsupported("these bytes"))?;
        Ok(wrap(Py::Bytes(bytes.into())))
    });
    engine.register_fn("py_float", |digits: ImmutableString| -> Res { numbers::parse_float(&digits).map(Dynamic::from) });
    engine
        .register_fn("py_const", |path: ImmutableString| -> Res { constant(&path).ok_or_else(|| unsupported(path.to_string())) });
    engine.register_fn("py_concat", |parts: Array| -> Res {
        let mut out = String::new();
        for part in &parts {
            out.push_str(&show::str(part)?);
            limits::bytes(out.len())?;
        }
        Ok(value::text(out))
    });
    support!(engine, host, "py_format", |cx, value: Dynamic, conversion: ImmutableString, spec: ImmutableString| {
        strings::converted(cx, &value, &conversion, &spec).map(value::text)
    });
    engine.register_fn("py_class_name", |value: Dynamic| value::text(value::type_name(&value)));
    engine.register_fn("py_isinstance", |value: Dynamic, classes: Array| {
        let classes: Vec<String> = classes.iter().map(ToString::to_string).collect();
        functions::is_instance(&value, &classes)
    });
    engine.register_fn("py_instance", |value: Dynamic, class: ImmutableString| -> Res {
        if value::type_name(&value) == class.as_str() {
            return Ok(value);
        }
        Err(type_error(format!("descriptor requires a '{class}' object but received '{}'", value::type_name(&value))))
    });
}

fn operators(engine: &mut Engine, host: &Arc<dyn Host>) {
    for operator in ["add", "sub", "mul", "div", "floordiv", "mod", "pow", "and", "or", "xor", "lshift", "rshift"] {
        let host = host.clone();
        engine.register_fn(format!("py_{operator}"), move |call: NativeCallContext<'_>, left: Dynamic, right: Dynamic| -> Res {
            containers::operate(&Cx { call: &call, host: host.as_ref() }, operator, &left, &right)
        });
    }
    support!(engine, host, "py_inplace", |cx, operator: ImmutableString, left: Dynamic, right: Dynamic| {
        containers::inplace(cx, &operator, &left, &right)
    });
    engine.register_fn("py_neg", |value: Dynamic| -> Res { numbers::unary("-", &value) });
    engine.register_fn("py_pos", |value: Dynamic| -> Res { numbers::unary("+", &value) });
    engine.register_fn("py_invert", |value: Dynamic| -> Res { numbers::unary("~", &value) });
    support!(engine, host, "py_truth", |cx, value: Dynamic| objects::truth(cx, &value));
    support!(engine, host, "py_eq", |cx, left: Dynamic, right: Dynamic| compare::eq(cx, &left, &right));
    support!(engine, host, "py_is", |_cx, left: Dynamic, right: Dynamic| compare::is(&left, &right));
    support!(engine, host, "py_contained", |cx, item: Dynamic, holder: Dynamic| compare::contains(cx, &item, &holder));
    for (name, sign, fits) in [
        ("py_lt", "<", Ordering::is_lt as fn(Ordering) -> bool),
        ("py_le", "<=", Ordering::is_le),
        ("py_gt", ">", Ordering::is_gt),
        ("py_ge", ">=", Ordering::is_ge),
    ] {
        let host = host.clone();
        engine.register_fn(name, move |call: NativeCallContext<'_>, left: Dynamic, right: Dynamic| -> Res<bool> {
            let cx = Cx { call: &call, host: host.as_ref() };
            Ok(compare::order(&cx, sign, &left, &right)?.is_some_and(fits))
        });
    }
}

fn access(engine: &mut Engine, host: &Arc<dyn Host>) {
    support!(engine, host, "py_getattr", |cx, object: Dynamic, name: ImmutableString| objects::get_attribute(cx, &object, &name));
    support!(engine, host, "py_setattr", |cx, object: Dynamic, name: ImmutableString, value: Dynamic| {
        objects::set_attribute(cx, &object, &name, value::plain(&value)?)
    });
    support!(engine, host, "py_getitem", |cx, holder: Dynamic, key: Dynamic| containers::get(cx, &holder, &key));
    support!(engine, host, "py_setitem", |cx, holder: Dynamic, key: Dynamic, value: Dynamic| containers::assign(
        cx, &holder, &key, value
    ));
    support!(engine, host, "py_delitem", |cx, holder: Dynamic, key: Dynamic| containers::delete(cx, &holder, &key));
    support!(engine, host, "py_slice", |cx, holder: Dynamic, lower: Dynamic, upper: Dynamic, step: Dynamic| {
        containers::slice(cx, &holder, [&lower, &upper, &step])
    });
    support!(engine, host, "py_push", |cx, holder: Dynamic, value: Dynamic| containers::push(cx, &holder, value));
    support!(engine, host, "py_replace", |cx, holder: Dynamic, values: Dynamic| {
        let values = iterate::collect(cx, &values)?;
        containers::replace(cx, &holder, values)
    });
    support!(engine, host, "py_call", |cx, object: Dynamic, name: ImmutableString, args: Array| {
        objects::call(cx, &object, &name, Args::new(&name, elements(args), Vec::new()))
    });
    support!(engine, host, "py_call", |cx, object: Dynamic, name: ImmutableString, args: Array, keywords: Array| {
        objects::call(cx, &object, &name, Args::new(&name, elements(args), elements(keywords)))
    });
    support!(engine, host, "py_fn", |cx, path: ImmutableString, args: Array| {
        functions::call(cx, &path, Args::new(&path, elements(args), Vec::new()))
    });
    support!(engine, host, "py_fn", |cx, path: ImmutableString, args: Array, keywords: Array| {
        functions::call(cx, &path, Args::new(&path, elements(args), elements(keywords)))
    });
    support!(engine, host, "py_by_key", |cx, path: ImmutableString, values: Dynamic, keys: Dynamic, keywords: Array| {
        functions::by_key(cx, &path, &values, &keys, elements(keywords))
    });
}

fn control(engine: &mut Engine, host: &Arc<dyn Host>) {
    support!(engine, host, "py_iter", |cx, value: Dynamic| iterate::iter(cx, &value).map(Walk));
    support!(engine, host, "py_unpack", |cx, value: Dynamic, count: i64| {
        iterate::unpack(cx, &value, usize::try_from(count).unwrap_or(0), None)
    });
    support!(engine, host, "py_unpack_star", |cx, value: Dynamic, before: i64, after: i64| {
        iterate::unpack(cx, &value, usize::try_from(after).unwrap_or(0), Some(usize::try_from(before).unwrap_or(0)))
    });
    engine.register_fn("py_raise", |class: ImmutableString, args: Array| -> Res {
        Err(errors::raise_with(&class, elements(args)))
    });
    engine.register_fn("py_reraise", |error: Dynamic| -> Res {
        match view(&error) {
            Py::Error(error) => Err(errors::raise_with(&error.class, error.args.to_vec())),
            _ => Err(raise("TypeError", "exceptions must derive from BaseException")),
        }
    });
    engine.register_fn("py_catches", |error: Dynamic, classes: Array| {
        let classes: Vec<String> = classes.iter().map(ToString::to_string).collect();
        errors::catches(&error, &classes)
    });
    engine.register_fn("py_caught", |error: Dynamic| match view(&error) {
        Py::Error(_) => error,
        // An error of the surroundings, as Python would show it.
        _ => wrap(Py::Error(errors::Raised { class: "Exception".to_owned(), args: [value::text(error.to_string())].into() })),
    });
}
