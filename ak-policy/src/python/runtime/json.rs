//! `json`.

use rhai::Dynamic;
use serde_json::Value;

use super::arguments::Args;
use super::errors::{Res, raise, type_error, unsupported};
use super::value::{MAX_DEPTH, Py, list, text, type_name, view};

/// `json.loads`.
pub(crate) fn loads(args: &mut Args) -> Res {
    let value = args.required(0, "s")?;
    let content = match view(&value) {
        Py::Str(content) => content.to_string(),
        Py::Bytes(bytes) => {
            String::from_utf8(bytes.to_vec()).map_err(|_| raise("UnicodeDecodeError", "'utf-8' codec can't decode bytes"))?
        }
        _ => return Err(type_error(format!("the JSON object must be str, bytes or bytearray, not {}", type_name(&value)))),
    };
    for special in ["NaN", "Infinity"] {
        if content.contains(special) {
            return Err(unsupported("NaN and infinity in JSON"));
        }
    }
    if content.contains("\\ud") || content.contains("\\uD") {
        return Err(unsupported("surrogates in JSON"));
    }
    match serde_json::from_str::<Value>(&content) {
        Ok(value) => from_json(&value),
        Err(error) => Err(raise("JSONDecodeError", format!("line {} column {}", error.line(), error.column()))),
    }
}

fn from_json(value: &Value) -> Res {
    Ok(match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => value.into(),
            (None, _) if number.is_u64() => return Err(unsupported("a number beyond 64 bits")),
            (None, Some(value)) => {
                if value.fract() == 0.0 && !number.to_string().contains(['.', 'e', 'E']) {
                    return Err(unsupported("a number beyond 64 bits"));
                }
                value.into()
            }
            _ => return Err(unsupported("this number")),
        },
        Value::String(content) => text(content.as_str()),
        Value::Array(items) => list(items.iter().map(from_json).collect::<Res<_>>()?),
        Value::Object(map) => super::value::dict(
            map.iter().map(|(key, value)| Ok((text(key.as_str()), from_json(value)?))).collect::<Res<Vec<_>>>()?,
        )?,
    })
}

/// `json.dumps`.
pub(crate) fn dumps(args: &mut Args) -> Res {
    let value = args.required(0, "obj")?;
    let sort = args.keyword("sort_keys").is_some_and(|sort| super::value::truth(&sort));
    let ascii = args.keyword("ensure_ascii").is_none_or(|ascii| super::value::truth(&ascii));
    let separators = match args.keyword("separators").map(|pair| view(&pair)) {
        None | Some(Py::None) => (", ".to_owned(), ": ".to_owned()),
        Some(Py::Tuple(pair)) => match pair.lock().as_slice() {
            [item, key] => (item.to_string(), key.to_string()),
            _ => return Err(unsupported("these separators")),
        },
        Some(_) => return Err(unsupported("these separators")),
    };
    let mut out = String::new();
    Writer { sort, ascii, separators }.write(&value, 0, &mut out)?;
    Ok(text(out))
}

struct Writer {
    sort: bool,
    ascii: bool,
    separators: (String, String),
}

impl Writer {
    fn write(&self, value: &Dynamic, depth: usize, out: &mut String) -> Res<()> {
        if depth > MAX_DEPTH {
            return Err(unsupported("a value is nested too deeply"));
        }
        super::limits::bytes(out.len())?;
        match view(value) {
            Py::None => out.push_str("null"),
            Py::Bool(value) => out.push_str(if value { "true" } else { "false" }),
            Py::Int(value) => out.push_str(&value.to_string()),
            Py::Float(value) if value.is_finite() => out.push_str(&super::show::repr_float(value)),
            Py::Str(content) => self.text(&content, out),
            Py::List(items) | Py::Tuple(items) => {
                out.push('[');
                for (at, item) in items.lock().clone().iter().enumerate() {
                    if at > 0 {
                        out.push_str(&self.separators.0);
                    }
                    self.write(item, depth + 1, out)?;
                }
                out.push(']');
            }
            Py::Dict(items) => {
                let mut pairs = Vec::new();
                for (key, value) in items.lock().values().cloned().collect::<Vec<_>>() {
                    let Py::Str(key) = view(&key) else { return Err(unsupported("keys in JSON that are no text")) };
                    pairs.push((key, value));
                }
                if self.sort {
                    pairs.sort_by(|left, right| left.0.as_str().cmp(right.0.as_str()));
                }
                out.push('{');
                for (at, (key, value)) in pairs.iter().enumerate() {
                    if at > 0 {
                        out.push_str(&self.separators.0);
                    }
                    self.text(key, out);
                    out.push_str(&self.separators.1);
                    self.write(value, depth + 1, out)?;
                }
                out.push('}');
            }
            Py::Float(_) => return Err(unsupported("NaN and infinity in JSON")),
            Py::Foreign(_) => return Err(unsupported("objects in JSON")),
            _ => return Err(type_error(format!("Object of type {} is not JSON serializable", type_name(value)))),
        }
        Ok(())
    }

    fn text(&self, content: &str, out: &mut String) {
        out.push('"');
        for c in content.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\x08' => out.push_str("\\b"),
                '\x0c' => out.push_str("\\f"),
                c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
                c if c.is_ascii() && c != '\x7f' || !self.ascii => out.push(c),
                '\x7f' => out.push(c),
                c => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}"))),
            }
        }
        out.push('"');
    }
}
