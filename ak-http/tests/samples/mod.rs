//! One or more samples of every page.

use ak_http::pages::{
    ApplicationView, BrandView, ErrorView, FlowForm, FooterLink, Page, RecoveryView, Renderer, SectionView, SessionView, Theme,
    UserView,
};
use serde_json::{Value, json};

/// Text that would run, close an attribute or close a tag if it were not escaped.
pub(crate) const HOSTILE: &str = "\"'><script>alert(1)</script><b>{{ 7 * 7 }}";
const HOSTILE_URL: &str = "java\nscript:alert(1)//<script>";

/// A picture for the layouts.
pub(crate) const BACKGROUND: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1600 1000" preserveAspectRatio="xMidYMid slice">
<rect width="1600" height="1000" fill="#23405e"/><circle cx="1200" cy="260" r="120" fill="#f0d9a8"/>
<path d="M0 700L400 420l320 260 300-340 580 420v240H0z" fill="#2f5d62"/><path d="M0 820l500-200 420 160 680-220v440H0z" fill="#16323a"/></svg>"##;

/// A source's icon.
const ICON: &str = "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHZpZXdCb3g9IjAgMCAyMCAyMCI+PGNpcmNsZSBjeD0iMTAiIGN5PSIxMCIgcj0iOCIgZmlsbD0iIzdDNUNGQyIvPjxwYXRoIGQ9Ik02IDEwaDhNMTAgNnY4IiBzdHJva2U9IiNmZmYiIHN0cm9rZS13aWR0aD0iMiIvPjwvc3ZnPg==";

/// A page and its name.
pub(crate) struct Sample {
    /// The name of the file.
    pub(crate) name: String,
    /// The page.
    pub(crate) html: String,
}

/// Pages as people meet them.
pub(crate) fn ordinary() -> Vec<Sample> {
    let plain = BrandView { title: "authentik".into(), footer_links: footer(), ..BrandView::default() };
    let branded = BrandView {
        title: "Alpine Works".into(),
        css_url: Some("brand.css".into()),
        background: Some("background.svg".into()),
        footer_links: footer(),
        ..BrandView::default()
    };
    let mut samples = Vec::new();
    for (name, challenge) in challenges() {
        samples.push(flow(name, &plain, Theme::Automatic, &challenge));
    }
    let challenges = challenges();
    let sign_in = &challenges.iter().find(|(name, _)| *name == "identification").unwrap().1;
    let sign_in_plain = &challenges.iter().find(|(name, _)| *name == "identification-plain").unwrap().1;
    samples.push(flow("dark", &plain, Theme::Dark, sign_in));
    samples.push(flow("branded", &branded, Theme::Light, sign_in));
    samples.push(flow("branded-dark", &branded, Theme::Dark, sign_in_plain));
    for layout in ["content_left", "content_right", "sidebar_left", "sidebar_right", "sidebar_left_frame_background"] {
        let mut challenge = sign_in_plain.clone();
        challenge["flow_info"]["layout"] = layout.into();
        samples.push(flow(&format!("layout-{layout}"), &branded, Theme::Automatic, &challenge));
    }
    samples.extend(others(&plain, ""));
    samples
}

/// The same pages, every text and every URL of them hostile.
pub(crate) fn hostile() -> Vec<Sample> {
    let url = || Some(HOSTILE_URL.to_owned());
    let brand = BrandView {
        title: HOSTILE.into(),
        logo_url: url(),
        logo_dark_url: url(),
        favicon_url: url(),
        css_url: url(),
        custom_css_url: url(),
        background: url(),
        theme: Theme::Automatic,
        footer_links: vec![FooterLink { name: HOSTILE.into(), href: url() }],
    };
    let mut samples = Vec::new();
    for (name, mut challenge) in challenges() {
        let component = challenge["component"].clone();
        poison(&mut challenge, "");
        challenge["component"] = component;
        samples.push(flow(&format!("{name}-hostile"), &brand, Theme::Automatic, &challenge));
    }
    samples.extend(others(&brand, HOSTILE));
    samples
}

