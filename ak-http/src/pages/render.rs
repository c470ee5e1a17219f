//! The templates and what they are filled with.

use std::collections::HashMap;
use std::fmt::Write;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value, context};
use serde::Serialize;

use super::challenge::{self, ChallengeView};
use super::context::{PageContext, first};
use super::messages::Messages;
use super::urls;
use super::view::{ErrorView, FlowForm, Page, RecoveryView, UserView};

/// Shared pieces and the pages that are not challenges.
const TEMPLATES: [(&str, &str); 8] = [
    ("macros.html", include_str!("../../web/templates/macros.html")),
    ("base.html", include_str!("../../web/templates/base.html")),
    ("flow.html", include_str!("../../web/templates/flow.html")),
    ("fields.html", include_str!("../../web/templates/fields.html")),
    ("generic.html", include_str!("../../web/templates/generic.html")),
    ("error.html", include_str!("../../web/templates/error.html")),
    ("recovery.html", include_str!("../../web/templates/recovery.html")),
    ("user.html", include_str!("../../web/templates/user.html")),
];

/// The pages of challenges, by component.
const BUILT_IN: [(&str, &str); 11] = [
    ("ak-stage-identification", include_str!("../../web/templates/identification.html")),
    ("ak-stage-password", include_str!("../../web/templates/password.html")),
    ("ak-stage-prompt", include_str!("../../web/templates/prompt.html")),
    ("ak-stage-consent", include_str!("../../web/templates/consent.html")),
    ("ak-stage-user-login", include_str!("../../web/templates/user_login.html")),
    ("ak-stage-dummy", include_str!("../../web/templates/dummy.html")),
    ("ak-stage-access-denied", include_str!("../../web/templates/access_denied.html")),
    ("ak-stage-flow-error", include_str!("../../web/templates/flow_error.html")),
    ("ak-stage-session-end", include_str!("../../web/templates/session_end.html")),
    ("ak-stage-autosubmit", include_str!("../../web/templates/autosubmit.html")),
    ("xak-flow-redirect", include_str!("../../web/templates/redirect.html")),
];

/// A page that could not be drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// A template does not parse, or names a message that is not in the table.
    #[error("template: {0:#}")]
    Template(#[from] Error),
    /// A form would post to something that is not a web address.
    #[error("a form cannot post to {0:?}")]
    Action(String),
}

/// Draws the pages. Made once; drawing takes `&self`.
#[derive(Debug)]
pub struct Renderer {
    // Sentences are bound to the environment: a second language is a second environment.
    env: Environment<'static>,
    messages: &'static Messages,
    /// Where the page of a component comes from.
    kinds: HashMap<String, Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    BuiltIn,
    Custom,
}

impl Renderer {
    /// The built-in pages.
    ///
    /// # Errors
    /// A template that does not parse, which the tests rule out.
    pub fn new() -> Result<Self, RenderError> {
        let messages = Messages::for_lang("en");
        let mut env = Environment::new();
        env.set_auto_escape_callback(|_| AutoEscape::Html);
        env.set_undefined_behavior(UndefinedBehavior::Chainable);
        env.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        env.set_formatter(escape);
        env.add_filter("link", |value: &Value| value.as_str().and_then(urls::link).map(str::to_owned));
        env.add_filter("image", |value: &Value| value.as_str().and_then(urls::image).map(str::to_owned));
        env.add_filter("ident", challenge::identifier);
        env.add_function("t", move |key: &str, arguments: Kwargs| sentence(messages, key, &arguments));

        for (name, source) in TEMPLATES {
            env.add_template(name, source)?;
        }
        let mut kinds = HashMap::new();
        for (component, source) in BUILT_IN {
            env.add_template_owned(template_name(component), source)?;
            kinds.insert(component.to_owned(), Kind::BuiltIn);
        }
        Ok(Self { env, messages, kinds })
    }

    /// Adds the page of a component, or replaces a built-in one. See [How to add the page of a stage](super#how-to-add-the-page-of-a-stage).
    ///
    /// The template sees `challenge` (as it is), `page`, `form`, and `view` with `errors`, `field_errors`, `person` and `fields`.
    ///
    /// # Errors
    /// The template does not parse.
    pub fn with_template(mut self, component: &str, html: &str) -> Result<Self, RenderError> {
        self.env.add_template_owned(template_name(component), html.to_owned())?;
        self.kinds.insert(component.to_owned(), Kind::Custom);
        Ok(self)
    }

