//! Between the values of scripts and JSON.

use rhai::{Array, Dynamic, EvalAltResult, Map};
use serde_json::{Number, Value};

/// The error of a function that scripts call.
pub(super) type Wrong = Box<EvalAltResult>;

/// How deep values nest at the most where they leave a script.
const DEPTH: usize = 32;

/// A JSON value as a script sees it.
pub fn to_dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(entries) => Dynamic::from_array(entries.iter().map(to_dynamic).collect()),
        Value::Object(map) => to_map(map).into(),
    }
}

/// A JSON object as a script sees it.
pub(super) fn to_map(map: &serde_json::Map<String, Value>) -> Map {
    map.iter().map(|(name, value)| (name.as_str().into(), to_dynamic(value))).collect()
}

/// A script's value as JSON. What JSON has no form for (a function, an account) is an error.
pub fn to_json(value: &Dynamic) -> Result<Value, String> {
    json(value, DEPTH)
}

fn json(value: &Dynamic, depth: usize) -> Result<Value, String> {
    let deeper = depth.checked_sub(1).ok_or("the value nests too deep to be kept")?;
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(flag) = value.as_bool() {
        return Ok(flag.into());
    }
    if let Ok(whole) = value.as_int() {
        return Ok(whole.into());
    }
    if let Ok(number) = value.as_float() {
        return Number::from_f64(number).map(Value::Number).ok_or_else(|| "not a number that can be kept".to_owned());
    }
    if let Ok(letter) = value.as_char() {
        return Ok(letter.to_string().into());
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(text.as_str().into());
    }
    if let Ok(entries) = value.as_array_ref() {
        return entries.iter().map(|entry| json(entry, deeper)).collect();
    }
    if let Ok(map) = value.as_map_ref() {
        let entries = map.iter().map(|(name, value)| Ok((name.to_string(), json(value, deeper)?)));
        return entries.collect::<Result<_, String>>().map(Value::Object);
    }
    Err(format!("a value of type {} cannot be kept", value.type_name()))
}

/// A script's map as JSON.
pub(super) fn to_object(map: &Map) -> Result<serde_json::Map<String, Value>, Wrong> {
    map.iter().map(|(name, value)| Ok((name.to_string(), json(value, DEPTH)?))).collect()
}

/// Whether a value counts as a yes, as Python has it: nothing, zero and what is empty do not.
pub fn truth(value: &Dynamic) -> bool {
    if let Ok(flag) = value.as_bool() {
        return flag;
    }
    if value.is_unit() {
        return false;
    }
    if let Ok(whole) = value.as_int() {
        return whole != 0;
    }
    if let Ok(number) = value.as_float() {
        return number != 0.0;
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return !text.is_empty();
    }
    if let Ok(entries) = value.as_array_ref() {
        return !entries.is_empty();
    }
    if let Ok(map) = value.as_map_ref() {
        return !map.is_empty();
    }
    if let Some(set) = value.read_lock::<super::people::Groups>() {
        return set.exists();
    }
    if let Some(result) = value.read_lock::<super::functions::PolicyResult>() {
        return result.passing;
    }
    crate::python::truth(value)
}

/// Texts as a script sees them.
pub(super) fn texts(texts: impl IntoIterator<Item = String>) -> Array {
    texts.into_iter().map(Dynamic::from).collect()
}
