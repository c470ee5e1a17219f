//! The ways in and out: `/`, `/if/user/`, and the short ways to flows.

use ak_flows::initial_setup::{self, INITIAL_SETUP};
use ak_flows::stages::PasswordStage;
use ak_flows::{Brand, Designation, Flow, FlowStageBinding, Input, Stage, Visit};
use ak_policy::{Application, Context, Decision, Denial, Request, decide};
use ak_store::directory::Person;
use ak_store::model::{Key, Pk, Ref, Snapshot};
use ak_store::records::{Page, SessionFilter, UserType};
use axum::extract::{Extension, OriginalUri, RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use crate::app::App;
use crate::client::Origin;
use crate::error::ApiError;
use crate::extract::{Segment, is_navigation, visitor};
use crate::flow_pages::{parameter, see_other};
use crate::pages::{ApplicationView, SectionView, SessionView, UserView, headers};
use crate::view::{Look, html};

/// Why a page cannot be shown; becomes a page.
pub(crate) struct PageError(App, Origin, ApiError);

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let Self(app, origin, error) = self;
        let look = Look::of(&app, &origin);
        match error.status() {
            StatusCode::NOT_FOUND => app.not_found_page(&look),
            status => app.failed_page(&look, status, ""),
        }
    }
}

/// Makes a page of an error.
pub(crate) fn page_error<E: Into<ApiError>>(app: &App, origin: &Origin) -> impl FnOnce(E) -> PageError {
    let (app, origin) = (app.clone(), origin.clone());
    move |error| PageError(app, origin, error.into())
}

/// `GET /`: to the set-up while no administrator can sign in, then to one's own page or to signing in.
pub(crate) async fn root(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    if app.needs_setup().await.map_err(page_error(&app, &origin))? {
        return Ok(see_other(&format!("/if/flow/{INITIAL_SETUP}/")));
    }
    let visit = app.visit(&headers, &origin).await.map_err(page_error(&app, &origin))?;
    Ok(see_other(if visit.person.is_some() { "/if/user/" } else { "/flows/-/default/authentication/?next=%2F" }))
}

impl App {
    /// Whether the initial set-up is still to be done, and there is a flow for it. Once it is not, the answer stays.
    pub async fn needs_setup(&self) -> ak_store::Result<bool> {
        use std::sync::atomic::Ordering::Relaxed;
        if self.is_set_up.load(Relaxed) {
            return Ok(false);
        }
        let open = initial_setup::is_open(self.store()).await?;
        self.is_set_up.store(!open, Relaxed);
        Ok(open && self.store().snapshot().by::<Flow>("slug", INITIAL_SETUP).is_some())
    }
}

/// The way to sign in and come back to `uri`, its query included.
pub(crate) fn sign_in_for(uri: &Uri) -> String {
    let wanted = uri.path_and_query().map_or("/", |p| p.as_str());
    let next = serde_urlencoded::to_string([("next", wanted)]).unwrap_or_default();
    format!("/flows/-/default/authentication/?{next}")
}

/// `GET /if/user/`: the page of who has signed in.
pub(crate) async fn user(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let visit = app.visit(&headers, &origin).await.map_err(page_error(&app, &origin))?;
    let Some(person) = &visit.person else { return Ok(see_other(&sign_in_for(&uri))) };
    if let Some(elsewhere) = only_application(&app, &origin, person).await.map_err(page_error(&app, &origin))? {
        return Ok(elsewhere);
    }
    let applications = applications(&app, &origin, person).await.map_err(page_error(&app, &origin))?;
    let sessions = sessions(&app, &visit, person.user.pk).await.map_err(page_error(&app, &origin))?;
    let user = UserView {
        name: person.user.name.clone(),
        username: person.user.username.clone(),
        email: person.user.email.clone(),
        initials: ak_flows::avatar::letters(if person.user.name.is_empty() { &person.user.username } else { &person.user.name }),
        avatar_url: ak_flows::avatar::own(&person.user).map(str::to_owned),
        groups: person.groups.iter().map(|g| g.name.clone()).collect(),
        applications,
        sessions,
        settings_url: app.own_flow(&origin, |brand, _| brand.flow_user_settings),
        password_url: app.own_flow(&origin, password_flow),
    };
    let look = Look::of(&app, &origin);
    let page = app.renderer.user_page(&look.page(), &user, "/flows/-/default/invalidation/");
    Ok(html(StatusCode::OK, headers::PAGE_CSP, page))
}

