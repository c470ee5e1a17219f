//! The collections of all kinds: list, create, read, replace, patch, delete, used by, types. One code for every kind.

use std::sync::Arc;

use ak_store::model::{Address, BadQuery, Change, Key, KindInfo, ListQuery, Object, People, Pk, Snapshot};
use axum::Json;
use axum::body::to_bytes;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Value, json};

use super::change::{delete, put};
use super::route::{Route, Set};
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::executor::is_json;
use crate::extract::Segment;

/// Everything below `/api/v3/` that is a collection of kinds. Superusers only.
pub(crate) async fn serve(
    State(app): State<App>,
    caller: Result<Caller, ApiError>,
    path: Option<Segment>,
    request: Request,
) -> Result<Response, ApiError> {
    // A route that names its collection has no parameter, or one of its own.
    let is_rest = request.extensions().get::<MatchedPath>().is_some_and(|route| route.as_str().ends_with("/{*path}"));
    let path = match path {
        Some(Segment(path)) if is_rest => path,
        _ => request.uri().path().trim_start_matches('/').to_owned(),
    };
    if matches!(*request.method(), Method::GET | Method::HEAD) && !path.ends_with('/') {
        return Ok(slash(request.uri()));
    }
    let caller = caller?.superuser()?;
    let registry = app.store().snapshot().registry().clone();
    let route = Route::of(&registry, &path).ok_or_else(|| ApiError::NotFound("Not found.".into()))?;
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().map(str::to_owned);
    if !path.ends_with('/') {
        // For a change a redirect would lose the body.
        return Err(ApiError::NotFound("The path of the API ends with a slash.".into()));
    }
    let body = to_bytes(body, crate::MAX_BODY).await.map_err(|_| ApiError::TooLarge)?;
    let (method, headers) = (parts.method, parts.headers);
    let query = query.unwrap_or_default();
    let method = if method == Method::HEAD { Method::GET } else { method };
    match (&method, route.key.as_deref(), route.action.as_deref(), &route.set) {
        (&Method::GET, None, None, _) => {
            let query = read_query(&query)?;
            list(&app, &caller, &route, &query, |_| true).await
        }
        (&Method::POST, None, None, Set::Kind(kind)) => {
            let pk = put(&app, &caller, kind, None, &input(&headers, &body)?, Change::Create).await?;
            Ok((StatusCode::CREATED, Json(one(&app, &caller, pk).await?)).into_response())
        }
        (&Method::GET, Some("types"), None, Set::Family(..)) => Ok(Json(types(&route)).into_response()),
        (&Method::GET, Some(_), None, _) => Ok(Json(shown(&app, &caller, &route).await?).into_response()),
        (&Method::PUT | &Method::PATCH, Some(_), None, Set::Kind(kind)) => {
            let change = if method == Method::PUT { Change::Replace } else { Change::Patch };
            let pk = found(&app, &route)?;
            let pk = put(&app, &caller, kind, Some(pk), &input(&headers, &body)?, change).await?;
            Ok(Json(one(&app, &caller, pk).await?).into_response())
        }
        (&Method::DELETE, Some(_), None, _) => {
            let pk = found(&app, &route)?;
            delete(&app, &caller, pk).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        (&Method::GET, Some(_), Some("used_by"), _) => Ok(Json(used_by(&app, found(&app, &route)?)).into_response()),
        (_, _, Some(action), _) if action != "used_by" => Err(ApiError::NotFound("Not found.".into())),
        _ => Err(ApiError::Method(method.to_string())),
    }
}

/// A path without its last slash: readers are led to the right one.
fn slash(uri: &Uri) -> Response {
    let query = uri.query().map(|q| format!("?{q}")).unwrap_or_default();
    Redirect::permanent(&format!("/api/v3{}/{query}", uri.path())).into_response()
}

/// The JSON of a body.
pub(super) fn input(headers: &HeaderMap, body: &[u8]) -> Result<Value, ApiError> {
    if !is_json(headers) {
        return Err(ApiError::MediaType);
    }
    serde_json::from_slice(body).map_err(|e| ApiError::Parse(e.to_string()))
}

fn found(app: &App, route: &Route<'_>) -> Result<Pk, ApiError> {
    route.find(&app.store().snapshot()).ok_or_else(|| ApiError::NotFound(route.missing()))
}

/// One object, whole.
pub(super) async fn one(app: &App, caller: &Caller, pk: Pk) -> Result<Value, ApiError> {
    let snapshot = app.store().snapshot();
    let object = snapshot.object(pk).cloned().ok_or(ApiError::NotFound("Not found.".into()))?;
    let people = people(app, caller, [&object]).await?;
    Ok(Value::Object(snapshot.render(&object, &people)))
}

/// The records that objects refer to, and who looks at them.
async fn people<'a>(app: &App, caller: &Caller, objects: impl IntoIterator<Item = &'a Arc<Object>>) -> Result<People, ApiError> {
    Ok(People { viewer: Some(caller.person.user.clone()), ..app.store().people(objects).await? })
}

