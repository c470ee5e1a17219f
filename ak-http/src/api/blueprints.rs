//! Blueprints: applying them, those that are there as files, one that is uploaded, and a flow as one.

use ak_flows::Flow;
use ak_flows::blueprint::{
    Action, Author, Blueprint, BlueprintError, BlueprintInstance, ExportOptions, Options, Report, Selection,
};
use ak_store::model::{Change, Errors, KindInfo, Pk, Ref, Snapshot};
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Multipart, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::SecondsFormat;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::change::{person_of, put};
use super::collection::{input, one};
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::Segment;

/// `POST …/`: keeps a blueprint, and applies it. One that would be refused is not kept. Superusers only.
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let caller = caller.superuser()?;
    let pk = keep(&app, &caller, None, &input(&headers, &body?)?, Change::Create).await?;
    Ok((StatusCode::CREATED, Json(one(&app, &caller, pk).await?)).into_response())
}

/// `PUT …/{pk}/`, `PATCH …/{pk}/`: changes a blueprint, and applies it. Superusers only.
pub(super) async fn change(
    State(app): State<App>,
    caller: Caller,
    Segment(pk): Segment,
    method: Method,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let caller = caller.superuser()?;
    let (at, _) = find(&app.store().snapshot(), &pk)?;
    let change = if method == Method::PUT { Change::Replace } else { Change::Patch };
    let pk = keep(&app, &caller, Some(at.pk()), &input(&headers, &body?)?, change).await?;
    Ok(Json(one(&app, &caller, pk).await?).into_response())
}

async fn keep(app: &App, caller: &Caller, at: Option<Pk>, input: &Value, change: Change) -> Result<Pk, ApiError> {
    let snapshot = app.store().snapshot();
    let old = at.and_then(|at| snapshot.get(Ref::<BlueprintInstance>::new(at)));
    check(app, old, input).await?;
    let pk = put(app, caller, kind(&snapshot)?, at, input, change).await?;
    let at = Ref::<BlueprintInstance>::new(pk);
    if app.store().snapshot().get(at).is_some_and(|instance| instance.enabled) {
        match app.blueprints.apply_instance(at, &author(caller)).await {
            // What was wrong stands at the instance, which is the answer.
            Ok(_) | Err(BlueprintError::Wrong(_)) => {}
            Err(BlueprintError::Store(error)) => return Err(error.into()),
        }
    }
    Ok(pk)
}

/// Refuses what could never be applied: a text that is wrong, a file that is not there.
async fn check(app: &App, old: Option<&BlueprintInstance>, input: &Value) -> Result<(), ApiError> {
    let given = |name: &str| input.get(name).and_then(Value::as_str);
    let content = given("content").unwrap_or_else(|| old.map_or("", |old| &old.content));
    let path = given("path").unwrap_or_else(|| old.map_or("", |old| &old.path));
    if !content.is_empty() {
        let blueprint = Blueprint::parse("content", content).map_err(|error| refused("content", error))?;
        let context = input.get("context").and_then(Value::as_object).or(old.map(|old| &old.context)).cloned();
        let options = Options { context: context.unwrap_or_default(), ..Options::default() };
        app.blueprints.plan(&blueprint, &options).await.map_err(|error| refused("content", error))?;
    } else if !path.is_empty() {
        let instance = BlueprintInstance::of_file(path, path);
        app.blueprints.of_instance(&instance).await.map_err(|error| refused("path", error))?;
    }
    Ok(())
}

fn refused(field: &str, error: BlueprintError) -> ApiError {
    match error {
        BlueprintError::Store(error) => error.into(),
        BlueprintError::Wrong(problems) => {
            let mut errors = Errors::default();
            for problem in &problems {
                errors.at(&[field], problem.to_string(), "invalid");
            }
            ApiError::Invalid(errors)
        }
    }
}

/// `POST …/{pk}/apply/`: applies it now, also one that is not enabled. Superusers only.
pub(super) async fn apply(State(app): State<App>, caller: Caller, Segment(pk): Segment) -> Result<Json<Value>, ApiError> {
    let caller = caller.superuser()?;
    let (at, _) = find(&app.store().snapshot(), &pk)?;
    let applied = app.blueprints.apply_instance(at, &author(&caller)).await;
    applied.map_err(|error| refused(ak_store::model::NON_FIELD_ERRORS, error))?;
    Ok(Json(one(&app, &caller, at.pk()).await?))
}

/// `GET …/available/`: the files that can be kept applied. Superusers only.
pub(super) async fn available(State(app): State<App>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.superuser()?;
    let entry = |file: ak_flows::blueprint::Available| {
        let modified = file.modified.to_rfc3339_opts(SecondsFormat::Micros, true);
        json!({ "path": file.path, "last_m": modified, "hash": file.hash, "meta": { "name": file.name, "labels": file.labels } })
    };
    Ok(Json(app.blueprints.available().await.into_iter().map(entry).collect()))
}

