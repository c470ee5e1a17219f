//! What kind of browser a visitor has.

/// The size of the page, in CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Viewport {
    /// From left to right.
    pub width: u32,
    /// From top to bottom.
    pub height: u32,
    /// Whether the page's `viewport` meta tag counts and fingers point, as on a phone.
    pub mobile: bool,
}

/// How a visitor looks at the product.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub(super) viewport: Viewport,
    pub(super) dark: bool,
    pub(super) javascript: bool,
    pub(super) any_certificate: bool,
    pub(super) hosts: &'static str,
}

impl Look {
    /// A window on a desk: 1280 by 900, light, with JavaScript.
    pub fn desktop() -> Self {
        let viewport = Viewport { width: 1280, height: 900, mobile: false };
        Self { viewport, dark: false, javascript: true, any_certificate: false, hosts: "" }
    }

    /// A phone: 390 by 844, light, with JavaScript.
    pub fn phone() -> Self {
        Self::desktop().sized(Viewport { width: 390, height: 844, mobile: true })
    }

    /// Another size.
    #[must_use]
    pub fn sized(self, viewport: Viewport) -> Self {
        Self { viewport, ..self }
    }

    /// Prefers dark colours.
    #[must_use]
    pub fn dark(self) -> Self {
        Self { dark: true, ..self }
    }

    /// Runs no script of any page.
    #[must_use]
    pub fn without_javascript(self) -> Self {
        Self { javascript: false, ..self }
    }

    /// Accepts certificates that nobody vouches for.
    #[must_use]
    pub fn any_certificate(self) -> Self {
        Self { any_certificate: true, ..self }
    }

    /// Looks names of hosts up by these rules (`MAP *.test 127.0.0.1`), and goes to them without TLS where the address says so.
    #[must_use]
    pub fn resolving(self, hosts: &'static str) -> Self {
        Self { hosts, ..self }
    }

    pub(super) fn scheme(self) -> &'static str {
        if self.dark { "dark" } else { "light" }
    }
}
