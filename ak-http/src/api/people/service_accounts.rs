//! Accounts for machines, made with their key.

use ak_store::directory::keys;
use ak_store::model::{Change, Errors, Input, Unit, WriteError, user_uid};
use ak_store::records::Durability;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Duration, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::change::record_event;
use super::groups::Groups;
use super::records::{Collection, kind};
use super::tokens::Tokens;
use super::users::Users;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::JsonObject;

/// What is asked for.
#[derive(Serialize, Deserialize, JsonSchema)]
struct NewAccount {
    /// Name of the account, and of its group.
    #[schemars(length(min = 1, max = 150))]
    name: String,
    /// Whether there is to be a group of this name with the account in it.
    #[serde(default)]
    create_group: bool,
    /// Whether the key ends.
    #[serde(default = "yes")]
    expiring: bool,
    /// When it ends; in 360 days where nothing is said.
    #[serde(default)]
    expires: Option<DateTime<Utc>>,
}

fn yes() -> bool {
    true
}

/// `POST /api/v3/core/users/service_account/`: an account for a machine with a key to use as its password, and perhaps a group; all
/// of it or nothing. Superusers only.
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    JsonObject(input): JsonObject,
) -> Result<Json<Map<String, Value>>, ApiError> {
    let caller = caller.superuser()?;
    let new: NewAccount = Input::new().read(&Value::Object(input)).map_err(ApiError::Invalid)?;
    let mut unit = app.store().begin(Durability::Full).await?;
    let user = json!({
        "username": new.name, "name": new.name, "type": "service_account", "path": "goauthentik.io/service-accounts",
        "attributes": { "goauthentik.io/user/token-expires": new.expiring },
    });
    let user = make::<Users>(&app, &caller, &mut unit, user).await?;
    let pk = user.as_i64().unwrap_or_default();
    let group = match new.create_group {
        true => Some(make::<Groups>(&app, &caller, &mut unit, json!({ "name": new.name, "users": [pk] })).await?),
        false => None,
    };
    let expires = new.expires.unwrap_or_else(|| app.store().clock().now() + Duration::days(360));
    let token = json!({
        "identifier": format!("service-account-{}-password", slug(&new.name)), "intent": "app_password", "user": pk,
        "expiring": new.expiring, "expires": expires,
    });
    let token = make::<Tokens>(&app, &caller, &mut unit, token).await?;
    let token = token.as_str().and_then(|text| Uuid::parse_str(text).ok()).unwrap_or_default();
    let token = unit.records().tokens().lookup(token).await?.ok_or(ApiError::Internal)?;
    let mut answer = Map::new();
    answer.insert("username".into(), new.name.into());
    answer.insert("token".into(), keys::read(app.store(), &token)?.into());
    answer.insert("user_uid".into(), user_uid(pk, app.store().install_id()).into());
    answer.insert("user_pk".into(), pk.into());
    answer.extend(group.map(|group| ("group_pk".to_owned(), group)));
    unit.save().await?;
    Ok(Json(answer))
}

/// Makes a record, and tells of it. What is wrong with it is wrong with the name, from which it is made.
async fn make<C: Collection>(app: &App, caller: &Caller, unit: &mut Unit<'_>, input: Value) -> Result<Value, ApiError> {
    let input: Map<String, Value> = input.as_object().cloned().unwrap_or_default();
    let made = kind::<C>(app)?.put(unit, None, &input, Change::Create).await;
    let pk = made.map_err(|error| match error {
        WriteError::Invalid(errors) => ApiError::Invalid(of_the_name(&errors)),
        WriteError::Store(error) => error.into(),
    })?;
    let event = record_event(app, caller, "model_created", C::MODEL, &pk, &C::label(&input));
    unit.records().events().add(&event).await?;
    Ok(pk)
}

fn of_the_name(errors: &Errors) -> Errors {
    let mut all = Errors::default();
    errors.iter().for_each(|problem| all.at(&["name"], problem.message.clone(), problem.code));
    all
}

/// A name as it can stand in the name of a key.
fn slug(name: &str) -> String {
    let lower = name.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|w| !w.is_empty()).collect();
    words.join("-")
}
