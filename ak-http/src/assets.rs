//! Style sheets, scripts and pictures.

use ak_flows::Brand;
use ak_store::model::{Pk, Ref};
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use uuid::Uuid;

use crate::app::App;
use crate::pages::{Assets, brand_css, headers};
use crate::view::variable;

/// `GET /static/<file>`: what the program brings along. Names change with the content, so browsers keep them for good.
pub(crate) async fn file(Path(path): Path<String>) -> Response {
    match path.as_str() {
        // The pictures that a fresh brand names, as other programs look them up.
        "dist/assets/icons/icon_left_brand.svg" => return Redirect::temporary(Assets::logo_path()).into_response(),
        "dist/assets/icons/icon.png" => return Redirect::temporary(Assets::favicon_path()).into_response(),
        _ => {}
    }
    match Assets::get(&format!("/static/{path}")) {
        Some((kind, content)) => {
            let headers = [
                (header::CONTENT_TYPE, kind),
                (header::CACHE_CONTROL, headers::ASSET_CACHE),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ];
            (headers, content).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// `GET /-/brand/<id>.css`: the brand's colours as CSS variables, with contrasts that can be read.
pub(crate) async fn brand(State(app): State<App>, Path(file): Path<String>) -> Response {
    let css = file.strip_suffix(".css").and_then(|id| {
        with_brand(&app, id, |brand| brand_css(variable(brand, "--ak-accent"), variable(brand, "--ak-dark-background")))
    });
    sheet(css)
}

/// `GET /-/brand/<id>/custom.css`: the brand's own style sheet.
pub(crate) async fn custom(State(app): State<App>, Path(id): Path<String>) -> Response {
    sheet(with_brand(&app, &id, |brand| brand.branding_custom_css.clone()))
}

fn with_brand<T>(app: &App, id: &str, then: impl FnOnce(&Brand) -> T) -> Option<T> {
    let snapshot = app.store().snapshot();
    let pk = Pk::of_uuid(Uuid::parse_str(id).ok()?);
    snapshot.get(Ref::<Brand>::new(pk)).map(then)
}

fn sheet(css: Option<String>) -> Response {
    let Some(css) = css else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, css).into_response()
}
