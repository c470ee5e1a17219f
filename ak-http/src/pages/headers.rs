//! The headers that every page goes out with.
//!
//! There are two policies because of one browser rule: Chromium applies `form-action` to the redirects that follow a form's POST
//! as well. A sign-in that ends at an application's callback (another origin, or a scheme of its own as native applications
//! have, RFC 8252 §7.1) would be stopped there by `form-action 'self'`. Flow pages therefore leave the directive out; what it
//! guards against, a form brought in by injected markup, is met by escaping and by `default-src 'none'`.

/// `Content-Security-Policy` of flow pages. Frames are allowed for the layouts with a page behind the card, and for the
/// front-channel sign-out of applications.
pub const FLOW_CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https:; \
    font-src 'self'; connect-src 'self'; frame-src 'self' https:; frame-ancestors 'self'; base-uri 'none'; object-src 'none'";

/// `Content-Security-Policy` of every other page: error, set-up, recovery, account.
pub const PAGE_CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https:; \
    font-src 'self'; form-action 'self'; frame-ancestors 'self'; base-uri 'none'; object-src 'none'";

/// The other headers of a page. `same-origin` and not `no-referrer`: the latter makes browsers send `Origin: null` with a POST,
/// which the cross-site check would have to refuse.
pub const PAGE_HEADERS: [(&str, &str); 5] = [
    ("cache-control", "no-store"),
    ("referrer-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "SAMEORIGIN"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
];

/// `Cache-Control` of an asset: its name changes with its content.
pub const ASSET_CACHE: &str = "public, max-age=31536000, immutable";
