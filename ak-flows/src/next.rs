//! Where a browser may be led.

use url::Url;

/// An address that leads to another place of the same server: it begins with one slash, and no browser reads a host into it.
/// Anything else is `None`.
///
/// The address is given back as the URL standard writes it, so that what was checked is what is used.
pub fn relative(address: &str) -> Option<String> {
    const BASE: &str = "https://origin.invalid";
    let plain = address.starts_with('/') && !address.chars().any(|c| c.is_control() || c == '\\');
    if !plain || address.starts_with("//") || address.len() > 8192 {
        return None;
    }
    let base = Url::parse(BASE).ok()?;
    let url = base.join(address).ok()?;
    let same = url.origin() == base.origin() && url.username().is_empty() && url.password().is_none();
    // Dot segments may leave `//host` behind: `/.//host`.
    if !same || url.path().starts_with("//") {
        return None;
    }
    url.as_str().strip_prefix(BASE).map(str::to_owned)
}

/// An address that an administrator may choose: relative, or absolute over http or https.
pub fn chosen(address: &str) -> Option<String> {
    if let Some(relative) = relative(address) {
        return Some(relative);
    }
    let url = Url::parse(address).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then(|| url.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_same_server_are_relative() {
        assert_eq!(relative("/if/user/?a=b#c").as_deref(), Some("/if/user/?a=b#c"));
        assert_eq!(relative("/a/../b").as_deref(), Some("/b"));
        for bad in [
            "",
            "a",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/.//evil.example",
            "/..//evil.example",
            "\\\\evil.example",
            "/\n/evil.example",
            " /a",
            "/a\u{0}b",
            "http:/evil.example",
        ] {
            assert_eq!(relative(bad), None, "{bad:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_relative_stays_on_the_server(address in "\\PC{0,40}", slashes in "[/\\\\.\t\n@:a]{0,12}") {
            for candidate in [address.clone(), format!("/{slashes}{address}"), format!("{slashes}{address}")] {
                if let Some(kept) = relative(&candidate) {
                    let base = Url::parse("https://login.example/if/flow/x/").unwrap();
                    let joined = base.join(&kept).unwrap();
                    proptest::prop_assert_eq!(joined.origin(), base.origin());
                    proptest::prop_assert!(kept.starts_with('/') && !kept.starts_with("//"));
                }
            }
        }
    }
}
