//! From what a person sends to the value of a field.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use serde_json::Value;

use super::field::FieldType;
use super::seen::Seen;
use crate::challenge::ResponseErrors;
use crate::stage::Answer;

/// The largest file, in bytes.
pub(super) const MAX_FILE: usize = 512 * 1024;

/// What files may be. Nothing that a browser would run as a page.
const FILES: [&str; 9] = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/svg+xml",
    "application/pdf",
    "text/plain",
    "text/csv",
];

/// The value of a field in an answer; `None` where it was left empty and has no empty value.
pub(super) fn read(field: &Seen<'_>, answer: &Answer) -> Result<Option<Value>, ResponseErrors> {
    let prompt = field.prompt;
    let key = prompt.field_key.as_str();
    let wrong = |message: String, code: &str| ResponseErrors::field(key, message, code);
    if prompt.r#type == FieldType::Checkbox {
        return match answer.flag(key)?.unwrap_or(false) {
            false if prompt.required => Err(wrong("This field is required.".into(), "required")),
            flag => Ok(Some(flag.into())),
        };
    }
    let text = match (prompt.r#type, answer.fields.get(key)) {
        (FieldType::Number, Some(Value::Number(number))) => number.to_string(),
        (FieldType::File, Some(Value::String(file))) => file.clone(),
        _ => answer.text(key)?.to_owned(),
    };
    let text = match prompt.r#type {
        // A space at the end of a password is part of it.
        FieldType::Password | FieldType::Text | FieldType::TextArea => text,
        _ => text.trim().to_owned(),
    };
    if text.trim().is_empty() && (prompt.required || text.is_empty()) {
        return match (prompt.required, answer.fields.contains_key(key)) {
            (true, true) => Err(wrong("This field may not be blank.".into(), "blank")),
            (true, false) => Err(wrong("This field is required.".into(), "required")),
            (false, _) => Ok(empty(prompt.r#type)),
        };
    }
    let value = match prompt.r#type {
        FieldType::Username if text.chars().count() > 150 => {
            return Err(wrong("Ensure this field has no more than 150 characters.".into(), "max_length"));
        }
        FieldType::Username if text.chars().any(char::is_control) => {
            return Err(wrong("Enter a valid user name.".into(), "invalid"));
        }
        FieldType::Email if !is_email(&text) => return Err(wrong("Enter a valid email address.".into(), "invalid")),
        FieldType::Number => match text.parse::<i64>() {
            Ok(number) => number.into(),
            Err(_) => return Err(wrong("A valid integer is required.".into(), "invalid")),
        },
        FieldType::RadioButtonGroup | FieldType::Dropdown | FieldType::Locale => {
            if !field.choices.as_ref().is_some_and(|choices| choices.iter().any(|choice| choice.value == text)) {
                return Err(wrong(format!("\"{text}\" is not a valid choice."), "invalid_choice"));
            }
            text.into()
        }
        FieldType::Date => match text.parse::<NaiveDate>() {
            Ok(date) => date.to_string().into(),
            Err(_) => {
                let message = "Date has wrong format. Use one of these formats instead: YYYY-MM-DD.";
                return Err(wrong(message.into(), "invalid"));
            }
        },
        FieldType::DateTime => match moment(&text) {
            Some(moment) => moment.into(),
            None => {
                let message = "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].";
                return Err(wrong(message.into(), "invalid"));
            }
        },
        FieldType::File => {
            check_file(&text).map_err(|message| wrong(message, "invalid"))?;
            text.into()
        }
        _ => text.into(),
    };
    Ok(Some(value))
}

/// What a field is that was left empty: an empty text, where texts are asked for.
fn empty(r#type: FieldType) -> Option<Value> {
    match r#type {
        FieldType::Number | FieldType::Date | FieldType::DateTime | FieldType::File | FieldType::Password => None,
        _ => Some("".into()),
    }
}

/// A moment as it was written, with seconds: local to whoever wrote it where no offset is given.
fn moment(text: &str) -> Option<String> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.to_rfc3339());
    }
    let forms = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f"];
    let local = forms.into_iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    Some(local.format("%Y-%m-%dT%H:%M:%S").to_string())
}

/// Whether a text is the address of a mailbox as people write it: something before the last `@`, and a host name behind it (RFC 5321,
/// section 4.1.2, without quotes and address literals).
pub(crate) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let atom = |c: char| c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~-.".contains(c);
    let local_fits = !local.is_empty()
        && local.len() <= 64
        && local.chars().all(atom)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..");
    let label = |label: &str| {
        let inner = label.chars().all(|c| c.is_alphanumeric() || c == '-');
        inner && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    let domain_fits = domain.split('.').all(label) && (domain.contains('.') || domain.eq_ignore_ascii_case("localhost"));
    text.len() <= 254 && local_fits && domain_fits
}

/// Whether a text is a file as a `data:` URL (RFC 2397), of a type and size that is taken.
fn check_file(url: &str) -> Result<(), String> {
    let invalid = || "The file is not valid: a data: URL in base64 is expected.".to_owned();
    let (kind, data) = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")).ok_or_else(invalid)?;
    let kind = kind.split(';').next().unwrap_or_default().to_ascii_lowercase();
    if !FILES.contains(&kind.as_str()) {
        return Err("Files of this type are not taken. Choose a picture, a PDF or a plain text.".into());
    }
    // Three bytes are four letters: what is too long need not be read.
    if data.len() > MAX_FILE.div_ceil(3) * 4 || STANDARD.decode(data).map_err(|_| invalid())?.len() > MAX_FILE {
        return Err(format!("The file is too large: up to {} KB are taken.", MAX_FILE / 1024));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_mailboxes_are_told_from_other_texts() {
        for good in ["ada@example.com", "a.b+c@sub.example.co", "root@localhost", "jürg@bücher.example", "o'neil@example.com"] {
            assert!(is_email(good), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(65));
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@example",
            "a b@example.com",
            "ada@exa mple.com",
            ".a@example.com",
            "a..b@example.com",
            "ada@-a.com",
            "ada@a-.com",
            "ada@.com",
            "ada@a..com",
            "a\n@example.com",
            "ada@example.com\r\nBcc: x@y.z",
            "<a@b.c>",
            &long,
        ] {
            assert!(!is_email(bad), "{bad:?}");
        }
    }

    #[test]
    fn files_are_of_a_known_type_and_not_too_large() {
        assert_eq!(check_file("data:image/png;base64,iVBORw0KGgo="), Ok(()));
        assert_eq!(check_file("data:text/plain;charset=utf-8;base64,eA=="), Ok(()));
        let large = format!("data:image/png;base64,{}", STANDARD.encode(vec![0; MAX_FILE + 1]));
        let fits = format!("data:image/png;base64,{}", STANDARD.encode(vec![0; MAX_FILE]));
        assert_eq!(check_file(&fits), Ok(()));
        for (bad, problem) in [
            ("data:text/html;base64,eA==", "type"),
            ("data:;base64,eA==", "type"),
            ("data:image/png,eA==", "valid"),
            ("data:image/png;base64,***", "valid"),
            ("https://example.com/x.png", "valid"),
            (large.as_str(), "too large"),
        ] {
            assert!(check_file(bad).unwrap_err().contains(problem), "{problem}");
        }
    }

    #[test]
    fn moments_are_kept_as_they_are_meant() {
        assert_eq!(moment("2026-11-21T10:30").as_deref(), Some("2026-11-21T10:30:00"));
        assert_eq!(moment("2026-11-21T10:30:05Z").as_deref(), Some("2026-11-21T10:30:05+00:00"));
        assert_eq!(moment("2026-11-21"), None);
    }
}