/// Replaces texts by what their key suggests; keeps what selects a shape.
fn poison(value: &mut Value, key: &str) {
    match value {
        Value::String(text) if !["user_fields", "type", "field_key", "shape"].contains(&key) => {
            let is_url =
                ["to", "background", "light", "dark", "icon_url", "pending_user_avatar"].contains(&key) || key.ends_with("_url");
            *text = if is_url { HOSTILE_URL } else { HOSTILE }.into();
        }
        Value::Array(items) => items.iter_mut().for_each(|item| poison(item, key)),
        Value::Object(entries) => entries.iter_mut().for_each(|(key, item)| poison(item, key)),
        _ => {}
    }
}

fn footer() -> Vec<FooterLink> {
    let link = |name: &str, href: &str| FooterLink { name: name.into(), href: Some(href.into()) };
    vec![link("Help desk", "https://help.example.com/"), link("Privacy", "https://example.com/privacy")]
}

fn flow(name: &str, brand: &BrandView, theme: Theme, challenge: &Value) -> Sample {
    let page = Page { theme, request_id: "0f3c9a7e51d24b6f", ..Page::new(brand) };
    let form = FlowForm {
        action: "/if/flow/default-authentication-flow/?next=%2Fif%2Fuser%2F",
        turn: 7,
        csrf: "token",
        sign_out_url: "/flows/-/default/invalidation/",
        back_url: "/if/user/",
        ..FlowForm::default()
    };
    let html = Renderer::new().unwrap().flow_page(&page, challenge, &form).unwrap();
    Sample { name: name.to_owned(), html }
}

fn others(brand: &BrandView, suffix: &str) -> Vec<Sample> {
    let renderer = Renderer::new().unwrap();
    let page = Page { request_id: "0f3c9a7e51d24b6f", ..Page::new(brand) };
    let text = |text: &str| format!("{text}{suffix}");
    let (heading, message) = (text("Page not found"), text("There is nothing at this address."));
    let error = ErrorView { status: 404, heading: &heading, message: &message, retry_url: "", home_url: "/" };
    let broken = ErrorView { status: 503, heading: "Not available", message: &message, retry_url: "/if/user/", home_url: "/" };
    let name = text("Jane Doe");
    let recovery = RecoveryView { name: &name, action: "/recovery/use-token/x/", csrf: "token", minutes_left: 28 };
    let session = |device: &str, current| SessionView {
        device: text(device),
        address: "2001:db8::17".into(),
        last_used: "2 days ago".into(),
        current,
    };
    let application = |name: &str, description: &str, new_tab: bool| ApplicationView {
        name: text(name),
        initial: text(name).chars().take(1).collect(),
        icon_url: new_tab.then(|| if suffix.is_empty() { ICON.to_owned() } else { HOSTILE_URL.to_owned() }),
        url: "https://app.example.com/".into(),
        new_tab,
        description: text(description),
        publisher: text("Grafana Labs"),
    };
    let hidden = ApplicationView { url: HOSTILE_URL.into(), ..application("Nowhere", "", false) };
    let first = vec![application("Grafana", "Dashboards for everything that runs and some of what does not", true), hidden];
    let section = |name: &str, applications| SectionView { name: text(name), applications };
    let user = UserView {
        applications: vec![section("", first), section("Media", vec![application("Jellyfin", "", false)])],
        name: name.clone(),
        username: text("jane"),
        email: text("jane@example.com"),
        settings_url: Some(if suffix.is_empty() { "/if/flow/settings/".into() } else { HOSTILE_URL.into() }),
        password_url: Some(if suffix.is_empty() { "/if/flow/password/".into() } else { HOSTILE_URL.into() }),
        groups: vec![text("Engineering"), text("On call"), text("authentik Admins")],
        sessions: vec![session("Firefox on Linux", true), session("Safari on iPhone", false)],
        ..UserView::default()
    };
    let sample = |name: &str, html| Sample { name: name.to_owned(), html };
    vec![
        sample("error-404", renderer.error_page(&page, &error).unwrap()),
        sample("error-503", renderer.error_page(&page, &broken).unwrap()),
        sample("recovery", renderer.recovery_page(&page, &recovery).unwrap()),
        sample("user", renderer.user_page(&page, &user, "/flows/-/default/invalidation/").unwrap()),
    ]
}

