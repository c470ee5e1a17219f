//! What every template knows of its page.

use serde::Serialize;

use super::messages::Messages;
use super::view::{BrandView, Page, Theme};
use super::{Assets, urls};

/// A [`Page`] as templates see it: choices made, URLs checked.
#[derive(Debug, Serialize)]
pub(super) struct PageContext<'a> {
    brand: &'a BrandView,
    title: &'a str,
    lang: &'a str,
    dir: &'a str,
    theme: Option<Theme>,
    request_id: &'a str,
    css: &'a str,
    password_js: &'a str,
    autosubmit_js: &'a str,
    once_js: &'a str,
    mark: &'a str,
    favicon: &'a str,
    logo: Option<&'a str>,
    logo_dark: Option<&'a str>,
    layout: &'a str,
    side: Option<&'a str>,
    background: Option<&'a str>,
    background_dark: Option<&'a str>,
    framed: bool,
}

impl<'a> PageContext<'a> {
    /// A page in the plain layout; `title` is for a page that has none.
    pub(super) fn new(page: &Page<'a>, messages: &Messages, title: &'a str) -> Self {
        let brand = page.brand;
        let checked = |url: &'a Option<String>| url.as_deref().and_then(urls::image);
        let theme = if page.theme == Theme::Automatic { brand.theme } else { page.theme };
        let (light, dark) = themed(theme, checked(&brand.logo_url), checked(&brand.logo_dark_url));
        Self {
            brand,
            title: first(page.title, title),
            lang: messages.lang,
            dir: messages.dir(),
            theme: (theme != Theme::Automatic).then_some(theme),
            request_id: page.request_id,
            css: Assets::css_path(),
            password_js: Assets::password_js_path(),
            autosubmit_js: Assets::autosubmit_js_path(),
            once_js: Assets::once_js_path(),
            mark: Assets::logo_path(),
            favicon: checked(&brand.favicon_url).unwrap_or(Assets::favicon_path()),
            logo: light,
            logo_dark: dark,
            layout: "stacked",
            side: None,
            background: checked(&brand.background),
            background_dark: None,
            framed: false,
        }
    }

    /// The class of a layout of the contract; `stacked` for anything else.
    pub(super) fn lay_out(&mut self, layout: &str) {
        (self.layout, self.side, self.framed) = match layout {
            "content_left" => ("content_left", None, false),
            "content_right" => ("content_right", None, false),
            "sidebar_left" => ("sidebar_left", Some("start"), false),
            "sidebar_right" => ("sidebar_right", Some("end"), false),
            "sidebar_left_frame_background" => ("sidebar_left_frame_background", Some("start"), true),
            "sidebar_right_frame_background" => ("sidebar_right_frame_background", Some("end"), true),
            _ => ("stacked", None, false),
        };
    }

    /// The flow's background before the brand's.
    pub(super) fn set_background(&mut self, page: &Page<'_>, info: &'a serde_json::Value) {
        let checked = |value: Option<&'a serde_json::Value>| value.and_then(|url| url.as_str()).and_then(urls::image);
        let pair = info.get("background_themed_urls");
        let light = checked(pair.and_then(|pair| pair.get("light"))).or(checked(info.get("background")));
        let dark = checked(pair.and_then(|pair| pair.get("dark")));
        if light.or(dark).is_some() {
            let theme = if page.theme == Theme::Automatic { page.brand.theme } else { page.theme };
            (self.background, self.background_dark) = themed(theme, light, dark);
        }
        // A frame shows a page, and a page in a `data:` URL could be anything.
        self.framed &= self.background.is_some_and(|url| urls::link(url).is_some());
    }
}

/// What to show, and what to show instead where the browser prefers dark.
fn themed<'a>(theme: Theme, light: Option<&'a str>, dark: Option<&'a str>) -> (Option<&'a str>, Option<&'a str>) {
    match theme {
        Theme::Automatic => (light.or(dark), dark.filter(|_| light.is_some())),
        Theme::Light => (light.or(dark), None),
        Theme::Dark => (dark.or(light), None),
    }
}

/// The one that is set, the first before the other.
pub(super) fn first<'a>(one: &'a str, other: &'a str) -> &'a str {
    if one.is_empty() { other } else { one }
}
