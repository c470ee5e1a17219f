//! What a template cannot work out of a challenge by itself: where an error belongs, who is signing in, what the input is called.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::fields::{Field, fields};
use super::urls;

/// The challenge, prepared.
#[derive(Debug, Serialize)]
pub(super) struct ChallengeView {
    /// For the summary: the fields' own errors first, in the order of the page.
    errors: Vec<ErrorItem>,
    field_errors: BTreeMap<String, Vec<String>>,
    person: Option<Person>,
    uid_label: Option<&'static str>,
    uid_type: &'static str,
    sources: Vec<Source>,
    fields: Vec<Field>,
    /// A file goes along only with a form of this sort.
    has_file: bool,
}

#[derive(Debug, Serialize)]
struct ErrorItem {
    text: String,
    /// The input it is about; none for an error of the whole form.
    target: Option<String>,
}

#[derive(Debug, Serialize)]
struct Person {
    name: String,
    avatar: Option<String>,
    initials: String,
}

#[derive(Debug, Serialize)]
struct Source {
    name: String,
    url: String,
    icon: Option<String>,
    promoted: bool,
    /// Only the icon is visible.
    bare: bool,
}

impl ChallengeView {
    /// `custom` says that a template from outside draws the page. Its inputs are not known here, so each named error is taken to
    /// have one.
    pub(super) fn new(challenge: &Value, custom: bool) -> Self {
        let fields = fields(challenge);
        let inputs: Vec<&str> = match text(challenge, "component") {
            "ak-stage-identification" => vec!["uid_field", "password"],
            "ak-stage-password" => vec!["password"],
            _ => fields.iter().filter(|field| field.is_input()).map(Field::name).collect(),
        };
        let field_errors = field_errors(challenge);
        let is_input = |name: &str| inputs.contains(&name) || (custom && name != "non_field_errors");
        let items = |name: &str, messages: &[String]| {
            let target = is_input(name).then(|| format!("field-{}", identifier(name)));
            // Away from its field, "this field is required" has to say which one.
            let label = fields.iter().find(|field| field.name() == name).map(Field::label);
            let text = |text: &String| label.map_or_else(|| text.clone(), |label| format!("{label}: {text}"));
            messages.iter().map(|message| ErrorItem { text: text(message), target: target.clone() }).collect::<Vec<_>>()
        };
        let on_page = inputs.iter().filter_map(|name| field_errors.get_key_value(*name));
        let elsewhere = field_errors.iter().filter(|(name, _)| !inputs.contains(&name.as_str()));
        let errors = on_page.chain(elsewhere).flat_map(|(name, messages)| items(name, messages)).collect();
        let (uid_label, uid_type) = uid(challenge);
        let (person, sources) = (person(challenge), sources(challenge));
        let has_file = fields.iter().any(Field::is_file);
        Self { errors, person, uid_label, uid_type, sources, fields, has_file, field_errors }
    }
}

/// A name as part of an `id`: white space would end it.
pub(super) fn identifier(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join("-")
}

/// Up to two letters that stand for a person.
pub(super) fn initials(name: &str) -> String {
    let local = name.split('@').next().unwrap_or(name);
    let words = local.split([' ', '.', '_', '-']).filter_map(|word| word.chars().find(|letter| letter.is_alphanumeric()));
    words.take(2).flat_map(char::to_uppercase).collect()
}

pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or_default()
}

fn field_errors(challenge: &Value) -> BTreeMap<String, Vec<String>> {
    let Some(all) = challenge.get("response_errors").and_then(Value::as_object) else { return BTreeMap::new() };
    let messages = |details: &Value| -> Vec<String> {
        let details = details.as_array().map_or(&[][..], Vec::as_slice);
        details.iter().map(|detail| text(detail, "string").to_owned()).filter(|message| !message.is_empty()).collect()
    };
    all.iter().map(|(name, details)| (name.clone(), messages(details))).filter(|(_, messages)| !messages.is_empty()).collect()
}

fn person(challenge: &Value) -> Option<Person> {
    let name = text(challenge, "pending_user");
    // A drawing of the initials has one colour for every theme: the page draws them itself, in its own colours.
    let drawn = |url: &str| url.starts_with("data:image/svg+xml,");
    let avatar = urls::image(text(challenge, "pending_user_avatar")).filter(|url| !drawn(url)).map(str::to_owned);
    (!name.is_empty()).then(|| Person { name: name.to_owned(), avatar, initials: initials(name) })
}

