//! The fields of prompts.

use ak_store::model::{Errors, Key, Kind, Meta, Row};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PromptStage;
use super::text::Text;

/// What a field asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// A line of text.
    Text,
    /// Several lines of text.
    TextArea,
    /// A line of text that is only shown, and kept as it is.
    TextReadOnly,
    /// Several lines of text that are only shown, and kept as they are.
    TextAreaReadOnly,
    /// A user name that no other account has.
    Username,
    /// An e-mail address.
    Email,
    /// A password. Several in one stage must be the same.
    Password,
    /// A whole number.
    Number,
    /// Yes or no; required, it must be yes.
    Checkbox,
    /// One of the choices, all of them in sight.
    #[serde(rename = "radio-button-group")]
    RadioButtonGroup,
    /// One of the choices.
    Dropdown,
    /// A day.
    Date,
    /// A day and a time.
    #[serde(rename = "date-time")]
    DateTime,
    /// A file, as a `data:` URL.
    File,
    /// A line between other fields.
    Separator,
    /// A value that is not shown, and kept as it is.
    Hidden,
    /// A text that is shown, and kept as it is.
    Static,
    /// A notice.
    AlertInfo,
    /// A warning.
    AlertWarning,
    /// A warning of danger.
    AlertDanger,
    /// One of the languages of the pages.
    #[serde(rename = "ak-locale")]
    Locale,
}

/// Where a field's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// From the person.
    Person,
    /// From the field itself, whatever is sent.
    Field,
    /// There is none.
    Nowhere,
}

impl FieldType {
    pub(super) fn origin(self) -> Origin {
        match self {
            Self::TextReadOnly | Self::TextAreaReadOnly | Self::Hidden | Self::Static => Origin::Field,
            Self::Separator | Self::AlertInfo | Self::AlertWarning | Self::AlertDanger => Origin::Nowhere,
            _ => Origin::Person,
        }
    }

    /// Whether the administrator says what can be chosen.
    pub(super) fn is_chosen(self) -> bool {
        matches!(self, Self::RadioButtonGroup | Self::Dropdown)
    }

    fn has_choices(self) -> bool {
        self.is_chosen() || self == Self::Locale
    }
}

/// The languages of the pages: their tags, and what they call themselves.
const LOCALES: [(&str, &str); 1] = [("en", "English")];

/// A field of a prompt.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Prompt {
    /// Name, for administrators.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Name of the form field, by which its value is kept.
    #[schemars(length(min = 1))]
    pub field_key: String,
    /// What stands above the field.
    #[schemars(length(min = 1))]
    pub label: String,
    /// What it asks for.
    pub r#type: FieldType,
    /// Whether it must be filled in.
    #[serde(default = "yes")]
    pub required: bool,
    /// A short hint within the field. For choices: the choices, one a line.
    #[serde(default)]
    pub placeholder: Text,
    /// What stands in the field at first; what was gathered under its key already goes before it.
    #[serde(default)]
    pub initial_value: Text,
    /// Place among the fields.
    #[serde(default)]
    #[schemars(range(min = -2147483648, max = 2147483647))]
    pub order: i32,
    /// What stands below the field.
    #[serde(default)]
    pub sub_text: String,
    /// Whether the placeholder is an expression. For choices it gives a list of texts, or of `{ "value", "label" }`.
    #[serde(default)]
    pub placeholder_expression: bool,
    /// Whether the initial value is an expression.
    #[serde(default)]
    pub initial_value_expression: bool,
}

fn yes() -> bool {
    true
}

impl Prompt {
    /// A required field, everything else at its default.
    pub fn new(name: &str, field_key: &str, r#type: FieldType, label: &str, order: i32) -> Self {
        Self {
            name: name.into(),
            field_key: field_key.into(),
            label: label.into(),
            r#type,
            required: true,
            placeholder: Text::default(),
            initial_value: Text::default(),
            order,
            sub_text: String::new(),
            placeholder_expression: false,
            initial_value_expression: false,
        }
    }

