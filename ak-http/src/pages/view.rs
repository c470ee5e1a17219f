//! What a page is told: plain values, nothing of the store and nothing of the transport.

use serde::Serialize;

/// Which colours a page has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// As the browser prefers.
    #[default]
    Automatic,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

/// A link below the card.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FooterLink {
    /// Its text.
    pub name: String,
    /// Where it leads; without it the text stands alone.
    pub href: Option<String>,
}

/// What a brand looks like. Made once per brand and shared by its pages.
#[derive(Debug, Clone, Default, Serialize)]
pub struct BrandView {
    /// The name of the installation.
    pub title: String,
    /// The brand's own logo, which is taken to contain its name. Without one the page shows ak's mark and the title.
    pub logo_url: Option<String>,
    /// The logo on dark ground, where it is another one.
    pub logo_dark_url: Option<String>,
    /// The icon of the browser's tab.
    pub favicon_url: Option<String>,
    /// Where the sheet made by [`brand_css`](super::brand_css) is served.
    pub css_url: Option<String>,
    /// Where the brand's own CSS is served; it comes last.
    pub custom_css_url: Option<String>,
    /// The picture behind the card, if the flow has none.
    pub background: Option<String>,
    /// The brand's choice of colours.
    pub theme: Theme,
    /// Links below the card.
    pub footer_links: Vec<FooterLink>,
}

/// What all pages have in common.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// The brand of the host that was asked.
    pub brand: &'a BrandView,
    /// The heading of the page. Empty: the flow's title, or the page's usual one.
    pub title: &'a str,
    /// A choice that comes before the brand's, such as the person's.
    pub theme: Theme,
    /// The language asked for (BCP 47). The page is in the nearest one that there is.
    pub lang: &'a str,
    /// Shown on pages that report a failure, so that an admin finds the log line.
    pub request_id: &'a str,
}

impl<'a> Page<'a> {
    /// A page of a brand: its usual title, its colours, English, no reference.
    pub fn new(brand: &'a BrandView) -> Self {
        Page { brand, title: "", theme: Theme::Automatic, lang: "en", request_id: "" }
    }
}

/// Where the answer to a challenge goes, and the ways out. An empty URL is left out of the page.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct FlowForm<'a> {
    /// The POST URL, with its query.
    pub action: &'a str,
    /// The turn that the answer is for.
    pub turn: u64,
    /// The token bound to session and turn.
    pub csrf: &'a str,
    /// Starts the flow again. Empty: the `cancel_url` of the challenge's `flow_info`.
    pub cancel_url: &'a str,
    /// "Not you?": leaves this person. Empty: like `cancel_url`.
    pub not_you_url: &'a str,
    /// Ends the session, offered where access is denied to a person who is signed in.
    pub sign_out_url: &'a str,
    /// Where the person came from, offered on pages that end a flow.
    pub back_url: &'a str,
}

/// A failure that is not a flow's.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ErrorView<'a> {
    /// The HTTP status of the answer.
    pub status: u16,
    /// What happened, in a few words.
    pub heading: &'a str,
    /// What it means for the person, and what to do.
    pub message: &'a str,
    /// The same request again, where that is safe. Empty: no such button.
    pub retry_url: &'a str,
    /// A place to go on from. Empty: no such button.
    pub home_url: &'a str,
}

/// A signed-in person.
#[derive(Debug, Clone, Default, Serialize)]
pub struct UserView {
    /// The display name.
    pub name: String,
    /// The name to sign in with.
    pub username: String,
    /// The mail address, or empty.
    pub email: String,
    /// One or two letters for want of a picture. Empty: taken from the name.
    pub initials: String,
    /// The picture.
    pub avatar_url: Option<String>,
    /// The names of the groups.
    pub groups: Vec<String>,
    /// What she may open; empty: the page does not speak of it.
    pub applications: Vec<SectionView>,
    /// Where the person is signed in; empty: the page does not speak of it.
    pub sessions: Vec<SessionView>,
    /// Where she changes her name and the like.
    pub settings_url: Option<String>,
    /// Where she changes her password.
    pub password_url: Option<String>,
}

/// Applications under one heading.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SectionView {
    /// The heading. Empty: they have none of their own.
    pub name: String,
    /// The applications.
    pub applications: Vec<ApplicationView>,
}

/// An application that a person may open.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ApplicationView {
    /// Its name.
    pub name: String,
    /// Its first letter, for want of a picture.
    pub initial: String,
    /// The picture.
    pub icon_url: Option<String>,
    /// Where it is.
    pub url: String,
    /// Whether it is opened in a new tab.
    pub new_tab: bool,
    /// What it is.
    pub description: String,
    /// Who provides it.
    pub publisher: String,
}

/// One place where a person is signed in.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SessionView {
    /// Browser and system, in words.
    pub device: String,
    /// The peer's address.
    pub address: String,
    /// When it was last used, in words.
    pub last_used: String,
    /// Whether it is the session of this page.
    pub current: bool,
}

/// The page of a recovery link: opening it changes nothing, its button consumes the key.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct RecoveryView<'a> {
    /// Whom the link signs in.
    pub name: &'a str,
    /// The POST URL.
    pub action: &'a str,
    /// The token of the form.
    pub csrf: &'a str,
    /// How long the link is good for, rounded up.
    pub minutes_left: u64,
}