/// The message key of the label, and the type of the input, from the fields that a name is looked up in.
fn uid(challenge: &Value) -> (Option<&'static str>, &'static str) {
    let has = |name: &str| list(challenge, "user_fields").iter().any(|field| field.as_str() == Some(name));
    let label = match (has("username"), has("email"), has("upn")) {
        (false, false, false) => None,
        (true, false, false) => Some("uid-username"),
        (false, true, false) => Some("uid-email"),
        (false, false, true) => Some("uid-upn"),
        (true, true, false) => Some("uid-username-email"),
        (true, false, true) => Some("uid-username-upn"),
        (false, true, true) => Some("uid-email-upn"),
        (true, true, true) => Some("uid-username-email-upn"),
    };
    (label, if label == Some("uid-email") { "email" } else { "text" })
}

/// The sources that a link can start, promoted ones first. The others (Plex, Telegram, Apple) need scripts of their own.
fn sources(challenge: &Value) -> Vec<Source> {
    let labels = challenge.get("show_source_labels").and_then(Value::as_bool).unwrap_or(true);
    let source = |source: &Value| {
        let url = urls::link(text(source.get("challenge")?, "to"))?.to_owned();
        let icon = urls::image(text(source, "icon_url")).map(str::to_owned);
        let promoted = flag(source, "promoted");
        let bare = !labels && !promoted && icon.is_some();
        Some(Source { name: text(source, "name").to_owned(), url, icon, promoted, bare })
    };
    let mut sources: Vec<Source> = list(challenge, "sources").iter().filter_map(source).collect();
    sources.sort_by_key(|source| !source.promoted);
    sources
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn errors_link_to_inputs_that_exist_and_fields_come_first() {
        let challenge = json!({"component": "ak-stage-password", "response_errors": {
            "non_field_errors": [{"string": "Flow is over", "code": "x"}], "gone": [{"string": "Gone", "code": "x"}],
            "password": [{"string": "Wrong", "code": "invalid"}], "empty": []}});
        let items = |custom| {
            let errors = ChallengeView::new(&challenge, custom).errors;
            errors.into_iter().map(|item| (item.text, item.target.unwrap_or_default())).collect::<Vec<_>>()
        };
        let expected = [("Wrong", "field-password"), ("Gone", ""), ("Flow is over", "")];
        assert_eq!(items(false), expected.map(|(text, target)| (text.to_owned(), target.to_owned())));
        assert!(items(true).contains(&("Gone".to_owned(), "field-gone".to_owned())));
    }

    #[test]
    fn the_label_names_what_is_asked_for() {
        let label = |fields: Value| uid(&json!({ "user_fields": fields })).0;
        assert_eq!(label(json!(["email", "username"])), Some("uid-username-email"));
        assert_eq!(label(json!([])), None);
        assert_eq!(label(Value::Null), None);
        assert_eq!(uid(&json!({"user_fields": ["email"]})), (Some("uid-email"), "email"));
    }

    #[test]
    fn initials_stand_for_the_person() {
        for (name, expected) in
            [("Jane Doe", "JD"), ("jane.doe@example.com", "JD"), ("akadmin", "A"), ("", ""), ("ø", "Ø"), ("@", "")]
        {
            assert_eq!(initials(name), expected, "{name}");
        }
    }

    #[test]
    fn only_sources_with_a_web_address_are_offered() {
        let challenge = json!({"show_source_labels": false, "sources": [
            {"name": "A", "icon_url": "/a.svg", "challenge": {"to": "/source/a/"}},
            {"name": "B", "promoted": true, "challenge": {"to": "/source/b/"}},
            {"name": "C", "challenge": {"to": "javascript:alert(1)"}}, {"name": "D", "challenge": {"client_id": "x"}}]});
        let sources = sources(&challenge);
        assert_eq!(sources.iter().map(|source| source.name.as_str()).collect::<Vec<_>>(), ["B", "A"]);
        assert!(sources[1].bare && !sources[0].bare);
    }
}