    /// The choices; `None` for a field without choices.
    pub(super) fn choices(&self) -> Option<Vec<Choice>> {
        let choice = |value: &str, label: &str| Choice { value: value.to_owned(), label: label.to_owned() };
        match self.r#type {
            FieldType::Locale => Some(LOCALES.map(|(tag, name)| choice(tag, name)).to_vec()),
            r#type if r#type.has_choices() => {
                let lines = self.placeholder.as_str().lines().map(str::trim).filter(|line| !line.is_empty());
                Some(lines.map(|line| choice(line, line)).collect())
            }
            _ => None,
        }
    }

    /// Its texts that are expressions, by field.
    fn expressions(&self) -> impl Iterator<Item = (&'static str, &Text)> {
        let placeholder = self.placeholder_expression.then_some(("placeholder", &self.placeholder));
        placeholder.into_iter().chain(self.initial_value_expression.then_some(("initial_value", &self.initial_value)))
    }

    /// Whether its value is a password, which is not kept in the clear anywhere.
    pub(super) fn is_secret(&self) -> bool {
        self.r#type == FieldType::Password || self.field_key == super::PASSWORD
    }
}

/// The names that forms and answers need for themselves.
const RESERVED: [&str; 3] = ["component", "csrf", "turn"];

/// The read-only fields of a prompt.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PromptShown {
    prompt_stages_obj: Vec<Value>,
}

impl Kind for Prompt {
    const META: Meta = Meta {
        pk_filters: &["prompt_uuid"],
        search: &["field_key", "name", "label", "type", "placeholder"],
        ..Meta::new("authentik_stages_prompt.prompt", "stages/prompt/prompts", "Prompt", "Prompts")
    };

    type Shown = PromptShown;

    fn shown(&self, row: &Row<'_>) -> PromptShown {
        let stages = row.snapshot.referring::<PromptStage>(Key::Object(row.pk())).filter_map(Result::ok);
        let mut stages: Vec<_> = stages.map(|(at, stage)| (&stage.name, at.pk())).collect();
        stages.sort_unstable();
        stages.dedup();
        // Whole, not as the family of stages shows them: the contract has their fields here.
        let objects = stages.into_iter().filter_map(|(_, pk)| row.snapshot.object(pk));
        PromptShown { prompt_stages_obj: objects.map(|o| Value::Object(row.snapshot.render(o, row.people))).collect() }
    }

    fn check(&self, _: &Row<'_>, errors: &mut Errors) {
        if RESERVED.contains(&self.field_key.as_str()) {
            errors.at(&["field_key"], "This name is one that the form itself needs.", "invalid");
        }
        for (field, text) in self.expressions() {
            text.script().check(&[field], errors);
        }
    }

    fn remarks(&self, _: &Row<'_>, remarks: &mut Errors) {
        for (field, text) in self.expressions() {
            text.script().remark(&[field], remarks);
        }
    }
}

/// A field as challenges show it (`StagePrompt`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StagePrompt {
    /// See [`Prompt::field_key`].
    pub field_key: String,
    /// See [`Prompt::label`].
    pub label: String,
    /// See [`Prompt::type`].
    pub r#type: FieldType,
    /// See [`Prompt::required`].
    pub required: bool,
    /// See [`Prompt::placeholder`].
    pub placeholder: String,
    /// What stands in the field.
    pub initial_value: String,
    /// See [`Prompt::order`].
    pub order: i32,
    /// See [`Prompt::sub_text`].
    pub sub_text: String,
    /// The choices, if it has some.
    pub choices: Option<Vec<Choice>>,
}

/// One of a field's choices (`PromptChoice`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What is shown.
    pub label: String,
}

impl StagePrompt {
    /// An optional field that is empty.
    pub fn new(field_key: &str, r#type: FieldType, label: &str) -> Self {
        Self {
            field_key: field_key.to_owned(),
            label: label.to_owned(),
            r#type,
            required: false,
            placeholder: String::new(),
            initial_value: String::new(),
            order: 0,
            sub_text: String::new(),
            choices: None,
        }
    }
}
