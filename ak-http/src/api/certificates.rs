//! The texts of a certificate and of its private key.

use ak_store::certificate::CertificateKeyPair;
use ak_store::model::{Pk, Ref};
use ak_store::records::Durability;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use uuid::Uuid;

use super::change::model_event;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::Segment;

/// `GET …/view_certificate/`: the certificate in PEM form; with `?download` as a file. Superusers only.
pub(super) async fn view_certificate(
    State(app): State<App>,
    caller: Caller,
    Segment(pk): Segment,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    caller.superuser()?;
    let (_, pair) = find(&app, &pk)?;
    Ok(text(pair.certificate_data.as_str(), &format!("{}_certificate.pem", file_name(&pair.name)), query.as_deref()))
}

/// `GET …/view_private_key/`: the private key in PEM form; with `?download` as a file. Superusers only, and an event tells of it.
pub(super) async fn view_private_key(
    State(app): State<App>,
    caller: Caller,
    Segment(pk): Segment,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let caller = caller.superuser()?;
    let (pk, pair) = find(&app, &pk)?;
    let snapshot = app.store().snapshot();
    let kind = snapshot.registry().info::<CertificateKeyPair>().ok_or(ApiError::Internal)?;
    let event = model_event(&app, &caller, "secret_view", kind, pk, &pair.name);
    let mut repo = app.store().backend().begin(Durability::Relaxed).await?;
    repo.events().add(&event).await?;
    repo.save().await?;
    Ok(text(pair.key_data.reveal(), &format!("{}_private_key.pem", file_name(&pair.name)), query.as_deref()))
}

fn find(app: &App, pk: &str) -> Result<(Pk, CertificateKeyPair), ApiError> {
    let snapshot = app.store().snapshot();
    let pk = Uuid::parse_str(pk).ok().map(Pk::of_uuid);
    let found = pk.and_then(|pk| Some((pk, snapshot.get(Ref::<CertificateKeyPair>::new(pk))?.clone())));
    found.ok_or_else(|| ApiError::NotFound("No Certificate-KeyPair matches the given query.".into()))
}

/// A name that can stand in a header, and on any disk.
fn file_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn text(data: &str, file: &str, query: Option<&str>) -> Response {
    let no_store: (HeaderName, &str) = (header::CACHE_CONTROL, "no-store");
    let download = query
        .unwrap_or_default()
        .split('&')
        .any(|p| p == "download" || p.strip_prefix("download=").is_some_and(|v| !matches!(v, "false" | "0")));
    if download {
        let headers = [
            (header::CONTENT_TYPE, "application/x-pem-file".to_owned()),
            (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{file}\"")),
            (no_store.0, no_store.1.to_owned()),
        ];
        return (headers, data.to_owned()).into_response();
    }
    ([no_store], Json(json!({ "data": data }))).into_response()
}
