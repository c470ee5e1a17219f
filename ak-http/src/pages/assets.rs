//! The static files, embedded in the program and named after their content so that browsers keep them for ever.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// One static file.
#[derive(Debug, Clone)]
pub struct Asset {
    /// Where it is served: `/static/<name>-<hash>.<extension>`.
    pub path: String,
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// Its content.
    pub bytes: &'static [u8],
}

/// The static files of the pages.
#[derive(Debug, Clone, Copy)]
pub struct Assets;

static ALL: LazyLock<[Asset; 6]> = LazyLock::new(|| {
    [
        asset("ak", "css", "text/css; charset=utf-8", include_bytes!("../../web/static/ak.css")),
        asset("password", "js", "text/javascript; charset=utf-8", include_bytes!("../../web/static/password.js")),
        asset("once", "js", "text/javascript; charset=utf-8", include_bytes!("../../web/static/once.js")),
        asset("autosubmit", "js", "text/javascript; charset=utf-8", include_bytes!("../../web/static/autosubmit.js")),
        asset("logo", "svg", "image/svg+xml", include_bytes!("../../web/static/logo.svg")),
        asset("favicon", "svg", "image/svg+xml", include_bytes!("../../web/static/favicon.svg")),
    ]
});

impl Assets {
    /// The style sheet of every page.
    pub fn css_path() -> &'static str {
        let [css, ..] = &*ALL;
        &css.path
    }

    /// The module behind "show password".
    pub fn password_js_path() -> &'static str {
        let [_, password, ..] = &*ALL;
        &password.path
    }

    /// The module that sends the form of a page.
    pub fn autosubmit_js_path() -> &'static str {
        let [_, _, _, autosubmit, ..] = &*ALL;
        &autosubmit.path
    }

    /// The module that sends a form only once.
    pub fn once_js_path() -> &'static str {
        let [_, _, once, ..] = &*ALL;
        &once.path
    }

    /// The mark of ak, for brands without a logo of their own.
    pub fn logo_path() -> &'static str {
        let [.., logo, _] = &*ALL;
        &logo.path
    }

    /// The small mark, for brands without an icon of their own.
    pub fn favicon_path() -> &'static str {
        let [.., favicon] = &*ALL;
        &favicon.path
    }

    /// The file at a request path, with its content type.
    pub fn get(path: &str) -> Option<(&'static str, &'static [u8])> {
        Self::all().iter().find(|asset| asset.path == path).map(|asset| (asset.content_type, asset.bytes))
    }

    /// Every file.
    pub fn all() -> &'static [Asset] {
        &*ALL
    }
}

fn asset(name: &str, extension: &str, content_type: &'static str, bytes: &'static [u8]) -> Asset {
    let mut hash = hex::encode(Sha256::digest(bytes));
    hash.truncate(16);
    Asset { path: format!("/static/{name}-{hash}.{extension}"), content_type, bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_finds_its_file() {
        for path in [
            Assets::css_path(),
            Assets::password_js_path(),
            Assets::autosubmit_js_path(),
            Assets::once_js_path(),
            Assets::logo_path(),
            Assets::favicon_path(),
        ] {
            assert!(path.starts_with("/static/"), "{path}");
            assert!(Assets::get(path).is_some(), "{path}");
        }
        assert!(Assets::get("/static/ak.css").is_none());
        assert_eq!(Assets::get(Assets::css_path()).unwrap().0, "text/css; charset=utf-8");
    }
}
