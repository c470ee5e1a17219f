//! What clients should know of the server.

use axum::Json;
use serde_json::{Value, json};

/// `GET /api/v3/root/config/`: for anybody, since the sign-in page asks for it.
pub(crate) async fn get() -> Json<Value> {
    Json(json!({
        "error_reporting": { "enabled": false, "sentry_dsn": "", "environment": "", "send_pii": false, "traces_sample_rate": 0.0 },
        "capabilities": [],
        "cache_timeout": 300,
        "cache_timeout_flows": 300,
        "cache_timeout_policies": 300,
    }))
}
