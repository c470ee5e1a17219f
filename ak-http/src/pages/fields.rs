//! The fields of a form that a challenge lists: names alone, or objects like those of the prompt stage (`StagePrompt`).

use serde::Serialize;
use serde_json::Value;

use super::challenge::{list, text};

/// Names that belong to the form, not to a stage: a challenge cannot ask for them.
const RESERVED: [&str; 4] = ["csrf", "turn", "component", ""];

/// A field, prepared.
#[derive(Debug, Serialize)]
pub(super) struct Field {
    name: String,
    label: String,
    /// How it is drawn.
    shape: Shape,
    /// The type of an `<input>`.
    r#type: &'static str,
    value: String,
    placeholder: String,
    hint: String,
    autocomplete: &'static str,
    required: bool,
    readonly: bool,
    /// Where the keyboard is at first.
    first: bool,
    choices: Vec<Choice>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Shape {
    Line,
    Area,
    Check,
    Radio,
    Select,
    File,
    Hidden,
    Text,
    Separator,
    Info,
    Warning,
    Danger,
}

#[derive(Debug, Serialize)]
struct Choice {
    value: String,
    label: String,
    chosen: bool,
}

impl Field {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// Whether there is something in it to fill in or to look at: an error about it has a place to be at.
    pub(super) fn is_input(&self) -> bool {
        matches!(self.shape, Shape::Line | Shape::Area | Shape::Check | Shape::Radio | Shape::Select | Shape::File)
    }

    pub(super) fn is_file(&self) -> bool {
        self.shape == Shape::File
    }
}

/// How a type of field is drawn: its shape, the type of its `<input>`, and what browsers may fill it with.
fn drawn(r#type: &str, name: &str) -> (Shape, &'static str, &'static str) {
    match r#type {
        "password" => (Shape::Line, "password", "new-password"),
        "email" => (Shape::Line, "email", "email"),
        "username" => (Shape::Line, "text", "username"),
        "number" => (Shape::Line, "number", ""),
        "date" => (Shape::Line, "date", ""),
        "date-time" => (Shape::Line, "datetime-local", ""),
        "text_area" | "text_area_read_only" => (Shape::Area, "", ""),
        "checkbox" => (Shape::Check, "checkbox", ""),
        "radio-button-group" => (Shape::Radio, "radio", ""),
        "dropdown" | "ak-locale" => (Shape::Select, "", ""),
        "file" => (Shape::File, "file", ""),
        "hidden" => (Shape::Hidden, "hidden", ""),
        "static" => (Shape::Text, "", ""),
        "separator" => (Shape::Separator, "", ""),
        "alert_info" => (Shape::Info, "", ""),
        "alert_warning" => (Shape::Warning, "", ""),
        "alert_danger" => (Shape::Danger, "", ""),
        _ if name == "code" => (Shape::Line, "text", "one-time-code"),
        _ if name == "username" => (Shape::Line, "text", "username"),
        _ if name == "name" => (Shape::Line, "text", "name"),
        _ => (Shape::Line, "text", ""),
    }
}

/// A field's name for want of a label.
fn in_words(name: &str) -> String {
    let mut letters = name.chars().map(|letter| if letter == '_' { ' ' } else { letter });
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// The fields that a challenge lists.
pub(super) fn fields(challenge: &Value) -> Vec<Field> {
    let mut fields: Vec<Field> = list(challenge, "fields").iter().filter_map(field).collect();
    if let Some(first) = fields.iter_mut().find(|field| field.is_input() && !field.readonly) {
        first.first = true;
    }
    fields
}

fn field(field: &Value) -> Option<Field> {
    let name = [field.as_str().unwrap_or_default(), text(field, "field_key"), text(field, "name")];
    let name = name.into_iter().find(|name| !name.is_empty()).filter(|name| !RESERVED.contains(name))?;
    let kind = text(field, "type");
    let (shape, r#type, autocomplete) = drawn(kind, name);
    let label = Some(text(field, "label")).filter(|label| !label.is_empty() || shape == Shape::Text);
    let value = match field.get("initial_value") {
        Some(Value::String(value)) => value.clone(),
        Some(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string(),
        _ => String::new(),
    };
    let choice = |choice: &Value| {
        let value_of = text(choice, "value").to_owned();
        Choice { chosen: value_of == value, label: text(choice, "label").to_owned(), value: value_of }
    };
    Some(Field {
        label: label.map_or_else(|| in_words(name), str::to_owned),
        name: name.to_owned(),
        shape,
        r#type,
        placeholder: text(field, "placeholder").to_owned(),
        hint: text(field, "sub_text").to_owned(),
        autocomplete,
        required: field.get("required").and_then(Value::as_bool).unwrap_or(field.is_string()),
        readonly: kind.ends_with("_read_only"),
        first: false,
        choices: list(field, "choices").iter().map(choice).collect(),
        value,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_challenge_cannot_ask_for_the_forms_own_names() {
        let fields = fields(&json!({"fields": ["csrf", "code", {"field_key": "turn"}, {"field_key": "mail", "type": "email"}]}));
        assert_eq!(fields.iter().map(Field::name).collect::<Vec<_>>(), ["code", "mail"]);
        assert_eq!(fields[0].autocomplete, "one-time-code");
    }

    #[test]
    fn the_keyboard_begins_at_the_first_field_that_can_be_filled_in() {
        let fields = fields(
            &json!({"fields": [{"field_key": "a", "type": "static"}, {"field_key": "b", "type": "text_read_only"},
            {"field_key": "c", "type": "dropdown", "initial_value": "2", "choices": [{"value": "1", "label": "One"}, {"value": "2", "label": "Two"}]},
            {"field_key": "d"}]}),
        );
        assert_eq!(fields.iter().map(|field| field.first).collect::<Vec<_>>(), [false, false, true, false]);
        assert_eq!(fields[2].choices.iter().map(|choice| choice.chosen).collect::<Vec<_>>(), [false, true]);
    }
}
