//! Which applications a person may open, and why.

use std::collections::BTreeSet;

use ak_policy::{Application, Request, decide, decide_many};
use ak_store::directory::Person;
use ak_store::model::{Errors, Kind, ListQuery, Object, Pk, Snapshot};
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};

use super::collection::{list as page, read_query};
use super::policies::test_result;
use super::route::Route;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::Segment;

/// `GET /api/v3/core/applications/`: the applications that the caller may open, by their bindings.
///
/// Besides filters there are `superuser_full_list` (all of them, for superusers), `for_user` (what that account may open, for
/// superusers) and `only_with_launch_url`.
pub(super) async fn list(State(app): State<App>, caller: Caller, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let mut query = read_query(&query.unwrap_or_default())?;
    let everything = flag(&mut query, "superuser_full_list")? && caller.person.is_superuser();
    let openable = flag(&mut query, "only_with_launch_url")?;
    let for_user = take(&mut query, "for_user");
    let person = person(&app, &caller, for_user.as_deref()).await?;
    let snapshot = app.store().snapshot();
    let route = Route::of(snapshot.registry(), Application::META.path).ok_or(ApiError::Internal)?;
    let request = request(&app, &caller, &snapshot, &person);
    let allowed: BTreeSet<Pk> = if everything {
        BTreeSet::new()
    } else {
        let all = snapshot.all::<Application>().map(|(at, _)| at.pk());
        let decided = decide_many(all, &request).await;
        app.runner.note_decisions(&request, decided.iter().map(|(_, decision)| decision)).await?;
        decided.into_iter().filter(|(_, decision)| decision.passing).map(|(pk, _)| pk).collect()
    };
    let keep = |object: &Object| {
        let launches = || snapshot.view::<Application>(object).is_some_and(|a| a.leads_somewhere(&snapshot));
        (!openable || launches()) && (everything || allowed.contains(&object.pk))
    };
    page(&app, &caller, &route, &query, keep).await
}

/// `GET /api/v3/core/applications/{slug}/check_access/`: whether the caller (or, for superusers, the account `for_user`) may open
/// an application. Superusers see why.
pub(super) async fn check_access(
    State(app): State<App>,
    caller: Caller,
    Segment(slug): Segment,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let mut query = read_query(&query.unwrap_or_default())?;
    let for_user = take(&mut query, "for_user");
    let person = person(&app, &caller, for_user.as_deref()).await?;
    let snapshot = app.store().snapshot();
    let (at, _) = snapshot
        .by::<Application>("slug", &slug)
        .ok_or_else(|| ApiError::NotFound("No Application matches the given query.".into()))?;
    let request = request(&app, &caller, &snapshot, &person);
    let decision = decide(at.pk(), &request).await;
    app.runner.note_decisions(&request, [&decision]).await?;
    Ok(Json(test_result(&decision, request.now, caller.person.is_superuser())).into_response())
}

fn request(app: &App, caller: &Caller, snapshot: &Snapshot, person: &Person) -> Request {
    let request = Request::new(snapshot.clone(), app.runner.services().clone()).of(Some(person));
    Request { client_ip: caller.ip, ..request }
}

/// About whom it is asked: the caller, or for superusers the account with the key `for_user`.
async fn person(app: &App, caller: &Caller, for_user: Option<&str>) -> Result<Person, ApiError> {
    let Some(for_user) = for_user.filter(|text| !text.is_empty()) else { return Ok(caller.person.clone()) };
    let wrong = |message: &str| ApiError::Invalid(Errors::field("for_user", message, "invalid"));
    let pk: i64 = for_user.parse().map_err(|_| wrong("for_user must be numerical"))?;
    if pk != caller.person.user.pk && !caller.person.is_superuser() {
        return Err(ApiError::Forbidden);
    }
    app.runner.directory().person(pk).await?.ok_or_else(|| wrong("User not found"))
}

/// The last value of a parameter, which is no filter any more.
fn take(query: &mut ListQuery, name: &str) -> Option<String> {
    let (taken, rest) = std::mem::take(&mut query.filters).into_iter().partition::<Vec<_>, _>(|(n, _)| n == name);
    query.filters = rest;
    taken.into_iter().next_back().map(|(_, value)| value)
}

/// The value of a yes-or-no parameter; left out, it is a no.
pub(super) fn flag(query: &mut ListQuery, name: &str) -> Result<bool, ApiError> {
    match take(query, name).as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("" | "false" | "0") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(_) => Err(ApiError::Invalid(Errors::field(name, "Must be a valid boolean.", "invalid"))),
    }
}
