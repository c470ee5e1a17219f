//! What people see and do, in a real Chromium. Every page is left in `target/screenshots/` to be looked at.

use std::time::Duration;

use ak_flows::stages::{ConsentMode, ConsentStage, DenyStage, IdentificationStage, UserLoginStage};
use ak_flows::{Authentication, Designation, Flow, FlowStageBinding};
use ak_store::model::{Draft, Errors, Ref, Span};
use ak_store::records::TokenIntent;
use ak_tests::browser::{Browser, Look, Viewport};
use ak_tests::server::{PASSWORD, Server, Start};
use serde_json::{Value, json};
use thirtyfour::prelude::ElementQueryable;
use thirtyfour::{By, Key, WebElement};

/// Somebody with a browser of her own.
struct Visitor<'a> {
    browser: Browser,
    server: &'a Server,
    /// In the names of her screenshots.
    name: &'static str,
    has_scripts: bool,
}

impl<'a> Visitor<'a> {
    async fn open(server: &'a Server, name: &'static str, look: Look, has_scripts: bool) -> Self {
        let look = if has_scripts { look } else { look.without_javascript() };
        Self { browser: Browser::open(look).await, server, name, has_scripts }
    }

    async fn go(&self, path: &str) {
        self.browser.goto(format!("{}{path}", self.server.url)).await.unwrap();
    }

    /// The first element that fits, as soon as it is there.
    async fn see(&self, css: &str) -> WebElement {
        let wait = self.browser.query(By::Css(css)).wait(Duration::from_secs(10), Duration::from_millis(40));
        match wait.first().await {
            Ok(element) => element,
            Err(_) => panic!("{}: nothing is {css} in {}", self.name, self.browser.source().await.unwrap()),
        }
    }

    async fn fill(&self, field: &str, text: &str) {
        let input = self.see(&format!("input[name={field}]")).await;
        input.clear().await.unwrap();
        input.send_keys(text).await.unwrap();
    }

    /// Presses what leads to another page, and waits until that is there.
    async fn press(&self, css: &str) {
        let element = self.see(css).await;
        self.browser.leave_by(&element).await.unwrap_or_else(|error| panic!("{}: {css}: {error}", self.name));
    }

    /// Answers the two questions of signing in.
    async fn sign_in(&self, password: &str) {
        self.fill("uid_field", "akadmin").await;
        self.press("button[type=submit]").await;
        self.fill("password", password).await;
        self.press("button[type=submit]").await;
    }

    async fn text(&self) -> String {
        self.see("body").await.text().await.unwrap()
    }

    /// The path and query in the address bar.
    async fn place(&self) -> String {
        let url = self.browser.current_url().await.unwrap().to_string();
        url.strip_prefix(&self.server.url).unwrap_or(&url).to_owned()
    }

    /// Holds the page against what every page promises, and takes its picture.
    async fn page(&self, name: &str) {
        // WCAG 2.2 asks for targets of 24 px (2.5.8); a finger needs 44 for what is not a link in a text.
        let script = "const inputs = [...document.querySelectorAll('input:not([type=hidden]), select, textarea')];
            const least = matchMedia('(pointer: coarse)').matches ? 44 : 24;
            // What is pressed is the line with its label.
            const target = e => e.matches('.skip, .hush, .reveal, .alert a, .check input') ? 0 : least;
            const tooSmall = e => e.offsetHeight && e.offsetHeight < target(e);
            return {
                wide: document.documentElement.scrollWidth - innerWidth,
                nameless: inputs.filter(i => !i.labels.length && !i.ariaHidden).map(i => i.name),
                headings: document.querySelectorAll('h1').length,
                small: [...document.querySelectorAll('a, button, input, select, textarea, .check')].filter(tooSmall).map(e => e.outerHTML),
            }";
        let seen: Value = self.browser.execute(script, Vec::new()).await.unwrap().convert().unwrap();
        let (label, promised) = (format!("{}-{name}", self.name), json!({ "nameless": [], "headings": 1, "small": [] }));
        assert!(seen["wide"].as_i64().unwrap() <= 0, "{label} scrolls sideways by {}", seen["wide"]);
        for (what, value) in promised.as_object().unwrap() {
            assert_eq!(seen[what], *value, "{label}: {what}");
        }
        for entry in self.browser.browser_log().await.unwrap() {
            // The status of a refused page itself is noted by the browser as well.
            let is_status = ["status of 403", "status of 404"].iter().any(|status| entry.message.contains(status));
            assert!(is_status, "{label}: {} {}", entry.level, entry.message);
        }
        self.browser.screenshot(&label).await;
    }