/// `POST …/import/`: applies an uploaded file, or one that is there, once. Superusers only.
pub(super) async fn import(State(app): State<App>, caller: Caller, mut form: Multipart) -> Result<Json<Value>, ApiError> {
    let caller = caller.superuser()?;
    let (mut content, mut path, mut context) = (String::new(), String::new(), String::new());
    let bad = |error: axum::extract::multipart::MultipartError| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge,
        _ => ApiError::Parse(error.body_text()),
    };
    while let Some(field) = form.next_field().await.map_err(bad)? {
        let name = field.name().unwrap_or_default().to_owned();
        let text = field.text().await.map_err(bad)?;
        match name.as_str() {
            "file" => content = text,
            "path" => path = text,
            "context" => context = text,
            _ => {}
        }
    }
    if content.is_empty() && path.is_empty() {
        return Err(ApiError::Invalid(Errors::field("file", "Either a file or a path is required.", "required")));
    }
    let context: Map<String, Value> = match context.trim() {
        "" => Map::new(),
        text => serde_json::from_str(text).map_err(|error| {
            ApiError::Invalid(Errors::field("context", format!("This is not a JSON object: {error}"), "invalid"))
        })?,
    };
    let read = match content.is_empty() {
        false => Blueprint::parse("upload", &content),
        true => app.blueprints.of_instance(&BlueprintInstance::of_file(path.as_str(), path.as_str())).await,
    };
    let keep_under = app.blueprints.shipped_at(&path).filter(|_| content.is_empty()).map(|shipped| shipped.path.to_owned());
    let options = Options { context, keep_under, author: Some(author(&caller)) };
    let applied = match &read {
        Ok(blueprint) => app.blueprints.apply(blueprint, &options).await.map(|report| logs_of(&app, &report)),
        Err(BlueprintError::Wrong(problems)) => Err(BlueprintError::Wrong(problems.clone())),
        Err(error) => return Err(ApiError::Parse(error.to_string())),
    };
    match applied {
        Ok(logs) => Ok(Json(json!({ "success": true, "logs": logs }))),
        Err(BlueprintError::Wrong(problems)) => {
            let logs: Vec<Value> = problems.iter().map(|problem| log(&app, "error", problem.to_string(), json!({}))).collect();
            Ok(Json(json!({ "success": false, "logs": logs })))
        }
        Err(BlueprintError::Store(error)) => Err(error.into()),
    }
}

fn logs_of(app: &App, report: &Report) -> Vec<Value> {
    let step = |step: &ak_flows::blueprint::Step| {
        let what = match step.action {
            Action::Create => "created",
            Action::Update => "changed",
            Action::Delete => "deleted",
            Action::Unchanged => "as it should be",
            Action::LeftOut => "left out: it was deleted here",
        };
        log(app, "info", format!("{} {}: {what}", step.model, step.name), json!({ "pk": step.pk, "line": step.place.line }))
    };
    let warnings = report.warnings.iter().map(|warning| log(app, "warning", warning.to_string(), json!({})));
    report.steps.iter().map(step).chain(warnings).collect()
}

fn log(app: &App, level: &str, event: String, attributes: Value) -> Value {
    let timestamp = app.store().clock().now().to_rfc3339_opts(SecondsFormat::Micros, true);
    json!({ "timestamp": timestamp, "log_level": level, "logger": "ak.flows.blueprint", "event": event, "attributes": attributes })
}

/// `GET /flows/instances/{slug}/export/`: the flow, with all that belongs to it, as a blueprint. Superusers only.
pub(super) async fn export_flow(State(app): State<App>, caller: Caller, Segment(slug): Segment) -> Result<Response, ApiError> {
    caller.superuser()?;
    let snapshot = app.store().snapshot();
    let found = snapshot.by::<Flow>("slug", &slug).map(|(at, flow)| (at, flow.slug.clone()));
    let (at, slug) = found.ok_or_else(|| ApiError::NotFound("No Flow matches the given query.".into()))?;
    let options = ExportOptions { name: format!("flow {slug}"), with_secrets: false };
    let text = app.blueprints.export(&Selection::Flow(at), &options).await?;
    let file = format!("attachment; filename=\"flow-{slug}.yaml\"");
    Ok(([(header::CONTENT_TYPE, "application/yaml".to_owned()), (header::CONTENT_DISPOSITION, file)], text).into_response())
}

fn find<'a>(snapshot: &'a Snapshot, pk: &str) -> Result<(Ref<BlueprintInstance>, &'a BlueprintInstance), ApiError> {
    let at = Uuid::parse_str(pk).ok().map(|pk| Ref::new(Pk::of_uuid(pk)));
    let found = at.and_then(|at| Some((at, snapshot.get(at)?)));
    found.ok_or_else(|| ApiError::NotFound("No BlueprintInstance matches the given query.".into()))
}

fn kind(snapshot: &Snapshot) -> Result<&KindInfo, ApiError> {
    snapshot.registry().info::<BlueprintInstance>().ok_or(ApiError::Internal)
}

fn author(caller: &Caller) -> Author {
    Author { user: person_of(caller), user_pk: Some(caller.person.user.pk), client_ip: caller.ip }
}
