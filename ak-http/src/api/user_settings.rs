//! What people can set up for themselves.

use ak_flows::Stage;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::Caller;

/// `GET /api/v3/stages/all/user_settings/`: the stages for which there is a flow to set something up, for everybody who has
/// signed in; whether she may enter the flow, the flow decides.
pub(super) async fn of_stages(State(app): State<App>, _: Caller) -> Json<Value> {
    let snapshot = app.store().snapshot();
    let kinds = snapshot.registry().kinds().iter();
    let objects = kinds.flat_map(|kind| snapshot.keys(kind.index).map(move |pk| (kind, pk)));
    let settings = objects.filter_map(|(kind, pk)| {
        let stage = snapshot.view::<dyn Stage>(snapshot.object(pk)?)?;
        let (_, component) = stage.configured_by()?;
        let configure_url = format!("/flows/-/configure/{pk}/");
        Some(json!({ "object_uid": pk.value(), "component": component, "title": kind.meta.name, "configure_url": configure_url }))
    });
    Json(settings.collect())
}