    /// Where the keyboard is.
    async fn focus(&self) -> String {
        self.browser.active_element().await.unwrap().id().await.unwrap().unwrap_or_default()
    }

    /// The colour behind what fits, as numbers.
    async fn background(&self, css: &str) -> Vec<u32> {
        let colour = self.see(css).await.css_value("background-color").await.unwrap();
        colour.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).take(3).collect()
    }
}

/// Flows for pages that the default objects do not show: one that refuses, and one that asks whether to stay signed in.
async fn furnish(server: &Server) {
    let made = server.store.write(|draft| {
        let closed = flow(draft, "closed", "Quarterly figures")?;
        let deny = DenyStage { name: "closed".into(), deny_message: "The figures are for the board only.".into() };
        let deny = draft.add(&deny)?;
        draft.add(&FlowStageBinding::new(closed, Ref::new(deny.pk()), 0))?;

        let stay = flow(draft, "stay", "Welcome")?;
        let name = "default-authentication-identification";
        let who = draft.snapshot().by::<IdentificationStage>("name", name).expect("a default stage").0;
        let (_, login) = draft.snapshot().by::<UserLoginStage>("name", "default-authentication-login").expect("a default stage");
        let login = UserLoginStage { name: "stay".into(), remember_me_offset: Span::seconds(3600), ..login.clone() };
        let login = draft.add(&login)?;
        draft.add(&FlowStageBinding::new(stay, Ref::new(who.pk()), 0))?;
        draft.add(&FlowStageBinding::new(stay, Ref::new(login.pk()), 1)).map(drop)
    });
    made.await.unwrap();
}

fn flow(draft: &mut Draft, slug: &str, title: &str) -> Result<Ref<Flow>, Errors> {
    let (_, like) = draft.snapshot().by::<Flow>("slug", "default-authentication-flow").expect("a default flow");
    let (designation, authentication) = (Designation::Enrollment, Authentication::None);
    let flow = Flow { name: slug.into(), slug: slug.into(), title: title.into(), designation, authentication, ..like.clone() };
    draft.add(&flow)
}

/// One visitor sees every page, and signs in and out on the way.
async fn tour(name: &'static str, look: Look, has_scripts: bool) {
    let server = Server::start().await;
    furnish(&server).await;
    let visitor = Visitor::open(&server, name, look, has_scripts).await;
    let user = server.store.read().await.unwrap().users().find_by_username("akadmin").await.unwrap().unwrap();

    // She has signed in elsewhere before.
    let telephone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Version/18.6 Safari/604.1";
    server.client().header("user-agent", telephone).login("akadmin", PASSWORD).await;
    visitor.go("/if/user/?x=1").await;
    visitor.see("input[name=uid_field]").await;
    visitor.page("sign-in").await;
    assert_eq!(visitor.focus().await, "field-uid_field");

    // "Not you?" leads back to the question who it is.
    visitor.fill("uid_field", "grace.brewster.murray.hopper@example.com").await;
    visitor.press("button[type=submit]").await;
    visitor.see("input[name=password]").await;
    assert_eq!(visitor.focus().await, "field-password");
    assert!(visitor.text().await.contains("grace"));
    visitor.page("password").await;
    visitor.press(".person a").await;
    visitor.see("input[name=uid_field]").await;

    // A wrong password is told beside its field, and the next one counts.
    visitor.sign_in("wrong").await;
    let wrong = visitor.see("#field-password-error").await.text().await.unwrap();
    assert!(wrong.contains("Invalid password"), "{wrong}");
    assert_eq!(visitor.focus().await, "errors");
    visitor.page("password-wrong").await;
    show_password(&visitor).await;
    visitor.fill("password", PASSWORD).await;
    visitor.press("button[type=submit]").await;
    visitor.see(".desk").await;
    assert_eq!(visitor.place().await, "/if/user/?x=1", "the link that she came by");
    visitor.page("user").await;

    visitor.go("/if/flow/closed/").await;
    assert!(visitor.see("main").await.text().await.unwrap().contains("for the board only"));
    visitor.page("denied").await;
    visitor.go("/nothing/here/").await;
    visitor.see(".status").await;
    visitor.page("not-found").await;

    // Signed out, the way back shows nothing private.
    visitor.go("/if/user/").await;
    visitor.press(".bar a.button").await;
    visitor.see("input[name=uid_field]").await;
    visitor.browser.back().await.unwrap();
    visitor.see("input[name=uid_field]").await;
    assert!(!visitor.text().await.contains("root@example.com"));

    visitor.go("/if/flow/stay/").await;
    visitor.fill("uid_field", "akadmin").await;
    visitor.press("button[type=submit]").await;
    visitor.see("button[name=remember_me]").await;
    visitor.page("stay").await;

    let key = server.key(user.pk, TokenIntent::Recovery, Some(chrono::Duration::minutes(30))).await;
    visitor.go(&format!("/recovery/use-token/{key}/")).await;
    visitor.see("form button").await;
    visitor.page("recovery").await;
    visitor.press("form button").await;
    visitor.see(".desk").await;
    visitor.go(&format!("/recovery/use-token/{key}/")).await;
    assert!(visitor.text().await.contains("not valid"), "a key opens once");
    visitor.page("recovery-spent").await;

    branded(&visitor).await;

    consent(&visitor).await;
    let fresh = Start::new().without("AUTHENTIK_BOOTSTRAP_PASSWORD").start().await;
    let visitor = Visitor { server: &fresh, ..visitor };
    set_up(&visitor).await;
    enrol(&visitor).await;
}

