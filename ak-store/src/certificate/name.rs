//! Names of subjects as text.

use x509_parser::prelude::X509Name;
use x509_parser::x509::AttributeTypeAndValue;

/// The short names of attributes (RFC 4514, section 3), besides which the number of the type stands.
const SHORT: [(&str, &str); 9] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
];

/// A name as RFC 4514 writes it: the last part first, what means something escaped.
pub(super) fn rfc4514(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> = name.iter().map(|rdn| rdn.iter().map(attribute).collect::<Vec<_>>().join("+")).collect();
    parts.reverse();
    parts.join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let number = attribute.attr_type().to_id_string();
    let short = SHORT.iter().find(|(id, _)| *id == number).map_or(number.as_str(), |(_, short)| short);
    match attribute.as_str() {
        Ok(text) => format!("{short}={}", escaped(text)),
        Err(_) => format!("{short}=#{}", hex::encode(attribute.attr_value().data)),
    }
}

/// RFC 4514, section 2.4.
fn escaped(text: &str) -> String {
    let last = text.chars().count().saturating_sub(1);
    let mut out = String::with_capacity(text.len());
    for (place, letter) in text.chars().enumerate() {
        match letter {
            '\0' => out.push_str("\\00"),
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => out.extend(['\\', letter]),
            '#' if place == 0 => out.push_str("\\#"),
            ' ' if place == 0 || place == last => out.push_str("\\ "),
            _ => out.push(letter),
        }
    }
    out
}
