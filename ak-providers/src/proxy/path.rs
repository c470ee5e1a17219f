//! Paths without their escapes.

/// A path without its escapes, if it means that path and no other to everybody.
pub(super) fn plain(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                let text = std::str::from_utf8(&digits).ok().filter(|_| digits.iter().all(u8::is_ascii_hexdigit))?;
                match u8::from_str_radix(text, 16).ok()? {
                    // A second layer of escapes, separators that are none yet, and what ends texts in other languages.
                    b'%' | b'/' | b'\\' | b';' | b'?' | b'#' | 0..=31 | 127 => return None,
                    byte => byte,
                }
            }
            b'\\' => return None,
            byte => byte,
        });
    }
    let path = String::from_utf8(bytes).ok()?;
    let is_dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
    (!path.split('/').any(is_dots) && !path.contains("//")).then_some(path)
}

/// Whether a reverse proxy that looks for a route may read a path as one at or below `place`, which ends without a slash: it undoes escapes, and
/// leaves out empty parts and dots. Of what leads there in disguise it is enough that it names the place.
pub(super) fn may_be_below(path: &str, place: &str) -> bool {
    match plain(path) {
        Some(path) => path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        None => unescaped(path).contains(place),
    }
}

/// A path without its escapes, whatever it means then.
fn unescaped(path: &str) -> String {
    let mut parts = path.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let byte = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let rest = if byte.is_some() { part.get(2..).unwrap_or_default() } else { part };
        bytes.push(byte.unwrap_or(b'%'));
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_proxy_may_take_for_a_place_is_told_from_what_it_does_not() {
        for (path, expected) in [
            ("/ours", true),
            ("/ours/a", true),
            ("/%6furs/a", true),
            ("//ours/a", true),
            ("/a/../ours/a", true),
            ("/a/%2e%2e/%6furs", true),
            ("/%2fours", true),
            ("/oursx", false),
            ("/docs/ours/", false),
            ("/a//b", false),
            ("/100%", false),
            ("/%zz/%", false),
        ] {
            assert_eq!(may_be_below(path, "/ours"), expected, "{path}");
        }
    }
}