/// The first person chooses the administrator's password, is signed in, and the page is gone. Then she changes what is hers.
async fn set_up(visitor: &Visitor<'_>) {
    visitor.go("/").await;
    assert_eq!(visitor.place().await, "/if/flow/initial-setup/");
    visitor.see("input[name=password]").await;
    assert_eq!(visitor.focus().await, "field-email");
    visitor.page("setup").await;
    let choose = async |again: &str| {
        visitor.fill("email", "ada@example.com").await;
        visitor.fill("password", PASSWORD).await;
        visitor.fill("password_repeat", again).await;
        visitor.press("button[type=submit]").await;
    };
    choose("something else").await;
    assert!(visitor.see("#field-password_repeat-error").await.text().await.unwrap().contains("match"));
    visitor.page("setup-wrong").await;
    choose(PASSWORD).await;
    visitor.see(".desk").await;
    assert!(visitor.text().await.contains("ada@example.com"));
    visitor.go("/if/flow/initial-setup/").await;
    assert!(visitor.text().await.contains("Not found"));

    visitor.go("/if/user/").await;
    visitor.press(".tools a:first-child").await;
    assert_eq!(visitor.see("input[name=username]").await.value().await.unwrap().as_deref(), Some("akadmin"));
    visitor.page("settings").await;
    visitor.fill("name", "Ada Lovelace").await;
    visitor.press("button[type=submit]").await;
    visitor.see(".desk").await;
    assert!(visitor.text().await.contains("Ada Lovelace"));
    visitor.press(".tools a:last-child").await;
    visitor.fill("password", "another good secret").await;
    visitor.fill("password_repeat", "another good secret").await;
    visitor.page("password-change").await;
    visitor.press("button[type=submit]").await;
    visitor.see(".desk").await;
    assert_eq!(visitor.place().await, "/if/user/");
}

