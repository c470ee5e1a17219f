//! What the brand of a host looks like.

use ak_flows::{Brand, Designation};
use axum::Json;
use axum::extract::{Extension, State};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::client::Origin;

/// `GET /api/v3/core/brands/current/`: for anybody, since the sign-in page asks for it.
pub(crate) async fn current(State(app): State<App>, Extension(origin): Extension<Origin>) -> Json<Value> {
    let snapshot = app.store().snapshot();
    let plain = Brand::plain();
    let brand = Brand::of_host(&snapshot, origin.host_name()).map_or(&plain, |(_, brand)| brand);
    let mut out = json!({
        "matched_domain": brand.domain,
        "branding_title": brand.branding_title,
        "branding_logo": brand.branding_logo,
        "branding_logo_themed_urls": null,
        "branding_favicon": brand.branding_favicon,
        "branding_favicon_themed_urls": null,
        "branding_custom_css": brand.branding_custom_css,
        "branding_map_tiles": brand.branding_map_tiles,
        "ui_footer_links": [],
        "ui_theme": brand.theme(),
        "default_locale": brand.locale(),
        "flags": { "flows_continuous_login": false, "flows_refresh_others": false },
    });
    if let Value::Object(map) = &mut out {
        let flows = [
            ("flow_authentication", Designation::Authentication),
            ("flow_invalidation", Designation::Invalidation),
            ("flow_recovery", Designation::Recovery),
            ("flow_unenrollment", Designation::Unenrollment),
            ("flow_user_settings", Designation::StageConfiguration),
        ];
        for (name, designation) in flows {
            if let Some(flow) = brand.flow(designation).and_then(|to| snapshot.get(to)) {
                Map::insert(map, name.into(), json!(flow.slug));
            }
        }
    }
    Json(out)
}
