//! Reading an input: every field is checked, and all problems are told at once, in the words that clients of the API know.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::super::errors::Errors;
use super::super::pk::Pk;
use super::{Field, Pattern, ReferenceTo, Shape};

/// What an input must bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// The required fields.
    Required,
    /// Nothing: fields that are left out stay as they are.
    Nothing,
}

/// Free data nested deeper than this is refused: nobody needs it, and it costs stack.
const MAX_DEPTH: usize = 64;

/// The known fields of `input`, each in the form in which it is kept. Unknown fields are left out.
pub fn normalise(fields: &[Field], input: &Value, demand: Demand) -> Result<Map<String, Value>, Errors> {
    let mut errors = Errors::default();
    let Value::Object(map) = input else {
        let found = type_name(input);
        return Err(Errors::whole(format!("Invalid data. Expected a dictionary, but got {found}."), "invalid"));
    };
    let out = nested(fields, map, demand, &mut Vec::new(), &mut errors);
    errors.ok(out)
}

fn nested(
    fields: &[Field],
    map: &Map<String, Value>,
    demand: Demand,
    path: &mut Vec<String>,
    errors: &mut Errors,
) -> Map<String, Value> {
    let mut out = Map::new();
    for field in fields.iter().filter(|field| !field.read_only) {
        path.push(field.name.to_string());
        match map.get(&*field.name) {
            Some(value) => {
                if let Some(value) = one(field, value, path, errors) {
                    out.insert(field.name.to_string(), value);
                }
            }
            None if field.required && demand == Demand::Required => tell(errors, path, "This field is required.", "required"),
            None => {}
        }
        path.pop();
    }
    out
}

fn tell(errors: &mut Errors, path: &[String], message: impl Into<String>, code: &'static str) {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    errors.at(&path, message, code);
}

fn one(field: &Field, value: &Value, path: &mut Vec<String>, errors: &mut Errors) -> Option<Value> {
    // Clients with forms send an empty text where nothing is chosen.
    let is_key = field.reference.is_some() || matches!(field.shape, Shape::Uuid);
    if value.is_null() || (field.nullable && is_key && value == "") {
        if field.nullable {
            return Some(Value::Null);
        }
        tell(errors, path, "This field may not be null.", "null");
        return None;
    }
    let value = match shaped(field, value, path) {
        Ok(Checked::Value(value)) => value,
        Ok(Checked::List(entry, values)) => {
            let mut out = Vec::with_capacity(values.len());
            for (i, value) in values.iter().enumerate() {
                path.push(i.to_string());
                out.extend(one(entry, value, path, errors));
                path.pop();
            }
            Value::Array(out)
        }
        Ok(Checked::Nested(fields, map)) => Value::Object(nested(fields, map, Demand::Required, path, errors)),
        Err((message, code)) => {
            tell(errors, path, message, code);
            return None;
        }
    };
    if field.later && field.default.as_ref() != Some(&value) && !is_empty(&value) {
        tell(errors, path, "This version does not act on this field yet, so it only takes its default.", "not_supported");
        return None;
    }
    Some(value)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

enum Checked<'a> {
    Value(Value),
    List(&'a Field, &'a [Value]),
    Nested(&'a [Field], &'a Map<String, Value>),
}