/// Somebody signs up by a form with every type of field, and is signed in.
async fn enrol(visitor: &Visitor<'_>) {
    let blueprint = json!({ "name": "Signing up", "content": include_str!("../examples/sign-up.yaml") });
    let made = visitor.server.admin().post("/api/v3/managed/blueprints/", &blueprint).await;
    assert_eq!((made.status, made.body["status"].as_str()), (201, Some("successful")), "{}", made.text);
    visitor.browser.delete_all_cookies().await.unwrap();
    visitor.go("/if/flow/sign-up/").await;
    visitor.see("input[name=username]").await;
    assert_eq!(visitor.focus().await, "field-username");
    visitor.page("sign-up").await;
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("picture.png");
    std::fs::write(&picture, b"\x89PNG\r\n").unwrap();
    let fill = async |username: &str| {
        visitor.fill("username", username).await;
        visitor.fill("email", "carol@example.com").await;
        visitor.see("textarea[name='attributes.about']").await.send_keys("I am\nCarol").await.unwrap();
        for name in ["password", "password_repeat"] {
            visitor.fill(name, PASSWORD).await;
        }
        visitor.fill("'attributes.age'", "42").await;
        visitor.see("input[value=green]").await.click().await.unwrap();
        visitor.see("select[name='attributes.shirt'] option[value=large]").await.click().await.unwrap();
        visitor.see("select[name='attributes.settings.locale'] option[value=en]").await.click().await.unwrap();
        visitor.see("input[name='attributes.avatar']").await.send_keys(picture.to_str().unwrap()).await.unwrap();
        let agree = visitor.see("input[name='attributes.agreed']").await;
        if !agree.is_selected().await.unwrap() {
            agree.click().await.unwrap();
        }
        visitor.press("button[type=submit]").await;
    };
    fill("akadmin").await;
    let wrong = visitor.see("#field-username-error").await.text().await.unwrap();
    assert!(wrong.contains("taken"), "{wrong}");
    // Nothing but the secrets and the file has to be filled in again.
    assert_eq!(visitor.see("textarea").await.value().await.unwrap().as_deref(), Some("I am\nCarol"));
    assert!(visitor.see("input[value=green]").await.is_selected().await.unwrap());
    visitor.page("sign-up-wrong").await;
    visitor.see("textarea[name='attributes.about']").await.clear().await.unwrap();
    fill("carol").await;
    visitor.see(".desk").await;
    visitor.page("signed-up").await;
    let carol = visitor.server.store.read().await.unwrap().users().find_by_username("carol").await.unwrap().unwrap();
    let mut attributes = Value::Object(carol.attributes);
    // Browsers send line breaks as the standard says.
    let about = attributes["about"].as_str().unwrap().replace("\r\n", "\n");
    attributes["about"] = about.into();
    let expected = json!({ "about": "I am\nCarol", "age": 42, "colour": "green", "shirt": "large", "settings": { "locale": "en" },
        "avatar": "data:image/png;base64,iVBORw0K", "agreed": true, "source": "here", "org": "Alpine Works" });
    assert_eq!((carol.email.as_str(), attributes), ("carol@example.com", expected));
}

/// An application asks, and the person allows it.
async fn consent(visitor: &Visitor<'_>) {
    let server = visitor.server;
    visitor.go("/if/user/").await;
    if visitor.browser.find(By::Css("input[name=uid_field]")).await.is_ok() {
        visitor.sign_in(PASSWORD).await;
        visitor.see(".desk").await;
    }
    let made = server.store.write(|draft| {
        let flow = flow(draft, "asks", "Forge")?;
        let stage = ConsentStage { name: "asks".into(), mode: ConsentMode::AlwaysRequire, consent_expire_in: Span::seconds(60) };
        let stage = draft.add(&stage)?;
        draft.add(&FlowStageBinding::new(flow, Ref::new(stage.pk()), 0)).map(drop)
    });
    made.await.unwrap();
    visitor.go("/if/flow/asks/").await;
    visitor.see("input[name=token]").await;
    visitor.page("consent").await;
    visitor.press("button[type=submit]").await;
    visitor.see(".desk").await;
}

/// The button that shows what has been typed is there only where scripts run.
async fn show_password(visitor: &Visitor<'_>) {
    let button = visitor.see(".reveal").await;
    assert_eq!(button.is_displayed().await.unwrap(), visitor.has_scripts);
    if visitor.has_scripts {
        visitor.fill("password", "typed").await;
        let input = visitor.see("#field-password").await;
        for expected in ["text", "password"] {
            button.click().await.unwrap();
            assert_eq!(input.attr("type").await.unwrap().as_deref(), Some(expected));
            assert_eq!(input.value().await.unwrap().as_deref(), Some("typed"));
        }
    }
}

/// A brand's colour is on the button, and the words on it can be read.
async fn branded(visitor: &Visitor<'_>) {
    let admin = visitor.server.admin();
    let brands = admin.get("/api/v3/core/brands/").await;
    let brand = brands.body["results"][0]["brand_uuid"].as_str().unwrap().to_owned();
    let style = json!({ "branding_title": "Alpine Works", "branding_custom_css": ":root { --ak-accent: #FD4B2D; }" });
    let patched = admin.patch(&format!("/api/v3/core/brands/{brand}/"), &style).await;
    assert_eq!(patched.status, 200, "{}", patched.text);
    visitor.go("/flows/-/default/invalidation/").await;
    assert_eq!(visitor.background("button.primary").await, [253, 75, 45]);
    visitor.page("sign-in-brand").await;
}

#[tokio::test]
async fn on_a_desk_in_light_colours_with_scripts() {
    tour("desktop-light", Look::desktop(), true).await;
}

#[tokio::test]
async fn on_a_desk_in_dark_colours_without_scripts() {
    tour("desktop-dark", Look::desktop().dark(), false).await;
}

#[tokio::test]
async fn on_a_phone_in_dark_colours_without_scripts() {
    tour("phone-dark", Look::phone().dark(), false).await;
}

