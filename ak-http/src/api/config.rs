//! What clients should know of the server.

use std::net::{IpAddr, Ipv4Addr};

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::app::App;

/// `GET /api/v3/root/config/`: for anybody, since the sign-in page asks for it.
pub(crate) async fn get(State(app): State<App>) -> Json<Value> {
    let geo = &app.runner.services().geo;
    let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let capabilities = [("can_geo_ip", geo.place(nowhere).is_ok()), ("can_asn", geo.system(nowhere).is_ok())];
    let capabilities: Vec<&str> = capabilities.into_iter().filter(|(_, can)| *can).map(|(name, _)| name).collect();
    Json(json!({
        "error_reporting": { "enabled": false, "sentry_dsn": "", "environment": "", "send_pii": false, "traces_sample_rate": 0.0 },
        "capabilities": capabilities,
        "cache_timeout": 300,
        "cache_timeout_flows": 300,
        "cache_timeout_policies": 300,
    }))
}