/// Where people from outside are led instead of a page of their own: to the brand's application, if there is one.
async fn only_application(app: &App, origin: &Origin, person: &Person) -> ak_store::Result<Option<Response>> {
    let external = person.user.r#type == UserType::External;
    let Some((at, url)) = default_application(app, origin, person).filter(|_| external) else { return Ok(None) };
    let request = request(app, origin, Some(person));
    let decision = decided(app, at.pk(), &request).await?;
    if decision.passing {
        return Ok(Some(see_other(url.as_str())));
    }
    let denial = Denial::of_application(&request.snapshot.name_of(at.pk()), &request, decision);
    Ok(Some(app.denied_page(origin, &denial).await))
}

/// The brand's application, and where it is, as that can stand in a header: names of hosts in ASCII.
fn default_application(app: &App, origin: &Origin, person: &Person) -> Option<(Ref<Application>, url::Url)> {
    let snapshot = app.store().snapshot();
    let (_, brand) = Brand::of_host(&snapshot, origin.host_name())?;
    let at = brand.default_application?;
    let url = snapshot.get(at)?.launch_url(&snapshot, Some(&person.user), app.store().install_id())?;
    Some((at, url::Url::parse(&url).ok()?))
}

/// Decides, and keeps the events of the decision.
async fn decided(app: &App, target: Pk, request: &Request) -> ak_store::Result<Decision> {
    let decision = decide(target, request).await;
    app.runner.note_decisions(request, [&decision]).await?;
    Ok(decision)
}

/// What is asked about a person outside flows.
fn request(app: &App, origin: &Origin, person: Option<&Person>) -> Request {
    let request = Request::new(Snapshot::clone(&app.store().snapshot()), app.runner.services().clone()).of(person);
    Request { client_ip: origin.ip, ..request }
}

/// What a person may open, under its headings; what has none comes first.
async fn applications(app: &App, origin: &Origin, person: &Person) -> ak_store::Result<Vec<SectionView>> {
    let request = request(app, origin, Some(person));
    let mut sections: Vec<SectionView> = Vec::new();
    let (open, decisions) = Application::of_person(&request).await;
    app.runner.note_decisions(&request, &decisions).await?;
    for (_, application) in open {
        let view = ApplicationView {
            name: application.name.clone(),
            initial: application.name.chars().next().map(|c| c.to_uppercase().collect()).unwrap_or_default(),
            icon_url: application.icon_url().map(str::to_owned),
            url: application.launch_url(&request.snapshot, Some(&person.user), app.store().install_id()).unwrap_or_default(),
            new_tab: application.open_in_new_tab,
            description: application.meta_description.clone(),
            publisher: application.meta_publisher.clone(),
        };
        match sections.last_mut().filter(|section| section.name.to_lowercase() == application.group.to_lowercase()) {
            Some(section) => section.applications.push(view),
            None => sections.push(SectionView { name: application.group.clone(), applications: vec![view] }),
        }
    }
    Ok(sections)
}

/// The flow in which a person changes the password that she signs in with.
fn password_flow(brand: &Brand, snapshot: &Snapshot) -> Option<Ref<Flow>> {
    let bindings = snapshot.referring::<FlowStageBinding>(Key::from(brand.flow_authentication?));
    let mut bindings: Vec<_> = bindings.filter_map(Result::ok).map(|(_, binding)| binding).collect();
    bindings.sort_by_key(|binding| binding.order);
    bindings.into_iter().find_map(|binding| snapshot.get(Ref::<PasswordStage>::new(binding.stage.pk()))?.configure_flow)
}

impl App {
    /// The address of a flow of the host's brand in which who has signed in changes something of her own; it leads back to her page.
    fn own_flow(&self, origin: &Origin, choose: impl FnOnce(&Brand, &Snapshot) -> Option<Ref<Flow>>) -> Option<String> {
        let snapshot = self.store().snapshot();
        let (_, brand) = Brand::of_host(&snapshot, origin.host_name())?;
        let flow = snapshot.get(choose(brand, &snapshot)?)?;
        Some(format!("/if/flow/{}/?next=%2Fif%2Fuser%2F", flow.slug))
    }
}

/// Where the account is signed in: this session first, then the one that was used last. Twenty are enough to look at.
async fn sessions(app: &App, visit: &Visit, user: i64) -> ak_store::Result<Vec<SessionView>> {
    let filter = SessionFilter { user: Some(user), valid_at: Some(app.store().clock().now()), ..SessionFilter::default() };
    let mut sessions = app.store().read().await?.sessions().list(&filter, Page::first(100)).await?;
    let own = visit.session.as_ref().map(|s| s.id);
    sessions.sort_by_key(|s| (own != Some(s.id), std::cmp::Reverse(s.last_used)));
    let view = |session: ak_store::records::Session| SessionView {
        device: crate::device::in_words(&session.last_user_agent),
        address: session.last_ip.map(|ip| ip.to_string()).unwrap_or_default(),
        last_used: session.last_used.format("%Y-%m-%d %H:%M UTC").to_string(),
        current: own == Some(session.id),
    };
    Ok(sessions.into_iter().take(20).map(view).collect())
}