#[tokio::test]
async fn on_the_narrowest_phone_in_light_colours_with_scripts() {
    tour("phone-light", Look::phone().sized(Viewport { width: 320, height: 640, mobile: true }), true).await;
}

#[tokio::test]
async fn the_keyboard_is_enough_and_the_colours_are_those_asked_for() {
    let server = Server::start().await;
    let visitor = Visitor::open(&server, "keyboard", Look::desktop().dark(), true).await;
    visitor.go("/").await;
    visitor.see("input[name=uid_field]").await;
    assert_eq!(visitor.background("body").await, [0x11, 0x14, 0x19]);
    let type_blindly = async |keys: &str| {
        visitor.browser.action_chain().send_keys(keys).perform().await.unwrap();
    };
    type_blindly(&format!("akadmin{}", '\u{e007}')).await;
    visitor.see("input[name=password]").await;
    // To the button that shows the password and on to the one that sends it.
    let tab = String::from(char::from(Key::Tab));
    type_blindly(&format!("{PASSWORD}{tab}{tab}")).await;
    let focused = visitor.browser.active_element().await.unwrap();
    assert_eq!(focused.attr("type").await.unwrap().as_deref(), Some("submit"));
    type_blindly(" ").await;
    visitor.see(".desk").await;
    assert_eq!(visitor.place().await, "/if/user/");
}

#[tokio::test]
async fn who_clicks_twice_signs_in_once() {
    let server = Server::start().await;
    let visitor = Visitor::open(&server, "impatient", Look::desktop(), true).await;
    visitor.go("/if/user/").await;
    for (field, text) in [("uid_field", "akadmin"), ("password", PASSWORD)] {
        visitor.fill(field, text).await;
        let button = visitor.see("button[type=submit]").await;
        visitor.browser.action_chain().double_click_element(&button).perform().await.unwrap();
    }
    visitor.see(".desk").await;
    visitor.go("/if/user/").await;
    let rows = visitor.browser.find_all(By::Css(".list li")).await.unwrap();
    assert_eq!(rows.len(), 1, "one session");
}

/// A picture that needs no network.
const ICON: &str = "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHZpZXdCb3g9IjAgMCAyMCAyMCI+PGNpcmNsZSBjeD0iMTAiIGN5PSIxMCIgcj0iOCIgZmlsbD0iIzdDNUNGQyIvPjwvc3ZnPg==";

#[tokio::test]
async fn a_member_opens_what_others_do_not_see() {
    let server = Server::start().await;
    let (ada, _) = (server.user("ada").await, server.user("bob").await);
    let staff = server.group("staff", &[&ada]).await;
    let open = format!("{}/-/health/live/?who=%(username)s", server.url);
    for (name, group, icon, about) in [
        ("Mail", "", "", "Letters to and from everybody"),
        ("Calendar", "", ICON, ""),
        ("Payroll", "Staff", "fa://fa-coins", "What everybody earns, month by month, with all that is held back and why it is"),
        ("Rota", "Staff", ICON, "Who works when"),
    ] {
        let application = json!({ "name": name, "slug": name, "group": group, "meta_icon": icon, "meta_description": about,
            "meta_publisher": "Alpine Works", "meta_launch_url": open });
        let made = server.make("core/applications", &application).await;
        if group == "Staff" {
            server.make("policies/bindings", &json!({ "target": made["pk"], "group": staff.pk, "order": 0 })).await;
        }
    }
    let looks = [("member", "ada", Look::desktop(), true), ("stranger", "bob", Look::phone().dark(), false)];
    for (name, username, look, has_scripts) in looks {
        let visitor = Visitor::open(&server, name, look, has_scripts).await;
        visitor.go("/if/user/").await;
        visitor.fill("uid_field", username).await;
        visitor.press("button[type=submit]").await;
        visitor.fill("password", PASSWORD).await;
        visitor.press("button[type=submit]").await;
        visitor.see(".desk").await;
        let mut cards = Vec::new();
        for card in visitor.browser.find_all(By::Css(".app strong")).await.unwrap() {
            cards.push(card.text().await.unwrap());
        }
        let wanted: &[&str] = if username == "ada" { &["Calendar", "Mail", "Payroll", "Rota"] } else { &["Calendar", "Mail"] };
        assert_eq!(cards, wanted, "{name}");
        visitor.page("applications").await;
        visitor.press("a.app").await;
        assert_eq!(visitor.place().await, format!("/-/health/live/?who={username}"));
    }
}
