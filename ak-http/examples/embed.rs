//! ak inside another program: the intranet of a small company.
//!
//! ```text
//! cargo run -p ak-http --example embed            serves on 127.0.0.1:9080
//! cargo run -p ak-http --example embed 0.0.0.0:0  serves on a free port
//! ```
//!
//! The program is an ordinary axum program with a page of its own, `/staff`. From ak it takes
//!
//! 1. the router with everything about signing in ([`App::router`]),
//! 2. a guard that lets only members of the group `staff` through ([`ak_http::guard`]),
//! 3. an extractor that tells the handler who has come ([`SignedIn`]),
//!
//! and to ak it gives a stage of its own: before a sign-in is complete, [`HouseRulesStage`] asks to accept the house rules.
//!
//! Everything is kept in memory and forgotten at the end, the administrator's password included: it is made and printed at the
//! start. A program that keeps things opens its store on another backend; nothing else changes.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use ak_flows::{
    Answer, Bootstrap, Challenge, Cx, Effect, Flow, FlowStageBinding, ResponseErrors, Stage, StageError, StageShown, Step,
};
use ak_http::pages::Renderer;
use ak_http::{App, AppParts, SignedIn, guard};
use ak_store::directory::password::{Cost, PasswordHasher};
use ak_store::memory::MemoryBackend;
use ak_store::model::{Errors, Kind, Meta, Ref, Registry, Roles, Row, Store, StoreOptions};
use ak_store::records::{Durability, Group};
use ak_store::{Rng, SystemRng};
use async_trait::async_trait;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::Html;
use axum::routing::get;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;

// ---- The stage: what is configured, what it does, what it looks like ----

/// Asks to accept the house rules. Who does not is refused.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct HouseRulesStage {
    /// Name.
    #[schemars(length(min = 1))]
    name: String,
    /// What there is to accept, rule by rule.
    rules: Vec<String>,
}

/// A kind is known by its model name and has its collection in the API: `/api/v3/stages/house_rules/`.
impl Kind for HouseRulesStage {
    const META: Meta = Meta {
        component: "acme-stage-house-rules-form",
        description: "Asks to accept the house rules.",
        ..Meta::new("acme.houserulesstage", "stages/house_rules", "House Rules Stage", "House Rules Stages")
    };

    type Shown = StageShown;

    fn shown(&self, row: &Row<'_>) -> StageShown {
        StageShown::of(row)
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Stage>(|stage| stage);
    }
}

/// The component of its challenge: the name under which its page is found.
const HOUSE_RULES: &str = "acme-stage-house-rules";

#[async_trait]
impl Stage for HouseRulesStage {
    async fn enter(&self, _: &mut Cx<'_>) -> Result<Step, StageError> {
        Ok(Step::Show(Challenge::new(HOUSE_RULES).with("rules", self.rules.clone())))
    }

    async fn respond(&self, cx: &mut Cx<'_>, answer: &Answer) -> Result<Step, StageError> {
        match answer.flag("accept") {
            Ok(Some(true)) => {
                // Kept together with the step that follows, or not at all.
                let account = cx.context.pending_user;
                cx.effects.push(Effect::event("custom_house_rules_accepted", account, json!({ "rules": self.rules.len() })));
                Ok(Step::Pass)
            }
            Ok(Some(false)) => Ok(Step::Deny(Some("You cannot come in without accepting the house rules.".into()))),
            Ok(None) => Ok(Step::Retry(ResponseErrors::whole("Please choose.", "required"))),
            Err(errors) => Ok(Step::Retry(errors)),
        }
    }
}

/// The page of the challenge. It fills blocks of `flow.html`, which brings the form, the errors and the look of the brand.
const HOUSE_RULES_PAGE: &str = r#"{% extends "flow.html" %}
{% block heading %}House rules{% endblock %}
{% block intro %}
<div class="prose">
<p>Before you come in, please accept our house rules.</p>
<ul>{% for rule in challenge.rules %}<li>{{ rule }}</li>{% endfor %}</ul>
</div>
{% endblock %}
{% block actions %}
<button class="button primary" type="submit" name="accept" value="true">I accept</button>
<button class="button" type="submit" name="accept" value="false">I do not accept</button>
{% endblock %}"#;