fn challenges() -> Vec<(&'static str, Value)> {
    let info = json!({"title": "Welcome to authentik!", "layout": "stacked", "cancel_url": "/flows/-/cancel/", "background": "",
        "background_themed_urls": null});
    let base = |component: &str, extra: Value| {
        let mut challenge = json!({"component": component, "flow_info": info, "response_errors": {},
            "pending_user": "jane.doe@example.com", "pending_user_avatar": ""});
        challenge.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        challenge
    };
    let source = |name: &str, promoted| json!({"name": name, "icon_url": ICON, "promoted": promoted, "challenge": {"component": "xak-flow-redirect", "to": "/source/oauth/login/x/"}});
    let plain = json!({"user_fields": ["email", "username"], "password_fields": false, "flow_designation": "authentication",
        "primary_action": "Log in", "show_source_labels": false, "sources": [], "recovery_url": "/if/flow/recovery/"});
    let full = json!({"user_fields": ["email", "username"], "password_fields": true, "allow_show_password": true,
        "flow_designation": "authentication", "primary_action": "Log in", "show_source_labels": true, "application_pre": "Grafana",
        "recovery_url": "/if/flow/recovery/", "enroll_url": "/if/flow/enroll/", "passwordless_url": "/if/flow/webauthn/",
        "sources": [source("Forge", false), source("Company login", true)]});
    let errors = json!({"user_fields": ["email"], "password_fields": true, "primary_action": "Log in", "pending_user_identifier": "jane@example.com",
        "show_source_labels": false, "sources": [source("Forge", false), source("Cloud", false), source("Chat", false)],
        "response_errors": {"non_field_errors": [{"string": "Failed to authenticate.", "code": "invalid"}],
            "password": [{"string": "This field may not be blank.", "code": "blank"}]}});
    let generic = json!({"fields": ["code", {"field_key": "attributes.phone number", "label": "Phone", "type": "text", "required": false,
        "placeholder": "+41 …", "sub_text": "For emergencies only."}, {"field_key": "terms", "label": "I agree to the terms", "type": "checkbox"},
        {"field_key": "h", "type": "hidden", "initial_value": "x"}],
        "response_errors": {"attributes.phone number": [{"string": "Not a number.", "code": "invalid"}]}});
    let field = |key: &str, kind: &str, label: &str, more: Value| {
        let mut field = json!({"field_key": key, "type": kind, "label": label, "required": true, "placeholder": "", "initial_value": "",
            "order": 0, "sub_text": "", "choices": null});
        field.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        field
    };
    let choices = json!([{"value": "red", "label": "Red"}, {"value": "green", "label": "Green"}]);
    let every = json!({"fields": [
        field("intro", "static", "Create your account", json!({"initial_value": "It takes a minute.\nYou need an invitation."})),
        field("i", "alert_info", "Good to know", json!({"initial_value": "Your name is shown to others."})),
        field("w", "alert_warning", "Beware", json!({"initial_value": "User names cannot be changed.", "sub_text": "Really."})),
        field("d", "alert_danger", "Danger", json!({"initial_value": "This cannot be undone."})),
        field("username", "username", "Username", json!({"sub_text": "Up to 150 characters."})),
        field("name", "text", "Name", json!({"required": false, "placeholder": "Jane Doe"})),
        field("email", "email", "Email", json!({"initial_value": "jane@"})),
        field("about", "text_area", "About you", json!({"required": false, "initial_value": "\nI\nam"})),
        field("org", "text_read_only", "Organisation", json!({"initial_value": "Alpine Works"})),
        field("terms", "text_area_read_only", "Terms", json!({"initial_value": "Be kind."})),
        field("line", "separator", "", json!({})),
        field("password", "password", "Password", json!({})),
        field("password_repeat", "password", "Password again", json!({})),
        field("age", "number", "Age", json!({"required": false})),
        field("colour", "radio-button-group", "Colour", json!({"choices": choices, "initial_value": "green", "sub_text": "Of your badge."})),
        field("attributes.shirt", "dropdown", "Shirt", json!({"choices": choices, "initial_value": "red", "required": false})),
        field("locale", "ak-locale", "Language", json!({"choices": [{"value": "en", "label": "English"}]})),
        field("born", "date", "Date of birth", json!({"required": false})),
        field("due", "date-time", "Available from", json!({"required": false})),
        field("photo", "file", "Photo", json!({"required": false, "sub_text": "Up to 512 KB."})),
        field("agree", "checkbox", "I agree to the terms", json!({"sub_text": "They are above."})),
        field("own", "hidden", "Own", json!({"initial_value": "x"}))]});
    let mut wrong = every.clone();
    wrong["response_errors"] = json!({"email": [{"string": "Enter a valid email address.", "code": "invalid"}],
        "colour": [{"string": "This field is required.", "code": "required"}], "locale": [{"string": "This field is required.", "code": "required"}],
        "agree": [{"string": "This field is required.", "code": "required"}], "about": [{"string": "Too long.", "code": "max_length"}],
        "password_repeat": [{"string": "Passwords don't match.", "code": "invalid"}], "non_field_errors": [{"string": "Not you.", "code": "invalid"}]});
    let permission = |id: &str, name: &str| json!({"id": id, "name": name});
    let consent = json!({"header_text": "Forge would like to know you", "token": "t0ken", "additional_permissions": [],
        "permissions": [permission("email", "Your email address"), permission("profile", "Your name and picture"), permission("offline", "")]});
    let more = json!({"header_text": "Forge would like to know you", "token": "t0ken", "permissions": [permission("email", "Your email address")],
        "additional_permissions": [permission("groups", "The groups you are in")],
        "response_errors": {"non_field_errors": [{"string": "This page was out of date. Please look at it again.", "code": "invalid"}]}});
    vec![
        ("prompt", base("ak-stage-prompt", every)),
        ("prompt-error", base("ak-stage-prompt", wrong)),
        ("consent", base("ak-stage-consent", consent)),
        ("consent-more", base("ak-stage-consent", more)),
        ("identification-plain", base("ak-stage-identification", plain)),
        ("identification", base("ak-stage-identification", full)),
        ("identification-error", base("ak-stage-identification", errors)),
        ("identification-none", base("ak-stage-identification", json!({"user_fields": [], "sources": [source("Forge", true)]}))),
        ("password", base("ak-stage-password", json!({"allow_show_password": true, "recovery_url": "/if/flow/recovery/"}))),
        (
            "password-error",
            base(
                "ak-stage-password",
                json!({"allow_show_password": true, "recovery_url": "/if/flow/recovery/",
            "response_errors": {"password": [{"string": "Invalid password", "code": "invalid"}]}}),
            ),
        ),
        ("user-login", base("ak-stage-user-login", json!({}))),
        ("dummy", base("ak-stage-dummy", json!({"name": "dummy-1"}))),
        (
            "access-denied",
            base("ak-stage-access-denied", json!({"error_message": "Your account is not allowed to use Grafana."})),
        ),
        (
            "flow-error",
            base(
                "ak-stage-flow-error",
                json!({"request_id": "a1b2c3", "error": "planner: stage 3 has no configuration", "traceback": "at stage 3\nat flow default"}),
            ),
        ),
        (
            "session-end",
            base(
                "ak-stage-session-end",
                json!({"application_name": "Grafana", "application_launch_url": "https://grafana.example.com/",
            "invalidation_flow_url": "/if/flow/invalidation/", "overview_url": "/if/user/", "brand_name": "authentik"}),
            ),
        ),
        (
            "autosubmit",
            base("ak-stage-autosubmit", json!({"url": "https://app.example.com/callback", "attrs": {"code": "1", "state": "2"}})),
        ),
        ("redirect", base("xak-flow-redirect", json!({"to": "https://app.example.com/callback?code=1&state=2"}))),
        ("generic", base("x-unknown", generic)),
    ]
}