    /// The page of a challenge, chosen by `challenge["component"]`. Its heading is the page's title, else the flow's.
    ///
    /// # Errors
    /// The form's action is no web address, or a custom template fails.
    pub fn flow_page(&self, page: &Page<'_>, challenge: &serde_json::Value, form: &FlowForm<'_>) -> Result<String, RenderError> {
        check_action(form.action)?;
        let component = challenge.get("component").and_then(|name| name.as_str()).unwrap_or_default();
        let info = challenge.get("flow_info").unwrap_or(&serde_json::Value::Null);
        let kind = self.kinds.get(component).copied();
        let name = kind.map_or_else(|| "generic.html".to_owned(), |_| template_name(component));

        let info_text = |key: &str| info.get(key).and_then(|value| value.as_str()).unwrap_or_default();
        let title = self.flow_title(component, challenge, info_text("title"));
        let mut context = PageContext::new(page, self.messages, &title);
        context.lay_out(info_text("layout"));
        context.set_background(page, info);
        let cancel_url = first(form.cancel_url, info_text("cancel_url"));
        let form = FlowForm { cancel_url, not_you_url: first(form.not_you_url, cancel_url), ..*form };
        let view = ChallengeView::new(challenge, kind == Some(Kind::Custom));
        self.render(
            &name,
            context! { page => data(&context), challenge => data(challenge), form => data(&form), view => data(&view) },
        )
    }

    /// The page of a failure outside of flows. The reference is `page.request_id`.
    ///
    /// # Errors
    /// Only a broken template.
    pub fn error_page(&self, page: &Page<'_>, error: &ErrorView<'_>) -> Result<String, RenderError> {
        self.render(
            "error.html",
            context! { page => data(&PageContext::new(page, self.messages, error.heading)), error => data(error) },
        )
    }

    /// The page of a recovery link: one button, whose POST consumes the key.
    ///
    /// # Errors
    /// The form's action is no web address.
    pub fn recovery_page(&self, page: &Page<'_>, recovery: &RecoveryView<'_>) -> Result<String, RenderError> {
        check_action(recovery.action)?;
        let title = self.message("recovery", &[("name", recovery.name)]);
        self.render(
            "recovery.html",
            context! { page => data(&PageContext::new(page, self.messages, &title)), recovery => data(recovery) },
        )
    }

    /// The account of the person who is signed in, and the way out.
    ///
    /// # Errors
    /// Only a broken template.
    pub fn user_page(&self, page: &Page<'_>, user: &UserView, sign_out_url: &str) -> Result<String, RenderError> {
        let title = self.message("account", &[]);
        let initials = if user.initials.is_empty() { challenge::initials(&user.name) } else { user.initials.clone() };
        let page = data(&PageContext::new(page, self.messages, &title));
        self.render("user.html", context! { page, user => data(user), initials, sign_out_url })
    }

    fn render(&self, name: &str, values: Value) -> Result<String, RenderError> {
        Ok(self.env.get_template(name)?.render(values)?)
    }

    fn message(&self, key: &str, arguments: &[(&str, &str)]) -> String {
        self.messages.get(key, arguments).unwrap_or_default()
    }

    /// Pages that end a flow say what has ended; the others have the flow's title.
    fn flow_title(&self, component: &str, challenge: &serde_json::Value, title: &str) -> String {
        let application = challenge.get("application_name").and_then(|name| name.as_str()).unwrap_or_default();
        match component {
            "ak-stage-access-denied" => self.message("denied", &[]),
            "ak-stage-flow-error" => self.message("failed", &[]),
            "ak-stage-session-end" if challenge.get("still_signed_in") == Some(&true.into()) => self.message("not-ended", &[]),
            "ak-stage-session-end" if application.is_empty() => self.message("ended", &[]),
            "ak-stage-session-end" => self.message("ended-app", &[("application", application)]),
            _ if !title.is_empty() => title.to_owned(),
            "xak-flow-redirect" | "ak-stage-autosubmit" => self.message("leaving", &[]),
            _ => self.message("sign-in", &[]),
        }
    }
}

fn data<T: Serialize>(value: &T) -> Value {
    Value::from(Serde(value))
}

fn template_name(component: &str) -> String {
    format!("component/{component}.html")
}

fn check_action(action: &str) -> Result<(), RenderError> {
    urls::link(action).map(drop).ok_or_else(|| RenderError::Action(action.to_owned()))
}

fn sentence(messages: &Messages, key: &str, arguments: &Kwargs) -> Result<String, Error> {
    let values: Vec<(&str, String)> =
        arguments.args().map(|name| Ok((name, arguments.get::<Value>(name)?.to_string()))).collect::<Result<_, Error>>()?;
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    messages.get(key, &values).ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("no message {key:?}")))
}

/// Escapes what means something in text and in quoted attributes. The engine's own formatter also escapes `/`, which would make
/// every URL of the source unreadable, and writes `none` for a JSON null.
fn escape(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_undefined() || value.is_none() {
        return Ok(());
    }
    let text = value.to_string();
    if value.is_safe() {
        return Ok(out.write_str(&text)?);
    }
    for letter in text.chars() {
        match letter {
            '&' => out.write_str("&amp;")?,
            '<' => out.write_str("&lt;")?,
            '>' => out.write_str("&gt;")?,
            '"' => out.write_str("&quot;")?,
            '\'' => out.write_str("&#39;")?,
            _ => out.write_char(letter)?,
        }
    }
    Ok(())
}
