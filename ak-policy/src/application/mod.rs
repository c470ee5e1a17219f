//! Applications: what people sign in for.

mod entitlement;
mod launch;
mod provider;

use ak_store::model::{Address, Errors, Key, Kind, Meta, Pk, Ref, Roles, Row, Snapshot};
use ak_store::records::User;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use entitlement::ApplicationEntitlement;
pub use launch::LaunchUrl;
pub use provider::Provider;

use crate::binding::{EngineMode, PolicyTarget};
use crate::decision::Decision;
use crate::engine::decide_many;
use crate::request::Request;

/// What people sign in for. Its bindings say who may open it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Application {
    /// Name, for everybody.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Its name in URLs.
    #[schemars(length(min = 1), regex(pattern = r"^[-a-zA-Z0-9_]+$"))]
    pub slug: String,
    /// The heading under which it is listed.
    #[serde(default)]
    pub group: String,
    /// Provider by which people sign in to it.
    #[serde(default)]
    pub provider: Option<Ref<dyn Provider>>,
    /// Providers that work behind it.
    #[serde(default)]
    #[schemars(extend("x-later" = true))]
    pub backchannel_providers: Vec<i64>,
    /// Whether it is opened in a new tab.
    #[serde(default)]
    pub open_in_new_tab: bool,
    /// Where it is. `%(username)s` and the like stand for what is known of the person who opens it.
    #[serde(default)]
    pub meta_launch_url: LaunchUrl,
    /// Its picture: an address, or `fa://` and the name of an icon.
    #[serde(default)]
    pub meta_icon: String,
    /// What it is.
    #[serde(default)]
    pub meta_description: String,
    /// Who provides it.
    #[serde(default)]
    pub meta_publisher: String,
    /// How the results of several policies make one.
    #[serde(default)]
    pub policy_engine_mode: EngineMode,
    /// Whether it is left out of people's own pages.
    #[serde(default)]
    pub meta_hide: bool,
}

/// The read-only fields of an application.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ApplicationShown {
    pbm_uuid: Value,
    provider_obj: Option<Value>,
    backchannel_providers_obj: Vec<Value>,
    launch_url: Option<String>,
    meta_icon_url: Option<String>,
    meta_icon_themed_urls: Option<Value>,
}

/// Names that stand for endpoints where an application's could: below `/application/o/`, and the API's list of what can be asked for.
const RESERVED: [&str; 7] = ["authorize", "token", "device", "userinfo", "introspect", "revoke", "requestable"];

impl Kind for Application {
    const META: Meta = Meta {
        address: Address::Field("slug"),
        pk_filters: &["pbm_uuid"],
        unique: &[&["slug"], &["provider"]],
        search: &["name", "slug", "meta_launch_url", "meta_description", "meta_publisher", "group"],
        ..Meta::new("authentik_core.application", "core/applications", "Application", "Applications")
    };

    type Shown = ApplicationShown;

    fn shown(&self, row: &Row<'_>) -> ApplicationShown {
        ApplicationShown {
            pbm_uuid: row.pk().value(),
            provider_obj: self.provider.map(|to| row.snapshot.expand(to.pk(), row.people)),
            backchannel_providers_obj: Vec::new(),
            launch_url: self.launch_url(row.snapshot, row.people.viewer.as_ref(), &row.people.install_id),
            meta_icon_url: self.icon_url().map(str::to_owned),
            meta_icon_themed_urls: None,
        }
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn PolicyTarget>(|s| s);
    }

    fn check(&self, _: &Row<'_>, errors: &mut Errors) {
        if RESERVED.contains(&self.slug.as_str()) {
            let message = format!("The slug '{}' is reserved and cannot be used for applications.", self.slug);
            errors.at(&["slug"], message, "invalid");
        }
    }
}

impl PolicyTarget for Application {
    fn engine_mode(&self) -> EngineMode {
        self.policy_engine_mode
    }
}

impl Application {
    /// Where the application is opened, made for who opens it: its own address, else what its provider knows. `None`: nowhere.
    pub fn launch_url(&self, snapshot: &Snapshot, viewer: Option<&User>, install_id: &str) -> Option<String> {
        if self.meta_launch_url.as_str().is_empty() {
            return snapshot.get(self.provider?)?.launch_url();
        }
        Some(self.meta_launch_url.made_for(viewer, install_id))
    }

    /// Whether there is something to be opened.
    pub fn leads_somewhere(&self, snapshot: &Snapshot) -> bool {
        self.meta_launch_url.leads_somewhere()
            || self.meta_launch_url.as_str().is_empty() && self.launch_url(snapshot, None, "").is_some()
    }

    /// The application that a provider signs people in to.
    pub fn of_provider(snapshot: &Snapshot, provider: Pk) -> Option<(Ref<Self>, &Self)> {
        let mut found = snapshot.referring::<Self>(Key::Object(provider)).filter_map(Result::ok);
        found.find(|(_, application)| application.provider.is_some_and(|to| to.pk() == provider))
    }

    /// The address of its picture, where it has one: a web address, a path of this server, or the name of an icon.
    pub fn icon_url(&self) -> Option<&str> {
        let icon = self.meta_icon.as_str();
        let known = ["https://", "http://", "/", "fa://", "data:image/"];
        known.iter().any(|start| icon.starts_with(start)).then_some(icon)
    }

    /// The applications that a person may open and that her page shows, by group and name; and all decisions, for their events.
    pub async fn of_person(request: &Request) -> (Vec<(Ref<Self>, &Self)>, Vec<Decision>) {
        let listed = |application: &Self| !application.meta_hide && application.leads_somewhere(&request.snapshot);
        let all = request.snapshot.all::<Self>().filter(|(_, application)| listed(application));
        let mut open: Vec<_> = all.collect();
        let decided = decide_many(open.iter().map(|(at, _)| at.pk()), request).await;
        let decided: Vec<Decision> = decided.into_iter().map(|(_, decision)| decision).collect();
        let mut passing = decided.iter().map(|decision| decision.passing);
        open.retain(|_| passing.next() == Some(true));
        open.sort_by_cached_key(|(at, a)| (a.group.to_lowercase(), a.name.to_lowercase(), at.pk()));
        (open, decided)
    }
}
