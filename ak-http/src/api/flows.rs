//! Flows beyond their collection: their drawing, a way to try them, and a look into one that is under way.

use ak_flows::{Flow, FlowStageBinding, Passed, Plan, RunError, diagram as draw, is_secret, shown_context};
use ak_policy::{Context, PolicyBinding};
use ak_store::model::{Errors, Key, Object, People, Pk, Ref, Snapshot};
use axum::Json;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use uuid::Uuid;

use crate::app::App;
use crate::auth::Caller;
use crate::client::Origin;
use crate::error::ApiError;
use crate::extract::Segment;

/// `GET …/diagram/`: the flow as a chart in Mermaid's language. Superusers only.
pub(super) async fn diagram(State(app): State<App>, caller: Caller, Segment(slug): Segment) -> Result<Response, ApiError> {
    caller.superuser()?;
    let snapshot = app.store().snapshot();
    let (at, _) = find(&snapshot, &slug)?;
    let people = app.store().people(&guards(&snapshot, at)).await?;
    Ok(Json(json!({ "diagram": draw(&snapshot, at, &people) })).into_response())
}

fn find<'a>(snapshot: &'a Snapshot, slug: &str) -> Result<(Ref<Flow>, &'a Flow), ApiError> {
    snapshot.by::<Flow>("slug", slug).ok_or_else(|| ApiError::NotFound("No Flow matches the given query.".into()))
}

/// The bindings of people and policies to a flow and to its stages.
fn guards(snapshot: &Snapshot, flow: Ref<Flow>) -> Vec<Arc<Object>> {
    let stages = snapshot.referring::<FlowStageBinding>(flow).filter_map(Result::ok).map(|(at, _)| at.pk());
    let targets = std::iter::once(flow.pk()).chain(stages);
    let is_guard = |object: &&Arc<Object>| snapshot.view::<PolicyBinding>(object).is_some();
    targets.flat_map(|target| snapshot.referrers(Key::Object(target)).filter(is_guard).cloned().collect::<Vec<_>>()).collect()
}

/// `GET …/execute/`: puts a plan of the flow about the caller into her browser's session, and answers the address at which it goes
/// on. A caller with a token has no browser here: she gets the address alone. Superusers only.
pub(super) async fn execute(
    State(app): State<App>,
    caller: Caller,
    Extension(origin): Extension<Origin>,
    Segment(slug): Segment,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let caller = caller.superuser()?;
    // It changes what the browser does next: no other site may bring that about.
    if origin.is_cross_site(&headers) {
        return Err(ApiError::Csrf);
    }
    let mut visit = app.visit(&headers, &origin).await?;
    if caller.session.is_none() {
        visit.session = None;
    }
    visit.person = Some(caller.person.clone());
    let context = Context { pending_user: Some(caller.person.user.pk), ..Context::default() };
    match app.runner.seed(&visit, &slug, context).await {
        Ok(Ok(())) => {}
        Ok(Err(refusal)) => {
            let told = std::iter::once(&refusal.reason).chain(&refusal.messages);
            let mut errors = Errors::default();
            told.for_each(|message| errors.at(&[], format!("Flow not applicable to current user/request: {message}"), "invalid"));
            return Err(ApiError::Invalid(errors));
        }
        Err(RunError::NoFlow) => return Err(ApiError::NotFound("No Flow matches the given query.".into())),
        Err(error) => return Err(error.into()),
    }
    let query = query.filter(|q| !q.is_empty()).map(|q| format!("?{q}")).unwrap_or_default();
    Ok(Json(json!({ "link": format!("{}/if/flow/{slug}/{query}", origin.base()) })).into_response())
}

/// `GET …/cache_info/`: how many plans are cached: none, since making one takes microseconds. Superusers only.
pub(super) async fn cache_info(caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.superuser()?;
    Ok(Json(json!({ "count": 0 })))
}

/// `POST …/cache_clear/`: there is nothing to clear. Superusers only.
pub(super) async fn cache_clear(caller: Caller) -> Result<StatusCode, ApiError> {
    caller.superuser()?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/v3/flows/inspector/<slug>/`: where the caller's browser stands in a flow, and what is behind it. Superusers only.
pub(super) async fn inspect(
    State(app): State<App>,
    caller: Caller,
    Extension(origin): Extension<Origin>,
    Segment(slug): Segment,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    caller.superuser()?;
    let snapshot = app.store().snapshot();
    let (at, _) = find(&snapshot, &slug)?;
    let session = app.visit(&headers, &origin).await?.session;
    let nothing = || ApiError::Invalid(Errors::whole("In this session the flow was not begun.", "invalid"));
    let session = session.ok_or_else(nothing)?;
    let passed = Passed::of_session(&session.data, at.pk());
    let plan = session.plan.as_ref().and_then(Plan::read).filter(|plan| plan.flow_pk() == at.pk());
    let now = plan.as_ref().map(|plan| Passed {
        flow: plan.flow,
        binding: plan.steps.first().map_or(Uuid::nil(), |step| step.binding),
        next: plan.steps.get(1).map(|step| step.binding),
        context: shown_context(&plan.context),
    });
    let current = now.as_ref().or(passed.last()).ok_or_else(nothing)?;
    let view = View { snapshot: &snapshot, session: hex::encode(Sha256::digest(session.id)), hidden: hidden(&snapshot) };
    let plans: Vec<Value> = passed.iter().map(|passed| view.plan(passed)).collect();
    let body = json!({ "plans": plans, "current_plan": view.plan(current), "is_completed": plan.is_none() });
    Ok(Json(body).into_response())
}

/// What all plans of an inspection share.
struct View<'a> {
    snapshot: &'a Snapshot,
    /// An id for the session from which its key cannot be told.
    session: String,
    /// Names under which people type secrets.
    hidden: Vec<String>,
}

impl View<'_> {
    /// A plan as the contract shows it (`FlowInspectorPlan`). The contract gives no value for "no stage comes next": it is null.
    fn plan(&self, passed: &Passed) -> Value {
        json!({
            "current_stage": self.binding(passed.binding),
            "next_planned_stage": passed.next.map_or(Value::Null, |next| self.binding(next)),
            "plan_context": self.without_hidden(&passed.context),
            "session_id": self.session,
        })
    }

    fn binding(&self, pk: Uuid) -> Value {
        let object = self.snapshot.object(Pk::of_uuid(pk));
        object.map_or(Value::Null, |object| Value::Object(self.snapshot.render(object, &People::default())))
    }

    fn without_hidden(&self, map: &Map<String, Value>) -> Map<String, Value> {
        let one = |(name, value): (&String, &Value)| {
            let value = match value {
                _ if is_secret(name) || self.hidden.contains(name) => Value::from("******"),
                Value::Object(map) => Value::Object(self.without_hidden(map)),
                other => other.clone(),
            };
            (name.clone(), value)
        };
        map.iter().map(one).collect()
    }
}

/// The keys of prompts whose input is not shown.
fn hidden(snapshot: &Snapshot) -> Vec<String> {
    let Some(prompts) = snapshot.registry().by_path("stages/prompt/prompts") else { return Vec::new() };
    let documents = snapshot.keys(prompts.index).filter_map(|pk| Some(snapshot.object(pk)?.body()?.document()));
    let secret = documents.filter(|d| matches!(d.get("type").and_then(Value::as_str), Some("password" | "hidden")));
    secret.filter_map(|d| d.get("field_key").and_then(Value::as_str).map(str::to_owned)).collect()
}
