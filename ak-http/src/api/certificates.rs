//! Making certificates, and the texts of a certificate and of its private key.

use ak_store::StoreError;
use ak_store::certificate::{Algorithm, CertificateKeyPair, Request, generate as make};
use ak_store::model::{Change, Errors, Input, Pk, Ref};
use ak_store::records::Durability;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::change::{model_event, put};
use super::collection::{input, one};
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::Segment;

/// What a new certificate is to be (`CertificateGenerationRequest`).
#[derive(Serialize, Deserialize, JsonSchema)]
struct Generation {
    #[schemars(length(min = 1, max = 64))]
    common_name: String,
    #[serde(default)]
    subject_alt_name: String,
    /// A hundred years are enough for everybody.
    #[schemars(range(min = 1, max = 36500))]
    validity_days: u32,
    #[serde(default)]
    alg: Alg,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Alg {
    #[default]
    Rsa,
    Ecdsa,
    Ed25519,
    Ed448,
}

/// `POST …/generate/`: makes a key and a certificate that it has signed itself. Superusers only.
pub(super) async fn generate(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let caller = caller.superuser()?;
    let wish = Input::<Generation>::new().read(&input(&headers, &body?)?).map_err(ApiError::Invalid)?;
    let invalid = |field: &str, message: &str, code| ApiError::Invalid(Errors::field(field, message, code));
    let algorithm = match wish.alg {
        Alg::Rsa => Algorithm::Rsa,
        Alg::Ecdsa => Algorithm::Ecdsa,
        Alg::Ed25519 => Algorithm::Ed25519,
        Alg::Ed448 => return Err(invalid("alg", "Keys for Ed448 cannot be made here. Ed25519 can.", "not_supported")),
    };
    let snapshot = app.store().snapshot();
    let kind = snapshot.registry().info::<CertificateKeyPair>().ok_or(ApiError::Internal)?;
    if snapshot.find_unique(kind, "name", &wish.common_name).is_some() {
        return Err(invalid("common_name", "A certificate of this name exists.", "unique"));
    }
    let hosts = wish.subject_alt_name.split(',').map(str::trim).filter(|host| !host.is_empty()).map(str::to_owned);
    let request = Request { name: wish.common_name, hosts: hosts.collect(), days: wish.validity_days, algorithm };
    let (clock, rng) = (app.store().clock().clone(), app.store().rng().clone());
    // A large prime takes its time.
    let made = tokio::task::spawn_blocking(move || make(&request, &*clock, &*rng)).await.map_err(|_| ApiError::Internal)?;
    let pair = match made {
        Err(StoreError::Invalid(message)) => return Err(invalid("subject_alt_name", &message, "invalid")),
        made => made?,
    };
    let document = json!({
        "name": pair.name, "certificate_data": pair.certificate_data.as_str(), "key_data": pair.key_data.reveal(),
    });
    let pk = put(&app, &caller, kind, None, &document, Change::Create).await?;
    Ok(Json(one(&app, &caller, pk).await?))
}

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
