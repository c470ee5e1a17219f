//! Pages as responses: the brand of the host, the headers, errors.

use std::sync::Arc;

use ak_flows::Brand;
use ak_policy::Denial;
use ak_store::model::{Pk, Snapshot};
use ak_store::records::Durability;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::client::Origin;
use crate::pages::{BrandView, ErrorView, Page, RenderError, Theme, headers};

/// How pages of a request look.
pub(crate) struct Look {
    pub(crate) brand: BrandView,
    pub(crate) lang: String,
    pub(crate) request_id: String,
}

impl Look {
    /// The look of the brand of the host that was asked for.
    pub(crate) fn of(app: &App, origin: &Origin) -> Self {
        let snapshot: Arc<Snapshot> = app.store().snapshot();
        let found = Brand::of_host(&snapshot, origin.host_name());
        let brand = found.map_or_else(BrandView::default, |(at, brand)| view(at.pk(), brand, &snapshot));
        let lang = found.map(|(_, b)| b.locale()).filter(|l| !l.is_empty()).unwrap_or("en");
        Self { brand, lang: lang.to_owned(), request_id: origin.request_id.clone() }
    }

    /// What all pages of the request have in common.
    pub(crate) fn page(&self) -> Page<'_> {
        Page { lang: &self.lang, request_id: &self.request_id, ..Page::new(&self.brand) }
    }
}

/// Pictures that a fresh brand names and the product draws itself.
const OWN_PICTURES: &str = "/static/dist/";

fn view(pk: Pk, brand: &Brand, snapshot: &Snapshot) -> BrandView {
    let own = |address: &str| (!address.is_empty() && !address.starts_with(OWN_PICTURES)).then(|| address.to_owned());
    // The revision in the address makes a browser fetch the sheet anew after a change.
    let revision = snapshot.object(pk).map_or(0, |o| o.revision);
    let css = |name: &str| format!("/-/brand/{pk}{name}.css?v={revision}");
    let themed = ["--ak-accent", "--ak-dark-background"].iter().any(|v| variable(brand, v).is_some());
    BrandView {
        title: brand.branding_title.clone(),
        logo_url: own(&brand.branding_logo),
        favicon_url: own(&brand.branding_favicon),
        css_url: themed.then(|| css("")),
        custom_css_url: (!brand.branding_custom_css.trim().is_empty()).then(|| css("/custom")),
        background: own(&brand.branding_default_flow_background),
        theme: match brand.theme() {
            "light" => Theme::Light,
            "dark" => Theme::Dark,
            _ => Theme::Automatic,
        },
        ..BrandView::default()
    }
}

/// The value of a CSS variable that a brand's own style sheet sets, if it is a plain colour.
pub(crate) fn variable<'a>(brand: &'a Brand, name: &str) -> Option<&'a str> {
    let (_, rest) = brand.branding_custom_css.split_once(name)?;
    let value = rest.trim_start().strip_prefix(':')?.split([';', '}']).next()?.trim();
    value.starts_with('#').then_some(value)
}

/// A rendered page as a response.
pub(crate) fn html(status: StatusCode, csp: &'static str, page: Result<String, RenderError>) -> Response {
    let page = match page {
        Ok(page) => page,
        Err(error) => {
            tracing::error!(%error, "a page cannot be drawn");
            return (StatusCode::INTERNAL_SERVER_ERROR, "This page cannot be drawn.").into_response();
        }
    };
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = status;
    let all = response.headers_mut();
    all.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    all.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(csp));
    for (name, value) in headers::PAGE_HEADERS {
        all.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

impl App {
    /// A page that says what went wrong.
    pub(crate) fn error_page(&self, look: &Look, error: &ErrorView<'_>) -> Response {
        let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        html(status, headers::PAGE_CSP, self.renderer.error_page(&look.page(), error))
    }

    /// The page for who may not. Why is kept under the reference that the page shows.
    pub(crate) async fn denied_page(&self, origin: &Origin, denial: &Denial) -> Response {
        tracing::info!(request_id = origin.request_id, what = denial.what, reason = denial.reason, "access denied");
        if let Err(error) = self.keep(origin, denial).await {
            // Nobody is let through for that.
            tracing::error!(request_id = origin.request_id, %error, "why somebody was refused cannot be kept");
        }
        self.known_denial_page(&Look::of(self, origin), denial)
    }

    /// The same where why is kept already, under the reference that the look has.
    pub(crate) fn known_denial_page(&self, look: &Look, denial: &Denial) -> Response {
        let said = denial.decision.as_ref().and_then(|decision| decision.messages.first());
        let message = said.map_or("Your account does not have access to this page.", String::as_str);
        let error = ErrorView { status: 403, heading: "Access denied", message, retry_url: "", home_url: "/" };
        self.error_page(look, &error)
    }

    async fn keep(&self, origin: &Origin, denial: &Denial) -> ak_store::Result<()> {
        let mut repo = self.store().backend().begin(Durability::Relaxed).await?;
        denial.keep(&origin.request_id, &mut *repo, self.store().clock().now()).await?;
        repo.save().await
    }

    /// The page for what is not there.
    pub(crate) fn not_found_page(&self, look: &Look) -> Response {
        let message = "There is nothing at this address.";
        let error = ErrorView { status: 404, heading: "Not found", message, retry_url: "", home_url: "/" };
        self.error_page(look, &error)
    }

    /// The page for what cannot be done just now.
    pub(crate) fn failed_page(&self, look: &Look, status: StatusCode, retry_url: &str) -> Response {
        let (heading, message) = match status {
            StatusCode::SERVICE_UNAVAILABLE => ("Just a moment", "The server cannot do this just now. Please try again shortly."),
            _ => (
                "Something went wrong",
                "The page could not be shown. The reference below leads your administrator to the reason.",
            ),
        };
        let error = ErrorView { status: status.as_u16(), heading, message, retry_url, home_url: "/" };
        let mut response = self.error_page(look, &error);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