/// One object as its collection shows it: in a family, with the fields that all share.
async fn shown(app: &App, caller: &Caller, route: &Route<'_>) -> Result<Value, ApiError> {
    let mut value = one(app, caller, found(app, route)?).await?;
    if let (Set::Family(family, _), Value::Object(map)) = (&route.set, &mut value) {
        map.retain(|name, _| family.fields.contains(&name.as_str()));
    }
    Ok(value)
}

/// Reads the parameters of a list's URL.
pub(super) fn read_query(query: &str) -> Result<ListQuery, ApiError> {
    let pairs: Vec<(String, String)> =
        serde_urlencoded::from_str(query).map_err(|_| ApiError::Parse("the query cannot be read".into()))?;
    ListQuery::parse(pairs).map_err(bad_query)
}

pub(super) fn bad_query(bad: BadQuery) -> ApiError {
    match bad {
        BadQuery::Page => ApiError::NotFound("Invalid page.".into()),
        BadQuery::Filter(errors) => ApiError::Invalid(errors),
    }
}

/// A page of a collection, of those objects only that `keep` lets through.
pub(super) async fn list(
    app: &App,
    caller: &Caller,
    route: &Route<'_>,
    query: &ListQuery,
    keep: impl FnMut(&Object) -> bool,
) -> Result<Response, ApiError> {
    let snapshot = app.store().snapshot();
    let found = snapshot.list_where(&route.kinds(), query, keep).map_err(bad_query)?;
    let people = people(app, caller, &found.objects).await?;
    let render = |object: &Arc<Object>| {
        let mut map = snapshot.render(object, &people);
        if let Set::Family(family, _) = &route.set {
            map.retain(|name, _| family.fields.contains(&name.as_str()));
        }
        Value::Object(map)
    };
    let results: Vec<Value> = found.objects.iter().map(render).collect();
    let body = json!({ "pagination": pagination(query, found.count), "results": results, "autocomplete": {} });
    Ok(Json(body).into_response())
}

pub(super) fn pagination(query: &ListQuery, count: u64) -> Value {
    let pages = count.div_ceil(query.page_size).max(1);
    let start = (query.page - 1) * query.page_size;
    json!({
        "next": if query.page < pages { query.page + 1 } else { 0 },
        "previous": query.page - 1,
        "count": count,
        "current": query.page,
        "total_pages": pages,
        "start_index": if count == 0 { 0 } else { start + 1 },
        "end_index": (start + query.page_size).min(count),
    })
}

/// The kinds of a family that can be created.
fn types(route: &Route<'_>) -> Value {
    let kinds = route.kinds();
    let entry = |kind: &&KindInfo| {
        let meta = &kind.meta;
        json!({
            "name": meta.name, "description": meta.description, "component": meta.component, "model_name": meta.model,
            "requires_enterprise": false, "deprecated": false,
        })
    };
    kinds.iter().map(entry).collect()
}

/// What refers to an object, and what happens to it when the object is deleted.
fn used_by(app: &App, pk: Pk) -> Value {
    referrers(&app.store().snapshot(), Key::Object(pk)).into()
}

/// The objects that refer to something, as the contract shows them (`UsedBy`).
pub(super) fn referrers(snapshot: &Snapshot, target: Key) -> Vec<Value> {
    let rows = snapshot.referrers(target).filter_map(|object| {
        let info = snapshot.kind_of(object)?;
        Some(json!({
            "app": info.meta.app(), "model_name": info.meta.model_name(), "pk": address(object, info),
            "name": info.name_of(object), "action": on_delete(object, info, target),
        }))
    });
    rows.collect()
}

/// The name of what happens to `object` when `target` is deleted (`UsedByActionEnum`). Of several references the strongest counts;
/// an object that cannot be read keeps what it has.
fn on_delete(object: &Object, info: &KindInfo, target: Key) -> &'static str {
    if object.body().is_none() {
        return "left_dangling";
    }
    let edges = object.edges.iter().filter(|edge| edge.to == target);
    edges.filter_map(|edge| info.on_delete(&edge.field)).min().map_or("left_dangling", |action| action.as_str())
}

/// The key by which clients address an object.
fn address(object: &Object, info: &KindInfo) -> String {
    match info.meta.address {
        Address::Pk => object.pk.to_string(),
        Address::Field(field) => {
            let document = object.body().map(|b| b.document()).unwrap_or_default();
            document.get(field).and_then(Value::as_str).map_or_else(|| object.pk.to_string(), str::to_owned)
        }
    }
}
