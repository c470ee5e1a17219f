//! What there is about policies besides their collections.

use ak_policy::kinds::Country;
use axum::Json;

use crate::auth::Caller;

/// `GET /api/v3/policies/geoip_iso3166/`: the countries that can be named; for whoever has signed in.
pub(super) async fn countries(_: Caller) -> Json<Vec<Country>> {
    Json(Country::all().collect())
}
