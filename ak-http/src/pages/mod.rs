//! The pages that ak draws on the server: sign-in steps, errors, recovery, the account.
//!
//! This module knows neither axum nor the store. It takes plain values ([`Page`], a challenge as JSON, [`FlowForm`]) and gives a
//! string of HTML; whoever answers the request adds the status and the headers of [`headers`].
//!
//! ```
//! use ak_http::pages::{BrandView, FlowForm, Page, Renderer};
//!
//! # fn main() -> Result<(), ak_http::pages::RenderError> {
//! let renderer = Renderer::new()?;
//! let brand = BrandView { title: "Example".into(), ..BrandView::default() };
//! let page = Page::new(&brand);
//! let challenge = serde_json::json!({
//!     "component": "ak-stage-password",
//!     "flow_info": { "title": "Welcome", "layout": "stacked", "cancel_url": "/flows/-/cancel/" },
//!     "pending_user": "jane",
//! });
//! let form = FlowForm { action: "/if/flow/login/?next=%2F", turn: 2, csrf: "token", ..FlowForm::default() };
//! let html = renderer.flow_page(&page, &challenge, &form)?;
//! assert!(html.contains(r#"name="password""#));
//! # Ok(()) }
//! ```
//!
//! # How to add the page of a stage
//!
//! A built-in one: a template in `web/templates/`, a line in `BUILT_IN` in `render.rs`, its sentences in
//! `web/messages/en.ftl`, a sample in `tests/pages.rs` (which then also checks its labels, its size and its escaping).
//!
//! One of an embedding program: [`Renderer::with_template`]. The template extends `flow.html` and fills its blocks `heading`,
//! `intro`, `fields`, `actions`, `after`; inputs come from the macro `field` of `macros.html`, which draws the label, the error beside it
//! and the identifier that the error summary links to. A component without a template gets a generic page: the title, an input
//! for everything in `challenge["fields"]`, and "Continue".
//!
//! # Rules
//!
//! No inline script or style, so that [`headers::FLOW_CSP`] can be strict; every page works without scripts; every URL of a
//! template passes the filter `link` or `image`; every sentence is a key of the message table; HTML and CSS stay under 30 KB.

mod assets;
mod challenge;
mod color;
mod context;
mod fields;
pub mod headers;
mod messages;
mod render;
mod urls;
mod view;

pub use assets::{Asset, Assets};
pub use color::brand_css;
pub use render::{RenderError, Renderer};
pub use view::{
    ApplicationView, BrandView, ErrorView, FlowForm, FooterLink, Page, RecoveryView, SectionView, SessionView, Theme, UserView,
};
