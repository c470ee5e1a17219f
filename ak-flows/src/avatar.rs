//! Pictures of people: until one is uploaded, their initials.

use ak_store::records::User;
use serde_json::Value;

/// The picture that an account brings itself: the attribute `avatar`, if it is a picture's address.
pub fn own(user: &User) -> Option<&str> {
    let own = user.attributes.get("avatar").and_then(Value::as_str);
    own.filter(|a| a.starts_with("https://") || a.starts_with("http://") || a.starts_with("data:image/"))
}

/// The picture of an account: its own, else the initials.
pub fn of(user: &User) -> String {
    match own(user) {
        Some(avatar) => avatar.to_owned(),
        None => initials(if user.name.is_empty() { &user.username } else { &user.name }),
    }
}

/// A picture of up to two initials, as a `data:` address of an SVG. The same name always has the same colour.
pub fn initials(name: &str) -> String {
    let letters: String = letters(name);
    let hue = name.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % 360;
    let svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 64 64'><rect width='64' height='64' fill='hsl({hue},45%,34%)'/>\
         <text x='32' y='32' dy='.36em' text-anchor='middle' font-family='system-ui,sans-serif' font-size='26' fill='#fff'>{letters}</text></svg>"
    );
    let encoded: String = svg.bytes().map(encode).collect();
    format!("data:image/svg+xml,{encoded}")
}

/// The first letters of the first and of the last word, as upper-case letters or digits.
pub fn letters(name: &str) -> String {
    let mut words = name.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    let first = words.next().and_then(|w| w.chars().next());
    let last = words.next_back().and_then(|w| w.chars().next());
    first.into_iter().chain(last).flat_map(char::to_uppercase).take(2).collect()
}

/// Everything that is not plainly allowed in a `data:` address is percent-encoded (RFC 3986, section 2).
fn encode(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_cannot_break_out_of_the_picture() {
        assert_eq!(letters("Ada Maria Lovelace"), "AL");
        assert_eq!(letters("<script>"), "S");
        assert_eq!(letters(""), "");
        let address = initials("'\"><x y");
        assert!(address.starts_with("data:image/svg+xml,%3Csvg") && !address.contains(['<', '>', '"', '\'']));
    }
}