/// `GET /flows/-/default/<designation>/`: to the brand's flow, else to the first by slug whose policies let the person through.
pub(crate) async fn default_flow(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    Segment(designation): Segment,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let visit = app.visit(&headers, &origin).await.map_err(page_error(&app, &origin))?;
    let found = match Designation::parse(&designation) {
        Some(designation) => app.default_flow(&visit, &origin, designation).await.map_err(page_error(&app, &origin))?,
        None => None,
    };
    let Some(slug) = found else {
        return Ok(app.not_found_page(&Look::of(&app, &origin)));
    };
    let query = query.filter(|q| !q.is_empty()).map(|q| format!("?{q}")).unwrap_or_default();
    Ok(see_other(&format!("/if/flow/{slug}/{query}")))
}

impl App {
    pub(crate) async fn default_flow(
        &self,
        visit: &Visit,
        origin: &Origin,
        designation: Designation,
    ) -> ak_store::Result<Option<String>> {
        let snapshot = self.store().snapshot();
        let brand = Brand::of_host(&snapshot, origin.host_name());
        if let Some(flow) = brand.and_then(|(_, b)| b.flow(designation)).and_then(|to| snapshot.get(to)) {
            return Ok(Some(flow.slug.clone()));
        }
        let request = request(self, origin, visit.person.as_ref());
        let flows = snapshot.all::<Flow>().filter(|(_, flow)| flow.designation == designation);
        let mut flows: Vec<(&str, Ref<Flow>)> = flows.map(|(at, flow)| (flow.slug.as_str(), at)).collect();
        flows.sort_unstable_by_key(|(slug, _)| *slug);
        for (slug, at) in flows {
            if decided(self, at.pk(), &request).await?.passing {
                return Ok(Some(slug.to_owned()));
            }
        }
        Ok(None)
    }
}

/// `GET /flows/-/cancel/`: the flow under way is given up; on to `next`, if it is on this server, else to the start.
pub(crate) async fn cancel(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let visit = app.visit(&headers, &origin).await.map_err(page_error(&app, &origin))?;
    let meant = method != Method::HEAD && is_navigation(&headers) && !origin.is_cross_site(&headers);
    if let Some(session) = visit.session.filter(|s| s.plan.is_some() && meant) {
        app.runner.cancel(&session).await.map_err(page_error(&app, &origin))?;
    }
    let next = parameter(&query.unwrap_or_default(), "next").and_then(|n| ak_flows::next::relative(&n));
    Ok(see_other(next.as_deref().unwrap_or("/")))
}

/// `GET /flows/-/configure/<stage>/`: to the flow in which who has signed in sets up a stage for herself.
pub(crate) async fn configure(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    Segment(stage): Segment,
    OriginalUri(uri): OriginalUri,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let Ok(stage) = Uuid::parse_str(&stage) else { return Ok(app.not_found_page(&Look::of(&app, &origin))) };
    if !is_navigation(&headers) {
        return Err(page_error(&app, &origin)(ApiError::Forbidden));
    }
    let headers = visitor(&method, headers);
    let visit = app.visit(&headers, &origin).await.map_err(page_error(&app, &origin))?;
    let Some(person) = &visit.person else { return Ok(see_other(&sign_in_for(&uri))) };
    let snapshot = app.store().snapshot();
    let stage = snapshot.get(Ref::<dyn Stage>::new(Pk::of_uuid(stage)));
    let Some(flow) = stage.and_then(Stage::configured_by).and_then(|(to, _)| snapshot.get(to)) else {
        return Ok(app.not_found_page(&Look::of(&app, &origin)));
    };
    let context = Context { pending_user: Some(person.user.pk), ..Context::default() };
    let outcome = app.runner.run_with(&visit, &flow.slug, Input::default(), context).await;
    let outcome = outcome.map_err(page_error(&app, &origin))?;
    let mut response = see_other(&format!("/if/flow/{}/", flow.slug));
    app.set_cookie(&mut response, &origin, &outcome.cookie).map_err(page_error(&app, &origin))?;
    Ok(response)
}
