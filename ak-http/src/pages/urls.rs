//! Which URLs a page may carry.
//!
//! Flow titles, sources and brands are written by admins and imported from files, so a link is not trusted for being
//! configuration. What the browser makes of a URL decides, hence the WHATWG parser: it drops the tabs and line breaks in
//! `java\nscript:` as browsers do.

use url::Url;

/// The URL if it is relative, `http` or `https`.
pub(super) fn link(text: &str) -> Option<&str> {
    is_web(text).then_some(text)
}

/// The URL if a link could have it, or if it is a picture in a `data:` URL (initials are sent like that; a picture in an `<img>`
/// runs no scripts).
pub(super) fn image(text: &str) -> Option<&str> {
    let inline = text.get(..11).is_some_and(|start| start.eq_ignore_ascii_case("data:image/"));
    (inline || is_web(text)).then_some(text)
}

fn is_web(text: &str) -> bool {
    if text.trim().is_empty() {
        return false;
    }
    // Any base does: it only lends its scheme and host to relative URLs.
    let Ok(base) = Url::parse("https://ak.invalid/") else { return false };
    base.join(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_and_relative_urls_are_links() {
        for url in ["/if/flow/x/?next=%2F", "./", "?a=b", "//cdn.example.com/x.png", "http://a.example/", "HTTPS://a.example/"] {
            assert_eq!(link(url), Some(url), "{url}");
        }
    }

    #[test]
    fn other_schemes_are_not_links() {
        for url in [
            "",
            " ",
            "javascript:alert(1)",
            " JavaScript:alert(1)",
            "java\nscript:x",
            "\u{1}javascript:x",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            "blob:x",
        ] {
            assert_eq!(link(url), None, "{url:?}");
        }
    }

    #[test]
    fn pictures_may_be_inline() {
        assert!(image("data:image/svg+xml;base64,AAAA").is_some());
        assert!(image("data:text/html,x").is_none());
        assert!(image("javascript:alert(1)").is_none());
    }
}
