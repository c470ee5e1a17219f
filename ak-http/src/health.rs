//! Is it alive, is it ready, what does it count: for those who operate it.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;

/// `GET /-/health/live/`: the process answers.
pub(crate) async fn live() -> StatusCode {
    StatusCode::OK
}

/// `GET /-/health/ready/`: the storage answers too.
pub(crate) async fn ready(State(app): State<App>) -> StatusCode {
    match app.store().backend().ping().await {
        Ok(()) => StatusCode::OK,
        Err(error) => {
            tracing::warn!(%error, "not ready");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

/// `GET /metrics`: figures for Prometheus.
pub(crate) async fn metrics(State(app): State<App>) -> Response {
    let snapshot = app.store().snapshot();
    match app.metrics.text(snapshot.len(), snapshot.revision()) {
        Ok(text) => {
            let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