type Refusal = (String, &'static str);

fn shaped<'a>(field: &'a Field, value: &'a Value, path: &[String]) -> Result<Checked<'a>, Refusal> {
    if let Some(reference) = &field.reference {
        return key(&reference.to, value).map(Checked::Value);
    }
    let value = match &field.shape {
        Shape::Text { min, max, pattern } => text(value, *min, *max, pattern.as_ref(), field.secret)?,
        Shape::Moment => moment(value)?,
        Shape::Uuid => uuid(value)?,
        Shape::Bool => boolean(value)?,
        Shape::Int { min, max } => integer(value, *min, *max)?,
        Shape::Float => match value {
            Value::Number(_) => value.clone(),
            _ => return Err(("A valid number is required.".into(), "invalid")),
        },
        Shape::Choice(choices) if choices.contains(value) => value.clone(),
        Shape::Choice(_) => return Err((format!("\"{}\" is not a valid choice.", plain(value)), "invalid_choice")),
        Shape::List(entry) => match value {
            Value::Array(list) => return Ok(Checked::List(entry, list)),
            other => {
                let found = type_name(other);
                return Err((format!("Expected a list of items but got type \"{found}\"."), "not_a_list"));
            }
        },
        Shape::Nested(fields) => match value {
            Value::Object(map) => return Ok(Checked::Nested(fields, map)),
            other => {
                let found = type_name(other);
                return Err((format!("Invalid data. Expected a dictionary, but got {found}."), "invalid"));
            }
        },
        Shape::Map if !value.is_object() => return Err(("Value must be an object.".into(), "invalid")),
        Shape::Map | Shape::Any if depth(value) + path.len() > MAX_DEPTH => {
            return Err((format!("Nested deeper than {MAX_DEPTH} levels."), "invalid"));
        }
        Shape::Map | Shape::Any => value.clone(),
    };
    Ok(Checked::Value(value))
}

fn key(to: &ReferenceTo, value: &Value) -> Result<Value, Refusal> {
    match to {
        ReferenceTo::Object(_, space) => match Pk::from_value(value, *space) {
            Some(pk) => Ok(pk.value()),
            None if matches!(space, super::super::pk::Space::Uuid) && value.is_string() => {
                Err((format!("“{}” is not a valid UUID.", plain(value)), "invalid"))
            }
            None => Err((format!("Incorrect type. Expected pk value, received {}.", type_name(value)), "incorrect_type")),
        },
        ReferenceTo::User => integer(value, None, None)
            .map_err(|_| (format!("Incorrect type. Expected pk value, received {}.", type_name(value)), "incorrect_type")),
        ReferenceTo::Group => uuid(value),
    }
}

fn text(value: &Value, min: u64, max: Option<u64>, pattern: Option<&Pattern>, is_secret: bool) -> Result<Value, Refusal> {
    let text = match value {
        // A space at the end of a password belongs to it.
        Value::String(text) if is_secret => text.clone(),
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return Err(("Not a valid string.".into(), "invalid")),
    };
    if text.contains('\0') {
        return Err(("Null characters are not allowed.".into(), "null_characters_not_allowed"));
    }
    let length = text.chars().count() as u64;
    if length == 0 && min > 0 {
        return Err(("This field may not be blank.".into(), "blank"));
    }
    if length < min {
        return Err((format!("Ensure this field has at least {min} characters."), "min_length"));
    }
    if let Some(max) = max.filter(|max| length > *max) {
        return Err((format!("Ensure this field has no more than {max} characters."), "max_length"));
    }
    if let Some(pattern) = pattern.filter(|p| length > 0 && !p.regex.is_match(&text)) {
        return Err((pattern.message.into(), "invalid"));
    }
    Ok(Value::String(text))
}

fn uuid(value: &Value) -> Result<Value, Refusal> {
    let parsed = value.as_str().and_then(|text| Uuid::parse_str(text).ok());
    parsed
        .map(|uuid| Value::from(uuid.to_string()))
        .ok_or_else(|| (format!("“{}” is not a valid UUID.", plain(value)), "invalid"))
}

fn moment(value: &Value) -> Result<Value, Refusal> {
    const WRONG: &str =
        "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].";
    let text = value.as_str().map(str::trim).unwrap_or_default();
    let parsed = crate::clock::parse_moment(text).ok_or((WRONG.to_owned(), "invalid"))?;
    Ok(Value::from(parsed.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)))
}

fn boolean(value: &Value) -> Result<Value, Refusal> {
    let flag = match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(n) => match n.as_i64() {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        },
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    };
    flag.map(Value::Bool).ok_or_else(|| ("Must be a valid boolean.".into(), "invalid"))
}

fn integer(value: &Value, min: Option<i64>, max: Option<i64>) -> Result<Value, Refusal> {
    let number = match value {
        Value::Number(n) => n.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let number = number.ok_or_else(|| (String::from("A valid integer is required."), "invalid"))?;
    if let Some(max) = max.filter(|max| number > *max) {
        return Err((format!("Ensure this value is less than or equal to {max}."), "max_value"));
    }
    if let Some(min) = min.filter(|min| number < *min) {
        return Err((format!("Ensure this value is greater than or equal to {min}."), "min_value"));
    }
    Ok(Value::from(number))
}

fn plain(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().take(200).collect()
}

/// The name that clients know a JSON type by.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(n) if n.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