// ---- The program: its own page beside everything that ak serves ----

/// Its page. [`guard`] stands before it, so there is somebody, and she is in the group.
async fn staff(SignedIn(person): SignedIn) -> Html<String> {
    let groups: Vec<&str> = person.groups.iter().map(|group| group.name.as_str()).collect();
    Html(format!(
        "<!doctype html><title>Staff</title><h1>Staff only</h1><p>Hello, {}. You are in: {}.</p>",
        escaped(&person.user.username),
        escaped(&groups.join(", ")),
    ))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// Everything that the program serves.
pub(crate) fn intranet(app: &App) -> Router {
    let own = Router::new().route("/staff", get(staff)).route_layer(from_fn_with_state(app.guard(Some("staff")), guard));
    app.router().merge(app.layer(own))
}

/// Opens ak: the product's kinds and our own, a first administrator with this password, and what the company adds to that.
pub(crate) async fn open(password: &str) -> Result<App, Box<dyn Error>> {
    let kinds = ak_http::kinds(Registry::new()).with::<HouseRulesStage>().build()?;
    let rng: Arc<dyn Rng> = Arc::new(SystemRng);
    // Signs cookies, so it changes only where the sessions are forgotten too.
    let secret_key = rng.token(48);
    let store = Store::open(StoreOptions::new(Arc::new(MemoryBackend::new()), kinds, &secret_key)).await?;
    let hasher = PasswordHasher::new(Cost::default());
    let bootstrap = Bootstrap { password: Some(password.to_owned()), ..Bootstrap::default() };
    if ak_flows::set_up(&ak_http::blueprints(store.clone(), hasher.clone()), &hasher, &bootstrap).await? {
        furnish(&store).await?;
    }
    let renderer = Renderer::new()?.with_template(HOUSE_RULES, HOUSE_RULES_PAGE)?;
    Ok(App::new(AppParts { renderer, ..AppParts::new(store, hasher, &secret_key)? }))
}

/// What the company adds to the default objects, in one transaction: the stage in the flow for signing in, between the password
/// (20) and the sign-in itself (100), and the group `staff` with the administrator in it.
async fn furnish(store: &Store) -> Result<(), Box<dyn Error>> {
    let mut unit = store.begin(Durability::Full).await?;
    unit.write(|draft| {
        let (flow, _) = draft
            .snapshot()
            .by::<Flow>("slug", "default-authentication-flow")
            .ok_or_else(|| Errors::whole("there is no flow for signing in", "invalid"))?;
        let rules = ["Feed the cat.", "The last one out switches off the light."].map(str::to_owned).to_vec();
        let stage = draft.add(&HouseRulesStage { name: "house-rules".into(), rules })?;
        draft.add(&FlowStageBinding::new(flow, Ref::new(stage.pk()), 30)).map(drop)
    })?;
    let staff = Group::named(store.rng().uuid(), "staff", store.clock().now());
    let records = unit.records();
    records.groups().add(&staff).await?;
    if let Some(administrator) = records.users().find_by_username("akadmin").await? {
        records.groups().add_member(staff.pk, administrator.pk).await?;
    }
    Ok(unit.save().await?)
}

/// Serves on a socket. The peer's address comes along: without it every visitor would look the same in the log.
pub(crate) async fn serve(listener: TcpListener, app: &App) -> std::io::Result<()> {
    axum::serve(listener, intranet(app).into_make_service_with_connect_info::<SocketAddr>()).await
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "this is what the person at the keyboard needs to know")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9080".to_owned());
    let rng: Arc<dyn Rng> = Arc::new(SystemRng);
    let password = rng.token(9);
    let app = open(&password).await?;
    let listener = TcpListener::bind(&address).await?;
    println!("http://{}/staff: sign in as akadmin with the password {password}", listener.local_addr()?);
    Ok(serve(listener, &app).await?)
}
